//! Booking (`docs/standard/provider-api.md`, section 7, and the overrides of `resources.md`), over the wire: what the Provider
//! suite (`assure_own`) does not try, because a Provider may do otherwise.

use serde_json::{Value, json};
use testkit::assert_contains;

use super::support::messages::{Change, set, third_party};
use super::support::{Booking, Response, SEARCH_ONLY, STRANGER, Server, to_xml};

/// Changes of a booking, each at its place.
type Changes = &'static [Change];

/// Every issue names its place, and one of them names this one.
#[track_caller]
fn names_place(response: &Response, place: &str) {
    let outcome = response.json();
    let issues = outcome["issue"].as_array().expect("issue");
    let named = |issue: &Value| {
        let places = issue["expression"].as_array();
        let places = places.or(issue["location"].as_array()).expect("a place");
        places
            .iter()
            .any(|p| p.as_str().is_some_and(|p| p.contains(place)))
    };
    assert!(
        issues.iter().any(named),
        "an issue names {place}: {}",
        response.shown()
    );
}

/// Proves: PROV-BOOK-01, PROV-BOOK-08, PROV-HDR-13, PROV-HDR-14, PROV-HDR-15, PROV-HDR-16, PROV-INT-03, D-20, RES-APPT-01
#[test]
fn a_booking_is_stored_as_version_1_under_the_providers_own_address() {
    let server = Server::shared(module_path!());
    let call = server.book(&server.booking().body());
    let response = call.with("Host", "elsewhere.example").expect(201);
    response
        .has("/status", "booked")
        .has("/meta/versionId", "1");
    let id = response.location_id();
    let url = format!("{}/Appointment/{id}/_history/1", server.audience());
    assert_eq!(response.header("location"), Some(url.as_str()));
    assert_eq!(response.header("content-location"), Some(url.as_str()));
    assert_eq!(response.header("etag"), Some("W/\"1\""));
    let modified = response.header("last-modified").expect("Last-Modified");
    assert!(modified.ends_with(" GMT"), "{modified} is an HTTP date");
    let stored = server.read(&id).expect(200).body;
    assert_eq!(stored, response.body, "what was stored is what is returned");
}

const ODD_TEXT: &str = "<b>&amp; \"quoted\" 'single' ]]> é ü 漢字 🩺 a\u{a0}b\\n";

/// Bookings that come back as they were sent.
const AS_SENT: &[Changes] = &[
    &[
        ("/document/indexed", || json!("2018-12-20T09:43:41+11:00")),
        (
            "/extension",
            || json!([{"url": "https://consumer.example.nhs.uk/ext", "valueString": "kept"}]),
        ),
    ],
    // The slot is found by its identifier; its local id comes back as it was sent.
    &[
        ("/contained-slot/id", || json!("local")),
        ("/slot/0/reference", || json!("#local")),
    ],
    &[("/patient/identifier", || Value::Null)],
    &[
        ("/patient/identifier", || Value::Null),
        ("/participant/0/actor/identifier", || Value::Null),
    ],
    &[
        ("/participant/0/actor/identifier", || Value::Null),
        ("/participant/0/actor/display", || Value::Null),
    ],
    &[("/description", || json!(ODD_TEXT))],
    &[
        ("/somethingNew", || json!({"a": [1, "b"]})),
        (
            "/patient/extension",
            || json!([{"url": "https://consumer.example.nhs.uk/ext", "valueInteger": 3}]),
        ),
    ],
];

/// Proves: PROV-BOOK-02, PROV-BOOK-05, PROV-BOOK-09, PROV-GEN-14, D-16, D-17, RES-SLOT-07, RES-DOC-05, RES-PAT-02, RES-APPT-14, RES-APPT-15
#[test]
fn the_submission_comes_back_unchanged_but_for_created() {
    let server = Server::shared(module_path!());
    for changes in AS_SENT {
        let created = json!("2020-01-01T00:00:00+00:00");
        let mut sent = server.booking().changed(changes).body();
        set(&mut sent, "/created", created.clone());
        let answer = server.book(&sent).expect(201);
        let mut stored = answer.json();
        assert_eq!(
            server.read(&answer.location_id()).expect(200).json(),
            stored
        );
        assert_ne!(stored["created"], created);
        set(&mut sent, "/created", stored["created"].clone());
        set(&mut sent, "/meta", stored["meta"].clone());
        set(&mut stored, "/id", Value::Null);
        set(&mut stored, "/identifier", Value::Null);
        assert_eq!(stored, sent);
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
    for place in ["description", "gender", "birthDate"] {
        names_place(&response, place);
    }
    let outcome = response.json();
    let issues = outcome["issue"].as_array().expect("issue");
    assert!(issues.iter().all(|i| i["code"] == "invalid"), "{outcome}");
}

fn other_rules() -> Value {
    json!("http://example.org")
}

/// Bookings that are refused: the changes, the status, and the place that an issue names.
#[rustfmt::skip] // a booking a line
const REFUSED: &[(Changes, u16, &str)] = &[
    (&[("/implicitRules", other_rules)], 422, "Appointment.implicitRules"),
    (&[("/patient/implicitRules", other_rules)], 422, "].implicitRules"),
    (&[("/document/implicitRules", other_rules)], 422, "].implicitRules"),
    (&[("/modifierExtension", || json!([{"url": "http://example.org/not", "valueBoolean": true}]))], 422, "Appointment.modifierExtension"),
    (&[("/document/identifier/0/value", || json!("a".repeat(37)))], 422, "identifier[0].value"),
    (&[("/patient/contact/0/relationship", || json!([{"id": "r"}]))], 422, "contact[0].relationship"),
    (&[("/patient/id", || Value::Null)], 422, ""),
    (&[("/document/id", || Value::Null)], 422, ""),
    // A link is no contact.
    (&[("/patient/telecom", || Value::Null), ("/patient/contact", || Value::Null), ("/patient/link", || json!([{"other": {"reference": "RelatedPerson/1"}, "type": "seealso"}]))], 400, "telecom"),
];

/// Proves: D-90, ERR-17, RES-DOC-01, RES-DOC-02, RES-PAT-01, RES-PAT-09, RES-PAT-10, RES-RANK-01
#[test]
fn bookings_that_break_a_rule_are_refused() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    for (changes, status, place) in REFUSED {
        let booking = Booking::of(&slot).changed(changes);
        let response = server.book(&booking.body()).expect(*status);
        names_place(&response, place);
    }
    for list in ["participant", "slot", "supportingInformation"] {
        let mut twice = Booking::of(&slot).body();
        let first = twice[list][0].clone();
        set(&mut twice, &format!("/{list}/1"), first);
        server.book(&twice).expect(422);
    }
    for (kind, reference) in [
        ("/patient", "/participant/0/actor/reference"),
        ("/document", "/supportingInformation/0/reference"),
    ] {
        for id in ["a/b", "https://consumer.example.nhs.uk/x"] {
            let booking = Booking::of(&slot)
                .with(reference, json!(format!("#{id}")))
                .with(&format!("{kind}/id"), json!(id));
            let status = server.book(&booking.body()).send().status;
            assert!(matches!(status, 400 | 422), "{kind} {id}: {status}");
        }
    }
    server.book(&Booking::of(&slot).body()).expect(201);
}

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Legal narrative is accepted in both formats, and what is sent back is legal in both.
///
/// Proves: D-59, PROV-BOOK-09, PROV-GEN-07
#[test]
fn narrative_is_read_once_for_both_formats() {
    let server = Server::shared(module_path!());
    let book_xml = |body: &str| server.book(&Value::Null).xml(body).expect(201);
    let read = |created: &Response, format: &str| {
        let call = server.read(&created.location_id());
        call.with("Accept", &format!("application/fhir+{format}"))
            .expect(200)
    };
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
        created.has("/text/div", div.as_str());
        read(&created, "xml")
            .says(&[div.trim()])
            .never_says(&["&lt;"]);
        // The same in XML: what stands around the div is no part of it.
        let created = book_xml(&with_narrative(&server.booking(), &div));
        read(&created, "json").has("/text/div", div.trim());
    }
    // A prefix that the message around it declares is declared in the markup.
    let body = with_narrative(&server.booking(), "<h:div>a</h:div>");
    let declared = format!("<Appointment xmlns:h=\"{XHTML}\" ");
    let created = book_xml(&body.replacen("<Appointment ", &declared, 1));
    let markup = format!("<h:div xmlns:h=\"{XHTML}\">a</h:div>");
    read(&created, "json").has("/text/div", markup);
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
        refused.says(&[words]);
        let body = with_narrative(&Booking::of(&slot), &div);
        let call = server.book(&Value::Null).xml(&body);
        let call = call.with("Accept", "application/fhir+json");
        call.expect(400).says(&[words]);
    }
    for (place, value, word) in [
        ("/description", json!("a\u{fffe}"), "U+FFFE"),
        ("/patient/name/0/family", json!("a\u{ffff}"), "U+FFFE"),
        ("/colour", json!("a\u{ffff}"), "colour"),
        ("/colour", json!({"of": ["a\u{1}"]}), "colour"),
    ] {
        let body = Booking::of(&slot).with(place, value).body();
        server.book(&body).expect(422).says(&[word]);
    }
    server.book(&Booking::of(&slot).body()).expect(201);
}

/// Proves: PROV-BOOK-11, ERR-11, D-03, D-43
#[test]
fn a_repeat_names_the_appointment_to_the_same_consumer_only() {
    let server = Server::shared(module_path!());
    let first = server.book(&server.booking().body());
    let id = first.expect(201).location_id();
    // The slot is busy by now: the repeat is a 409 all the same.
    let repeat = first.expect(409);
    assert_eq!(repeat.location_id(), id);
    repeat.says(&[&id]);
    let refused = server.from(first, STRANGER).expect(409);
    assert_eq!(refused.header("location"), None);
    refused.never_says(&[&id]);
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

/// Proves: PROV-SLOT-21, ERR-07
#[test]
fn a_consumer_that_may_only_search_cannot_book() {
    let server = Server::shared(module_path!());
    let call = server.book(&server.booking().body());
    let response = server.from(call, SEARCH_ONLY).expect(403);
    response.has("/issue/0/code", "forbidden");
    response.has("/issue/0/details/coding/0/code", "ACCESS DENIED");
}

/// Proves: PROV-GEN-12, PROV-BOOK-09, PROV-GEN-07
#[test]
fn any_text_survives_in_xml() {
    let server = Server::shared(module_path!());
    let booking = server.booking().with("/description", json!(ODD_TEXT));
    let call = server.book(&Value::Null).xml(&to_xml(&booking.body()));
    let id = call.expect(201).location_id();
    server.read(&id).expect(200).has("/description", ODD_TEXT);
    let call = server.read(&id).with("Accept", "application/fhir+xml");
    let xml = call.expect(200).text();
    let document = booking::bounded_xml::parse(&xml, booking::bounded_xml::Bounds::nodes(100_000));
    let document = document.expect("XML");
    let mut nodes = document.descendants();
    let description = nodes.find(|n| n.tag_name().name() == "description");
    assert_eq!(
        description.and_then(|n| n.attribute("value")),
        Some(ODD_TEXT)
    );
}

/// Proves: PROV-GEN-07, PROV-GEN-14, PROV-CAN-02
#[test]
fn digits_are_kept_and_what_is_given_out_in_xml_may_come_back_in_xml() {
    let server = Server::shared(module_path!());
    let booking = server
        .booking()
        .with("/somethingNew", json!({"a": ["DIGITS"]}));
    let body = booking.body().to_string().replace("\"DIGITS\"", "1.50");
    let id = server
        .book(&Value::Null)
        .body(body)
        .expect(201)
        .location_id();
    server.read(&id).expect(200).says(&["1.50"]);
    let extension = json!([{"url": "https://consumer.example.nhs.uk/ext", "valueDecimal": 1}]);
    let booking = server.booking().with("/patient/extension", extension);
    let body = booking.body().to_string();
    let body = body.replace("\"valueDecimal\":1}", "\"valueDecimal\":1.500}");
    let id = server
        .book(&Value::Null)
        .body(body)
        .expect(201)
        .location_id();
    let call = server.read(&id).with("Accept", "application/fhir+xml");
    let xml = call.expect(200).text();
    assert_contains(&xml, &["<valueDecimal value=\"1.500\"/>"]);
    let [booked, cancelled] = ["booked", "cancelled"].map(|s| format!("<status value=\"{s}\"/>"));
    assert_contains(&xml, &[&booked]);
    let cancelling = xml.replace(&booked, &cancelled);
    server
        .cancel(&id, "W/\"1\"", &Value::Null)
        .xml(&cancelling)
        .expect(200);
}

/// Proves: PROV-BOOK-04, NFR-01
#[test]
fn long_texts_and_many_contacts_are_no_fault_of_the_server() {
    let server = Server::shared(module_path!());
    for (place, value) in [
        ("/description", json!("x".repeat(900_000))),
        ("/patient/contact", json!(vec![third_party(2); 2_000])),
    ] {
        let booking = server.booking().with(place, value);
        let status = server.book(&booking.body()).send().status;
        assert!(matches!(status, 201 | 413 | 422), "{place}: {status}");
    }
    let faults = json!(vec![json!({"use": "nowhere"}); 2_000]);
    let faulty = server.booking().with("/patient/address", faults);
    let response = server.book(&faulty.body()).expect(422);
    let issues = response.json()["issue"].as_array().map(Vec::len);
    assert!(
        issues.is_some_and(|n| n <= 101),
        "{issues:?} issues are enough"
    );
}
