//! Who may use how much, and who is turned away first.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]
mod support;

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use provider::store::{Options, Store};
use support::operations::{answer, declare, get, metric, until, with_settings};
use support::{Booking, CONSUMER_ASID, GP_CLINIC, Response, Server, uuid};

fn page(server: &Server) -> String {
    get(server.address, "/metrics").expect("an answer").text()
}

fn search(server: &Server) -> Response {
    answer(&server.search(&Server::window_query(GP_CLINIC, 1, 2)))
}

#[track_caller]
fn assert_throttled(response: &Response) {
    assert_eq!(response.status, 429, "{}", response.shown());
    let issue = &response.json()["issue"][0];
    assert_eq!(issue["code"], "throttled");
    let after = response.header("retry-after").expect("Retry-After");
    assert!(after.parse::<u32>().is_ok_and(|n| n >= 1), "{after}");
}

/// Proves: NFR-01, AUD-01
#[test]
fn a_consumer_has_a_burst_and_then_a_rate_of_its_own() {
    let server = with_settings(
        "limits-rate",
        "[limits]\nconsumer_per_second = 1\nconsumer_burst = 4\n",
    );
    let statuses: Vec<u16> = (0..8).map(|_| search(&server).status).collect();
    assert_eq!(&statuses[..4], [200; 4]);
    assert!(statuses[4..].contains(&429), "{statuses:?}");
    until("it is refused", || search(&server).status == 429);
    assert_throttled(&search(&server));
    // Another consumer has an allowance of its own.
    let other = server.as_search_only(
        server.search(&Server::window_query(GP_CLINIC, 1, 2)),
        "organization/slot.read",
    );
    assert_eq!(answer(&other).status, 200);
    until("it may go on", || search(&server).status == 200);
    let page = page(&server);
    let limited = metric(
        &page,
        "uec_consumer_limited_total",
        &[("asid", CONSUMER_ASID), ("tenant", "FX101")],
    );
    assert!(limited.is_some_and(|n| n >= 2.0), "{page}");
    let shed = metric(
        &page,
        "uec_requests_shed_total",
        &[("reason", "consumer-rate")],
    );
    assert_eq!(shed, limited);
    // What was refused is in the audit trail.
    let rows = audit_rows(&server);
    assert!(rows.contains("\"status\":429"), "{rows}");
    server.kill();
}

fn audit_rows(server: &Server) -> String {
    let options = Options {
        create: false,
        ..Options::default()
    };
    let store = Store::open(&server.database(), &options).expect("opens");
    let tenants = store.tenants().expect("tenants");
    let read = || -> String {
        let rows = tenants
            .iter()
            .flat_map(|t| store.audit_rows(t.key, 0, 10_000).expect("rows"));
        rows.map(|row| row.body + "\n").collect()
    };
    until("late rows are written", || read().contains("429"));
    read()
}

/// A declared consumer's own limit stands in the place of the server's; systems that nobody declared go unnamed.
#[test]
fn a_declaration_overrides_the_limit() {
    let server = with_settings(
        "limits-declared",
        "[limits]\nconsumer_per_second = 1\nconsumer_burst = 1\n",
    );
    declare(&server, "FX101", |text| {
        let (head, tail) = text
            .split_once(&format!("asid = \"{CONSUMER_ASID}\"\n"))
            .expect("the consumer is declared");
        format!("{head}asid = \"{CONSUMER_ASID}\"\nper_second = 1000\nburst = 1000\n{tail}")
    });
    until("the declaration is known", || {
        (0..3).all(|_| search(&server).status == 200)
    });
    for _ in 0..30 {
        assert_eq!(search(&server).status, 200);
    }
    let unknown = |server: &Server| {
        let call = server.search(&Server::window_query(GP_CLINIC, 1, 2));
        answer(&call.with("Ssp-From", "918999000777")).status
    };
    until("the other one is refused", || unknown(&server) == 429);
    let page = page(&server);
    assert!(!page.contains("918999000777"), "not declared, not named");
    assert!(metric(&page, "uec_consumer_limited_total", &[("asid", "other")]).is_some());
    server.kill();
}

/// Requests that hang take up the consumer's share and nobody else's.
#[test]
fn a_consumer_cannot_take_all_of_the_server() {
    let server = with_settings(
        "limits-under-way",
        "[limits]\nconsumer_requests = 2\nbody_seconds = 20\n",
    );
    let hanging: Vec<_> = (0..2).map(|_| hang(&server)).collect();
    let refused = || {
        let response = search(&server);
        (response.status == 429).then_some(response)
    };
    until("both are under way", || refused().is_some());
    assert_throttled(&refused().expect("refused"));
    let other = server.as_search_only(
        server.search(&Server::window_query(GP_CLINIC, 1, 2)),
        "organization/slot.read",
    );
    assert_eq!(answer(&other).status, 200);
    drop(hanging);
    until("their places are free again", || {
        search(&server).status == 200
    });
    server.kill();
}

/// A booking whose body never comes; the server has asked for it, so it is under way.
fn hang(server: &Server) -> std::net::TcpStream {
    let slot = serde_json::json!({"id": uuid(), "start": "2031-03-04T08:15:00Z", "end": "2031-03-04T08:30:00Z"});
    let call = server.book(&Booking::of(&slot).body());
    let bytes = call.with("Expect", "100-continue").bytes();
    let head = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let mut stream = std::net::TcpStream::connect(server.address).expect("connects");
    stream.write_all(&bytes[..head]).expect("sent");
    let mut asked = [0; 12];
    stream.read_exact(&mut asked).expect("an answer");
    assert_eq!(&asked, b"HTTP/1.1 100", "the body is asked for");
    stream
}

/// When the server is full, searches go first: with three of four places taken a booking is still made.
#[test]
fn bookings_are_favoured_over_searches() {
    let server = with_settings("limits-shed", "[limits]\nrequests = 4\nbody_seconds = 20\n");
    let booking = Booking::of(&server.take_slot());
    let hanging: Vec<_> = (0..3).map(|_| hang(&server)).collect();
    until("searches are turned away", || search(&server).status == 503);
    let turned = search(&server);
    assert_eq!(turned.json()["issue"][0]["code"], "transient");
    assert_eq!(turned.header("retry-after"), Some("1"));
    assert_eq!(answer(&server.book(&booking.body())).status, 201);
    let fourth = hang(&server);
    let attempt = || answer(&server.read(&uuid())).status;
    until("it is full", || attempt() == 503);
    let page = page(&server);
    for reason in ["kept-for-bookings", "full"] {
        let shed = metric(&page, "uec_requests_shed_total", &[("reason", reason)]);
        assert!(shed.is_some_and(|n| n >= 1.0), "{reason} in\n{page}");
    }
    assert_eq!(
        get(server.address, "/health/ready").map(|r| r.status),
        Some(200)
    );
    drop((hanging, fourth));
    until("it goes on", || search(&server).status == 200);
    server.kill();
}

/// Many at once: exactly as many as the burst allows, whatever order they come in.
#[test]
fn a_burst_is_exact_under_racing_callers() {
    let server = with_settings(
        "limits-race",
        "[limits]\nconsumer_per_second = 1\nconsumer_burst = 20\n",
    );
    let taken = AtomicUsize::new(0);
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    if search(&server).status == 200 {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let most = 20 + begun.elapsed().as_secs() as usize + 1;
    let taken = taken.load(Ordering::Relaxed);
    assert!((20..=most).contains(&taken), "{taken}, at most {most}");
    server.kill();
}
