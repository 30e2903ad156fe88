//! Input that no Consumer sends by intent: broken, huge, disguised, random. The server answers with a
//! 4xx or closes, and goes on serving.

use super::support;
use std::fmt::Write as _;
use std::io::Write as _;
use testkit::assert_lacks;

use serde_json::json;

use super::support::http::{connect, exchange, gzip};
use super::support::{Booking, Call, GP_CLINIC, Server, to_xml};

/// Larger than any booking by far.
const HUGE: usize = 20 * 1024 * 1024;

fn search() -> Call {
    Server::shared(module_path!()).search(&Server::window_query(GP_CLINIC, 1, 2))
}

#[track_caller]
fn still_serves() {
    search().expect(200);
}

/// A booking whose body is exactly these bytes.
fn post(body: impl Into<Vec<u8>>) -> Call {
    Server::shared(module_path!()).book(&json!({})).body(body)
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

/// Proves: ERR-04, NFR-01
#[test]
fn json_that_is_none() {
    let text = valid_text();
    for body in [
        "",
        " ",
        "{",
        "}",
        "nul",
        "{\"resourceType\":\"Appointment\"",
        "{\"resourceType\":\"Appointment\"}}",
        "{\"resourceType\":\"Appointment\",}",
        "{'resourceType':'Appointment'}",
        "{\"resourceType\":\"Appointment\",\"start\":NaN}",
        "{\"resourceType\":\"Appointment\",\"description\":\"\\ud800\"}",
        "{\"resourceType\":\"Appointment\",\"description\":\"\u{0}\"}",
        "<Appointment/>",
    ] {
        post(body).expect(400);
    }
    for (part, other) in [
        ("\"rank\":1", "\"rank\":\"1\""),
        ("\"rank\":1", "\"rank\":1.5"),
        ("\"start\":\"", "\"start\":[\""),
        ("\"status\":\"booked\"", "\"status\":true"),
        ("\"contained\":[", "\"contained\":[5,"),
        ("\"participant\":[", "\"participant\":[[],"),
    ] {
        post(text.replace(part, other)).expect(400);
    }
    post(text.replace(
        "\"status\":\"booked\"",
        "\"status\":\"booked\",\"status\":\"booked\"",
    ))
    .expect(400);
    still_serves();
}

/// Proves: ERR-04, PROV-GEN-12, NFR-01
#[test]
fn bytes_that_are_no_text() {
    let text = valid_text();
    for bad in [
        &b"\xff\xfe"[..],
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xc0\xaf",
    ] {
        let (head, tail) = text.split_once("Sore").expect("the description");
        post([head.as_bytes(), bad, tail.as_bytes()].concat()).expect(400);
    }
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    post(utf16).expect(400);
    let xml = to_xml(&Booking::of(&Server::shared(module_path!()).take_slot()).body());
    let (head, tail) = xml.split_once("Sore").expect("the description");
    let body = [head.as_bytes(), b"\xff", tail.as_bytes()].concat();
    post(body)
        .with("Content-Type", "application/fhir+xml")
        .expect(400);
    still_serves();
}

/// Proves: ERR-04, NFR-01
#[test]
fn depth_without_end() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"extension\":[", "]}")] {
        let deep = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        post(deep.clone()).expect(400);
        let inside = format!("{{\"resourceType\":\"Appointment\",\"extension\":[{deep}]}}");
        post(inside).expect(400);
    }
    let deep = format!(
        "<Appointment xmlns=\"http://hl7.org/fhir\">{}{}</Appointment>",
        "<extension url=\"a\">".repeat(20_000),
        "</extension>".repeat(20_000)
    );
    post(deep)
        .with("Content-Type", "application/fhir+xml")
        .expect(400);
    still_serves();
}

/// Proves: ERR-04, NFR-01
#[test]
fn xml_that_reaches_out_or_swells() {
    let secret = "root:";
    let good = to_xml(&Booking::of(&Server::shared(module_path!()).take_slot()).body());
    let with = |doctype: &str, entity: &str| {
        format!(
            "<?xml version=\"1.0\"?>{doctype}{}",
            good.replace("Sore", entity)
        )
    };
    let mut laughs = String::from("<!DOCTYPE a [<!ENTITY l0 \"ha\">");
    for i in 1..12 {
        let _ = write!(
            laughs,
            "<!ENTITY l{i} \"{}\">",
            format!("&l{};", i - 1).repeat(10)
        );
    }
    laughs.push_str("]>");
    for body in [
        with(
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
            "&x;",
        ),
        with("<!DOCTYPE a SYSTEM \"http://192.0.2.1/x.dtd\">", "x"),
        with(
            "<!DOCTYPE a [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]>",
            "x",
        ),
        with(&laughs, "&l11;"),
        with("", "&undefined;"),
        with("", "&#0;"),
        with("", "&#xD800;"),
        good.replace("</Appointment>", ""),
        good.replace("</Appointment>", "</appointment>"),
        good.replace("http://hl7.org/fhir", "http://elsewhere.example"),
        good.replace(
            "<status value=\"booked\"/>",
            "<status value=\"booked\" value=\"booked\"/>",
        ),
        format!("{good}{good}"),
        "<a".to_owned(),
        "{}".to_owned(),
    ] {
        let response = post(body.clone())
            .with("Content-Type", "application/fhir+xml")
            .send();
        assert_eq!(
            response.status,
            400,
            "{}\n{}",
            body.chars().take(300).collect::<String>(),
            response.shown()
        );
        assert_lacks(response.text(), &[secret]);
    }
    still_serves();
}

/// Proves: NFR-01
#[test]
fn bodies_that_are_too_large() {
    let padded = format!("{}{}", valid_text(), " ".repeat(HUGE));
    let plain = post(padded.clone()).with("Connection", "close");
    if let Some(response) = exchange(plain.address, &plain.bytes()) {
        assert_eq!(response.status, 413, "{}", response.shown());
    }
    let chunked = post(padded).in_chunks();
    if let Some(response) = exchange(
        chunked.address,
        &chunked.with("Connection", "close").bytes(),
    ) {
        assert_eq!(response.status, 413, "{}", response.shown());
    }
    // Announced only: refused without waiting for it.
    let announced = post("{")
        .with("Content-Length", "9999999999999")
        .with("Connection", "close");
    if let Some(response) = exchange(announced.address, &announced.bytes()) {
        assert_eq!(response.status, 413, "{}", response.shown());
    }
    still_serves();
}

/// Proves: PROV-GEN-13, NFR-01
#[test]
fn a_gzip_bomb_does_not_go_off() {
    let bomb = gzip(&vec![b' '; 48 * 1024 * 1024]);
    assert!(bomb.len() < 512 * 1024, "small as sent");
    post(bomb).with("Content-Encoding", "gzip").expect(413);
    let twice = gzip(&gzip(valid_text().as_bytes()));
    post(twice).with("Content-Encoding", "gzip").expect(400);
    let mut trailing = gzip(valid_text().as_bytes());
    trailing.truncate(trailing.len() - 4);
    post(trailing).with("Content-Encoding", "gzip").expect(400);
    still_serves();
}

/// Sends a head that is not quite HTTP and wants a 4xx or a closed connection.
#[track_caller]
fn refused_or_closed(bytes: &[u8]) {
    let address = Server::shared(module_path!()).address;
    if let Some(response) = exchange(address, bytes) {
        let shown: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
        assert!(
            (400..500).contains(&response.status),
            "{shown}\n{}",
            response.shown()
        );
    }
}

/// Proves: PROV-GEN-06, NFR-01
#[test]
fn heads_that_mean_two_things() {
    let call = post(valid_text());
    let text = String::from_utf8(call.bytes()).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
    let length = format!("Content-Length: {}", body.len());
    let plain = head.replace(&format!("\r\n{length}"), "");
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for extra in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: -1",
        "Content-Length: 0x10",
        "Content-Length: +5",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
    ] {
        refused_or_closed(
            format!("{plain}\r\n{extra}\r\nConnection: close\r\n\r\n0\r\n\r\n{smuggled}")
                .as_bytes(),
        );
    }
    for odd in [
        format!("{plain}\r\nContent-Length : 3\r\nConnection: close\r\n\r\nabc"),
        format!("{plain}\r\n Folded: yes\r\nConnection: close\r\n\r\n"),
        format!("{plain}\r\nX-Bad: a\u{0}b\r\nConnection: close\r\n\r\n"),
        format!("{plain}\r\nX Bad: a\r\nConnection: close\r\n\r\n"),
        format!("{plain}\r\nNoColon\r\nConnection: close\r\n\r\n"),
        format!("{plain}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n\r\n"),
        format!(
            "{plain}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nffffffffffffffff1\r\na"
        ),
        "GET  HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned() + "nonsense\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense".to_owned(),
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
    if let Some(first) = support::Response::read(&mut std::io::BufReader::new(stream)) {
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
    for (head, status, words) in [
        (format!("GET\r\n{host}\r\n\r\n"), 400, "request line"),
        (format!("G(T / HTTP/1.1\r\n{host}\r\n\r\n"), 400, "method"),
        (format!("GET / HTTP/9.9\r\n{host}\r\n\r\n"), 400, "version"),
        (
            format!("GET / HTTP/1.1\r\n{host}\r\nX Bad: a\r\n\r\n"),
            400,
            "Header line 2",
        ),
        (
            format!("GET / HTTP/1.1\r\n{host}\r\nNoColon\r\n\r\n"),
            400,
            "Header line 2",
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: -1\r\n\r\n"),
            400,
            "Content-Length",
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: abc\r\n\r\n"),
            400,
            "Content-Length",
        ),
        (
            format!("POST / HTTP/1.1\r\n{host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"),
            400,
            "Content-Length",
        ),
        (
            format!("GET / HTTP/1.1\r\n{host}\r\nX-Long: {long}\r\n\r\n"),
            431,
            "65536 bytes",
        ),
        (
            format!("GET /{long} HTTP/1.1\r\n{host}\r\n\r\n"),
            431,
            "65536 bytes",
        ),
        (
            format!("GET / HTTP/1.1\r\n{host}\r\n{many}\r\n"),
            431,
            "100 headers",
        ),
    ] {
        let shown: String = head.chars().take(80).collect();
        let response = exchange(address, head.as_bytes()).unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(response.status, status, "{shown}\n{}", response.shown());
        response.check(&Call::new(address, "GET", "/"));
        let said = response.json()["issue"][0]["diagnostics"].to_string();
        assert!(said.contains(words), "{shown}\n{said}");
        assert_eq!(response.header("connection"), Some("close"));
    }
    // After a request that was answered, on the same connection.
    let good = search().bytes();
    let both = [good.as_slice(), b"nonsense\r\n\r\n"].concat();
    let mut reader = std::io::BufReader::new({
        let mut stream = connect(address);
        stream.write_all(&both).expect("written");
        stream
    });
    let first = support::Response::read(&mut reader).expect("the first answer");
    assert_eq!(first.status, 200, "{}", first.shown());
    let second = support::Response::read(&mut reader).expect("the second answer");
    assert_eq!(second.status, 400, "{}", second.shown());
    second.check(&Call::new(address, "GET", "/"));
    still_serves();
}

/// Proves: NFR-01
#[test]
fn heads_that_are_too_large() {
    let long = "a".repeat(600 * 1024);
    refused_or_closed(
        &search()
            .with("X-Long", &long)
            .with("Connection", "close")
            .bytes(),
    );
    refused_or_closed(
        &search()
            .with("Authorization", &format!("Bearer {long}"))
            .with("Connection", "close")
            .bytes(),
    );
    let target = format!("{}&x={long}", search().target);
    refused_or_closed(&search().target(&target).with("Connection", "close").bytes());
    let mut many = search();
    for i in 0..5_000 {
        many = many.also(&format!("X-{i}"), "a");
    }
    refused_or_closed(&many.with("Connection", "close").bytes());
    still_serves();
}

/// Proves: ERR-01, NFR-01
#[test]
fn queries_that_cannot_be_read() {
    let base = format!("service={GP_CLINIC}");
    for bad in [
        "&start=%",
        "&start=%zz",
        "&start=%4",
        "&status=%ff%fe",
        "&start=ge%00",
        "&status=free%00",
    ] {
        Server::shared(module_path!())
            .search(&format!("{base}{bad}"))
            .expect(400);
    }
    let many = "&_include=Slot:schedule".repeat(2_000);
    let response = Server::shared(module_path!())
        .search(&format!("{base}{many}"))
        .send();
    assert!(
        (400..500).contains(&response.status),
        "{}",
        response.shown()
    );
    for value in [
        "'%20OR%20'1'='1",
        "1;DROP%20TABLE%20slot",
        "..%2f..%2fetc%2fpasswd",
        "%3Cscript%3E",
        "${jndi:x}",
    ] {
        let response = Server::shared(module_path!())
            .search(&format!("service={value}"))
            .send();
        assert!(
            matches!(response.status, 400 | 404),
            "{value}: {}",
            response.shown()
        );
    }
    still_serves();
}

/// Proves: ERR-09, NFR-01
#[test]
fn paths_that_lead_elsewhere() {
    let server = Server::shared(module_path!());
    for path in [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fmetadata",
        "%00",
        "%ff",
        "a%2fb",
        "%",
        "'%20OR%201=1",
        "a//b",
        "*",
    ] {
        let response = server.read(path).send();
        assert!(
            matches!(response.status, 400 | 404),
            "{path}: {}",
            response.shown()
        );
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
        let response = post(bytes).with("Content-Type", media).send();
        assert!(
            matches!(response.status, 201 | 400 | 422),
            "round {round}: {}",
            response.shown()
        );
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
        let response = search()
            .with("Authorization", &format!("Bearer {token}"))
            .send();
        assert!(
            matches!(response.status, 200 | 403),
            "{token}: {}",
            response.shown()
        );
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
            if i % 2 == 0 {
                let _ = stream
                    .write_all(b"POST /STU3/1/FX101/Appointment HTTP/1.1\r\nHost: a\r\nContent-Le");
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
