//! Connections that ask for nothing, against a running Provider.

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
use support::{GP_CLINIC, Server};

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
    let mut closed = 0;
    until("all but three are closed", || {
        crowd.retain_mut(|stream| {
            stream.set_nonblocking(true).expect("set");
            let open = stream
                .read(&mut [0; 1])
                .is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
            closed += usize::from(!open);
            open
        });
        closed >= 9
    });
    assert_eq!(crowd.len(), 3);
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
