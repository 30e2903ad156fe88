//! What operators see of a Provider on PostgreSQL: readiness while the server is away, metrics, `doctor`.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]
mod support;

use serde_json::Value;
use support::operations::{free_address, get, uec, until};
use support::{Server as Provider, postgres};

/// Findings of the area `database` with a severity, in one text.
fn told(report: &Value, severity: &str) -> String {
    let all = report["findings"].as_array().cloned().unwrap_or_default();
    all.iter()
        .filter(|f| f["area"] == "database" && f["severity"] == severity)
        .map(|f| format!("{} → {}\n", f["says"], f["advice"]))
        .collect()
}

fn doctor(database: &str) -> Value {
    let output = uec(&["provider", "doctor", "--json", "--database", database]);
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// The server's own settings are judged, its trails verified; a database that is not there is told plainly.
#[test]
fn doctor_looks_at_the_server() {
    let Some(server) = postgres::Server::start("doctor", &["fsync=off"]) else {
        return;
    };
    let url = server.empty();
    let empty = doctor(&url);
    assert!(told(&empty, "warning").contains("schema is 0"), "{empty:#}");
    let provider = Provider::on("doctor", &url, &[]);
    let report = doctor(&url);
    let (wrong, right) = (told(&report, "problem"), told(&report, "ok"));
    assert!(wrong.contains("fsync = on"), "{report:#}");
    assert_eq!(wrong.matches('→').count(), 1, "{wrong}");
    assert!(right.contains("PostgreSQL 1"), "{right}");
    assert!(
        right.contains("audit trail of FX101 holds together"),
        "{right}"
    );
    assert!(
        told(&report, "note").contains("No standby confirms"),
        "{report:#}"
    );
    let gone = doctor(&server.url("no_such_database"));
    assert!(
        told(&gone, "problem").contains("cannot be read"),
        "{gone:#}"
    );
    provider.kill();
}

/// Not ready while PostgreSQL is away, alive all the while, ready again by itself when it is back.
#[test]
fn readiness_follows_the_database() {
    let Some(server) = postgres::Server::start("readiness", &["fsync=on"]) else {
        return;
    };
    let (url, admin) = (server.empty(), free_address());
    let provider = Provider::on("readiness", &url, &["--admin-listen", &admin.to_string()]);
    let ready = || get(admin, "/health/ready").map(|r| r.status);
    until("it is ready", || ready() == Some(200));
    server.kill_9();
    until("it is not ready", || ready() == Some(503));
    let reasons = get(admin, "/health/ready").expect("an answer").text();
    assert!(reasons.contains("database-"), "{reasons}");
    assert!(!reasons.contains("127.0.0.1"), "no addresses: {reasons}");
    assert_eq!(get(admin, "/health/live").map(|r| r.status), Some(200));
    server.up();
    until("it is ready again", || ready() == Some(200));
    let page = get(admin, "/metrics").expect("metrics").text();
    for needed in ["uec_ready 1", "uec_store_commits_total{result=\"stored\"}"] {
        assert!(page.contains(needed), "{needed} in\n{page}");
    }
    provider.kill();
}
