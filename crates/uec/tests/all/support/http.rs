//! A small HTTP/1.1 client on a plain socket, so that tests can send what a library would refuse to.
//!
//! [`Call::send`] checks on every answer what the Standard asks of every answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use booking::bounded_xml::{self, Bounds};
use serde_json::Value;

/// Larger than any answer of the demo data.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// A request that is still being put together.
#[derive(Clone, Debug)]
pub struct Call {
    pub address: SocketAddr,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub chunked: bool,
    /// The scope that the token of the call asks for.
    pub scope: String,
}

impl Call {
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Call {
        let (method, target) = (method.to_owned(), target.to_owned());
        Call {
            address,
            method,
            target,
            headers: Vec::new(),
            body: None,
            chunked: false,
            scope: String::new(),
        }
    }

    /// Sets a header, in place of an earlier one of that name.
    pub fn with(self, name: &str, value: &str) -> Call {
        self.without(name).also(name, value)
    }

    /// Adds a header beside an earlier one of that name.
    pub fn also(mut self, name: &str, value: &str) -> Call {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Call {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub fn target(mut self, target: &str) -> Call {
        self.target = target.to_owned();
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Call {
        self.body = Some(body.into());
        self
    }

    pub fn json(self, body: &Value) -> Call {
        self.with("Content-Type", "application/fhir+json")
            .body(body.to_string())
    }

    pub fn xml(self, body: &str) -> Call {
        self.with("Content-Type", "application/fhir+xml").body(body)
    }

    /// Compresses the body that was set before.
    pub fn gzipped(mut self) -> Call {
        let body = self.body.take().unwrap_or_default();
        self.with("Content-Encoding", "gzip").body(gzip(&body))
    }

    /// Sends the body in chunks, without a length.
    pub fn in_chunks(mut self) -> Call {
        self.chunked = true;
        self
    }

    pub fn request_id(&self) -> Option<&str> {
        let mut named = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case("X-Request-ID"));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The bytes of the request; `Host` and the length are added when they are not set.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(n, _)| n.eq_ignore_ascii_case(name))
        };
        if !has("Host") {
            out.extend(format!("Host: {}\r\n", self.address).bytes());
        }
        for (name, value) in &self.headers {
            out.extend(format!("{name}: {value}\r\n").bytes());
        }
        match &self.body {
            Some(body) if self.chunked => {
                out.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in body.chunks(700) {
                    out.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    out.extend(chunk);
                    out.extend(b"\r\n");
                }
                out.extend(b"0\r\n\r\n");
            }
            Some(body) => {
                if !has("Content-Length") {
                    out.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
                }
                out.extend(b"\r\n");
                out.extend(body);
            }
            None => out.extend(b"\r\n"),
        }
        out
    }

    /// Sends and checks what holds for every answer (see [`Response::check`]).
    #[track_caller]
    pub fn send(&self) -> Response {
        let response = self.send_unchecked();
        response.check(self);
        response
    }

    /// Sends and checks the status as well.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Response {
        let response = self.send();
        let asked = format!("{} {}", self.method, self.target);
        assert_eq!(
            response.status,
            status,
            "{asked}\nanswered {}",
            response.shown()
        );
        response
    }

    /// Sends and takes any answer below 500.
    #[track_caller]
    pub fn send_unchecked(&self) -> Response {
        let call = self.clone().with("Connection", "close");
        match exchange(self.address, &call.bytes()) {
            Some(response) => response,
            None => panic!("{} {}: closed without an answer", self.method, self.target),
        }
    }
}

/// Sends raw bytes and reads one answer. `None`: the server closed without answering.
#[track_caller]
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<Response> {
    let mut stream = connect(address);
    let mut reading = stream.try_clone().expect("second handle of the socket");
    // Written beside the reading: the server may answer and close before it has seen all of it.
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stream.write_all(&bytes);
        let _ = stream.flush();
    });
    let response = Response::read(&mut BufReader::new(&mut reading));
    let _ = reading.shutdown(std::net::Shutdown::Both);
    let _ = writer.join();
    if let Some(response) = &response {
        let shown = response.shown();
        assert!(response.status < 500, "a fault of the server: {shown}");
    }
    response
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts connections");
    let patience = Some(testkit::PATIENCE);
    stream.set_read_timeout(patience).expect("read time-out");
    stream.set_write_timeout(patience).expect("write time-out");
    stream.set_nodelay(true).expect("no delay");
    stream
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

/// An answer, its body out of chunks and uncompressed.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub was_gzipped: bool,
}

impl Response {
    /// Reads one answer from a connection.
    pub fn read(reader: &mut impl BufRead) -> Option<Response> {
        let status_line = read_line(reader)?;
        let status: u16 = status_line.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
            was_gzipped: false,
        };
        response.body = response.read_body(reader)?;
        if response.header("content-encoding") == Some("gzip") && !response.body.is_empty() {
            let mut plain = Vec::new();
            let decoder = flate2::read::GzDecoder::new(response.body.as_slice());
            let read = decoder.take(MAX_ANSWER).read_to_end(&mut plain);
            read.expect("the answer's gzip is sound");
            response.body = plain;
            response.was_gzipped = true;
        }
        Some(response)
    }

    fn read_body(&self, reader: &mut impl BufRead) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        if self.status == 204 || self.status == 304 || self.status < 200 {
            return Some(body);
        }
        let encoding = self.header("transfer-encoding");
        if encoding.is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = read_line(reader)?;
                let size = u64::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
                reader.by_ref().take(size).read_to_end(&mut body).ok()?;
                read_line(reader)?;
                if size == 0 {
                    return Some(body);
                }
            }
        }
        let length = self
            .header("content-length")
            .and_then(|v| v.parse::<u64>().ok());
        let most = length.unwrap_or(MAX_ANSWER);
        reader.by_ref().take(most).read_to_end(&mut body).ok()?;
        (length.is_none() || length == Some(body.len() as u64)).then_some(body)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        let found = self.headers.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub fn with(self, status: u16) -> Response {
        assert_eq!(self.status, status, "{}", self.shown());
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.shown()))
    }

    /// Fails unless the body has all of these words.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Response {
        let text = self.text();
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {}", self.shown());
        }
        self
    }

    /// Fails if the body has one of these words.
    #[track_caller]
    pub fn never_says(&self, words: &[&str]) -> &Response {
        let text = self.text();
        for word in words {
            assert!(!text.contains(word), "{word:?} is in {}", self.shown());
        }
        self
    }

    /// Fails unless the JSON of the body has this value at this place, a JSON pointer.
    #[track_caller]
    pub fn has(&self, place: &str, value: impl Into<Value>) -> &Response {
        let found = self.json().pointer(place).cloned().unwrap_or_default();
        assert_eq!(found, value.into(), "{place} of {}", self.shown());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and the beginning of the body, for messages of failed tests.
    pub fn shown(&self) -> String {
        let text: String = self.text().chars().take(1500).collect();
        format!("{}: {text}", self.status)
    }

    pub fn is_xml(&self) -> bool {
        self.header("content-type")
            .is_some_and(|v| v.starts_with("application/fhir+xml"))
    }

    /// Name of the resource in the body, JSON or XML.
    #[track_caller]
    pub fn root(&self) -> String {
        if !self.is_xml() {
            return self.json()["resourceType"]
                .as_str()
                .unwrap_or("")
                .to_owned();
        }
        let text = self.text();
        let document = bounded_xml::parse(&text, Bounds::nodes(100_000))
            .unwrap_or_else(|e| panic!("no XML ({e}): {}", self.shown()));
        let root = document.root_element().tag_name();
        assert_eq!(root.namespace(), Some("http://hl7.org/fhir"), "{text}");
        root.name().to_owned()
    }

    /// The id that the Location header names.
    #[track_caller]
    pub fn location_id(&self) -> String {
        let location = self.header("location");
        let location = location.unwrap_or_else(|| panic!("no Location: {}", self.shown()));
        let (_, rest) = location
            .split_once("Appointment/")
            .expect("of an Appointment");
        rest.split('/').next().unwrap_or("").to_owned()
    }

    /// What every answer has to be: below 500; `Cache-Control: no-store`; an `X-Request-ID` of the server's
    /// own; the request's id as `X-Correlation-ID` or none; the FHIR media type with charset; an
    /// OperationOutcome for every refusal.
    #[track_caller]
    pub fn check(&self, call: &Call) {
        let shown = self.shown();
        let header = |name: &str| match self.header(name) {
            Some(value) => value.to_owned(),
            None => panic!("no {name}, {shown}"),
        };
        assert_eq!(header("cache-control"), "no-store", "{shown}");
        let own = header("x-request-id");
        let is_own = !own.is_empty() && Some(&*own) != call.request_id();
        assert!(is_own, "X-Request-ID is the server's own, {shown}");
        let ids = call.headers.iter();
        let ids = ids.filter(|(n, _)| n.eq_ignore_ascii_case("X-Request-ID"));
        if ids.count() < 2 {
            let correlation = self.header("x-correlation-id");
            assert_eq!(correlation, call.request_id(), "X-Correlation-ID, {shown}");
        }
        let media = header("content-type");
        let kind = media.strip_prefix("application/fhir+");
        let is_fhir = matches!(kind, Some("json;charset=utf-8" | "xml;charset=utf-8"));
        assert!(is_fhir, "Content-Type {media}");
        if self.status >= 400 {
            self.check_outcome();
        }
    }

    #[track_caller]
    fn check_outcome(&self) {
        assert_eq!(self.root(), "OperationOutcome", "{}", self.shown());
        if self.is_xml() {
            return;
        }
        let profile = "http://hl7.org/fhir/StructureDefinition/OperationOutcome";
        self.has("/meta/profile/0", profile);
        let (outcome, shown) = (self.json(), self.shown());
        let id = outcome["id"].as_str();
        assert!(id.is_some_and(|id| !id.is_empty()), "id, {shown}");
        let issues = outcome["issue"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(!issues.is_empty(), "an outcome has an issue, {shown}");
        for issue in issues {
            for text in ["severity", "code", "diagnostics"] {
                assert!(issue[text].is_string(), "{text}, {shown}");
            }
            let codings = issue["details"]["coding"].as_array().map(Vec::len);
            assert_eq!(codings, Some(1), "exactly one coding in details, {shown}");
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let read = reader
        .by_ref()
        .take(64 * 1024)
        .read_until(b'\n', &mut line)
        .ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}
