//! `cargo xtask bench`: builds the program and its benchmarks as they are shipped and runs them.

use clap::Args;
use std::process::Command;

use crate::workspace::Workspace;

/// Where the figures are kept.
const PAGE: &str = "docs/benchmarks.md";

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub struct Arguments {
    /// Rows to measure [default: all of them]
    rows: Vec<String>,
    /// A few seconds per row: smaller data, shorter rounds
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Database to measure with: sqlite, postgres or both
    #[arg(long, value_name = "STORE", default_value = "both", value_parser = ["sqlite", "postgres", "both"])]
    store: String,
    /// Folder for databases, on the disk to be measured
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

/// Fails when a target is not met.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), String> {
    succeed(&mut workspace.cargo("build --profile dist --package uec"))?;
    let mut run = workspace.cargo("run --profile dist --package bench --");
    run.args(&arguments.rows);
    for (given, flag) in [(arguments.quick, "--quick"), (arguments.json, "--json")] {
        if given {
            run.arg(flag);
        }
    }
    run.args(["--store", &arguments.store]);
    if arguments.write {
        run.args(["--write", PAGE]);
    }
    if let Some(folder) = &arguments.data {
        run.args(["--data", folder]);
    }
    succeed(&mut run)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed, or a target was not met")),
    }
}
