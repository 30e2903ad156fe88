//! `cargo xtask faults`: builds the program and the fault runner, and runs it.

use std::process::{Command, Stdio};

use crate::workspace::Workspace;

/// The optimised program with the checks of a debug one, for a million attempts.
const FULL: &str = "fuzz";

/// Options of `cargo xtask faults`: the runner's own.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// Options of the runner; `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Runs a command, its output passed on.
pub type Run<'r> = &'r mut dyn FnMut(&mut Command) -> Result<(), String>;

/// Fails when something was lost, doubled or broken.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), String> {
    let options: Vec<&str> = arguments.options.iter().map(String::as_str).collect();
    with(workspace, &options, &mut plainly)
}

/// The bounded form, on every store that is there.
pub fn quick(workspace: &Workspace, run: Run<'_>) -> Result<(), String> {
    let sqlite = with(workspace, &["--quick", "--database", "sqlite"], run);
    // Tried also when the first found something: the summary then has both.
    with(workspace, &["--quick", "--database", "postgres"], run).and(sqlite)
}

fn with(workspace: &Workspace, options: &[&str], runs: Run<'_>) -> Result<(), String> {
    if options.contains(&"--quick") {
        // With the tests, so that nothing is compiled a second time for having fewer features.
        let build = "build --quiet --locked --workspace --bins --tests";
        runs(&mut workspace.cargo(build))?;
        let own = std::env::current_exe().map_err(|e| format!("no folder of the build: {e}"))?;
        return runs(Command::new(own.with_file_name("faults")).args(options));
    }
    let build = format!("build --quiet --locked --profile {FULL} --package uec");
    runs(&mut workspace.cargo(&build))?;
    let run = format!("run --quiet --locked --profile {FULL} --package faults --");
    runs(workspace.cargo(&run).args(options))
}

fn plainly(command: &mut Command) -> Result<(), String> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} ended with {status}")),
    }
}
