//! Input that no Consumer sends by intent: broken, huge, disguised, random. The server answers with a
//! 4xx or closes, and goes on serving. The Provider suite (`assure_own`) sends more of it, and `fhir` reads more of it.

use std::io::Write as _;

use serde_json::Value;

use super::support::http::{connect, exchange, gzip};
use super::support::{Call, Response, Server, to_xml};

/// Larger than any booking by far.
const HUGE: usize = 20 * 1024 * 1024;

fn search() -> Call {
    Server::shared(module_path!()).plain_search()
}

#[track_caller]
fn still_serves() {
    search().expect(200);
}

/// A booking whose body is exactly these bytes.
fn post(body: impl Into<Vec<u8>>) -> Call {
    Server::shared(module_path!()).book(&Value::Null).body(body)
}

fn valid_text() -> String {
    let server = Server::shared(module_path!());
    server.booking().body().to_string()
}

/// Random numbers that are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % below
    }
}

/// Proves: NFR-01
#[test]
fn bodies_that_are_too_large() {
    let padded = format!("{}{}", valid_text(), " ".repeat(HUGE));
    for call in [
        post(padded.clone()),
        post(padded).in_chunks(),
        // Announced only: refused without waiting for it.
        post("{").with("Content-Length", "9999999999999"),
    ] {
        let call = call.with("Connection", "close");
        if let Some(response) = exchange(call.address, &call.bytes()) {
            assert_eq!(response.status, 413, "{}", response.shown());
        }
    }
    still_serves();
}

/// Proves: PROV-GEN-13, NFR-01
#[test]
fn a_gzip_bomb_does_not_go_off() {
    let bomb = gzip(&vec![b' '; 48 * 1024 * 1024]);
    assert!(bomb.len() < 512 * 1024, "small as sent");
    post(bomb).with("Content-Encoding", "gzip").expect(413);
    post(gzip(valid_text().as_bytes())).gzipped().expect(400);
    still_serves();
}

/// Sends a head that is not quite HTTP and wants a 4xx or a closed connection.
#[track_caller]
fn refused_or_closed(bytes: &[u8]) {
    let address = Server::shared(module_path!()).address;
    if let Some(response) = exchange(address, bytes) {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
        let is_refused = (400..500).contains(&response.status);
        assert!(is_refused, "{shown}\n{}", response.shown());
    }
}

/// Proves: PROV-GEN-06, NFR-01
#[test]
fn heads_that_mean_two_things() {
    let call = post(valid_text());
    let text = String::from_utf8(call.bytes()).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let plain = head.replace(&format!("\r\nContent-Length: {}", body.len()), "");
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunks = format!("0\r\n\r\n{smuggled}");
    for (extra, rest) in [
        ("Content-Length: 5, 6", chunks.as_str()),
        ("Content-Length: +5", &chunks),
        ("Transfer-Encoding: gzip", &chunks),
        ("Transfer-Encoding: chunked, identity", &chunks),
        (" Folded: yes", ""),
        ("X Bad: a", ""),
        ("Transfer-Encoding: chunked", "zz\r\n\r\n"),
        ("Transfer-Encoding: chunked", "ffffffffffffffff1\r\na"),
    ] {
        let text = format!("{plain}\r\n{extra}\r\nConnection: close\r\n\r\n{rest}");
        refused_or_closed(text.as_bytes());
    }
    for odd in [
        "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "\r\n\r\n\r\nnonsense\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
    ] {
        refused_or_closed(odd.as_bytes());
    }
    // Both lengths: whatever is chosen, what follows is never a request of its own.
    let both = format!(
        "{plain}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let stream = connect(call.address);
    let mut writing = stream.try_clone().expect("second handle of the socket");
    let _ = writing.write_all(both.as_bytes());
    let _ = writing.shutdown(std::net::Shutdown::Write);
    if let Some(first) = Response::read(&mut std::io::BufReader::new(stream)) {
        assert!((400..500).contains(&first.status), "{}", first.shown());
    }
    still_serves();
}

/// A head that cannot be read at all is answered like any other fault: status, headers, OperationOutcome.
///
/// Proves: PROV-GEN-17, PROV-HDR-10, PROV-HDR-12, PROV-ERR-01
#[test]
fn a_head_that_cannot_be_read_is_answered_with_an_outcome() {
    let address = Server::shared(module_path!()).address;
    let host = format!("Host: {address}");
    let long = "a".repeat(70 * 1024);
    let many: String = (0..200).map(|i| format!("X-{i}: a\r\n")).collect();
    let get = |lines: &str| format!("GET / HTTP/1.1\r\n{host}\r\n{lines}\r\n\r\n");
    let post =
        |length: &str| format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: {length}\r\n\r\n");
    for (head, status, words) in [
        (format!("GET\r\n{host}\r\n\r\n"), 400, "request line"),
        (format!("G(T / HTTP/1.1\r\n{host}\r\n\r\n"), 400, "method"),
        (format!("GET / HTTP/9.9\r\n{host}\r\n\r\n"), 400, "version"),
        (get("X Bad: a"), 400, "Header line 2"),
        (get("NoColon"), 400, "Header line 2"),
        (post("-1"), 400, "Content-Length"),
        (post("abc"), 400, "Content-Length"),
        (post("5\r\nContent-Length: 6"), 400, "Content-Length"),
        (get(&format!("X-Long: {long}")), 431, "65536 bytes"),
        (
            format!("GET /{long} HTTP/1.1\r\n{host}\r\n\r\n"),
            431,
            "65536 bytes",
        ),
        (get(many.trim_end()), 431, "100 headers"),
    ] {
        let shown: String = head.chars().take(80).collect();
        let response = exchange(address, head.as_bytes()).unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(response.status, status, "{shown}\n{}", response.shown());
        response.check(&Call::new(address, "GET", "/"));
        response.says(&[words]);
        assert_eq!(response.header("connection"), Some("close"));
    }
    // After a request that was answered, on the same connection.
    let good = search().bytes();
    let both = [good.as_slice(), b"nonsense\r\n\r\n"].concat();
    let mut stream = connect(address);
    stream.write_all(&both).expect("written");
    let mut reader = std::io::BufReader::new(stream);
    for status in [200, 400] {
        let response = Response::read(&mut reader).expect("an answer").with(status);
        response.check(&Call::new(address, "GET", "/"));
    }
    still_serves();
}

/// Proves: ERR-09, NFR-01
#[test]
fn paths_that_lead_elsewhere() {
    let server = Server::shared(module_path!());
    for path in ["..", ".", "%2e%2e", "%", "a//b", "*"] {
        let status = server.read(path).send().status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    for target in [
        "*",
        "//",
        "http://elsewhere.example/STU3/1/FX101/metadata",
        "/STU3/1/FX101/../FX202/metadata",
        "/STU3/1//metadata",
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        refused_or_closed(bytes.as_bytes());
    }
}

/// Proves: NFR-01
#[test]
fn random_bytes() {
    let mut dice = Dice(0x5EED_0001);
    for _ in 0..150 {
        let length = 1 + dice.roll(2000);
        let bytes: Vec<u8> = (0..length)
            .map(|_| u8::try_from(dice.roll(256)).unwrap_or(0))
            .collect();
        let end = b"\r\n\r\n";
        refused_or_closed(&[bytes.as_slice(), end].concat());
        post(bytes).expect(400);
    }
    still_serves();
}

/// Proves: ERR-04, ERR-17, NFR-01
#[test]
fn messages_with_random_faults() {
    let server = Server::shared(module_path!());
    let mut dice = Dice(0x5EED_0002);
    let json = server.booking().body();
    let texts = [
        (json.to_string(), "application/fhir+json"),
        (to_xml(&json), "application/fhir+xml"),
    ];
    for round in 0..400 {
        let (text, media) = &texts[round % 2];
        let mut bytes = text.clone().into_bytes();
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(bytes.len());
            match dice.roll(4) {
                0 => bytes[at] = u8::try_from(dice.roll(256)).unwrap_or(0),
                1 => {
                    bytes.remove(at);
                }
                2 => {
                    let end = (at + 1 + dice.roll(60)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = dice.roll(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => {
                    let end = (at + 1 + dice.roll(60)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        let status = post(bytes).with("Content-Type", media).send().status;
        assert!(matches!(status, 201 | 400 | 422), "round {round}: {status}");
    }
}

/// Proves: ERR-02, ERR-06, NFR-01
#[test]
fn random_headers_and_tokens() {
    let server = Server::shared(module_path!());
    let mut dice = Dice(0x5EED_0003);
    let good = server.token("organization/slot.read").encoded();
    for _ in 0..150 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=dice.roll(3) {
            let at = dice.roll(bytes.len());
            bytes[at] = b"ABCxyz019-_=.!~ "[dice.roll(16)];
        }
        let token = String::from_utf8_lossy(&bytes).into_owned();
        let call = search().with("Authorization", &format!("Bearer {token}"));
        let status = call.send().status;
        assert!(matches!(status, 200 | 403), "{token}: {status}");
    }
    for name in ["Ssp-From", "Ssp-To", "Ssp-TraceID", "Ssp-InteractionID"] {
        for _ in 0..20 {
            let value: String = (0..1 + dice.roll(40))
                .map(|_| char::from(u8::try_from(33 + dice.roll(94)).unwrap_or(b'x')))
                .collect();
            search().with(name, &value).expect(400);
        }
    }
}

/// Proves: NFR-01, NFR-02
#[test]
fn idle_and_half_sent_connections_do_not_hold_others_up() {
    let address = Server::shared(module_path!()).address;
    let held: Vec<_> = (0..200)
        .map(|i| {
            let mut stream = connect(address);
            let half = b"POST /STU3/1/FX101/Appointment HTTP/1.1\r\nHost: a\r\nContent-Le";
            if i % 2 == 0 {
                let _ = stream.write_all(half);
            }
            stream
        })
        .collect();
    for _ in 0..10 {
        still_serves();
    }
    drop(held);
    still_serves();
}
