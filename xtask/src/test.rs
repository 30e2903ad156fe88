//! Everything that a change has to pass, step by step.

use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use crate::faults;
use crate::tidy;
use crate::workspace::Workspace;

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
    run: fn(&Workspace) -> Result<(), String>,
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
        run: tidy::run,
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
        run: faults::quick,
    },
];

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
    let mut summary = Vec::new();
    let mut failed = 0;
    for (i, step) in chosen.iter().enumerate() {
        println!("[{}/{}] {}: {}", i + 1, chosen.len(), step.name, step.what);
        let started = Instant::now();
        let verdict = match (step.run)(workspace) {
            Ok(()) => "ok",
            Err(message) => {
                eprintln!("{message}");
                failed += 1;
                "FAILED"
            }
        };
        summary.push(format!(
            "  {:8} {verdict:7} {:6.1} s",
            step.name,
            started.elapsed().as_secs_f32()
        ));
    }
    println!("\n{}", summary.join("\n"));
    println!(
        "  {} of {} steps ok, {:.0} s",
        chosen.len() - failed,
        chosen.len(),
        begun.elapsed().as_secs_f32()
    );
    match failed {
        0 => Ok(()),
        n => Err(format!("{n} of {} steps failed", chosen.len())),
    }
}

fn format(workspace: &Workspace) -> Result<(), String> {
    component(workspace, "fmt", "rustfmt")?;
    succeed(
        workspace.cargo().args(["fmt", "--all", "--check"]),
        "run `cargo fmt --all`",
    )
}

fn lints(workspace: &Workspace) -> Result<(), String> {
    component(workspace, "clippy", "clippy")?;
    let mut command = workspace.cargo();
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    succeed(&mut command, "mend the warnings above")
}

fn tests(workspace: &Workspace) -> Result<(), String> {
    let mut command = workspace.cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    succeed(&mut command, "mend the failing tests above")
}

/// Always the same seed, so that a change is judged by what it changes.
fn fuzz(workspace: &Workspace) -> Result<(), String> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--locked", "--package", "fuzz"]);
    command.args(["--profile", "fuzz", "--", "--seconds", FUZZ_SECONDS]);
    succeed(&mut command, "mend what the inputs above broke")
}

/// Says what is missing, instead of cargo's guess at a command name.
fn component(workspace: &Workspace, command: &str, component: &str) -> Result<(), String> {
    let output = workspace.cargo().args([command, "--version"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(format!(
            "`cargo {command}` is missing: `rustup component add {component}`"
        )),
    }
}

/// Runs a command with its output passed on; nothing is read from the terminal.
fn succeed(command: &mut Command, advice: &str) -> Result<(), String> {
    let status = command.stdin(Stdio::null()).status();
    let name = command
        .get_args()
        .next()
        .map(|arg| arg.to_string_lossy().into_owned());
    let name = format!("cargo {}", name.unwrap_or_default());
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{name}` ended with {status}: {advice}")),
        Err(e) => Err(format!("`{name}` does not start: {e}")),
    }
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
}
