//! `uec assure`: simulators that try every requirement over the wire, and the evidence that they leave.

mod consumer;
mod evidence;
mod plan;
mod provider;
mod report;

use crate::{Failure, Outcome};
use clap::Subcommand;

/// Try a system against the Standard and keep the evidence.
#[derive(Subcommand)]
pub enum Assure {
    /// Be a Provider that a consumer is tried against: judge every request, and keep the evidence
    ///
    /// Offers scenarios, each its own DoS service: good days, refusals, failures, lost answers. --list prints them.
    /// Runs until Ctrl-C, or until --for, --idle or --until-complete ends it. Exit code 1 when a rule was broken or a chosen
    /// scenario was not walked.
    // `--version` is that of the product which is tried.
    #[command(disable_version_flag = true)]
    Consumer(Box<consumer::Consumer>),
    /// Guide through an operational test plan with people on both sides, and record it
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Try a Provider as a consumer would: every published test and our own, over the wire
    ///
    /// Looks at the set-up first: wrong address, wrong service, no rights or no slots end it with one sentence. Finds what
    /// it needs by searching, books synthetic patients, cancels all it has booked, and reads whether it is cancelled.
    /// Exit code 1 when a test failed, a test booking may still be live, or the Provider has to be set up first; 2 when
    /// the command names something that is not there.
    #[command(disable_version_flag = true)]
    Provider(Box<provider::Provider>),
    /// Merge evidence folders, redact them, and write the table to attach to the SCAL
    ///
    /// Reads the result of each folder. A test that was run again counts with its newest result. Without --out and
    /// --scal it prints a summary.
    Report(report::Report),
}

impl Assure {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Assure::Consumer(command) => command.run(),
            Assure::Plan(command) => command.run(),
            Assure::Provider(command) => command.run(),
            Assure::Report(command) => command.run(),
        }
    }
}

/// The value of an option that is text. An empty one is a variable of a script that was not set: no choice of anything.
fn filled(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

fn usage(reason: impl ToString) -> Failure {
    Failure::Usage(reason.to_string())
}
