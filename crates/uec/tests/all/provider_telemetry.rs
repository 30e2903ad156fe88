//! Traces for a collector: what a span says, what it never says, and that no collector can hold up a request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::support::operations::{free_address, get, metric, until, with_settings};
use super::support::{CONSUMER_ASID, Server, uuid};

/// A collector that keeps what it is sent: path, media type, body.
#[derive(Clone, Default)]
struct Collector {
    taken: Arc<Mutex<Vec<(String, String, Value)>>>,
}

impl Collector {
    fn start() -> (Collector, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let collector = Collector::default();
        let shared = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let collector = shared.clone();
                std::thread::spawn(move || while collector.take(&stream).is_some() {});
            }
        });
        (collector, address)
    }

    fn take(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            lines.iter().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let length: u64 = header("content-length")?.parse().ok()?;
        let mut body = Vec::new();
        reader.take(length).read_to_end(&mut body).ok()?;
        let media = header("content-type").unwrap_or_default();
        let body = serde_json::from_slice(&body).expect("JSON");
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push((lines.first()?.clone(), media, body));
        drop(taken);
        let mut stream = stream;
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            )
            .ok()
    }

    fn messages(&self) -> Vec<(String, String, Value)> {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn spans(&self) -> Vec<Value> {
        let of = |message: &Value| message["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
        let all = self.messages().into_iter().map(|(_, _, body)| of(&body));
        all.flat_map(|spans| spans.as_array().cloned().unwrap_or_default())
            .collect()
    }

    fn span_of(&self, ssp_trace: &str) -> Option<Value> {
        self.spans()
            .into_iter()
            .find(|span| attribute(span, "ssp.trace_id").as_deref() == Some(ssp_trace))
    }
}

fn attribute(span: &Value, key: &str) -> Option<String> {
    let attributes = span["attributes"].as_array()?;
    let found = attributes.iter().find(|a| a["key"] == key)?;
    let value = &found["value"];
    let text = value["stringValue"].as_str().or(value["intValue"].as_str());
    text.map(str::to_owned)
}

fn traced(name: &str, collector: SocketAddr, more: &str) -> Server {
    with_settings(
        name,
        &format!("[telemetry]\notlp = \"http://{collector}\"\n{more}"),
    )
}

/// Proves: AUD-05, PROV-ERR-04
#[test]
fn every_request_is_a_span_without_patient_data() {
    let (collector, address) = Collector::start();
    let server = traced("telemetry", address, "");
    let trace = uuid();
    let booking = server.booking();
    let created = server
        .book(&booking.body())
        .with("Ssp-TraceID", &trace)
        .expect(201);
    let refused = uuid();
    server
        .read(&uuid())
        .with("Ssp-TraceID", &refused)
        .expect(404);
    let number = booking.nhs_number.clone().expect("a number");
    server.appointments_of(&booking).expect(200);
    until("the spans have come", || {
        collector.span_of(&trace).is_some() && collector.span_of(&refused).is_some()
    });
    let (line, media, body) = collector.messages().swap_remove(0);
    assert!(line.starts_with("POST /v1/traces HTTP/1.1"), "{line}");
    assert_eq!(media, "application/json");
    let resource = &body["resourceSpans"][0]["resource"];
    assert_eq!(
        attribute(resource, "service.name").as_deref(),
        Some("uec-provider")
    );
    let span = collector.span_of(&trace).expect("a span");
    // Without a caller's trace, the proxy's is the trace.
    assert_eq!(span["traceId"], trace.replace('-', ""));
    assert_eq!((&span["name"], &span["kind"]), (&"book".into(), &2.into()));
    assert_eq!(span["spanId"].as_str().map(str::len), Some(16));
    assert!(span.get("parentSpanId").is_none());
    let nanos = |key: &str| {
        span[key]
            .as_str()
            .and_then(|t| t.parse::<u64>().ok())
            .expect("a time")
    };
    assert!(nanos("startTimeUnixNano") < nanos("endTimeUnixNano"));
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("uec.tenant", "FX101"),
        ("uec.traffic", "live"),
        ("ssp.from", CONSUMER_ASID),
        (
            "uec.response_id",
            created.header("x-request-id").expect("an id"),
        ),
    ] {
        assert_eq!(
            attribute(&span, key).as_deref(),
            Some(value),
            "{key} of {span}"
        );
    }
    let refused = collector.span_of(&refused).expect("a span");
    assert_eq!(attribute(&refused, "uec.error").as_deref(), Some("ERR-09"));
    until("the search has come", || {
        collector
            .spans()
            .iter()
            .any(|s| s["name"] == "search-appointments")
    });
    let all = format!("{:?}", collector.messages());
    for secret in [
        number.as_str(),
        "Testwell",
        "1979-03-12",
        &created.location_id(),
    ] {
        assert!(!all.contains(secret), "{secret} is in a span");
    }
    server.kill();
}

/// The caller's trace is taken up, and its wish not to be recorded respected.
#[test]
fn a_w3c_traceparent_is_taken_up() {
    let (collector, address) = Collector::start();
    let server = traced("telemetry-parent", address, "sample = 0.0\n");
    let call = |flags: &str, trace: &str| {
        server
            .plain_search()
            .with("Ssp-TraceID", trace)
            .with(
                "traceparent",
                &format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"),
            )
            .expect(200)
    };
    let (wanted, unwanted, own) = (uuid(), uuid(), uuid());
    call("00", &unwanted);
    server.plain_search().with("Ssp-TraceID", &own).expect(200);
    call("01", &wanted);
    until("the span has come", || collector.span_of(&wanted).is_some());
    let span = collector.span_of(&wanted).expect("a span");
    assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span["parentSpanId"], "b7ad6b7169203331");
    assert!(
        collector.span_of(&unwanted).is_none(),
        "the caller does not record it"
    );
    assert!(
        collector.span_of(&own).is_none(),
        "none of its own with a share of 0"
    );
    server.kill();
}

#[test]
fn no_collector_holds_up_a_request() {
    // One that takes connections and says nothing, and one that is not there.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    for (name, address) in [
        (
            "telemetry-silent",
            silent.local_addr().expect("its address"),
        ),
        ("telemetry-gone", free_address()),
    ] {
        let server = traced(name, address, "");
        // The collector never takes any of their spans.
        for _ in 0..40 {
            server.plain_search().expect(200);
        }
        let page = || get(server.address, "/metrics").expect("a page").text();
        assert!(metric(&page(), "uec_telemetry_spans_total", &[]).is_some_and(|n| n >= 40.0));
        until("the loss is counted", || {
            metric(&page(), "uec_telemetry_spans_failed_total", &[]).is_some_and(|n| n > 0.0)
        });
        until("it is said", || {
            server
                .log()
                .contains("the collector of traces does not take spans")
        });
        server.kill();
    }
}
