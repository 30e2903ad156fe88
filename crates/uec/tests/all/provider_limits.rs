//! Who may use how much, and who is turned away first.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::assert_contains;

use super::support::operations::{answer, declare, get, metric, until, with_settings};
use super::support::{Booking, CONSUMER_ASID, GP_CLINIC, Response, SEARCH_ONLY, Server, uuid};
use provider::store::{Options, Store};

fn page(server: &Server) -> String {
    get(server.address, "/metrics").expect("an answer").text()
}

fn search(server: &Server) -> Response {
    answer(&server.plain_search())
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
    let call = server.plain_search();
    let other = server.from(call, SEARCH_ONLY);
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
    let rows = audit_rows(&server, "429");
    assert!(rows.contains("\"status\":429"), "{rows}");
    server.kill();
}

fn audit_rows(server: &Server, until_there: &str) -> String {
    let options = Options {
        create: false,
        ..Options::default()
    };
    let store = Store::open(&server.database(), &options).expect("opens");
    let tenants = store.tenants().expect("tenants");
    let read = || -> String {
        let rows = tenants
            .iter()
            .flat_map(|t| store.tenant(t.key).audit_rows(0, 10_000).expect("rows"));
        rows.map(|row| row.body + "\n").collect()
    };
    until("late rows are written", || read().contains(until_there));
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
        let call = server.plain_search();
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
    let call = server.plain_search();
    let other = server.from(call, SEARCH_ONLY);
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

/// A body that never comes takes no place of the server's.
///
/// Proves: NFR-01, D-67
#[test]
fn bodies_that_do_not_come_take_no_places() {
    let server = with_settings(
        "limits-bodies",
        "[limits]\nrequests = 2\nconsumer_requests = 40\nbody_seconds = 600\n",
    );
    let booking = server.booking();
    let hanging: Vec<_> = (0..30).map(|_| hang(&server)).collect();
    assert_eq!(search(&server).status, 200);
    assert_eq!(answer(&server.book(&booking.body())).status, 201);
    drop(hanging);
    server.kill();
}

/// A code of nobody costs one look at most, and a new provider is found all the same.
#[test]
fn codes_of_nobody_do_not_hide_a_new_provider() {
    let server = with_settings("limits-codes", "");
    let path = |ods: &str| format!("/STU3/1/{ods}/metadata");
    let status = |ods: &str| get(server.address, &path(ods)).map(|r| r.status);
    for n in 0..200 {
        assert_eq!(status(&format!("FX{n:03}Z")), Some(404));
    }
    declare(&server, "FX101", |text| {
        text.replace("FX101", "FX303")
            .replace("918999000011", "918999000778")
    });
    until("it is found", || status("FX303").is_some_and(|s| s != 404));
    server.kill();
}

/// Proves: AUD-01, D-68
#[test]
fn requests_of_nobody_known_are_recorded_together() {
    let server = with_settings("limits-strangers", "");
    let query = Server::window_query(GP_CLINIC, 1, 2);
    for _ in 0..50 {
        let call = server.search(&query).without("Authorization");
        assert_eq!(answer(&call).status, 403);
    }
    // What was counted is recorded at the latest when the server stops.
    assert!(server.signal("TERM"));
    let rows = audit_rows(&server, "30 requests");
    let one_by_one = rows.matches("\"status\":403").count();
    assert_eq!(one_by_one, 20, "{rows}");
    assert_contains(&rows, &["30 requests from 127.0.0.1", "by status: 403: 30"]);
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
