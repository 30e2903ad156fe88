//! Stand-ins for the national services: DoS, SDS and SSP, each usable alone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

pub mod directory;
pub mod dos;
pub mod faults;
pub mod pki;
mod running;
pub mod sds;
mod small_http;
pub mod ssp;
pub mod watch;
pub mod world;

pub use running::{Listeners, Ports, SSP_NAME, Sandbox, Setup, Source, certificates};
