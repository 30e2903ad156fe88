//! `uec consumer …`: the journey of a booking from a terminal, for people and scripts.

mod appointments;
mod ask;
mod asked;
mod book;
mod find;
mod interrupted;
mod own;
mod patient;
mod prune;
mod ranked;
mod rebook;
mod refer;
mod rows;
mod session;
mod settle;
mod shown;

use crate::{Failure, Outcome};
use clap::{Args, Subcommand};
use session::{Session, Settings};
use std::sync::{Arc, OnceLock};

/// Find, book, cancel and refer as a 111 service does.
///
/// Each command goes the whole way: Directory of Services, Spine Directory Service, Spine Secure Proxy, Provider.
/// Settings come from --set, then from the environment, then from the file; without any, those of `uec demo`.
///
/// The terminal shows plain words. Codes and ids are in the journal; --verbose writes them to standard error as well.
#[derive(Args)]
pub struct Consumer {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the services that suit a patient, in the directory's order
    Services(find::Services),
    /// Show where a service is booked: its system and its addresses
    Endpoint(find::EndpointOf),
    /// List the free slots of a service
    Slots(find::Slots),
    /// Book a slot
    Book(book::Book),
    /// Show an appointment, or list the ones booked from here
    Show(appointments::Show),
    /// Cancel an appointment
    Cancel(appointments::Cancel),
    /// Book another slot, then cancel the old appointment
    Rebook(rebook::Rebook),
    /// Find out about bookings of which it is not certain whether they were made
    Settle(settle::Settle),
    /// Send the clinical document that goes with an appointment
    Refer(refer::Refer),
    /// Take personal data that are due out of the journal
    Prune(prune::Prune),
}

impl Consumer {
    /// What the command has changed when it succeeds.
    pub fn done(&self) -> Option<&'static str> {
        match &self.command {
            Command::Book(_) => Some("booked"),
            Command::Cancel(_) => Some("cancelled"),
            Command::Rebook(_) => Some("booked anew"),
            Command::Refer(_) => Some("sent"),
            Command::Prune(_) => Some("pruned"),
            Command::Settle(_) => Some("settled"),
            _ => None,
        }
    }

    /// Runs the command.
    pub fn run(self) -> Outcome {
        self.settings.start_logging();
        let json = self.settings.json;
        let not_done = self.command.not_done();
        let kind = self.command.kind();
        crate::serve::runtime()?.block_on(async {
            let journey = Arc::new(OnceLock::new());
            interrupted::watch(Arc::clone(&journey), kind, json);
            let session = Session::open(&self.settings)
                .await
                .map_err(|failure| match failure {
                    Failure::Refused(reason) => {
                        Stopped::Refused(reason).into_failure(json, not_done)
                    }
                    other => other,
                })?;
            let _ = journey.set(session.consultation.journey().clone());
            let outcome = match self.command {
                Command::Services(command) => command.run(&session).await,
                Command::Endpoint(command) => command.run(&session).await,
                Command::Slots(command) => command.run(&session).await,
                Command::Book(command) => command.run(&session).await,
                Command::Show(command) => command.run(&session).await,
                Command::Cancel(command) => command.run(&session).await,
                Command::Rebook(command) => command.run(&session).await,
                Command::Settle(command) => command.run(&session).await,
                Command::Refer(command) => command.run(&session).await,
                Command::Prune(command) => command.run(&session).await,
            };
            // What happened has happened: a journal that fails now must not hide it.
            if let Err(reason) = session.close().await {
                note(&format!(
                    "uec: the end of this contact was not recorded. {reason}"
                ));
            }
            outcome.map_err(|stopped| stopped.into_failure(json, not_done))
        })
    }
}

impl Command {
    /// What it is to whoever stops it.
    fn kind(&self) -> interrupted::Command {
        match self {
            Command::Book(_) => interrupted::Command::Book,
            Command::Rebook(_) => interrupted::Command::Rebook,
            Command::Cancel(_) => interrupted::Command::Cancel,
            Command::Refer(_) => interrupted::Command::Refer,
            _ => interrupted::Command::Other,
        }
    }

    /// What scripts are told when the command stops before its deed; `None` for commands that change nothing.
    fn not_done(&self) -> Option<&'static str> {
        match self {
            Command::Book(_) | Command::Rebook(_) => Some("not_booked"),
            Command::Cancel(_) => Some("not_cancelled"),
            Command::Refer(_) => Some("not_sent"),
            _ => None,
        }
    }
}

/// Writes a line to standard error. A reader that went away is no reason to stop.
fn note(line: &str) {
    crate::output::note(&format!("{line}\n"));
}

/// Why a command stops.
enum Stopped {
    /// An obstacle of the journey.
    Obstacle(Box<consumer::obstacle::Obstacle>),
    /// The referral was not sent, or nobody can say whether it arrived.
    ReferralFailure(Box<consumer::referral::ReferralFailure>),
    /// Refused or failed: a sentence.
    Refused(String),
    /// Nobody can say whether something was done: a sentence.
    Uncertain(String),
    /// The same two, where everything for scripts is printed already.
    Told(String, Certainty),
    /// Wrong usage.
    Usage(String),
}

/// Whether it is certain that nothing was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Certain,
    Uncertain,
}

impl From<consumer::obstacle::Obstacle> for Stopped {
    fn from(obstacle: consumer::obstacle::Obstacle) -> Stopped {
        Stopped::Obstacle(Box::new(obstacle))
    }
}

impl From<consumer::journal::JournalError> for Stopped {
    fn from(error: consumer::journal::JournalError) -> Stopped {
        Stopped::refused(error.to_string())
    }
}

impl From<consumer::referral::ReferralFailure> for Stopped {
    fn from(unsent: consumer::referral::ReferralFailure) -> Stopped {
        Stopped::ReferralFailure(Box::new(unsent))
    }
}

impl Stopped {
    fn refused(why: impl Into<String>) -> Stopped {
        Stopped::Refused(why.into())
    }

    fn usage(why: impl Into<String>) -> Stopped {
        Stopped::Usage(why.into())
    }

    /// The reason for standard error; a script that asked for JSON gets the outcome as JSON too, codes and all.
    fn into_failure(self, json: bool, not_done: Option<&'static str>) -> Failure {
        let told = |mut value: serde_json::Value, outcome: Option<&str>| {
            if let Some(outcome) = outcome {
                value["outcome"] = serde_json::json!(outcome);
            }
            if json && value.as_object().is_some_and(|o| !o.is_empty()) {
                shown::json(&value);
            }
        };
        let message = |reason: &str| match not_done {
            Some(_) => serde_json::json!({ "message": reason }),
            None => serde_json::json!({}),
        };
        match self {
            Stopped::Usage(reason) => Failure::Usage(reason),
            Stopped::Refused(reason) => {
                told(message(&reason), not_done);
                Failure::Refused(reason)
            }
            Stopped::Uncertain(reason) => {
                told(serde_json::json!({ "message": reason }), Some("uncertain"));
                Failure::Uncertain(reason)
            }
            Stopped::Told(reason, Certainty::Certain) => Failure::Refused(reason),
            Stopped::Told(reason, Certainty::Uncertain) => Failure::Uncertain(reason),
            Stopped::Obstacle(obstacle) => {
                told(
                    serde_json::json!({ "obstacle": shown::obstacle(&obstacle) }),
                    not_done,
                );
                Failure::Refused(obstacle.to_string())
            }
            Stopped::ReferralFailure(unsent) => {
                if json {
                    let log: Vec<_> = unsent
                        .log
                        .iter()
                        .map(|(k, v)| serde_json::json!({ *k: v }))
                        .collect();
                    shown::json(&serde_json::json!({
                        "outcome": if unsent.uncertain { "uncertain" } else { "not_sent" },
                        "obstacle": {
                            "kind": format!("{:?}", unsent.why), "plain": unsent.plain, "next": unsent.next,
                            "retry_safe": unsent.retry_safe, "log": log,
                        },
                    }));
                }
                match unsent.uncertain {
                    true => Failure::Uncertain(unsent.to_string()),
                    false => Failure::Refused(unsent.to_string()),
                }
            }
        }
    }
}

/// What each command returns.
type Done = Result<(), Stopped>;
