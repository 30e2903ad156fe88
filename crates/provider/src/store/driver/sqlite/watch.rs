//! SQLite's count of commits, as one connection sees it.

use super::connect::{self, Location};
use crate::store::error::StoreError;
use rusqlite::Connection;

/// A connection that only watches: SQLite counts for it the commits of every other connection, of this process and of
/// others.
pub(in crate::store) struct Watcher(Connection);

impl Watcher {
    /// Opens the connection.
    pub(in crate::store) fn start(place: &Location) -> Result<Watcher, StoreError> {
        Ok(Watcher(connect::watcher(place)?))
    }

    /// The count; only whether it differs means something.
    pub(in crate::store) fn count(&self) -> Result<i64, StoreError> {
        let count = self
            .0
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |r| r.get(0))?;
        Ok(count)
    }
}
