//! `uec consumer …`: the journey of a booking from a terminal, for people and scripts.

mod ask;
mod book;
mod desk;
mod find;
mod patient;
mod prune;
mod refer;
mod rows;
mod shown;
mod standing;

use crate::{Failure, Outcome};
use clap::{Args, Subcommand};
use desk::{Desk, Settings};

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
    Show(standing::Show),
    /// Cancel an appointment
    Cancel(standing::Cancel),
    /// Book another slot, then cancel the old appointment
    Rebook(book::Rebook),
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
            _ => None,
        }
    }

    /// Runs the command.
    pub fn run(self) -> Outcome {
        self.settings.start_logging();
        let json = self.settings.json;
        crate::serve::runtime()?.block_on(async {
            let desk = Desk::open(&self.settings).await?;
            let outcome = match self.command {
                Command::Services(command) => command.run(&desk).await,
                Command::Endpoint(command) => command.run(&desk).await,
                Command::Slots(command) => command.run(&desk).await,
                Command::Book(command) => command.run(&desk).await,
                Command::Show(command) => command.run(&desk).await,
                Command::Cancel(command) => command.run(&desk).await,
                Command::Rebook(command) => command.run(&desk).await,
                Command::Refer(command) => command.run(&desk).await,
                Command::Prune(command) => command.run(&desk).await,
            };
            desk.close().await?;
            outcome.map_err(|stopped| stopped.into_failure(json))
        })
    }
}

/// Why a command stops.
enum Stopped {
    /// An obstacle of the journey.
    Obstacle(Box<consumer::obstacle::Obstacle>),
    /// The referral did not leave.
    Unsent(Box<consumer::referral::Unsent>),
    /// A sentence; everything else is printed already.
    Refused(String),
    /// Wrong usage.
    Usage(String),
}

impl From<consumer::obstacle::Obstacle> for Stopped {
    fn from(obstacle: consumer::obstacle::Obstacle) -> Stopped {
        Stopped::Obstacle(Box::new(obstacle))
    }
}

impl From<consumer::referral::Unsent> for Stopped {
    fn from(unsent: consumer::referral::Unsent) -> Stopped {
        Stopped::Unsent(Box::new(unsent))
    }
}

impl Stopped {
    /// The reason for standard error; a script that asked for JSON gets the obstacle as JSON too, codes and all.
    fn into_failure(self, json: bool) -> Failure {
        match self {
            Stopped::Usage(reason) => Failure::Usage(reason),
            Stopped::Refused(reason) => Failure::Refused(reason),
            Stopped::Obstacle(obstacle) => {
                if json {
                    shown::json(&serde_json::json!({ "obstacle": shown::obstacle(&obstacle) }));
                }
                Failure::Refused(obstacle.to_string())
            }
            Stopped::Unsent(unsent) => {
                if json {
                    let log: Vec<_> = unsent
                        .log
                        .iter()
                        .map(|(k, v)| serde_json::json!({ *k: v }))
                        .collect();
                    shown::json(&serde_json::json!({ "obstacle": {
                        "kind": format!("{:?}", unsent.why), "plain": unsent.plain, "next": unsent.next,
                        "retry_safe": unsent.retry_safe, "log": log,
                    }}));
                }
                Failure::Refused(unsent.to_string())
            }
        }
    }
}

/// What each command returns.
type Done = Result<(), Stopped>;
