//! Whether anything was committed, told without reading anything.
//!
//! The text of `pg_current_snapshot()` is the set of transactions whose work can be seen: while it is the same, everything
//! that can be read is the same. It counts other databases of the server too, which costs a look, and is never wrong.

use super::connection::Connection;
use super::server::Server;
use super::session::Role;
use crate::store::driver::values;
use crate::store::error::StoreError;
use std::sync::Arc;

/// How often a lost connection is replaced before the caller is told.
const TRIES: usize = 3;

const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text";

/// A connection that only watches.
pub(in crate::store) struct Watcher {
    server: Arc<Server>,
    connection: Option<Connection>,
    seen: String,
    count: i64,
}

impl Watcher {
    /// Begins to watch.
    pub(in crate::store) fn start(server: Arc<Server>) -> Result<Watcher, StoreError> {
        let mut watcher = Watcher {
            server,
            connection: None,
            seen: String::new(),
            count: 0,
        };
        watcher.count()?;
        Ok(watcher)
    }

    /// A count; only whether it differs means something.
    pub(in crate::store) fn count(&mut self) -> Result<i64, StoreError> {
        let mut tries = 0;
        // Bounded by TRIES.
        loop {
            tries += 1;
            match self.look() {
                Ok(()) => return Ok(self.count),
                Err(error) => {
                    self.connection = None;
                    if tries == TRIES || !error.is_transient() {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let connection = match &self.connection {
            Some(connection) if !connection.is_dead() => connection,
            _ => {
                // After a failover the same words may mean something else.
                self.count += 1;
                self.connection.insert(self.server.connect(Role::Reader)?)
            }
        };
        let rows = connection.query(SNAPSHOT, values![])?;
        let now: Option<String> = rows.first().and_then(|row| row.try_get(0).ok());
        let now = now.ok_or_else(|| StoreError::unexpected("the server has no snapshot"))?;
        if now != self.seen {
            self.seen = now;
            self.count += 1;
        }
        Ok(())
    }
}
