//! Why a referral was not sent or not taken: words for the user, codes for the log.

use crate::redact;
use std::fmt;

/// Longest text from outside kept for the log, characters.
const MAX_TEXT: usize = 300;

/// The kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It replaces a document that is linked to a booking (REF-CON-05).
    ReplacesLinked,
    /// It names itself as the replaced document.
    ReplacesItself,
    /// The service requires a booking, and there is none (REF-CON-06).
    BookingRequired,
    /// The directory names no electronic endpoint for referrals.
    NoEndpoint,
    /// The message is larger than a service takes.
    TooLarge,
    /// No connection, or no answer.
    Unreachable,
    /// The service has a fault of its own.
    ServiceFault,
    /// The service found the message wrong.
    Malformed,
    /// The service refused what the message asks for.
    Refused,
    /// The service does not know this sender.
    Denied,
    /// The service's answer is unintelligible.
    Unreadable,
}

/// Why a referral was not sent, or not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ReferralFailure {
    /// The kind of failure.
    pub why: Why,
    /// For the user: what happened, without codes.
    pub plain: String,
    /// For the user: what to do now.
    pub next: String,
    /// For the log: codes and ids, never patient data.
    pub log: Vec<(&'static str, String)>,
    /// True when the same message may be sent again.
    pub retry_safe: bool,
    /// True when it is unknown whether the service has it (D-65).
    pub uncertain: bool,
}

impl ReferralFailure {
    pub(super) fn new(why: Why, plain: &str, next: &str) -> ReferralFailure {
        ReferralFailure {
            why,
            plain: plain.to_owned(),
            next: next.to_owned(),
            log: Vec::new(),
            retry_safe: matches!(why, Why::Unreachable | Why::ServiceFault | Why::Unreadable),
            uncertain: matches!(why, Why::Unreachable | Why::Unreadable),
        }
    }

    /// Marks it as certain that the service lacks the document.
    pub(super) fn certain(mut self) -> ReferralFailure {
        self.uncertain = false;
        self
    }

    /// Marks that an earlier try of the message may have arrived.
    pub(super) fn after_uncertain(mut self) -> ReferralFailure {
        if !self.uncertain {
            self.uncertain = true;
            self.plain = format!(
                "It is not certain whether the service has the referral: an earlier try may have arrived. Then: {}",
                self.plain
            );
        }
        self
    }

    pub(super) fn note(mut self, key: &'static str, value: impl Into<String>) -> ReferralFailure {
        self.log.push((key, value.into()));
        self
    }

    /// Adds a text from outside, redacted.
    pub(super) fn text(self, key: &'static str, text: &str) -> ReferralFailure {
        self.note(key, redact::foreign(text, MAX_TEXT))
    }
}

impl fmt::Display for ReferralFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.plain, self.next)
    }
}
