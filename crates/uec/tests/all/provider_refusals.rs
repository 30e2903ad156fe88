//! Refusals (`docs/standard/provider-api.md`, sections 2, 3 and 11), over the wire: what the Provider suite (`assure_own`)
//! does not try, because a Provider may do otherwise.

use serde_json::{Value, json};
use testkit::assert_lacks;

use super::support::{Booking, Call, GP_CLINIC, ROOT, Response, SEARCH_ONLY, Server, uuid};

/// Status, `issue.code` and Spine code of a refusal.
#[track_caller]
fn refused(call: &Call, status: u16, code: &str, spine: &str) -> Response {
    let response = call.expect(status);
    response.has("/issue/0/code", code);
    response.has("/issue/0/details/coding/0/code", spine);
    response
}

/// Proves: PROV-HDR-08, PROV-HDR-03, PROV-GEN-05, ERR-02
#[test]
fn a_request_to_another_system_is_refused() {
    let server = Server::shared(module_path!());
    // FX202 has this system, but the URL says FX101: nothing is looked for there.
    let other = "918999000022";
    let search = || server.plain_search();
    let slot = server.take_slot();
    for call in [
        server.metadata(),
        search(),
        server.book(&Booking::of(&slot).body()),
        search().with("Accept", "image/png"),
    ] {
        let call = call.with("Ssp-To", other);
        let response = refused(&call, 400, "invalid", "MISSING_OR_INVALID_HEADER");
        response.has("/issue/0/location/0", "http.Ssp-To");
        response.says(&[other, "918999000011"]);
    }
    // Nobody without a right token is told whose system it is.
    let call = search().without("Authorization").with("Ssp-To", other);
    call.expect(403);
    server.book(&Booking::of(&slot).body()).expect(201);
}

/// Proves: PROV-GEN-01, PROV-GEN-17, ERR-10, PROV-HDR-10, PROV-HDR-11, PROV-HDR-12, PROV-HDR-18, PROV-INT-09, D-25, P37
#[test]
fn route_and_method_come_first() {
    let server = Server::shared(module_path!());
    let bare = |method: &str, path: &str| {
        let call = Call::new(server.address, method, path).body("");
        call.with("X-Request-ID", &uuid())
    };
    for path in [
        "/STU3/1/FX101",
        "/STU3/1/FX101/Patient",
        "/STU3/1/FX101/Slot/1",
        "/STU3/1/fx101/metadata",
        "/stu3/1/FX101/metadata",
        "/STU3/2/FX101/metadata",
        "/STU3/1/ZZ999/metadata",
        "/",
    ] {
        bare("GET", path)
            .expect(404)
            .has("/issue/0/code", "not-found");
    }
    for (method, path) in [
        ("POST", "/Slot?service=1"),
        ("FROBNICATE", "/Slot"),
        ("TRACE", "/Slot"),
        ("DELETE", "/Appointment/1/_history"),
    ] {
        let call = bare(method, &format!("{ROOT}{path}"));
        let response = refused(&call, 405, "not-supported", "BAD_REQUEST");
        response.says(&[method]);
        let allowed = response.header("allow").expect("Allow");
        assert!(!allowed.contains(method), "{method} {path}");
    }
}

/// Proves: ERR-07, ERR-15, ERR-17
#[test]
fn the_profile_is_checked_before_the_slot_and_before_the_consumers_rights() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    server.book(&Booking::of(&slot).body()).expect(201);
    let faulty = Booking::of(&slot).with("/description", Value::Null);
    let call = server.book(&faulty.body());
    let response = call.expect(422);
    response.never_says(&["Slot no longer available"]);
    server.from(call, SEARCH_ONLY).expect(422);
}

/// Proves: PROV-ERR-01, PROV-ERR-02, PROV-ERR-04, ERR-01, ERR-04
#[test]
fn refusals_say_where_and_never_whom() {
    let server = Server::shared(module_path!());
    let bad = server.search(&format!("service={GP_CLINIC}&start=gewhen"));
    let response = refused(&bad, 400, "invalid", "INVALID_PARAMETER");
    response.has("/issue/0/location/0", "http.start");
    let booking = server.booking();
    let number = booking.nhs_number.clone().expect("a number");
    let text = booking.body().to_string();
    for (right, wrong, status) in [
        ("\"booked\"", "\"nonsense\"", 422),
        ("\"1979-03-12\"", "\"12.3.1979\"", 422),
        ("\"rank\":1", "\"rank\":2", 400),
        ("\"start\":", "\"start\" ", 400),
        ("\"given\":[\"Ada\"]", "\"given\":\"Ada\"", 400),
    ] {
        let body = text.replace(right, wrong);
        let response = server.book(&Value::Null).body(body).expect(status);
        // The outcome's own id is random, so any digits may stand in it.
        let mut said = response.json();
        said["id"].take();
        let patient = "Testwell Ada 1979 01632 Synthetic LS99";
        let inside = "panicked .rs: SELECT sqlite src/";
        for word in patient
            .split(' ')
            .chain(inside.split(' '))
            .chain([&*number])
        {
            assert_lacks(said.to_string(), &[word]);
        }
    }
}

/// Proves: PROV-ERR-01, ERR-04
#[test]
fn an_unreadable_body_is_answered_with_its_position() {
    let server = Server::shared(module_path!());
    let text = serde_json::to_string_pretty(&server.booking().body()).expect("JSON");
    let broken = text.replacen("\"contained\": [", "\"contained\": [[", 1);
    for body in [broken.as_str(), &text[..text.len() / 2]] {
        let response = server.book(&Value::Null).body(body).expect(400);
        let said = response.json()["issue"][0]["diagnostics"].to_string();
        assert!(said.to_lowercase().contains("line"), "{said}");
    }
}

/// Proves: ERR-14, PROV-GEN-11, D-14
#[test]
fn an_unknown_media_type_is_named() {
    let call = Server::shared(module_path!()).book(&json!({}));
    let call = call.with("Content-Type", "application/json");
    let response = refused(&call, 415, "not-supported", "UNSUPPORTED_MEDIA_TYPE");
    response.says(&["application/json"]);
}
