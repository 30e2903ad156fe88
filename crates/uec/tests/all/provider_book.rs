//! Booking (`docs/standard/provider-api.md`, section 7, and the overrides of `resources.md`), over the wire.

use super::support;
use serde_json::{Value, json};
use testkit::{assert_contains, assert_lacks};

use super::support::messages::{contained, set, third_party};
use super::support::{Booking, GP_CLINIC, Response, Server, nhs_number, to_xml, uuid};

/// Books a slot of its own with one place changed.
#[track_caller]
fn book_with(pointer: &str, value: Value, status: u16) -> Response {
    let server = Server::shared(module_path!());
    let booking = server.booking().with(pointer, value.clone());
    let response = server.book(&booking.body()).send();
    assert_eq!(
        response.status,
        status,
        "{pointer} = {value}\n{}",
        response.shown()
    );
    response
}

/// Every issue names its place, and one of them names this one.
#[track_caller]
fn names_place(response: &Response, place: &str) {
    let outcome = response.json();
    let issues = outcome["issue"].as_array().expect("issue");
    let named = |issue: &Value| {
        let places = issue["expression"]
            .as_array()
            .or(issue["location"].as_array());
        places.is_some_and(|p| {
            p.iter()
                .any(|p| p.as_str().is_some_and(|p| p.contains(place)))
        })
    };
    assert!(
        issues.iter().any(named),
        "an issue names {place}: {}",
        response.shown()
    );
}

/// Proves: PROV-BOOK-01, PROV-BOOK-08, PROV-HDR-13, PROV-HDR-14, PROV-HDR-15, PROV-HDR-16, PROV-INT-03, D-20, RES-APPT-01, RES-SLOT-04
#[test]
fn a_booking_is_stored_as_version_1_and_its_slot_is_busy() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let response = server
        .book(&Booking::of(&slot).body())
        .with("Host", "elsewhere.example")
        .expect(201);
    let body = response.json();
    let id = body["id"].as_str().expect("id");
    assert_eq!(
        (body["status"].as_str(), body["language"].as_str()),
        (Some("booked"), Some("en-GB"))
    );
    assert_eq!(body["meta"]["versionId"], "1");
    assert!(body["meta"]["lastUpdated"].is_string());
    let url = format!("{}/Appointment/{id}/_history/1", server.audience());
    assert_eq!(response.header("location"), Some(url.as_str()));
    assert_eq!(response.header("content-location"), Some(url.as_str()));
    assert_eq!(response.header("etag"), Some("W/\"1\""));
    let modified = response.header("last-modified").expect("Last-Modified");
    assert!(modified.ends_with(" GMT"), "{modified} is an HTTP date");
    assert_eq!(contained(&body, "Slot")["status"], "busy");
    let query = Server::window_query(GP_CLINIC, 1, 14).replace("=free", "=busy");
    assert!(
        server
            .slots(&query)
            .iter()
            .any(|busy| busy["id"] == slot["id"])
    );
    assert_eq!(
        server.read(id).expect(200).body,
        response.body,
        "what was stored is what is returned"
    );
}

/// Proves: PROV-BOOK-09, D-16, RES-SLOT-07, RES-DOC-05
#[test]
fn the_submission_comes_back_unchanged_but_for_created() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .with("/created", json!("2020-01-01T00:00:00+00:00"))
        .with("/document/indexed", json!("2018-12-20T09:43:41+11:00"))
        .with(
            "/extension",
            json!([{"url": "https://consumer.example.nhs.uk/ext", "valueString": "kept"}]),
        );
    let mut stored = server.book(&booking.body()).expect(201).json();
    assert_ne!(stored["created"], "2020-01-01T00:00:00+00:00");
    for added in ["/id", "/identifier"] {
        set(&mut stored, added, Value::Null);
    }
    let mut sent = booking.body();
    set(&mut sent, "/created", stored["created"].clone());
    set(&mut sent, "/meta", stored["meta"].clone());
    assert_eq!(stored, sent);
}

/// Proves: PROV-BOOK-02, ERR-16
#[test]
fn the_slot_has_to_exist_and_agree() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let booking = || Booking::of(&slot);
    let unknown = uuid();
    let body = booking()
        .with("/contained-slot/identifier/0/value", json!(unknown))
        .with("/contained-slot/id", json!(unknown))
        .with("/slot/0/reference", json!(format!("#{unknown}")))
        .body();
    let outcome = server.book(&body).expect(422).json();
    assert_eq!(outcome["issue"][0]["code"], "invalid");
    assert_eq!(
        outcome["issue"][0]["details"]["coding"][0]["code"],
        "REFERENCE_NOT_FOUND"
    );
    let later = |text: &Value| {
        let at: jiff::Timestamp = text.as_str().and_then(|t| t.parse().ok()).expect("instant");
        let at = jiff::Timestamp::from_second(at.as_second() + 3600).expect("in range");
        json!(at.strftime("%Y-%m-%dT%H:%M:%S.000+00:00").to_string())
    };
    let (start, end) = (later(&slot["start"]), later(&slot["end"]));
    let moved = booking()
        .with("/contained-slot/start", start.clone())
        .with("/contained-slot/end", end.clone())
        .with("/start", start)
        .with("/end", end);
    server.book(&moved.body()).expect(422);
    let elsewhere = booking().with(
        "/contained-slot/schedule/reference",
        json!("Schedule/another"),
    );
    server.book(&elsewhere.body()).expect(422);
    server.book(&booking().body()).expect(201);
}

/// Proves: PROV-BOOK-02
#[test]
fn the_slot_is_found_by_its_identifier_first_and_else_by_its_id() {
    let server = Server::shared(module_path!());
    let by_identifier = server
        .booking()
        .with("/contained-slot/id", json!("local"))
        .with("/slot/0/reference", json!("#local"));
    let stored = server.book(&by_identifier.body()).expect(201).json();
    assert_eq!(
        contained(&stored, "Slot")["id"],
        "local",
        "the local id comes back as it was sent"
    );
}

/// Proves: PROV-BOOK-02, RES-APPT-06
#[test]
fn an_appointment_may_end_within_its_slot_and_differ_in_nothing_else() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let start: jiff::Timestamp = slot["start"]
        .as_str()
        .and_then(|t| t.parse().ok())
        .expect("instant");
    let shifted = |seconds: i64| {
        let at = jiff::Timestamp::from_second(start.as_second() + seconds).expect("in range");
        json!(at.strftime("%Y-%m-%dT%H:%M:%S.000+00:00").to_string())
    };
    for (place, value) in [
        ("/start", shifted(60)),
        ("/start", shifted(-60)),
        ("/end", shifted(4 * 3600)),
    ] {
        server
            .book(&Booking::of(&slot).with(place, value).body())
            .expect(422);
    }
    server
        .book(&Booking::of(&slot).with("/end", shifted(120)).body())
        .expect(201);
}

/// Proves: PROV-BOOK-02, RES-GEN-03
#[test]
fn times_of_a_booking_may_have_another_offset() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let offset = |text: &Value| {
        let at: jiff::Timestamp = text.as_str().and_then(|t| t.parse().ok()).expect("instant");
        let at = jiff::Timestamp::from_second(at.as_second() + 7200).expect("in range");
        json!(at.strftime("%Y-%m-%dT%H:%M:%S.000+02:00").to_string())
    };
    let (start, end) = (offset(&slot["start"]), offset(&slot["end"]));
    let booking = Booking::of(&slot)
        .with("/start", start.clone())
        .with("/end", end.clone())
        .with("/contained-slot/start", start)
        .with("/contained-slot/end", end);
    server.book(&booking.body()).expect(201);
}

/// Proves: PROV-BOOK-03, D-02, ERR-15
#[test]
fn a_refused_booking_leaves_the_first_one_alone() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let (first, second) = (Booking::of(&slot), Booking::of(&slot));
    let id = server.book(&first.body()).expect(201).location_id();
    server.book(&second.body()).expect(422);
    assert_eq!(server.read(&id).expect(200).header("etag"), Some("W/\"1\""));
    let number = second.nhs_number.expect("a number");
    let found = server.appointments(&format!(
        "patient.identifier=https://fhir.nhs.uk/Id/nhs-number|{number}"
    ));
    assert_eq!(found.expect(200).json()["total"], 0);
}

/// Proves: PROV-BOOK-04, ERR-17, RES-APPT-03, RES-APPT-07, RES-APPT-08, RES-PAT-04, RES-PAT-05, RES-PAT-06, RES-PAT-07
#[test]
fn what_the_overrides_require_has_to_be_there() {
    for place in [
        "/description",
        "/start",
        "/end",
        "/created",
        "/status",
        "/slot",
        "/supportingInformation",
        "/participant",
        "/participant/0/actor",
        "/patient/name",
        "/patient/name/0/family",
        "/patient/name/0/given",
        "/patient/gender",
        "/patient/birthDate",
        "/patient/address",
        "/document/identifier",
        "/document/status",
        "/document/type",
        "/document/indexed",
        "/document/content",
        "/contained-slot/schedule",
        "/contained-slot/status",
    ] {
        let response = book_with(place, Value::Null, 422);
        let coding = response.json()["issue"][0]["details"]["coding"][0].clone();
        assert_eq!(
            coding["system"], "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
            "{place}"
        );
    }
}

/// Proves: ERR-17, PROV-ERR-01, PROV-ERR-02
#[test]
fn every_fault_is_an_issue_with_its_place() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .with("/description", Value::Null)
        .with("/patient/gender", json!("f"))
        .with("/patient/birthDate", Value::Null);
    let response = server.book(&booking.body()).expect(422);
    assert!(
        response.json()["issue"]
            .as_array()
            .is_some_and(|issues| issues.len() >= 3),
        "{}",
        response.shown()
    );
    for place in ["description", "gender", "birthDate"] {
        names_place(&response, place);
    }
    assert!(
        response.json()["issue"]
            .as_array()
            .is_some_and(|i| i.iter().all(|i| i["code"] == "invalid"))
    );
}

/// Proves: ERR-17, RES-APPT-04, RES-APPT-05, RES-APPT-09, RES-APPT-10, RES-APPT-12, RES-APPT-13, RES-PAT-05, RES-PAT-06, RES-DOC-01, RES-DOC-02, RES-DOC-03, RES-DOC-04, RES-DOC-06, RES-PAT-01, RES-RANK-05
#[test]
fn values_that_break_a_rule_are_refused() {
    for (place, value) in [
        ("/status", json!("cancelled")),
        ("/status", json!("proposed")),
        ("/supportingInformation/0/reference", json!("#nobody")),
        ("/participant/0/actor/reference", json!("#nobody")),
        ("/participant/0/status", json!("perhaps")),
        ("/patient/gender", json!("F")),
        ("/patient/birthDate", json!("2999-01-01")),
        ("/patient/birthDate", json!("1899-12-31")),
        ("/patient/birthDate", json!("21/06/1984")),
        ("/document/status", json!("superseded")),
        ("/document/identifier/0/value", json!("1234")),
        ("/document/identifier/0/value", json!("a".repeat(37))),
        (
            "/document/content/0/attachment/contentType",
            json!("text/plain"),
        ),
        (
            "/patient/telecom/1",
            json!({"system": "email", "value": "nobody", "rank": 2}),
        ),
        ("/document/type/coding/0/code", json!("OTHER")),
        (
            "/contained/9",
            json!({"resourceType": "Patient", "id": "second"}),
        ),
    ] {
        book_with(place, value, 422);
    }
    let server = Server::shared(module_path!());
    let two = |booking: Booking, place: &str| {
        let mut all = booking.body().pointer(place).cloned().expect("a list");
        let first = all[0].clone();
        all.as_array_mut().expect("a list").push(first);
        booking.with(place, all)
    };
    for place in ["/participant", "/slot", "/supportingInformation"] {
        let booking = two(server.booking(), place);
        server.book(&booking.body()).expect(422);
    }
}

/// Proves: RES-APPT-12, RES-APPT-14, RES-APPT-15, D-48, RES-GEN-01, RES-APPT-02, RES-APPT-03, RES-SLOT-01
#[test]
fn what_published_examples_leave_out_is_filled_in() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .with("/participant/0/status", Value::Null)
        .with("/participant/0/actor/identifier", Value::Null)
        .with("/participant/0/actor/display", Value::Null)
        .with("/language", Value::Null)
        .with("/contained-slot/meta", Value::Null)
        .with("/patient/meta", Value::Null)
        .with("/document/meta", Value::Null)
        .with("/document/content/0/attachment/language", json!("en-GB"));
    let stored = server.book(&booking.body()).expect(201).json();
    assert_eq!(stored["participant"][0]["status"], "accepted");
    assert_eq!(stored["language"], "en-GB");
    for kind in ["Slot", "Patient", "DocumentReference"] {
        let profile =
            format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1");
        assert_eq!(contained(&stored, kind)["meta"]["profile"][0], profile);
    }
}

/// Proves: PROV-BOOK-05, D-17, RES-PAT-02, RES-APPT-14
#[test]
fn a_patient_without_nhs_number_is_booked_as_sent() {
    let server = Server::shared(module_path!());
    for booking in [
        server.booking().without_nhs_number(),
        server
            .booking()
            .without_nhs_number()
            .with("/participant/0/actor/identifier", Value::Null),
    ] {
        let answer = server.book(&booking.body()).expect(201);
        let stored = server.read(&answer.location_id()).expect(200).json();
        for document in [answer.json(), stored] {
            let patient = contained(&document, "Patient");
            assert_eq!(patient.get("identifier"), None);
        }
    }
}

/// Proves: RES-PAT-03, ERR-18
#[test]
fn an_nhs_number_has_to_pass_its_check() {
    let right = nhs_number();
    let last = right.as_bytes()[9];
    let wrong = format!(
        "{}{}",
        &right[..9],
        if last == b'9' { 0 } else { last - b'0' + 1 }
    );
    for value in [
        wrong.as_str(),
        "999000000",
        "99900000001",
        "999 000 0018",
        "ABCDEFGHIJ",
    ] {
        let server = Server::shared(module_path!());
        let booking = server
            .booking()
            .with("/patient/identifier/0/value", json!(value))
            .with("/participant/0/actor/identifier/value", json!(value));
        let response = server.book(&booking.body()).expect(422);
        let issue = response.json()["issue"][0].clone();
        assert_eq!(issue["code"], "value", "{value}");
        assert_eq!(issue["details"]["coding"][0]["code"], "INVALID_NHS_NUMBER");
        assert_lacks(response.text(), &[value]);
    }
    for code in ["02", "08"] {
        let place = "/patient/identifier/0/extension/0/valueCodeableConcept/coding/0/code";
        let stored = book_with(place, json!(code), 201).json();
        assert_eq!(
            stored.pointer(&format!("/contained/1/{}", &place[9..])),
            Some(&json!(code))
        );
    }
    book_with(
        "/patient/identifier/0/extension/0/valueCodeableConcept/coding/0/code",
        json!("09"),
        422,
    );
    book_with("/patient/identifier/0/extension", Value::Null, 422);
}

/// Proves: PROV-BOOK-06, RES-PAT-08, RES-PAT-09, RES-RANK-01, RES-RANK-03
#[test]
fn contacts_may_stand_with_the_patient_with_a_third_party_or_both() {
    let server = Server::shared(module_path!());
    for booking in [
        server.booking().with("/patient/contact", Value::Null),
        server
            .booking()
            .with("/patient/telecom", Value::Null)
            .with("/patient/contact", json!([third_party(1)])),
        server
            .booking()
            .with("/patient/contact", json!([third_party(2), third_party(2)])),
    ] {
        server.book(&booking.body()).expect(201);
    }
}

/// Proves: ERR-05, RES-RANK-01, RES-RANK-02, RES-PAT-08, D-05
#[test]
fn contacts_without_a_clear_first_are_refused() {
    for (place, value) in [
        ("/patient/telecom/0/rank", Value::Null),
        ("/patient/telecom/0/rank", json!(3)),
        ("/patient/contact/0/telecom/0/rank", json!(1)),
        ("/patient/contact/0/telecom/0/rank", Value::Null),
    ] {
        let response = book_with(place, value, 400);
        assert_eq!(response.json()["issue"][0]["code"], "invalid", "{place}");
        names_place(&response, "telecom");
    }
    let server = Server::shared(module_path!());
    let none = server
        .booking()
        .with("/patient/telecom", Value::Null)
        .with("/patient/contact", Value::Null);
    server.book(&none.body()).expect(400);
}

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Legal narrative is accepted in both formats, and what is sent back is legal in both.
///
/// Proves: D-59, PROV-BOOK-09, PROV-GEN-07
#[test]
fn narrative_is_read_once_for_both_formats() {
    let server = Server::shared(module_path!());
    for div in [
        format!("<div xmlns=\"{XHTML}\"><p>a &amp; b&#160;c</p></div>"),
        format!("\n <div xmlns=\"{XHTML}\">a</div> \n"),
        format!("<x:div xmlns:x=\"{XHTML}\"><x:b>a</x:b></x:div>"),
        format!(
            "<div xmlns=\"{XHTML}\"><img src=\"https://x.example/a.png\" alt=\"a\"/><img src=\"a.png\"/></div>"
        ),
    ] {
        let text = json!({"status": "additional", "div": div});
        let booking = server.booking().with("/text", text);
        let created = server.book(&booking.body()).expect(201);
        assert_eq!(created.json()["text"]["div"], json!(div));
        let id = created.location_id();
        let in_xml = server
            .read(&id)
            .with("Accept", "application/fhir+xml")
            .expect(200);
        assert!(in_xml.text().contains(div.trim()), "{}", in_xml.shown());
        assert!(!in_xml.text().contains("&lt;"), "{}", in_xml.shown());
        // The same in XML: what stands around the div is no part of it.
        let booking = server.booking();
        let body = with_narrative(&booking, &div);
        let created = server.book(&Value::Null).xml(&body).expect(201);
        let id = created.location_id();
        let stored = server
            .read(&id)
            .with("Accept", "application/fhir+json")
            .expect(200)
            .json();
        assert_eq!(stored["text"]["div"], json!(div.trim()));
    }
    // A prefix that the message around it declares is declared in the markup.
    let booking = server.booking();
    let body = with_narrative(&booking, "<h:div>a</h:div>");
    let body = body.replacen(
        "<Appointment ",
        &format!("<Appointment xmlns:h=\"{XHTML}\" "),
        1,
    );
    let created = server.book(&Value::Null).xml(&body).expect(201);
    let stored = server
        .read(&created.location_id())
        .with("Accept", "application/fhir+json");
    assert_eq!(
        stored.expect(200).json()["text"]["div"],
        json!(format!("<h:div xmlns:h=\"{XHTML}\">a</h:div>"))
    );
}

/// A booking in XML with a narrative.
fn with_narrative(booking: &Booking, div: &str) -> String {
    let text = format!("<text><status value=\"additional\"/>{div}</text><contained>");
    to_xml(&booking.body()).replacen("<contained>", &text, 1)
}

/// What cannot be written in XML is refused in both formats, and the booking is not made.
///
/// Proves: D-59, ERR-17, ERR-04
#[test]
fn narrative_that_cannot_be_written_is_refused() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    for (div, words) in [
        (format!("<div xmlns=\"{XHTML}\">a&nbsp;b</div>"), "&#160;"),
        ("<div>a</div>".to_owned(), "XHTML"),
        (format!("<div xmlns=\"{XHTML}\">a"), ""),
        (format!("<div xmlns=\"{XHTML}\">a\u{1}</div>"), "XML"),
        (format!("<div xmlns=\"{XHTML}\">a\u{ffff}</div>"), "XML"),
    ] {
        let booking = Booking::of(&slot).with("/text", json!({"status": "additional", "div": div}));
        let refused = server.book(&booking.body()).expect(422);
        names_place(&refused, "Appointment.text.div");
        assert!(refused.text().contains(words), "{}", refused.shown());
        let body = with_narrative(&Booking::of(&slot), &div);
        let call = server.book(&Value::Null).xml(&body);
        let refused = call.with("Accept", "application/fhir+json").expect(400);
        assert!(refused.text().contains(words), "{}", refused.shown());
    }
    for (place, value) in [
        ("/description", json!("a\u{fffe}")),
        ("/patient/name/0/family", json!("a\u{ffff}")),
        ("/colour", json!("a\u{ffff}")),
        ("/colour", json!({"of": ["a\u{1}"]})),
    ] {
        let body = Booking::of(&slot).with(place, value).body();
        let refused = server.book(&body).expect(422);
        let words = if place == "/colour" {
            "colour"
        } else {
            "U+FFFE"
        };
        assert!(refused.text().contains(words), "{}", refused.shown());
    }
    server.book(&Booking::of(&slot).body()).expect(201);
}

/// Proves: RES-PAT-09, ERR-17
#[test]
fn a_third_party_says_who_it_is_to_the_patient() {
    for value in [Value::Null, json!([{"id": "r"}])] {
        let response = book_with("/patient/contact/0/relationship", value, 422);
        names_place(&response, "contact[0].relationship");
    }
}

/// Proves: PROV-BOOK-07
#[test]
fn a_document_id_may_occur_in_several_bookings() {
    let server = Server::shared(module_path!());
    let id = uuid();
    for _ in 0..2 {
        let booking = server
            .booking()
            .with("/document/identifier/0/value", json!(id));
        server.book(&booking.body()).expect(201);
    }
}

/// Proves: D-90, ERR-17
#[test]
fn what_follows_other_rules_is_not_booked() {
    let modifier = json!([{"url": "http://example.org/not", "valueBoolean": true}]);
    for (place, value, named) in [
        (
            "/implicitRules",
            json!("http://example.org"),
            "Appointment.implicitRules",
        ),
        (
            "/patient/implicitRules",
            json!("http://example.org"),
            "].implicitRules",
        ),
        (
            "/document/implicitRules",
            json!("http://example.org"),
            "].implicitRules",
        ),
        (
            "/modifierExtension",
            modifier,
            "Appointment.modifierExtension",
        ),
    ] {
        names_place(&book_with(place, value, 422), named);
    }
}

/// Proves: PROV-BOOK-10, ERR-17, RES-APPT-01
#[test]
fn a_consumer_must_not_choose_the_id() {
    let response = book_with("/id", json!("mine"), 422);
    names_place(&response, "id");
    assert_eq!(response.json()["issue"][0]["code"], "invalid");
}

/// Proves: PROV-BOOK-11, ERR-11, D-03, D-43
#[test]
fn a_repeat_names_the_appointment_to_the_same_consumer_only() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let first = server.book(&Booking::of(&slot).body());
    let id = first.expect(201).location_id();
    // The slot is busy by now: the repeat is a 409 all the same.
    let repeat = first.expect(409);
    let location = repeat
        .header("location")
        .expect("Location of the first booking");
    assert!(location.contains(&id), "{location}");
    assert!(repeat.text().contains(&id), "diagnostics name it");
    let token = support::Token::new(&server.audience(), "patient/appointment.write", "FX777");
    let stranger = first
        .clone()
        .with("Ssp-From", "918999000077")
        .with("Authorization", &token.bearer());
    let refused = stranger.expect(409);
    assert_eq!(refused.header("location"), None);
    assert!(!refused.text().contains(&id), "a stranger learns nothing");
    let other = server.book(&server.booking().body());
    other
        .with("X-Request-ID", first.request_id().expect("id"))
        .expect(409);
}

/// Proves: PROV-BOOK-11
#[test]
fn the_request_id_of_a_refused_booking_may_be_used_again() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let faulty = server.book(&Booking::of(&slot).with("/description", Value::Null).body());
    faulty.expect(422);
    faulty.json(&Booking::of(&slot).body()).expect(201);
}

/// Proves: PROV-GEN-07, PROV-GEN-14, PROV-BOOK-09
#[test]
fn a_booking_in_xml_is_the_same_booking() {
    let server = Server::shared(module_path!());
    let body = to_xml(&server.booking().body());
    let response = server.book(&json!({})).xml(&body).expect(201);
    assert!(response.is_xml(), "answered as it was asked");
    assert_eq!(response.root(), "Appointment");
    let stored = server.read(&response.location_id()).expect(200).json();
    assert_eq!(
        contained(&stored, "Patient")["name"][0]["given"],
        json!(["Ada"])
    );
    assert_eq!(contained(&stored, "Patient")["telecom"][0]["rank"], 1);
}

/// Proves: PROV-GEN-14
#[test]
fn unknown_elements_and_extensions_are_kept() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .with("/somethingNew", json!({"a": ["DIGITS", "b"]}))
        .with(
            "/patient/extension",
            json!([{"url": "https://consumer.example.nhs.uk/ext", "valueInteger": 3}]),
        );
    let body = booking.body().to_string().replace("\"DIGITS\"", "1.50");
    let id = server.book(&json!({})).body(body).expect(201).location_id();
    let stored = server.read(&id).expect(200);
    assert_eq!(
        contained(&stored.json(), "Patient")["extension"][0]["valueInteger"],
        3
    );
    assert!(stored.text().contains("1.50"), "digits are kept");
}

/// Proves: PROV-SLOT-21, ERR-07
#[test]
fn a_consumer_that_may_only_search_cannot_book() {
    let server = Server::shared(module_path!());
    let call = server.book(&server.booking().body());
    let response = server
        .as_search_only(call, "patient/appointment.write")
        .expect(403);
    let issue = response.json()["issue"][0].clone();
    assert_eq!(issue["code"], "forbidden");
    assert_eq!(issue["details"]["coding"][0]["code"], "ACCESS DENIED");
}

/// Proves: PROV-GEN-05
#[test]
fn ssp_headers_do_not_route() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let call = server.book(&Booking::of(&slot).body());
    let elsewhere = call.clone().with("Ssp-To", "918999000022");
    // FX202 has this system, but the URL says FX101: nothing is looked for there.
    elsewhere.expect(400);
    call.expect(201);
}

/// Proves: RES-PAT-01, RES-DOC-01
#[test]
fn local_ids_are_plain_names() {
    let server = Server::shared(module_path!());
    for (kind, reference) in [
        ("/patient", "/participant/0/actor/reference"),
        ("/document", "/supportingInformation/0/reference"),
    ] {
        for id in ["a/b", "https://consumer.example.nhs.uk/x"] {
            let booking = server
                .booking()
                .with(reference, json!(format!("#{id}")))
                .with(&format!("{kind}/id"), json!(id));
            let response = server.book(&booking.body()).send();
            assert!(
                matches!(response.status, 400 | 422),
                "{kind} {id}: {}",
                response.shown()
            );
        }
        let nameless = server.booking().with(&format!("{kind}/id"), Value::Null);
        server.book(&nameless.body()).expect(422);
    }
}

/// Proves: RES-PAT-10, RES-RANK-01
#[test]
fn a_link_is_no_contact() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .with("/patient/telecom", Value::Null)
        .with("/patient/contact", Value::Null)
        .with(
            "/patient/link",
            json!([{"other": {"reference": "RelatedPerson/1"}, "type": "seealso"}]),
        );
    server.book(&booking.body()).expect(400);
}

/// Proves: RES-RANK-04, RES-RANK-05
#[test]
fn any_uk_form_of_a_number_is_taken() {
    let server = Server::shared(module_path!());
    for number in [
        "01632960123",
        "+44 1632 960123",
        "(01632) 960 123",
        "01632-960123 ext 4",
    ] {
        let booking = server
            .booking()
            .with("/patient/telecom/0/value", json!(number))
            .with(
                "/patient/telecom/1",
                json!({"system": "email", "value": "ada@mail.example", "rank": 2}),
            );
        server.book(&booking.body()).expect(201);
    }
}

/// Proves: PROV-GEN-12, PROV-BOOK-09, PROV-GEN-07
#[test]
fn any_text_survives_in_both_formats() {
    let server = Server::shared(module_path!());
    let text = "<b>&amp; \"quoted\" 'single' ]]> é ü 漢字 🩺 a\u{a0}b\\n";
    let booking = server.booking().with("/description", json!(text));
    let id = server.book(&booking.body()).expect(201).location_id();
    assert_eq!(server.read(&id).expect(200).json()["description"], text);
    let xml = server
        .read(&id)
        .with("Accept", "application/fhir+xml")
        .expect(200)
        .text();
    let document = booking::bounded_xml::parse(&xml, booking::bounded_xml::Bounds::nodes(100_000))
        .expect("XML");
    let description = document
        .descendants()
        .find(|n| n.tag_name().name() == "description");
    assert_eq!(description.and_then(|n| n.attribute("value")), Some(text));
    let booking = server.booking().with("/description", json!(text));
    let id = server
        .book(&json!({}))
        .xml(&to_xml(&booking.body()))
        .expect(201)
        .location_id();
    assert_eq!(server.read(&id).expect(200).json()["description"], text);
}

/// Proves: PROV-GEN-07, PROV-CAN-02
#[test]
fn what_is_given_out_in_xml_may_come_back_in_xml() {
    let server = Server::shared(module_path!());
    let booking = server.booking().with(
        "/patient/extension",
        json!([{"url": "https://consumer.example.nhs.uk/ext", "valueDecimal": 1}]),
    );
    let mut body = booking.body().to_string();
    body = body.replace("\"valueDecimal\":1}", "\"valueDecimal\":1.500}");
    let id = server.book(&json!({})).body(body).expect(201).location_id();
    let xml = server
        .read(&id)
        .with("Accept", "application/fhir+xml")
        .expect(200)
        .text();
    assert_contains(&xml, &["<valueDecimal value=\"1.500\"/>"]);
    let cancelled = xml.replace(
        "<status value=\"booked\"/>",
        "<status value=\"cancelled\"/>",
    );
    assert_ne!(xml, cancelled);
    server
        .cancel(&id, "W/\"1\"", &json!({}))
        .xml(&cancelled)
        .expect(200);
}

/// Proves: PROV-BOOK-04, NFR-01
#[test]
fn long_texts_and_many_contacts_are_no_fault_of_the_server() {
    let server = Server::shared(module_path!());
    let long = server
        .booking()
        .with("/description", json!("x".repeat(900_000)));
    let response = server.book(&long.body()).send();
    assert!(
        matches!(response.status, 201 | 413 | 422),
        "{}",
        response.status
    );
    let contacts: Vec<Value> = (0..2_000).map(|_| third_party(2)).collect();
    let many = server.booking().with("/patient/contact", json!(contacts));
    let response = server.book(&many.body()).send();
    assert!(
        matches!(response.status, 201 | 413 | 422),
        "{}",
        response.status
    );
    let faults: Vec<Value> = (0..2_000).map(|_| json!({"use": "nowhere"})).collect();
    let faulty = server.booking().with("/patient/address", json!(faults));
    let response = server.book(&faulty.body()).expect(422);
    let issues = response.json()["issue"].as_array().map(Vec::len);
    assert!(
        issues.is_some_and(|n| n <= 101),
        "{issues:?} issues are enough"
    );
}
