//! Stand-ins for the national services: DoS, SDS and SSP, each usable alone.

pub mod directory;
pub mod dos;
pub mod faults;
pub mod pki;
mod running;
pub mod sds;
pub mod ssp;
pub mod watch;
pub mod world;

pub use running::{Listeners, Ports, SSP_NAME, Sandbox, Setup, Source, certificates};
