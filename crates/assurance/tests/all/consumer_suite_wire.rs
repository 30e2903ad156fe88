//! The simulated Provider on a socket of its own: bytes in, answers out, and what is found in them.

use assurance::consumer_suite::{Event, Settings, Simulator};
use assurance::evidence::{Outcome, Run, Severity, Verdict};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A simulator, and the runtime that it lives in.
struct Stage {
    runtime: tokio::runtime::Runtime,
    simulator: Simulator,
    address: String,
}

impl Stage {
    fn new(settings: Settings) -> Stage {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (simulator, address) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            (Simulator::start(listener, settings).unwrap(), address)
        });
        Stage {
            runtime,
            simulator,
            address,
        }
    }

    /// Sends a head and a body, and gives what comes back until the connection ends.
    fn send(&self, head: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(testkit::PATIENCE)).unwrap();
        let head = format!(
            "{head}\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that has heard enough may close before all is written.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn finish(self) -> Run {
        let run = self.simulator.finish();
        self.runtime.shutdown_background();
        run
    }
}

fn of<'r>(run: &'r Run, id: &str) -> &'r Outcome {
    run.outcomes.iter().find(|o| o.id == id).unwrap()
}

fn errors(outcome: &Outcome) -> Vec<&str> {
    let serious = outcome
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error);
    serious.map(|f| f.what.as_str()).collect()
}

/// Proves: C21, NAT-SSP-01
/// Without a proxy nothing is said about it; the simulator's own address as the SSP counts; from then on, and where it
/// is demanded, a straight call is a fault.
#[test]
fn calls_over_the_ssp_and_straight_ones() {
    let stage = Stage::new(Settings::default());
    assert!(
        stage
            .send("GET /STU3/metadata HTTP/1.1", b"")
            .starts_with("HTTP/1.1 400")
    );
    let run = stage.finish();
    assert!(matches!(
        of(&run, "Address_ThroughSsp").verdict,
        Verdict::Skipped(_)
    ));

    let stage = Stage::new(Settings::default());
    let root = stage.simulator.root().to_owned();
    let encoded = root.replace(':', "%3A").replace('/', "%2F");
    for target in [format!("/{root}/metadata"), format!("/{encoded}/metadata")] {
        let answer = stage.send(&format!("GET {target} HTTP/1.1"), b"");
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains("Ssp-From"),
            "{answer}"
        );
    }
    stage.send("GET /STU3/metadata HTTP/1.1", b"");
    let run = stage.finish();
    assert_eq!(of(&run, "Address_ThroughSsp").verdict, Verdict::Failed);
    assert_eq!(errors(of(&run, "Address_Known")), Vec::<&str>::new());

    let demanded = Settings {
        through_ssp: true,
        ..Settings::default()
    };
    let stage = Stage::new(demanded);
    stage.send("GET /STU3/metadata HTTP/1.1", b"");
    assert_eq!(
        of(&stage.finish(), "Address_ThroughSsp").verdict,
        Verdict::Failed
    );
}

/// Proves: C20, ASR-20, ERR-10
#[test]
fn paths_and_methods() {
    let stage = Stage::new(Settings::default());
    for (head, status) in [
        ("GET /Slot?service=1 HTTP/1.1", "404"),
        ("GET /STU3//Slot?service=1 HTTP/1.1", "404"),
        (
            "GET /http://elsewhere.example/STU3/Slot?service=1 HTTP/1.1",
            "404",
        ),
        ("DELETE /STU3/Appointment/1 HTTP/1.1", "405"),
        ("POST /STU3/Slot?service=1 HTTP/1.1", "405"),
    ] {
        let answer = stage.send(head, b"");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head}: {answer}"
        );
        assert!(answer.contains("OperationOutcome"), "{head}: {answer}");
    }
    let run = stage.finish();
    assert_eq!(errors(of(&run, "Address_Known")).len(), 5);
    assert!(!errors(of(&run, "Address_Slot")).is_empty());
}

/// Proves: C19, ASR-21
/// Addresses that no server can read are found too.
#[test]
fn raw_characters_in_addresses() {
    for target in [
        "/STU3/Slot?start=le2031-03-04T08:15:00+00:00",
        "/STU3/Slot?a={b}",
        "/STU3/Slot?a=%2",
        "/STU3/Slot?a=b c",
        "/STU3/Slot?a=<b>",
    ] {
        let stage = Stage::new(Settings::default());
        let answer = stage.send(&format!("GET {target} HTTP/1.1"), b"");
        assert!(answer.starts_with("HTTP/1.1 400"), "{target}: {answer}");
        let run = stage.finish();
        assert_eq!(
            of(&run, "C-ENCOD-URLS").verdict,
            Verdict::Failed,
            "{target}"
        );
    }
}

/// Bodies without end, bodies that are none, and heads without end do not stop it.
#[test]
fn hostile_input() {
    let stage = Stage::new(Settings::default());
    let large = vec![b'x'; (1 << 20) + 1];
    let head = |more: &str| format!("POST /STU3/Appointment HTTP/1.1\r\n{more}");
    let answer = stage.send(&head(&format!("Content-Length: {}", large.len())), &large);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // A gzip bomb is cut at its bound.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 64 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let answer = stage.send(
        &head(&format!(
            "Content-Encoding: gzip\r\nContent-Type: application/fhir+json\r\nContent-Length: {}",
            bomb.len()
        )),
        &bomb,
    );
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    for body in [
        &b"{"[..],
        b"\xff\xfe",
        b"<Appointment",
        b"[]",
        b"{\"resourceType\":\"Patient\"}",
    ] {
        let answer = stage.send(
            &head(&format!(
                "Content-Type: application/fhir+json\r\nContent-Length: {}",
                body.len()
            )),
            body,
        );
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let answer = stage.send(
        &format!(
            "GET /STU3/metadata HTTP/1.1\r\nX-Long: {}",
            "x".repeat(300_000)
        ),
        b"",
    );
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    let run = stage.finish();
    assert_eq!(of(&run, "Appointment_Readable").verdict, Verdict::Failed);
}

/// The status page lists every chosen scenario, and holds nothing that runs or comes from elsewhere.
#[test]
fn the_status_page() {
    let settings = Settings {
        scenarios: vec!["999999999".to_owned(), "999999942".to_owned()],
        ..Settings::default()
    };
    let stage = Stage::new(settings);
    stage.send("GET /STU3/Slot?a=<script> HTTP/1.1", b"");
    let page = stage.send("GET / HTTP/1.1", b"");
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("content-security-policy"),
        "{page}"
    );
    assert!(
        page.contains("lang=\"en-GB\"")
            && page.contains("<caption>")
            && page.contains("scope=\"col\"")
    );
    assert!(page.contains("999999942") && !page.contains("999999998"));
    assert!(!page.contains("<script") && !page.contains("http-equiv"));
}

/// Proves: C7, C10, C31
/// What the national services saw is enough to know that a consumer went on where it should have turned back.
#[test]
fn turning_back_is_judged_by_what_was_seen() {
    let national = || Settings {
        national: true,
        ..Settings::default()
    };
    let details = |service: &str| Event::DosDetails(service.to_owned());
    let system = |asid: &str| Event::SdsSearch {
        asid: Some(asid.to_owned()),
        party_key: None,
        interaction: None,
    };
    let stage = Stage::new(national());
    for event in [
        details("999999944"),
        details("999999947"),
        system("918999009047"),
    ] {
        stage.simulator.saw(event);
    }
    let run = stage.finish();
    assert_eq!(of(&run, "Scenario_999999944").verdict, Verdict::Passed);
    assert_eq!(of(&run, "Scenario_999999947").verdict, Verdict::Passed);
    assert!(matches!(
        of(&run, "Scenario_999999945").verdict,
        Verdict::Skipped(_)
    ));
    assert!(matches!(
        of(&run, "Declaration_C31").verdict,
        Verdict::Declared(_)
    ));

    let stage = Stage::new(national());
    let to = |asid: &str| Event::Ssp {
        method: "GET".to_owned(),
        target: format!("/{}/Slot?a=b", stage.simulator.root()),
        headers: vec![("ssp-to".to_owned(), asid.to_owned())],
        refused: None,
    };
    for event in [
        details("999999944"),
        system("918999009144"),
        details("999999947"),
        system("918999009047"),
        to("918999009047"),
    ] {
        stage.simulator.saw(event);
    }
    let run = stage.finish();
    for (scenario, row) in [("Scenario_999999944", "C7"), ("Scenario_999999947", "C10")] {
        let outcome = of(&run, scenario);
        assert_eq!(outcome.verdict, Verdict::Failed, "{scenario}");
        assert!(outcome.findings[0].requirement.iter().any(|r| r == row));
    }
}
