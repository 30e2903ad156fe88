//! Tokens, headers, the order of checks and the error table (`docs/standard/provider-api.md`, sections 2, 3
//! and 11; `national-services.md`, section 4), over the wire.

use super::support;
use serde_json::{Value, json};
use testkit::{assert_contains, assert_lacks};

use super::support::{Booking, Call, GP_CLINIC, Response, SEARCH_ONLY_ASID, Server, Token, uuid};

const FIRST: &str = "W/\"1\"";
const SLOT_SCOPE: &str = "organization/slot.read";
const SPINE_CODES: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";

#[track_caller]
fn issue(response: &Response) -> Value {
    response.json()["issue"][0].clone()
}

/// Status, `issue.code` and Spine code of a refusal.
#[track_caller]
fn refused(call: &Call, status: u16, code: &str, spine: &str) -> Response {
    let response = call.expect(status);
    response.has("/issue/0/code", code);
    response.has("/issue/0/details/coding/0/system", SPINE_CODES);
    response.has("/issue/0/details/coding/0/code", spine);
    response
}

fn search() -> Call {
    Server::shared(module_path!()).search(&Server::window_query(GP_CLINIC, 1, 2))
}

fn with_token(token: &Token) -> Call {
    search().with("Authorization", &token.bearer())
}

#[track_caller]
fn token_refused(call: &Call, names: &str) {
    let response = refused(call, 403, "forbidden", "ACCESS DENIED");
    response.says(&[names]);
    let challenge = response
        .header("www-authenticate")
        .expect("WWW-Authenticate");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
}

/// Proves: NAT-JWT-01, PROV-HDR-01, PROV-HDR-18, ERR-06, D-01, P1, P2
#[test]
fn a_token_has_to_have_the_unsecured_form() {
    let token = Server::shared(module_path!()).token(SLOT_SCOPE);
    let good = token.encoded();
    let parts: Vec<&str> = good.split('.').collect();
    let (head, payload) = (parts[0], parts[1]);
    let mut signed = token.clone();
    signed.header = json!({"alg": "HS256", "typ": "JWT"});
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic dXNlcjpwYXNz".to_owned(),
        format!("Bearer {head}.{payload}"),
        format!("Bearer {head}.{payload}.c2ln"),
        format!("Bearer {head}.{payload}.."),
        format!("Bearer {head}.."),
        format!("Bearer .{payload}."),
        format!("Bearer {head}.{payload}!."),
        format!("Bearer {head}.{head}."),
        format!("Bearer {}", signed.encoded()),
        good.clone(),
        format!("Bearer {good} {good}"),
    ] {
        let response = search().with("Authorization", &bad).expect(403);
        response.has("/issue/0/code", "forbidden");
    }
    search().without("Authorization").expect(403);
    let twice = search();
    let value = format!("Bearer {good}");
    twice.also("Authorization", &value).expect(403);
    search()
        .with("Authorization", &format!("bearer {good}"))
        .expect(200);
}

/// Proves: NAT-JWT-02, NAT-JWT-03, NAT-JWT-04, NAT-JWT-05, NAT-JWT-06, NAT-JWT-07, NAT-JWT-08, NAT-JWT-09, NAT-JWT-10, ERR-06
#[test]
fn every_claim_is_needed_and_named_when_it_is_missing() {
    for claim in [
        "iss",
        "sub",
        "aud",
        "iat",
        "exp",
        "reason_for_request",
        "requested_scope",
        "requesting_device",
        "requesting_organization",
    ] {
        for value in [Value::Null, json!([17])] {
            let token = Server::shared(module_path!()).token(SLOT_SCOPE);
            token_refused(&with_token(&token.claim(claim, value)), claim);
        }
    }
}

/// Proves: NAT-JWT-05, NAT-JWT-06
#[test]
fn a_token_holds_for_five_minutes() {
    let now = jiff::Timestamp::now().as_second();
    let server = Server::shared(module_path!());
    let token = |iat: i64, exp: i64| {
        server
            .token(SLOT_SCOPE)
            .claim("iat", json!(iat))
            .claim("exp", json!(exp))
    };
    token_refused(&with_token(&token(now - 600, now - 300)), "exp");
    token_refused(&with_token(&token(now, now)), "exp");
    token_refused(&with_token(&token(now, now - 10)), "exp");
    token_refused(&with_token(&token(now, now + 3600)), "exp");
    token_refused(&with_token(&token(now + 600, now + 900)), "iat");
    // Clocks differ a little.
    with_token(&token(now - 320, now - 20)).expect(200);
    with_token(&token(now + 20, now + 320)).expect(200);
    for odd in [
        json!("1930378811"),
        json!(1.5),
        json!(-1),
        json!(123),
        json!(99_999_999_999_i64),
    ] {
        token_refused(&with_token(&token(now, now + 300).claim("iat", odd)), "iat");
    }
}

/// Proves: NAT-JWT-03, NAT-JWT-04, NAT-JWT-07, NAT-JWT-08, NAT-JWT-09, NAT-JWT-10, NAT-JWT-11
#[test]
fn claims_have_to_fit() {
    let server = Server::shared(module_path!());
    let token = || server.token(SLOT_SCOPE);
    let nameless = json!({"resourceType": "Organization", "name": "x"});
    for (claim, value) in [
        ("sub", json!("someone-else")),
        ("aud", json!("https://elsewhere.example/STU3/1/FX101")),
        ("aud", json!(server.audience().replace("FX101", "FX202"))),
        ("reason_for_request", json!("secondaryuses")),
        ("requested_scope", json!("patient/appointment.write")),
        ("requesting_organization", nameless),
        ("requesting_device", json!({"resourceType": "Device"})),
    ] {
        token_refused(&with_token(&token().claim(claim, value)), claim);
    }
    let slash = format!("{}/", server.audience());
    with_token(&token().claim("aud", json!(slash))).expect(200);
    let several = format!("patient/appointment.read {SLOT_SCOPE}");
    with_token(&token().claim("requested_scope", json!(several))).expect(200);
    with_token(&token().claim("requesting_practitioner", Value::Null)).expect(200);
    let mut practitioner = token().claims["requesting_practitioner"].clone();
    practitioner["identifier"] = json!([practitioner["identifier"][0]]);
    with_token(&token().claim("requesting_practitioner", practitioner)).expect(200);
}

/// Proves: NAT-JWT-04, D-58
#[test]
fn the_audience_is_compared_as_a_url() {
    let server = Server::shared(module_path!());
    let root = server.audience();
    let with = |aud: Value| with_token(&server.token(SLOT_SCOPE).claim("aud", aud));
    for same in [
        json!([root]),
        json!([format!("{root}/")]),
        json!(root.replacen("https", "HTTPS", 1)),
        json!(root.replacen("FX101", "%46X101", 1)),
        json!(root.replacen("/STU3", "/./STU3", 1)),
        json!(root.replacen("/1/", "/2/../1/", 1)),
    ] {
        with(same).expect(200);
    }
    for (other, words) in [
        (json!([]), "empty list"),
        (json!([root, root]), "2 audiences"),
        (json!([""]), "is empty"),
        (json!([["x"]]), "not a string"),
        (
            json!(["https://elsewhere.example/STU3/1/FX101"]),
            "service root",
        ),
        (json!(root.to_lowercase()), "service root"),
        (json!(format!("{root}?x")), "service root"),
    ] {
        token_refused(&with(other.clone()), "aud");
        let said = with(other.clone()).expect(403).text();
        assert!(said.contains(words), "{other}: {said}");
    }
}

/// Proves: PROV-HDR-08, PROV-HDR-03, ERR-02
#[test]
fn a_request_to_another_system_is_refused() {
    let server = Server::shared(module_path!());
    let other = "918999000022";
    let slot = server.take_slot();
    for call in [
        server.metadata(),
        search(),
        server.book(&Booking::of(&slot).body()),
        search().with("Accept", "image/png"),
    ] {
        let call = call.with("Ssp-To", other);
        let response = refused(&call, 400, "invalid", "MISSING_OR_INVALID_HEADER");
        let issue = issue(&response);
        assert_eq!(issue["location"][0], "http.Ssp-To");
        let said = issue["diagnostics"].as_str().expect("words");
        assert_contains(said, &[other, "918999000011"]);
    }
    // Nobody without a right token is told whose system it is.
    let call = search().without("Authorization").with("Ssp-To", other);
    call.expect(403);
    server.book(&Booking::of(&slot).body()).expect(201);
}

/// Proves: NAT-JWT-08, PROV-INT-02, PROV-INT-03, PROV-INT-04, PROV-INT-07, PROV-INT-08, D-23
#[test]
fn each_interaction_needs_its_scope() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let id = created.location_id();
    let body = booking.cancelled(&created.json());
    let (read, write) = ("patient/appointment.read", "patient/appointment.write");
    for (call, wrong) in [
        (server.metadata(), read),
        (search(), write),
        (server.book(&server.booking().body()), read),
        (server.read(&id), write),
        (server.cancel(&id, FIRST, &body), read),
        (server.appointments(&format!("_id={id}")), write),
    ] {
        token_refused(
            &call.with("Authorization", &server.token(wrong).bearer()),
            "requested_scope",
        );
    }
}

/// Proves: PROV-HDR-02, PROV-HDR-03, PROV-HDR-04, ERR-02
#[test]
fn ssp_headers_have_to_be_there_and_well_formed() {
    let good = "urn:nhs:names:services:careconnect:fhir:rest:";
    let unsuitable = format!("{good}create:appointment");
    for (name, wrong) in [
        ("Ssp-TraceID", vec!["not-a-uuid", "", "12345"]),
        (
            "Ssp-From",
            vec!["91899900009", "9189990000999", "91899900009X", "", "FX900"],
        ),
        ("Ssp-To", vec!["91899900001", "abcdefghijkl", ""]),
        (
            "Ssp-InteractionID",
            vec![
                "search:slot",
                "urn:nhs:names:services:gpconnect:fhir:rest:search:slot",
                &unsuitable,
                "",
            ],
        ),
    ] {
        let check = |call: &Call| {
            let response = refused(call, 400, "invalid", "MISSING_OR_INVALID_HEADER");
            assert_contains(response.text().to_lowercase(), &[&name.to_lowercase()]);
        };
        check(&search().without(name));
        for value in wrong {
            check(&search().with(name, value));
        }
        let call = search();
        let found = call.headers.iter().find(|(n, _)| n == name);
        let (_, value) = found.expect("there").clone();
        check(&call.also(name, &value));
    }
    let upper = uuid().to_uppercase();
    search().with("ssp-traceid", &upper).expect(200);
}

/// Proves: PROV-HDR-04, PROV-INT-01, PROV-INT-04, PROV-INT-05, PROV-INT-07, PROV-INT-08
#[test]
fn the_interaction_id_has_to_suit_the_path() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let id = created.location_id();
    let cancelled = booking.cancelled(&created.json());
    let version = server.read(&format!("{id}/_history/1"));
    let found = server.appointments(&format!("_id={id}"));
    for (call, suffix) in [
        (server.metadata(), "search:slot"),
        (server.read(&id), "search:appointment"),
        (version, "update:appointment"),
        (server.cancel(&id, FIRST, &cancelled), "create:appointment"),
        (found, "read:appointment"),
    ] {
        let name = format!("urn:nhs:names:services:careconnect:fhir:rest:{suffix}");
        let call = call.with("Ssp-InteractionID", &name);
        refused(&call, 400, "invalid", "MISSING_OR_INVALID_HEADER");
    }
}

/// Proves: PROV-HDR-05, PROV-HDR-10, PROV-HDR-11, ERR-03, D-21
#[test]
fn a_request_id_is_required_on_writes_and_echoed_always() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let put = server.cancel(
        &created.location_id(),
        FIRST,
        &booking.cancelled(&created.json()),
    );
    let post = server.book(&server.booking().body());
    for call in [post, put] {
        let call = call.without("X-Request-ID");
        let response = refused(&call, 400, "required", "MISSING_OR_INVALID_HEADER");
        response.says(&["X-Request-ID"]);
    }
    // `expect` compares the echo with what was sent, and finds none where none was sent.
    search().expect(200);
    for odd in [
        "not a uuid but Allowed",
        "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}",
        "\"quoted\"",
        "a,b;c=d",
    ] {
        search().with("X-Request-ID", odd).send();
    }
    search()
        .with("X-Request-ID", "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}")
        .expect(200);
    let (one, two) = (search().expect(200), search().expect(200));
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

/// Proves: PROV-HDR-07
#[test]
fn other_headers_are_ignored() {
    let server = Server::shared(module_path!());
    let call = server.book(&server.booking().body());
    let response = call
        .with("Prefer", "return=minimal")
        .with("Location", "https://elsewhere.example/")
        .with("Forwarded", "for=192.0.2.1;proto=https;by=192.0.2.2")
        .with("If-None-Exist", "identifier=x")
        .expect(201);
    assert_eq!(
        response.root(),
        "Appointment",
        "the body is always returned"
    );
}

/// Proves: PROV-GEN-17, ERR-10, PROV-HDR-18, PROV-INT-09, D-25, P37
#[test]
fn route_and_method_come_first() {
    let server = Server::shared(module_path!());
    let bare = |method: &str, path: &str| {
        Call::new(server.address, method, &format!("{}{path}", support::ROOT))
    };
    for path in [
        "/Patient",
        "/Slot/1",
        "/appointment",
        "/Metadata",
        "",
        "/Appointment/1/_history/1/2",
        "/Appointment/1/other",
    ] {
        let response = bare("GET", path).expect(404);
        response.has("/issue/0/code", "not-found");
    }
    for path in [
        "/STU3/1/fx101/metadata",
        "/stu3/1/FX101/metadata",
        "/STU3/2/FX101/metadata",
        "/STU3/1/ZZ999/metadata",
        "/",
    ] {
        bare("GET", "").target(path).expect(404);
    }
    let id = uuid();
    let one = format!("/Appointment/{id}");
    for (path, methods) in [
        ("/metadata", &["POST", "DELETE"][..]),
        ("/Slot?service=1", &["POST"]),
        ("/Slot", &["PUT", "FROBNICATE", "TRACE"]),
        ("/Appointment", &["DELETE", "PUT"]),
        (&one, &["DELETE", "PATCH", "POST", "OPTIONS"]),
        (&format!("{one}/_history"), &["DELETE"]),
        (&format!("{one}/_history/1"), &["PUT"]),
    ] {
        for method in methods {
            let call = bare(method, path).body("");
            let response = refused(&call, 405, "not-supported", "BAD_REQUEST");
            let allowed = response.header("allow").expect("Allow");
            assert!(!allowed.contains(method), "{method} {path}");
            response.says(&[method]);
        }
    }
}

/// Proves: ERR-02, ERR-03, ERR-06, ERR-11, ERR-14, D-03
#[test]
fn headers_are_checked_before_the_body_in_their_order() {
    let server = Server::shared(module_path!());
    let used = server.book(&server.booking().body());
    used.expect(201);
    let used = used.request_id().expect("id").to_owned();
    // Wrong in every way; each step mends one thing.
    let call = server
        .book(&json!({}))
        .body("{")
        .with("Content-Type", "text/plain")
        .without("X-Request-ID")
        .without("Ssp-From")
        .without("Authorization");
    call.expect(400);
    let call = call.with("Ssp-From", support::CONSUMER_ASID);
    call.expect(403);
    let call = call.with(
        "Authorization",
        &server.token("patient/appointment.write").bearer(),
    );
    call.expect(415);
    let call = call.with("Content-Type", "application/fhir+json");
    call.expect(400).has("/issue/0/code", "required");
    let call = call.with("X-Request-ID", &used);
    call.expect(409).has("/issue/0/code", "duplicate");
    let call = call.with("X-Request-ID", &uuid());
    call.expect(400).has("/issue/0/code", "invalid");
}

/// Proves: ERR-05, ERR-08, ERR-09, ERR-12, ERR-13, ERR-15, ERR-17, PROV-CAN-04
#[test]
fn what_is_in_the_body_is_checked_in_its_order() {
    let server = Server::shared(module_path!());
    let (booking, created) = server.booked();
    let (id, stored) = (created.location_id(), created.json());
    let unknown = uuid();
    // 400 before 404 before 412 before 409 before 422.
    let mut elsewhere = stored.clone();
    elsewhere["id"] = json!(unknown);
    server
        .cancel(&unknown, FIRST, &json!({}))
        .body("{")
        .expect(400);
    server
        .cancel(&unknown, FIRST, &elsewhere)
        .without("If-Match")
        .expect(404);
    let faulty = booking.with("/description", Value::Null).cancelled(&stored);
    server
        .cancel(&id, FIRST, &faulty)
        .without("If-Match")
        .expect(412);
    server.cancel(&id, "W/\"9\"", &faulty).expect(409);
    server.cancel(&id, FIRST, &faulty).expect(422);
    // The profile before the state of the slot, the rank before the profile.
    let taken = support::messages::contained(&stored, "Slot").clone();
    let faulty = Booking::of(&taken).with("/description", Value::Null);
    let response = server.book(&faulty.body()).expect(422);
    response.never_says(&["Slot no longer available"]);
    server
        .book(&faulty.with("/patient/telecom/0/rank", json!(2)).body())
        .expect(400);
    // A query that cannot be read before a service that is unknown.
    server.search("service=2099999999&start=gewhen").expect(400);
    server.search("service=2099999999").expect(404);
    // The profile before the consumer's rights.
    let call = server.book(&server.booking().with("/description", Value::Null).body());
    let scope = "patient/appointment.write";
    server
        .as_search_only(call, scope)
        .with("Ssp-From", SEARCH_ONLY_ASID)
        .expect(422);
}

/// Proves: PROV-ERR-01, PROV-ERR-02, PROV-ERR-04, ERR-01, ERR-04
#[test]
fn refusals_say_where_and_never_whom() {
    let server = Server::shared(module_path!());
    let bad = server.search(&format!("service={GP_CLINIC}&start=gewhen"));
    let response = refused(&bad, 400, "invalid", "INVALID_PARAMETER");
    assert_eq!(issue(&response)["location"][0], "http.start");
    let booking = server.booking();
    let number = booking.nhs_number.clone().expect("a number");
    let text = booking.body().to_string();
    for (body, status) in [
        (text.replace("\"booked\"", "\"nonsense\""), 422),
        (text.replace("\"1979-03-12\"", "\"12.3.1979\""), 422),
        (text.replace("\"rank\":1", "\"rank\":2"), 400),
        (text.replace("\"start\":", "\"start\" "), 400),
        (
            text.replace("\"given\":[\"Ada\"]", "\"given\":\"Ada\""),
            400,
        ),
    ] {
        let response = server.book(&json!({})).body(body).expect(status);
        // The outcome's own id is random, so any digits may stand in it.
        let mut said = response.json();
        said["id"].take();
        let said = said.to_string();
        assert_lacks(
            &said,
            &[
                &number,
                "Testwell",
                "Ada",
                "1979",
                "01632",
                "Synthetic Way",
                "LS99",
            ],
        );
        assert_lacks(&said, &["panicked", ".rs:", "SELECT", "sqlite", "src/"]);
    }
}

/// Proves: PROV-ERR-01, ERR-04
#[test]
fn an_unreadable_body_is_answered_with_its_position() {
    let server = Server::shared(module_path!());
    let text = serde_json::to_string_pretty(&server.booking().body()).expect("JSON");
    let broken = text.replacen("\"contained\": [", "\"contained\": [[", 1);
    let cut = &text[..text.len() / 2];
    for body in [broken.as_str(), cut] {
        let response = server.book(&json!({})).body(body).expect(400);
        let diagnostics = issue(&response)["diagnostics"]
            .as_str()
            .expect("diagnostics")
            .to_lowercase();
        assert!(diagnostics.contains("line"), "{diagnostics}");
    }
    for body in [
        json!({"resourceType": "Patient"}),
        json!({"resourceType": "Nothing"}),
        json!({}),
        json!([]),
        json!(null),
        json!("x"),
    ] {
        refused(&server.book(&body), 400, "invalid", "INVALID_PARAMETER");
    }
    let without_slot = server.booking().with("/contained-slot/id", Value::Null);
    let call = server.book(&without_slot.body());
    refused(&call, 400, "invalid", "INVALID_PARAMETER");
}

/// Proves: ERR-14, PROV-GEN-11, D-14
#[test]
fn an_unknown_media_type_is_named() {
    let server = Server::shared(module_path!());
    let call = server
        .book(&json!({}))
        .with("Content-Type", "application/json");
    let response = refused(&call, 415, "not-supported", "UNSUPPORTED_MEDIA_TYPE");
    assert!(response.text().contains("application/json"));
}
