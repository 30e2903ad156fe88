//! Counts the slots that came but cannot be offered, by reason, so that nobody takes them for "no free slots".

use serde::{Serialize, Serializer};
use serde_json::json;

/// Why an entry cannot be offered as a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The entry has no resource.
    Empty,
    /// No id.
    Id,
    /// No status.
    NoStatus,
    /// A status unknown to FHIR.
    Status,
    /// No start.
    NoStart,
    /// No end.
    NoEnd,
    /// Start or end has no offset, or is no time.
    Time,
    /// The end is not after the start.
    Order,
    /// A modifier extension on the slot or its schedule.
    Modifier,
    /// Identity, status or times in a form that FHIR does not allow.
    Form,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 10] = [
        Why::Empty,
        Why::Id,
        Why::NoStatus,
        Why::Status,
        Why::NoStart,
        Why::NoEnd,
        Why::Time,
        Why::Order,
        Why::Modifier,
        Why::Form,
    ];

    /// The reason for the user.
    pub fn plain(self) -> &'static str {
        match self {
            Why::Empty => "nothing in the entry",
            Why::Id => "no name to book it by",
            Why::NoStatus => "not said whether it is free",
            Why::Status => "not clear whether it is free",
            Why::NoStart => "no start",
            Why::NoEnd => "no end",
            Why::Time => "start or end not clear",
            Why::Order => "end before the start",
            Why::Form => "not written as FHIR has it",
            Why::Modifier => "a condition that this program does not know",
        }
    }
}

/// Number of slots that cannot be offered, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable(Vec<(Why, usize)>);

impl Unreadable {
    pub(super) fn add(&mut self, why: Why) {
        match self.0.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += 1,
            None => self.0.push((why, 1)),
        }
    }

    /// How many in all.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Each reason with its count.
    pub fn reasons(&self) -> &[(Why, usize)] {
        &self.0
    }

    /// A sentence for the user; `None` if there are none.
    pub fn plain(&self) -> Option<String> {
        let count = self.count();
        let (slots, are) = match count {
            0 => return None,
            1 => ("slot", "is"),
            _ => ("slots", "are"),
        };
        let reasons: Vec<String> = self
            .0
            .iter()
            .map(|(why, n)| format!("{} ({n})", why.plain()))
            .collect();
        Some(format!(
            "{count} {slots} of the service cannot be read and {are} left out: {}.",
            reasons.join(", ")
        ))
    }
}

impl Serialize for Unreadable {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let why: Vec<_> = self
            .0
            .iter()
            .map(|(why, n)| json!({ "why": why.plain(), "slots": n }))
            .collect();
        json!({ "count": self.count(), "reasons": why }).serialize(to)
    }
}
