//! Certificates for trying mutual TLS on one machine: a throw-away authority, its certificates as PEM files, and
//! the rustls configurations made of such files (NAT-SDS-01, NAT-SSP-04). Never for production.

mod authority;
mod config;
mod names;

pub use authority::{Authority, Files, Identity, write};
pub use config::{ClientTls, Protocol, ServerTls, client_config, server_config};
pub use names::carries_name;
