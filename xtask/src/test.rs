//! Everything that a change has to pass, step by step.

mod output;

use std::process::Command;
use std::time::Instant;

use clap::Args;

use crate::faults;
use crate::tidy;
use crate::workspace::Workspace;
use output::{Failure, Reader, Report};

/// Options of `cargo xtask test`.
#[derive(Args)]
pub struct Arguments {
    /// Runs only these steps (see --list)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Prints the steps and runs nothing
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Workspace, &mut Report) -> Result<(), String>,
}

/// The steps, quick ones first. A new check is one more line here.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        what: "rustfmt finds nothing to change",
        run: format,
    },
    Step {
        name: "lints",
        what: "clippy has no warning, in all targets",
        run: lints,
    },
    Step {
        name: "tidy",
        what: "the house rules hold",
        run: house_rules,
    },
    Step {
        name: "tests",
        what: "all tests of the workspace pass",
        run: tests,
    },
    Step {
        name: "fuzz",
        what: "mutated messages break no promise of codecs and wire rules",
        run: fuzz,
    },
    Step {
        name: "faults",
        what: "kills, cuts, full disks and races lose and double no booking",
        run: faults,
    },
];

/// Failures of one step that the summary names; all of them stand above it.
const FAILURES_SHOWN: usize = 12;
/// Skips of one step that it names.
const SKIPS_SHOWN: usize = 8;
/// Characters of a line of the summary.
const WIDTH: usize = 220;
/// File in which tests note that they were skipped, and the variable that names it to them.
const SKIPS: (&str, &str) = ("target/skipped-tests.txt", "UEC_TEST_SKIPS");

/// The variable that says how many tests run at a time, and how many for each core.
const THREADS: (&str, usize) = ("RUST_TEST_THREADS", 2);

/// Seconds for each fuzz target: what a change can bear. Longer runs are for `cargo run -p fuzz`.
const FUZZ_SECONDS: &str = "10";

/// Runs the chosen steps, all of them even when one fails, and sums up.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), String> {
    if arguments.list {
        for step in STEPS {
            println!("{:8} {}", step.name, step.what);
        }
        return Ok(());
    }
    if let Some(unknown) = arguments
        .only
        .iter()
        .find(|name| !STEPS.iter().any(|s| s.name == **name))
    {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!(
            "no step `{unknown}`; there are: {}",
            names.join(", ")
        ));
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| {
            arguments.only.is_empty() || arguments.only.iter().any(|name| name == step.name)
        })
        .collect();
    let begun = Instant::now();
    let mut done = Vec::new();
    for (i, step) in chosen.iter().enumerate() {
        println!("[{}/{}] {}: {}", i + 1, chosen.len(), step.name, step.what);
        let (started, mut report) = (Instant::now(), Report::default());
        let error = (step.run)(workspace, &mut report).err();
        if let Some(message) = &error {
            eprintln!("{message}");
        }
        done.push(Done {
            name: step.name,
            seconds: started.elapsed().as_secs_f32(),
            error,
            report,
        });
    }
    println!("\n{}", summary(&done, begun.elapsed().as_secs_f32()));
    match done.iter().filter(|step| step.error.is_some()).count() {
        0 => Ok(()),
        n => Err(format!("{n} of {} steps failed", chosen.len())),
    }
}

/// A step that was run.
struct Done {
    name: &'static str,
    seconds: f32,
    error: Option<String>,
    report: Report,
}

/// What failed and what was left out, in one screen, with the verdicts last.
fn summary(done: &[Done], seconds: f32) -> String {
    let mut lines = Vec::new();
    for step in done {
        let Some(error) = &step.error else { continue };
        lines.push(format!("{} FAILED: {}", step.name, first_line(error)));
        let failures = step.report.failures.iter().map(Failure::to_string);
        listed(&mut lines, failures, FAILURES_SHOWN);
    }
    for step in done {
        let skips = &step.report.skips;
        if !skips.is_empty() {
            lines.push(format!(
                "{}: {} SKIPPED, so not tried:",
                step.name,
                skips.len()
            ));
            listed(&mut lines, skips.iter().cloned(), SKIPS_SHOWN);
        }
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    for step in done {
        let verdict = match &step.error {
            None => "ok",
            Some(_) => "FAILED",
        };
        let skipped = match step.report.skips.len() {
            0 => String::new(),
            n => format!("  {n} skipped"),
        };
        lines.push(format!(
            "  {:8} {verdict:7} {:6.1} s{skipped}",
            step.name, step.seconds
        ));
    }
    let ok = done.iter().filter(|step| step.error.is_none()).count();
    lines.push(format!("  {ok} of {} steps ok, {seconds:.0} s", done.len()));
    lines.join("\n")
}

/// Adds the first of some lines, cut to a bearable width, and says how many more there are.
fn listed(lines: &mut Vec<String>, all: impl Iterator<Item = String>, most: usize) {
    let all: Vec<String> = all.collect();
    for one in all.iter().take(most) {
        let mut shown: String = one.chars().take(WIDTH).collect();
        if shown.len() < one.len() {
            shown.push('…');
        }
        lines.push(format!("  {shown}"));
    }
    if all.len() > most {
        lines.push(format!("  and {} more, above", all.len() - most));
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// The rules run in this program: each of their lines is a finding, up to the sum.
fn house_rules(workspace: &Workspace, report: &mut Report) -> Result<(), String> {
    tidy::run(workspace).map_err(|message| {
        let findings = message.lines().take_while(|line| !line.is_empty());
        report.failures = findings
            .map(|line| Failure {
                why: line.to_owned(),
                ..Failure::default()
            })
            .collect();
        format!("{message}\nmend what is found, or run `cargo xtask tidy`")
    })
}

fn format(workspace: &Workspace, report: &mut Report) -> Result<(), String> {
    component(workspace, "fmt", "rustfmt")?;
    succeed(
        &mut workspace.cargo("fmt --all --check"),
        (output::format, report),
        "run `cargo fmt --all`",
    )
}

fn lints(workspace: &Workspace, report: &mut Report) -> Result<(), String> {
    component(workspace, "clippy", "clippy")?;
    succeed(
        &mut workspace.cargo("clippy --workspace --all-targets --locked -- -D warnings"),
        (output::compiler, report),
        "mend the warnings above",
    )
}

fn tests(workspace: &Workspace, report: &mut Report) -> Result<(), String> {
    let skips = workspace.root.join(SKIPS.0);
    let _ = std::fs::remove_file(&skips);
    let mut command = workspace.cargo("test --workspace --locked --no-fail-fast");
    command.env(SKIPS.1, &skips);
    // Most of the time of most tests is waiting for programs that they started.
    if std::env::var_os(THREADS.0).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        command.env(THREADS.0, (cores * THREADS.1).to_string());
    }
    if !testkit::postgres::is_installed() && !testkit::under_ci() {
        command.args(["--", "--skip", "postgres::"]);
        report
            .skips
            .push("all suites on PostgreSQL: initdb is missing".to_owned());
    }
    let outcome = succeed(
        &mut command,
        (output::tests, report),
        "mend the failing tests above",
    );
    let noted = std::fs::read_to_string(&skips).unwrap_or_default();
    report.skips.extend(noted.lines().map(str::to_owned));
    outcome
}

/// Always the same seed, so that a change is judged by what it changes.
fn fuzz(workspace: &Workspace, report: &mut Report) -> Result<(), String> {
    let mut command =
        workspace.cargo("run --quiet --locked --package fuzz --profile fuzz -- --seconds");
    command.arg(FUZZ_SECONDS);
    succeed(
        &mut command,
        (output::fuzz, report),
        "mend what the inputs above broke",
    )
}

/// The bounded form, on every store that is there.
fn faults(workspace: &Workspace, report: &mut Report) -> Result<(), String> {
    let mut run = |command: &mut Command| output::run(command, output::faults, report);
    faults::quick(workspace, &mut run)
}

/// Says what is missing, instead of cargo's guess at a command name.
fn component(workspace: &Workspace, command: &str, component: &str) -> Result<(), String> {
    match workspace.cargo(command).arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!(
            "`cargo {command}` is missing: `rustup component add {component}`"
        )),
    }
}

/// Runs a command and reads what it prints; a failure says what to do.
fn succeed(
    command: &mut Command,
    (reader, report): (Reader, &mut Report),
    advice: &str,
) -> Result<(), String> {
    output::run(command, reader, report).map_err(|error| format!("{error}: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_names_are_unique_and_unknown_ones_are_refused() {
        for (i, step) in STEPS.iter().enumerate() {
            assert!(STEPS[i + 1..].iter().all(|other| other.name != step.name));
        }
        let arguments = Arguments {
            only: vec!["formt".to_owned()],
            list: false,
        };
        let error = run(&Workspace::of_files(&[]), &arguments).unwrap_err();
        assert!(error.contains("formt") && error.contains("format"));
    }

    #[test]
    fn the_summary_is_one_screen_and_names_what_failed_and_what_was_skipped() {
        let failure = |n: usize| Failure {
            name: format!("suite::case_{n}"),
            place: "crates/x/tests/suite.rs:4:5".to_owned(),
            why: "long ".repeat(200),
        };
        let step = |name, error: Option<&str>, failures: usize, skips: usize| Done {
            name,
            seconds: 1.5,
            error: error.map(str::to_owned),
            report: Report {
                failures: (0..failures).map(failure).collect(),
                skips: (0..skips).map(|n| format!("test_{n}: no node")).collect(),
            },
        };
        let done = [
            step("format", Some("not formatted\nmore"), 50, 0),
            step("tests", Some("`cargo test` ended with 101"), 50, 50),
            step("fuzz", None, 0, 0),
        ];
        let text = summary(&done, 3.0);
        assert!(text.lines().count() < 50, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 240));
        for part in [
            "tests FAILED: `cargo test` ended with 101",
            "suite::case_0: crates/x/tests/suite.rs:4:5: long",
            "and 38 more, above",
            "tests: 50 SKIPPED",
            "test_0: no node",
            "50 skipped",
            "1 of 3 steps ok",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!summary(&done[2..], 1.0).contains("FAILED"));
    }
}
