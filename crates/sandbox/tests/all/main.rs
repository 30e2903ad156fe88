//! The stand-ins for the national services, tried over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod dos_answers;
mod dos_http;
mod dos_requests;
mod dos_sandbox;
mod dos_search;
mod dos_support;
mod dos_world;
mod faults;
mod pki;
mod sds;
mod sds_wire;
mod spine;
mod ssp;
mod ssp_log;
mod ssp_tls;
mod watch;
