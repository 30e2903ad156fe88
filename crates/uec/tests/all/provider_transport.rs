//! Transport and formats, and the CapabilityStatement (`docs/standard/provider-api.md`, sections 1 and 5), over the wire: what
//! the Provider suite (`assure_own`) does not try, because a Provider may do otherwise.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use testkit::assert_contains;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::support::http::{connect, gzip};
use super::support::{Call, Response, Server, uuid};

fn search() -> Call {
    Server::shared(module_path!()).plain_search()
}

fn book() -> Call {
    let server = Server::shared(module_path!());
    server.book(&server.booking().body())
}

/// A connection on which these bytes were sent, to read the answers from.
fn sent(bytes: &[u8]) -> BufReader<TcpStream> {
    let mut stream = connect(Server::shared(module_path!()).address);
    stream.write_all(bytes).expect("the connection is open");
    BufReader::new(stream)
}

#[track_caller]
fn answers(connection: &mut BufReader<TcpStream>, status: u16) -> Response {
    Response::read(connection).expect("an answer").with(status)
}

/// Proves: PROV-GEN-06
#[test]
fn a_connection_serves_many_requests_and_answers_in_their_order() {
    let read = || Server::shared(module_path!()).read(&uuid());
    let calls = [
        (search(), 200),
        (book(), 201),
        (read(), 404),
        (search(), 200),
    ];
    let bytes: Vec<u8> = calls.iter().flat_map(|(call, _)| call.bytes()).collect();
    let mut connection = sent(&bytes);
    for (call, status) in &calls {
        answers(&mut connection, *status).check(call);
    }
}

/// Proves: PROV-GEN-13
#[test]
fn gzip_works_in_both_directions_and_only_when_asked() {
    let plain = search().expect(200);
    assert!(!plain.was_gzipped);
    for (accept, is_asked) in [
        ("gzip", true),
        ("deflate, gzip;q=0.5", true),
        ("br, gzip, *;q=0.1", true),
        ("identity", false),
        ("gzip;q=0", false),
        ("br", false),
    ] {
        let answer = search().with("Accept-Encoding", accept).expect(200);
        assert_eq!(answer.was_gzipped, is_asked, "{accept}");
        assert_eq!(answer.json()["total"], plain.json()["total"]);
    }
    let missing = Server::shared(module_path!()).read(&uuid());
    missing.with("Accept-Encoding", "gzip").expect(404);
    book().gzipped().in_chunks().expect(201);
    book().with("Content-Encoding", "identity").expect(201);
    let call = book();
    let whole = gzip(call.body.as_deref().unwrap_or_default());
    let cut = call.gzipped().body(&whole[..whole.len() / 2]);
    cut.expect(400);
    for coding in ["br", "zstd", "deflate", "gzip, br"] {
        book().with("Content-Encoding", coding).expect(415);
    }
}

/// Proves: RES-CAP-04, RES-CAP-06, D-38
#[test]
fn the_capability_statement_names_all_interactions_and_the_version() {
    let answer = Server::shared(module_path!()).metadata().expect(200);
    let capability = answer.json();
    let mut resources = capability["rest"][0]["resource"]
        .as_array()
        .expect("resource")
        .iter();
    let appointment = resources
        .find(|r| r["type"] == "Appointment")
        .expect("Appointment");
    let offered = appointment["interaction"].to_string();
    for code in ["read", "vread", "create", "update", "search-type"] {
        assert_contains(&offered, &[&format!("\"code\":\"{code}\"")]);
    }
    let version = capability["version"].as_str().expect("version");
    let description = capability["description"].as_str().expect("description");
    assert_contains(description, &[version]);
}

/// Proves: PROV-GEN-06
#[test]
fn a_client_may_wait_before_it_sends_the_body() {
    let call = book();
    let call = call
        .with("Expect", "100-continue")
        .with("Connection", "close");
    let length = call.body.as_ref().map_or(0, Vec::len);
    let bytes = call.bytes();
    let (head, body) = bytes.split_at(bytes.len() - length);
    let mut connection = sent(head);
    answers(&mut connection, 100);
    let mut writing = connection.get_ref();
    writing.write_all(body).expect("the connection is open");
    answers(&mut connection, 201);
    // A head that is refused needs no body.
    let bytes = call.without("Authorization").bytes();
    answers(&mut sent(&bytes[..bytes.len() - length]), 403);
}

/// A client that sends more than the SETTINGS of the server allow is refused by HTTP/2 itself, and its connection goes on;
/// one that sends much more loses it, and the server goes on.
///
/// Proves: D-63
#[test]
fn more_than_the_settings_allow_is_refused_by_http2() {
    let server = Server::shared(module_path!());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let connected = || async {
            let stream = tokio::net::TcpStream::connect(server.address).await;
            let stream = TokioIo::new(stream.expect("a connection"));
            let http2 = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
            let (client, connection) = http2.expect("HTTP/2");
            tokio::spawn(connection);
            client
        };
        let head = |bytes: usize| {
            http::Request::get(format!("http://{}/STU3/1/FX101/metadata", server.address))
                .header("X-Long", "a".repeat(bytes))
                .body(Empty::<Bytes>::new())
                .expect("a request")
        };
        let mut client = connected().await;
        let refused = client.send_request(head(140 * 1024)).await;
        let refused = refused.expect("an answer");
        assert_eq!(refused.status(), 431);
        assert!(!refused.headers().contains_key("x-request-id"));
        let body = refused.into_body().collect().await.expect("an end");
        assert!(body.to_bytes().is_empty());
        // The same connection: under the limit the request is judged; it lacks the headers of the proxy.
        let judged = client.send_request(head(40 * 1024)).await;
        assert_eq!(judged.expect("an answer").status(), 400);
        let ended = client.send_request(head(1024 * 1024)).await;
        assert!(ended.is_err(), "{ended:?}");
        let judged = connected().await.send_request(head(1024)).await;
        assert_eq!(judged.expect("an answer").status(), 400);
    });
}

/// Proves: PROV-GEN-17
#[test]
fn too_large_a_head_over_http2_is_answered_with_an_outcome() {
    let server = Server::shared(module_path!());
    // The client wants one, though nothing here is encrypted; another test may have installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ask = |bytes: usize| {
        runtime.block_on(async {
            let client = reqwest::Client::builder()
                .http2_prior_knowledge()
                .build()
                .expect("a client");
            let url = format!("http://{}/STU3/1/FX101/metadata", server.address);
            let request = client.get(url).header("X-Long", "a".repeat(bytes));
            let response = request.send().await.expect("an answer");
            assert_eq!(response.version(), reqwest::Version::HTTP_2);
            let own = response.headers().contains_key("x-request-id");
            let status = response.status().as_u16();
            (status, own, response.text().await.expect("a body"))
        })
    };
    let (status, own, body) = ask(70 * 1024);
    assert_eq!((status, own), (431, true), "{body}");
    assert_contains(&body, &["OperationOutcome", "65536 bytes"]);
    // Up to what the server says in its SETTINGS that it takes.
    let (status, own, body) = ask(120 * 1024);
    assert_eq!((status, own), (431, true), "{body}");
    // Under the limit the request is judged: it lacks the headers of the proxy.
    assert_eq!(ask(40 * 1024).0, 400);
}
