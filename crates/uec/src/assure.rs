//! `uec assure`: simulators that try every requirement over the wire, and the evidence that they leave.

mod consumer;
mod plan;
mod provider;
mod report;

use crate::Outcome;
use clap::Subcommand;

/// Try a system against the Standard and keep the evidence.
#[derive(Subcommand)]
pub enum Assure {
    /// Be a Provider that a consumer is tried against: judge every request, and keep the evidence
    ///
    /// Offers scenarios, each its own DoS service: good days, refusals, failures, lost answers. --list prints them.
    /// Runs until Ctrl-C, or until --for, --idle or --until-complete ends it. Exit code 1 when a rule was broken.
    Consumer(Box<consumer::Consumer>),
    /// Guide through an operational test plan with people on both sides, and record it
    #[command(subcommand)]
    Plan(plan::Plan),
    /// Try a Provider as a consumer would: every published test and our own, over the wire
    ///
    /// Finds what it needs by searching, books synthetic patients, and cancels all it has booked. Exit code 1 when a
    /// test failed or a test booking may still be live.
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
