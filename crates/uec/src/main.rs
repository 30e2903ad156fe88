//! `uec`: the NHS UEC Booking Standard as one program. This file reads the command line; each command has a file.
#![deny(clippy::print_stdout, clippy::print_stderr)] // They panic; `output` writes.

mod anchors;
mod assure;
mod consumer;
mod demo;
mod help;
mod log;
mod output;
mod provider;
mod sandbox;
mod serve;
mod telemetry;
mod token;
mod validate;
mod web;

use booking::foreign::visible_lines;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use output::Unwritten;
pub use output::print;
use std::borrow::Cow;
use std::process::ExitCode;

/// Faster than the system's allocator where JSON is read and written.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The NHS UEC Booking Standard as one program: Provider, Consumer, national services and tools.
///
/// Exit codes: 0 success; 1 refused or a check failed (the reason is on standard error); 2 wrong usage; 3 it is not
/// certain whether something was done.
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
    /// Nobody can say whether something was done: exit code 3.
    Uncertain(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure::Refused(reason)
    }
}

/// What every command returns.
pub type Outcome = Result<(), Failure>;

impl Command {
    /// What the command has changed when it succeeds; none for one that only prints.
    fn done(&self) -> Option<&'static str> {
        match self {
            Command::Consumer(consumer) => consumer.done(),
            Command::Provider(provider) => provider.done(),
            _ => None,
        }
    }

    fn run(self) -> Outcome {
        match self {
            Command::Assure(command) => command.run(),
            Command::Demo(command) => command.run(),
            Command::Consumer(command) => command.run(),
            Command::Provider(command) => command.run(),
            Command::Sandbox(command) => command.run(),
            Command::Token(command) => command.run(),
            Command::Validate(command) => command.run(),
        }
    }
}

fn main() -> ExitCode {
    let (outcome, done) = match parse() {
        Ok(arguments) => {
            let done = arguments.command.done();
            (arguments.command.run(), done)
        }
        Err(error) => (not_run(&error), None),
    };
    log::flush();
    let mut code = match outcome {
        Ok(()) => 0,
        Err(failure) => {
            let (code, reason) = match failure {
                Failure::Refused(reason) => (1, reason),
                Failure::Usage(reason) => (2, reason),
                Failure::Uncertain(reason) => (3, reason),
            };
            if !reason.is_empty() {
                output::note(&format!("uec: {reason}\n"));
            }
            code
        }
    };
    if let Some(unwritten) = output::unwritten() {
        output::note(&missing(&unwritten, done));
        if code == 0 && !unwritten.reader_left {
            // What was done stands: 1 would say that it was not.
            code = if done.is_some() { 3 } else { 1 };
        }
    }
    ExitCode::from(code)
}

/// Reads the command line.
fn parse() -> Result<Arguments, clap::Error> {
    let mut command = help::complete(Arguments::command());
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Help, the version, or what is wrong with the command line.
fn not_run(error: &clap::Error) -> Outcome {
    let wrong = error.use_stderr();
    let plain = error.render().to_string();
    // An argument that it quotes may have been pasted from anywhere: styles are for what hides nothing.
    let hides = matches!(visible_lines(&plain), Cow::Owned(_));
    let text = match output::is_coloured(!wrong) && !hides {
        true => error.render().ansi().to_string(),
        false => plain,
    };
    if wrong {
        match hides {
            true => output::note(&text),
            false => output::steer(&text),
        }
        return Err(Failure::Usage(String::new()));
    }
    output::print_exactly(&text);
    Ok(())
}

/// What standard error says when standard output could not be written. What was changed stands, so its report is
/// repeated; when a reader saw the beginning and left, nothing is said.
fn missing(unwritten: &Unwritten, done: Option<&str>) -> String {
    let error = &unwritten.error;
    match done {
        _ if unwritten.reader_left && !(unwritten.is_all && done.is_some()) => String::new(),
        Some(done) => format!(
            "uec: {done}, but standard output cannot be written: {error}. What it should have said:\n{}",
            unwritten.text
        ),
        None => format!(
            "uec: standard output cannot be written, so what it holds is not complete: {error}\n"
        ),
    }
}
