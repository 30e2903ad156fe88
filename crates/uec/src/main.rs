//! `uec`: the NHS UEC Booking Standard as one program. This file reads the command line; each command has a file.

mod assure;
mod consumer;
mod demo;
mod provider;
mod sandbox;
mod serve;
mod telemetry;
mod token;
mod validate;
mod web;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// Faster than the system's allocator where JSON is read and written.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The NHS UEC Booking Standard as one program: Provider, Consumer, national services and tools.
///
/// Exit codes: 0 success; 1 refused or a check failed (the reason is on standard error); 2 wrong usage.
#[derive(Parser)]
#[command(
    name = "uec",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Assurance: try a system over the wire, and make the evidence for the SCAL
    #[command(subcommand)]
    Assure(assure::Assure),
    /// Run everything on this machine with seeded data, and print a guided tour to paste
    Demo(demo::Demo),
    /// The Consumer: find, book, cancel and refer as a 111 service does
    ///
    /// Each command goes the whole way: Directory of Services, Spine Directory Service, Spine Secure Proxy, Provider.
    /// Settings come from --set, then from the environment, then from the file; without any, those of `uec demo`.
    ///
    /// The terminal shows plain words. Codes and ids are in the journal; --verbose writes them to standard error as well.
    Consumer(Box<consumer::Consumer>),
    /// The Provider: serve the Booking API, keep the diary, check the audit trail
    #[command(subcommand)]
    Provider(provider::Provider),
    /// Stand-ins for the national services: DoS, SDS and SSP
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    /// Make or read the token of a request
    #[command(subcommand)]
    Token(token::Token),
    /// Check FHIR messages against STU3, the CareConnect profiles and the Standard
    Validate(validate::Validate),
}

/// Why a command ended without success.
pub enum Failure {
    /// Refused, or a check failed: exit code 1.
    Refused(String),
    /// The command line or a settings file is wrong: exit code 2.
    Usage(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure::Refused(reason)
    }
}

/// What every command returns.
pub type Outcome = Result<(), Failure>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Assure(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Consumer(command) => command.run(),
        Command::Provider(command) => command.run(),
        Command::Sandbox(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Validate(command) => command.run(),
    };
    let (code, reason) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Refused(reason)) => (1, reason),
        Err(Failure::Usage(reason)) => (2, reason),
    };
    if !reason.is_empty() {
        let _ = writeln!(std::io::stderr(), "uec: {reason}");
    }
    ExitCode::from(code)
}

/// Prints to standard output. A reader that went away (`| head`) is not an error.
pub fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}
