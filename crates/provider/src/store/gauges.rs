//! What the store tells about itself: commits, queues, connections. Counted by atomics where the work is done.

use crate::histogram::{Histogram, JOBS, MICROS};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Writes whose outcome is remembered: few enough that what is over soon counts no more.
const REMEMBERED: u32 = 32;
/// One in so many of them failed: too many.
const TOO_MANY: u32 = 4;
/// A write that the server tries by itself counts as so many: it tries one a second, and nobody else may be sent by then.
const PROBE: u32 = 4;

/// A failure of the database that goes on is logged this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Counters of one open store.
#[derive(Debug)]
pub struct Gauges {
    opened: Instant,
    /// Groups that were committed.
    pub commits: AtomicU64,
    /// Groups that were not.
    pub failures: AtomicU64,
    /// Writes that failed, in groups of both kinds.
    pub failed_writes: AtomicU64,
    /// Jobs of each group; audit rows written late are not jobs.
    pub jobs: Histogram,
    /// From the first statement of a group to the end of its commit, microseconds.
    pub took: Histogram,
    /// Writes refused because the queue was full, or unanswered in time.
    pub queue_refusals: AtomicU64,
    /// Reads refused because every connection was in use.
    pub reader_refusals: AtomicU64,
    /// Milliseconds since the store was opened, at the last write that was stored; 0 before the first.
    last: AtomicU64,
    recent: Mutex<Recent>,
    complaint: Mutex<Complaint>,
}

/// The outcomes of the last writes, a bit for each: set when it failed.
#[derive(Debug, Default)]
struct Recent {
    failed: u32,
    known: u32,
}

impl Recent {
    fn note(&mut self, writes: usize, failed: bool) {
        for _ in 0..writes.min(REMEMBERED as usize) {
            self.failed = self.failed << 1 | u32::from(failed);
            self.known = (self.known + 1).min(REMEMBERED);
        }
    }

    fn too_many(&self) -> bool {
        let failed = self.failed.count_ones();
        failed > 0 && failed * TOO_MANY >= self.known
    }
}

/// What was logged of a failure that goes on.
#[derive(Debug, Default)]
struct Complaint {
    logged: Option<Instant>,
    silent: u64,
}

impl Default for Gauges {
    fn default() -> Gauges {
        Gauges {
            opened: Instant::now(),
            commits: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            failed_writes: AtomicU64::new(0),
            jobs: Histogram::new(JOBS),
            took: Histogram::new(MICROS),
            queue_refusals: AtomicU64::new(0),
            reader_refusals: AtomicU64::new(0),
            last: AtomicU64::new(0),
            recent: Mutex::default(),
            complaint: Mutex::default(),
        }
    }
}

impl Gauges {
    /// Whether a failure is to be logged: the first one, and one a minute while it goes on. Some: log it, and say how many
    /// were not logged since.
    pub fn complaint(&self) -> Option<u64> {
        let mut of = self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if of.logged.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY) {
            of.silent += 1;
            return None;
        }
        of.logged = Some(Instant::now());
        Some(std::mem::take(&mut of.silent))
    }

    /// Ends a failure that was logged. Some: log that it is over, and how many were not logged.
    pub fn recovered(&self) -> Option<u64> {
        let mut of = self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        of.logged.take()?;
        Some(std::mem::take(&mut of.silent))
    }

    /// Notes the end of a group, and how many of its jobs failed; late audit rows together count as a job when there is
    /// none.
    pub fn group(&self, jobs: usize, failed: usize, took: Duration, committed: bool) {
        let writes = jobs.max(1);
        let failed = match committed {
            true => failed.min(writes),
            false => writes,
        };
        self.failed_writes
            .fetch_add(failed as u64, Ordering::Relaxed);
        {
            let mut recent = self.recent();
            recent.note(writes - failed, false);
            recent.note(failed, true);
        }
        if !committed {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.jobs.note(jobs as u64);
        self.took
            .note(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        if failed == writes {
            return;
        }
        let at = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(at.max(1), Ordering::Relaxed);
    }

    /// Notes a write that was refused because too many waited.
    pub fn queue_refused(&self) {
        self.queue_refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a read that was refused because every connection was in use.
    pub fn reader_refused(&self) {
        self.reader_refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a write which the server tried by itself, and which is counted already, was stored.
    pub fn probed(&self) {
        self.recent().note(PROBE as usize - 1, false);
    }

    /// True while too many of the last writes failed.
    pub fn is_failing(&self) -> bool {
        self.recent().too_many()
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the last write that was stored; `None` before the first.
    pub fn since_commit(&self) -> Option<Duration> {
        match self.last.load(Ordering::Relaxed) {
            0 => None,
            last => {
                let last = Duration::from_millis(last);
                Some(self.opened.elapsed().saturating_sub(last))
            }
        }
    }
}

/// What is waiting and in use at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Writes waiting or being done.
    pub queued: usize,
    /// Most that may.
    pub queue_most: usize,
    /// Connections reading at this moment.
    pub readers_in_use: usize,
    /// Most that may.
    pub readers_most: usize,
    /// Audit rows not yet written.
    pub audit_waiting: usize,
    /// Age of the oldest of them.
    pub audit_oldest: Duration,
}

/// What waits for people, of one tenant or of nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Referrals filed without a booking.
    pub unmatched: u64,
    /// Referrals in quarantine.
    pub quarantined: u64,
}

/// A database as seen from outside, by `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its file; `None` on a server.
    pub file: Option<std::path::PathBuf>,
    /// Number of its schema.
    pub schema: i64,
    /// Newest schema known here.
    pub newest: i64,
    /// Size of the database.
    pub bytes: u64,
    /// Size of what is written but not yet copied into it.
    pub wal_bytes: u64,
    /// Every page was looked at.
    pub pages_checked: bool,
    /// What is damaged, as far as it was looked for.
    pub damage: Option<String>,
    /// What was acknowledged and is not there, as far as the file beside the database knows.
    pub lost: Vec<String>,
    /// What of the schema is missing or not as this program makes it.
    pub schema_faults: Vec<String>,
    /// Why nothing could be written at this moment.
    pub unwritable: Option<String>,
    /// The server it is on; `None` for a file.
    pub server: Option<ServerSeen>,
}

/// What a PostgreSQL server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSeen {
    /// Its version, as it names it.
    pub version: String,
    /// It is in recovery: a standby, or about to start.
    pub standby: bool,
    /// What is committed is synced to the disk.
    pub fsync: bool,
    /// A page torn by a crash can be put together again.
    pub full_page_writes: bool,
    /// What a commit waits for, as set for new sessions.
    pub synchronous_commit: String,
    /// Standbys that a commit waits for; empty: none.
    pub synchronous_standbys: String,
    /// Connections that it takes.
    pub connections_most: i64,
    /// Connections that it has, its own workers included.
    pub connections: i64,
    /// Transactions since the oldest row was frozen; at two thousand million the server stops.
    pub transaction_age: i64,
    /// Prepared transactions, which this program never makes.
    pub prepared: i64,
    /// Replication slots that nobody reads, which keep WAL for ever.
    pub idle_slots: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One success among failures does not make a server ready, one failure among successes does not make it unready.
    #[test]
    fn the_share_of_failing_writes_decides() {
        let gauges = Gauges::default();
        let one = |failed: usize| gauges.group(1, failed, Duration::ZERO, true);
        assert!(!gauges.is_failing());
        one(1);
        assert!(gauges.is_failing(), "the only one that is known");
        (0..3).for_each(|_| one(0));
        assert!(gauges.is_failing(), "one in four");
        one(0);
        assert!(!gauges.is_failing());
        (0..REMEMBERED).for_each(|_| one(0));
        one(1);
        assert!(!gauges.is_failing(), "one of many");
        for _ in 0..REMEMBERED {
            one(1);
            one(0);
            assert!(
                gauges.recent().failed.count_ones() * TOO_MANY < REMEMBERED || gauges.is_failing()
            );
        }
        assert!(gauges.is_failing(), "every second, and the last was stored");
        // What the server tries by itself makes it ready again within seconds.
        let mut tries = 0;
        while gauges.is_failing() {
            one(0);
            gauges.probed();
            tries += 1;
        }
        assert!(tries <= REMEMBERED / PROBE, "{tries}");
        gauges.group(0, 0, Duration::ZERO, false);
        assert_eq!(gauges.failures.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failure_that_goes_on_is_logged_once_and_its_end_too() {
        let gauges = Gauges::default();
        assert_eq!(gauges.recovered(), None);
        let logged: Vec<Option<u64>> = (0..100).map(|_| gauges.complaint()).collect();
        assert_eq!(logged[0], Some(0));
        assert!(logged[1..].iter().all(Option::is_none));
        assert_eq!(gauges.recovered(), Some(99));
        assert_eq!(gauges.recovered(), None);
        assert_eq!(gauges.complaint(), Some(0));
    }
}
