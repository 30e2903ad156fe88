//! Suites and evidence of assurance, tried without a Provider of ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod consumer_suite_wire;
mod evidence_fixture;
mod evidence_folder;
mod evidence_redaction;
mod evidence_report;
