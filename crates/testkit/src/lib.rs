//! What tests and tools share: a PostgreSQL server, programs and how they end, processes, an HTTP connection, ports, waiting for a condition.
//!
//! No test relies on speed: it waits for a condition ([`until`], [`found`]), and a port is kept from other tests for as long
//! as the program runs ([`port`]). No test skips silently: a tool that a machine lacks is named ([`lacks`]).

mod command;
pub mod http;
mod ports;
pub mod postgres;
pub mod process;
mod running;
mod tools;
mod waiting;

pub use command::{Arguments, Ended, assert_contains, assert_lacks, words};
pub use ports::{port, ports};
pub use running::Running;
pub use tools::{has, lacks, under_ci};
pub use waiting::{PATIENCE, found, found_async, in_proportion, until, until_async};
