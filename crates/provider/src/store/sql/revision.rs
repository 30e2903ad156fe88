//! Whether anything in the database changed, told without reading it: at once of this process's commits, within
//! [`OTHERS_WITHIN`] of another's.

use crate::store::driver::postgres::{self, Position};
use crate::store::driver::{DatabaseUrl, sqlite};
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
pub(in crate::store) struct Commits(Arc<AtomicU64>);

impl Commits {
    /// Notes one, before anybody hears of it.
    pub(in crate::store) fn note(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    pub(in crate::store) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection that sees whether there are other commits than before.
enum Watcher {
    /// Asking takes less than a microsecond.
    Near(Mutex<sqlite::Watcher>),
    /// Asking takes a way over the network: one asks, the others wait for the answer.
    Far(tokio::sync::Mutex<postgres::Watcher>),
}

/// The revision as last seen.
pub(in crate::store) struct Watch {
    commits: Commits,
    watcher: Watcher,
    state: Mutex<State>,
}

struct State {
    /// The watcher's count as last seen; only differences mean something.
    seen: Option<i64>,
    /// How far a standby must be to hold that.
    position: Option<Position>,
    revision: u64,
    /// This process's commits when the watcher was last asked, and when that was.
    own: u64,
    asked: Instant,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// Begins to watch; `positions`: also how far in the log a standby must be.
    pub(in crate::store) fn start(
        url: &DatabaseUrl,
        commits: Commits,
        positions: bool,
    ) -> Result<Watch, StoreError> {
        let watcher = match url {
            DatabaseUrl::Sqlite(location) => {
                Watcher::Near(Mutex::new(sqlite::Watcher::start(location)?))
            }
            DatabaseUrl::Postgres(server) => {
                let watcher = postgres::Watcher::start(server.clone(), positions)?;
                Watcher::Far(tokio::sync::Mutex::new(watcher))
            }
        };
        let watch = Watch {
            state: Mutex::new(State {
                seen: None,
                position: None,
                revision: 0,
                own: commits.count(),
                asked: Instant::now(),
            }),
            commits,
            watcher,
        };
        watch.revision_blocking()?;
        Ok(watch)
    }

    /// The revision now: differs from an earlier one when something was committed in between.
    pub(in crate::store) async fn revision(&self) -> Result<Revision, StoreError> {
        if let Some(revision) = self.fresh() {
            return Ok(revision);
        }
        match &self.watcher {
            Watcher::Near(watcher) => self.ask_near(watcher),
            Watcher::Far(watcher) => self.ask_far(watcher).await,
        }
    }

    /// The same for who is not in a task.
    pub(in crate::store) fn revision_blocking(&self) -> Result<Revision, StoreError> {
        match &self.watcher {
            Watcher::Near(watcher) => self.ask_near(watcher),
            Watcher::Far(watcher) => postgres::blocking(self.ask_far(watcher)),
        }
    }

    /// How far a standby must be to hold all that the revision now stands for; `None` when that cannot be told.
    pub(in crate::store) fn position(&self) -> Result<Option<Position>, StoreError> {
        self.revision_blocking()?;
        Ok(locked(&self.state).position)
    }

    fn fresh(&self) -> Option<Revision> {
        locked(&self.state).fresh(self.commits.count(), Instant::now())
    }

    fn ask_near(&self, watcher: &Mutex<sqlite::Watcher>) -> Result<Revision, StoreError> {
        let watcher = locked(watcher);
        // Somebody else may have asked meanwhile.
        if let Some(revision) = self.fresh() {
            return Ok(revision);
        }
        // Before the database is asked, so that what comes in between counts next time.
        let (own, now) = (self.commits.count(), Instant::now());
        let seen = watcher.count()?;
        Ok(locked(&self.state).note(seen, None, own, now))
    }

    async fn ask_far(
        &self,
        watcher: &tokio::sync::Mutex<postgres::Watcher>,
    ) -> Result<Revision, StoreError> {
        let mut watcher = watcher.lock().await;
        if let Some(revision) = self.fresh() {
            return Ok(revision);
        }
        let (own, now) = (self.commits.count(), Instant::now());
        let seen = watcher.count().await?;
        Ok(locked(&self.state).note(seen, watcher.position(), own, now))
    }
}

impl State {
    fn fresh(&self, own: u64, now: Instant) -> Option<Revision> {
        let fresh = self.seen.is_some()
            && own == self.own
            && now.duration_since(self.asked) < OTHERS_WITHIN;
        fresh.then_some(Revision(self.revision))
    }

    fn note(
        &mut self,
        seen: i64,
        position: Option<Position>,
        own: u64,
        asked: Instant,
    ) -> Revision {
        self.position = position;
        (self.own, self.asked) = (own, asked);
        if self.seen != Some(seen) {
            self.seen = Some(seen);
            self.revision += 1;
        }
        Revision(self.revision)
    }
}
