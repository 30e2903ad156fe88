//! Audit rows that need not be durable before the answer.

use super::shard::Shard;
use crate::tenant_key::TenantKey;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Rows that may wait: a few seconds of searches at full load, about 10 MB.
pub(super) const DEFERRED_MOST: usize = 8_192;
/// Rows that one transaction takes, about 2 ms of work.
pub(super) const DEFERRED_PER_GROUP: usize = 256;
/// As many rows of a shard wake the writer, and keep it writing until there are fewer: at full load they cost the least
/// together.
const DEFERRED_WAKES: usize = 192;
/// How long a row waits when nothing else is written; the promise is one second.
const DEFERRED_WITHIN: Duration = Duration::from_millis(400);
/// How long rows wait after a transaction that failed, so that they are not tried without a pause.
const AFTER_FAULT: Duration = Duration::from_millis(400);

/// An audit row that waits.
pub(super) struct DeferredRow {
    pub(super) tenant: TenantKey,
    pub(super) body: String,
    /// Since when.
    since: Instant,
}

/// The rows that wait.
#[derive(Default)]
pub(super) struct DeferredAudit {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    shards: HashMap<Shard, Waiting>,
    count: usize,
    closed: bool,
}

struct Waiting {
    rows: VecDeque<DeferredRow>,
    /// Since when the first of them waits, or from when on it does.
    since: Instant,
}

/// What became of a row that was to wait.
pub(super) enum Left {
    /// It waits.
    Waits,
    /// It waits, and the writer should be woken.
    Wakes,
    /// Too many are waiting; here it is again.
    Full(String),
    /// The store is closed.
    Closed,
}

impl DeferredAudit {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a row with those that wait.
    pub(super) fn leave(&self, shard: Shard, tenant: TenantKey, body: String) -> Left {
        let mut all = self.lock();
        if all.closed {
            return Left::Closed;
        }
        if all.count >= DEFERRED_MOST {
            return Left::Full(body);
        }
        all.count += 1;
        let waiting = all.shards.entry(shard).or_insert_with(|| Waiting {
            rows: VecDeque::new(),
            since: Instant::now(),
        });
        waiting.rows.push_back(DeferredRow {
            tenant,
            body,
            since: Instant::now(),
        });
        match waiting.rows.len() == DEFERRED_WAKES {
            true => Left::Wakes,
            false => Left::Waits,
        }
    }

    /// Rows of a shard for one transaction, oldest first.
    pub(super) fn take(&self, shard: Shard) -> Vec<DeferredRow> {
        let mut all = self.lock();
        let Some(waiting) = all.shards.get_mut(&shard) else {
            return Vec::new();
        };
        let n = waiting.rows.len().min(DEFERRED_PER_GROUP);
        let taken: Vec<_> = waiting.rows.drain(..n).collect();
        waiting.since = Instant::now();
        if waiting.rows.is_empty() {
            all.shards.remove(&shard);
        }
        all.count -= n;
        taken
    }

    /// After a transaction that failed the rows go back to where they were.
    pub(super) fn put_back(&self, shard: Shard, rows: Vec<DeferredRow>) {
        if rows.is_empty() {
            return;
        }
        let mut all = self.lock();
        all.count += rows.len();
        let later = Instant::now() + AFTER_FAULT;
        let waiting = all.shards.entry(shard).or_insert_with(|| Waiting {
            rows: VecDeque::new(),
            since: later,
        });
        waiting.since = later;
        for row in rows.into_iter().rev() {
            waiting.rows.push_front(row);
        }
    }

    /// How many wait, and since when the oldest.
    pub(super) fn waiting(&self) -> (usize, Option<Instant>) {
        let all = self.lock();
        let firsts = all.shards.values().filter_map(|w| w.rows.front());
        (all.count, firsts.map(|row| row.since).min())
    }

    /// A shard whose rows should be written now.
    pub(super) fn due(&self) -> Option<Shard> {
        let (all, now) = (self.lock(), Instant::now());
        all.shards
            .iter()
            .filter(|(_, w)| w.since <= now)
            .find(|(_, w)| w.rows.len() >= DEFERRED_WAKES || now - w.since >= DEFERRED_WITHIN)
            .map(|(shard, _)| *shard)
    }

    /// How long until rows are due.
    pub(super) fn patience(&self) -> Duration {
        let (all, now) = (self.lock(), Instant::now());
        let first = all.shards.values().map(|w| w.since + DEFERRED_WITHIN).min();
        first.map_or(DEFERRED_WITHIN, |at| at.saturating_duration_since(now))
    }

    /// Any shard that has rows.
    pub(super) fn any(&self) -> Option<Shard> {
        self.lock().shards.keys().next().copied()
    }

    /// Takes no more rows; returns how many are left.
    pub(super) fn close(&self) -> usize {
        let mut all = self.lock();
        all.closed = true;
        all.count
    }

    /// Closes if nothing is left.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut all = self.lock();
        all.closed = all.count == 0;
        all.closed
    }
}
