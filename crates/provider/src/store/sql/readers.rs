//! A bounded pool of reading connections.

use crate::store::driver::Connection;
use crate::store::error::StoreError;
use crate::store::gauges::Gauges;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a read waits for a connection. Reads take microseconds; after this long something is badly wrong.
const WAIT: Duration = Duration::from_secs(5);
/// How often a read is done whose connection is lost meanwhile, or cannot be made: after a restart of the server every
/// connection that was kept is dead, and the server may need a moment.
const TRIES: usize = 6;
/// How long nobody else tries to connect after a try failed, so that not every request waits for a server that is
/// away.
const AWAY: Duration = Duration::from_millis(250);
/// How long every try must have failed before that is believed: one may have other reasons.
const AWAY_AFTER: Duration = Duration::from_millis(500);
/// Pause before the second try; twice as long each time, two thirds of a second in all.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes a connection.
type Open = Box<dyn Fn() -> Result<Connection, StoreError> + Send + Sync>;

/// The pool. Connections are opened when first needed and kept.
pub(in crate::store) struct Readers {
    open: Open,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
    gauges: Arc<Gauges>,
}

struct State {
    idle: Vec<Connection>,
    open: usize,
    /// Since when no connection could be made.
    away: Option<Away>,
}

impl Readers {
    pub(in crate::store) fn new(most: usize, open: Open, gauges: Arc<Gauges>) -> Readers {
        Readers {
            open,
            most: most.max(1),
            state: Mutex::new(State {
                idle: Vec::new(),
                open: 0,
                away: None,
            }),
            returned: Condvar::new(),
            gauges,
        }
    }

    /// Runs one read on a connection of the pool; again on another if the connection is lost.
    pub(in crate::store) fn with<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (mut tries, mut pause) = (1, PAUSE);
        loop {
            match self.once(&read) {
                Ok((outcome, lost)) if !lost || tries == TRIES => return outcome,
                // All that were kept are as likely lost as this one.
                Ok(_) => self.drop_dead(),
                Err(StoreError::Unreachable { .. } | StoreError::ReadOnly { .. })
                    if tries < TRIES && !self.is_away() => {}
                Err(error) => return Err(error),
            }
            std::thread::sleep(pause);
            pause *= 2;
            tries += 1;
        }
    }

    /// True when several connections in a row could not be made: then nobody waits for the next.
    fn is_away(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.away.as_ref().is_some_and(Away::is_believed)
    }

    fn once<T>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<(Result<T, StoreError>, bool), StoreError> {
        let connection = self.take()?;
        let mut lease = Lease {
            pool: self,
            kept: None,
        };
        let outcome = read(&connection);
        let lost = outcome.is_err() && connection.is_dead();
        // A read transaction left open would keep the WAL from shrinking: such a connection is closed.
        lease.kept = Some(connection)
            .filter(|c| !c.in_transaction() && !c.must_begin_again() && !c.is_dead());
        Ok((outcome, lost))
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
            self.gauges.reader_refused();
            return Err(StoreError::busy("every reading connection is in use"));
        }
        if let Some(away) = state.away.as_ref().filter(|a| a.is_believed()) {
            return Err(away.error.clone());
        }
        state.open += 1;
        drop(state);
        let opened = (self.open)();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.away.take().map(|away| away.since);
        if let Err(error) = &opened {
            let tried = Instant::now();
            state.away = Some(Away {
                error: error.clone(),
                since: before.unwrap_or(tried),
                tried,
            });
            drop(state);
            self.put(None);
        }
        opened
    }

    fn drop_dead(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.idle.len();
        state.idle.retain(|connection| !connection.is_dead());
        state.open -= before - state.idle.len();
        drop(state);
        self.returned.notify_all();
    }

    /// Connections in use, and how many may be.
    pub(in crate::store) fn in_use(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.open.saturating_sub(state.idle.len()), self.most)
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

/// A server to which no connection can be made.
struct Away {
    /// What the last try said.
    error: StoreError,
    since: Instant,
    tried: Instant,
}

impl Away {
    /// True while nobody needs to try again.
    fn is_believed(&self) -> bool {
        self.tried - self.since >= AWAY_AFTER && self.tried.elapsed() < AWAY
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
