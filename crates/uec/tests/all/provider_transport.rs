//! Service root, transport and formats, and the CapabilityStatement (`docs/standard/provider-api.md`,
//! sections 1 and 5; `resources.md`, section 12), over the wire.

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use testkit::assert_contains;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use super::support::http::{connect, gzip};
use super::support::{Call, GP_CLINIC, Response, Server, to_xml, uuid};

const PROFILE: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-";

fn search() -> Call {
    Server::shared(module_path!()).search(&Server::window_query(GP_CLINIC, 1, 2))
}

fn book() -> Call {
    let server = Server::shared(module_path!());
    server.book(&server.booking().body())
}

fn metadata_with(query: &str) -> Response {
    let call = Server::shared(module_path!()).metadata();
    let target = format!("{}?{query}", call.target);
    call.target(&target).send()
}

/// Proves: PROV-GEN-01, PROV-GEN-02, PROV-GEN-03, PROV-META-01, PROV-INT-01
#[test]
fn everything_lives_under_one_root() {
    let server = Server::shared(module_path!());
    assert_eq!(server.metadata().expect(200).root(), "CapabilityStatement");
    assert_eq!(search().expect(200).root(), "Bundle");
    assert_eq!(server.read(&uuid()).expect(404).root(), "OperationOutcome");
}

/// Proves: PROV-GEN-06
#[test]
fn a_body_may_come_in_chunks() {
    book().in_chunks().expect(201);
    book().gzipped().in_chunks().expect(201);
}

/// Proves: PROV-GEN-06
#[test]
fn a_connection_serves_many_requests() {
    let server = Server::shared(module_path!());
    let stream = connect(server.address);
    let mut writing = stream.try_clone().expect("second handle of the socket");
    let mut reading = BufReader::new(stream);
    for (call, status) in [
        (search(), 200),
        (book(), 201),
        (server.read(&uuid()), 404),
        (search(), 200),
    ] {
        writing
            .write_all(&call.bytes())
            .expect("the connection is open");
        let response = Response::read(&mut reading).expect("an answer");
        assert_eq!(response.status, status, "{}", response.shown());
        response.check(&call);
    }
    // Two at once, answered in order.
    let (one, two) = (search(), server.read(&uuid()));
    writing
        .write_all(&[one.bytes(), two.bytes()].concat())
        .expect("the connection is open");
    assert_eq!(Response::read(&mut reading).expect("an answer").status, 200);
    assert_eq!(Response::read(&mut reading).expect("an answer").status, 404);
}

/// Proves: PROV-GEN-07, PROV-GEN-09, PROV-GEN-12, D-24
#[test]
fn every_name_of_a_format_is_understood() {
    for (format, xml) in [
        ("json", false),
        ("xml", true),
        ("application/json", false),
        ("application/xml", true),
        ("text/xml", true),
        ("application/fhir+json", false),
        ("application/fhir+xml", true),
        ("application/fhir%2Bjson", false),
        ("application/fhir%2Bxml", true),
        ("application%2Ffhir%2Bxml", true),
        ("application/fhir%20xml", true),
    ] {
        let response = metadata_with(&format!("_format={format}"));
        assert_eq!(
            (response.status, response.is_xml()),
            (200, xml),
            "_format={format}"
        );
    }
}

/// Proves: PROV-GEN-08, PROV-GEN-10
#[test]
fn the_accept_header_is_understood() {
    let metadata = Server::shared(module_path!()).metadata();
    for (accept, xml) in [
        ("application/fhir+json", false),
        ("application/fhir+xml", true),
        ("application/fhir+xml;charset=utf-8", true),
        ("application/fhir+xml; charset=UTF-8", true),
        ("application/fhir+json ; charset=Utf-8", false),
        ("APPLICATION/FHIR+XML", true),
        ("*/*", false),
        ("application/*", false),
        ("text/html, application/fhir+xml;q=0.9, */*;q=0.1", true),
        (
            "application/fhir+xml;q=0.2, application/fhir+json;q=0.8",
            false,
        ),
        ("application/fhir+json;q=0, application/fhir+xml", true),
    ] {
        let response = metadata.clone().with("Accept", accept).expect(200);
        assert_eq!(response.is_xml(), xml, "Accept: {accept}");
    }
    assert!(!metadata.expect(200).is_xml(), "JSON when nothing is said");
}

/// Proves: PROV-GEN-08
#[test]
fn without_accept_the_answer_comes_as_the_request_came() {
    let server = Server::shared(module_path!());
    let body = to_xml(&server.booking().body());
    let call = server.book(&json!({})).xml(&body);
    assert!(call.expect(201).is_xml());
    let body = to_xml(&server.booking().body());
    let call = server
        .book(&json!({}))
        .xml(&body)
        .with("Accept", "application/fhir+json");
    assert!(!call.expect(201).is_xml(), "Accept beats Content-Type");
    let call = book().with("Accept", "application/fhir+json");
    let target = format!("{}?_format=xml", call.target);
    assert!(
        call.target(&target).expect(201).is_xml(),
        "_format beats both"
    );
}

/// Proves: PROV-GEN-10
#[test]
fn a_content_type_may_name_its_charset() {
    for name in [
        "application/fhir+json;charset=utf-8",
        "application/fhir+json; charset=UTF-8",
        "application/fhir+json;charset=\"utf-8\"",
        "Application/FHIR+JSON",
    ] {
        book().with("Content-Type", name).expect(201);
    }
}

/// Proves: PROV-GEN-11, ERR-14, D-14
#[test]
fn formats_that_cannot_be_had_are_refused() {
    assert_eq!(metadata_with("_format=text/turtle").status, 415);
    let metadata = Server::shared(module_path!()).metadata();
    for accept in [
        "text/html",
        "application/fhir+turtle",
        "image/png, text/plain",
    ] {
        metadata.clone().with("Accept", accept).expect(415);
    }
    for name in [
        "application/xml",
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
        "application/fhir+json;charset=iso-8859-1",
    ] {
        book().with("Content-Type", name).expect(415);
    }
    book().without("Content-Type").expect(415);
    for coding in ["br", "zstd", "deflate", "gzip, br"] {
        book().with("Content-Encoding", coding).expect(415);
    }
}

/// Proves: PROV-GEN-13
#[test]
fn gzip_works_in_both_directions_and_only_when_asked() {
    let plain = search().expect(200);
    assert!(!plain.was_gzipped);
    for accept in ["gzip", "deflate, gzip;q=0.5", "br, gzip, *;q=0.1"] {
        let zipped = search().with("Accept-Encoding", accept).expect(200);
        assert!(zipped.was_gzipped, "{accept}");
        assert_eq!(zipped.json()["total"], plain.json()["total"]);
    }
    for accept in ["identity", "gzip;q=0", "br"] {
        assert!(
            !search()
                .with("Accept-Encoding", accept)
                .expect(200)
                .was_gzipped,
            "{accept}"
        );
    }
    let refused = Server::shared(module_path!())
        .read(&uuid())
        .with("Accept-Encoding", "gzip")
        .expect(404);
    assert_eq!(
        refused.root(),
        "OperationOutcome",
        "an outcome is readable either way"
    );
    book().gzipped().expect(201);
    book().with("Content-Encoding", "identity").expect(201);
    book().with("Content-Encoding", "gzip").expect(400);
    let cut = gzip(book().body.as_deref().unwrap_or_default());
    book()
        .body(&cut[..cut.len() / 2])
        .with("Content-Encoding", "gzip")
        .expect(400);
}

/// Proves: PROV-HDR-10, PROV-HDR-11, PROV-HDR-12, PROV-GEN-12
#[test]
fn every_answer_has_its_headers() {
    // What is asserted of every answer stands in `Response::check`, which `expect` calls.
    let server = Server::shared(module_path!());
    let id = uuid();
    server.metadata().with("X-Request-ID", &id).expect(200);
    search().with("X-Request-ID", &id).expect(200);
    server.read(&uuid()).with("X-Request-ID", &id).expect(404);
    Call::new(server.address, "GET", "/nowhere")
        .with("X-Request-ID", &id)
        .expect(404);
    Call::new(server.address, "DELETE", &search().target)
        .with("X-Request-ID", &id)
        .expect(405);
    search()
        .without("Ssp-To")
        .with("X-Request-ID", &id)
        .expect(400);
}

/// Proves: PROV-META-03
#[test]
fn metadata_needs_the_same_headers_and_token() {
    let metadata = Server::shared(module_path!()).metadata();
    metadata.clone().without("Authorization").expect(403);
    metadata.clone().without("Ssp-From").expect(400);
    metadata
        .with(
            "Ssp-InteractionID",
            "urn:nhs:names:services:careconnect:fhir:rest:read:appointment",
        )
        .expect(400);
}

fn capability() -> Value {
    Server::shared(module_path!()).metadata().expect(200).json()
}

fn resource(kind: &str) -> Value {
    let capability = capability();
    let all = capability["rest"][0]["resource"]
        .as_array()
        .expect("resource")
        .clone();
    all.into_iter()
        .find(|r| r["type"] == kind)
        .expect("the type is there")
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or(&[]);
    list.iter()
        .filter_map(|item| item[key].as_str().map(str::to_owned))
        .collect()
}

/// Proves: PROV-META-01, PROV-META-02, RES-CAP-01, RES-CAP-06
#[test]
fn the_capability_statement_describes_the_product() {
    let capability = capability();
    assert_eq!(capability["resourceType"], "CapabilityStatement");
    assert_eq!(
        (&capability["fhirVersion"], &capability["acceptUnknown"]),
        (&json!("3.0.1"), &json!("both"))
    );
    for name in ["publisher", "kind", "status", "date", "version"] {
        assert!(
            capability[name]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}"
        );
    }
    assert!(
        capability["software"]["name"].is_string() && capability["software"]["version"].is_string()
    );
    let formats: Vec<&str> = capability["format"]
        .as_array()
        .expect("format")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        formats.contains(&"application/fhir+json") && formats.contains(&"application/fhir+xml")
    );
    let version = capability["version"].as_str().expect("version");
    assert!(
        capability["description"]
            .as_str()
            .is_some_and(|text| text.contains(version))
    );
}

/// Proves: RES-CAP-02
#[test]
fn the_capability_statement_names_ten_profiles() {
    let profiles = names(&capability()["profile"], "reference");
    assert_eq!(profiles.len(), 10);
    let expected: BTreeSet<String> = [
        "Slot",
        "HealthcareService",
        "Schedule",
        "Appointment",
        "Patient",
        "DocumentReference",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
    ]
    .iter()
    .map(|kind| format!("{PROFILE}{kind}-1"))
    .collect();
    assert_eq!(profiles.into_iter().collect::<BTreeSet<_>>(), expected);
}

/// Proves: RES-CAP-03, RES-CAP-04, D-38
#[test]
fn the_capability_statement_describes_appointments() {
    let capability = capability();
    assert_eq!(capability["rest"].as_array().map(Vec::len), Some(1));
    assert_eq!(capability["rest"][0]["mode"], "server");
    assert_eq!(
        capability["rest"][0]["resource"].as_array().map(Vec::len),
        Some(2)
    );
    let appointment = resource("Appointment");
    let interactions = names(&appointment["interaction"], "code");
    let distinct: BTreeSet<&String> = interactions.iter().collect();
    assert_eq!(distinct.len(), interactions.len());
    for code in ["read", "vread", "create", "update", "search-type"] {
        assert!(interactions.iter().any(|i| i == code), "{code}");
    }
    assert_eq!(appointment["updateCreate"], false);
    assert_eq!(
        names(&appointment["searchParam"], "name"),
        ["identifier", "_id", "version"]
    );
    assert_eq!(names(&appointment["searchParam"], "documentation").len(), 3);
}

/// Proves: RES-CAP-05, D-38
#[test]
fn the_capability_statement_describes_slots() {
    let slot = resource("Slot");
    assert_eq!(names(&slot["interaction"], "code"), ["search-type"]);
    assert_eq!(
        names(&slot["searchParam"], "name"),
        ["service", "status", "start"]
    );
    assert_eq!(
        names(&slot["searchParam"], "type"),
        ["token", "token", "date"]
    );
    assert!(slot["searchParam"][0]["documentation"].is_string());
    let includes: BTreeSet<&str> = slot["searchInclude"]
        .as_array()
        .expect("searchInclude")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let expected = BTreeSet::from([
        "Slot.schedule",
        "Schedule:actor:Practitioner",
        "Schedule:actor:PractitionerRole",
        "Schedule:actor:HealthcareService",
        "HealthcareService.providedBy",
        "HealthcareService:location",
    ]);
    assert_eq!(includes, expected);
}

/// Proves: PROV-GEN-06
#[test]
fn a_client_may_wait_before_it_sends_the_body() {
    let server = Server::shared(module_path!());
    let call = book()
        .with("Expect", "100-continue")
        .with("Connection", "close");
    let bytes = call.bytes();
    let length = call.body.as_ref().map_or(0, Vec::len);
    let (head, body) = bytes.split_at(bytes.len() - length);
    let stream = connect(server.address);
    let mut writing = stream.try_clone().expect("second handle of the socket");
    let mut reading = BufReader::new(stream);
    writing.write_all(head).expect("the connection is open");
    let go_on = Response::read(&mut reading).expect("an interim answer");
    assert_eq!(go_on.status, 100);
    writing.write_all(body).expect("the connection is open");
    assert_eq!(Response::read(&mut reading).expect("an answer").status, 201);
    // A head that is refused needs no body.
    let refused = call.without("Authorization");
    let bytes = refused.bytes();
    let stream = connect(server.address);
    let mut writing = stream.try_clone().expect("second handle of the socket");
    writing
        .write_all(&bytes[..bytes.len() - length])
        .expect("the connection is open");
    let answer = Response::read(&mut BufReader::new(stream)).expect("an answer");
    assert_eq!(answer.status, 403);
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
            let stream = tokio::net::TcpStream::connect(server.address)
                .await
                .expect("a connection");
            let (client, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .expect("HTTP/2");
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
