//! The Consumer: finding a service, the journey, its journal and the referral, tried against servers on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod discover_choice;
mod discover_config;
mod discover_dos;
mod discover_sandbox;
mod discover_sds;
mod discover_support;
mod journey_conflicts;
mod journey_examples;
mod journey_independent;
mod journey_journal;
mod journey_lost;
mod journey_odd;
mod journey_provider;
mod journey_sent;
mod journey_support;
mod referral_sample;
mod referral_send;
mod referral_write;
mod scripted;
