//! What operators see of a Provider on PostgreSQL: readiness while the server is away, metrics, `doctor`.

use super::support::operations::{free_address, get, metric, uec, until};
use super::support::{Booking, Server as Provider, postgres};
use serde_json::Value;
use testkit::{assert_contains, assert_lacks};

/// Findings of the area `database` with a severity, in one text.
fn told(report: &Value, severity: &str) -> String {
    let all = report["findings"].as_array().cloned().unwrap_or_default();
    all.iter()
        .filter(|f| f["area"] == "database" && f["severity"] == severity)
        .map(|f| format!("{} → {}\n", f["says"], f["advice"]))
        .collect()
}

fn doctor(database: &str) -> Value {
    let output = uec(format!("provider doctor --json --database '{database}'"));
    output.json
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
    assert_contains(
        &right,
        &["PostgreSQL 1", "audit trail of FX101 holds together"],
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

/// Most lines that a server writes about a database that is away, however often it looks at it.
const LINES_WHILE_AWAY: usize = 8;

/// How often it looks at it meanwhile: a line at every look would be too many.
const LOOKS_WHILE_AWAY: f64 = 9.0;

/// That a database is away is logged a few times, not at every look at it and not at every question for the metrics;
/// that it is back, once.
#[test]
fn a_database_that_is_away_is_logged_a_few_times() {
    let Some(server) = postgres::Server::start("away", &["fsync=on"]) else {
        return;
    };
    let (url, admin) = (server.empty(), free_address());
    let provider = Provider::on("away", &url, &["--admin-listen", &admin.to_string()]);
    let ready = || get(admin, "/health/ready").map(|r| r.status);
    let looks = || {
        let page = get(admin, "/metrics").map_or_else(String::new, |r| r.text());
        metric(&page, "uec_health_checks_total", &[]).unwrap_or(0.0)
    };
    until("it is ready", || ready() == Some(200));
    let before = provider.log().lines().count();
    server.kill_9();
    until("it is not ready", || ready() == Some(503));
    until("the figures are missed", || {
        looks();
        provider.log().contains("figures for metrics could not")
    });
    let enough = looks() + LOOKS_WHILE_AWAY;
    until("it has looked often", || looks() >= enough);
    assert_eq!(ready(), Some(503));
    let log = provider.log();
    let lines = log.lines().count() - before;
    assert!(lines <= LINES_WHILE_AWAY, "{lines} lines: {log}");
    assert!(log.contains("not ready"), "{log}");
    server.up();
    until("it is ready again", || ready() == Some(200));
    until("both are told", || {
        looks();
        let log = provider.log();
        log.contains("ready again") && log.contains("figures for metrics are read again")
    });
    let log = provider.log();
    assert_eq!(log.matches("ready again").count(), 1, "{log}");
    provider.kill();
}

/// A server that is told to take no writes any more, which sessions that are open do not notice.
///
/// Proves: NFR-02, D-71
#[test]
fn readiness_notices_that_the_server_takes_no_writes() {
    let Some(server) = postgres::Server::start("read-only", &[]) else {
        return;
    };
    let (url, admin) = (server.empty(), free_address());
    let provider = Provider::on("read-only", &url, &["--admin-listen", &admin.to_string()]);
    let health = || get(admin, "/health/ready");
    until("it is ready", || health().is_some_and(|r| r.status == 200));
    let named = url.rsplit('/').next().and_then(|n| n.split('?').next());
    let database = named.expect("a database");
    for whose in ["SYSTEM".to_owned(), format!("DATABASE {database}")] {
        let set = |to: &str| {
            let set = format!("ALTER {whose} SET default_transaction_read_only = {to}");
            server.psql(&set).expect("it is set");
            server.psql("SELECT pg_reload_conf()").expect("it is read");
        };
        set("on");
        until("it is not ready", || {
            health().is_some_and(|r| r.status == 503 && r.text().contains("\"database-write\""))
        });
        let reasons = health().expect("an answer").text();
        assert!(reasons.contains("takes no writes"), "{reasons}");
        set("off");
        until("it is ready again", || {
            health().is_some_and(|r| r.status == 200)
        });
    }
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
    assert_contains(&reasons, &["database-"]);
    assert_lacks(&reasons, &["127.0.0.1"]);
    assert_eq!(get(admin, "/health/live").map(|r| r.status), Some(200));
    server.up();
    until("it is ready again", || ready() == Some(200));
    let page = get(admin, "/metrics").expect("metrics").text();
    assert_contains(
        &page,
        &["uec_ready 1", "uec_store_commits_total{result=\"stored\"}"],
    );
    provider.kill();
}

/// The primary is killed and its standby promoted: not ready while no server takes writes, also when the standby answers,
/// and ready again by itself when it was promoted; then it books.
///
/// Proves: NFR-02, D-71
#[test]
fn readiness_follows_a_failover() {
    let Some(primary) = postgres::Server::start("failover", &["fsync=on"]) else {
        return;
    };
    if !primary.copies() {
        return;
    }
    let url = primary.empty();
    let standby = primary.standby("failover-standby", &["fsync=on"]);
    let host = |url: &str| {
        let rest = url.split_once('@').expect("a user").1;
        rest.split_once('/').expect("a database").0.to_owned()
    };
    let (first, second) = (host(&url), host(&standby.url("postgres")));
    let both = url.replace(&first, &format!("{first},{second}"));
    let admin = free_address();
    let provider = Provider::on("failover", &both, &["--admin-listen", &admin.to_string()]);
    let ready = || get(admin, "/health/ready").map(|r| r.status);
    until("it is ready", || ready() == Some(200));
    let booking = Booking::of(&provider.take_slot());
    let call = provider.book(&booking.body());
    until("the standby has what the primary has", || {
        let all =
            "SELECT 1 / count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()";
        primary.psql(all).is_ok()
    });
    primary.kill_9();
    until("it is not ready", || ready() == Some(503));
    let reasons = get(admin, "/health/ready").expect("an answer").text();
    assert!(reasons.contains("database-"), "{reasons}");
    // The standby answers, and is no place to write to: looking at it again changes nothing.
    standby.psql("SELECT 1").expect("the standby answers");
    let looks = || {
        let page = get(admin, "/metrics").map_or_else(String::new, |r| r.text());
        metric(&page, "uec_health_checks_total", &[]).unwrap_or(0.0)
    };
    let looked = looks();
    until("it has looked again", || {
        assert_ne!(ready(), Some(200), "{}", provider.log());
        looks() >= looked + 3.0
    });
    assert_eq!(get(admin, "/health/live").map(|r| r.status), Some(200));
    standby.promote();
    until("it is ready again", || ready() == Some(200));
    // A session that has not noticed yet may lose its request; its repeat books once.
    until("it books", || call.send_unchecked().status == 201);
    provider.kill();
}
