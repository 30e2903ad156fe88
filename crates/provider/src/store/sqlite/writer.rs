//! The one thread that writes: it takes what is waiting, does it in one transaction, commits with full sync, and
//! only then answers.

use super::checkpoint::{self, Rest};
use super::group::Group;
use super::revision::Commits;
use crate::store::Options;
use crate::store::error::{StoreError, WriteError};
use crate::store::model::TenantKey;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Most jobs in one transaction: beyond this the sync is a small part of the cost and only latency grows.
const GROUP_JOBS: usize = 256;
/// After this long a transaction takes no more jobs, so that a slow job does not hold up the answers of the others.
const GROUP_TIME: Duration = Duration::from_millis(10);
/// Audit rows written late that may wait: a few seconds of searches at full load, about 10 MB.
const SOON_MOST: usize = 8_192;
/// Audit rows written late that one transaction takes, about 1 ms of work.
const SOON_PER_GROUP: usize = 128;
/// As many rows wake the writer, and keep it writing until there are fewer: at full load they cost the least together.
const SOON_WAKES: usize = 64;
/// How long such a row waits when nothing else is written; the promise is one second.
const SOON_WITHIN: Duration = Duration::from_millis(400);
/// How long a caller waits for an answer. Each group takes tenths of a second at worst, the queue is bounded; what
/// takes longer hangs, and its outcome is unknown.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often the last audit rows are tried to be written when the store closes.
const LAST_TRIES: usize = 5;

/// One write, with the means to answer it.
trait Job: Send {
    /// Does the work; what is returned answers once the transaction's fate is known.
    fn run(self: Box<Self>, group: &mut Group<'_>) -> Reply;
    /// Answers without doing anything.
    fn refuse(self: Box<Self>, why: StoreError);
}

type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

struct Write<T, F> {
    work: F,
    answer: oneshot::Sender<Result<T, WriteError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send + 'static,
    F: FnOnce(&mut Group<'_>) -> Result<T, WriteError> + Send,
{
    fn run(self: Box<Self>, group: &mut Group<'_>) -> Reply {
        let outcome = (self.work)(group);
        let answer = self.answer;
        Box::new(move |committed| {
            // Nobody listens any more when the caller has gone away; what was committed stays.
            let _ = answer.send(committed.map_err(WriteError::Store).and(outcome));
        })
    }

    fn refuse(self: Box<Self>, why: StoreError) {
        let _ = self.answer.send(Err(WriteError::Store(why)));
    }
}

/// What wakes the thread.
enum Message {
    Job(Queued),
    /// Enough audit rows are waiting.
    Rows,
}

impl Message {
    fn job(self) -> Option<Queued> {
        match self {
            Message::Job(queued) => Some(queued),
            Message::Rows => None,
        }
    }
}

/// A job and its place in the queue.
struct Queued {
    job: Box<dyn Job>,
    _place: OwnedSemaphorePermit,
}

/// Audit rows that need not be durable before the answer.
struct Soon {
    rows: Mutex<SoonRows>,
}

struct SoonRows {
    waiting: VecDeque<(TenantKey, String)>,
    closed: bool,
}

impl Soon {
    fn lock(&self) -> std::sync::MutexGuard<'_, SoonRows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<(TenantKey, String)> {
        let mut rows = self.lock();
        let n = rows.waiting.len().min(SOON_PER_GROUP);
        rows.waiting.drain(..n).collect()
    }

    /// After a transaction that failed the rows go back to where they were.
    fn put_back(&self, rows: Vec<(TenantKey, String)>) {
        let mut all = self.lock();
        for row in rows.into_iter().rev() {
            all.waiting.push_front(row);
        }
    }
}

/// The handle on the thread.
pub(super) struct Writer {
    jobs: Mutex<Option<Sender<Message>>>,
    places: Arc<Semaphore>,
    wait: Duration,
    soon: Arc<Soon>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread, with the bounds of the options on its queue.
    pub(super) fn start(
        connection: Connection,
        commits: Commits,
        rest: Rest,
        options: &Options,
    ) -> Result<Writer, StoreError> {
        let (jobs, received) = mpsc::channel();
        let soon = Arc::new(Soon {
            rows: Mutex::new(SoonRows {
                waiting: VecDeque::new(),
                closed: false,
            }),
        });
        let mut state = Thread {
            connection,
            commits,
            rest,
            jobs: received,
            soon: soon.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || state.run())
            .map_err(|e| {
                StoreError::unexpected(format!("the writer thread cannot be started: {e}"))
            })?;
        Ok(Writer {
            jobs: Mutex::new(Some(jobs)),
            places: Arc::new(Semaphore::new(options.queue.max(1))),
            wait: options.queue_wait,
            soon,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has work done in a transaction and waits until it is durable, or known not to be.
    pub(super) async fn submit<T, F>(&self, work: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Group<'_>) -> Result<T, WriteError> + Send + 'static,
    {
        let place = match tokio::time::timeout(self.wait, self.places.clone().acquire_owned()).await
        {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::Closed.into()),
            Err(_) => return Err(StoreError::busy("too many writes are waiting").into()),
        };
        let (answer, answered) = oneshot::channel();
        let queued = Queued {
            job: Box::new(Write { work, answer }),
            _place: place,
        };
        self.send(Message::Job(queued))?;
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::unexpected("the writer ended without an answer").into()),
            Err(_) => {
                Err(StoreError::busy("a write had no answer in time; it may still happen").into())
            }
        }
    }

    fn send(&self, message: Message) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().map(|jobs| jobs.send(message));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(StoreError::Closed),
        }
    }

    /// Leaves an audit row to be written with the next transaction, at most a second later. When too many are
    /// waiting, this waits until the row is durable instead.
    pub(super) async fn audit_soon(
        &self,
        tenant: TenantKey,
        body: String,
    ) -> Result<(), StoreError> {
        match self.leave(tenant, body)? {
            None => Ok(()),
            Some(body) => self.audit(tenant, body).await,
        }
    }

    /// Puts a row with those that wait; gives it back when there are too many.
    fn leave(&self, tenant: TenantKey, body: String) -> Result<Option<String>, StoreError> {
        let mut rows = self.soon.lock();
        if rows.closed {
            return Err(StoreError::Closed);
        }
        if rows.waiting.len() >= SOON_MOST {
            return Ok(Some(body));
        }
        rows.waiting.push_back((tenant, body));
        let wakes = rows.waiting.len() == SOON_WAKES;
        drop(rows);
        if wakes {
            // A store that is closing writes the last rows anyway.
            let _ = self.send(Message::Rows);
        }
        Ok(None)
    }

    /// Writes an audit row and waits until it is durable.
    pub(super) async fn audit(&self, tenant: TenantKey, body: String) -> Result<(), StoreError> {
        let written = self.submit(move |group| {
            group.attempt(|g| g.append_audit(tenant, &body).map_err(WriteError::Store))
        });
        written.await.map_err(store_only)
    }

    /// Takes no more work, does what is waiting, and ends the thread. Blocks until then.
    pub(super) fn close(&self) {
        self.places.close();
        drop(
            self.jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // The last handle may be dropped by a job, in the thread itself.
        let other = thread.filter(|t| t.thread().id() != std::thread::current().id());
        if other.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The error of a write that no rule can refuse.
pub(super) fn store_only(error: WriteError) -> StoreError {
    match error {
        WriteError::Store(error) => error,
        WriteError::Refused(refusal) => {
            StoreError::unexpected(format!("refused without a rule: {refusal}"))
        }
    }
}

/// What runs in the thread.
struct Thread {
    connection: Connection,
    commits: Commits,
    rest: Rest,
    jobs: Receiver<Message>,
    soon: Arc<Soon>,
}

impl Thread {
    fn run(&mut self) {
        loop {
            let patience = match self.soon.lock().waiting.len() {
                SOON_WAKES.. => Duration::ZERO,
                _ => SOON_WITHIN,
            };
            match self.jobs.recv_timeout(patience) {
                Ok(first) => self.group(first.job()),
                Err(RecvTimeoutError::Timeout) => self.group(None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.last_rows();
    }

    /// One transaction: the first job, what else is waiting, and the audit rows left for later.
    fn group(&mut self, first: Option<Queued>) {
        let rows = self.soon.take();
        if first.is_none() && rows.is_empty() {
            return;
        }
        let mut group = match Group::begin(&self.connection) {
            Ok(group) => group,
            Err(error) => {
                tracing::error!(%error, "no transaction could be begun");
                self.soon.put_back(rows);
                // All that waits now: each would only wait as long again. What comes after the first answer is tried.
                let waiting: Vec<Queued> = first
                    .into_iter()
                    .chain(self.jobs.try_iter().filter_map(Message::job))
                    .take(GROUP_JOBS)
                    .collect();
                for queued in waiting {
                    queued.job.refuse(error.clone());
                }
                return;
            }
        };
        let mut replies = Vec::with_capacity(GROUP_JOBS);
        append_rows(&mut group, &rows);
        let began = Instant::now();
        let mut next = first;
        while let Some(queued) = next {
            replies.push(queued.job.run(&mut group));
            let full =
                replies.len() >= GROUP_JOBS || group.is_lost() || began.elapsed() >= GROUP_TIME;
            next = if full {
                None
            } else {
                self.jobs.try_iter().find_map(Message::job)
            };
        }
        let committed = group.commit();
        self.commits.note();
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = replies.len(), "a group of writes was not stored");
            self.soon.put_back(rows);
        }
        for reply in replies {
            reply(committed.clone());
        }
        if self.rest.take() {
            checkpoint::finish(&self.connection);
        }
    }

    /// The audit rows that are left when the store closes.
    fn last_rows(&mut self) {
        for _ in 0..SOON_MOST.div_ceil(SOON_PER_GROUP) + LAST_TRIES {
            self.group(None);
            let mut rows = self.soon.lock();
            if rows.waiting.is_empty() {
                rows.closed = true;
                return;
            }
        }
        let mut rows = self.soon.lock();
        rows.closed = true;
        tracing::error!(
            rows = rows.waiting.len(),
            "audit rows of searches could not be written before the end"
        );
    }
}

/// Appends the audit rows left for later. One that cannot be written takes the transaction with it only if the
/// transaction itself is lost.
fn append_rows(group: &mut Group<'_>, rows: &[(TenantKey, String)]) {
    if rows.is_empty() {
        return;
    }
    let all = group.attempt(|g| {
        for (tenant, body) in rows {
            g.append_audit(*tenant, body)?;
        }
        Ok(())
    });
    if let (Err(error), false) = (all, group.is_lost()) {
        tracing::error!(%error, rows = rows.len(), "audit rows are tried one by one");
        for (tenant, body) in rows {
            if let Err(error) = group.attempt(|g| Ok(g.append_audit(*tenant, body)?)) {
                tracing::error!(%error, tenant = tenant.number(), "an audit row could not be written");
            }
        }
    }
}
