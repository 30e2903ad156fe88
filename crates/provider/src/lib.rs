//! The Provider of the UEC Booking Standard: HTTP edge, diary, store and audit.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

pub mod anchor;
pub mod audit;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod diary;
pub mod health;
pub mod histogram;
pub mod http;
pub mod log_state;
pub mod metrics;
pub mod referral;
mod refusals;
pub mod revocation;
pub mod store;
pub mod telemetry;
mod tenant_key;

/// Path prefix of every service root: FHIR version and CareConnect major version (PROV-GEN-01).
pub const ROOT_PREFIX: &str = "/STU3/1/";

/// The tests' fixture uses this crate's external name.
#[cfg(test)]
extern crate self as provider;
