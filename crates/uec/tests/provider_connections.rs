//! Connections that ask for nothing, and more requests than there are places, against a running Provider.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses a part of it"
)]
mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::operations::{answer, get, metric, until, with_settings};
use support::{Booking, GP_CLINIC, Server, uuid};

/// Proves: NFR-01, D-66
#[test]
fn a_silent_crowd_is_seen() {
    let admin = testkit::port();
    let server = with_settings(
        "silent-crowd",
        &format!(
            "[limits]\nconnections = 8\nconnections_per_peer = 8\nheader_seconds = 600\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n"
        ),
    );
    let admin = ([127, 0, 0, 1], admin).into();
    let ready = || get(admin, "/health/ready").is_some_and(|r| r.status == 200);
    until("it is ready", ready);
    let crowd: Vec<TcpStream> = (0..8)
        .map(|n| {
            let mut stream = TcpStream::connect(server.address).expect("a connection");
            if n % 2 == 0 {
                stream.write_all(b"PRI * HTTP/2.0\r\n").expect("sent");
            }
            stream
        })
        .collect();
    // The operators' port does not say ready while nobody gets in.
    until("it says why it is not ready", || {
        get(admin, "/health/ready")
            .is_some_and(|r| r.status == 503 && r.text().contains("connections"))
    });
    drop(crowd);
    until("it is ready again", ready);
    assert_eq!(
        answer(&server.search(&Server::window_query(GP_CLINIC, 1, 2))).status,
        200
    );
    server.kill();
}

/// Waits until no more than so many of these are open, and drops the others.
fn keep_open(crowd: &mut Vec<TcpStream>, most: usize) {
    until("the others are closed", || {
        crowd.retain_mut(|stream| {
            stream.set_nonblocking(true).expect("set");
            stream
                .read(&mut [0; 1])
                .is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
        });
        crowd.len() <= most
    });
}

/// Proves: NFR-01, D-66
#[test]
fn one_peer_does_not_take_the_operators_port() {
    let admin = testkit::port();
    let server = with_settings(
        "admin-crowd",
        &format!("[admin]\nlisten = \"127.0.0.1:{admin}\"\n"),
    );
    let address = ([127, 0, 0, 1], admin).into();
    until("it answers", || {
        get(address, "/health/live").is_some_and(|r| r.status == 200)
    });
    let mut crowd: Vec<TcpStream> = (0..96)
        .map(|_| TcpStream::connect(address).expect("a connection"))
        .collect();
    keep_open(&mut crowd, 64);
    // The connection that asked before may have been counted still.
    assert!(matches!(crowd.len(), 63 | 64), "{}", crowd.len());
    drop(crowd);
    server.kill();
}

/// Proves: NFR-01, D-66
#[test]
fn one_peer_does_not_take_all_connections() {
    let server = with_settings(
        "one-peer",
        "[limits]\nconnections = 64\nconnections_per_peer = 3\nheader_seconds = 600\n",
    );
    let mut crowd: Vec<TcpStream> = (0..12)
        .map(|_| TcpStream::connect(server.address).expect("a connection"))
        .collect();
    // Nine of them are closed at once, whichever they are.
    keep_open(&mut crowd, 3);
    // The connection that waited for the start may have been counted still.
    assert!(matches!(crowd.len(), 2 | 3), "{}", crowd.len());
    drop(crowd);
    until("the next is served", || {
        get(server.address, "/health/live").is_some_and(|r| r.status == 200)
    });
    server.kill();
}

/// Proves: NFR-01, D-66
#[test]
fn a_silent_connection_ends_by_itself() {
    let settings = "[limits]\nheader_seconds = 1\n[admin]\nmetrics_on_api = true\n";
    let server = with_settings("silent", settings);
    for bytes in [b"".as_slice(), b"PRI * HTTP/2.0\r\n", b"GET / HT"] {
        let mut stream = TcpStream::connect(server.address).expect("a connection");
        stream.write_all(bytes).expect("sent");
        let mut heard = Vec::new();
        // It is closed by the server; a reset is an end too.
        let _ = stream.read_to_end(&mut heard);
    }
    until("it is counted", || {
        let page = get(server.address, "/metrics").expect("an answer").text();
        metric(&page, "uec_connections_ended_total", &[("reason", "head")])
            .is_some_and(|n| n >= 2.0)
    });
    server.kill();
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short");
    let mut out = length.to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// A connection of HTTP/2 with a shut window and as many requests without a token as it may have, all of them answered.
fn untaken(server: &Server) -> TcpStream {
    let path = "/STU3/1/FX101/Slot";
    // GET and http from the static table, path and host in plain text.
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).expect("short")];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'a']);
    let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // The initial window of a stream is nothing.
    all.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    for n in 0..provider::http::STREAMS {
        all.extend(frame(1, 0x05, 2 * n + 1, &block));
    }
    let mut stream = TcpStream::connect(server.address).expect("a connection");
    stream.write_all(&all).expect("sent");
    let mut answered = 0;
    while answered < provider::http::STREAMS {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).expect("its payload");
        answered += u32::from(head[3] == 1);
    }
    stream
}

/// The most memory that the server had, bytes.
fn most_memory(server: &Server) -> u64 {
    let pid = std::fs::read_to_string(server.folder.join("pid")).expect("the process id");
    let pid = pid.trim();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let (_, most) = status.split_once("VmHWM:").expect("a figure");
    let most: u64 = most
        .split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    most << 10
}

/// Proves: NFR-01, D-66
#[test]
fn answers_that_nobody_takes_hold_little() {
    const CONNECTIONS: u64 = 96;
    let server = with_settings("untaken", "[limits]\nwrite_seconds = 600\n");
    until("it is ready", || {
        get(server.address, "/health/ready").is_some_and(|r| r.status == 200)
    });
    let warm = untaken(&server);
    let before = most_memory(&server);
    let crowd: Vec<TcpStream> = (0..CONNECTIONS).map(|_| untaken(&server)).collect();
    let each = (most_memory(&server) - before) / CONNECTIONS;
    // What `deploy/` gives memory for is a connection with everything that it may hold.
    assert!(each < 704 << 10, "{each} bytes for each connection");
    assert_eq!(
        answer(&server.search(&Server::window_query(GP_CLINIC, 1, 2))).status,
        200
    );
    drop((warm, crowd));
    server.kill();
}

/// When the server is full, searches go first: with three of four places taken a booking is still taken in.
#[test]
fn bookings_are_favoured_over_searches() {
    let server = with_settings(
        "limits-shed",
        "[limits]\nrequests = 4\nconsumer_requests = 8\n",
    );
    let bookings: Vec<_> = (0..4).map(|_| Booking::of(&server.take_slot())).collect();
    // While somebody else writes to the database, bookings are under way.
    let path = server.database();
    let path = path.strip_prefix("sqlite:").expect("a file");
    let other = rusqlite::Connection::open(path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    std::thread::scope(|scope| {
        let book = |booking: &Booking| {
            let body = booking.body();
            // Those that waited too long are sent again: the places stay taken.
            until("it is booked", || {
                let status = answer(&server.book(&body)).status;
                assert!(matches!(status, 201 | 503), "{status}");
                status == 201
            });
        };
        let (first, fourth) = bookings.split_at(3);
        for booking in first {
            scope.spawn(move || book(booking));
        }
        let mut turned = None;
        until("searches are turned away", || {
            turned = Some(answer(
                &server.search(&Server::window_query(GP_CLINIC, 1, 2)),
            ))
            .filter(|response| response.status == 503);
            turned.is_some()
        });
        let turned = turned.expect("an answer");
        assert_eq!(turned.json()["issue"][0]["code"], "transient");
        assert_eq!(turned.header("retry-after"), Some("1"));
        scope.spawn(move || book(&fourth[0]));
        let read = || answer(&server.read(&uuid())).status;
        until("it is full", || read() == 503);
        let page = get(server.address, "/metrics").expect("an answer").text();
        for reason in ["kept-for-bookings", "full"] {
            let shed = metric(&page, "uec_requests_shed_total", &[("reason", reason)]);
            assert!(shed.is_some_and(|n| n >= 1.0), "{reason} in\n{page}");
        }
        other.execute_batch("ROLLBACK").expect("unlocked");
    });
    until("it goes on", || {
        answer(&server.search(&Server::window_query(GP_CLINIC, 1, 2))).status == 200
    });
    server.kill();
}
