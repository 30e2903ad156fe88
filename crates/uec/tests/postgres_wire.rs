//! The tests of the wire on PostgreSQL: the same program, the same calls, the same answers.

#![allow(
    clippy::duplicate_mod,
    reason = "each suite brings its own view of the fixture"
)]

#[path = "provider_appointment.rs"]
mod provider_appointment;
#[path = "provider_book.rs"]
mod provider_book;
#[path = "provider_crash.rs"]
mod provider_crash;
#[path = "provider_limits.rs"]
mod provider_limits;
#[path = "provider_metrics.rs"]
mod provider_metrics;
#[path = "provider_races.rs"]
mod provider_races;
#[path = "provider_slots.rs"]
mod provider_slots;
#[path = "provider_telemetry.rs"]
mod provider_telemetry;
#[path = "provider_test_tenant.rs"]
mod provider_test_tenant;
#[path = "referral_crash.rs"]
mod referral_crash;
#[path = "referral_match.rs"]
mod referral_match;
#[path = "referral_receive.rs"]
mod referral_receive;
