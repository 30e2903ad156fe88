//! The threads that read documents of strangers: few, apart from those that serve, and never waited for.
//!
//! What is read is bounded before ([`booking::bounded_xml`]), so each job ends; but many may wait. They do not take the
//! server's own threads, a job whose sender has gone is not begun, and a process that stops leaves them where they are.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Threads that read. Each may hold the tree of a largest document; a usual one is read in a millisecond.
pub(super) const READERS: usize = 2;
/// Messages that wait to be read; memory for bodies bounds them earlier.
const QUEUE: usize = 1_024;
/// How long a message may wait and be read, before it is put aside unread. A program that was built without optimisation
/// reads ten times as long.
const READ_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 600 } else { 60 });

type Job = Box<dyn FnOnce() + Send>;

/// Why a message was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRead {
    /// Too many were before it.
    Late,
    /// The reader failed on it.
    Failed,
}

/// The threads, as their clients see them. They end when this is dropped and what they are at is done.
pub(super) struct Readers {
    jobs: SyncSender<Job>,
}

impl Readers {
    pub(super) fn start() -> Readers {
        let (jobs, waiting) = sync_channel::<Job>(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..READERS {
            let waiting = waiting.clone();
            let started = std::thread::Builder::new()
                .name("referral-reader".to_owned())
                .spawn(move || work(&waiting));
            if let Err(error) = started {
                tracing::error!(%error, "a thread that reads referrals cannot be started");
            }
        }
        Readers { jobs }
    }

    /// Lets a reader do this, unless its caller has gone before.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotRead> {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            if !reply.is_closed() {
                // Nobody listens any more when this fails.
                let _ = reply.send(job());
            }
        };
        self.jobs
            .try_send(Box::new(job))
            .map_err(|_| NotRead::Late)?;
        match tokio::time::timeout(READ_WITHIN, answer).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(_)) => Err(NotRead::Failed),
            Err(_) => Err(NotRead::Late),
        }
    }
}

/// Does jobs until there can be no more.
fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a reader of referrals failed; the message is put aside");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Proves: NFR-01
    #[tokio::test]
    async fn few_read_at_once_and_a_failure_ends_nothing() {
        let readers = Arc::new(Readers::start());
        let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..20_usize).map(|n| {
            let (at_once, most) = (at_once.clone(), most.clone());
            readers.read(move || {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
                assert!(n != 7, "fails on purpose");
                n
            })
        });
        let read = futures_util::future::join_all(jobs).await;
        for (n, read) in read.into_iter().enumerate() {
            assert_eq!(read, if n == 7 { Err(NotRead::Failed) } else { Ok(n) });
        }
        assert!(most.load(Ordering::SeqCst) <= READERS);
    }

    /// Proves: NFR-01
    #[tokio::test]
    async fn nothing_is_begun_for_who_has_gone() {
        let readers = Readers::start();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let held: Vec<_> = (0..READERS)
            .map(|_| {
                let wait = wait.clone();
                Box::pin(readers.read(move || wait.lock().expect("a lock").recv()))
            })
            .collect();
        let mut held = futures_util::future::join_all(held);
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = begun.clone();
        let mut gone = Box::pin(readers.read(move || counted.fetch_add(1, Ordering::SeqCst)));
        assert!((&mut held).now_or_never().is_none());
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        for _ in 0..READERS {
            go.send(()).expect("they wait");
        }
        held.await;
        assert_eq!(readers.read(|| 1).await, Ok(1));
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }
}
