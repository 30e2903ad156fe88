//! SQLite: one file, one writing connection, readers beside it.

mod backup;
mod checkpoint;
mod connect;
mod fault;
mod files;
mod inspect;
mod migrations;
mod moving;
mod shape;
mod tally;
mod watch;

pub(in crate::store) use backup::{backup, check as check_backup, restore};
pub(in crate::store) use checkpoint::{CheckpointRequest, Checkpointer};
pub(in crate::store) use connect::{Location, reader, writer};
pub(in crate::store) use files::Files;
pub(in crate::store) use inspect::inspect;
pub(in crate::store) use migrations::STEPS;
pub(in crate::store) use moving::{NEWEST, Target, source, target};
pub(in crate::store) use watch::Watcher;

use super::fault::Fault;
use super::value::Value;
use crate::store::error::StoreError;
use rusqlite::{Row, params_from_iter};
use std::sync::Arc;

/// A connection to a file.
pub(in crate::store) struct Connection {
    raw: rusqlite::Connection,
    /// The writer's: set when the checkpointer asks it to copy the last pages of the WAL back.
    requested: Option<CheckpointRequest>,
    /// The writer's: what must still stand at its paths.
    files: Option<Arc<Files>>,
    /// The writer's: how far what it acknowledged goes.
    tally: Option<tally::Tally>,
}

impl Connection {
    fn new(raw: rusqlite::Connection, requested: Option<CheckpointRequest>) -> Connection {
        Connection {
            raw,
            requested,
            files: None,
            tally: None,
        }
    }

    /// Notes the last row of a tenant's trail, which is stored and about to be acknowledged.
    pub(super) fn acknowledged(&self, tenant: i64, row: i64) {
        if let Some(tally) = &self.tally {
            tally.note(tenant, row);
        }
    }

    /// The files that this connection writes to, if it is the writer's and they are files.
    pub(in crate::store) fn files(&self) -> Option<Arc<Files>> {
        self.files.clone()
    }

    /// Refuses when a file was removed or replaced. Then what is in the WAL is copied into the open database file, so that
    /// this file alone holds everything.
    pub(super) fn in_place(&self) -> Result<(), StoreError> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        files.check().inspect_err(|_| checkpoint::save(&self.raw))
    }

    pub(super) fn raw(&self) -> &rusqlite::Connection {
        &self.raw
    }

    /// Writes the mark of our files again, so that the transaction writes and syncs a page.
    pub(super) fn probe(&self) -> Result<(), Fault> {
        Ok(connect::write_mark(&self.raw)?)
    }

    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let changed = self
            .raw
            .prepare_cached(sql)?
            .execute(params_from_iter(values))?;
        Ok(changed as u64)
    }

    pub(super) fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), Fault> {
        let mut statement = self.raw.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    }

    pub(super) fn stream(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), Fault> {
        let mut statement = self.raw.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, Fault> {
        let mut statement = self.raw.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        match rows.next()? {
            Some(row) => Ok(Some(read(row)?)),
            None => Ok(None),
        }
    }

    pub(super) fn control(&self, sql: &str) -> Result<(), Fault> {
        self.raw.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    pub(super) fn in_transaction(&self) -> bool {
        !self.raw.is_autocommit()
    }

    pub(super) fn between_groups(&self) {
        if self.requested.as_ref().is_some_and(CheckpointRequest::take) {
            checkpoint::finish(&self.raw);
        }
    }
}
