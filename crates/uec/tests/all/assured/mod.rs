//! What the tests of the provider suite share: the Python provider, whom to try, what a run has found.

pub mod faults;

use super::support::certificates::Authority;
use super::support::operations::{python, written};
use assurance::evidence::{Finding, Run, Severity, Verdict};
use assurance::provider_suite::{self, Choice, Endpoint, Target};
use booking::ids::{Asid, OdsCode, ServiceId};
use booking::version::StandardVersion;
use consumer::config::Tls;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::{Ended, Running};

/// The Python provider.
const PROVIDER: &str = "wrong/provider.py";
/// Services of the Python provider: with everything, without slots, with slots and schedules only.
pub const PYTHON: [&str; 3] = ["2000009911", "2000009912", "2000009913"];
/// Services of the demo data, in the same order.
pub const DEMO: [&str; 3] = ["2000000011", "2000000014", "2000000015"];
pub const FROM: &str = "918999000099";
pub const TO: &str = "918999000011";

/// Where evidence is kept as build output: the runs on PostgreSQL beside the others.
pub fn kept(name: &str) -> PathBuf {
    let folder = match module_path!().contains("::postgres::") {
        true => "assurance-postgres",
        false => "assurance",
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&folder).expect("folder for evidence");
    folder.join(name)
}

/// False, and said so, where there is no Python; the test command brings it along.
pub fn has_python() -> bool {
    testkit::has("python3")
}

/// A fault as the Python provider lists it.
pub struct Fault {
    pub name: String,
    pub requirement: String,
    pub what: String,
}

/// All faults that can be switched on.
pub fn listed() -> Vec<Fault> {
    let output = Ended::run(python(PROVIDER).arg("--list"));
    let text = output.stdout;
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t').map(str::to_owned);
            let mut next = || parts.next().expect("name, requirement and what is wrong");
            Fault {
                name: next(),
                requirement: next(),
                what: next(),
            }
        })
        .collect()
}

/// The Python provider while it runs.
pub struct Python {
    pub root: String,
    _running: Running,
}

impl Python {
    /// Starts it on a port of its own; it ends with this value, and with this program.
    pub fn start(arguments: &[&str]) -> Python {
        let running = Running::start(python(PROVIDER).args(arguments), "http");
        Python {
            root: running.said().trim().to_owned(),
            _running: running,
        }
    }
}

/// Whom to try: a service root with its three services.
pub fn target(root: &str, services: [&str; 3], patience: Duration) -> Target {
    let service = |id: &str| ServiceId::parse(id).expect("a service id");
    let [full, empty, slots_only] = services.map(service);
    Target {
        endpoint: Endpoint::parse(root).expect("a service root"),
        audience: None,
        from: Asid::parse(FROM).expect("an ASID"),
        to: Asid::parse(TO).expect("an ASID"),
        organization: OdsCode::parse("FX900").expect("an ODS code"),
        service: full,
        service_empty: Some(empty),
        service_slots_only: Some(slots_only),
        tls: None,
        patience,
    }
}

/// Runs these tests, all of them if none is named.
pub fn run(target: &Target, tests: &[&str]) -> Run {
    let choice = Choice {
        groups: Vec::new(),
        tests: tests.iter().map(|&t| t.to_owned()).collect(),
        standard: StandardVersion::Current,
    };
    provider_suite::run(target, &choice, &mut |_| {}).expect("the suite runs")
}

/// Errors and warnings of a run, each with the test that found it.
pub fn serious(run: &Run) -> Vec<(String, Finding)> {
    let all = run.outcomes.iter().flat_map(|outcome| {
        let findings = outcome.findings.iter();
        findings.map(|f| (outcome.id.to_string(), f.clone()))
    });
    all.filter(|(_, f)| f.severity != Severity::Note).collect()
}

/// A finding as one line.
pub fn line((test, finding): &(String, Finding)) -> String {
    let ids = finding.requirement.join(", ");
    format!(
        "{} {test}: {} | {} | right: {} [{ids}]",
        finding.severity.word(),
        finding.what,
        finding.where_,
        finding.right
    )
}

/// Certificates in a folder: `ca.pem`, and `server` and `client` with their keys.
pub fn certificates(folder: &Path) -> Tls {
    fs::create_dir_all(folder).expect("folder");
    let authority = Authority::new("Test Authority");
    authority.server("127.0.0.1").write(folder, "server");
    Tls {
        ca: written(folder, "ca.pem", &authority.certificate.pem()),
        identity: Some(
            authority
                .client("ssp.example.nhs.uk")
                .write(folder, "client"),
        ),
    }
}

/// The suite as a person starts it.
pub fn assure(root: &str, services: [&str; 3], out: &Path, more: &[&str]) -> Command {
    assure_to(TO, root, services, out, more)
}

/// The same with an ASID of the Provider.
pub fn assure_to(to: &str, root: &str, services: [&str; 3], out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uec"));
    command.args(["assure", "provider", "--endpoint", root]);
    command.args(["--from-asid", FROM, "--to-asid", to]);
    for (flag, service) in ["--service", "--service-empty", "--service-slots-only"]
        .iter()
        .zip(services)
    {
        command.args([flag, service]);
    }
    command.arg("--out").arg(out).arg("--replace").args(more);
    command
}

/// What a wrong set-up is told: one sentence with these words.
#[track_caller]
pub fn is_one_sentence(ended: &Ended, words: &[&str]) {
    ended.says(words);
    let told = ended.said();
    let is_one = told.starts_with("uec: ") && told.trim_end().lines().count() == 1;
    assert!(is_one, "{ended}");
}

/// Everything was tried, nothing serious was found, nothing is left booked.
#[track_caller]
pub fn is_clean(run: &Run, skipped: &[&str]) {
    let serious: Vec<String> = serious(run).iter().map(line).collect();
    assert!(serious.is_empty(), "{}", serious.join("\n"));
    let not_tried: BTreeSet<&str> = run
        .outcomes
        .iter()
        .filter(|o| matches!(o.verdict, Verdict::Skipped(_)))
        // The tests that only a simulator of its own can pass (ASR-11).
        .filter(|o| !o.requirements.iter().any(|r| r == "ASR-11"))
        .map(|o| o.id.as_ref())
        .collect();
    assert_eq!(not_tried, skipped.iter().copied().collect(), "not tried");
    let last = run.outcomes.last().expect("outcomes");
    assert_eq!(last.id, "NothingLeftBehind");
    assert_eq!(last.verdict, Verdict::Passed);
}
