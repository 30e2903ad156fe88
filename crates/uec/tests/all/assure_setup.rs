//! The set-up of a run and what it tells about itself: a wrong set-up ends it with one sentence, what the published
//! test kit lets pass is no failure, a fault is told once, and all counts agree.

use super::assured;
use super::assured::{PYTHON, Python, assure, is_clean};
use super::support::operations::uec;
use assurance::evidence::{self, Outcome, Run, Severity, Verdict};
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::{Arguments, Ended, assert_contains, words};

const PATIENCE: Duration = Duration::from_secs(20);
/// Live bookings that a Provider which cancels nothing may be left with: three stop the booking, and the test that
/// runs then may have booked a few more.
const MOST_LEFT: usize = 6;

fn odd(name: &str, tests: &[&str]) -> Run {
    let python = Python::start(&["--fault", name]);
    assured::run(&assured::target(&python.root, PYTHON, PATIENCE), tests)
}

fn outcome<'r>(run: &'r Run, id: &str) -> &'r Outcome {
    let mut all = run.outcomes.iter();
    all.find(|o| o.id == id).expect("the outcome")
}

/// Proves: P8, P10
#[test]
fn a_wrong_set_up_is_one_sentence_and_no_finding() {
    if !assured::has_python() {
        return;
    }
    let python = Python::start(&[]);
    let forbidden = Python::start(&["--fault", "booking-forbidden"]);
    let down = Python::start(&["--fault", "unavailable"]);
    let [full, empty, bare] = PYTHON;
    let elsewhere = &["--audience", "https://elsewhere.example/STU3"][..];
    let mistaken = format!("{}x", python.root);
    let (root, barred, down) = (&*python.root, &*forbidden.root, &*down.root);
    // What is wrong, the root, the services, more options; the exit code and the words.
    type Case<'c> = (
        &'c str,
        &'c str,
        [&'c str; 3],
        &'c [&'c str],
        i32,
        &'c [&'c str],
    );
    #[rustfmt::skip] // a set-up a line
    let cases: [Case<'_>; 9] = [
        ("nobody", "http://127.0.0.1:1/STU3/1/FX1", PYTHON, &[], 2, &["nothing listens", "--endpoint"]),
        ("root", &mistaken, PYTHON, &[], 2, &["no booking API", "--endpoint"]),
        ("service", root, ["2000009999", empty, bare], &[], 2, &["does not know the service 2000009999", "--service "]),
        ("rights", root, PYTHON, elsewhere, 1, &["refuses this consumer (403", "--audience"]),
        ("slots", root, [empty, empty, bare], &[], 1, &["no free slot", "--service "]),
        ("full", root, [full, full, bare], &[], 2, &["has free slots", "--service-empty"]),
        ("bare", root, [full, empty, empty], &[], 1, &["no free slot", "--service-slots-only"]),
        ("booking", barred, PYTHON, &[], 1, &["does not let this consumer book (403", "right to book"]),
        ("down", down, PYTHON, &[], 1, &["does not serve now", "503", "run again"]),
    ];
    for (name, root, services, more, code, words) in cases {
        let out = assured::kept(&format!("setup-{name}"));
        let _ = fs::remove_dir_all(&out);
        let ended = Ended::run(&mut assure(root, services, &out, more)).with(code);
        assured::is_one_sentence(&ended, words);
        assert!(!out.exists(), "{name}: a folder for evidence is left");
    }
    // Who tries no booking needs no right to it.
    let target = assured::target(&forbidden.root, PYTHON, PATIENCE);
    let run = assured::run(&target, &["SFFSWithNoIncludes"]);
    assert_eq!(outcome(&run, "SFFSWithNoIncludes").verdict, Verdict::Passed);
}

/// A Provider that answers 200 and cancels nothing: it is told, once, and nothing more is booked.
///
/// Proves: P31, PROV-CAN-05
#[test]
fn who_does_not_cancel_is_left_with_few_bookings_and_told_so() {
    if !assured::has_python() {
        return;
    }
    for fault in ["cancel-not-done", "cancel-only-said"] {
        let run = odd(fault, &["BookAppointment_*", "Cancel*", "Read_*"]);
        let last = outcome(&run, "NothingLeftBehind");
        let left = evidence::errors(last).count();
        assert_eq!(last.verdict, Verdict::Failed, "{fault}");
        assert!((3..=MOST_LEFT).contains(&left), "{fault}: {left} left");
        let stopped = |o: &&Outcome| {
            o.verdict
                .why()
                .is_some_and(|why| why.contains("nothing more is booked"))
        };
        assert!(run.outcomes.iter().filter(stopped).count() > 10, "{fault}");
    }
}

/// Proves: PROV-CAN-05
#[test]
fn a_cause_that_many_tests_meet_is_told_once() {
    if !assured::has_python() {
        return;
    }
    let tests = [
        "Token_*",
        "BookAppointment_Forbidden",
        "CancelAppointment_Forbidden",
    ];
    let run = odd("token-401", &tests);
    let failed = run.counts().failed;
    let runs = [run];
    let causes = evidence::causes(&runs);
    assert!(failed > 5, "{failed} failed");
    assert!(
        causes.len() * 2 <= failed,
        "{} causes of {failed} failures",
        causes.len()
    );
    let told: usize = causes.iter().map(|c| c.tests.len()).sum();
    assert!(told >= failed, "every failed test is named");
}

/// Proves: PROV-SLOT-20
#[test]
fn pages_are_followed_and_no_test_is_skipped_for_want_of_slots() {
    if !assured::has_python() {
        return;
    }
    let run = odd(
        "paged",
        &[
            "SFFS*",
            "Slots_*",
            "BookAppointment_*",
            "CancelAppointment_*",
            "Race_*",
        ],
    );
    is_clean(&run, &["EveryAnswer_StrictTransportSecurity"]);
}

/// Proves: PROV-SLOT-12
#[test]
fn what_the_test_kit_lets_pass_fails_no_test() {
    if !assured::has_python() {
        return;
    }
    let kit = [
        "Capability_xml*",
        "Capability_json*",
        "SFFS*",
        "BookAppointment_*",
        "ReadNonExistentAppointment",
        "CancelAppointment_*",
    ];
    for oddity in ["search-mode-missing", "accept-demanded"] {
        let run = odd(oddity, &kit);
        let hard: Vec<String> = assured::serious(&run)
            .iter()
            .filter(|(_, f)| f.severity > Severity::Advice)
            .map(assured::line)
            .collect();
        assert!(hard.is_empty(), "{oddity}:\n{}", hard.join("\n"));
        let advised = run.outcomes.iter().flat_map(|o| &o.findings);
        let advised = advised.filter(|f| f.severity == Severity::Advice).count();
        assert_eq!(
            advised > 0,
            oddity == "search-mode-missing",
            "{oddity}: {advised}"
        );
    }
}

fn report(folder: &Path, more: impl Arguments) -> Ended {
    let folder = folder.display().to_string();
    let report = [words("assure report"), vec![folder], more.words()];
    uec(report.concat())
}

/// The numbers of a run in the JSON of the command, its headline, the evidence, JUnit, the page and the exit code.
///
/// Proves: ASR-06
#[test]
fn product_and_counts_are_the_same_everywhere() {
    if !assured::has_python() {
        return;
    }
    let python = Python::start(&["--fault", "cacheable"]);
    let out = assured::kept("setup-counts");
    let named = [
        "--product",
        "Tansy <Booking>",
        "--version",
        "3.1",
        "--supplier",
        "Tansy Ltd",
        "--tester",
        "A. Tester",
        "--test",
        "Capability_json_accept",
        "--test",
        "Slots_UnknownService",
        "--json",
    ];
    let output = Ended::run(&mut assure(&python.root, PYTHON, &out, &named)).with(1);
    let told = &output.json;
    let counts = |name: &str| told["counts"][name].as_u64().expect("a number");
    let all = told["tests"].as_array().expect("tests").len() as u64;
    let (passed, failed, skipped) = (counts("passed"), counts("failed"), counts("skipped"));
    assert_eq!(passed + failed + skipped + counts("declared"), all);
    assert_eq!(failed, 1);
    assert_eq!(told["causes"].as_array().expect("causes").len(), 1);
    assert!(output.said().ends_with("uec: 1 test failed\n"), "{output}");

    let run = &evidence::read(&out).expect("evidence").runs[0];
    let headline = run.headline();
    assert_eq!(
        headline,
        format!("{all} tests: {passed} passed, 1 failed, {skipped} skipped, 0 to declare")
    );
    assert_eq!(run.about.name().as_deref(), Some("Tansy <Booking> 3.1"));
    let read = |name: &str| fs::read_to_string(out.join(name)).expect("a file of the evidence");
    let junit = read("junit.xml");
    assert_contains(
        &junit,
        &[
            &format!("tests=\"{all}\" failures=\"1\""),
            "name=\"tester\" value=\"A. Tester\"",
        ],
    );
    let page = read("report.html");
    assert_contains(
        &page,
        &[
            "Assurance report: Tansy &lt;Booking&gt; 3.1 (Provider)",
            "Tansy Ltd",
            "A. Tester",
            &headline,
        ],
    );
    assert!(page.contains("tests that were run failed, from one cause."));

    let summary = report(&out, "").stdout;
    assert_contains(&summary, &[&headline, "Tansy <Booking> 3.1"]);

    // The numbers that are shown while the tests run count to the same end.
    let output = Ended::run(&mut assure(
        &python.root,
        PYTHON,
        &out,
        &named[..named.len() - 1],
    ));
    output.says(&[&format!("[{all}/{all}] Passed   NothingLeftBehind")]);
    assert!(output.stdout.contains(&headline));
}

/// An empty value, as of a variable that was not set, is wrong usage: it is neither everything nor nothing.
#[test]
fn an_empty_choice_is_wrong_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run").display().to_string();
    uec(format!("assure plan new utc --out '{run}'")).with(0);
    let cases: [&str; 13] = [
        "provider --list --suite ''",
        "provider --list --suite ' '",
        "provider --list --suite A,",
        "provider --list --test ''",
        "provider --list --audience ''",
        "consumer --list --scenario ''",
        "consumer --list --root ''",
        "consumer --list --listen ''",
        "plan new utc --out no-such/x --title ''",
        &format!("plan run '{run}' --by ''"),
        &format!("plan run '{run}' --approved-by ''"),
        &format!("plan record '{run}' OPS-C5 --result passed --by ' '"),
        &format!("plan sign '{run}' --by Ada --role dos-lead --organisation ''"),
    ];
    for arguments in cases {
        let ended = uec(format!("assure {arguments}")).with(2);
        ended.notes(&["it is empty"]);
    }
}
