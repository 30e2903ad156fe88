//! The tests of the wire on PostgreSQL: the same program, the same calls, the same answers. Every suite that starts a
//! Provider is here.

#![allow(
    clippy::duplicate_mod,
    reason = "a module knows by its path on which database it runs"
)]
#![allow(dead_code, reason = "what only the suites on files use")]

#[path = "assure_own.rs"]
mod assure_own;
#[path = "assured/mod.rs"]
mod assured;
mod login;
mod operations;
#[path = "provider_addressing.rs"]
mod provider_addressing;
#[path = "provider_appointment.rs"]
mod provider_appointment;
#[path = "provider_book.rs"]
mod provider_book;
#[path = "provider_crash.rs"]
mod provider_crash;
#[path = "provider_hostile.rs"]
mod provider_hostile;
#[path = "provider_limits.rs"]
mod provider_limits;
#[path = "provider_log.rs"]
mod provider_log;
#[path = "provider_metrics.rs"]
mod provider_metrics;
#[path = "provider_patient_search.rs"]
mod provider_patient_search;
#[path = "provider_races.rs"]
mod provider_races;
#[path = "provider_refusals.rs"]
mod provider_refusals;
#[path = "provider_rights.rs"]
mod provider_rights;
#[path = "provider_slots.rs"]
mod provider_slots;
#[path = "provider_telemetry.rs"]
mod provider_telemetry;
#[path = "provider_test_tenant.rs"]
mod provider_test_tenant;
#[path = "provider_tls.rs"]
mod provider_tls;
#[path = "provider_transport.rs"]
mod provider_transport;
#[path = "provider_versions.rs"]
mod provider_versions;
#[path = "referral_crash.rs"]
mod referral_crash;
#[path = "referral_fixture/mod.rs"]
mod referral_fixture;
#[path = "referral_hostile.rs"]
mod referral_hostile;
#[path = "referral_match.rs"]
mod referral_match;
#[path = "referral_receive.rs"]
mod referral_receive;
#[path = "referral_send.rs"]
mod referral_send;
#[path = "support/mod.rs"]
mod support;

/// Suites of the Provider that are not run again here.
#[rustfmt::skip] // a suite a line
const LEFT_OUT: &[(&str, &str)] = &[
    ("provider_anchors", "it damages and takes away a file of SQLite"),
    ("provider_audit", "it damages a file of SQLite"),
    ("provider_commands", "most of it is about settings and files; what the commands change is tried on both stores in the provider's own tests"),
    ("provider_connections", "it is about sockets and places, before any database is asked; one test holds a file of SQLite"),
    ("provider_copy", "it moves between both databases itself"),
    ("provider_doctor", "postgres/operations.rs has what doctor says of a server"),
    ("provider_files", "it takes away files of SQLite"),
    ("provider_ready", "postgres/operations.rs has the readiness of a server"),
    ("provider_slots_cli", "its databases are files; what the commands change is tried on both stores in the provider's own tests"),
    ("provider_rolling", "it starts its processes on PostgreSQL itself"),
];

/// A suite that is added is run on both databases, or left out for a reason.
#[test]
fn every_suite_of_the_provider_is_here() {
    let own = include_str!("postgres.rs");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all");
    let mut missing = Vec::new();
    for file in std::fs::read_dir(folder).expect("the folder of the tests") {
        let name = file.expect("a file").file_name();
        let name = name.to_string_lossy();
        let Some(suite) = name.strip_suffix(".rs") else {
            continue;
        };
        let starts_a_provider = suite.starts_with("provider_") || suite.starts_with("referral_");
        if starts_a_provider
            && !own.contains(&format!("mod {suite};"))
            && !LEFT_OUT.iter().any(|(left, _)| *left == suite)
        {
            missing.push(suite.to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
