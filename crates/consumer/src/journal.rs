//! The Consumer's journal: every encounter, step, attempt and booking, for audit, metrics and incidents
//! (CONS-ERR-01, CONS-ERR-05, CONS-REQ-04, CONS-TF-05, AUD-04, DAT-01..08).
//!
//! An SQLite file that only its owner may read. What it holds of a patient is the NHS number and the time of a
//! booking, which CONS-REB-04 needs; names, addresses and message bodies are not kept. One thread writes, with full
//! sync, so that what was acknowledged is stored.

mod bookings;
mod extract;
mod file;
mod known;
mod listed;
mod retention;
mod rows;

pub use bookings::{BookingRow, ELSEWHERE, Kept, KnownBooking, Others, Replaced, Settled, Told};
pub use extract::{Attempt, Extract, KeptStep};
pub use known::{Found, OutsideTimeframe, Which, Whose};
pub use listed::{LISTED, ListedSlot, Listing, MAX_ROWS, Ranking};
pub use retention::Forgotten;
pub use rows::{Encounter, ExchangeRow, ShownSlot, State, StepId};

use rusqlite::{Connection, OptionalExtension, Params, Row, TransactionBehavior};
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// Jobs that wait for the writer. More than a hundred calls of one program at once would wait for the disk anyhow.
const QUEUE: usize = 256;

/// Why something could not be kept or found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be used.
    #[error("the journal {path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// Reason.
        why: String,
    },
    /// A write or read failed.
    #[error("the journal failed: {0}")]
    Failed(String),
    /// The writer has ended.
    #[error("the journal is closed")]
    Closed,
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> JournalError {
        // Messages of SQLite name tables and columns, never values.
        JournalError::Failed(error.to_string())
    }
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the journal, cheap to clone. The file is closed when the last handle is gone.
#[derive(Clone)]
pub struct Journal {
    jobs: mpsc::Sender<Job>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal")
    }
}

impl Journal {
    /// Opens the file, making it when it is not there; brings its tables up to date. A folder where others may replace it is
    /// refused unless `allow_shared` (D-84).
    pub fn open(path: &Path, allow_shared: bool) -> Result<Journal, JournalError> {
        Journal::start(file::open(path, allow_shared)?)
    }

    /// A journal in memory, which ends with the program: for tests and trials.
    pub fn memory() -> Result<Journal, JournalError> {
        Journal::start(file::memory()?)
    }

    fn start(mut connection: Connection) -> Result<Journal, JournalError> {
        let (jobs, mut work) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                while let Some(job) = work.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(|e| JournalError::Failed(format!("no thread for it: {e}")))?;
        Ok(Journal { jobs })
    }

    /// Runs a transaction on the writer's thread; the answer comes after its commit.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.run_as(TransactionBehavior::Deferred, work).await
    }

    /// The same, as a transaction that may lock out other programs from its first statement on.
    async fn run_as<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = connection
                .transaction_with_behavior(behavior)
                .map_err(JournalError::from)
                .and_then(|t| {
                    let value = work(&t)?;
                    t.commit()?;
                    Ok(value)
                });
            // Whoever asked may have gone away.
            let _ = answer.send(done);
        });
        let sent = self.jobs.send(job).await;
        sent.map_err(|_| JournalError::Closed)?;
        answered.await.map_err(|_| JournalError::Closed)?
    }

    /// Executes one statement; returns how many rows it changed.
    async fn execute(
        &self,
        sql: &'static str,
        values: impl Params + Send + 'static,
    ) -> Result<usize, JournalError> {
        self.run(move |t| Ok(t.execute(sql, values)?)).await
    }

    /// The first row that a query finds.
    async fn first<T: Send + 'static>(
        &self,
        sql: impl AsRef<str> + Send + 'static,
        values: impl Params + Send + 'static,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Option<T>, JournalError> {
        self.run(move |t| Ok(t.query_row(sql.as_ref(), values, read).optional()?))
            .await
    }

    /// All rows that a query finds.
    async fn all<T: Send + 'static>(
        &self,
        sql: String,
        values: impl Params + Send + 'static,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, JournalError> {
        self.run(move |t| {
            Ok(t.prepare(&sql)?
                .query_map(values, read)?
                .collect::<Result<_, _>>()?)
        })
        .await
    }
}
