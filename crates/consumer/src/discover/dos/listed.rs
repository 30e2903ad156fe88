//! A list of services with what of it could not be offered: how many, and why. Nobody may take it for the whole list.

use super::Service;
use serde::{Serialize, Serializer};
use serde_json::json;

/// The services of the DoS in their order.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Those that can be offered.
    pub services: Vec<Service>,
    /// The others.
    pub left_out: LeftOut,
}

/// How many services of a list cannot be offered, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Without a proper id, by which anything else could be asked.
    pub without_id: usize,
    /// Beyond the most that are read.
    pub beyond: usize,
}

impl LeftOut {
    /// How many in all.
    pub fn count(self) -> usize {
        self.without_id + self.beyond
    }

    fn reasons(self) -> impl Iterator<Item = (&'static str, usize)> {
        [
            ("no proper id to ask about it by", self.without_id),
            ("too long a list", self.beyond),
        ]
        .into_iter()
        .filter(|(_, n)| *n > 0)
    }

    /// A sentence for the user; `None` when there is nothing to say.
    pub fn plain(self) -> Option<String> {
        let (services, are) = match self.count() {
            0 => return None,
            1 => ("service", "is"),
            _ => ("services", "are"),
        };
        let reasons: Vec<String> = self
            .reasons()
            .map(|(why, n)| format!("{why} ({n})"))
            .collect();
        Some(format!(
            "{} {services} of the directory cannot be offered and {are} left out: {}.",
            self.count(),
            reasons.join(", ")
        ))
    }
}

impl Serialize for LeftOut {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let why: Vec<_> = self
            .reasons()
            .map(|(why, n)| json!({ "why": why, "services": n }))
            .collect();
        json!({ "count": self.count(), "reasons": why }).serialize(to)
    }
}
