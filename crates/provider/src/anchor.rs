//! Anchors of the audit trail: signed heads, kept where nobody with access to the database can change them (D-74).
//!
//! Whoever can write to the database can compute a consistent chain. That chain cannot match a head that was signed and
//! stored elsewhere. So a removed tail, a recomputed chain, a restored backup or a lost WAL shows as a signed row that is
//! missing.
//!
//! [`key`] makes and reads the Ed25519 keys, [`line`] is the format of an anchor, [`folder`] stores anchors by day,
//! [`compare`] compares them with a database, [`keeper`] signs while a server runs, [`state`] feeds readiness and metrics.

pub mod compare;
pub mod folder;
pub mod keeper;
pub mod key;
pub mod line;
pub mod state;
