//! Whether anything in the database changed, told without reading it: at once of this process's commits, within
//! [`OTHERS_WITHIN`] of another's.

use crate::store::driver::postgres::Position;
use crate::store::driver::{Place, postgres, sqlite};
use crate::store::error::StoreError;
use crate::store::model::Revision;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection that sees whether there are other commits than before.
enum Watcher {
    Sqlite(sqlite::Watcher),
    Postgres(Box<postgres::Watcher>),
}

impl Watcher {
    fn count(&mut self) -> Result<i64, StoreError> {
        match self {
            Watcher::Sqlite(watcher) => watcher.count(),
            Watcher::Postgres(watcher) => watcher.count(),
        }
    }

    fn position(&self) -> Option<Position> {
        match self {
            Watcher::Sqlite(_) => None,
            Watcher::Postgres(watcher) => watcher.position(),
        }
    }
}

/// The revision as last seen.
pub(super) struct Watch {
    commits: Commits,
    state: Mutex<State>,
    /// Asking takes a way over the network.
    far: bool,
}

struct State {
    watcher: Watcher,
    /// The watcher's count as last seen; only differences mean something.
    seen: i64,
    revision: u64,
    /// This process's commits when the watcher was last asked, and when that was.
    own: u64,
    asked: Instant,
}

impl Watch {
    /// Begins to watch; `positions`: also how far in the log a standby must be.
    pub(super) fn start(
        place: &Place,
        commits: Commits,
        positions: bool,
    ) -> Result<Watch, StoreError> {
        let mut watcher = match place {
            Place::Sqlite(place) => Watcher::Sqlite(sqlite::Watcher::start(place)?),
            Place::Postgres(server) => {
                let watcher = postgres::Watcher::start(server.clone(), positions)?;
                Watcher::Postgres(Box::new(watcher))
            }
        };
        let own = commits.count();
        let seen = watcher.count()?;
        Ok(Watch {
            far: matches!(place, Place::Postgres(_)),
            state: Mutex::new(State {
                watcher,
                seen,
                revision: 0,
                own,
                asked: Instant::now(),
            }),
            commits,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision now: differs from an earlier one when something was committed in between.
    pub(super) fn revision(&self) -> Result<Revision, StoreError> {
        if !self.far {
            return self.lock().revision(self.commits.count());
        }
        // Mostly there is nothing to wait for.
        if let Ok(state) = self.state.try_lock()
            && let Some(revision) = state.fresh(self.commits.count(), Instant::now())
        {
            return Ok(revision);
        }
        postgres::aside(|| self.lock().revision(self.commits.count()))
    }

    /// How far a standby must be to hold all that the revision now stands for; `None` when that cannot be told.
    pub(super) fn position(&self) -> Result<Option<Position>, StoreError> {
        let mut state = self.lock();
        state.revision(self.commits.count())?;
        Ok(state.watcher.position())
    }
}

impl State {
    fn fresh(&self, own: u64, now: Instant) -> Option<Revision> {
        let fresh = own == self.own && now.duration_since(self.asked) < OTHERS_WITHIN;
        fresh.then_some(Revision(self.revision))
    }

    /// `own` was taken before the database is asked, so that what comes in between counts next time.
    fn revision(&mut self, own: u64) -> Result<Revision, StoreError> {
        let now = Instant::now();
        if let Some(revision) = self.fresh(own, now) {
            return Ok(revision);
        }
        let seen = self.watcher.count()?;
        (self.own, self.asked) = (own, now);
        if seen != self.seen {
            self.seen = seen;
            self.revision += 1;
        }
        Ok(Revision(self.revision))
    }
}
