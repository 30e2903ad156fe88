//! Reading, cancelling and the search by patient (`docs/standard/provider-api.md`, sections 8 to 10),
//! over the wire.

use super::support;
use serde_json::{Value, json};

use super::support::messages::{contained, set};
use super::support::server::matches;
use super::support::{Booking, Call, GP_CLINIC, Response, Server, to_xml, uuid};

const FIRST: &str = "W/\"1\"";
const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// The booked message, what is stored of it, and its id.
fn booked() -> (Booking, Value, String) {
    let (booking, created) = Server::shared(module_path!()).booked();
    let id = created.location_id();
    (booking, created.json(), id)
}

fn versioned(id: &str, version: &str) -> Call {
    Server::shared(module_path!()).read(&format!("{id}/_history/{version}"))
}

#[track_caller]
fn issue(response: &Response) -> Value {
    response.json()["issue"][0].clone()
}

/// Proves: PROV-READ-01, PROV-INT-04, PROV-HDR-13, PROV-HDR-14, PROV-HDR-16
#[test]
fn a_read_gives_the_current_version_also_when_cancelled() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let read = server.read(&id).expect(200);
    assert_eq!(
        (read.header("etag"), read.json()),
        (Some(FIRST), stored.clone())
    );
    assert!(read.header("last-modified").is_some());
    let url = format!("{}/Appointment/{id}/_history/1", server.audience());
    assert_eq!(read.header("content-location"), Some(url.as_str()));
    server
        .cancel(&id, FIRST, &booking.cancelled(&stored))
        .expect(200);
    let read = server.read(&id).expect(200);
    assert_eq!(
        (read.header("etag"), &read.json()["status"]),
        (Some("W/\"2\""), &json!("cancelled"))
    );
}

/// Proves: PROV-READ-02, PROV-CAN-06, PROV-INT-05, PROV-GEN-15, AUD-07
#[test]
fn every_version_can_be_read() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let cancelled = server
        .cancel(&id, FIRST, &booking.cancelled(&stored))
        .expect(200);
    let (first, second) = (
        versioned(&id, "1").expect(200),
        versioned(&id, "2").expect(200),
    );
    assert_eq!((first.json(), first.header("etag")), (stored, Some(FIRST)));
    assert_eq!(
        (second.json(), second.header("etag")),
        (cancelled.json(), Some("W/\"2\""))
    );
    for version in ["3", "0", "abc", "99999999999999999999"] {
        let missing = versioned(&id, version).expect(404);
        assert_eq!(issue(&missing)["code"], "not-found");
    }
    versioned(&uuid(), "1").expect(404);
    let etag = first.header("etag").expect("ETag");
    let version = etag.trim_start_matches("W/\"").trim_end_matches('"');
    assert!(
        version
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    );
    assert!(id.len() <= 64);
}

/// Proves: PROV-INT-06
#[test]
fn the_history_lists_all_versions() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    server
        .cancel(&id, FIRST, &booking.cancelled(&stored))
        .expect(200);
    let bundle = server.read(&format!("{id}/_history")).expect(200).json();
    assert_eq!(
        (&bundle["type"], &bundle["total"]),
        (&json!("history"), &json!(2))
    );
    let entries = bundle["entry"].as_array().expect("entry");
    let versions: Vec<&Value> = entries
        .iter()
        .map(|e| &e["resource"]["meta"]["versionId"])
        .collect();
    assert_eq!(versions, [&json!("2"), &json!("1")], "newest first");
    server.read(&format!("{}/_history", uuid())).expect(404);
}

/// Proves: PROV-READ-03
#[test]
fn a_read_takes_no_query_but_the_format() {
    let server = Server::shared(module_path!());
    let (_, _, id) = booked();
    server.read(&format!("{id}?_summary=true")).expect(400);
    assert!(
        server
            .read(&format!("{id}?_format=xml"))
            .expect(200)
            .is_xml()
    );
    versioned(&id, "1?status=booked").expect(400);
}

/// Proves: ERR-09, PROV-READ-04
#[test]
fn an_unknown_id_is_not_found_and_named() {
    let unknown = uuid();
    let response = Server::shared(module_path!()).read(&unknown).expect(404);
    assert!(response.text().contains(&unknown));
    assert_eq!(
        issue(&response)["details"]["coding"][0]["code"],
        "NO_RECORD_FOUND"
    );
    Server::shared(module_path!())
        .read(&"a".repeat(65))
        .expect(404);
    Server::shared(module_path!()).read("no_id!").expect(404);
}

/// Proves: PROV-CAN-05, PROV-HDR-13, PROV-HDR-14, PROV-HDR-15, PROV-HDR-16, OPS-P8, P31
#[test]
fn a_cancel_makes_a_version_and_frees_the_slot() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let slot = contained(&stored, "Slot")["id"].clone();
    // Searched before and after, so that what an earlier search rendered cannot answer the later one.
    let free = || server.slots(&Server::window_query(GP_CLINIC, 1, 14));
    assert!(free().iter().all(|s| s["id"] != slot), "busy by now");
    let response = server
        .cancel(&id, FIRST, &booking.cancelled(&stored))
        .expect(200);
    let body = response.json();
    assert_eq!(
        (&body["status"], &body["meta"]["versionId"]),
        (&json!("cancelled"), &json!("2"))
    );
    let url = format!("{}/Appointment/{id}/_history/2", server.audience());
    assert_eq!(response.header("location"), Some(url.as_str()));
    assert_eq!(response.header("etag"), Some("W/\"2\""));
    assert!(response.header("last-modified").is_some());
    let free = free();
    let slot = free
        .iter()
        .find(|s| s["id"] == slot)
        .expect("the slot is free again");
    server.book(&Booking::of(slot).body()).expect(201);
}

/// Proves: PROV-CAN-02
#[test]
fn what_is_stored_may_be_sent_back_whole() {
    let server = Server::shared(module_path!());
    let (_, mut stored, id) = booked();
    set(&mut stored, "/status", json!("cancelled"));
    server.cancel(&id, FIRST, &stored).expect(200);
}

/// Proves: PROV-CAN-02, D-49
#[test]
fn what_means_the_same_is_no_difference() {
    let server = Server::shared(module_path!());
    let bend: [fn(&mut Value); 7] = [
        |body| {
            let all = body["contained"].as_array_mut().expect("contained");
            all.reverse();
        },
        |body| set(body, "/language", Value::Null),
        |body| set(body, "/meta", Value::Null),
        |body| set(body, "/id", Value::Null),
        |body| {
            set(
                body,
                "/text",
                json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Visit</div>"}),
            )
        },
        |body| {
            let shift = |text: &Value| {
                let at: jiff::Timestamp =
                    text.as_str().and_then(|t| t.parse().ok()).expect("instant");
                let at = jiff::Timestamp::from_second(at.as_second() + 3600).expect("in range");
                json!(at.strftime("%Y-%m-%dT%H:%M:%S+01:00").to_string())
            };
            let (start, end) = (shift(&body["start"]), shift(&body["end"]));
            set(body, "/start", start);
            set(body, "/end", end);
        },
        |body| set(body, "/contained-slot/status", json!("free")),
    ];
    for (i, bend) in bend.iter().enumerate() {
        let (booking, stored, id) = booked();
        let mut body = booking.cancelled(&stored);
        bend(&mut body);
        let response = server.cancel(&id, FIRST, &body).send();
        assert_eq!(response.status, 200, "case {i}: {}", response.shown());
    }
}

/// Proves: PROV-CAN-02, ERR-19, D-49
#[test]
fn every_other_change_is_refused_and_named() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let cases: [(&str, Value, &str); 9] = [
        ("/description", json!("Something else"), "description"),
        ("/start", json!("2031-01-01T10:00:00.000+00:00"), "start"),
        ("/patient/birthDate", json!("1979-03-13"), "birthDate"),
        ("/patient/telecom/0/value", json!("01632 960999"), "telecom"),
        ("/patient/name/0/prefix", Value::Null, "prefix"),
        ("/document/identifier/0/value", json!(uuid()), "identifier"),
        (
            "/contained-slot/schedule/reference",
            json!("Schedule/other"),
            "schedule",
        ),
        ("/participant/0/actor/display", json!("Someone"), "display"),
        ("/comment", json!("Added"), "comment"),
    ];
    for (place, value, word) in cases {
        let body = booking.clone().with(place, value).cancelled(&stored);
        let response = server.cancel(&id, FIRST, &body).expect(422);
        response.says(&[word]);
    }
    let two = booking
        .clone()
        .with("/description", json!("Something else"))
        .with("/patient/gender", json!("male"))
        .cancelled(&stored);
    let outcome = server.cancel(&id, FIRST, &two).expect(422).json();
    assert_eq!(
        outcome["issue"].as_array().map(Vec::len),
        Some(2),
        "{outcome}"
    );
    for issue in outcome["issue"].as_array().expect("issue") {
        assert_eq!(issue["code"], "invalid");
        assert_eq!(issue["details"]["coding"][0]["code"], "REFERENCE_NOT_FOUND");
    }
    assert_eq!(
        server.read(&id).expect(200).header("etag"),
        Some(FIRST),
        "nothing was changed"
    );
}

/// Proves: PROV-CAN-01, ERR-20, D-18, RES-APPT-05
#[test]
fn no_status_but_cancelled_can_be_set() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    for status in [
        "booked",
        "entered-in-error",
        "arrived",
        "fulfilled",
        "noshow",
        "pending",
        "proposed",
    ] {
        let mut body = booking.cancelled(&stored);
        set(&mut body, "/status", json!(status));
        let refused = server.cancel(&id, FIRST, &body).expect(422);
        assert_eq!(
            issue(&refused)["code"],
            "business-rule",
            "{status}: {}",
            refused.shown()
        );
    }
    let mut body = booking.cancelled(&stored);
    set(&mut body, "/status", json!("canceled"));
    server.cancel(&id, FIRST, &body).expect(422);
}

/// Proves: PROV-CAN-03, PROV-HDR-06, ERR-12, ERR-13, D-04
#[test]
fn the_version_has_to_be_named_and_current() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let body = booking.cancelled(&stored);
    let missing = server
        .cancel(&id, "", &body)
        .without("If-Match")
        .expect(412);
    assert_eq!(issue(&missing)["code"], "required");
    assert!(missing.text().contains("If-Match"));
    for wrong in [
        "W/\"2\"",
        "\"2\"",
        "W/\"0\"",
        "W/1",
        "1",
        "w/\"1\" x",
        "*",
        "W/\"1",
        "W/\"1\", W/\"2\"",
        "garbage",
    ] {
        let refused = server.cancel(&id, wrong, &body).expect(409);
        let issue = issue(&refused);
        assert_eq!(issue["code"], "conflict", "{wrong}");
        assert_eq!(issue["details"]["coding"][0]["code"], "CONFLICTING_VALUES");
    }
    server.cancel(&id, "\"1\"", &body).expect(200);
}

/// Proves: PROV-CAN-03, ERR-09, ERR-04
#[test]
fn the_id_is_the_one_of_the_url() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let body = booking.cancelled(&stored);
    let mut other = body.clone();
    set(&mut other, "/id", json!(uuid()));
    server.cancel(&id, FIRST, &other).expect(400);
    let unknown = uuid();
    let mut body = body;
    set(&mut body, "/id", json!(unknown));
    server.cancel(&unknown, FIRST, &body).expect(404);
}

/// Proves: PROV-CAN-07, ERR-20
#[test]
fn a_cancelled_appointment_cannot_be_cancelled_again() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let body = booking.cancelled(&stored);
    server.cancel(&id, FIRST, &body).expect(200);
    server.cancel(&id, FIRST, &body).expect(409);
    let again = server.cancel(&id, "W/\"2\"", &body).expect(422);
    let issue = issue(&again);
    assert_eq!(issue["code"], "business-rule");
    assert_eq!(
        issue["details"]["coding"][0]["code"],
        "INVALID_REQUEST_STATE"
    );
    assert!(
        issue["diagnostics"]
            .as_str()
            .is_some_and(|d| d.to_lowercase().contains("cancel"))
    );
    assert_eq!(server.read(&id).expect(200).header("etag"), Some("W/\"2\""));
}

/// Proves: PROV-CAN-09, ERR-11, PROV-BOOK-11
#[test]
fn a_request_id_serves_one_write_only() {
    let server = Server::shared(module_path!());
    let call = server.book(&server.booking().body());
    let first = call.expect(201);
    let used = call.request_id().expect("id").to_owned();
    let (booking, stored, id) = booked();
    let cancel = server.cancel(&id, FIRST, &booking.cancelled(&stored));
    let refused = cancel.clone().with("X-Request-ID", &used).expect(409);
    assert_eq!(issue(&refused)["code"], "duplicate");
    cancel.expect(200);
    let repeat = cancel.expect(409);
    assert_eq!(
        issue(&repeat)["code"],
        "duplicate",
        "decided before the version"
    );
    assert_eq!(
        server.read(&first.location_id()).expect(200).header("etag"),
        Some(FIRST)
    );
}

/// Proves: PROV-CAN-08, PROV-CAN-10
#[test]
fn another_organisation_may_cancel_unless_configured_otherwise() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let token = support::Token::new(&server.audience(), "patient/appointment.write", "FX777");
    let call = server.cancel(&id, FIRST, &booking.cancelled(&stored));
    call.with("Ssp-From", "918999000077")
        .with("Authorization", &token.bearer())
        .expect(200);
}

/// Proves: PROV-GEN-07, PROV-CAN-02
#[test]
fn a_cancel_may_come_in_xml() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let body = booking.cancelled(&stored);
    let response = server
        .cancel(&id, FIRST, &json!({}))
        .xml(&to_xml(&body))
        .expect(200);
    assert!(response.is_xml());
    assert_eq!(server.read(&id).expect(200).json()["status"], "cancelled");
}

/// Proves: PROV-SRCH-01, PROV-SRCH-02, PROV-INT-08, D-23
#[test]
fn a_patients_appointments_are_found_under_every_name() {
    let server = Server::shared(module_path!());
    let (booking, stored, _) = booked();
    let number = booking.nhs_number.expect("a number");
    for name in [
        "Appointment.participant.actor:Patient.identifier",
        "Appointment.participant.actor",
        "participant.actor:Patient.identifier",
        "participant.actor%3APatient.identifier",
        "patient.identifier",
        "patient:Patient.identifier",
        "Patient",
        "patient",
        "identifier",
    ] {
        for value in [
            format!("{NHS}|{number}"),
            format!("{NHS}%7C{number}"),
            number.clone(),
        ] {
            let bundle = server
                .appointments(&format!("{name}={value}"))
                .expect(200)
                .json();
            assert_eq!(bundle["type"], "searchset");
            assert_eq!(bundle["total"], 1, "{name}={value}");
            assert_eq!(matches(&bundle)[0]["id"], stored["id"]);
        }
    }
}

/// Proves: PROV-SRCH-01, PROV-SRCH-02, ERR-01
#[test]
fn a_search_needs_a_criterion_and_may_find_nothing() {
    let server = Server::shared(module_path!());
    server.appointments("").expect(400);
    server.appointments("colour=blue").expect(400);
    let nobody = support::nhs_number();
    let bundle = server
        .appointments(&format!("identifier={NHS}|{nobody}"))
        .expect(200)
        .json();
    assert_eq!((&bundle["total"], bundle.get("entry")), (&json!(0), None));
    let (_, stored, id) = booked();
    let found = matches(&server.appointments(&format!("_id={id}")).expect(200).json());
    assert_eq!(found[0]["id"], stored["id"]);
    for wrong in [
        format!("identifier={NHS}|12"),
        format!("identifier=https://elsewhere.example|{nobody}"),
    ] {
        let response = server.appointments(&wrong).send();
        let empty = response.status == 200 && response.json()["total"] == 0;
        assert!(
            empty || matches!(response.status, 400 | 422),
            "{wrong}: {}",
            response.shown()
        );
    }
}

/// A consumer whose library does not know an element leaves it out when it cancels.
///
/// Proves: PROV-CAN-02, PROV-GEN-14
#[test]
fn unknown_elements_may_be_left_out_of_a_cancellation() {
    let server = Server::shared(module_path!());
    let booking = server.booking();
    let posted = booking
        .clone()
        .with("/colour", json!({"of": "red"}))
        .with("/patient/mood", json!("calm"))
        .with("/patient/name/0/mood", json!("calm"))
        .with(
            "/patient/_birthDate",
            json!({"extension": [{"url": "http://example.org/x", "valueString": "x"}]}),
        )
        .with("/participant/0/actor/mood", json!("calm"))
        .with(
            "/extension",
            json!([{"url": "http://example.org/x", "valueString": "x"}]),
        );
    let created = server.book(&posted.body()).expect(201);
    assert_eq!(created.json()["colour"]["of"], "red");
    let id = created.location_id();
    let changed = posted.clone().with("/colour", json!({"of": "blue"}));
    server
        .cancel(&id, FIRST, &changed.cancelled(&created.json()))
        .expect(422);
    server
        .cancel(&id, FIRST, &booking.cancelled(&created.json()))
        .expect(200);
}

/// Proves: PROV-SRCH-03, D-51
#[test]
fn an_entry_shows_no_more_than_it_has_to() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let number = booking.nhs_number.clone().expect("a number");
    let query = format!("patient.identifier={NHS}|{number}");
    let bundle = server.appointments(&query).expect(200).json();
    let entry = &bundle["entry"][0];
    let url = format!("{}/Appointment/{id}", server.audience());
    assert_eq!(entry["fullUrl"], url);
    let resource = entry["resource"].as_object().expect("a resource");
    let allowed = [
        "resourceType",
        "id",
        "meta",
        "identifier",
        "status",
        "start",
        "end",
        "created",
        "participant",
    ];
    let more: Vec<&String> = resource
        .keys()
        .filter(|key| !allowed.contains(&key.as_str()))
        .collect();
    assert!(more.is_empty(), "{more:?}");
    for name in ["id", "status", "start", "end", "created"] {
        assert_eq!(resource[name], stored[name], "{name}");
    }
    assert_eq!(resource["identifier"][0]["system"], "urn:ietf:rfc:3986");
    assert_eq!(
        resource["identifier"][0]["value"],
        format!("{url}/_history/1")
    );
    assert_eq!(resource["meta"]["versionId"], "1");
    let participant = &resource["participant"][0];
    assert_eq!(participant["actor"]["identifier"]["value"], json!(number));
    assert!(participant["status"].is_string());
    server
        .cancel(&id, FIRST, &booking.cancelled(&stored))
        .expect(200);
    let bundle = server.appointments(&query).expect(200).json();
    assert_eq!(bundle["entry"][0]["resource"]["status"], "cancelled");
    assert_eq!(bundle["entry"][0]["fullUrl"], url);
    assert_eq!(
        bundle["entry"][0]["resource"]["identifier"][0]["value"],
        format!("{url}/_history/2")
    );
}

/// Proves: PROV-SRCH-04
#[test]
fn a_search_by_patient_may_be_bounded_in_time() {
    let server = Server::shared(module_path!());
    let (booking, _, _) = booked();
    let number = booking.nhs_number.expect("a number");
    let total = |bounds: &str| {
        let query = format!("patient.identifier={NHS}|{number}&{bounds}");
        server.appointments(&query).expect(200).json()["total"].clone()
    };
    assert_eq!(total(&format!("start=ge{}", support::server::day(1))), 1);
    assert_eq!(total(&format!("start=ge{}", support::server::day(60))), 0);
}

/// Proves: NFR-01, PROV-GEN-05, ERR-09, ERR-16
#[test]
fn another_provider_on_the_same_server_sees_nothing() {
    let server = Server::shared(module_path!());
    let (booking, stored, id) = booked();
    let audience = server.audience().replace("FX101", "FX202");
    let elsewhere = |call: Call, scope: &str| {
        let token = support::Token::new(&audience, scope, "FX900");
        let target = call.target.replace("FX101", "FX202");
        call.target(&target)
            .with("Ssp-To", "918999000022")
            .with("Authorization", &token.bearer())
    };
    let (read, write) = ("patient/appointment.read", "patient/appointment.write");
    elsewhere(server.read(&id), read).expect(404);
    elsewhere(versioned(&id, "1"), read).expect(404);
    elsewhere(
        server.cancel(&id, FIRST, &booking.cancelled(&stored)),
        write,
    )
    .expect(404);
    let number = booking.nhs_number.clone().expect("a number");
    let query = format!("patient.identifier={NHS}|{number}");
    let found = elsewhere(server.appointments(&query), read)
        .expect(200)
        .json();
    assert_eq!(found["total"], 0);
    let slot = server.take_slot();
    let refused = elsewhere(server.book(&Booking::of(&slot).body()), write).expect(422);
    assert_eq!(
        issue(&refused)["details"]["coding"][0]["code"],
        "REFERENCE_NOT_FOUND"
    );
    // A token for one provider is none for the other.
    let call = server.read(&id);
    let target = call.target.replace("FX101", "FX202");
    call.target(&target).expect(403);
}
