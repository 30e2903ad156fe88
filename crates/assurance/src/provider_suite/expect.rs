//! An expectation of an answer, as a test writes it down: the place that is looked at and the requirements behind it,
//! what has to hold there, what would be right, and what the finding says when it does not hold.
//!
//! ```text
//! t.at(&a, "Appointment.status", &["PROV-CAN-05"])
//!     .must(text(&a.resource, "/status") == "cancelled")
//!     .right("cancelled")
//!     .or("It is not cancelled");
//! ```

use crate::evidence::{Finding, Severity};

use super::answer::Answer;
use super::trial::{Ids, Trial};

/// A place in an answer.
#[must_use = "a place alone expects nothing"]
pub(super) struct Place<'t, 's, 'r> {
    trial: &'t mut Trial<'s, 'r>,
    exchange: usize,
    at: String,
    ids: Ids,
}

/// What has to hold at a place.
#[must_use = "it is noted by `or`"]
pub(super) struct Expectation<'t, 's, 'r> {
    place: Place<'t, 's, 'r>,
    severity: Severity,
    holds: bool,
    right: String,
}

impl<'s, 'r> Trial<'s, 'r> {
    /// Looks at a place of an answer, for these requirements.
    pub(super) fn at(&mut self, a: &Answer, at: impl Into<String>, ids: Ids) -> Place<'_, 's, 'r> {
        Place {
            trial: self,
            exchange: a.index,
            at: at.into(),
            ids,
        }
    }
}

impl<'t, 's, 'r> Place<'t, 's, 'r> {
    /// A MUST: else it is an error.
    pub(super) fn must(self, holds: bool) -> Expectation<'t, 's, 'r> {
        self.expects(Severity::Error, holds)
    }

    /// A SHOULD: else it is a warning.
    pub(super) fn should(self, holds: bool) -> Expectation<'t, 's, 'r> {
        self.expects(Severity::Warning, holds)
    }

    /// The Standard has it so, and the published test kit lets it pass: else it is advice.
    pub(super) fn advise(self, holds: bool) -> Expectation<'t, 's, 'r> {
        self.expects(Severity::Advice, holds)
    }

    fn expects(self, severity: Severity, holds: bool) -> Expectation<'t, 's, 'r> {
        Expectation {
            place: self,
            severity,
            holds,
            right: String::new(),
        }
    }
}

impl Expectation<'_, '_, '_> {
    /// What would be right.
    pub(super) fn right(mut self, right: impl Into<String>) -> Self {
        self.right = right.into();
        self
    }

    /// Notes a finding unless it holds. Gives what holds.
    pub(super) fn or(self, what: impl Into<String>) -> bool {
        if !self.holds {
            let place = self.place;
            let finding = Finding {
                severity: self.severity,
                ..Finding::error(place.ids, what)
            };
            let finding = finding.at(place.at).right(self.right);
            place.trial.note(finding.in_exchange(place.exchange));
        }
        self.holds
    }
}
