//! What tests and tools share: a PostgreSQL server, processes, an HTTP connection, ports, waiting for a condition.
//!
//! No test relies on speed: it waits for a condition ([`until`], [`found`]), and a port is kept from other tests for as long
//! as the program runs ([`port`]). No test skips silently: a tool that a machine lacks is named ([`lacks`]).

pub mod http;
mod ports;
pub mod postgres;
pub mod process;
mod tools;
mod waiting;

pub use ports::{port, ports};
pub use tools::{has, lacks, under_ci};
pub use waiting::{PATIENCE, found, found_async, in_proportion, until, until_async};
