//! What the tests of several crates share: a PostgreSQL server, ports, waiting for a condition.
//!
//! No test relies on speed: it waits for a condition ([`until`], [`found`]), and a port is kept from other tests for as long
//! as the program runs ([`port`]). No test skips silently: a tool that a machine lacks is named ([`lacks`]).

mod ports;
pub mod postgres;
mod tools;
mod waiting;

pub use ports::{port, ports};
pub use tools::{has, lacks, under_ci};
pub use waiting::{PATIENCE, found, found_async, in_proportion, until, until_async};
