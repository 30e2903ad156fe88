//! `uec assure consumer` against a consumer that shares no code with us, written in Python: the right one gets no
//! finding, and each of its mistakes one that names the right requirement.

#[path = "wrong/consumer_cases.rs"]
mod cases;
#[path = "wrong/national.rs"]
mod national;
#[path = "wrong/python.rs"]
mod python;

use super::support::operations::{Demo, command};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assurance::consumer_suite::{PROVIDER_ASID, Settings, Simulator, scenarios};
use assurance::evidence::{Finding, Mark, Run, Severity, Verdict};
use booking::ids::Asid;
use cases::{CASES, Case, Weight};
use national::{FROM_ASID, Simulated, way_to};
use python::Python;
use testkit::{Running, assert_contains};

/// Walks at once. Most of a walk is waiting: for Python to start, for answers that never come.
const WORKERS: usize = 6;
/// Rules that the right consumer gives no occasion to judge: it sends no third party, repeats nothing that was refused.
const MAX_UNTRIED: usize = 4;
/// Longer than the consumer waits, which is what ends an answer that never comes.
const SILENCE: Duration = Duration::from_secs(30);

/// Every mistake that the consumer can make is in the table, and no other.
#[test]
fn every_mistake_has_its_row() {
    let Some(python) = Python::found() else {
        return;
    };
    let rows: BTreeSet<String> = CASES.iter().map(|c| c.fault.to_owned()).collect();
    assert_eq!(rows, python.mistakes());
    assert_eq!(rows.len(), CASES.len(), "a mistake has two rows");
}

/// Errors and warnings of a run.
fn findings(run: &Run) -> Vec<&Finding> {
    let all = run.outcomes.iter().flat_map(|o| &o.findings);
    all.filter(|f| f.severity > Severity::Note).collect()
}

fn told_all(findings: &[&Finding]) -> String {
    let line = |f: &&Finding| {
        format!(
            "  {:?} {:?} {} ({})",
            f.severity, f.requirement, f.what, f.where_
        )
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Walks over a simulator in this process, which plays the SSP too.
fn walk_alone(python: &Python, runtime: &tokio::runtime::Runtime, case: &Case) -> (Run, String) {
    let _inside = runtime.enter();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let ssp = format!("http://{}", listener.local_addr().unwrap());
    let settings = Settings {
        from: Some(Asid::parse(FROM_ASID).unwrap()),
        through_ssp: true,
        silence: SILENCE,
        ..Settings::default()
    };
    let simulator = Simulator::start(listener, settings).unwrap();
    let way = [
        ("--ssp", ssp.as_str()),
        ("--direct", simulator.root()),
        ("--to-asid", PROVIDER_ASID),
        ("--from-asid", FROM_ASID),
        ("--patience", cases::patience(case.walk)),
        ("--pause", "0.2"),
    ];
    let way: Vec<String> = way
        .iter()
        .flat_map(|(n, v)| [n.to_string(), v.to_string()])
        .collect();
    let fault = Some(case.fault).filter(|f| !f.is_empty());
    let told = python.walk(&way, case.walk, fault);
    (simulator.finish(), told)
}

/// What is wrong with the judgement of a mistake; nothing if it was found.
fn judged(case: &Case, run: &Run, said: &str) -> Option<String> {
    let found = findings(run);
    let all: Vec<&Finding> = run.outcomes.iter().flat_map(|o| &o.findings).collect();
    let (least, most) = match case.weight {
        Weight::Fault => (Severity::Error, Severity::Error),
        Weight::Should => (Severity::Warning, Severity::Error),
        Weight::Advice => (Severity::Advice, Severity::Advice),
        Weight::Remark => (Severity::Note, Severity::Note),
    };
    if let Some(worse) = all.iter().find(|f| f.severity > most) {
        return Some(format!(
            "{}: judged too hard: {}",
            case.fault,
            told_all(&[worse])
        ));
    }
    let named =
        |f: &&&Finding| f.severity >= least && f.requirement.iter().any(|r| r == case.requirement);
    match all.iter().find(named) {
        Some(finding) if finding.right.is_empty() => Some(format!(
            "{}: the finding does not say what would be right",
            case.fault
        )),
        Some(_) => None,
        None => Some(format!(
            "{}: no finding names {}; found:\n{}\nthe consumer said:\n{said}",
            case.fault,
            case.requirement,
            told_all(&found)
        )),
    }
}

/// Runs over the cases with several threads, and gives what they complain of.
fn each(cases: &[&Case], work: &(dyn Fn(&Case) -> Option<String> + Sync)) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(complaint) = work(case) {
                        complaints.lock().unwrap().push(complaint);
                    }
                }
            });
        }
    });
    complaints.into_inner().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// The right consumer walks everything that can be walked without the national services: nothing is found, nothing is
/// left to walk.
///
/// Proves: ASR-20, ASR-21, ASR-22
#[test]
fn a_right_consumer_gets_no_finding() {
    let Some(python) = Python::found() else {
        return;
    };
    let runtime = runtime();
    let plain = |s: &&assurance::consumer_suite::Scenario| !s.is_national();
    // One walk each, at the same time: some of them wait for answers that never come.
    let walks: Vec<String> = scenarios()
        .iter()
        .filter(plain)
        .map(|s| cases::right_walk(s.id))
        .collect();
    let walks: Vec<Case> = walks
        .iter()
        .map(|w| cases::right(w.clone().leak()))
        .collect();
    let complaints = each(&walks.iter().collect::<Vec<_>>(), &|case| {
        let (run, said) = walk_alone(&python, &runtime, case);
        let found = findings(&run);
        let walked = run
            .outcomes
            .iter()
            .any(|o| o.id.ends_with(&case.walk[..9]) && o.verdict == Verdict::Passed);
        (!found.is_empty() || !walked).then(|| {
            format!(
                "{} (walked: {walked}):\n{}\n{said}",
                case.walk,
                told_all(&found)
            )
        })
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// Each mistake of order, address, header, token, query and body is found, and the finding names the requirement.
///
/// Proves: ASR-20, ASR-21, ASR-23, C18, C19, C20, C22, C23, C24, C25, C26, C27, C28, C29, C30, C39, C41, C43, C44, C45, C46, C47, C48, C49, C50, C51, C52, C53, C54, C55, C56, C57, C58, C59, C60, C61, C62, C63, C64, C65, C66, C67, C68, C69, C70, C71
#[test]
fn each_mistake_is_found() {
    let Some(python) = Python::found() else {
        return;
    };
    let runtime = runtime();
    let alone: Vec<&Case> = CASES.iter().filter(|c| !c.is_national).collect();
    let complaints = each(&alone, &|case| {
        let (run, said) = walk_alone(&python, &runtime, case);
        judged(case, &run, &said)
    });
    let count = complaints.len();
    assert!(
        complaints.is_empty(),
        "{count} of {}:\n{}",
        alone.len(),
        complaints.join("\n\n")
    );
}

/// Each mistake on the way from the directory to the endpoint is found, and each of the referral.
///
/// Proves: C3, C7, C9, C11, C12, C13, C14, C17, C21, REF-CON-02, REF-CON-03, REF-CON-04
#[test]
fn each_mistake_of_discovery_is_found() {
    let Some(python) = Python::found() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let national: Vec<&Case> = CASES.iter().filter(|c| c.is_national).collect();
    let complaints = each(&national, &|case| {
        let simulated = Simulated::start(&folder.path().join(case.fault));
        let said = python.walk(&simulated.way(), case.walk, Some(case.fault));
        judged(case, &simulated.finish(), &said)
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// The right consumer walks every scenario in one run of the command, over DoS, SDS and SSP: nothing is found, nothing
/// is left to walk. The evidence is kept beside the test program.
///
/// Proves: ASR-20, ASR-21, ASR-22, C1, C2, C3, C4, C7, C8, C9, C10, C11, C12, C13, C14, C16, C17, C18, C19, C21
#[test]
fn a_right_consumer_walks_everything_over_the_national_services() {
    let Some(python) = Python::found() else {
        return;
    };
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("assure-consumer-python");
    let simulated = Simulated::start(&out);
    // Scenarios without an answer are walked beside the others, by an impatient user with other patients.
    let (silent, answered): (Vec<String>, Vec<String>) = scenarios()
        .iter()
        .map(|s| cases::right_walk(s.id))
        .partition(|walk| cases::patience(walk) == cases::SILENT);
    let told = std::thread::scope(|scope| {
        let both = [(silent, "50"), (answered, "0")].map(|(walks, first)| {
            let mut way = simulated.way();
            let walk = walks.join(",");
            let patience = cases::patience(&walk);
            let more = [
                "--first-case",
                first,
                "--patience",
                patience,
                "--pause",
                "0.2",
            ];
            way.extend(more.map(str::to_owned));
            let python = &python;
            scope.spawn(move || python.walk(&way, &walk, None))
        });
        both.map(|walk| walk.join().unwrap()).join("\n")
    });
    let run = simulated.finish();
    assert_eq!(told_all(&findings(&run)), "", "{told}");
    let of_scenarios = run
        .outcomes
        .iter()
        .filter(|o| o.id.starts_with("Scenario_"));
    let unwalked: Vec<_> = of_scenarios
        .filter(|o| o.verdict != Verdict::Passed)
        .map(|o| (&o.id, &o.verdict))
        .collect();
    assert!(unwalked.is_empty(), "{unwalked:?}\n{told}");
    // What stays untried has its reason, and is not much.
    let untried: Vec<_> = run
        .outcomes
        .iter()
        .filter(|o| matches!(o.verdict, Verdict::Skipped(_)))
        .map(|o| &o.id)
        .collect();
    assert!(untried.len() <= MAX_UNTRIED, "{untried:?}");
}

/// The other way round: a consumer without our code finds, books, moves, refers and cancels at our Provider, over
/// DoS, SDS and SSP, and turns back where it must.
///
/// Proves: CONS-REQ-07, PROV-BOOK-08, PROV-CAN-05, REF-PRO-01
#[test]
fn a_foreign_consumer_books_at_our_provider() {
    let Some(python) = Python::found() else {
        return;
    };
    let demo = Demo::start("");
    let walk = "2000000011+rebook,2000000014,2000000015,2000000021+refer,2000000022,2000000023";
    let told = python.walk(&way_to(&demo), walk, None);
    let steps: Vec<&str> = told.lines().map(str::trim).collect();
    let count = |what: &str| steps.iter().filter(|s| s.starts_with(what)).count();
    assert_eq!(count("book: 201"), 4, "{told}");
    assert_eq!(count("cancel: 200"), 3, "{told}");
    assert_eq!(count("no free slots"), 1, "{told}");
    assert_eq!(count("this service takes"), 1, "{told}");
    assert_eq!(count("referral with booking: 200"), 1, "{told}");
    assert_eq!((count("C8"), count("C1")), (1, 1), "{told}");
}

/// What was not walked is told in the headline, in the evidence and by the exit code, and is nothing to declare.
///
/// Proves: ASR-06
#[test]
fn what_was_not_walked_says_so() {
    let Some(python) = Python::found() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("evidence");
    let mut simulator = command(format!(
        "assure consumer --listen 127.0.0.1:0 --json --from-asid {FROM_ASID} --product Script \
         --scenario 999999999,999999998,999999981 --out"
    ));
    let simulator = Running::start(simulator.arg(&out), "Stop with");
    let root = simulator.told("Root");
    let base = root.trim_end_matches("/STU3");
    let way =
        format!("--ssp {base} --direct {root} --to-asid {PROVIDER_ASID} --from-asid {FROM_ASID}");
    python.walk(&testkit::words(&way), "999999999+rebook", None);
    let ended = simulator.stop().with(1);
    let left = "2 of 3 scenarios were not walked; choose with --scenario what the consumer walks";
    assert!(ended.stderr.trim_end().ends_with(left), "{ended}");
    let told = &ended.json;
    assert_eq!(
        told["scenarios"],
        serde_json::json!({"chosen": 3, "notWalked": 2})
    );
    assert_eq!(told["counts"]["failed"], 0);
    let record = assurance::evidence::read(&out).unwrap();
    assert!(
        record.runs[0]
            .headline()
            .ends_with("; 2 of 3 scenarios not walked")
    );
    // Only a scenario that was not walked tries it.
    let rows = assurance::evidence::standings(&record.runs);
    let of = |id: &str| rows.iter().find(|s| s.row.id == id).unwrap();
    assert_eq!(of("C31").mark, Mark::Declared);
    let open: Vec<_> = rows.iter().filter(|s| s.mark == Mark::Untried).collect();
    assert!(
        open.iter().any(|s| s.row.attach.is_some()),
        "rows that a walk would try are not to declare"
    );
    for row in &rows {
        let tried = row
            .trials
            .iter()
            .any(|t| !matches!(t.outcome.verdict, Verdict::Declared(_)));
        assert!(
            row.mark != Mark::Declared || !tried,
            "{} is to declare although a test tries it",
            row.row.id
        );
    }
    assert_contains(
        std::fs::read_to_string(out.join("report.html")).unwrap(),
        &[
            "Not walked",
            "2 of 3 scenarios were not walked to their end.",
            "Assurance report: Script (Consumer)",
        ],
    );
}
