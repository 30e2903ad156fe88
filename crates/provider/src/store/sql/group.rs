//! One transaction of the writer: several jobs, each a part of its own, and the audit chains that grow with it.

use super::audit::{self, Head};
use super::shard::Shard;
use crate::store::driver::{Connection, Fault, values};
use crate::store::error::{StoreError, WriteError};
use crate::tenant_key::TenantKey;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Key of the lock under which one process at a time makes a tenant: "UECB" and 2.
const NEW_TENANT: i64 = 0x5545_4342_0000_0002;
/// Stands for nobody where a row needs a tenant.
const NOBODY: TenantKey = TenantKey(0);

/// Ends of audit chains, by tenant.
pub(super) type Heads = HashMap<TenantKey, Head>;

/// The open transaction.
pub(in crate::store) struct Group<'c> {
    /// The writer's connection.
    pub(super) connection: &'c Connection,
    /// Ends of the audit chains that this transaction appended to.
    heads: Heads,
    /// Ends of the chains that it holds the lock of.
    held: Heads,
    /// Set when the database gave up the whole transaction, as SQLite does on a full disk.
    lost: Option<StoreError>,
    /// Set when an earlier try of this group may have been stored, which its jobs must find out.
    pub(super) doubtful: bool,
}

/// What became of a transaction.
pub(super) enum CommitOutcome {
    /// Everything is durable.
    Stored,
    /// Nothing is.
    NotStored(StoreError),
    /// Nothing is, for a reason that may be over already.
    Again(StoreError),
    /// It is not known. The chains would end like this.
    Unknown(StoreError, Heads),
}

impl<'c> Group<'c> {
    /// Begins and takes the lock of the shard; waits for other programs as long as the connection's time-out says.
    pub(super) fn begin(connection: &'c Connection, shard: Shard) -> Result<Group<'c>, StoreError> {
        connection.in_place()?;
        connection.begin()?;
        let mut group = Group {
            connection,
            heads: HashMap::new(),
            held: HashMap::new(),
            lost: None,
            doubtful: false,
        };
        let locked = match shard {
            Shard::Any => Ok(()),
            Shard::Tenant(tenant) => group.hold(tenant),
            Shard::Nobody => group.hold(NOBODY),
            Shard::New => connection
                .one(
                    "SELECT pg_advisory_xact_lock(?1)",
                    values![NEW_TENANT],
                    |_| Ok(()),
                )
                .map(|_| ())
                .map_err(StoreError::from),
        };
        match locked {
            Ok(()) => Ok(group),
            Err(error) => {
                group.give_up();
                Err(error)
            }
        }
    }

    /// Locks a tenant against the writers of other processes, where the database does not do that by itself.
    pub(super) fn hold(&mut self, tenant: TenantKey) -> Result<(), StoreError> {
        if self.connection.text(true, false) || self.held.contains_key(&tenant) {
            return Ok(());
        }
        // A tenant without the row is none; whatever is written for it fails by itself.
        if let Some(head) = audit::lock(self.connection, tenant)? {
            self.held.insert(tenant, head);
        }
        Ok(())
    }

    /// Makes the row that is locked for a new tenant.
    pub(super) fn begin_chain(&mut self, tenant: TenantKey) -> Result<(), StoreError> {
        if self.connection.text(true, false) {
            return Ok(());
        }
        let head = audit::beginning(self.connection, tenant)?;
        audit::put_head(self.connection, tenant, &head)?;
        self.held.insert(tenant, head);
        Ok(())
    }

    /// Runs a piece of work; if it fails or panics nothing of it stays.
    pub(super) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Group<'c>) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone().into());
        }
        self.noting(self.connection.begin_part())?;
        let (heads, held) = (self.heads.clone(), self.held.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            Err(StoreError::unexpected("a rule panicked inside its transaction").into())
        });
        let error = match outcome {
            Err(error) => error,
            Ok(value) => match self.connection.keep_part() {
                Ok(()) => return Ok(value),
                Err(fault) => fault.into(),
            },
        };
        (self.heads, self.held) = (heads, held);
        if let WriteError::Store(fault) = &error {
            self.note_loss(fault);
        }
        if self.lost.is_none()
            && let Err(fault) = self.connection.undo_part()
        {
            self.lost = Some(fault.error);
        }
        Err(error)
    }

    fn noting(&mut self, outcome: Result<(), Fault>) -> Result<(), StoreError> {
        outcome.map_err(|fault| {
            self.note_loss(&fault.error);
            fault.error
        })
    }

    fn note_loss(&mut self, fault: &StoreError) {
        if !self.connection.in_transaction() {
            self.lost = Some(fault.clone());
        }
    }

    /// True when no more work can go into this transaction.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Appends a row to a tenant's audit chain.
    pub(super) fn append_audit(&mut self, tenant: TenantKey, body: &str) -> Result<(), StoreError> {
        self.append_audits(tenant, &[body])
    }

    /// Appends rows to a tenant's audit chain.
    pub(super) fn append_audits(
        &mut self,
        tenant: TenantKey,
        bodies: &[&str],
    ) -> Result<(), StoreError> {
        let head = match self.heads.get(&tenant).or(self.held.get(&tenant)) {
            Some(head) => *head,
            None => audit::head(self.connection, tenant)?,
        };
        let next = audit::append(self.connection, tenant, &head, bodies)?;
        self.heads.insert(tenant, next);
        Ok(())
    }

    /// Whether an earlier try that would have ended the chains like this was stored after all. Its transaction held the
    /// same lock as this one does now, so it is over.
    pub(super) fn was_stored(&self, heads: &Heads) -> Result<bool, StoreError> {
        for (tenant, head) in heads {
            if !audit::holds(self.connection, *tenant, head)? {
                return Ok(false);
            }
        }
        Ok(!heads.is_empty())
    }

    /// Ends without a trace.
    pub(super) fn give_up(self) {
        if !self.connection.is_dead()
            && (self.connection.in_transaction() || self.connection.must_begin_again())
            && let Err(fault) = self.connection.rollback()
        {
            tracing::error!(error = %fault.error, "a transaction could not be rolled back");
        }
    }

    /// Makes everything durable, or nothing. What is committed to a file that has gone from its path is not acknowledged: it
    /// is lost when the process ends.
    pub(super) fn commit(self) -> CommitOutcome {
        if let Some(lost) = self.lost.clone() {
            return self.end(lost);
        }
        for (tenant, head) in &self.heads {
            if let Err(error) = audit::put_head(self.connection, *tenant, head) {
                return self.end(error);
            }
        }
        match self.connection.commit() {
            Ok(()) => match self.connection.in_place() {
                Ok(()) => {
                    for (tenant, head) in &self.heads {
                        self.connection.acknowledged(tenant.0, head.row());
                    }
                    CommitOutcome::Stored
                }
                Err(error) => CommitOutcome::NotStored(error),
            },
            Err(fault) if self.connection.must_begin_again() => {
                let heads = self.heads.clone();
                self.give_up();
                CommitOutcome::Unknown(fault.error, heads)
            }
            Err(fault) => {
                self.give_up();
                CommitOutcome::NotStored(fault.error)
            }
        }
    }

    fn end(self, error: StoreError) -> CommitOutcome {
        let again = self.connection.must_begin_again();
        self.give_up();
        match again {
            true => CommitOutcome::Again(error),
            false => CommitOutcome::NotStored(error),
        }
    }
}

/// Runs reads that must see one moment.
pub(in crate::store) fn snapshot<T>(
    connection: &Connection,
    reads: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.begin_snapshot()?;
    let outcome = reads(connection);
    let ended = match &outcome {
        Ok(_) => connection.commit(),
        Err(_) => connection.rollback(),
    };
    let value = outcome?;
    ended?;
    Ok(value)
}
