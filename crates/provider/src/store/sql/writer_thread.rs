//! Writer thread: commits the queue of one shard in one transaction, then replies.

use super::deferred_audit::{DEFERRED_MOST, DEFERRED_PER_GROUP, DeferredAudit, DeferredRow};
use super::group::{CommitOutcome, Group, Heads};
use super::job::Queued;
use super::revision::Commits;
use super::shard::Shard;
use super::writer::{ANSWER_WITHIN, IntentCount};
use crate::store::driver::{Connection, DatabaseUrl, postgres};
use crate::store::error::{StoreError, WriteError};
use crate::store::gauges::Gauges;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Most jobs in one transaction: beyond this the sync is a small part of the cost and only latency grows.
const GROUP_JOBS: usize = 256;
/// After this long a transaction takes no more jobs, so that a slow job does not hold up the answers of the others.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// How long a group at a server that has done all its jobs waits in all for those that are being made ready: the ways to the
/// server and its sync cost as much, and what they need is a tenth of a millisecond of processor time each. A file
/// gains nothing by it.
const GATHER: Duration = Duration::from_millis(3);
/// How often it looks for them; being woken by each would cost more.
const GATHER_LOOK: Duration = Duration::from_micros(150);
/// A group whose oldest job waits longer is not tried again: its caller needs some of its 30 seconds for the answer.
const RETRY_WITHIN: Duration = Duration::from_secs(20);
/// Pause before the second try; each pause is twice the one before.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest pause.
const PAUSE_MOST: Duration = Duration::from_secs(1);
/// How often the last audit rows are tried to be written when the store closes.
const LAST_TRIES: usize = 5;
/// How long what is waiting is tried to be done when the store closes: a process that is told to stop has its own limit.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// What runs in the thread.
pub(super) struct WriterThread {
    pub(super) url: DatabaseUrl,
    pub(super) connection: Option<Connection>,
    pub(super) commits: Commits,
    /// Jobs, and `None` for audit rows that wait.
    pub(super) jobs: Receiver<Option<Queued>>,
    pub(super) waiting: VecDeque<Queued>,
    pub(super) deferred: Arc<DeferredAudit>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) intents: IntentCount,
    /// When the store is closing: until when.
    pub(super) closing: Option<Instant>,
}

/// The jobs and audit rows of one transaction, over all its tries.
struct Batch {
    shard: Shard,
    jobs: Vec<Queued>,
    rows: Vec<DeferredRow>,
    /// What the chains would be if the last try was stored, whose answer was lost.
    doubt: Option<Heads>,
    /// No job is added after the first try.
    first: bool,
    /// Jobs that the store failed in the last try, though its transaction may be stored.
    failed: usize,
    /// Which audit rows could not be written in that try, in order.
    unwritten: Vec<Unwritten>,
}

/// An audit row that could not be written, by its place among those of the group.
struct Unwritten {
    at: usize,
    /// Another row of its tenant could: then it is this row that is at fault, and no later try would help.
    hopeless: bool,
}

impl WriterThread {
    pub(super) fn run(&mut self) {
        let mut rows_last = false;
        loop {
            self.take_in();
            // Rows that are due and jobs take turns, so that neither waits for the end of the other.
            let due = self.deferred.due();
            let next = self.waiting.front().map(|queued| queued.shard);
            let shard = match (due, next) {
                (Some(due), Some(next)) => Some(if rows_last { next } else { due }),
                (due, next) => due.or(next),
            };
            if let Some(shard) = shard {
                rows_last = due == Some(shard) && next != Some(shard);
                self.group(shard);
                continue;
            }
            match self.jobs.recv_timeout(self.deferred.patience()) {
                Ok(job) => self.waiting.extend(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.last_rows();
    }

    fn take_in(&mut self) {
        // Bounded: the queue has so many places.
        while let Ok(job) = self.jobs.try_recv() {
            self.waiting.extend(job);
        }
    }

    /// The next job of a shard.
    fn next_of(&mut self, shard: Shard) -> Option<Queued> {
        self.take_in();
        let at = self
            .waiting
            .iter()
            .position(|queued| queued.shard == shard)?;
        self.waiting.remove(at)
    }

    /// One transaction: jobs of the shard that wait, and audit rows left for later; again if it is lost for a reason that
    /// may be over.
    fn group(&mut self, shard: Shard) {
        let mut batch = Batch {
            shard,
            jobs: self.next_of(shard).into_iter().collect(),
            rows: self.deferred.take(shard),
            doubt: None,
            first: true,
            failed: 0,
            unwritten: Vec::new(),
        };
        let since = batch
            .jobs
            .first()
            .map_or_else(Instant::now, |job| job.since);
        let until = self.closing.unwrap_or(since + RETRY_WITHIN);
        let (mut pause, mut began) = (PAUSE, Instant::now());
        // Ends at the latest when the time is over.
        let outcome = loop {
            let (error, again) = match self.attempt(&mut batch) {
                CommitOutcome::Stored => break Ok(()),
                CommitOutcome::NotStored(error) => (error, false),
                CommitOutcome::Again(error) => (error, true),
                CommitOutcome::Unknown(error, heads) => {
                    batch.doubt = Some(heads);
                    (error, true)
                }
            };
            batch.first = false;
            if !again || Instant::now() + pause >= until {
                break Err(match &batch.doubt {
                    Some(_) => {
                        StoreError::busy("a write had no answer in time; it may have happened")
                    }
                    None => error,
                });
            }
            if let Some(silent) = self.gauges.complaint() {
                tracing::warn!(%error, jobs = batch.jobs.len(), silent, "a group of writes is tried again");
            }
            std::thread::sleep(jittered(pause));
            pause = (pause * 2).min(PAUSE_MOST);
            began = Instant::now();
        };
        // Audit rows alone change nothing that a search reads.
        if !batch.jobs.is_empty() {
            self.commits.note();
        }
        let whole = outcome.is_ok() && batch.failed == 0 && batch.unwritten.is_empty();
        let failed = match outcome.is_ok() {
            true => batch.failed + usize::from(!batch.unwritten.is_empty()),
            false => batch.jobs.len(),
        };
        self.gauges
            .group(batch.jobs.len(), failed, began.elapsed(), outcome.is_ok());
        if whole && let Some(silent) = self.gauges.recovered() {
            tracing::info!(silent, "writes are stored again");
        }
        self.end(batch, outcome);
    }

    fn end(&mut self, batch: Batch, outcome: Result<(), StoreError>) {
        match &outcome {
            Ok(()) => self.keep_unwritten(batch.shard, batch.rows, &batch.unwritten),
            Err(error) => {
                if let Some(silent) = self.gauges.complaint() {
                    tracing::error!(%error, jobs = batch.jobs.len(), silent, "a group of writes was not stored");
                }
                self.deferred.put_back(batch.shard, batch.rows);
            }
        }
        for queued in batch.jobs {
            queued.job.answer(outcome.clone());
        }
        if let Some(connection) = &self.connection {
            connection.between_groups();
        }
    }

    /// Audit rows that a stored group could not take wait for a later one.
    fn keep_unwritten(&self, shard: Shard, rows: Vec<DeferredRow>, unwritten: &[Unwritten]) {
        let (mut kept, mut next) = (Vec::new(), unwritten.iter().peekable());
        for (at, row) in rows.into_iter().enumerate() {
            match next.next_if(|one| one.at == at) {
                Some(one) if one.hopeless => {
                    tracing::error!(tenant = row.tenant.number(), "an audit row is given up");
                }
                Some(_) => kept.push(row),
                None => {}
            }
        }
        if !kept.is_empty()
            && let Some(silent) = self.gauges.complaint()
        {
            tracing::error!(
                rows = kept.len(),
                silent,
                "audit rows wait: the database does not take them"
            );
        }
        self.deferred.put_back(shard, kept);
    }

    /// The writing connection, a new one if the last was lost.
    fn connect(&mut self) -> Result<&Connection, StoreError> {
        let alive = self.connection.take().filter(|c| !c.is_dead());
        let connection = match (alive, &self.url) {
            (Some(connection), _) => connection,
            (None, DatabaseUrl::Postgres(server)) => {
                server.connect_here(postgres::Role::Writer)?.into()
            }
            (None, DatabaseUrl::Sqlite(_)) => {
                return Err(StoreError::unexpected("the writing connection is gone"));
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn attempt(&mut self, batch: &mut Batch) -> CommitOutcome {
        if let Err(error) = self.connect() {
            return match error {
                StoreError::Unreachable { .. } | StoreError::ReadOnly { .. } => {
                    CommitOutcome::Again(error)
                }
                _ => CommitOutcome::NotStored(error),
            };
        }
        // Taken out while the queue is looked at.
        let Some(connection) = self.connection.take() else {
            return CommitOutcome::NotStored(StoreError::Closed);
        };
        let outcome = self.on(&connection, batch);
        self.connection = Some(connection);
        outcome
    }

    fn on(&mut self, connection: &Connection, batch: &mut Batch) -> CommitOutcome {
        let mut group = match Group::begin(connection, batch.shard) {
            Ok(group) => group,
            Err(error) if connection.must_begin_again() => return CommitOutcome::Again(error),
            // The lost connection of the try before may still hold the lock: the server takes it away in a few seconds.
            Err(error @ StoreError::Busy { .. }) if !batch.first => {
                return CommitOutcome::Again(error);
            }
            Err(error) => {
                if let Some(silent) = self.gauges.complaint() {
                    tracing::error!(%error, silent, "no transaction could be begun");
                }
                // All that waits of this shard: each would only wait as long again. What comes later is batch.
                while batch.jobs.len() < GROUP_JOBS
                    && let Some(queued) = self.next_of(batch.shard)
                {
                    batch.jobs.push(queued);
                }
                return CommitOutcome::NotStored(error);
            }
        };
        if let Some(heads) = batch.doubt.clone() {
            match group.was_stored(&heads) {
                Ok(true) => {
                    // It can be seen, which is not yet that a synchronous standby has it: a commit after it waits for that.
                    return match group.commit() {
                        CommitOutcome::Stored => CommitOutcome::Stored,
                        CommitOutcome::NotStored(error)
                        | CommitOutcome::Again(error)
                        | CommitOutcome::Unknown(error, _) => CommitOutcome::Unknown(error, heads),
                    };
                }
                // A job that writes no audit row looks for itself.
                Ok(false) => group.doubtful = true,
                Err(error) => {
                    group.give_up();
                    return CommitOutcome::Unknown(error, heads);
                }
            }
            batch.doubt = None;
        }
        batch.unwritten = append_rows(&mut group, &batch.rows);
        batch.failed = 0;
        let began = Instant::now();
        for queued in &mut batch.jobs {
            batch.failed += usize::from(!queued.job.run(&mut group));
        }
        let mut gathering = match connection.is_remote() {
            true => GATHER,
            false => Duration::ZERO,
        };
        while batch.first
            && batch.jobs.len() < GROUP_JOBS
            && !group.is_lost()
            && (batch.jobs.is_empty() || began.elapsed() < GROUP_TIME)
        {
            match self.next_of(batch.shard) {
                // The caller has timed out; skip it.
                Some(queued) if queued.since.elapsed() > ANSWER_WITHIN => drop(queued),
                Some(mut queued) => {
                    batch.failed += usize::from(!queued.job.run(&mut group));
                    batch.jobs.push(queued);
                }
                None if self.gather(&mut gathering) => {}
                None => break,
            }
        }
        group.commit()
    }

    /// Waits a moment if another write is being made ready; false when there is none, or it has taken too long.
    fn gather(&self, left: &mut Duration) -> bool {
        if left.is_zero() || self.closing.is_some() || !self.intents.any() {
            return false;
        }
        std::thread::sleep(GATHER_LOOK);
        *left = left.saturating_sub(GATHER_LOOK);
        true
    }

    /// The audit rows that are left when the store closes.
    fn last_rows(&mut self) {
        let until = Instant::now() + CLOSE_WITHIN;
        self.closing = Some(until);
        let mut tries = DEFERRED_MOST.div_ceil(DEFERRED_PER_GROUP) + LAST_TRIES;
        while Instant::now() < until && tries > 0 {
            let next = self.waiting.front().map(|queued| queued.shard);
            if next.is_none() {
                tries -= 1;
            }
            match next.or_else(|| self.deferred.any()) {
                Some(shard) => self.group(shard),
                None if self.deferred.close_if_empty() => return,
                None => {}
            }
        }
        for queued in self.waiting.drain(..) {
            queued.job.answer(Err(StoreError::Closed));
        }
        let rows = self.deferred.close();
        tracing::error!(
            rows,
            "audit rows of searches could not be written before the end"
        );
    }
}

/// A pause that is not the same in every process.
fn jittered(pause: Duration) -> Duration {
    let part = u32::from(Uuid::new_v4().as_bytes()[0]);
    pause / 2 + pause * part / 512
}

/// Appends the audit rows left for later; returns those that could not be written. One of them takes the transaction with it
/// only if the transaction itself is lost.
fn append_rows(group: &mut Group<'_>, rows: &[DeferredRow]) -> Vec<Unwritten> {
    let mut unwritten = Vec::new();
    if rows.is_empty() {
        return unwritten;
    }
    let all = group.attempt(|g| {
        for chain in rows.chunk_by(|one, other| one.tenant == other.tenant) {
            let bodies: Vec<&str> = chain.iter().map(|row| row.body.as_str()).collect();
            g.append_audits(chain[0].tenant, &bodies)?;
        }
        Ok(())
    });
    let (Err(error), false) = (all, group.is_lost()) else {
        return unwritten;
    };
    tracing::debug!(%error, rows = rows.len(), "audit rows are tried one by one");
    let mut written = HashSet::new();
    for (at, row) in rows.iter().enumerate() {
        let one: Result<(), WriteError> =
            group.attempt(|g| Ok(g.append_audit(row.tenant, &row.body)?));
        match one {
            Ok(()) => _ = written.insert(row.tenant),
            Err(error) => {
                tracing::debug!(%error, tenant = row.tenant.number(), "an audit row could not be written");
                unwritten.push(Unwritten {
                    at,
                    hopeless: false,
                });
            }
        }
    }
    for one in &mut unwritten {
        one.hopeless = written.contains(&rows[one.at].tenant);
    }
    unwritten
}
