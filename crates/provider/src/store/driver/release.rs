//! Which steps of the schema a program knows.

use super::{postgres, sqlite};

/// The steps of each database, in order; step n takes the schema from n-1 to n.
#[derive(Clone, Copy)]
pub(in crate::store) struct Release {
    /// Of SQLite.
    pub(in crate::store) sqlite: &'static [&'static str],
    /// Of PostgreSQL.
    pub(in crate::store) postgres: &'static [&'static str],
}

impl Release {
    /// This program.
    pub(in crate::store) const CURRENT: Release = Release {
        sqlite: sqlite::STEPS,
        postgres: postgres::STEPS,
    };
}

/// The newest schema of a list of steps.
pub(in crate::store) fn newest(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}
