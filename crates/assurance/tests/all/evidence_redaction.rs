//! Redacted evidence holds no token and nothing that identifies a patient, wherever a message put it.

use super::evidence_fixture::{
    SECRETS, TOKEN, appointment_json, appointment_xml, exchange, headers,
};
use assurance::evidence::{Body, Finding, Folder, Kind, Outcome, Redaction, Run, read};
use std::path::Path;

/// All the text under a folder.
fn everything(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&everything(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
    all
}

fn run() -> Run {
    let mut json = exchange(
        "POST",
        "https://u:hunter2@ssp.test/https://p.test/STU3/1/FX101/Appointment",
        &appointment_json(),
        201,
    );
    json.request_headers.extend(headers(&[
        ("Authorization", &format!("Bearer {TOKEN}")),
        ("Cookie", "session=abc123secret"),
    ]));
    json.response_headers.push((
        "Location".into(),
        "https://p.test/Appointment/1?family=Marlowe".into(),
    ));
    json.response_body = Body::new(appointment_xml());
    let mut search = exchange(
        "GET",
        "https://p.test/Appointment?patient.identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990123454&patient.family=Marlowe",
        "",
        400,
    );
    search.response_body = Body::new(
        r#"{"resourceType":"OperationOutcome","id":"e1","issue":[{"severity":"error","code":"invalid","diagnostics":"Marlowe (999 012 3454, 01632 960123) is not known","details":{"text":"Persephone Marlowe"}}]}"#,
    );
    let broken = exchange(
        "POST",
        "https://p.test/Appointment",
        &appointment_json()[..700],
        400,
    );
    let escaped = exchange(
        "POST",
        "https://p.test/x",
        r#"{"9990123454":"\u0039\u0039\u00390123454","n":9990123454}"#,
        400,
    );
    let findings = vec![
        Finding::error(&["P26"], "The answer names Marlowe, 9990123454")
            .at("Appointment for Persephone")
            .in_exchange(0),
    ];
    let mut run = Run::started(Kind::Provider, "https://u:hunter2@p.test/STU3/1/FX101");
    let mut cda = exchange("POST", "https://p.test/itk", CDA, 200);
    cda.purpose = "send the referral of Marlowe".into();
    run.outcomes.push(Outcome::tried(
        "BOOK",
        "Books",
        &["P26"],
        findings,
        vec![json, search, broken, escaped, cda],
    ));
    run
}

const CDA: &str = r#"<?xml version="1.0"?><!-- about Marlowe --><ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><patientRole><id root="2.16.840.1.113883.2.1.4.1" extension="9990123454"/><id root="1.2.3" extension="LOCAL-77"/><addr><streetAddressLine>12 Nowhere Lane</streetAddressLine><postalCode>ZZ99 3WZ</postalCode></addr><telecom value="tel:07700900123"/><patient><name>before<![CDATA[Persephone Marlowe]]></name><birthTime value="19800229"/></patient></patientRole></recordTarget><component><text>Mrs <content>Marlowe</content> fell at ZZ99 3WZ</text></component></ClinicalDocument>"#;

#[test]
fn nothing_that_identifies_a_patient_and_no_token_is_left() {
    let place = tempfile::tempdir().unwrap();
    let plain = place.path().join("plain");
    Folder::create(&plain).unwrap().finish(vec![run()]).unwrap();
    let all = everything(&plain);
    for secret in SECRETS {
        assert!(all.contains(secret), "the fixture has to hold {secret}");
    }

    let out = place.path().join("redacted");
    let mut folder = Folder::create(&out).unwrap().redacting(Redaction::On);
    let run = run();
    folder.keep(Kind::Provider, &run.outcomes[0]).unwrap();
    let early = everything(&out);
    folder.finish(vec![run]).unwrap();
    let whole = everything(&out);
    for secret in SECRETS {
        assert!(!early.contains(secret), "kept early: {secret}");
        assert!(!whole.contains(secret), "{secret}");
    }
    assert!(read(&out).unwrap().redacted);
}

#[test]
fn what_the_evidence_needs_is_still_there() {
    let runs = Redaction::On.apply(vec![run()]);
    let exchanges = &runs[0].outcomes[0].exchanges;
    let body: serde_json::Value =
        serde_json::from_slice(exchanges[0].request_body.bytes()).unwrap();
    assert_eq!(body["resourceType"], "Appointment");
    assert_eq!(body["status"], "booked");
    assert_eq!(body["start"], "2030-01-01T09:00:00+00:00");
    assert_eq!(body["contained"][0]["resourceType"], "Patient");
    assert_eq!(body["contained"][0]["telecom"][0]["rank"], 1);
    assert_eq!(body["contained"][0]["telecom"][0]["system"], "phone");
    assert_eq!(body["contained"][1]["id"], "slot1");
    assert_eq!(
        exchanges[0].request_header("authorization"),
        Some("Bearer [token removed]")
    );
    assert_eq!(
        exchanges[0].request_header("Ssp-From"),
        Some("918999000099")
    );
    let xml = exchanges[0].response_body.text().unwrap();
    assert!(booking::bounded_xml::parse(xml, booking::bounded_xml::Bounds::nodes(100_000)).is_ok());
    assert!(xml.contains("<status value=\"booked\"/>"));
    let outcome = exchanges[1].response_body.text().unwrap();
    assert!(outcome.contains("is not known"), "{outcome}");
}

#[test]
fn a_place_keeps_its_name_and_address() {
    let place = r#"{"resourceType":"Location","id":"l1","name":"Fernhill UTC","address":{"line":["1 High Street"],"city":"Fernhill"},"telecom":[{"system":"phone","value":"01632960000"}]}"#;
    let mut run = Run::started(Kind::Provider, "https://p.test");
    let exchange = exchange("GET", "https://p.test/Slot", place, 200);
    run.outcomes
        .push(Outcome::tried("S", "S", &[], Vec::new(), vec![exchange]));
    let runs = Redaction::On.apply(vec![run]);
    assert_eq!(
        runs[0].outcomes[0].exchanges[0].request_body.text(),
        Some(place)
    );
}

#[test]
fn a_body_that_cannot_be_read_goes_whole_if_it_may_be_about_a_person() {
    let mut run = Run::started(Kind::Provider, "https://p.test");
    let exchanges = vec![
        exchange(
            "POST",
            "https://p.test/a",
            r#"{"family":"Quillfeather"#,
            400,
        ),
        exchange(
            "POST",
            "https://p.test/b",
            "<html><body>Bad gateway<br></body></html>",
            502,
        ),
    ];
    run.outcomes
        .push(Outcome::tried("S", "S", &[], Vec::new(), exchanges));
    let runs = Redaction::On.apply(vec![run]);
    let bodies: Vec<_> = runs[0].outcomes[0]
        .exchanges
        .iter()
        .map(|e| e.request_body.text().unwrap())
        .collect();
    assert!(!bodies[0].contains("Quill"));
    assert!(bodies[0].contains("23 bytes removed"), "{}", bodies[0]);
    assert!(bodies[1].contains("Bad gateway"));
}

#[test]
fn a_message_cut_anywhere_gives_nothing_away() {
    for whole in [appointment_json(), appointment_xml(), CDA.to_owned()] {
        let ends = (1..whole.len()).filter(|end| whole.is_char_boundary(*end));
        let exchanges = ends
            .map(|end| exchange("POST", "https://p.test/x", &whole[..end], 400))
            .collect();
        let mut run = Run::started(Kind::Provider, "https://p.test");
        run.outcomes
            .push(Outcome::tried("CUT", "Cut", &[], Vec::new(), exchanges));
        let runs = Redaction::On.apply(vec![run]);
        for exchange in &runs[0].outcomes[0].exchanges {
            let text = exchange.request_body.text().unwrap();
            for secret in SECRETS {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
}

#[test]
fn bodies_made_to_be_slow_are_redacted_in_proportion_to_their_length() {
    const LENGTH: usize = 1 << 20;
    let rows = [
        "A",
        "0 ",
        "0",
        "eyJ.",
        "eyJ ",
        "999 ",
        "9990123454 ",
        "[",
        "{\"a\":",
        "<a>",
        "%39",
        "\"\\u0039",
    ];
    const PIECES: usize = 512;
    let redacted = |row: &str, length: usize| {
        let body = row.repeat(length / row.len());
        let exchanges = vec![exchange("POST", "https://p.test/x", &body, 400)];
        let mut run = Run::started(Kind::Provider, "https://p.test");
        run.outcomes
            .push(Outcome::tried("SLOW", "Slow", &[], Vec::new(), exchanges));
        let runs = Redaction::On.apply(vec![run]);
        let body = &runs[0].outcomes[0].exchanges[0].request_body;
        assert!(!body.text().unwrap().contains("9990123454"));
    };
    for row in rows {
        // The same in small pieces.
        let usual = || (0..PIECES).for_each(|_| redacted(row, LENGTH / PIECES));
        testkit::in_proportion(row, usual, || redacted(row, LENGTH));
    }
}
