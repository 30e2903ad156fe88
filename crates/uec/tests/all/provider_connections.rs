//! Connections that ask for nothing, and more requests than there are places, against a running Provider.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::support::http::Call;
use super::support::operations::{answer, get, metric, send, serves, until, with_settings};
use super::support::{Booking, GP_CLINIC, Server, uuid};

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
    let ready = || serves(admin, "/health/ready");
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
    assert_eq!(answer(&server.plain_search()).status, 200);
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
    until("it answers", || serves(address, "/health/live"));
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
        serves(server.address, "/health/live")
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

/// The head of a request in HTTP/2, all of it in plain text.
fn head(call: &Call) -> Vec<u8> {
    let mut block = vec![0x86];
    let mut add = |name: &str, value: &str| {
        block.push(0);
        for text in [name, value] {
            match text.len() {
                n if n < 127 => block.push(n as u8),
                n => {
                    // Seven bits at a time, the lowest first.
                    let rest = n - 127;
                    block.push(127);
                    block.extend([rest, rest >> 7].map(|bits| (bits % 128 + 128) as u8));
                    block.push((rest >> 14) as u8);
                }
            }
            block.extend(text.as_bytes());
        }
    };
    add(":method", &call.method);
    add(":path", &call.target);
    add(":authority", "a");
    for (name, value) in &call.headers {
        add(&name.to_ascii_lowercase(), value);
    }
    block
}

/// A connection of HTTP/2 with a shut window and as many of these requests as it may have, all of them answered.
fn untaken(server: &Server, call: &Call) -> TcpStream {
    let block = head(call);
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
    let pid = server.pid().expect("it runs");
    testkit::process::figure(pid, "VmHWM").expect("a figure") << 10
}

/// Proves: NFR-01, D-66
#[test]
fn answers_that_nobody_takes_hold_little() {
    const CONNECTIONS: u64 = 96;
    let server = with_settings("untaken", "[limits]\nwrite_seconds = 600\n");
    until("it is ready", || serves(server.address, "/health/ready"));
    let call = Call::new(server.address, "GET", "/STU3/1/FX101/Slot");
    let warm = untaken(&server, &call);
    let before = most_memory(&server);
    let crowd: Vec<TcpStream> = (0..CONNECTIONS).map(|_| untaken(&server, &call)).collect();
    let each = (most_memory(&server) - before) / CONNECTIONS;
    // What `deploy/` gives memory for is a connection with everything that it may hold.
    assert!(each < 704 << 10, "{each} bytes for each connection");
    assert_eq!(answer(&server.plain_search()).status, 200);
    drop((warm, crowd));
    server.kill();
}

/// Requests whose bodies do not come keep what was read of their heads, not the heads.
///
/// Proves: NFR-01, D-66, D-67
#[test]
fn heads_of_waiting_requests_are_not_kept() {
    const CONNECTIONS: u64 = 16;
    /// The most that a frame may hold by default.
    const FRAME: usize = 16 << 10;
    let server = with_settings(
        "heads",
        "[limits]\nheader_seconds = 600\nbody_seconds = 600\n[admin]\nmetrics_on_api = true\n",
    );
    let booking = server
        .book(&server.booking().body())
        .with("X-Much", &"x".repeat(50_000));
    let block = head(&booking);
    let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    all.extend(frame(4, 0, 0, &[]));
    for n in 0..provider::http::STREAMS {
        let pieces = block.chunks(FRAME);
        let last = pieces.len() - 1;
        for (at, piece) in pieces.enumerate() {
            let kind = if at == 0 { 1 } else { 9 };
            let flags = if at == last { 4 } else { 0 };
            all.extend(frame(kind, flags, 2 * n + 1, piece));
        }
    }
    let under_way = || {
        let page = get(server.address, "/metrics").expect("an answer").text();
        metric(&page, "uec_requests_in_progress", &[]).expect("a figure")
    };
    let mut crowd = Vec::new();
    let mut wait = |connections: u64| {
        for _ in 0..connections {
            let mut stream = TcpStream::connect(server.address).expect("a connection");
            stream.write_all(&all).expect("sent");
            crowd.push(stream);
        }
        let most = crowd.len() as f64 * f64::from(provider::http::STREAMS);
        until("all wait for their bodies", || under_way() >= most);
    };
    wait(1);
    let before = most_memory(&server);
    wait(CONNECTIONS);
    let each = (most_memory(&server) - before) / CONNECTIONS;
    assert!(each < 704 << 10, "{each} bytes for each connection");
    drop(crowd);
    server.kill();
}

/// Proves: NFR-01, PROV-HDR-11, D-82
#[test]
fn a_request_id_without_end_is_not_sent_back() {
    let server = Server::shared(module_path!());
    for (length, sent_back) in [(36, true), (256, true), (257, false), (40_000, false)] {
        let id = "x".repeat(length);
        let call = Call::new(server.address, "GET", "/STU3/1/FX101/Slot")
            .with("X-Request-ID", &id)
            .with("Connection", "close");
        let response = send(server.address, &call.bytes())
            .expect("an answer")
            .with(400);
        let found = response.header("x-correlation-id");
        assert_eq!(found, sent_back.then_some(id.as_str()), "{length}");
    }
}

/// Proves: NFR-01, D-80
#[test]
fn answers_of_a_believed_consumer_that_nobody_takes_are_bounded() {
    const ANSWERS: u64 = 1 << 20;
    let server = with_settings(
        "untaken-answers",
        "[limits]\nwrite_seconds = 600\nanswers_bytes = 1048576\n[admin]\nmetrics_on_api = true\n",
    );
    let figure = |name: &str, labels: &[(&str, &str)]| {
        let page = get(server.address, "/metrics").expect("an answer").text();
        metric(&page, name, labels).expect("a figure")
    };
    let held = || figure("uec_answers_untaken_bytes", &[]);
    let refused = || figure("uec_requests_shed_total", &[("reason", "answers-untaken")]);
    let search = |accept| {
        let query = Server::window_query(GP_CLINIC, 1, 14);
        server.search(&query).with("Accept", accept)
    };
    let xml = search("application/fhir+xml");
    let one = xml.expect(200).body.len() as u64;
    assert!(one > 64 << 10, "{one} bytes is a large answer");
    let json = search("application/fhir+json");
    let zipped = json.clone().with("Accept-Encoding", "gzip");
    let crowd: Vec<TcpStream> = [&xml, &zipped, &xml]
        .into_iter()
        .map(|call| untaken(&server, call))
        .collect();
    // One consumer holds half of it, give or take an answer.
    assert!(refused() > 0.0);
    let (least, most) = ((ANSWERS / 2).saturating_sub(one), ANSWERS / 2);
    assert!((least as f64..=most as f64).contains(&held()), "{}", held());
    let turned = answer(&xml).with(503);
    turned.says(&["wait to be taken"]);
    assert_eq!(turned.header("retry-after"), Some("1"));
    // What is recorded is what was sent; bookings and small answers go on.
    let booked = server.book(&server.booking().body());
    let made = answer(&booked).with(201);
    assert_eq!(answer(&server.read(&made.location_id())).status, 200);
    drop(crowd);
    until("they are let go", || held() == 0.0);
    assert_eq!(answer(&xml).status, 200);
    server.kill();
}

/// When the server is full, searches go first: with three of four places taken a booking is still taken in.
#[test]
fn bookings_are_favoured_over_searches() {
    let server = with_settings(
        "limits-shed",
        "[limits]\nrequests = 4\nconsumer_requests = 8\n",
    );
    let bookings: Vec<_> = (0..4).map(|_| server.booking()).collect();
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
            turned = Some(answer(&server.plain_search())).filter(|response| response.status == 503);
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
        answer(&server.plain_search()).status == 200
    });
    server.kill();
}
