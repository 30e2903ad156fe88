//! Reading, cancelling and the search by patient (`docs/standard/provider-api.md`, sections 8 to 10), over the wire: what the
//! Provider suite (`assure_own`) does not try, because a Provider may do otherwise.

use serde_json::json;

use super::support::messages::contained;
use super::support::server::day;
use super::support::{Booking, Call, GP_CLINIC, Response, STRANGER, Server, Token, uuid};

fn booked() -> (Booking, Response) {
    Server::shared(module_path!()).booked()
}

/// Proves: PROV-READ-01, PROV-READ-02, PROV-READ-04, PROV-CAN-06, PROV-INT-04, PROV-INT-05, PROV-INT-06
/// Proves: PROV-HDR-16, PROV-GEN-15, AUD-07, ERR-09
#[test]
fn every_version_can_be_read_and_no_other() {
    let server = Server::shared(module_path!());
    let (booking, created) = booked();
    let (stored, id) = (created.json(), created.location_id());
    assert!(id.len() <= 64);
    let read = server.read(&id).expect(200);
    assert_eq!(read.json(), stored);
    let url = format!("{}/Appointment/{id}/_history/1", server.audience());
    assert_eq!(read.header("content-location"), Some(url.as_str()));
    let cancelled = server.cancelling(&booking, &created).expect(200).json();
    for (place, version, document) in [
        (id.clone(), 2, &cancelled),
        (format!("{id}/_history/1"), 1, &stored),
        (format!("{id}/_history/2"), 2, &cancelled),
    ] {
        let read = server.read(&place).expect(200);
        let etag = format!("W/\"{version}\"");
        assert_eq!(
            (read.json(), read.header("etag")),
            (document.clone(), Some(etag.as_str()))
        );
    }
    let history = server.read(&format!("{id}/_history")).expect(200);
    history.has("/type", "history").has("/total", 2);
    history
        .has("/entry/0/resource", cancelled)
        .has("/entry/1/resource", stored);
    let unknown = uuid();
    for missing in [
        &format!("{id}/_history/3"),
        &format!("{id}/_history/0"),
        &format!("{id}/_history/abc"),
        &format!("{id}/_history/99999999999999999999"),
        &format!("{unknown}/_history/1"),
        &format!("{unknown}/_history"),
        &unknown,
        &"a".repeat(65),
        "no_id!",
    ] {
        let refused = server.read(missing).expect(404);
        refused.has("/issue/0/code", "not-found");
        refused.has("/issue/0/details/coding/0/code", "NO_RECORD_FOUND");
    }
}

/// Proves: PROV-CAN-09, ERR-11, PROV-BOOK-11
#[test]
fn a_request_id_serves_one_write_only() {
    let server = Server::shared(module_path!());
    let first = server.book(&server.booking().body());
    first.expect(201);
    let (booking, created) = booked();
    let cancel = server.cancelling(&booking, &created);
    let used = first.request_id().expect("id");
    let refused = cancel.clone().with("X-Request-ID", used).expect(409);
    refused.has("/issue/0/code", "duplicate");
    cancel.expect(200);
    // Decided before the version.
    cancel.expect(409).has("/issue/0/code", "duplicate");
}

/// Proves: PROV-CAN-05, OPS-P8
#[test]
fn the_slot_of_a_cancelled_booking_is_free_again() {
    let server = Server::shared(module_path!());
    let (booking, created) = booked();
    let start = created.json()["start"].clone();
    // Searched before and after, so that what an earlier search rendered cannot answer the later one.
    let is_free = || {
        let free = server.slots(&Server::window_query(GP_CLINIC, 1, 14));
        let slot = contained(&created.json(), "Slot")["id"].clone();
        free.iter().any(|s| s["id"] == slot && s["start"] == start)
    };
    assert!(!is_free());
    server.cancelling(&booking, &created).expect(200);
    assert!(is_free());
}

/// Proves: PROV-CAN-08, PROV-CAN-10
#[test]
fn another_organisation_may_cancel_unless_configured_otherwise() {
    let server = Server::shared(module_path!());
    let (booking, created) = booked();
    let call = server.cancelling(&booking, &created);
    server.from(call, STRANGER).expect(200);
}

/// Proves: PROV-SRCH-01, PROV-SRCH-03, D-51
#[test]
fn an_entry_shows_no_more_than_it_has_to() {
    let server = Server::shared(module_path!());
    let (booking, created) = booked();
    let (stored, id) = (created.json(), created.location_id());
    let url = format!("{}/Appointment/{id}", server.audience());
    let shown = |call: Call, version: u8, status: &str| {
        let found = call.expect(200);
        found.has("/type", "searchset").has("/total", 1);
        found.has("/entry/0/fullUrl", url.as_str());
        found.has("/entry/0/resource/status", status);
        found.has("/entry/0/resource/meta/versionId", version.to_string());
        found.has("/entry/0/resource/identifier/0/system", "urn:ietf:rfc:3986");
        let versioned = format!("{url}/_history/{version}");
        found.has("/entry/0/resource/identifier/0/value", versioned);
        for name in ["id", "start", "end", "created"] {
            found.has(&format!("/entry/0/resource/{name}"), stored[name].clone());
        }
        found.json()["entry"][0]["resource"].clone()
    };
    let resource = shown(server.appointments_of(&booking), 1, "booked");
    let names = resource.as_object().expect("a resource").keys();
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    let expected = "created end id identifier meta participant resourceType start status";
    assert_eq!(names.join(" "), expected);
    let participant = &resource["participant"][0];
    assert_eq!(
        participant["actor"]["identifier"]["value"],
        json!(booking.nhs_number)
    );
    assert!(participant["status"].is_string());
    server.cancelling(&booking, &created).expect(200);
    shown(server.appointments_of(&booking), 2, "cancelled");
    shown(server.appointments(&format!("_id={id}")), 2, "cancelled");
}

/// Proves: PROV-SRCH-04
#[test]
fn a_search_by_patient_may_be_bounded_in_time() {
    let server = Server::shared(module_path!());
    let (booking, _) = booked();
    for (days, total) in [(1, 1), (60, 0)] {
        let call = server.appointments_of(&booking);
        let target = format!("{}&start=ge{}", call.target, day(days));
        call.target(&target).expect(200).has("/total", total);
    }
}

/// Proves: NFR-01, PROV-GEN-05, ERR-09, ERR-16
#[test]
fn another_provider_on_the_same_server_sees_nothing() {
    let server = Server::shared(module_path!());
    let (booking, created) = booked();
    let id = created.location_id();
    let audience = server.audience().replace("FX101", "FX202");
    let elsewhere = |call: Call| {
        let token = Token::new(&audience, &call.scope, "FX900");
        let target = call.target.replace("FX101", "FX202");
        call.target(&target)
            .with("Ssp-To", "918999000022")
            .with("Authorization", &token.bearer())
    };
    let cancel = server.cancelling(&booking, &created);
    for call in [
        server.read(&id),
        server.read(&format!("{id}/_history/1")),
        cancel,
    ] {
        elsewhere(call).expect(404);
    }
    let found = elsewhere(server.appointments_of(&booking));
    found.expect(200).has("/total", 0);
    let refused = elsewhere(server.book(&server.booking().body())).expect(422);
    refused.has("/issue/0/details/coding/0/code", "REFERENCE_NOT_FOUND");
    // A token for one provider is none for the other.
    let call = server.read(&id);
    let target = call.target.replace("FX101", "FX202");
    call.target(&target).expect(403);
}
