//! The audit trail of a tenant: recorded, checked, read.

use super::appointment::{AuditHead, AuditRow, AuditVerdict};
use super::error::StoreError;
use super::model::TenantKey;
use super::{LIST_MOST, Store, sql};
use crate::audit::AuditEntry;
use jiff::Timestamp;

impl Store {
    /// Records an access; returns when the row is durable.
    pub async fn audit(&self, tenant: TenantKey, entry: &AuditEntry) -> Result<(), StoreError> {
        self.database.audit(tenant, entry.body()).await
    }

    /// Records an access; the row is written with the next transaction, at most a second later. Waits until it is
    /// durable only when too many rows are waiting.
    pub async fn audit_soon(
        &self,
        tenant: TenantKey,
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        self.database.audit_soon(tenant, entry.body()).await
    }

    /// Checks a tenant's audit trail from its first row. Takes about a second per million rows.
    pub fn audit_verify(&self, tenant: TenantKey) -> Result<AuditVerdict, StoreError> {
        self.audit_verify_seeing(tenant, &|_| {})
    }

    /// The same; every row that fits is shown on the way.
    pub fn audit_verify_seeing(
        &self,
        tenant: TenantKey,
        see: &dyn Fn(&AuditHead),
    ) -> Result<AuditVerdict, StoreError> {
        self.database.audit_verify(tenant, see)
    }

    /// The end of a tenant's audit trail as it was written down with its last row, which must be there.
    pub fn audit_head(&self, tenant: TenantKey) -> Result<AuditHead, StoreError> {
        self.database.read(|c| sql::audit::checked_head(c, tenant))
    }

    /// The last row of a tenant's audit trail that is there, whatever was written down.
    pub fn audit_end(&self, tenant: TenantKey) -> Result<AuditHead, StoreError> {
        self.database.read(|c| sql::audit::end(c, tenant))
    }

    /// The hash of a row of a tenant's audit trail, if it is there.
    pub fn audit_hash(&self, tenant: TenantKey, seq: i64) -> Result<Option<[u8; 32]>, StoreError> {
        self.database.read(|c| sql::audit::hash_of(c, tenant, seq))
    }

    /// Audit rows after a number (0: from the first), at most `limit`.
    pub fn audit_rows(
        &self,
        tenant: TenantKey,
        after: i64,
        limit: usize,
    ) -> Result<Vec<AuditRow>, StoreError> {
        self.database
            .audit_rows(tenant, after, limit.min(LIST_MOST))
    }

    /// The number of the last audit row written before a moment, or 0: with [`Store::audit_rows`] the way to the rows
    /// of a time.
    pub fn audit_last_before(&self, tenant: TenantKey, at: Timestamp) -> Result<i64, StoreError> {
        self.database.audit_last_before(tenant, at)
    }
}
