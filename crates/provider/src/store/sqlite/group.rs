//! One transaction of the writer: several jobs, each in a savepoint, and the audit chains that grow with it.

use super::audit::{self, Head};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::TenantKey;
use rusqlite::Connection;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The open transaction.
pub(super) struct Group<'c> {
    /// The writer's connection.
    pub(super) connection: &'c Connection,
    /// Ends of the audit chains that this transaction appended to.
    heads: HashMap<TenantKey, Head>,
    /// Set when SQLite gave up the whole transaction, as it does on a full disk.
    lost: Option<StoreError>,
}

impl<'c> Group<'c> {
    /// Begins; waits for other programs as long as the connection's busy timeout says.
    pub(super) fn begin(connection: &'c Connection) -> Result<Group<'c>, StoreError> {
        execute(connection, "BEGIN IMMEDIATE")?;
        Ok(Group {
            connection,
            heads: HashMap::new(),
            lost: None,
        })
    }

    /// Runs a piece of work; if it fails or panics nothing of it stays.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Group<'c>) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone().into());
        }
        execute(self.connection, "SAVEPOINT job")?;
        let heads = self.heads.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            Err(StoreError::unexpected("a rule panicked inside its transaction").into())
        });
        let Err(error) = outcome else {
            execute(self.connection, "RELEASE job").inspect_err(|e| self.note_loss(e))?;
            return outcome;
        };
        self.heads = heads;
        if let WriteError::Store(fault) = &error {
            self.note_loss(fault);
        }
        if self.lost.is_none() {
            let undone = execute(self.connection, "ROLLBACK TO job")
                .and_then(|()| execute(self.connection, "RELEASE job"));
            if let Err(fault) = undone {
                self.lost = Some(fault);
            }
        }
        Err(error)
    }

    fn note_loss(&mut self, fault: &StoreError) {
        if self.connection.is_autocommit() {
            self.lost = Some(fault.clone());
        }
    }

    /// True when no more work can go into this transaction.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Appends a row to a tenant's audit chain.
    pub(super) fn append_audit(&mut self, tenant: TenantKey, body: &str) -> Result<(), StoreError> {
        let head = match self.heads.get(&tenant) {
            Some(head) => *head,
            None => audit::head(self.connection, tenant)?,
        };
        let next = audit::append(self.connection, tenant, &head, body)?;
        self.heads.insert(tenant, next);
        Ok(())
    }

    /// Makes everything durable, or nothing.
    pub(super) fn commit(self) -> Result<(), StoreError> {
        let outcome = self.try_commit();
        if outcome.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = execute(self.connection, "ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction could not be rolled back");
        }
        outcome
    }

    fn try_commit(&self) -> Result<(), StoreError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        for (tenant, head) in &self.heads {
            audit::put_head(self.connection, *tenant, head)?;
        }
        execute(self.connection, "COMMIT")
    }
}

/// Runs a statement without parameters and rows.
pub(super) fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Runs reads that must see one moment.
pub(super) fn snapshot<T>(
    connection: &Connection,
    reads: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    execute(connection, "BEGIN")?;
    let outcome = reads(connection);
    let ended = execute(connection, "COMMIT");
    let value = outcome?;
    ended?;
    Ok(value)
}
