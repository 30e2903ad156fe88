//! A bounded pool of reading connections.

use super::connect::{self, Place};
use crate::store::error::StoreError;
use rusqlite::Connection;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a read waits for a connection. Reads take microseconds; after this long something is badly wrong.
const WAIT: Duration = Duration::from_secs(5);

/// The pool. Connections are opened when first needed and kept.
pub(super) struct Readers {
    place: Place,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub(super) fn new(place: Place, most: usize) -> Readers {
        Readers {
            place,
            most: most.max(1),
            state: Mutex::new(State {
                idle: Vec::new(),
                open: 0,
            }),
            returned: Condvar::new(),
        }
    }

    /// Runs one read on a connection of the pool.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.take()?;
        let mut lease = Lease {
            pool: self,
            kept: None,
        };
        let outcome = read(&connection);
        // A read transaction left open would keep the WAL from shrinking: such a connection is closed.
        lease.kept = Some(connection).filter(Connection::is_autocommit);
        outcome
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .returned
            .wait_timeout_while(state, WAIT, |s| s.idle.is_empty() && s.open >= self.most)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = state.idle.pop() {
            return Ok(connection);
        }
        if state.open >= self.most {
            return Err(StoreError::busy("every reading connection is in use"));
        }
        state.open += 1;
        drop(state);
        connect::reader(&self.place, self.most).inspect_err(|_| self.put(None))
    }

    /// A connection of its own for a long read, such as the check of an audit trail.
    pub(super) fn separate(&self) -> Result<Connection, StoreError> {
        connect::reader(&self.place, self.most)
    }

    fn put(&self, connection: Option<Connection>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match connection {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        drop(state);
        self.returned.notify_one();
    }
}

/// Gives the place in the pool back, also when a read panics.
struct Lease<'p> {
    pool: &'p Readers,
    kept: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.put(self.kept.take());
    }
}
