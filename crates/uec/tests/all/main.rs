//! The program itself, run as people and other systems run it; the suites that start a Provider run on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod assure_consumer;
mod assure_consumer_ours;
mod assure_own;
mod assure_plan;
mod assure_provider;
mod assure_report;
mod assure_setup;
mod assured;
mod balancer;
mod browser_pages;
mod consumer_cli;
mod consumer_misbehaving;
mod consumer_side_by_side;
mod consumer_stopped;
mod consumer_taken_up;
mod consumer_words;
mod demo;
mod describe;
mod messages;
mod misbehaving;
mod newman;
mod output;
mod plan_support;
mod postgres;
mod provider_addressing;
mod provider_anchors;
mod provider_appointment;
mod provider_audit;
mod provider_book;
mod provider_commands;
mod provider_connections;
mod provider_copy;
mod provider_crash;
mod provider_doctor;
mod provider_files;
mod provider_hostile;
mod provider_limits;
mod provider_log;
mod provider_metrics;
mod provider_patient_search;
mod provider_races;
mod provider_ready;
mod provider_refusals;
mod provider_rights;
mod provider_rolling;
mod provider_slots;
mod provider_slots_cli;
mod provider_telemetry;
mod provider_test_tenant;
mod provider_tls;
mod provider_transport;
mod provider_versions;
mod referral_crash;
mod referral_fixture;
mod referral_hostile;
mod referral_match;
mod referral_receive;
#[path = "../../../consumer/tests/all/referral_sample/mod.rs"]
mod referral_sample;
mod referral_send;
mod sandbox_cli;
mod support;
mod validate;
