//! The steps that a program can do: through the consumer's own journey, on real services, with a test patient. What is
//! seen is told in plain lines and kept as files; what has to be seen on the other side's screen, people say.
//!
//! What was booked is known from the consumer's journal, which has it before the request leaves. So a run that is
//! broken off finds its bookings again, and none is left behind unnamed.

mod clear_up;
mod evidence;
mod finding;
mod referral;
mod rig;
mod tasks;
mod telling;

pub use clear_up::{ClearedUp, Keep};
pub use rig::Rig;

use booking::ids::ServiceId;
use consumer::obstacle::Obstacle;
use consumer::plan::BookingDetails;

/// What automatic steps are done with.
#[derive(Clone)]
pub struct Order {
    /// The service that is booked.
    pub service: ServiceId,
    /// A service without free slots.
    pub empty: Option<ServiceId>,
    /// A service at a branch or other location.
    pub branch: Option<ServiceId>,
    /// The disposition, for a plan that does not go through several.
    pub disposition: Option<String>,
    /// The test patient and the reason.
    pub details: BookingDetails,
    /// Who approves slots after the end of the timeframe.
    pub approved_by: Option<String>,
    /// Whether patient data is taken out of what is kept.
    pub redact: bool,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Whether it was as expected.
    pub passed: bool,
    /// In plain lines.
    pub lines: Vec<String>,
    /// Files to keep: name and content.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Seen {
    fn of(passed: bool, lines: Vec<String>) -> Seen {
        Seen {
            passed,
            lines,
            files: Vec::new(),
        }
    }

    fn with(mut self, name: &str, bytes: Vec<u8>) -> Seen {
        self.files.push((name.to_owned(), bytes));
        self
    }
}

/// Why a step ends before its end.
enum Stop {
    /// The systems did not do as expected: the step failed.
    Failed(Vec<String>),
    /// The step could not be tried: it stays open.
    NotTried(String),
}

impl From<Obstacle> for Stop {
    /// The words of the user, and the codes for those who look for the fault.
    fn from(obstacle: Obstacle) -> Stop {
        let codes = obstacle.fields();
        let mut lines = vec![obstacle.to_string()];
        if !codes.is_empty() {
            lines.push(format!("{}: {codes}", obstacle.kind.name()));
        }
        Stop::Failed(lines)
    }
}

impl From<consumer::journal::JournalError> for Stop {
    fn from(error: consumer::journal::JournalError) -> Stop {
        Stop::NotTried(error.to_string())
    }
}

impl From<super::PlanError> for Stop {
    fn from(error: super::PlanError) -> Stop {
        Stop::NotTried(error.to_string())
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Stop {
        Stop::NotTried(error.to_string())
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Failed(lines) => f.write_str(&lines.join(" ")),
            Stop::NotTried(why) => f.write_str(why),
        }
    }
}

fn not_tried<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::NotTried(why.into()))
}
