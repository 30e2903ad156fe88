//! Whether anything was committed, told without reading anything.
//!
//! The text of `pg_current_snapshot()` is the set of transactions whose work can be seen: while it is the same, everything
//! that can be read is the same. It counts other databases of the server too, which costs a look, and is never wrong.
//!
//! A transaction can be seen only after the record of its commit was flushed. So a standby that has replayed the log up to
//! where it was flushed just after the look holds everything that the look saw, if it follows the same history.

use super::connection::Connection;
use super::server::Server;
use super::session::Role;
use crate::store::driver::values;
use crate::store::error::StoreError;
use std::sync::Arc;

/// How often a lost connection is replaced before the caller is told.
const TRIES: usize = 3;

const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text, \
     pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint";
/// The server's identity and the history that it writes: the number with which names of its log files begin.
const HISTORY: &str = "SELECT (SELECT system_identifier FROM pg_control_system()), \
     ('x' || lpad(left(pg_walfile_name(pg_current_wal_flush_lsn()), 8), 16, '0'))::bit(64)::bigint";
/// The same of a standby, and how far it is; null of a server that is none. It counts as following a history when it has
/// taken a checkpoint of it.
const REPLAYED: &str = "SELECT (SELECT system_identifier FROM pg_control_system()), \
     (SELECT timeline_id::bigint FROM pg_control_checkpoint()), \
     CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END";

/// A place in the log of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Position {
    /// The server's identity, and which history of it: a failover begins another.
    history: (i64, i64),
    /// Bytes since the beginning.
    at: i64,
}

impl Position {
    /// How far a standby is; `None`: it is none.
    pub(in crate::store) fn replayed(
        standby: &crate::store::driver::Connection,
    ) -> Result<Option<Position>, StoreError> {
        let found = standby.one(REPLAYED, values![], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<Option<i64>>(2)?))
        })?;
        Ok(found.and_then(|(system, timeline, at)| {
            Some(Position {
                history: (system, timeline),
                at: at?,
            })
        }))
    }

    /// True when everything up to the other place is included.
    pub(in crate::store) fn covers(&self, other: &Position) -> bool {
        self.history == other.history && self.at >= other.at
    }
}

/// A connection that only watches.
pub(in crate::store) struct Watcher {
    server: Arc<Server>,
    connection: Option<Connection>,
    seen: String,
    count: i64,
    /// Positions are asked for.
    positions: bool,
    history: Option<(i64, i64)>,
    /// Where the log was when what is seen was first seen.
    at: i64,
}

impl Watcher {
    /// Begins to watch.
    pub(in crate::store) fn start(
        server: Arc<Server>,
        positions: bool,
    ) -> Result<Watcher, StoreError> {
        let mut watcher = Watcher {
            server,
            connection: None,
            seen: String::new(),
            count: 0,
            positions,
            history: None,
            at: 0,
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

    /// How far a standby must be to hold what was last seen.
    pub(in crate::store) fn position(&self) -> Option<Position> {
        let at = self.at;
        self.history.map(|history| Position { history, at })
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let connection = match &self.connection {
            Some(connection) if !connection.is_dead() => connection,
            _ => {
                // After a failover the same words may mean something else.
                self.count += 1;
                self.seen.clear();
                self.history = None;
                let connection = self.server.connect(Role::Reader)?;
                if self.positions {
                    self.history = history(&connection);
                }
                self.connection.insert(connection)
            }
        };
        let rows = connection.query(SNAPSHOT, values![])?;
        let now: Option<(String, i64)> = rows
            .first()
            .and_then(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?)));
        let (now, at) = now.ok_or_else(|| StoreError::unexpected("the server has no snapshot"))?;
        if now != self.seen {
            self.seen = now;
            self.at = at;
            self.count += 1;
        }
        Ok(())
    }
}

/// Without it no standby is used; that is no reason to fail.
fn history(connection: &Connection) -> Option<(i64, i64)> {
    match connection.query(HISTORY, values![]) {
        Ok(rows) => rows
            .first()
            .and_then(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?))),
        Err(fault) => {
            tracing::warn!(error = %fault.error, "the replica is not used: the primary does not tell its history");
            None
        }
    }
}
