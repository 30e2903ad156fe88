//! Whether anything was committed, told without reading anything.
//!
//! The text of `pg_current_snapshot()` is the set of transactions whose work can be seen: while it is the same, everything
//! that can be read is the same. It counts other databases of the server too, which costs a look, and is never wrong.
//!
//! A transaction can be seen only after the record of its commit was flushed. So a standby that has replayed the log up to
//! where it was flushed just after the look holds everything that the look saw, if it follows the same history.

use super::fault;
use super::server::{AbortOnDrop, Server};
use super::session::Role;
use super::wait::wait;
use crate::store::driver::{Connection, values};
use crate::store::error::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, Statement};

/// How often a lost connection is replaced before the caller is told.
const TRIES: usize = 3;
/// How long the first look may take, with all its tries.
const BEGIN: Duration = Duration::from_secs(60);

const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text, \
     pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint";
/// The server's identity and the history that it writes: the number with which names of its log files begin.
const HISTORY: &str = "SELECT (SELECT system_identifier FROM pg_control_system()), \
     ('x' || lpad(left(pg_walfile_name(pg_current_wal_flush_lsn()), 8), 16, '0'))::bit(64)::bigint";
/// The same of a standby, and how far it is; null of a server that is none. It counts as following a history when it has
/// taken a checkpoint of it.
const REPLAYED: &str = "SELECT (SELECT system_identifier FROM pg_control_system()), \
     (SELECT timeline_id::bigint FROM pg_control_checkpoint()), \
     CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END";

/// A place in the log of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Position {
    /// The server's identity, and which history of it: a failover begins another.
    history: (i64, i64),
    /// Bytes since the beginning.
    at: i64,
}

impl Position {
    /// How far a standby is; `None`: it is none.
    pub(in crate::store) fn replayed(standby: &Connection) -> Result<Option<Position>, StoreError> {
        let found = standby.one(REPLAYED, values![], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<Option<i64>>(2)?))
        })?;
        Ok(found.and_then(|(system, timeline, at)| {
            Some(Position {
                history: (system, timeline),
                at: at?,
            })
        }))
    }

    /// True when everything up to the other place is included.
    pub(in crate::store) fn covers(&self, other: &Position) -> bool {
        self.history == other.history && self.at >= other.at
    }
}

/// A connection that only watches. Many searches wait for one answer of it, so nobody blocks a thread for that.
pub(in crate::store) struct Watcher {
    server: Arc<Server>,
    link: Option<Arc<Link>>,
    seen: String,
    count: i64,
    /// Positions are asked for.
    positions: bool,
    /// Where the log was when what is seen was first seen.
    at: i64,
}

struct Link {
    client: Client,
    driver: AbortHandle,
    statement: Statement,
    /// The history that the server writes, if it was asked for.
    history: Option<(i64, i64)>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Watcher {
    /// Begins to watch; blocks.
    pub(in crate::store) fn start(
        server: Arc<Server>,
        positions: bool,
    ) -> Result<Watcher, StoreError> {
        let mut watcher = Watcher {
            server,
            link: None,
            seen: String::new(),
            count: 0,
            positions,
            at: 0,
        };
        wait(watcher.count(), BEGIN)
            .unwrap_or_else(|| Err(StoreError::busy("the server does not answer")))?;
        Ok(watcher)
    }

    /// A count; only whether it differs means something.
    pub(in crate::store) async fn count(&mut self) -> Result<i64, StoreError> {
        let mut tries = 0;
        // Bounded by TRIES.
        loop {
            tries += 1;
            match self.look().await {
                Ok(()) => return Ok(self.count),
                Err(error) => {
                    self.link = None;
                    if tries == TRIES || !error.is_transient() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// How far a standby must be to hold what was last seen.
    pub(in crate::store) fn position(&self) -> Option<Position> {
        let (at, history) = (self.at, self.link.as_ref()?.history?);
        Some(Position { history, at })
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let link = match &self.link {
            Some(link) if !link.client.is_closed() => link.clone(),
            _ => {
                // After a failover the same words may mean something else.
                self.count += 1;
                self.seen.clear();
                let link = Arc::new(self.connect().await?);
                self.link.insert(link).clone()
            }
        };
        let asked = async move {
            let row = link.client.query_one(&link.statement, &[]).await?;
            Ok((row.try_get::<_, String>(0)?, row.try_get::<_, i64>(1)?))
        };
        let (now, at) = self.on_server(asked).await?;
        if now != self.seen {
            self.seen = now;
            self.at = at;
            self.count += 1;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Link, StoreError> {
        let (client, driver) = self.server.connecting(Role::Reader).await?;
        let positions = self.positions;
        let prepared = async move {
            match client.prepare(SNAPSHOT).await {
                Ok(statement) => Ok(Link {
                    history: match positions {
                        true => history(&client).await,
                        false => None,
                    },
                    client,
                    driver,
                    statement,
                }),
                Err(error) => {
                    driver.abort();
                    Err(error)
                }
            }
        };
        self.on_server(prepared).await
    }

    /// Runs what talks to the server where the connections are, with a bound on its time.
    async fn on_server<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = async move { tokio::time::timeout(Role::Reader.patience(), work).await };
        match AbortOnDrop(self.server.handle().spawn(work)).await {
            Ok(Ok(answered)) => answered.map_err(|e| fault::of(&e).fault.error),
            Ok(Err(_)) => Err(fault::lost("the server did not answer in time").fault.error),
            Err(_) => Err(StoreError::Closed),
        }
    }
}

/// Without it no standby is used; that is no reason to fail.
async fn history(client: &Client) -> Option<(i64, i64)> {
    let found = client.query_one(HISTORY, &[]).await;
    match found.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?))) {
        Ok(history) => Some(history),
        Err(error) => {
            let error = fault::of(&error).fault.error;
            tracing::warn!(%error, "the replica is not used: the primary does not tell its history");
            None
        }
    }
}
