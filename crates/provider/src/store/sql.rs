//! The store over either database: threads that write in groups, a pool of readers beside them. All statements are
//! here, each in the method of [`Store`](super::Store) or [`Tenant`](super::Tenant) that asks it.

pub(in crate::store) mod audit;
mod book;
mod cancel;
mod declared;
mod deferred_audit;
pub(in crate::store) mod figures;
mod find;
pub(in crate::store) mod group;
mod job;
mod made;
mod query;
pub(in crate::store) mod read;
pub(in crate::store) mod readers;
mod referral;
pub(in crate::store) mod replica;
pub(in crate::store) mod revision;
mod shard;
pub(in crate::store) mod slots;
pub(in crate::store) mod writer;
mod writer_thread;
