//! The threads that write: one for SQLite, which has one writer; some for PostgreSQL, each with its tenants.

use super::deferred_audit::{DeferredAudit, Left};
use super::group::Group;
use super::job::{Queued, Write};
use super::revision::Commits;
use super::shard::Shard;
use super::writer_thread::WriterThread;
use crate::store::Options;
use crate::store::driver::{Connection, DatabaseUrl};
use crate::store::error::{StoreError, WriteError};
use crate::store::gauges::Gauges;
use crate::tenant_key::TenantKey;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// How long a caller waits for an answer. Each group takes tenths of a second at worst, the queue is bounded; what
/// takes longer hangs, and its outcome is unknown.
pub(in crate::store) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Most threads that write.
const THREADS_MOST: usize = 32;

/// How many writes of one thread are announced and have not come yet.
#[derive(Clone, Default)]
pub(in crate::store) struct IntentCount(Arc<AtomicUsize>);

impl IntentCount {
    /// True when there is one.
    pub(in crate::store) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// Announces a write whose request is complete: it comes within a moment unless it is refused. The writer's group waits that
/// moment for it. Dropping this takes the announcement back.
pub(crate) struct WriteIntent(IntentCount);

impl Drop for WriteIntent {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The handle on the threads.
pub(in crate::store) struct Writer {
    threads: Vec<Handle>,
    places: Arc<Semaphore>,
    queue: usize,
    gauges: Arc<Gauges>,
    wait: Duration,
    /// True when all writes may share a transaction.
    one_shard: bool,
}

/// The handle on one.
struct Handle {
    /// Jobs; `None` wakes the thread for the audit rows that wait.
    jobs: Mutex<Option<Sender<Option<Queued>>>>,
    intents: IntentCount,
    deferred: Arc<DeferredAudit>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the threads, with the bounds of the options on their queue. SQLite's one writing connection is given;
    /// others are made when they are needed.
    pub(in crate::store) fn start(
        url: &DatabaseUrl,
        mut connection: Option<Connection>,
        commits: &Commits,
        gauges: &Arc<Gauges>,
        options: &Options,
    ) -> Result<Writer, StoreError> {
        let one_shard = matches!(url, DatabaseUrl::Sqlite(_));
        let threads = match one_shard {
            true => 1,
            false => options.writers.clamp(1, THREADS_MOST),
        };
        let start = |n: usize| {
            let (jobs, received) = mpsc::channel();
            let deferred = Arc::new(DeferredAudit::default());
            let intents = IntentCount::default();
            let mut thread = WriterThread {
                url: url.clone(),
                connection: connection.take(),
                commits: commits.clone(),
                jobs: received,
                waiting: VecDeque::new(),
                deferred: deferred.clone(),
                gauges: gauges.clone(),
                intents: intents.clone(),
                closing: None,
            };
            let thread = std::thread::Builder::new()
                .name(format!("store-writer-{n}"))
                .spawn(move || thread.run())
                .map_err(|e| {
                    StoreError::unexpected(format!("a writer thread cannot be started: {e}"))
                })?;
            Ok(Handle {
                jobs: Mutex::new(Some(jobs)),
                intents,
                deferred,
                thread: Mutex::new(Some(thread)),
            })
        };
        Ok(Writer {
            threads: (0..threads).map(start).collect::<Result<_, StoreError>>()?,
            places: Arc::new(Semaphore::new(options.queue.max(1))),
            queue: options.queue.max(1),
            gauges: gauges.clone(),
            wait: options.queue_wait,
            one_shard,
        })
    }

    /// The shard of a tenant's writes; `None`: what could not be assigned to anybody.
    pub(in crate::store) fn shard(&self, tenant: Option<TenantKey>) -> Shard {
        match tenant {
            _ if self.one_shard => Shard::Any,
            Some(tenant) => Shard::Tenant(tenant),
            None => Shard::Nobody,
        }
    }

    /// The shard of a write that makes a tenant.
    pub(in crate::store) fn shard_of_new(&self) -> Shard {
        match self.one_shard {
            true => Shard::Any,
            false => Shard::New,
        }
    }

    /// Announces a write of this shard, so that the group under way waits a moment for it.
    pub(in crate::store) fn announce(&self, shard: Shard) -> WriteIntent {
        let intents = self.thread(shard).intents.clone();
        intents.0.fetch_add(1, Ordering::Relaxed);
        WriteIntent(intents)
    }

    fn thread(&self, shard: Shard) -> &Handle {
        &self.threads[shard.thread(self.threads.len())]
    }

    /// Has work done in a transaction and waits until it is durable, or known not to be. It may be done several times;
    /// only the last is kept.
    pub(in crate::store) async fn submit<T, F>(
        &self,
        shard: Shard,
        work: F,
    ) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&mut Group<'_>) -> Result<T, WriteError> + Send + 'static,
    {
        let place = match tokio::time::timeout(self.wait, self.places.clone().acquire_owned()).await
        {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(StoreError::Closed.into()),
            Err(_) => {
                self.gauges.queue_refused();
                return Err(StoreError::busy("too many writes are waiting").into());
            }
        };
        let (answer, answered) = oneshot::channel();
        let queued = Queued {
            shard,
            job: Box::new(Write {
                work,
                outcome: None,
                answer,
            }),
            since: Instant::now(),
            _place: place,
        };
        self.thread(shard).send(Some(queued))?;
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::unexpected("the writer ended without an answer").into()),
            Err(_) => {
                self.gauges.queue_refused();
                Err(StoreError::busy("a write had no answer in time; it may still happen").into())
            }
        }
    }

    /// Leaves an audit row to be written with the next transaction, at most a second later. When too many are
    /// waiting, this waits until the row is durable instead.
    pub(in crate::store) async fn audit_soon(
        &self,
        tenant: TenantKey,
        body: String,
    ) -> Result<(), StoreError> {
        let shard = self.shard(Some(tenant));
        let thread = self.thread(shard);
        match thread.deferred.leave(shard, tenant, body) {
            Left::Waits => Ok(()),
            Left::Wakes => {
                // A store that is closing writes the last rows anyway.
                let _ = thread.send(None);
                Ok(())
            }
            Left::Full(body) => self.audit(tenant, body).await,
            Left::Closed => Err(StoreError::Closed),
        }
    }

    /// Writes an audit row and waits until it is durable.
    pub(in crate::store) async fn audit(
        &self,
        tenant: TenantKey,
        body: String,
    ) -> Result<(), StoreError> {
        let written = self.submit(self.shard(Some(tenant)), move |group| {
            group.attempt(|g| g.append_audit(tenant, &body).map_err(WriteError::Store))
        });
        written.await.map_err(store_only)
    }

    /// Writes waiting or being done and how many may; audit rows waiting and the age of the oldest.
    pub(in crate::store) fn waiting(&self) -> (usize, usize, usize, Duration) {
        let queued = self.queue.saturating_sub(self.places.available_permits());
        let (mut rows, mut oldest) = (0, Duration::ZERO);
        for thread in &self.threads {
            let (count, since) = thread.deferred.waiting();
            rows += count;
            oldest = oldest.max(since.map_or(Duration::ZERO, |since| since.elapsed()));
        }
        (queued, self.queue, rows, oldest)
    }

    /// Takes no more work, does what is waiting, and ends the threads. Blocks until then.
    pub(in crate::store) fn close(&self) {
        self.places.close();
        for thread in &self.threads {
            drop(
                thread
                    .jobs
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take(),
            );
        }
        for thread in &self.threads {
            thread.join();
        }
    }
}

impl Handle {
    fn send(&self, job: Option<Queued>) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().map(|jobs| jobs.send(job));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(StoreError::Closed),
        }
    }

    fn join(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // The last handle may be dropped by a job, in the thread itself.
        let other = thread.filter(|t| t.thread().id() != std::thread::current().id());
        if other.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// The error of a write that no rule can refuse.
pub(in crate::store) fn store_only(error: WriteError) -> StoreError {
    match error {
        WriteError::Store(error) => error,
        WriteError::Refused(_) | WriteError::DiaryChanged => {
            StoreError::unexpected(format!("refused without a rule: {error}"))
        }
    }
}
