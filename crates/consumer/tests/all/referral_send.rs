//! Sending over real sockets to a service that cuts the line, is slow, or answers anything.

use super::referral_sample::*;
use consumer::referral::{Message, Receipt, ReferralFailure, Retries, Sender, Why, Wrapping};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use testkit::{assert_contains, assert_lacks};
use uuid::Uuid;

/// What the service does with one message.
#[derive(Clone)]
enum Does {
    Cuts,
    Hangs,
    Answers(u16, String),
}

const TAKEN: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
    <i:SimpleMessageResponse xmlns:i=\"urn:nhs-itk:ns:201005\">OK:1</i:SimpleMessageResponse></s:Body></s:Envelope>";

fn fault(code: &str) -> Does {
    Does::Answers(
        500,
        format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Client\
             </faultcode><faultstring>no</faultstring><detail><i:ToolkitErrorInfo xmlns:i=\"urn:nhs-itk:ns:201005\">\
             <i:ErrorID>E-1</i:ErrorID><i:ErrorCode>{code}</i:ErrorCode><i:ErrorText>because</i:ErrorText>\
             </i:ToolkitErrorInfo></detail></s:Fault></s:Body></s:Envelope>"
        ),
    )
}

/// Reads one message: its head and its body.
fn read_message(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// What came of it, and the messages that the service got: head and body.
type Sent = (Result<Receipt, ReferralFailure>, Vec<(String, Vec<u8>)>);

/// Sends to a service that does these things, one with each message; gives the outcome and what the service got.
fn sent(wrapping: Wrapping, script: Vec<Does>) -> Sent {
    // A second call finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/itk", listener.local_addr().expect("address"));
    let (got, received) = mpsc::channel();
    std::thread::spawn(move || {
        // Kept open, as a service that hangs does.
        let mut hanging = Vec::new();
        for does in script {
            let (mut stream, _) = listener.accept().expect("a connection");
            let Some(message) = read_message(&stream) else {
                return;
            };
            let _ = got.send(message);
            match does {
                Does::Cuts => drop(stream),
                Does::Hangs => hanging.push(stream),
                Does::Answers(status, body) => {
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                        body.len()
                    );
                }
            }
        }
    });
    let message = Message::new(
        &referral(),
        &endpoint(&address, wrapping),
        true,
        Uuid::new_v4(),
    )
    .expect("may be sent");
    let retries = Retries {
        tries: 3,
        within: Duration::from_millis(400),
        pause: Duration::from_millis(10),
    };
    let sender = Sender::new(reqwest::Client::new(), retries);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let outcome = runtime.block_on(sender.send(&message));
    (outcome, received.try_iter().collect())
}

fn taken() -> Does {
    Does::Answers(200, TAKEN.to_owned())
}

/// Proves: REF-CON-01, DAT-05
#[test]
fn a_broken_line_is_tried_again_with_the_same_message() {
    let (outcome, got) = sent(Wrapping::Itk, vec![Does::Cuts, Does::Hangs, taken()]);
    let receipt = outcome.expect("taken");
    assert_eq!((receipt.tries, receipt.status), (3, 200));
    assert_eq!(got.len(), 3);
    assert!(
        got.iter().all(|(_, body)| *body == got[0].1),
        "the same bytes, so the same tracking id"
    );
    let head = got[0].0.to_ascii_lowercase();
    assert_contains(
        &head,
        &[
            "soapaction: \"urn:nhs-itk:services:201005:sendnhs111report-v2-0\"",
            "content-type: text/xml",
        ],
    );
}

/// Proves: REF-CON-01, DAT-05, DAT-08
#[test]
fn tries_are_bounded() {
    let (outcome, got) = sent(
        Wrapping::Itk,
        vec![Does::Cuts, Does::Cuts, Does::Cuts, taken()],
    );
    let unsent = outcome.expect_err("not taken");
    assert_eq!((unsent.why, got.len()), (Why::Unreachable, 3));
    assert!(unsent.retry_safe);
    assert!(unsent.log.iter().any(|(key, _)| *key == "tracking"));
    assert_lacks(unsent.to_string(), &["127.0.0.1"]);
}

/// Proves: REF-CON-01, DAT-08, D-65
#[test]
fn what_the_service_says_in_plain_words() {
    let says = |status: u16, body: &str| Does::Answers(status, body.to_owned());
    // The last: nobody can say whether the service has it.
    for (answer, why, tries, uncertain) in [
        (fault("1000"), Why::Malformed, 1, false),
        (fault("2200"), Why::Refused, 1, false),
        (fault("3000"), Why::Denied, 1, false),
        (fault("2100"), Why::ServiceFault, 3, false),
        (says(200, "<html/>"), Why::Unreadable, 3, true),
        (says(200, ""), Why::Unreadable, 3, true),
        (says(200, &"x".repeat(2 << 20)), Why::Unreadable, 3, true),
        (says(302, ""), Why::Unreadable, 1, true),
        (says(404, "not here"), Why::Unreadable, 1, false),
        (says(409, "twice"), Why::Unreadable, 1, true),
        (says(503, "busy"), Why::Unreadable, 3, true),
        (Does::Cuts, Why::Unreachable, 3, true),
    ] {
        let (outcome, got) = sent(Wrapping::Itk, vec![answer; 3]);
        let unsent = outcome.expect_err("not taken");
        assert_eq!((unsent.why, got.len()), (why, tries), "{unsent:?}");
        assert_eq!(unsent.uncertain, uncertain, "{unsent:?}");
        let open = unsent.plain.contains("certain") || unsent.plain.contains("clear");
        assert_eq!(open, uncertain, "the words and the flag agree: {unsent:?}");
        assert_lacks(&unsent.plain, &["1000", "because"]);
    }
    let (outcome, _) = sent(Wrapping::Itk, vec![fault("2200")]);
    let log = outcome.expect_err("not taken").log;
    assert!(
        log.contains(&("code", "2200".to_owned())) && log.contains(&("said", "because".to_owned()))
    );
}

/// What was lost once may have arrived, whatever the next try says; where nobody listens nothing was sent.
///
/// Proves: REF-CON-01, D-65
#[test]
fn a_lost_try_leaves_it_open() {
    let (outcome, got) = sent(Wrapping::Itk, vec![Does::Cuts, fault("2200")]);
    let unsent = outcome.expect_err("not taken");
    assert_eq!((unsent.why, got.len()), (Why::Refused, 2));
    assert!(
        unsent.uncertain && unsent.plain.contains("not certain"),
        "{unsent:?}"
    );

    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/itk", nobody.local_addr().expect("address"));
    drop(nobody);
    let message = Message::new(
        &referral(),
        &endpoint(&address, Wrapping::Itk),
        true,
        Uuid::new_v4(),
    )
    .expect("may be sent");
    let retries = Retries {
        pause: Duration::from_millis(10),
        ..Retries::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let outcome = runtime.block_on(Sender::new(reqwest::Client::new(), retries).send(&message));
    let unsent = outcome.expect_err("nobody there");
    assert!(
        !unsent.uncertain && unsent.plain.contains("nothing was sent"),
        "{unsent:?}"
    );
}

/// Proves: REF-CON-01
#[test]
fn fhir_documents_and_infrastructure_responses() {
    let outcome = "{\"resourceType\":\"OperationOutcome\",\"id\":\"e1\",\"issue\":[{\"severity\":\"error\",\
                   \"code\":\"invalid\",\"diagnostics\":\"because\"}]}";
    let (done, got) = sent(Wrapping::FhirJson, vec![Does::Answers(201, String::new())]);
    assert_eq!(done.expect("taken").status, 201);
    assert!(
        got[0]
            .0
            .to_ascii_lowercase()
            .contains("application/fhir+json")
    );
    let (done, _) = sent(Wrapping::FhirXml, vec![Does::Answers(400, outcome.into())]);
    let unsent = done.expect_err("not taken");
    assert_eq!(unsent.why, Why::Malformed);
    assert!(unsent.log.contains(&("said", "because".to_owned())));
    let response = |result: &str| {
        Does::Answers(
            200,
            format!(
                "<e><InfrastructureResponse xmlns=\"urn:nhs-itk:ns:201005\" result=\"{result}\"/></e>"
            ),
        )
    };
    assert!(sent(Wrapping::Itk, vec![response("OK")]).0.is_ok());
    let (done, _) = sent(Wrapping::Itk, vec![response("Failure")]);
    assert_eq!(done.expect_err("not taken").why, Why::Refused);
    let simple = |words: &str| Does::Answers(200, TAKEN.replace("OK:1", words));
    for refused in ["Error: queue full", "NOT OK", "Failure", "", "OKAY-NOT"] {
        let (done, _) = sent(Wrapping::Itk, vec![simple(refused)]);
        assert_eq!(done.expect_err("not taken").why, Why::Refused, "{refused}");
    }
    for taken in ["OK", " ok : 7F3C ", "OK:1"] {
        assert!(
            sent(Wrapping::Itk, vec![simple(taken)]).0.is_ok(),
            "{taken}"
        );
    }
    // A FHIR receiver may say in a success that it is none.
    let (done, _) = sent(Wrapping::FhirJson, vec![Does::Answers(200, outcome.into())]);
    assert!(done.is_err());
}
