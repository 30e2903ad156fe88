//! The folder: what is written is read again, old evidence is not mixed with new, runs are merged.

use super::evidence_fixture::{appointment_json, exchange};
use assurance::evidence::{
    Body, Counts, Exchange, Finding, Folder, FolderError, Kind, Outcome, Run, Verdict, merge, read,
};
use std::fs;
use std::time::Duration;

fn run() -> Run {
    let mut binary = exchange("POST", "https://p.test/x", "", 200);
    binary.response_body = Body::new(vec![0xff, 0xfe, 0x00]).was_coded("gzip", 21);
    let mut silent = exchange("GET", "https://p.test/x", "", 200);
    (silent.status, silent.broken) = (None, Some("no answer in 30 s".into()));
    let mut long = exchange("GET", "https://p.test/x", "", 200);
    long.response_body = Body::part("start of it é".as_bytes()[..13].to_vec(), 100_000_000);
    let mut run = Run::started(Kind::Provider, "https://p.test/STU3/1/FX101");
    let findings = vec![
        Finding::error(&["P26", "PROV-HDR-15"], "No Location")
            .at("header Location")
            .right("an address")
            .in_exchange(0),
    ];
    run.outcomes = vec![
        Outcome::tried(
            "BOOK/../../1",
            "Books",
            &["P26"],
            findings,
            vec![
                exchange(
                    "POST",
                    "https://p.test/Appointment",
                    &appointment_json(),
                    201,
                ),
                binary,
            ],
        ),
        Outcome::tried(
            "READ",
            "Reads",
            &["P31"],
            vec![Finding::warning(&["P31"], "Slow")],
            vec![silent, long],
        ),
        Outcome {
            verdict: Verdict::Skipped("no second service".into()),
            ..Outcome::tried("EMPTY", "None", &["P10"], vec![], vec![])
        },
        Outcome {
            verdict: Verdict::Declared("screens".into()),
            ..Outcome::tried("SCREENS", "Shows", &["P25"], vec![], vec![])
        },
    ];
    run
}

#[test]
fn what_is_written_is_read_again() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("deep/evidence");
    let written = Folder::create(&out).unwrap().finish(vec![run()]).unwrap();
    let record = read(&out).unwrap();
    let wanted = run();
    assert_eq!(record.runs.len(), 1);
    for (read, wanted) in record.runs[0].outcomes.iter().zip(&wanted.outcomes) {
        let same_time = |e: &Exchange| Exchange {
            at: jiff::Timestamp::UNIX_EPOCH,
            ..e.clone()
        };
        assert_eq!(
            (&read.id, &read.verdict, &read.findings),
            (&wanted.id, &wanted.verdict, &wanted.findings)
        );
        assert!(
            read.exchanges
                .iter()
                .map(same_time)
                .eq(wanted.exchanges.iter().map(same_time))
        );
    }
    assert_eq!(
        record.runs[0].counts(),
        Counts {
            passed: 1,
            failed: 1,
            skipped: 1,
            declared: 1
        }
    );
    assert_eq!(
        record.runs[0].outcomes[0].exchanges[0].took,
        Duration::from_micros(12_345)
    );

    // Every message is a file inside the folder, whatever the test is called.
    let folder = out.join("messages/1-provider/0001-BOOK-------1");
    let request = fs::read_to_string(folder.join("001-request.txt")).unwrap();
    assert!(request.starts_with("POST https://p.test/Appointment\n"));
    assert!(request.ends_with(&appointment_json()));
    assert_eq!(
        fs::read(folder.join("002-response-body.bin")).unwrap(),
        [0xff, 0xfe, 0x00]
    );
    let cut =
        fs::read_to_string(out.join("messages/1-provider/0002-READ/002-response.txt")).unwrap();
    assert!(
        cut.contains("first 13 of 100000000 bytes kept") && cut.ends_with("start of it "),
        "{cut}"
    );
    assert_eq!(written.messages, 9);
    assert!(!fs::read_to_string(&written.result).unwrap().is_empty());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&out).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}

#[test]
fn a_header_cannot_forge_another_line() {
    let mut forged = exchange("GET", "https://p.test/x", "", 200);
    forged
        .response_headers
        .push(("X".into(), "a\r\nStatus: 500\n\nbody".into()));
    let mut run = run();
    run.outcomes[0].exchanges = vec![forged];
    let place = tempfile::tempdir().unwrap();
    Folder::create(place.path())
        .unwrap()
        .finish(vec![run])
        .unwrap();
    let text = fs::read_to_string(
        place
            .path()
            .join("messages/1-provider/0001-BOOK-------1/001-response.txt"),
    )
    .unwrap();
    assert!(text.lines().all(|line| !line.starts_with("Status:")));
}

#[test]
fn evidence_is_never_mixed_with_other_files() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("e");
    Folder::create(&out).unwrap().finish(vec![run()]).unwrap();
    assert!(matches!(
        Folder::create(&out),
        Err(FolderError::NotEmpty(_))
    ));
    let mut empty = run();
    empty.outcomes.clear();
    Folder::replace(&out).unwrap().finish(vec![empty]).unwrap();
    assert!(!out.join("messages").exists());
    fs::write(out.join("letters.txt"), "mine").unwrap();
    assert!(matches!(
        Folder::replace(&out),
        Err(FolderError::NotOurs { .. })
    ));
    assert!(
        out.join("result.json").exists(),
        "nothing may be deleted beside a stranger's file"
    );
}

#[test]
fn a_damaged_or_foreign_result_is_named() {
    let place = tempfile::tempdir().unwrap();
    assert!(matches!(read(place.path()), Err(FolderError::Io { .. })));
    for text in [
        "",
        "{}",
        "[1]",
        r#"{"format":"other/9","redacted":false,"runs":[]}"#,
    ] {
        fs::write(place.path().join("result.json"), text).unwrap();
        let error = read(place.path()).unwrap_err();
        assert!(error.to_string().contains("result.json"), "{error}");
    }
}

#[test]
fn a_newer_result_of_a_test_replaces_the_older_and_the_record_says_so() {
    let first = run();
    let mut second = run();
    second.started = first.started + Duration::from_secs(60);
    second.finished = second.started;
    second.outcomes.truncate(1);
    second.outcomes[0].verdict = Verdict::Passed;
    second
        .outcomes
        .push(Outcome::tried("NEW", "New", &["P1"], vec![], vec![]));
    let mut other = run();
    other.target = "https://elsewhere.test".into();
    // The order in which the folders are named does not matter.
    let (runs, replaced) = merge(vec![second, other, first]);
    assert_eq!(runs.len(), 2);
    let merged = runs
        .iter()
        .find(|run| run.target.contains("p.test"))
        .unwrap();
    let ids: Vec<&str> = merged.outcomes.iter().map(|o| o.id.as_ref()).collect();
    assert_eq!(ids, ["BOOK/../../1", "READ", "EMPTY", "SCREENS", "NEW"]);
    assert_eq!(merged.outcomes[0].verdict, Verdict::Passed);
    assert_eq!(replaced.len(), 1);
    assert_eq!(
        (replaced[0].test.as_str(), replaced[0].verdict.as_str()),
        ("BOOK/../../1", "Failed")
    );
}
