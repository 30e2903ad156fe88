//! The threads that write: one for SQLite, which has one writer; some for PostgreSQL, each with its tenants.

use super::group::Group;
use super::job::{Message, Queued, Write};
use super::lane::Lane;
use super::lot::Lot;
use super::revision::Commits;
use super::soon::{Left, Soon};
use crate::store::Options;
use crate::store::driver::{Connection, Place};
use crate::store::error::{StoreError, WriteError};
use crate::store::gauges::Gauges;
use crate::store::model::TenantKey;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// How long a caller waits for an answer. Each group takes tenths of a second at worst, the queue is bounded; what
/// takes longer hangs, and its outcome is unknown.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Most threads that write.
const LANES_MOST: usize = 32;

/// How many writes of a lane are being made ready.
#[derive(Clone, Default)]
pub(super) struct Coming(Arc<AtomicUsize>);

impl Coming {
    /// True when there is one.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// A write that is being made ready: what it needs is there, and it comes within a moment unless it is refused. A group
/// waits that moment for it.
pub(crate) struct Announced(Coming);

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The handle on the threads.
pub(super) struct Writer {
    lanes: Vec<Handle>,
    places: Arc<Semaphore>,
    queue: usize,
    gauges: Arc<Gauges>,
    wait: Duration,
    /// True when all writes may share a transaction.
    one_lot: bool,
}

/// The handle on one.
struct Handle {
    jobs: Mutex<Option<Sender<Message>>>,
    coming: Coming,
    soon: Arc<Soon>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the threads, with the bounds of the options on their queue. SQLite's one writing connection is given;
    /// others are made when they are needed.
    pub(super) fn start(
        place: &Place,
        mut connection: Option<Connection>,
        commits: &Commits,
        gauges: &Arc<Gauges>,
        options: &Options,
    ) -> Result<Writer, StoreError> {
        let one_lot = matches!(place, Place::Sqlite(_));
        let lanes = match one_lot {
            true => 1,
            false => options.writers.clamp(1, LANES_MOST),
        };
        let start = |n: usize| {
            let (jobs, received) = mpsc::channel();
            let soon = Arc::new(Soon::default());
            let coming = Coming::default();
            let mut lane = Lane {
                place: place.clone(),
                connection: connection.take(),
                commits: commits.clone(),
                jobs: received,
                waiting: VecDeque::new(),
                soon: soon.clone(),
                gauges: gauges.clone(),
                coming: coming.clone(),
                closing: None,
            };
            let thread = std::thread::Builder::new()
                .name(format!("store-writer-{n}"))
                .spawn(move || lane.run())
                .map_err(|e| {
                    StoreError::unexpected(format!("a writer thread cannot be started: {e}"))
                })?;
            Ok(Handle {
                jobs: Mutex::new(Some(jobs)),
                coming,
                soon,
                thread: Mutex::new(Some(thread)),
            })
        };
        Ok(Writer {
            lanes: (0..lanes).map(start).collect::<Result<_, StoreError>>()?,
            places: Arc::new(Semaphore::new(options.queue.max(1))),
            queue: options.queue.max(1),
            gauges: gauges.clone(),
            wait: options.queue_wait,
            one_lot,
        })
    }

    /// The lot of a tenant's writes; `None`: what could not be assigned to anybody.
    pub(super) fn lot(&self, tenant: Option<TenantKey>) -> Lot {
        match tenant {
            _ if self.one_lot => Lot::Any,
            Some(tenant) => Lot::Tenant(tenant),
            None => Lot::Nobody,
        }
    }

    /// The lot of a write that makes a tenant.
    pub(super) fn lot_of_new(&self) -> Lot {
        match self.one_lot {
            true => Lot::Any,
            false => Lot::New,
        }
    }

    /// Says that a write of this lot comes soon.
    pub(super) fn announce(&self, lot: Lot) -> Announced {
        let coming = self.lane(lot).coming.clone();
        coming.0.fetch_add(1, Ordering::Relaxed);
        Announced(coming)
    }

    fn lane(&self, lot: Lot) -> &Handle {
        &self.lanes[lot.lane(self.lanes.len())]
    }

    /// Has work done in a transaction and waits until it is durable, or known not to be. It may be done several times;
    /// only the last is kept.
    pub(super) async fn submit<T, F>(&self, lot: Lot, work: F) -> Result<T, WriteError>
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
            lot,
            job: Box::new(Write {
                work,
                outcome: None,
                answer,
            }),
            since: Instant::now(),
            _place: place,
        };
        self.lane(lot).send(Message::Job(queued))?;
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
    pub(super) async fn audit_soon(
        &self,
        tenant: TenantKey,
        body: String,
    ) -> Result<(), StoreError> {
        let lot = self.lot(Some(tenant));
        let lane = self.lane(lot);
        match lane.soon.leave(lot, tenant, body) {
            Left::Waits => Ok(()),
            Left::Wakes => {
                // A store that is closing writes the last rows anyway.
                let _ = lane.send(Message::Rows);
                Ok(())
            }
            Left::Full(body) => self.audit(tenant, body).await,
            Left::Closed => Err(StoreError::Closed),
        }
    }

    /// Writes an audit row and waits until it is durable.
    pub(super) async fn audit(&self, tenant: TenantKey, body: String) -> Result<(), StoreError> {
        let written = self.submit(self.lot(Some(tenant)), move |group| {
            group.attempt(|g| g.append_audit(tenant, &body).map_err(WriteError::Store))
        });
        written.await.map_err(store_only)
    }

    /// Writes waiting or being done and how many may; audit rows waiting and the age of the oldest.
    pub(super) fn waiting(&self) -> (usize, usize, usize, Duration) {
        let queued = self.queue.saturating_sub(self.places.available_permits());
        let (mut rows, mut oldest) = (0, Duration::ZERO);
        for lane in &self.lanes {
            let (count, since) = lane.soon.waiting();
            rows += count;
            oldest = oldest.max(since.map_or(Duration::ZERO, |since| since.elapsed()));
        }
        (queued, self.queue, rows, oldest)
    }

    /// Takes no more work, does what is waiting, and ends the threads. Blocks until then.
    pub(super) fn close(&self) {
        self.places.close();
        for lane in &self.lanes {
            drop(
                lane.jobs
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take(),
            );
        }
        for lane in &self.lanes {
            lane.join();
        }
    }
}

impl Handle {
    fn send(&self, message: Message) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().map(|jobs| jobs.send(message));
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
pub(super) fn store_only(error: WriteError) -> StoreError {
    match error {
        WriteError::Store(error) => error,
        WriteError::Refused(refusal) => {
            StoreError::unexpected(format!("refused without a rule: {refusal}"))
        }
    }
}
