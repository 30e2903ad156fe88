//! SSP over real sockets: what passes, what does not, and what goes wrong behind it.

use super::spine::upstream::*;
use super::spine::*;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use sandbox::faults::{Fault, Point, Rule};
use sandbox::ssp::Settings;
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::assert_contains;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn both(settings: Settings) -> (Upstream, Running) {
    let upstream = Upstream::start(None).await;
    let running = start_ssp(directory(&upstream.root()), settings).await;
    (upstream, running)
}

type Asked = Request<http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>>;

async fn call(request: Asked) -> (u16, HeaderMap, Bytes) {
    taken(caller(None).request(request).await.unwrap()).await
}

/// Status and OperationOutcome: `issue[0]`.
fn issue(body: &Bytes) -> Value {
    let outcome: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["severity"], "error");
    outcome["issue"][0].clone()
}

/// Fails unless a request is refused with this status and code; the headers of the answer.
async fn refused(asked: Asked, status: u16, code: &str) -> HeaderMap {
    let (found, headers, body) = call(asked).await;
    let issue = issue(&body);
    assert_eq!((found, issue["code"].as_str()), (status, Some(code)));
    headers
}

/// A search for slots at this address.
fn get(url: &str) -> Asked {
    request("GET", url, "read:slot", full(""))
}

fn put(asked: &mut Asked, name: &'static str, value: &str) {
    asked.headers_mut().insert(name, value.parse().unwrap());
}

fn take(asked: &mut Asked, name: &str) {
    asked.headers_mut().remove(name);
}

/// Proves: NAT-SSP-01, NAT-SSP-05
#[tokio::test]
async fn everything_passes_unchanged() {
    let (upstream, ssp) = both(Settings::default()).await;
    let query = "schedule.actor%3Ahealthcareservice=2000000011&start=ge2031-01-01T00%3A00%3A00%2B00%3A00&status=422&x=a+b%20c";
    let url = format!("{}/{}/Slot?{query}", ssp.http(), upstream.root());
    let mut asked = request("GET", &url, "search:slot", full(""));
    let headers = asked.headers_mut();
    for (name, value) in [
        ("accept", "application/fhir+xml;q=0.1, */*"),
        ("accept-encoding", "gzip"),
        ("connection", "x-mine, keep-alive"),
        ("x-mine", "hop"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic x"),
        ("x-request-id", "AbC-1"),
        ("x-odd", "kept"),
        ("forwarded", "for=_first"),
        ("if-match", "W/\"1\""),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    headers.remove("content-type");
    let (status, headers, body) = call(asked).await;
    assert_eq!(status, 422);
    assert_eq!(&body[..], b"\x1f\x8b not really gzip \xff");
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("etag", "W/\"1\""),
        ("x-request-id", "answer-1"),
        ("x-odd", "kept"),
        ("content-type", "application/fhir+json;charset=utf-8"),
        (
            "location",
            "https://provider.example.nhs.uk/STU3/1/FX101/Appointment/1/_history/1",
        ),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(!headers.contains_key("x-private"));
    assert_eq!(headers.get_all("set-cookie").iter().count(), 2);

    let seen = upstream.last();
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("GET", &*format!("/STU3/1/FX101/Slot?{query}"))
    );
    assert_eq!(seen.headers["host"], upstream.address.to_string());
    for (name, value) in [
        ("accept", "application/fhir+xml;q=0.1, */*"),
        ("accept-encoding", "gzip"),
        ("x-request-id", "AbC-1"),
        ("x-odd", "kept"),
        ("if-match", "W/\"1\""),
        ("ssp-from", CONSUMER),
        ("ssp-to", PROVIDER),
        ("ssp-traceid", "09a01679-2564-0fb4-5129-aecc81ea2706"),
        ("authorization", "Bearer e30.e30."),
    ] {
        assert_eq!(seen.headers[name], value, "{name}");
    }
    assert_eq!(seen.headers["ssp-interactionid"], urn("search:slot"));
    for gone in [
        "x-mine",
        "te",
        "proxy-authorization",
        "connection",
        "transfer-encoding",
        "content-type",
    ] {
        assert!(!seen.headers.contains_key(gone), "{gone}");
    }
    let forwarded: Vec<_> = seen.headers.get_all("forwarded").iter().collect();
    assert_eq!(forwarded[0], "for=_first");
    assert_eq!(
        *forwarded[1],
        *format!("for=127.0.0.1;proto=http;host=\"{}\"", ssp.address)
    );
}

/// Proves: NAT-SSP-05
#[tokio::test]
async fn verbs_bodies_and_statuses_pass() {
    let (upstream, ssp) = both(Settings::default()).await;
    for (method, interaction, status) in [
        ("POST", "create:appointment", 201),
        ("PUT", "update:appointment", 200),
        ("POST", "create:appointment", 409),
        ("GET", "read:appointment", 299),
        ("POST", "create:appointment", 503),
    ] {
        let url = format!(
            "{}/{}/Appointment?status={status}",
            ssp.http(),
            upstream.root()
        );
        let sent = Bytes::from(vec![0xfe; 100_000]);
        let mut asked = request(method, &url, interaction, full(sent.clone()));
        put(&mut asked, "content-encoding", "br");
        put(&mut asked, "content-type", "application/x-anything; a=b");
        let (code, _, body) = call(asked).await;
        assert_eq!((code, body.len()), (status, 20), "{method}");
        let seen = upstream.last();
        assert_eq!((seen.method.as_str(), &seen.body), (method, &sent));
        assert_eq!(seen.headers["content-encoding"], "br");
        assert_eq!(seen.headers["content-type"], "application/x-anything; a=b");
        assert_eq!(seen.headers["content-length"], "100000");
    }
}

/// Proves: NAT-SSP-05
#[tokio::test]
async fn bodies_stream_both_ways() {
    let (upstream, ssp) = both(Settings::default()).await;
    let url = format!("{}/{}/Appointment?echo", ssp.http(), upstream.root());
    let (send, body) = fed();
    send.send(Bytes::from_static(b"one")).await.unwrap();
    let answer = caller(None)
        .request(request("POST", &url, "create:appointment", body))
        .await
        .unwrap();
    let mut answer = answer.into_body();
    // Each piece is back before the next one is sent: nothing is held back.
    for piece in ["one", "two", "three"] {
        if piece != "one" {
            send.send(Bytes::from(piece)).await.unwrap();
        }
        let back = tokio::time::timeout(testkit::PATIENCE, answer.frame()).await;
        assert_eq!(back.unwrap().unwrap().unwrap().into_data().unwrap(), piece);
    }
    drop(send);
    assert!(answer.frame().await.is_none());
}

/// Proves: NAT-SSP-01, NAT-SSP-02
#[tokio::test]
async fn encoded_and_unsafe_urls_find_their_endpoint() {
    let upstream = Upstream::start(None).await;
    let root = format!("http://{}/STU3/1/a b(c)", upstream.address);
    let ssp = start_ssp(directory(&root), Settings::default()).await;
    let authority = upstream.address;
    for (target, uri) in [
        (
            format!("http://{authority}/STU3/1/a%20b(c)/Slot?x=%2F"),
            "/STU3/1/a%20b(c)/Slot?x=%2F",
        ),
        (
            format!("http://{authority}/STU3/1/a%20b%28c%29/Slot"),
            "/STU3/1/a%20b%28c%29/Slot",
        ),
        (
            format!(
                "http%3A%2F%2F{}%2FSTU3%2F1%2Fa%20b(c)/Slot",
                authority.to_string().replace(':', "%3A")
            ),
            "/STU3/1/a%20b(c)/Slot",
        ),
    ] {
        let (status, _, _) = call(get(&format!("{}/{target}", ssp.http()))).await;
        assert_eq!(status, 200, "{target}");
        assert_eq!(upstream.last().uri, uri);
    }
}

type Change = fn(&mut Asked);

/// Proves: NAT-SSP-03, NAT-SSP-04
#[tokio::test]
async fn what_is_refused_and_how() {
    let (upstream, ssp) = both(Settings::default()).await;
    let url = format!("{}/{}/Slot", ssp.http(), upstream.root());
    let cases: [(&str, u16, &str, Change); 19] = [
        ("TRACE", 405, "not-supported", |r| {
            *r.method_mut() = http::Method::TRACE
        }),
        ("DELETE", 405, "not-supported", |r| {
            *r.method_mut() = http::Method::DELETE
        }),
        ("HEAD before headers", 405, "not-supported", |r| {
            *r.method_mut() = http::Method::PATCH;
            r.headers_mut().clear();
        }),
        ("no trace id", 400, "invalid", |r| take(r, "ssp-traceid")),
        ("bad trace id", 400, "invalid", |r| {
            put(r, "ssp-traceid", "1")
        }),
        ("no sender", 400, "invalid", |r| take(r, "ssp-from")),
        ("underscore", 400, "invalid", |r| {
            take(r, "ssp-from");
            put(r, "ssp_from", CONSUMER);
        }),
        ("two receivers", 400, "invalid", |r| {
            r.headers_mut().append("ssp-to", PROVIDER.parse().unwrap());
        }),
        ("short receiver", 400, "invalid", |r| {
            put(r, "ssp-to", "91899")
        }),
        ("no interaction", 400, "invalid", |r| {
            take(r, "ssp-interactionid")
        }),
        ("bad interaction", 400, "invalid", |r| {
            put(r, "ssp-interactionid", "read:slot")
        }),
        ("unknown sender", 403, "forbidden", |r| {
            put(r, "ssp-from", "918999009999")
        }),
        ("sender without right", 403, "forbidden", |r| {
            put(r, "ssp-from", SEARCHER);
            put(r, "ssp-interactionid", &urn("create:appointment"));
        }),
        ("unknown receiver", 403, "forbidden", |r| {
            put(r, "ssp-to", "918999009999")
        }),
        ("receiver without right", 403, "forbidden", |r| {
            r.headers_mut()
                .insert("ssp-to", "918999000022".parse().unwrap());
            put(r, "ssp-interactionid", &urn("read:appointment"));
        }),
        ("endpoint of another", 403, "forbidden", |r| {
            put(r, "ssp-to", "918999000022")
        }),
        ("upper-case interaction", 403, "forbidden", |r| {
            put(r, "ssp-interactionid", &urn("READ:SLOT"))
        }),
        ("POST without type", 415, "not-supported", |r| {
            *r.method_mut() = http::Method::POST;
            take(r, "content-type");
        }),
        ("no media type", 415, "not-supported", |r| {
            put(r, "content-type", "json")
        }),
    ];
    for (what, status, code, change) in cases {
        for accept in ["application/fhir+json", "application/fhir+xml"] {
            let mut asked = get(&url);
            change(&mut asked);
            put(&mut asked, "accept", accept);
            let (found, headers, body) = call(asked).await;
            assert_eq!(found, status, "{what}: {body:?}");
            assert_eq!(headers["content-type"], format!("{accept};charset=utf-8"));
            if accept.ends_with("xml") {
                let text = String::from_utf8(body.to_vec()).unwrap();
                let read = booking::bounded_xml::parse(
                    &text,
                    booking::bounded_xml::Bounds::nodes(100_000),
                )
                .unwrap();
                assert_eq!(read.root_element().tag_name().name(), "OperationOutcome");
                assert_contains(&text, &[&format!("<code value=\"{code}\"/>")]);
                continue;
            }
            let issue = issue(&body);
            assert_eq!(issue["code"], code, "{what}");
            let spine = &issue["details"]["coding"][0]["code"];
            match status {
                403 => assert_eq!(spine, "ASID_CHECK_FAILED"),
                400 => assert_eq!(spine, "MISSING_OR_INVALID_HEADER"),
                405 => assert_eq!(headers["allow"], "GET, POST, PUT"),
                _ => assert!(spine.is_null()),
            }
        }
    }
    // Every fault of the headers is told at once.
    let (status, _, body) = call(Request::get(&url).body(full("")).unwrap()).await;
    let outcome: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (status, outcome["issue"].as_array().unwrap().len()),
        (400, 4)
    );
    assert_eq!(outcome["issue"][1]["location"][0], "http.Ssp-From");
    assert!(upstream.seen().is_empty());
}

/// Proves: NAT-SSP-01, NAT-SSP-04
#[tokio::test]
async fn the_url_must_lie_under_the_endpoint() {
    let (upstream, ssp) = both(Settings::default()).await;
    let address = upstream.address;
    for (target, status) in [
        ("/Slot".to_owned(), 400),
        (String::new(), 400),
        ("/".to_owned(), 400),
        (format!("//{}/Slot", upstream.root()), 400),
        (format!("/http:/{address}/STU3/1/FX101/Slot"), 400),
        (format!("/http://user@{address}/STU3/1/FX101/Slot"), 400),
        (
            format!("/http://{address}/STU3/1/FX101/%2e%2e/FX202/Slot"),
            400,
        ),
        (format!("/http://{address}/STU3/1/FX202/Slot"), 403),
        (format!("/http://{address}/STU3/1/FX1012/Slot"), 403),
        (format!("/https://{address}/STU3/1/FX101/Slot"), 403),
        ("/http://169.254.169.254/latest".to_owned(), 403),
        (format!("/{}/Slot", upstream.root()), 200),
        (format!("/{}", upstream.root()), 200),
    ] {
        let url = format!("{}{target}", ssp.http());
        let (found, _, body) = call(get(&url)).await;
        assert_eq!(found, status, "{target}: {body:?}");
    }
    assert_eq!(upstream.seen().len(), 2);
}

/// Proves: NAT-SSP-06
#[tokio::test]
async fn a_provider_that_is_not_there_is_502_and_one_that_is_slow_is_504() {
    let settings = Settings {
        answer_time: Duration::from_millis(1000),
        ..Settings::default()
    };
    let (upstream, ssp) = both(settings.clone()).await;
    let url = |query: &str| format!("{}/{}/Slot?{query}", ssp.http(), upstream.root());
    refused(get(&url("hang")), 504, "transient").await;
    refused(get(&url("close")), 502, "transient").await;
    // Broken off in the middle: the head is already sent, so the connection tells.
    let answer = caller(None).request(get(&url("broken"))).await.unwrap();
    assert!(answer.into_body().collect().await.is_err());
    let gone = format!("http://127.0.0.1:{}/STU3/1/FX101", testkit::port());
    let ssp = start_ssp(directory(&gone), settings).await;
    let mut asked = get(&format!("{}/{gone}/Slot", ssp.http()));
    put(&mut asked, "accept", "application/fhir+xml");
    let (status, _, body) = call(asked).await;
    assert_eq!(status, 502);
    assert!(String::from_utf8_lossy(&body).contains("<code value=\"transient\"/>"));
}

/// A body that takes longer than the Provider's time is no time-out, as long as it moves.
#[tokio::test]
async fn the_providers_time_counts_from_the_last_piece() {
    let settings = Settings {
        answer_time: Duration::from_millis(4000),
        ..Settings::default()
    };
    let (upstream, ssp) = both(settings).await;
    let url = format!("{}/{}/Appointment", ssp.http(), upstream.root());
    let (send, body) = fed();
    let asked = tokio::spawn(call(request("POST", &url, "create:appointment", body)));
    for _ in 0..6 {
        send.send(Bytes::from_static(b"piece")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    drop(send);
    assert_eq!(asked.await.unwrap().0, 200);
    assert_eq!(upstream.last().body.len(), 30);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let settings = Settings {
        body_bytes: 1000,
        answer_bytes: 100_000,
        body_time: Duration::from_millis(1000),
        ..Settings::default()
    };
    let (upstream, ssp) = both(settings).await;
    let url = |query: &str| format!("{}/{}/Appointment?{query}", ssp.http(), upstream.root());
    let post = |body| request("POST", &url(""), "create:appointment", body);
    assert_eq!(call(post(full(vec![1; 1000]))).await.0, 200);
    let (status, headers, body) = call(post(full(vec![1; 1001]))).await;
    assert_eq!(
        (status, issue(&body)["code"].as_str()),
        (413, Some("too-long"))
    );
    assert_eq!(headers["connection"], "close");
    let (send, body) = fed();
    let asked = tokio::spawn(call(post(body)));
    for _ in 0..11 {
        if send.send(Bytes::from(vec![1; 100])).await.is_err() {
            break;
        }
    }
    assert_eq!(asked.await.unwrap().0, 413);
    let (send, body) = fed();
    let asked = tokio::spawn(call(post(body)));
    send.send(Bytes::from_static(b"and then nothing"))
        .await
        .unwrap();
    assert_eq!(asked.await.unwrap().0, 408);
    drop(send);
    assert_eq!(upstream.seen().len(), 1);
    // An answer without announced length is cut at the bound.
    let answer = caller(None)
        .request(request(
            "GET",
            &url("endless"),
            "read:appointment",
            full(""),
        ))
        .await
        .unwrap();
    let mut body = answer.into_body();
    let mut size = 0;
    let end = loop {
        match body.frame().await {
            Some(Ok(frame)) => size += frame.into_data().map_or(0, |d| d.len()),
            other => break other,
        }
    };
    assert!(end.unwrap().is_err() && size <= 100_000, "{size}");
}

#[tokio::test]
async fn places_are_bounded_per_sender_and_in_all() {
    let settings = Settings {
        under_way: 3,
        per_sender: 2,
        ..Settings::default()
    };
    let (upstream, ssp) = both(settings).await;
    let url = format!("{}/{}/Slot?wait", ssp.http(), upstream.root());
    let ask = |from: &'static str| {
        let mut asked = get(&url);
        put(&mut asked, "ssp-from", from);
        tokio::spawn(call(asked))
    };
    let first = [ask(CONSUMER), ask(CONSUMER)];
    upstream.arrived(2).await;
    let (status, headers, body) = ask(CONSUMER).await.unwrap();
    assert_eq!(
        (status, issue(&body)["code"].as_str()),
        (429, Some("throttled"))
    );
    assert_eq!(headers["retry-after"], "1");
    let other = ask(SEARCHER);
    upstream.arrived(3).await;
    assert_eq!(ask(SEARCHER).await.unwrap().0, 503);
    upstream.open(4);
    for under_way in first.into_iter().chain([other]) {
        assert_eq!(under_way.await.unwrap().0, 200);
    }
    // All places are given back.
    assert_eq!(ask(CONSUMER).await.unwrap().0, 200);
}

#[tokio::test]
async fn connections_to_the_provider_are_reused() {
    let (upstream, ssp) = both(Settings::default()).await;
    let url = format!("{}/{}/Slot", ssp.http(), upstream.root());
    for _ in 0..20 {
        assert_eq!(call(get(&url)).await.0, 200);
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (20, 1));
}

/// Proves: NAT-SSP-06
#[tokio::test]
async fn controlled_faults() {
    let (upstream, ssp) = both(Settings::default()).await;
    let url = format!("{}/{}/Appointment", ssp.http(), upstream.root());
    let post = || request("POST", &url, "create:appointment", full("{}"));
    let add = |fault| {
        let rule = Rule::new(Point::Ssp, fault)
            .asid(PROVIDER)
            .interaction("create:appointment");
        ssp.faults.add(rule.times(1)).unwrap();
    };

    add(Fault::Offline);
    let get = request("GET", &url, "read:appointment", full(""));
    assert_eq!(call(get).await.0, 200, "another interaction is not touched");
    refused(post(), 502, "transient").await;
    assert_eq!(upstream.seen().len(), 1);

    add(Fault::Status { status: 503 });
    refused(post(), 503, "transient").await;
    assert_eq!(upstream.seen().len(), 1);

    // The Provider has done its work; the consumer does not know.
    add(Fault::LostAnswer { cut: false });
    let headers = refused(post(), 504, "transient").await;
    assert!(!headers.contains_key("location"));
    assert_eq!(upstream.seen().len(), 2);
    add(Fault::LostAnswer { cut: true });
    assert!(caller(None).request(post()).await.is_err());
    assert_eq!(upstream.seen().len(), 3);

    add(Fault::Malformed);
    let (status, headers, body) = call(post()).await;
    assert_eq!(status, 200);
    assert!(serde_json::from_slice::<Value>(&body).is_err());
    assert!(!headers.contains_key("content-encoding"));
    assert_eq!(upstream.seen().len(), 4);

    // Slow: the Provider has the request before the answer is let go.
    add(Fault::Slow {
        milliseconds: 3_000,
    });
    let asked = tokio::spawn(call(post()));
    upstream.arrived(5).await;
    assert!(!asked.is_finished());
    assert_eq!(asked.await.unwrap().0, 200);
    add(Fault::Slow {
        milliseconds: 60_000,
    });
    let left = tokio::time::timeout(Duration::from_millis(200), call(post())).await;
    assert!(left.is_err(), "the consumer gives up");
    upstream.arrived(6).await;
    // Slow and lost together.
    add(Fault::Slow { milliseconds: 300 });
    add(Fault::LostAnswer { cut: false });
    let started = Instant::now();
    assert_eq!(call(post()).await.0, 504);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(call(post()).await.0, 200, "every fault is used up");
    assert!(ssp.faults.active().is_empty());
}

/// What a connection with these bytes is answered until it is closed.
async fn said_to(ssp: &Running, bytes: &str) -> String {
    let mut stream = TcpStream::connect(ssp.address).await.unwrap();
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut said = Vec::new();
    let read = tokio::time::timeout(testkit::PATIENCE, stream.read_to_end(&mut said)).await;
    let _ = read.expect("closed");
    String::from_utf8_lossy(&said).into_owned()
}

/// Proves: NFR-01, D-66
#[tokio::test]
async fn one_peer_has_half_of_the_connections() {
    let settings = Settings {
        connections: 4,
        head_time: Duration::from_secs(3_600),
        ..Settings::default()
    };
    let (_upstream, ssp) = both(settings).await;
    let live = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(ssp.address).await.unwrap();
        stream.write_all(live.as_bytes()).await.unwrap();
        stream.read_u8().await.unwrap();
        held.push(stream);
    }
    assert_eq!(said_to(&ssp, live).await, "");
    drop(held);
    let once = live.replace("Host: a", "Host: a\r\nConnection: close");
    let served = async { while said_to(&ssp, &once).await.is_empty() {} };
    let served = tokio::time::timeout(testkit::PATIENCE, served).await;
    served.expect("the next is served");
}

/// Proves: ERR-04
#[tokio::test]
async fn a_request_names_one_host() {
    let (upstream, ssp) = both(Settings::default()).await;
    for host in ["", "Host: \r\n", "Host: a b\r\n", "Host: a\r\nHost: b\r\n"] {
        let head = format!("GET /health/live HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        let said = said_to(&ssp, &head).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{host}: {said}");
        assert!(said.contains("The header Host"), "{host}: {said}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_head_that_does_not_come_or_is_too_large_ends_the_connection() {
    let settings = Settings {
        head_time: Duration::from_millis(300),
        ..Settings::default()
    };
    let (_upstream, ssp) = both(settings).await;
    let mut slow = TcpStream::connect(ssp.address).await.unwrap();
    slow.write_all(b"GET /http://x/ HTTP/1.1\r\nHost: a\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let read = tokio::time::timeout(testkit::PATIENCE, slow.read_to_end(&mut said)).await;
    read.expect("closed").unwrap();
    let mut large = TcpStream::connect(ssp.address).await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(100 << 10)
    );
    let _ = large.write_all(head.as_bytes()).await;
    let mut said = Vec::new();
    let _ = large.read_to_end(&mut said).await;
    assert!(
        said.starts_with(b"HTTP/1.1 431") || said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[tokio::test]
async fn stopping_lets_requests_finish() {
    let (upstream, mut ssp) = both(Settings::default()).await;
    let url = format!("{}/{}/Slot?wait", ssp.http(), upstream.root());
    let under_way = tokio::spawn(call(get(&url)));
    upstream.arrived(1).await;
    ssp.stop();
    upstream.open(1);
    assert_eq!(under_way.await.unwrap().0, 200);
    tokio::time::timeout(testkit::PATIENCE, &mut ssp.task)
        .await
        .expect("the server ends")
        .unwrap();
    assert!(TcpStream::connect(ssp.address).await.is_err());
}

/// Proves: NAT-SSP-01
#[tokio::test]
async fn curl_works_as_the_guide_shows() {
    let (upstream, ssp) = both(Settings::default()).await;
    let url = format!("{}/{}/Slot?status=200", ssp.http(), upstream.root());
    let run = tokio::process::Command::new("curl")
        .args(["-sS", "-o", "-", "-w", "%{http_code}", "--path-as-is"])
        .args(["-H", "Ssp-TraceID: 09a01679-2564-0fb4-5129-aecc81ea2706"])
        .args([
            "-H",
            &format!("Ssp-From: {CONSUMER}"),
            "-H",
            &format!("Ssp-To: {PROVIDER}"),
        ])
        .args([
            "-H",
            &format!("Ssp-InteractionID: {}", urn("read:slot")),
            &url,
        ])
        .output()
        .await;
    let output = match run {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return testkit::lacks("curl");
        }
        Err(error) => panic!("{error}"),
    };
    assert!(output.stdout.ends_with(b"200"), "{output:?}");
}

/// A delay beyond the proxy's patience is a time-out, after the Provider has done its work.
#[tokio::test]
async fn a_fault_slower_than_the_proxy_waits_is_504() {
    let settings = Settings {
        answer_time: Duration::from_millis(500),
        ..Settings::default()
    };
    let (upstream, ssp) = both(settings).await;
    ssp.faults
        .add(Rule::new(
            Point::Ssp,
            Fault::Slow {
                milliseconds: 60_000,
            },
        ))
        .unwrap();
    let url = format!("{}/{}/Appointment", ssp.http(), upstream.root());
    refused(
        request("POST", &url, "create:appointment", full("{}")),
        504,
        "transient",
    )
    .await;
    assert_eq!(upstream.seen().len(), 1);
}
