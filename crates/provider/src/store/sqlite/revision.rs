//! Whether anything in the database changed, told without reading it: at once of this process's commits, within
//! [`OTHERS_WITHIN`] of another's.

use super::connect::{self, Place};
use crate::store::error::StoreError;
use crate::store::model::Revision;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How old an answer about other processes may be. Nobody can tell such a search from one that came this much earlier,
/// and at full load it is asked for hundreds of times in between.
const OTHERS_WITHIN: Duration = Duration::from_millis(2);

/// Counts this process's commits.
#[derive(Clone, Default)]
pub(super) struct Commits(Arc<AtomicU64>);

impl Commits {
    /// Notes one, before anybody hears of it.
    pub(super) fn note(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection that only watches: SQLite counts for it the commits of every other connection, of this process and of
/// others.
pub(super) struct Watch {
    commits: Commits,
    state: Mutex<State>,
}

struct State {
    connection: Connection,
    /// SQLite's count as last seen; only differences mean something.
    seen: i64,
    revision: u64,
    /// This process's commits when SQLite was last asked, and when that was.
    own: u64,
    asked: Instant,
}

impl Watch {
    pub(super) fn start(place: &Place, commits: Commits) -> Result<Watch, StoreError> {
        let connection = connect::watcher(place)?;
        let seen = count(&connection)?;
        Ok(Watch {
            state: Mutex::new(State {
                connection,
                seen,
                revision: 0,
                own: commits.count(),
                asked: Instant::now(),
            }),
            commits,
        })
    }

    /// The revision now: differs from an earlier one when something was committed in between.
    pub(super) fn revision(&self) -> Result<Revision, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Both are taken before SQLite is asked, so that what comes in between counts next time.
        let (own, now) = (self.commits.count(), Instant::now());
        if own == state.own && now.duration_since(state.asked) < OTHERS_WITHIN {
            return Ok(Revision(state.revision));
        }
        let seen = count(&state.connection)?;
        (state.own, state.asked) = (own, now);
        if seen != state.seen {
            state.seen = seen;
            state.revision += 1;
        }
        Ok(Revision(state.revision))
    }
}

fn count(connection: &Connection) -> Result<i64, StoreError> {
    let count = connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |r| r.get(0))?;
    Ok(count)
}
