//! Anchors of the audit trail: signed heads, kept where somebody with the database cannot change them (D-74).
//!
//! Whoever can write to the database can make a chain that fits itself. A head that was signed and carried elsewhere cannot
//! be made to fit another chain: a tail that was removed, a chain that was computed anew, a backup that was put back and a
//! WAL that was lost all show as a row that was signed and is not there any more.
//!
//! [`key`] makes and reads the Ed25519 keys, [`line`] is the form of an anchor, [`folder`] keeps them by day, [`compare`]
//! holds them against a database, [`keeper`] makes them while a server runs, [`state`] is what readiness and metrics show.

pub mod compare;
pub mod folder;
pub mod keeper;
pub mod key;
pub mod line;
pub mod state;
