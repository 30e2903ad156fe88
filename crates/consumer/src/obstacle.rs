//! Everything that can stand between a user and a booking: plain words and the next step for the user, codes and ids
//! for the log (CONS-ERR-01, CONS-ERR-02).
//!
//! One table ([`Kind::row`]) holds the sentences and the rules; discovery and journey only say which kind it is and
//! what they know about it.

mod table;

pub use table::{Kind, Party, Row, Step};

use crate::redact;
use booking::foreign::visible_text;
use std::fmt;

/// Longest text of somebody else that is kept for the log, characters. Fault texts are one or two sentences.
const MAX_TEXT: usize = 500;
/// Most fields of one obstacle; what finds one out notes about ten.
const MAX_FIELDS: usize = 40;

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{plain} {next}")]
pub struct Obstacle {
    /// What it is.
    pub kind: Kind,
    /// What happened, for the user: no codes, no addresses.
    pub plain: String,
    /// What to do now, for the user.
    pub next: String,
    /// Codes, texts and ids, for the log and the journal; no tokens, no patient data.
    pub log: Vec<(&'static str, String)>,
    /// Whether the same may be tried again at once without doing harm.
    pub retry_safe: bool,
}

impl Obstacle {
    /// An obstacle in the words of the table.
    pub fn new(kind: Kind) -> Obstacle {
        let row = kind.row();
        Obstacle {
            kind,
            plain: row.plain.to_owned(),
            next: row.next.to_owned(),
            log: Vec::new(),
            retry_safe: row.retry_safe,
        }
    }

    /// Other words where more is known than the table says.
    #[must_use]
    pub fn saying(mut self, plain: impl Into<String>, next: impl Into<String>) -> Obstacle {
        self.plain = plain.into();
        self.next = next.into();
        self
    }

    /// Notes one of our own values for the log: a status, an id, a code.
    #[must_use]
    pub fn note(mut self, key: &'static str, value: impl fmt::Display) -> Obstacle {
        if self.log.len() < MAX_FIELDS {
            self.log.push((key, one_line(&value.to_string())));
        }
        self
    }

    /// Notes a text that somebody else wrote, redacted ([`redact::foreign`]).
    #[must_use]
    pub fn text(self, key: &'static str, text: &str) -> Obstacle {
        self.note(key, redact::foreign(text, MAX_TEXT))
    }

    /// The first value noted under a key.
    pub fn noted(&self, key: &str) -> Option<&str> {
        let found = self.log.iter().find(|(k, _)| *k == key);
        found.map(|(_, value)| value.as_str())
    }

    /// The table's row.
    pub fn row(&self) -> &'static Row {
        self.kind.row()
    }

    /// Writes it to the log, once, where it is found (CONS-ERR-01). The subscriber adds the time.
    #[must_use]
    pub fn logged(self) -> Obstacle {
        let row = self.kind.row();
        let fields = self.fields();
        let (kind, fault_of) = (self.kind.name(), row.party.word());
        match row.party {
            // Nothing is broken: a wrong postcode, a taken slot.
            Party::Nobody => {
                tracing::info!(kind, requirement = row.id, %fields, "stopped");
            }
            _ => tracing::warn!(
                kind,
                requirement = row.id,
                fault_of,
                %fields,
                "stopped by a fault"
            ),
        }
        self
    }

    /// The fields for the log on one line.
    pub fn fields(&self) -> String {
        let each = self
            .log
            .iter()
            .map(|(key, value)| format!("{key}={value:?}"));
        each.collect::<Vec<_>>().join(" ")
    }
}

/// Control characters become spaces, so that a foreign text cannot forge log lines; the length is bounded.
fn one_line(text: &str) -> String {
    visible_text(text.trim()).chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: CONS-ERR-02
    #[test]
    fn no_sentence_has_a_code_or_a_word_of_our_trade() {
        for kind in Kind::ALL {
            let row = kind.row();
            for sentence in [row.plain, row.next] {
                assert!(
                    sentence.ends_with('.') && sentence.len() > 20,
                    "{kind:?}: {sentence}"
                );
                assert!(
                    !sentence.contains(|c: char| c.is_ascii_digit()),
                    "{kind:?}: {sentence}"
                );
                for word in [
                    "ASID",
                    "SDS",
                    "SSP",
                    "DoS",
                    "HTTP",
                    "LDAP",
                    "endpoint",
                    "URL",
                    "FHIR",
                    "XML",
                    "JSON",
                    "interaction",
                    "status",
                    "error",
                    "null",
                    "Provider",
                    "Consumer",
                ] {
                    assert!(!sentence.contains(word), "{kind:?}: {word} in {sentence}");
                }
            }
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let mut names: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    /// Proves: CONS-BO-01, CONS-SDS-02
    /// Whatever blocks booking leaves the referral to the rule on booking-only services.
    #[test]
    fn what_hinders_booking_leaves_the_referral_alone() {
        for kind in Kind::ALL {
            let row = kind.row();
            let withholds = matches!(kind, Kind::BookingRequired);
            assert_eq!(row.referral_may_follow, !withholds, "{kind:?}");
        }
    }

    #[test]
    fn foreign_text_cannot_forge_a_log_line_or_name_a_patient() {
        let long = "x".repeat(2_000);
        let obstacle = Obstacle::new(Kind::DosFailed)
            .text("fault_text", "line\nINFO forged\u{7}")
            .text("who", "patient 9990123454 unknown")
            .note("service", "2000000011")
            .text("long", &long);
        assert_eq!(obstacle.noted("fault_text"), Some("line INFO forged"));
        assert_eq!(obstacle.noted("who"), Some("patient (NHS number) unknown"));
        assert_eq!(obstacle.noted("service"), Some("2000000011"));
        assert_eq!(obstacle.noted("long").map(str::len), Some(MAX_TEXT));
        assert!(!obstacle.to_string().contains("forged"));
    }
}
