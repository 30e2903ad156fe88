//! `uec assure report` as a person runs it: merge, table, redaction, and what it refuses.

use super::support::operations::uec;
use assurance::evidence::{Body, Exchange, Finding, Folder, Kind, Outcome, Run, read};
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::{Arguments, Ended, assert_contains, assert_lacks, words};

fn report(arguments: impl Arguments) -> Ended {
    uec([words("assure report"), arguments.words()].concat())
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

    let first = report([&at("first")]).with(0).stdout;
    assert_contains(&first, &["0 passed, 1 failed", "BookAppointment_HappyPath"]);
    assert_lacks(&first, &["\u{1b}"]);

    let (first, second, all) = (at("first"), at("second"), at("all"));
    let table = at("table");
    let arguments = format!("'{second}' '{first}' --redact --scal '{table}' --out '{all}'");
    let both = report(&arguments);
    assert_contains(
        &both.with(0).stdout,
        &["1 passed, 0 failed", "replaced by newer ones: 1"],
    );
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
    report(&arguments).with(2).notes(&["--replace"]);
    report(format!("{arguments} --replace")).with(0);
    report(format!("'{all}' --out '{all}' --replace")).with(2);
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
    let summary = report(format!("'{}' --json", folder.display())).json;
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
    let empty = report(&[place.path().to_string_lossy()]);
    empty.with(1).notes(&["result.json"]);
    report("").with(2);
}
