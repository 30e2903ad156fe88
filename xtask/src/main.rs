//! Tasks of the workspace: `cargo xtask COMMAND`.
//!
//! Each command is a module of its own; this file only names them.

mod bench;
mod conformance;
mod faults;
mod finding;
mod generate;
mod rust_source;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "xtask",
    about = "Code generation, house rules and tests of the workspace"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks the house rules; prints file, line and what to do
    Tidy,
    /// Writes docs/conformance.md, the table of requirement and test
    Conformance {
        /// Writes nothing; fails if the file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Writes the tables of types and profiles from the published definitions
    Generate(generate::Arguments),
    /// Measures the built program against its targets
    Bench(bench::Arguments),
    /// Breaks the built program and everything around it, and proves that nothing was lost
    Faults(faults::Arguments),
    /// Runs everything that a change has to pass
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = workspace::Workspace::find().and_then(|workspace| match arguments.command {
        Command::Tidy => tidy::run(&workspace),
        Command::Conformance { check } => conformance::run(&workspace, check),
        Command::Generate(arguments) => generate::run(&workspace.root, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &arguments),
        Command::Faults(arguments) => faults::run(&workspace, &arguments),
        Command::Test(options) => test::run(&workspace, &options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
