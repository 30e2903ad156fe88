//! How a store is opened: what each process may take of memory, connections and time.

use super::redacted;
use std::time::Duration;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Makes the database if there is none.
    pub create: bool,
    /// Refuses what no server may serve on: a database that cannot be written, or whose schema lacks what invariants stand
    /// on. Whoever only looks, such as the check of an audit trail, is let in.
    pub serving: bool,
    /// SQLite: opens files also where others than their owner may write them or their folder (D-84).
    pub allow_shared_files: bool,
    /// Reading connections at most; on SQLite they share 48 MB of cache.
    pub readers: usize,
    /// PostgreSQL: threads that write, each with a connection; a tenant's writes are done by one of them.
    pub writers: usize,
    /// Writes that may wait for the writer.
    pub queue: usize,
    /// How long a write waits for a place among them before it fails as busy.
    pub queue_wait: Duration,
    /// SQLite: pages of 4 KiB that the database may have at most; beyond that it behaves as on a full disk. `None`: as many as
    /// fit on the disk.
    pub max_pages: Option<i64>,
    /// PostgreSQL: address of a streaming standby where searches read what it has already; what it has not, and everything
    /// else, is read at the primary.
    pub replica: Option<String>,
}

/// The address of a replica may hold its password.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("create", &self.create)
            .field("serving", &self.serving)
            .field("allow_shared_files", &self.allow_shared_files)
            .field("readers", &self.readers)
            .field("writers", &self.writers)
            .field("queue", &self.queue)
            .field("queue_wait", &self.queue_wait)
            .field("max_pages", &self.max_pages)
            .field("replica", &self.replica.as_deref().map(redacted))
            .finish()
    }
}

impl Default for Options {
    /// Makes the database; readers for every core and two for longer reads; a queue of four full groups.
    fn default() -> Options {
        let cores = std::thread::available_parallelism().map_or(4, usize::from);
        Options {
            create: true,
            serving: false,
            allow_shared_files: false,
            readers: cores.clamp(2, 16) + 2,
            writers: 4,
            queue: 1_024,
            queue_wait: Duration::from_secs(2),
            max_pages: None,
            replica: None,
        }
    }
}
