//! Copies the WAL back into the database file beside the writer, so that no booking waits for that.
//!
//! While the writer goes on, the WAL can never be copied to its end and so never starts anew. When little is left and
//! the WAL is long, the writer is asked for the rest: a few pages between two groups.

use super::connect::{self, Location};
use crate::store::error::StoreError;
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the WAL is looked at when little is written.
const EVERY: Duration = Duration::from_millis(200);
/// How often while there is something to copy: the copies are small then, and a commit never waits long for the disk.
const BUSY: Duration = Duration::from_millis(5);
/// How long [`save`] tries.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pages not yet copied from which on it is worth while: about as many as a disk takes in a few milliseconds.
const PAGES: i64 = 150;
/// Length of the WAL from which on it should start anew: 64 MB, so that pages written often are copied seldom.
const LONG: i64 = 16_000;
/// Pages that the writer may be left with: a few milliseconds of copying.
const REST: i64 = 400;
/// Copies in a row until little is left; each takes less time than the one before, unless the disk cannot keep up.
const PASSES: usize = 4;

/// A request to the writer to copy the rest.
#[derive(Clone, Default)]
pub(in crate::store) struct CheckpointRequest(Arc<AtomicBool>);

impl CheckpointRequest {
    /// Whether it is asked for; asked only once.
    pub(super) fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }

    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The thread that copies.
pub(in crate::store) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread; a database in memory has no WAL and needs none.
    pub(in crate::store) fn start(
        place: &Location,
        requested: CheckpointRequest,
    ) -> Result<Checkpointer, StoreError> {
        if matches!(place, Location::Memory(_)) {
            return Ok(Checkpointer {
                stop: None,
                thread: None,
            });
        }
        let connection = connect::checkpointer(place)?;
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                let mut pause = EVERY;
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                    pause = look(&connection, &requested).unwrap_or_else(|error| {
                        // The writer checkpoints a WAL that grows too long, and reports what stays wrong.
                        tracing::debug!(%error, "no checkpoint was made");
                        EVERY
                    });
                }
            })
            .map_err(|e| {
                StoreError::unexpected(format!("the checkpoint thread cannot be started: {e}"))
            })?;
        Ok(Checkpointer {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

/// Copies if there is enough to copy, and leaves the writer the rest of a long WAL. Says when to look again.
fn look(connection: &Connection, requested: &CheckpointRequest) -> rusqlite::Result<Duration> {
    let (mut pages, mut copied) = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
    let mut pause = EVERY;
    for _ in 0..PASSES {
        let left = pages - copied;
        if pages >= LONG && left > 0 && left <= REST {
            requested.ask();
            return Ok(BUSY);
        }
        if left == 0 || (left < PAGES && pages < LONG) {
            return Ok(pause);
        }
        pause = BUSY;
        (pages, copied) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(pause)
}

/// Pages in the WAL, and how many of them are copied.
fn checkpoint(connection: &Connection, how: &str) -> rusqlite::Result<(i64, i64)> {
    connection
        .prepare_cached(how)?
        .query_row([], |r| Ok((r.get(1)?, r.get(2)?)))
}

/// Copies everything, also when another connection copies or reads just then: tried until nothing is left, for [`PATIENCE`].
pub(super) fn save(connection: &Connection) {
    let until = Instant::now() + PATIENCE;
    // Ends when all is copied or the time is over.
    loop {
        let left = match checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
            // A copy that had to stay out of the way of another tells no pages.
            Ok((pages, copied)) => pages < 0 || copied < pages,
            Err(_) => true,
        };
        if !left {
            return;
        }
        if Instant::now() >= until {
            tracing::error!("the WAL of a database that was moved could not be copied into it");
            return;
        }
        std::thread::sleep(BUSY);
    }
}

/// Copies what is left, from the writer's own thread: nothing is written meanwhile, so the WAL can start anew.
pub(super) fn finish(connection: &Connection) {
    if let Err(error) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)") {
        tracing::debug!(%error, "the rest of the WAL was not copied");
    }
}
