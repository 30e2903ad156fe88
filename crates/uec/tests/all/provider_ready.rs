//! Readiness that tells the truth, and the way a server stops.

use std::time::{Duration, Instant};
use testkit::assert_contains;

use serde_json::Value;

use super::support::certificates::Identity;
use super::support::operations::{
    answer, free_address, get, serves, until, with_settings, written,
};
use super::support::{Response, Server};

fn ready(server: &Server) -> Response {
    get(server.address, "/health/ready").expect("an answer")
}

fn codes(response: &Response) -> Vec<String> {
    let reasons = response.json()["reasons"].clone();
    let all = reasons.as_array().map(Vec::as_slice).unwrap_or(&[]);
    all.iter()
        .filter_map(|r| r["code"].as_str().map(str::to_owned))
        .collect()
}

/// Another program that holds the database makes writing impossible: not ready, and alive; ready again by itself.
#[test]
fn a_database_that_cannot_be_written_is_not_ready() {
    let server = Server::start("ready-write", true);
    assert_eq!(
        ready(&server).json(),
        serde_json::json!({"status": "ready"})
    );
    let file = server.folder.join("provider.sqlite");
    let holder = rusqlite::Connection::open(&file).expect("opens");
    holder.execute_batch("BEGIN EXCLUSIVE").expect("held");
    until("it is not ready", || ready(&server).status == 503);
    let told = ready(&server);
    assert_eq!(codes(&told), ["database-write"], "{}", told.shown());
    assert!(told.header("retry-after").is_some());
    let text = told.text();
    assert!(
        !text.contains("sqlite") && !text.contains('/'),
        "no paths: {text}"
    );
    assert_eq!(
        get(server.address, "/health/live").map(|r| r.status),
        Some(200)
    );
    // Reading goes on.
    let search = server.plain_search();
    assert_eq!(answer(&search).status, 200);
    holder.execute_batch("ROLLBACK").expect("let go");
    until("it is ready again", || ready(&server).status == 200);
    until("it is said", || server.log().contains("ready again"));
    server.kill();
}

#[test]
fn a_disk_without_room_is_not_ready() {
    let server = Server::spawn("ready-disk", true, |folder| {
        let settings = "[health]\ndisk_free_bytes = 1000000000000000000\n";
        let file = written(folder, "settings.toml", settings);
        vec!["--config".to_owned(), file.display().to_string()]
    });
    server.wait_until(|s| serves(s.address, "/health/live"));
    until("it has looked", || codes(&ready(&server)) == ["disk"]);
    server.kill();
}

/// A certificate that runs out takes the server out of service, and is on the metrics page before.
#[test]
fn an_expired_certificate_is_not_ready() {
    let admin = free_address();
    let server = Server::spawn("ready-certificate", true, |folder| {
        let now = std::time::SystemTime::now();
        let soon = Identity::alone("127.0.0.1", |params| {
            params.not_before = (now - Duration::from_secs(3_600)).into();
            params.not_after = (now + Duration::from_secs(20)).into();
        });
        let mut arguments = soon.served(folder);
        arguments.extend(["--admin-listen".to_owned(), admin.to_string()]);
        arguments
    });
    let asked = |path: &str| get(admin, path);
    until("it answers", || asked("/health/live").is_some());
    let left = asked("/metrics").expect("a page").text();
    assert_contains(
        &left,
        &["uec_tls_certificate_expiry_seconds{certificate=\"server\"} "],
    );
    until("it has expired", || {
        asked("/health/ready").is_some_and(|r| r.status == 503 && codes(&r) == ["certificate"])
    });
    assert_eq!(asked("/health/live").map(|r| r.status), Some(200));
    server.kill();
}

/// On SIGTERM: first not ready while requests are still answered, then the end, within its bounds.
#[test]
fn a_server_that_stops_says_so_before_it_goes() {
    let server = with_settings(
        "ready-drain",
        "[limits]\ndrain_wait_seconds = 12\ndrain_seconds = 5\n",
    );
    let begun = Instant::now();
    assert!(server.signal("TERM"));
    until("it is not ready", || {
        get(server.address, "/health/ready").is_some_and(|r| r.status == 503)
    });
    assert_eq!(codes(&ready(&server)), ["stopping"]);
    let search = answer(&server.plain_search());
    assert_eq!(search.status, 200, "still answered");
    assert_eq!(search.header("connection"), Some("close"));
    until("it has gone", || {
        get(server.address, "/health/live").is_none()
    });
    assert!(begun.elapsed() >= Duration::from_secs(12));
    until("it has ended", || {
        server.log().contains("everything acknowledged is stored")
    });
    server.kill();
}

/// Health is the same on both ports and never needs a token; nothing but GET and HEAD.
#[test]
fn health_is_json_on_the_api_port_too() {
    let server = Server::shared(module_path!());
    let live: Value = get(server.address, "/health/live")
        .expect("an answer")
        .json();
    assert_eq!(live, serde_json::json!({"status": "live"}));
    get(server.address, "/health/nothing")
        .expect("an answer")
        .with(404);
}
