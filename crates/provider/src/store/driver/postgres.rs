//! PostgreSQL 15 or newer: any number of processes on one database.
//!
//! The client is asynchronous; one thread of the store drives the connections that read ([`engine`]), each thread that
//! writes drives its own. Whoever asks waits in its own thread with a deadline ([`wait`]), so that the store is called in
//! the same way for both databases.

mod address;
mod connection;
mod engine;
mod fault;
mod inspect;
mod migrations;
mod moving;
mod password;
mod server;
mod session;
pub(in crate::store) mod shape;
mod snapshot;
mod statement;
mod statistics;
mod tls;
mod wait;

pub(in crate::store) use address::{is_address, redacted};
pub(in crate::store) use connection::Connection;
pub(in crate::store) use inspect::inspect;
pub(in crate::store) use migrations::{NEWEST, STEPS, open};
pub(in crate::store) use moving::{hold, others, own_pid, source, target};
pub(in crate::store) use server::{Server, Target};
pub(in crate::store) use session::Role;
pub(in crate::store) use snapshot::{Position, Watcher};
pub(in crate::store) use wait::{blocking, run_blocking};
