//! The metrics page: what it counts, what it never shows, where it is.

use super::support::operations::command;
use std::collections::HashSet;

use serde_json::json;

use super::support::operations::{free_address, get, metric, send, serves, uec, until};
use super::support::{CONSUMER_ASID, GP_CLINIC, Server, uuid};

fn page(server: &Server) -> String {
    let response = get(server.address, "/metrics").expect("an answer");
    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    response.text()
}

/// Proves: NFR-04, NFR-11
#[test]
fn requests_are_counted_by_interaction_and_outcome() {
    let server = Server::start("metrics", true);
    let before = page(&server);
    assert_eq!(
        metric(&before, "uec_requests_total", &[]),
        None,
        "nothing yet"
    );
    server.plain_search().expect(200);
    let (booking, created) = server.booked();
    server.book(&json!({})).body("{").expect(400);
    server.read(&uuid()).expect(404);
    server.read(&created.location_id()).expect(200);
    get(server.address, "/nothing/here").expect("an answer");
    let page = page(&server);
    for (interaction, status, error, wanted) in [
        ("book", "2xx", "", 1.0),
        ("book", "4xx", "ERR-04", 1.0),
        ("read", "4xx", "ERR-09", 1.0),
        ("read", "2xx", "", 1.0),
    ] {
        let labels = [
            ("tenant", "FX101"),
            ("interaction", interaction),
            ("status", status),
            ("error", error),
            ("traffic", "live"),
        ];
        let found = metric(&page, "uec_requests_total", &labels);
        assert_eq!(found, Some(wanted), "{labels:?} in\n{page}");
    }
    let nothing = [
        ("tenant", "none"),
        ("interaction", "none"),
        ("error", "404"),
    ];
    assert_eq!(metric(&page, "uec_requests_total", &nothing), Some(1.0));
    let booked = [("interaction", "book"), ("le", "+Inf")];
    let durations = metric(&page, "uec_request_duration_seconds_bucket", &booked);
    assert_eq!(durations, Some(2.0));
    let sent = metric(
        &page,
        "uec_response_body_bytes_total",
        &[("interaction", "search-slots")],
    );
    assert!(sent.is_some_and(|n| n > 1_000.0));
    let received = metric(
        &page,
        "uec_request_body_bytes_total",
        &[("interaction", "book")],
    );
    assert!(received.is_some_and(|n| n > 500.0));
    assert_eq!(metric(&page, "uec_requests_in_progress", &[]), Some(0.0));
    assert!(metric(&page, "uec_store_batch_jobs_count", &[]).is_some_and(|n| n > 1.0));
    assert_eq!(
        metric(&page, "uec_store_commits_total", &[("result", "failed")]),
        Some(0.0)
    );
    assert!(metric(&page, "uec_store_queue_capacity", &[]).is_some_and(|n| n >= 1.0));
    assert!(metric(&page, "process_start_time_seconds", &[]).is_some_and(|n| n > 1.7e9));
    assert_eq!(metric(&page, "uec_ready", &[]), Some(1.0));
    assert!(page.contains("uec_build_info{version=\""));
    let number = booking.nhs_number.clone().expect("a number");
    for secret in [number.as_str(), CONSUMER_ASID, "FX900", "Testwell"] {
        assert!(!page.contains(secret), "{secret} is on the page");
    }
    server.kill();
}

/// The text is what Prometheus takes: every metric once, help and type before its values, no series twice.
#[test]
fn the_page_is_well_formed() {
    let server = Server::shared(module_path!());
    server.plain_search().expect(200);
    let page = page(server);
    let (mut typed, mut series) = (HashSet::new(), HashSet::new());
    let mut current = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(typed.insert(name.to_owned()), "{name} twice");
            current = name.to_owned();
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (name_and_labels, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(
            name_and_labels.starts_with(&current),
            "{line} under {current}"
        );
        assert!(series.insert(name_and_labels.to_owned()), "twice: {line}");
    }
    assert!(page.ends_with('\n'));
}

/// Free slots, bookings and the age of the figures.
#[test]
fn the_diary_is_shown_and_never_read_more_often_than_needed() {
    let server = Server::start("metrics-diary", true);
    let first = page(&server);
    let free = |page: &str, within| {
        let labels = [
            ("tenant", "FX101"),
            ("service", GP_CLINIC),
            ("within", within),
        ];
        metric(page, "uec_slots_free", &labels).expect("a figure")
    };
    assert!(free(&first, "7d") > free(&first, "24h"));
    assert!(free(&first, "24h") > 0.0);
    assert_eq!(
        metric(&first, "uec_referrals_unmatched", &[("tenant", "FX101")]),
        Some(0.0)
    );
    let booking = server.booking();
    server.book(&booking.body()).expect(201);
    for _ in 0..20 {
        let again = page(&server);
        assert_eq!(free(&again, "7d"), free(&first, "7d"), "the same sample");
    }
    let live = |page: &str| metric(page, "uec_bookings_live", &[("tenant", "FX101")]);
    until("the next sample shows the booking", || {
        live(&page(&server)) == Some(1.0)
    });
    server.kill();
}

/// On the API's port only when told to; on the operators' port without a token, and nothing else there.
#[test]
fn metrics_are_off_the_public_port_unless_told_to() {
    let admin = free_address();
    // The demonstration shows them; a server without its seed does not.
    let folder = Server::start("metrics-ports", false).folder.clone();
    let database = format!("sqlite:{}", folder.join("provider.sqlite").display());
    let public = free_address();
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, "[trust]\nunsigned = \"any\"\n").expect("written");
    let mut child = command(format!(
        "provider serve --database '{database}' --listen '{}' \
             --admin-listen '{}' --config '{}'",
        public,
        admin,
        settings.display()
    ))
    .spawn()
    .expect("uec starts");
    let outcome = std::panic::catch_unwind(|| {
        until("it is ready", || serves(public, "/health/ready"));
        assert_eq!(get(public, "/metrics").map(|r| r.status), Some(404));
        let shown = get(admin, "/metrics").expect("an answer");
        assert_eq!(shown.status, 200);
        assert!(shown.text().contains("uec_requests_total"));
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(get(admin, path).map(|r| r.status), Some(200), "{path}");
        }
        assert_eq!(
            get(admin, "/STU3/1/FX101/metadata").map(|r| r.status),
            Some(404)
        );
        let post = format!(
            "POST /metrics HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(send(admin, post.as_bytes()).map(|r| r.status), Some(405));
        let hostless = "GET /metrics HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n";
        assert_eq!(
            send(admin, hostless.as_bytes()).map(|r| r.status),
            Some(400)
        );
    });
    let _ = child.kill();
    let _ = child.wait();
    let _ = std::fs::remove_dir_all(&folder);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    let help = uec("provider serve --help");
    assert!(help.stdout.contains("--admin-listen"));
}
