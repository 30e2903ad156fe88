//! Cancelling: what counts as unchanged, and what does not.

use super::messages::{SLOT, booking, now, parse, published_form};
use booking::appointment::{BookingRequest, check_update};
use booking::ids::ResourceId;
use booking::refusal::{Refusal, Situation};
use booking::rules::book::booked_document;
use booking::rules::cancel::{cancelled_document, check_cancel, read};
use fhir::Element;
use serde_json::{Value, json};

fn id() -> ResourceId {
    ResourceId::parse("a-1").unwrap()
}

fn stored(message: &Value) -> Element {
    booked_document(
        &BookingRequest::read(parse(message)).unwrap(),
        &id(),
        now(),
        Some("local|7"),
    )
}

fn cancel(stored: &Element, body: &Value) -> Result<(), Refusal> {
    let submitted = check_update(read(parse(body), &id())?)?;
    check_cancel(stored, &submitted, now())
}

/// The posted body as the cancellation of it.
fn cancelling(message: &Value) -> Value {
    let mut body = message.clone();
    body["status"] = json!("cancelled");
    body
}

/// Proves: PROV-CAN-02, D-49
#[test]
fn what_was_posted_with_status_cancelled_is_unchanged() {
    for message in [booking(), published_form()] {
        let stored = stored(&message);
        let mut body = cancelling(&message);
        assert_eq!(cancel(&stored, &body), Ok(()));
        body["id"] = json!("a-1");
        body["created"] = json!("2031-03-04T08:20:11+00:00");
        assert_eq!(cancel(&stored, &body), Ok(()));
    }
}

/// Proves: PROV-CAN-02, D-17
#[test]
fn what_the_provider_added_may_be_left_out_or_sent_back() {
    let mut message = booking();
    message["contained"][1]
        .as_object_mut()
        .unwrap()
        .remove("identifier");
    let stored = stored(&message);
    let mut body = cancelling(&message);
    assert_eq!(cancel(&stored, &body), Ok(()));
    body["contained"][1]["identifier"] = json!([{"use": "usual", "system": "local", "value": "7"}]);
    assert_eq!(cancel(&stored, &body), Ok(()));
    body["contained"][1]["identifier"][0]["value"] = json!("8");
    let refusal = cancel(&stored, &body).unwrap_err();
    assert_eq!(
        refusal.findings[0].expression.as_deref(),
        Some("Appointment.contained[1].identifier[0]")
    );
}

/// Name, change.
type Same = (&'static str, fn(&mut Value));

/// Changes of form that are none of content.
#[rustfmt::skip]
const SAME: &[Same] = &[
    ("order of contained", |b| b["contained"].as_array_mut().unwrap().reverse()),
    ("metadata", |b| b["meta"] = json!({"versionId": "9", "lastUpdated": "2031-01-01T00:00:00Z"})),
    ("other contained metadata", |b| b["contained"][2]["meta"] = json!({"versionId": "3", "profile": ["urn:other"]})),
    ("text", |b| b["text"] = json!({"status": "generated"})),
    ("language", |b| { b.as_object_mut().unwrap().remove("language"); }),
    ("created", |b| b["created"] = json!("2031-03-01T00:00:00Z")),
    ("no created", |b| { b.as_object_mut().unwrap().remove("created"); }),
    ("offset", |b| b["start"] = json!("2031-03-04T10:30:00+01:00")),
    ("fraction", |b| b["contained"][2]["end"] = json!("2031-03-04T09:40:00Z")),
    ("other zone of indexed", |b| b["contained"][0]["indexed"] = json!("2018-12-19T22:43:41Z")),
    ("slot status", |b| b["contained"][2]["status"] = json!("free")),
    ("case of UUID", |b| b["contained"][2]["identifier"][0]["value"] = json!(SLOT.to_uppercase())),
    ("renamed local id", |b| { b["contained"][1]["id"] = json!("p"); b["participant"][0]["actor"]["reference"] = json!("#p"); }),
    ("legacy slot reference", |b| b["slot"] = json!([{"reference": format!("Slot/{SLOT}")}])),
    ("no participant status", |b| { b["participant"][0].as_object_mut().unwrap().remove("status"); }),
    ("no contained profile", |b| { b["contained"][1].as_object_mut().unwrap().remove("meta"); }),
];

/// Proves: PROV-CAN-02, RES-GEN-05
#[test]
fn changes_of_form_are_no_differences() {
    let stored = stored(&booking());
    for (what, change) in SAME {
        let mut body = cancelling(&booking());
        change(&mut body);
        assert_eq!(cancel(&stored, &body), Ok(()), "{what}");
    }
}

/// What STU3 does not define is judged as an unknown extension is: left out it is no difference, changed it is one.
///
/// Proves: PROV-CAN-02, PROV-GEN-14
#[test]
fn what_a_library_does_not_know_may_be_left_out() {
    let mut message = booking();
    message["colour"] = json!({"of": ["red"]});
    message["contained"][1]["mood"] = json!("calm");
    message["extension"] = json!([{"url": "http://example.org", "valueString": "x"}]);
    let stored = stored(&message);
    let whole = cancelling(&message);
    assert_eq!(cancel(&stored, &whole), Ok(()));
    assert_eq!(cancel(&stored, &cancelling(&booking())), Ok(()));
    for (path, change) in [
        (
            "Appointment.colour.of[0]",
            (|b| b["colour"]["of"][0] = json!("blue")) as fn(&mut Value),
        ),
        ("Appointment.contained[1].mood", |b| {
            b["contained"][1]["mood"] = json!("cross")
        }),
        ("Appointment.shape", |b| b["shape"] = json!("round")),
    ] {
        let mut body = whole.clone();
        change(&mut body);
        let refusal = cancel(&stored, &body).expect_err(path);
        assert_eq!(refusal.findings[0].expression.as_deref(), Some(path));
    }
}

/// Where, and what a library may not know there; a path ends in the member that is added.
type Unknown = (&'static str, fn() -> Value);

#[rustfmt::skip]
const UNKNOWN: &[Unknown] = &[
    ("/contained/1/name/0/colour", || json!("red")),
    ("/contained/1/telecom/0/colour", || json!(1)),
    ("/contained/1/address/0/colour", || json!({"of": ["red"]})),
    ("/contained/1/identifier/0/colour", || json!("red")),
    ("/contained/1/contact/0/name/colour", || json!("red")),
    ("/contained/0/content/0/colour", || json!("red")),
    ("/contained/0/content/0/attachment/colour", || json!("red")),
    ("/contained/0/type/coding/0/colour", || json!("red")),
    ("/participant/0/colour", || json!("red")),
    ("/participant/0/actor/colour", || json!("red")),
    ("/slot/0/colour", || json!("red")),
    ("/contained/1/name/0/extension", other),
    ("/contained/1/telecom/0/extension", other),
    ("/contained/1/address/0/extension", other),
    ("/contained/1/contact/0/extension", other),
    ("/contained/1/contact/0/relationship/0/coding/0/extension", other),
    ("/contained/0/content/0/extension", other),
    ("/contained/0/type/extension", other),
    ("/participant/0/extension", other),
    ("/participant/0/actor/extension", other),
    ("/contained/1/name/0/_family", || json!({"extension": other()})),
    ("/contained/1/name/0/_given", || json!([{"extension": other()}])),
    ("/contained/1/name/0/_text", || json!({"extension": other()})),
    ("/contained/1/name/0/period", || json!({"extension": other()})),
    ("/contained/1/_birthDate", || json!({"extension": other()})),
    ("/contained/2/_start", || json!({"extension": other()})),
    ("/_description", || json!({"extension": other()})),
    ("/_start", || json!({"extension": other()})),
];

fn other() -> Value {
    json!([{"url": "http://example.org", "valueString": "x"}])
}

/// A message with one more member.
fn with(mut message: Value, path: &str, value: Value) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    message.pointer_mut(parent).expect(path)[name] = value;
    message
}

/// Proves: PROV-CAN-02, PROV-GEN-14
#[test]
fn what_a_library_does_not_know_may_be_left_out_at_every_depth() {
    for (path, unknown) in UNKNOWN {
        let message = with(booking(), path, unknown());
        let stored = stored(&message);
        assert_eq!(cancel(&stored, &cancelling(&message)), Ok(()), "{path}");
        assert_eq!(cancel(&stored, &cancelling(&booking())), Ok(()), "{path}");
        let text = unknown().to_string();
        let text = text.replace("red", "blue").replace("\"x\"", "\"y\"");
        let changed = serde_json::from_str(&text.replace('1', "2")).unwrap();
        let body = with(cancelling(&booking()), path, changed);
        let refusal = cancel(&stored, &body).expect_err(path);
        assert_eq!(refusal.situation, Situation::CancelDiffers, "{path}");
    }
}

/// An unknown extension beside a known one, and one that keeps a place in a list.
///
/// Proves: PROV-CAN-02
#[test]
fn the_unknown_may_go_from_among_the_known() {
    let of_identifier = "/contained/1/identifier/0/extension";
    let known = booking().pointer(of_identifier).unwrap()[0].clone();
    for extensions in [
        json!([other()[0], known]),
        json!([known, other()[0]]),
        json!([other()[0], known, {"url": "urn:other", "valueCode": "a"}]),
    ] {
        let message = with(booking(), of_identifier, extensions);
        let stored = stored(&message);
        assert_eq!(cancel(&stored, &cancelling(&message)), Ok(()));
        assert_eq!(cancel(&stored, &cancelling(&booking())), Ok(()));
        let none = with(cancelling(&booking()), of_identifier, other());
        let named = cancel(&stored, &none).unwrap_err().findings;
        assert!(
            named.iter().any(|f| f
                .expression
                .as_deref()
                .unwrap()
                .starts_with("Appointment.contained[1].identifier[0].extension[")),
            "{named:?}"
        );
    }
    let mut message = booking();
    let name = &mut message["contained"][1]["name"][0];
    name["given"] = json!([null, "Ada"]);
    name["_given"] = json!([{"extension": other()}, null]);
    let stored = stored(&message);
    assert_eq!(cancel(&stored, &cancelling(&message)), Ok(()));
    assert_eq!(cancel(&stored, &cancelling(&booking())), Ok(()));
    let mut body = cancelling(&booking());
    body["contained"][1]["name"][0]["given"] = json!(["Eve"]);
    let refusal = cancel(&stored, &body).unwrap_err();
    assert_eq!(
        refusal.findings[0].expression.as_deref(),
        Some("Appointment.contained[1].name[0].given[0]")
    );
}

/// Paths that the refusal must name, change.
type Changed = (&'static [&'static str], fn(&mut Value));

/// Changes of content, and the paths that must be named.
#[rustfmt::skip]
const CHANGED: &[Changed] = &[
    (&["Appointment.contained[1].name[0].family"], |b| b["contained"][1]["name"][0]["family"] = json!("Other")),
    (&["Appointment.description"], |b| b["description"] = json!("other")),
    (&["Appointment.description"], |b| { b.as_object_mut().unwrap().remove("description"); }),
    (&["Appointment.comment"], |b| b["comment"] = json!("new")),
    (&["Appointment.start"], |b| b["start"] = json!("2031-03-04T09:31:00Z")),
    (&["Appointment.contained[1].name[0].text"], |b| b["contained"][1]["name"][0]["text"] = json!("Eve")),
    (&["Appointment.contained[1].name[0].given[1]"], |b| b["contained"][1]["name"][0]["given"] = json!(["Ada", "B"])),
    (&["Appointment.contained[1].telecom[0].rank"], |b| b["contained"][1]["telecom"][0]["rank"] = json!(2)),
    (&["Appointment.contained[1].identifier[0].extension[0]"], |b| { b["contained"][1]["identifier"][0].as_object_mut().unwrap().remove("extension"); }),
    (&["Appointment.contained[1]"], |b| { b["contained"].as_array_mut().unwrap().remove(1); }),
    (&["Appointment.contained[3]"], |b| b["contained"].as_array_mut().unwrap().push(json!({"resourceType": "Location"}))),
    (&["Appointment.participant[0].status"], |b| b["participant"][0]["status"] = json!("declined")),
    (&["Appointment.participant[0].actor.reference"], |b| b["participant"][0]["actor"]["reference"] = json!("#doc")),
    (&["Appointment.contained[2].status"], |b| b["contained"][2]["status"] = json!("entered-in-error")),
    (&["Appointment.extension[0]"], |b| b["extension"] = json!([{"url": "http://example.org", "valueString": "x"}])),
    (&["Appointment.description", "Appointment.contained[1].gender"], |b| { b["description"] = json!("x"); b["contained"][1]["gender"] = json!("male"); }),
];

/// Proves: PROV-CAN-02, ERR-19, PROV-ERR-04
#[test]
fn every_changed_path_is_named_and_no_value() {
    let stored = stored(&booking());
    for (paths, change) in CHANGED {
        let mut body = cancelling(&booking());
        change(&mut body);
        let refusal = cancel(&stored, &body).expect_err(paths[0]);
        assert_eq!(
            (refusal.situation, refusal.status()),
            (Situation::CancelDiffers, 422),
            "{refusal}"
        );
        let named: Vec<&str> = refusal
            .findings
            .iter()
            .filter_map(|f| f.expression.as_deref())
            .collect();
        assert_eq!(named, *paths);
        assert!(
            !refusal.to_string().contains("Testwell") && !refusal.to_string().contains("Other")
        );
    }
}

/// Proves: PROV-CAN-01, PROV-CAN-07, D-18, ERR-20
#[test]
fn the_state_must_allow_it() {
    let document = stored(&booking());
    for status in ["booked", "entered-in-error", "noshow"] {
        let mut body = booking();
        body["status"] = json!(status);
        assert_eq!(
            cancel(&document, &body).unwrap_err().situation,
            Situation::StateForbids,
            "{status}"
        );
    }
    let cancelled = cancelled_document(&document, 2, now());
    let refusal = cancel(&cancelled, &cancelling(&booking())).unwrap_err();
    assert!(
        refusal.to_string().contains("already cancelled"),
        "{refusal}"
    );
    let after = "2031-03-04T09:30:00Z".parse().unwrap();
    let submitted = parse(&cancelling(&booking())).root;
    let refusal = check_cancel(&document, &submitted, after).unwrap_err();
    assert_eq!(refusal.situation, Situation::StateForbids);
    assert!(refusal.to_string().contains("past"), "{refusal}");
}

/// Proves: PROV-CAN-03, ERR-04
#[test]
fn the_body_id_is_that_of_the_url_or_absent() {
    let mut body = cancelling(&booking());
    assert!(read(parse(&body), &id()).is_ok());
    body["id"] = json!("a-2");
    assert_eq!(read(parse(&body), &id()).unwrap_err().status(), 400);
    let other = json!({"resourceType": "Patient", "id": "a-1"});
    assert_eq!(read(parse(&other), &id()).unwrap_err().status(), 400);
}

/// Proves: PROV-CAN-05, PROV-CAN-06
#[test]
fn the_next_version_differs_in_status_and_metadata_only() {
    let before = stored(&booking());
    let mut after = cancelled_document(&before, 2, "2031-03-04T08:30:00Z".parse().unwrap());
    assert_eq!(after.str_of("status"), Some("cancelled"));
    assert_eq!(after.at("meta.versionId").unwrap().as_str(), Some("2"));
    assert_eq!(
        after.at("meta.lastUpdated").unwrap().as_str(),
        Some("2031-03-04T08:30:00.000+00:00")
    );
    for name in ["meta", "status"] {
        after.set(before.get(name).unwrap().clone());
    }
    assert_eq!(after, before);
}

/// Proves: PROV-CAN-02, PROV-CAN-03
#[test]
fn a_cancellation_in_the_form_of_the_published_one_is_unchanged() {
    let booked = include_bytes!("../../../fhir/tests/data/forms/booking-request.json");
    let cancelled = include_bytes!("../../../fhir/tests/data/forms/cancel-request.json");
    let parse = |bytes: &[u8]| fhir::json::parse(bytes, &fhir::Limits::default()).unwrap();
    let request = BookingRequest::read(parse(booked)).unwrap();
    let document = booked_document(&request, &id(), now(), None);
    let submitted = check_update(read(parse(cancelled), &id()).unwrap()).unwrap();
    assert_eq!(check_cancel(&document, &submitted, now()), Ok(()));
}
