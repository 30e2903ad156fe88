//! Drives the fuzz targets on stable Rust: `cargo run -p fuzz --release -- --seconds 10`.
//!
//! The same seed gives the same inputs in the same order; only how many of them fit into the time differs.

mod driver;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use driver::Driver;
use fuzz::{TARGETS, Target};

/// Throws mutated messages at the codecs and at what the wire may carry.
#[derive(Parser)]
#[command(name = "fuzz")]
struct Arguments {
    /// How long each target runs
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
    /// Seed of the inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs the target on this file instead, once
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("fuzz: {message}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let chosen: Vec<&'static Target> = TARGETS
        .iter()
        .filter(|target| {
            arguments
                .target
                .as_deref()
                .is_none_or(|name| name == target.name)
        })
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no such target; there are: {}", names.join(", ")));
    }
    let driver = Driver::new(results_folder())?;
    if let (Some(file), Some(target)) = (&arguments.input, chosen.first()) {
        let bytes = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
        return driver.replay(target, bytes);
    }
    let mut clean = true;
    for target in chosen {
        clean &= driver.drive(
            target,
            arguments.seed,
            Duration::from_secs(arguments.seconds),
        )?;
    }
    Ok(clean)
}

/// `build/fuzz` of the workspace, or of the current folder when cargo did not start this program.
fn results_folder() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let workspace = package.and_then(|folder| folder.parent().map(PathBuf::from));
    workspace.unwrap_or_default().join("build").join("fuzz")
}
