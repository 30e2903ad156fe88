//! `cargo xtask bench`: builds the program and its benchmarks as they are shipped and runs them.

use clap::Args;

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
    cargo(
        workspace,
        &["build", "--profile", "dist", "--package", "uec"],
    )?;
    let mut line = vec!["run", "--profile", "dist", "--package", "bench", "--"];
    line.extend(arguments.rows.iter().map(String::as_str));
    for (given, flag) in [(arguments.quick, "--quick"), (arguments.json, "--json")] {
        if given {
            line.push(flag);
        }
    }
    line.extend(["--store", &arguments.store]);
    if arguments.write {
        line.extend(["--write", PAGE]);
    }
    if let Some(folder) = &arguments.data {
        line.extend(["--data", folder]);
    }
    cargo(workspace, &line)
}

fn cargo(workspace: &Workspace, line: &[&str]) -> Result<(), String> {
    let status = workspace
        .cargo()
        .args(line)
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!(
            "`cargo {}` failed, or a target was not met",
            line.join(" ")
        )),
    }
}
