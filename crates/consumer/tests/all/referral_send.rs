//! Sending over real sockets to a service that cuts the line, is slow, or answers anything.

use super::discover_support::{LONG, NOWHERE};
use super::referral_sample::*;
use super::scripted::{Received, Reply, Scripted, say};
use consumer::referral::{Message, Receipt, ReferralFailure, Retries, Sender, Why, Wrapping};
use std::time::Duration;
use testkit::{assert_contains, assert_lacks};
use uuid::Uuid;

const TAKEN: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
    <i:SimpleMessageResponse xmlns:i=\"urn:nhs-itk:ns:201005\">OK:1</i:SimpleMessageResponse></s:Body></s:Envelope>";

fn fault(code: &str) -> Reply {
    say(
        500,
        format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault><faultcode>s:Client\
             </faultcode><faultstring>no</faultstring><detail><i:ToolkitErrorInfo xmlns:i=\"urn:nhs-itk:ns:201005\">\
             <i:ErrorID>E-1</i:ErrorID><i:ErrorCode>{code}</i:ErrorCode><i:ErrorText>because</i:ErrorText>\
             </i:ToolkitErrorInfo></detail></s:Fault></s:Body></s:Envelope>"
        ),
    )
}

/// What came of it, and what the service got.
type Sent = (Result<Receipt, ReferralFailure>, Vec<Received>);

/// Sends a referral to a service that answers one try after the other.
async fn sent(wrapping: Wrapping, script: Vec<Reply>) -> Sent {
    let service = Scripted::start(move |_, nth| script[nth].clone()).await;
    let outcome = send_to(&format!("http://{}/itk", service.address), wrapping).await;
    (outcome, service.seen())
}

async fn send_to(address: &str, wrapping: Wrapping) -> Result<Receipt, ReferralFailure> {
    // A second call finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let endpoint = endpoint(address, wrapping);
    let message = Message::new(&referral(), &endpoint, true, Uuid::new_v4()).expect("may be sent");
    let retries = Retries {
        tries: 3,
        within: Duration::from_millis(400),
        pause: Duration::from_millis(10),
    };
    let sender = Sender::new(reqwest::Client::new(), retries);
    sender.send(&message).await
}

fn taken() -> Reply {
    say(200, TAKEN)
}

/// Proves: REF-CON-01, DAT-05
#[tokio::test]
async fn a_broken_line_is_tried_again_with_the_same_message() {
    let hangs = Reply::Late(LONG, Box::new(Reply::Cut));
    let (outcome, got) = sent(Wrapping::Itk, vec![Reply::Cut, hangs, taken()]).await;
    let receipt = outcome.expect("taken");
    assert_eq!((receipt.tries, receipt.status), (3, 200));
    assert_eq!(got.len(), 3);
    assert!(
        got.iter().all(|r| r.body == got[0].body),
        "the same bytes, so the same tracking id"
    );
    let action = "\"urn:nhs-itk:services:201005:SendNHS111Report-v2-0\"";
    assert_eq!(got[0].header("soapaction"), action);
    assert_contains(got[0].header("content-type"), &["text/xml"]);
}

/// Proves: REF-CON-01, DAT-05, DAT-08
#[tokio::test]
async fn tries_are_bounded() {
    let script = vec![Reply::Cut, Reply::Cut, Reply::Cut, taken()];
    let (outcome, got) = sent(Wrapping::Itk, script).await;
    let unsent = outcome.expect_err("not taken");
    assert_eq!((unsent.why, got.len()), (Why::Unreachable, 3));
    assert!(unsent.retry_safe);
    assert!(unsent.log.iter().any(|(key, _)| *key == "tracking"));
    assert_lacks(unsent.to_string(), &["127.0.0.1"]);
}

/// Proves: REF-CON-01, DAT-08, D-65
#[tokio::test]
async fn what_the_service_says_in_plain_words() {
    let says = |status: u16, body: &str| say(status, body.to_owned());
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
        (Reply::Cut, Why::Unreachable, 3, true),
    ] {
        let (outcome, got) = sent(Wrapping::Itk, vec![answer; 3]).await;
        let unsent = outcome.expect_err("not taken");
        assert_eq!((unsent.why, got.len()), (why, tries), "{unsent:?}");
        assert_eq!(unsent.uncertain, uncertain, "{unsent:?}");
        let open = unsent.plain.contains("certain") || unsent.plain.contains("clear");
        assert_eq!(open, uncertain, "the words and the flag agree: {unsent:?}");
        assert_lacks(&unsent.plain, &["1000", "because"]);
    }
    let (outcome, _) = sent(Wrapping::Itk, vec![fault("2200")]).await;
    let log = outcome.expect_err("not taken").log;
    assert!(
        log.contains(&("code", "2200".to_owned())) && log.contains(&("said", "because".to_owned()))
    );
}

/// What was lost once may have arrived, whatever the next try says; where nobody listens nothing was sent.
///
/// Proves: REF-CON-01, D-65
#[tokio::test]
async fn a_lost_try_leaves_it_open() {
    let (outcome, got) = sent(Wrapping::Itk, vec![Reply::Cut, fault("2200")]).await;
    let unsent = outcome.expect_err("not taken");
    assert_eq!((unsent.why, got.len()), (Why::Refused, 2));
    assert!(
        unsent.uncertain && unsent.plain.contains("not certain"),
        "{unsent:?}"
    );

    let outcome = send_to(&format!("http://{NOWHERE}/itk"), Wrapping::Itk).await;
    let unsent = outcome.expect_err("nobody there");
    assert!(
        !unsent.uncertain && unsent.plain.contains("nothing was sent"),
        "{unsent:?}"
    );
}

/// Proves: REF-CON-01
#[tokio::test]
async fn fhir_documents_and_infrastructure_responses() {
    let outcome = "{\"resourceType\":\"OperationOutcome\",\"id\":\"e1\",\"issue\":[{\"severity\":\"error\",\
                   \"code\":\"invalid\",\"diagnostics\":\"because\"}]}";
    let (done, got) = sent(Wrapping::FhirJson, vec![say(201, String::new())]).await;
    assert_eq!(done.expect("taken").status, 201);
    let media = got[0].header("content-type");
    assert_contains(media, &["application/fhir+json"]);
    let (done, _) = sent(Wrapping::FhirXml, vec![say(400, outcome)]).await;
    let unsent = done.expect_err("not taken");
    assert_eq!(unsent.why, Why::Malformed);
    assert!(unsent.log.contains(&("said", "because".to_owned())));
    let response = |result: &str| {
        let element =
            format!("InfrastructureResponse xmlns=\"urn:nhs-itk:ns:201005\" result=\"{result}\"");
        say(200, format!("<e><{element}/></e>"))
    };
    assert!(sent(Wrapping::Itk, vec![response("OK")]).await.0.is_ok());
    let (done, _) = sent(Wrapping::Itk, vec![response("Failure")]).await;
    assert_eq!(done.expect_err("not taken").why, Why::Refused);
    let simple = |words: &str| say(200, TAKEN.replace("OK:1", words));
    for refused in ["Error: queue full", "NOT OK", "Failure", "", "OKAY-NOT"] {
        let (done, _) = sent(Wrapping::Itk, vec![simple(refused)]).await;
        assert_eq!(done.expect_err("not taken").why, Why::Refused, "{refused}");
    }
    for taken in ["OK", " ok : 7F3C ", "OK:1"] {
        let (done, _) = sent(Wrapping::Itk, vec![simple(taken)]).await;
        assert!(done.is_ok(), "{taken}");
    }
    // A FHIR receiver may say in a success that it is none.
    let (done, _) = sent(Wrapping::FhirJson, vec![say(200, outcome)]).await;
    assert!(done.is_err());
}
