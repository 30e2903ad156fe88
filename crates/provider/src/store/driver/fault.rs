//! A statement that failed: what to say of it, and what can be done about it.

use crate::store::error::{StoreError, WriteError};

/// What can be done about a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// A unique index refused the row; its name, or what the database says of it.
    Unique(String),
    /// The transaction was given up for another one's sake, or its connection is gone: the same again on a fresh
    /// connection may succeed.
    Again,
    /// Nothing here.
    Final,
}

/// A statement that failed.
#[derive(Clone, Debug)]
pub(in crate::store) struct Fault {
    /// What can be done.
    pub(in crate::store) kind: Kind,
    /// What to say.
    pub(in crate::store) error: StoreError,
}

impl Fault {
    /// A fault with which nothing can be done.
    pub(in crate::store) fn last(error: StoreError) -> Fault {
        Fault {
            kind: Kind::Final,
            error,
        }
    }

    /// True when a unique index refused the row.
    pub(in crate::store) fn is_unique(&self) -> bool {
        matches!(self.kind, Kind::Unique(_))
    }

    /// True when it was the index that keeps live bookings of a slot apart.
    pub(in crate::store) fn is_live_booking(&self) -> bool {
        // SQLite names the columns, PostgreSQL the index.
        matches!(&self.kind, Kind::Unique(which)
            if which.contains("appointment.slot") || which == "appointment_live")
    }
}

/// Faults of a schema that are named; the rest is counted.
const NAMED: usize = 5;

/// Faults in a sentence.
pub(in crate::store) fn listed(faults: &[String]) -> String {
    let named = faults[..faults.len().min(NAMED)].join(", ");
    match faults.len() - faults.len().min(NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::last(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        fault.error
    }
}

impl From<Fault> for WriteError {
    fn from(fault: Fault) -> WriteError {
        WriteError::Store(fault.error)
    }
}

/// A stored value that this program never writes.
pub(in crate::store) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt {
        what: format!("a stored value cannot be right: {what}"),
    }
}
