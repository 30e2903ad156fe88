//! The Consumer of the UEC Booking Standard: discovery, booking journey, referral.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

pub mod body;
pub mod client;
pub mod config;
pub mod discover;
mod form;
pub mod journal;
pub mod journey;
pub mod obstacle;
pub mod plan;
pub mod redact;
pub mod referral;
pub mod slots;
pub mod sms;
pub mod transport;
