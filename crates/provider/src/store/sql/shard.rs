//! Shards: which writes may share a transaction.

use crate::tenant_key::TenantKey;

/// Writes of one shard may share a transaction, and are done one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) enum Shard {
    /// All: the database has one writer.
    Any,
    /// Those of a tenant: no transaction crosses tenants.
    Tenant(TenantKey),
    /// Those of nobody: messages that could not be assigned.
    Nobody,
    /// Those that make a tenant.
    New,
}

impl Shard {
    /// The thread, of so many, that does this shard.
    pub(in crate::store) fn thread(self, threads: usize) -> usize {
        match self {
            Shard::Tenant(TenantKey(key)) => usize::try_from(key).unwrap_or(0) % threads.max(1),
            Shard::Any | Shard::Nobody | Shard::New => 0,
        }
    }
}
