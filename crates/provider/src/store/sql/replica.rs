//! Reads of the diary at a streaming standby, when it holds everything that the primary was seen to hold.
//!
//! Nobody waits for the standby: connections are made by a thread of their own, one that is not there or not far enough is
//! passed over, and the primary is asked instead.

use crate::store::driver::postgres::{self, Position, Role, Server, Target};
use crate::store::driver::{Connection, DatabaseUrl};
use crate::store::error::StoreError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a standby that is not far enough is left alone: so much longer may it take until it is used again.
const BEHIND: Duration = Duration::from_millis(10);
/// How long one is left alone that cannot be reached or has failed.
const AWAY: Duration = Duration::from_secs(1);

/// The standby.
pub(in crate::store) struct Replica {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    most: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Kept>,
    open: usize,
    /// How many there should be; one more when none was idle.
    wanted: usize,
    /// Until when nobody asks.
    alone: Option<Instant>,
    is_away: bool,
    closed: bool,
}

/// A connection, and how far the standby was when it was last asked.
struct Kept {
    connection: Connection,
    at: Option<Position>,
}

impl Replica {
    /// Reads the address and starts the thread that connects.
    pub(in crate::store) fn start(
        url: &DatabaseUrl,
        address: &str,
        most: usize,
    ) -> Result<Replica, StoreError> {
        if !matches!(url, DatabaseUrl::Postgres(_)) || !postgres::is_address(address) {
            return Err(StoreError::Address {
                given: crate::store::redacted(address),
                why: "a replica is a standby of a PostgreSQL database: write postgres://USER@HOST/DATABASE".to_owned(),
            });
        }
        let shared = Arc::new(Shared {
            server: Server::start(address, Target::Any)?,
            most,
            state: Mutex::new(State {
                wanted: 1,
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        let own = shared.clone();
        std::thread::Builder::new()
            .name("store-replica".to_owned())
            .spawn(move || own.keep_connected())
            .map_err(|e| StoreError::unexpected(format!("a thread cannot be started: {e}")))?;
        Ok(Replica { shared })
    }

    /// One read, if the standby is as far as needed and answers; else the primary is to be asked.
    pub(in crate::store) fn read<T>(
        &self,
        needed: &Position,
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Option<T> {
        let mut kept = self.shared.take()?;
        match kept.reaches(needed).and_then(|far| match far {
            true => read(&kept.connection).map(Some),
            false => Ok(None),
        }) {
            Ok(found) => {
                let behind = found.is_none().then_some(BEHIND);
                self.shared.put(kept, behind);
                found
            }
            Err(error) => {
                self.shared.failed(kept, &error);
                None
            }
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Kept {
    fn reaches(&mut self, needed: &Position) -> Result<bool, StoreError> {
        if self.at.is_none_or(|at| !at.covers(needed)) {
            self.at = Position::replayed(&self.connection)?;
        }
        Ok(self.at.is_some_and(|at| at.covers(needed)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection.
    fn take(&self) -> Option<Kept> {
        let mut state = self.lock();
        if state.alone.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let kept = state.idle.pop();
        if kept.is_none() && state.wanted == state.open && state.wanted < self.most {
            state.wanted += 1;
            self.changed.notify_all();
        }
        kept
    }

    fn put(&self, kept: Kept, alone: Option<Duration>) {
        let mut state = self.lock();
        state.idle.push(kept);
        state.alone = alone.map(|pause| Instant::now() + pause);
    }

    /// A statement that the standby gave up, because it had to replay what was being read, is no reason to leave it alone.
    fn failed(&self, kept: Kept, error: &StoreError) {
        let c = &kept.connection;
        if !c.is_dead() && !c.in_transaction() && !c.must_begin_again() {
            return self.put(kept, None);
        }
        let mut state = self.lock();
        state.open -= 1;
        // The others are as likely lost.
        state.open -= state.idle.len();
        let lost = std::mem::take(&mut state.idle);
        state.wanted = 1;
        self.leave(&mut state, error);
        drop(state);
        drop(lost);
        self.changed.notify_all();
    }

    fn leave(&self, state: &mut State, error: &StoreError) {
        state.alone = Some(Instant::now() + AWAY);
        if !std::mem::replace(&mut state.is_away, true) {
            tracing::warn!(%error, replica = self.server.shown(), "the replica is away; searches go to the primary");
        }
    }

    /// Opens what is wanted, until the store is closed.
    fn keep_connected(&self) {
        let mut state = self.lock();
        while !state.closed {
            let pause = state
                .alone
                .filter(|_| state.is_away)
                .map(|until| until.saturating_duration_since(Instant::now()))
                .filter(|pause| !pause.is_zero());
            if let Some(pause) = pause {
                let waited = self.changed.wait_timeout(state, pause);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            if state.open >= state.wanted {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            let opened = self.server.connect(Role::Replica);
            state = self.lock();
            match opened {
                Ok(connection) => {
                    state.open += 1;
                    state.idle.push(Kept {
                        connection: connection.into(),
                        at: None,
                    });
                    if std::mem::replace(&mut state.is_away, false) {
                        state.alone = None;
                        tracing::info!(replica = self.server.shown(), "the replica is there again");
                    }
                }
                Err(error) => self.leave(&mut state, &error),
            }
        }
    }
}
