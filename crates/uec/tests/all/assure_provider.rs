//! The provider suite put to the test: it passes a Provider that shares no code with us, and it finds every fault that
//! can be switched on in it. The evidence of the runs is kept as build output.

use super::assured;
use super::assured::faults::TRIED;
use super::assured::{Fault, PYTHON, Python, assure, is_clean};
use assurance::evidence::{Folder, Severity};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;
use testkit::Ended;
use testkit::process::figure;

/// Patience with the servers that work: far more than they need on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Patience with the faults that never come to an end; their tests end at the first exchange or after three.
const SHORT: Duration = Duration::from_secs(1);
/// Those faults.
const SLOW: [&str; 3] = ["hangs", "create-hangs", "drips"];
/// Faults that are tried side by side: they wait for each other's processes more than they compute.
const WORKERS: usize = 4;
/// Most memory the program may take against a server that answers without end: its own bound on a body is 8 MiB, held
/// in a few forms at once; without a bound it would be 100 MiB and more a body.
const MOST_MEMORY_KIB: u64 = 160 << 10;

#[test]
fn a_provider_that_shares_no_code_with_us_passes() {
    if !assured::has_python() {
        return;
    }
    let python = Python::start(&[]);
    let out = assured::kept("python-provider");
    let run = assured::run(&assured::target(&python.root, PYTHON, PATIENCE), &[]);
    // It has no history, which is a MAY.
    is_clean(
        &run,
        &["EveryAnswer_StrictTransportSecurity", "Read_History"],
    );
    let folder = Folder::replace(&out).expect("folder of evidence");
    folder.finish(vec![run]).expect("evidence");
    println!("evidence: {}", out.join("report.html").display());
}

/// What came of one fault: the finding that names the requirement, or why there is none.
type Tried = Result<String, String>;

fn try_fault(fault: &Fault, tests: &[&str]) -> Tried {
    let mut arguments = vec!["--fault", &fault.name];
    let folder = assured::kept(&format!("certificates-{}", fault.name));
    let secure = fault.name == "hsts-missing";
    let (cert, key) = (folder.join("server.pem"), folder.join("server.key"));
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let tls = secure.then(|| assured::certificates(&folder));
    if secure {
        arguments.extend(["--tls-cert", &cert, "--tls-key", &key]);
    }
    let python = Python::start(&arguments);
    let patience = match SLOW.contains(&fault.name.as_str()) {
        true => SHORT,
        false => PATIENCE,
    };
    let mut target = assured::target(&python.root, PYTHON, patience);
    target.tls = tls;
    let run = assured::run(&target, tests);
    let found = assured::serious(&run);
    let fits = found.iter().find(|(_, f)| {
        f.severity == Severity::Error && f.requirement.iter().any(|r| *r == fault.requirement)
    });
    match fits {
        Some(finding) if is_plain(finding) => Ok(assured::line(finding)),
        Some(finding) => Err(format!("not plain: {}", assured::line(finding))),
        None => {
            let all: Vec<String> = found.iter().map(assured::line).collect();
            Err(format!("not found; found was:\n    {}", all.join("\n    ")))
        }
    }
}

/// A finding says what, where and what would be right, in words.
fn is_plain((_, finding): &(String, assurance::evidence::Finding)) -> bool {
    let whole = [&finding.what, &finding.where_, &finding.right]
        .iter()
        .all(|part| !part.is_empty());
    let code = ["Some(", "None", "Ok(", "Err(", "[\"", "{:?}"];
    whole && !code.iter().any(|c| finding.what.contains(c))
}

/// Proves: P36
#[test]
fn every_seeded_fault_is_found() {
    if !assured::has_python() {
        return;
    }
    let faults = assured::listed();
    let tried: BTreeMap<&str, &[&str]> = TRIED.iter().copied().collect();
    let names: HashSet<&str> = faults.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, tried.keys().copied().collect(), "faults and tests");
    assert!(faults.len() >= 45, "{} faults", faults.len());
    let todo = Mutex::new(faults.iter());
    let done = Mutex::new(BTreeMap::new());
    let next = || todo.lock().expect("no panic").next();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(fault) = next() {
                    let result = try_fault(fault, tried[fault.name.as_str()]);
                    done.lock()
                        .expect("no panic")
                        .insert(fault.name.as_str(), result);
                }
            });
        }
    });
    let done = done.into_inner().expect("no panic");
    judge(&faults, &done);
}

/// Writes what was found for each fault, and fails if anything was not.
fn judge(faults: &[Fault], done: &BTreeMap<&str, Tried>) {
    let (mut table, mut missed) = (String::new(), Vec::new());
    for fault in faults {
        let tried = done
            .get(fault.name.as_str())
            .expect("every fault was tried");
        let told = match tried {
            Ok(told) => told.clone(),
            Err(why) => {
                missed.push(format!("{} ({}): {why}", fault.name, fault.requirement));
                why.clone()
            }
        };
        let _ = writeln!(
            table,
            "{} [{}] {}\n    {told}",
            fault.name, fault.requirement, fault.what
        );
    }
    let out = assured::kept("wrong-providers.txt");
    fs::write(&out, table).expect("written");
    println!("{} faults; what was found: {}", faults.len(), out.display());
    assert!(
        missed.is_empty(),
        "{} missed:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

/// Runs the program against a broken server: its exit code, what it said, its peak of memory.
fn against(fault: &str, tests: &[&str]) -> (Option<i32>, String, u64) {
    let python = Python::start(&["--fault", fault]);
    let out = assured::kept(&format!("against-{fault}"));
    let named = tests.iter().flat_map(|test| ["--test", test]);
    let more: Vec<&str> = ["--patience", "2"].into_iter().chain(named).collect();
    let mut child = assure(&python.root, PYTHON, &out, &more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the suite runs");
    let mut most = 0;
    testkit::until("the run has ended", || {
        most = most.max(figure(child.id(), "VmHWM").unwrap_or(0));
        child.try_wait().expect("its end").is_some()
    });
    let ended = Ended::wait("assure provider", child);
    (Some(ended.code), ended.said(), most)
}

/// Proves: PROV-META-01
#[test]
fn a_server_that_answers_without_end_exhausts_nothing() {
    if !assured::has_python() {
        return;
    }
    for fault in [
        "endless-body",
        "endless-head",
        "gzip-bomb",
        "answer-too-deep",
    ] {
        let (code, said, most) = against(fault, &["Capability_*"]);
        assert_eq!(code, Some(1), "{fault}: {said}");
        // Where there is no /proc nothing can be measured.
        assert!(most < MOST_MEMORY_KIB, "{fault}: {most} KiB at most");
        println!("{fault}: {} MiB at most", most >> 10);
    }
}

/// Proves: PROV-META-01
#[test]
fn a_server_that_hangs_ends_the_run_soon_and_openly() {
    if !assured::has_python() {
        return;
    }
    let (code, said, _) = against("hangs", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no whole answer 3 times in a row"), "{said}");
}
