//! `uec assure report` as a person runs it: merge, table, redaction, and what it refuses.

use assurance::evidence::{Body, Exchange, Finding, Folder, Kind, Outcome, Run, read};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_uec"))
        .args(["assure", "report"])
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Evidence of a run whose booking test ended so.
fn evidence(folder: &Path, later: Duration, findings: Vec<Finding>) {
    let sent = vec![("Authorization".to_owned(), "Bearer eyJh.eyJz.".to_owned())];
    let body = r#"{"resourceType":"Patient","name":[{"family":"Marlowe"}]}"#;
    let exchange = Exchange::sent("POST", "https://p.test/Appointment", sent, Body::new(body));
    let mut run = Run::started(Kind::Provider, "https://p.test/STU3/1/FX101");
    run.started += later;
    run.finished = run.started;
    run.outcomes = vec![Outcome::tried(
        "BookAppointment_HappyPath",
        "Books\u{1b}[2J a free slot",
        &["P26"],
        findings,
        vec![exchange],
    )];
    Folder::create(folder).unwrap().finish(vec![run]).unwrap();
}

/// Proves: ASR-06
#[test]
fn runs_are_merged_redacted_and_put_into_the_table() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let finding = Finding::error(&["P26"], "No Location").at("header Location");
    evidence(Path::new(&at("first")), Duration::ZERO, vec![finding]);
    evidence(Path::new(&at("second")), Duration::from_secs(60), vec![]);

    let first = report(&[&at("first")]);
    assert!(first.status.success());
    let shown = text(&first.stdout);
    assert!(shown.contains("0 passed, 1 failed"), "{shown}");
    assert!(
        shown.contains("BookAppointment_HappyPath") && !shown.contains('\u{1b}'),
        "{shown}"
    );

    let arguments = [
        &at("second"),
        &at("first"),
        "--redact",
        "--scal",
        &at("table"),
        "--out",
        &at("all"),
    ]
    .map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let both = report(&arguments);
    assert!(both.status.success(), "{}", text(&both.stderr));
    let shown = text(&both.stdout);
    assert!(shown.contains("1 passed, 0 failed"), "{shown}");
    assert!(shown.contains("replaced by newer ones: 1"), "{shown}");
    let table = fs::read_to_string(at("table.csv")).unwrap();
    assert!(table.contains("\"P26\",\"MUST\",\"Passed\""), "{table}");
    assert!(
        fs::read_to_string(at("table.html"))
            .unwrap()
            .contains("SCAL table")
    );
    let result = fs::read_to_string(at("all/result.json")).unwrap();
    assert!(!result.contains("Marlowe") && !result.contains("eyJ"));
    assert!(read(Path::new(&at("all"))).unwrap().redacted);

    // Again: only when told so, and never over what is being read.
    let again = report(&arguments);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        text(&again.stderr).contains("--replace"),
        "{}",
        text(&again.stderr)
    );
    assert!(
        report(&[&arguments[..], &["--replace"]].concat())
            .status
            .success()
    );
    let over = report(&[&at("all"), "--out", &at("all"), "--replace"]);
    assert_eq!(over.status.code(), Some(2));
    assert!(Path::new(&at("all/result.json")).exists());
}

#[test]
fn the_summary_is_json_when_asked() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("e");
    evidence(
        &folder,
        Duration::ZERO,
        vec![Finding::error(&["P26"], "No Location")],
    );
    let output = report(&[&folder.to_string_lossy(), "--json"]);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["runs"][0]["counts"]["failed"], 1);
    assert_eq!(summary["runs"][0]["failed"][0], "BookAppointment_HappyPath");
    let rows = summary["scal"].as_array().unwrap();
    assert!(
        rows.iter()
            .any(|row| row["requirement"] == "P26" && row["verdict"] == "failed")
    );
}

#[test]
fn a_folder_without_evidence_is_named() {
    let place = tempfile::tempdir().unwrap();
    let output = report(&[&place.path().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("result.json"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(report(&[]).status.code(), Some(2));
}
