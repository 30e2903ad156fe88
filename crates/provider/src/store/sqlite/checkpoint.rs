//! Copies the WAL back into the database file beside the writer, so that no booking waits for that. The writer's own
//! checkpoint, at more pages, only has the rest to do and starts the WAL anew.

use super::connect::{self, Place};
use crate::store::error::StoreError;
use rusqlite::Connection;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the WAL is looked at; a busy server writes some thousand pages in this time.
const EVERY: Duration = Duration::from_millis(200);
/// Pages not yet copied from which on it is worth while: a page written often is then copied once.
const PAGES: i64 = 4_000;

/// The thread that copies.
pub(super) struct Checkpointer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread; a database in memory has no WAL and needs none.
    pub(super) fn start(place: &Place) -> Result<Checkpointer, StoreError> {
        if matches!(place, Place::Memory(_)) {
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
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
                    if let Err(error) = look(&connection) {
                        // The writer checkpoints too and reports what stays wrong.
                        tracing::debug!(%error, "no checkpoint was made");
                    }
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

/// Copies if there is enough to copy.
fn look(connection: &Connection) -> rusqlite::Result<()> {
    let mut state = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    let (pages, copied): (i64, i64) = state.query_row([], |r| Ok((r.get(1)?, r.get(2)?)))?;
    if pages - copied >= PAGES {
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    }
    Ok(())
}
