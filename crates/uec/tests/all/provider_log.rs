//! What the server writes to its log and its audit trail, seen from outside.

use std::process::Command;

use serde_json::json;

use super::support::operations::{serves, until};
use super::support::{CONSUMER_ASID, Call, Server, uuid};

/// The lines of the log that hold this word.
#[track_caller]
fn lines_with(word: &str) -> String {
    // Lines may be written a little after the answer.
    testkit::found(&format!("a line of the log holds {word}"), || {
        let log = Server::shared(module_path!()).log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(word)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    })
}

fn trace_of(call: &Call) -> String {
    let trace = call.headers.iter().find(|(name, _)| name == "Ssp-TraceID");
    trace.expect("a trace id").1.clone()
}

/// Proves: PROV-ERR-03, AUD-04, AUD-05, AUD-06, DAT-08, PROV-HDR-02, P35
#[test]
fn a_malformed_request_is_logged_as_a_fault_of_the_consumer() {
    let server = Server::shared(module_path!());
    let call = server
        .book(&json!({}))
        .body("{")
        .with("X-Request-ID", &uuid());
    let response = call.expect(400);
    let lines = lines_with(&trace_of(&call));
    let outcome = response.json()["id"]
        .as_str()
        .expect("id of the outcome")
        .to_owned();
    let own = response
        .header("x-request-id")
        .expect("X-Request-ID")
        .to_owned();
    for word in [
        CONSUMER_ASID,
        "FX900",
        call.request_id().expect("id"),
        &own,
        &outcome,
        "ERR-04",
    ] {
        assert!(lines.contains(word), "{word} in\n{lines}");
    }
    assert!(
        lines.to_lowercase().contains("consumer"),
        "whose fault it is, in\n{lines}"
    );
}

/// Proves: PROV-SLOT-24, AUD-04, AUD-05
#[test]
fn a_search_is_logged_with_its_caller() {
    let server = Server::shared(module_path!());
    let call = server.plain_search().with("X-Request-ID", &uuid());
    let response = call.expect(200);
    let lines = lines_with(&trace_of(&call));
    let own = response.header("x-request-id").expect("X-Request-ID");
    for word in [
        CONSUMER_ASID,
        "FX900",
        call.request_id().expect("id"),
        own,
        "200",
    ] {
        assert!(lines.contains(word), "{word} in\n{lines}");
    }
}

/// Proves: PROV-ERR-04, NFR-11
#[test]
fn patients_are_not_in_the_log() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let number = booking.nhs_number.clone().expect("a number");
    server.cancelling(&booking, &created).expect(200);
    let faulty = server.booking().with("/patient/gender", json!("Testwell"));
    server.book(&faulty.body()).expect(422);
    let wrong = server
        .booking()
        .with("/patient/identifier/0/value", json!("9990000000"));
    server.book(&wrong.body()).expect(422);
    server.appointments_of(&booking).expect(200);
    let last = server.read(&uuid());
    last.expect(404);
    lines_with(&trace_of(&last));
    let log = server.log();
    for secret in [
        number.as_str(),
        "9990000000",
        "Testwell",
        "1979-03-12",
        "01632 960123",
        "LS99",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Proves: AUD-04, AUD-05, NFR-04, NFR-11
#[test]
fn json_lines_say_what_belongs_together_and_no_more() {
    let server = Server::spawn("log-json", true, |_| {
        vec!["--log-format".to_owned(), "json".to_owned()]
    });
    server.wait_until(|s| serves(s.address, "/health/ready"));
    let booking = server.booking();
    let call = server.book(&booking.body());
    let created = call.expect(201);
    let refused = server.read(&uuid());
    refused.expect(404);
    let find = |trace: &str, message: &str| {
        server.log().lines().find_map(|line| {
            let json: serde_json::Value = serde_json::from_str(line).ok()?;
            (json["trace"] == trace && json["message"] == message).then_some(json)
        })
    };
    until("both are logged", || {
        find(&trace_of(&refused), "request").is_some()
    });
    let line = find(&trace_of(&call), "request").expect("a line");
    for (key, value) in [
        ("level", "INFO"),
        ("interaction", "book"),
        ("tenant", "FX101"),
        ("asid", CONSUMER_ASID),
        ("request", call.request_id().expect("an id")),
        ("id", created.header("x-request-id").expect("an id")),
    ] {
        assert_eq!(line[key], value, "{key} of {line}");
    }
    assert_eq!(line["status"], 201);
    assert!(line["micros"].as_u64().is_some_and(|n| n > 0));
    assert!(line["timestamp"].is_string());
    let line = find(&trace_of(&refused), "refused").expect("a line");
    assert_eq!(
        (&line["error"], &line["interaction"]),
        (&json!("ERR-09"), &json!("read"))
    );
    let log = server.log();
    let words = log
        .lines()
        .filter(|line| !line.starts_with("Provider ready"));
    for line in words {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "not JSON: {line}"
        );
    }
    let number = booking.nhs_number.clone().expect("a number");
    for secret in [
        number.as_str(),
        "Testwell",
        "1979-03-12",
        "LS99",
        &created.location_id(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    server.kill();
}

/// Proves: AUD-01
#[test]
fn the_audit_trail_can_be_verified_while_the_server_runs() {
    let server = Server::shared(module_path!());
    server.booked();
    let output = Command::new(env!("CARGO_BIN_EXE_uec"))
        .args([
            "provider",
            "audit",
            "verify",
            "--database",
            &server.database(),
        ])
        .output()
        .expect("uec runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("FX101"), "{said}");
}
