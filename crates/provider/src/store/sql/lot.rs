//! Which writes may share a transaction.

use crate::store::model::TenantKey;

/// Writes of one lot may share a transaction, and are done one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lot {
    /// All: the database has one writer.
    Any,
    /// Those of a tenant: no transaction crosses tenants.
    Tenant(TenantKey),
    /// Those of nobody: messages that could not be assigned.
    Nobody,
    /// Those that make a tenant.
    New,
}

impl Lot {
    /// The thread, of so many, that does this lot.
    pub(super) fn lane(self, lanes: usize) -> usize {
        match self {
            Lot::Tenant(TenantKey(key)) => usize::try_from(key).unwrap_or(0) % lanes.max(1),
            Lot::Any | Lot::Nobody | Lot::New => 0,
        }
    }
}
