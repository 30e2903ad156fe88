//! XML and JSON give the same result, and what cannot be read is 400 in both.

use super::messages::{booking, now, parse, parse_xml, published_form};
use booking::appointment::{BookingRequest, check_update};
use booking::ids::ResourceId;
use booking::refusal::{Refusal, Situation};
use booking::rules::book::booked_document;
use booking::rules::cancel::{cancelled_document, check_cancel, read};
use fhir::{Limits, Parsed};
use serde_json::{Value, json};

fn id() -> ResourceId {
    ResourceId::parse("a-1").unwrap()
}

/// Proves: PROV-GEN-07, PROV-BOOK-09, PROV-GEN-14
#[test]
fn a_booking_in_xml_is_stored_as_the_same_booking() {
    for message in [booking(), published_form()] {
        let stored = |parsed: Parsed| {
            let request = BookingRequest::read(parsed).unwrap_or_else(|r| panic!("{r}"));
            String::from_utf8(fhir::json::write(&booked_document(
                &request,
                &id(),
                now(),
                None,
            )))
            .unwrap()
        };
        let (of_json, of_xml) = (stored(parse(&message)), stored(parse_xml(&message)));
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(&of_json), value(&of_xml));
    }
}

/// Proves: PROV-CAN-02, PROV-GEN-07
#[test]
fn a_booking_in_json_is_cancelled_in_xml_and_the_other_way_round() {
    for (first, then) in [
        (
            parse as fn(&Value) -> Parsed,
            parse_xml as fn(&Value) -> Parsed,
        ),
        (parse_xml, parse),
    ] {
        let request = BookingRequest::read(first(&published_form())).unwrap();
        let stored = booked_document(&request, &id(), now(), None);
        let mut body = published_form();
        body["status"] = json!("cancelled");
        let cancel = |body: &Value| -> Result<(), Refusal> {
            check_cancel(&stored, &check_update(read(then(body), &id())?)?, now())
        };
        assert_eq!(cancel(&body), Ok(()));
        body["contained"][1]["name"][0]["family"] = json!("Other");
        body["contained"][1]["telecom"][0]["rank"] = json!(3);
        let refusal = cancel(&body).unwrap_err();
        assert_eq!(refusal.situation, Situation::CancelDiffers);
        let paths: Vec<&str> = refusal
            .findings
            .iter()
            .filter_map(|f| f.expression.as_deref())
            .collect();
        assert_eq!(
            paths,
            [
                "Appointment.contained[1].name[0].family",
                "Appointment.contained[1].telecom[0].rank"
            ]
        );
    }
}

/// Proves: PROV-GEN-14, D-06, RES-APPT-03
#[test]
fn stored_documents_are_in_the_order_of_fhir() {
    let mut message = published_form();
    message["contained"][1]
        .as_object_mut()
        .unwrap()
        .remove("identifier");
    let request = BookingRequest::read(parse(&message)).unwrap();
    let booked = booked_document(&request, &id(), now(), None);
    for document in [cancelled_document(&booked, 2, now()), booked] {
        let xml = fhir::xml::write(&document);
        let parsed = fhir::xml::parse(&xml, &Limits::default()).unwrap();
        assert!(!parsed.has_errors(), "{:?}", parsed.issues);
        let json = fhir::json::write(&document);
        assert!(
            !fhir::json::parse(&json, &Limits::default())
                .unwrap()
                .has_errors()
        );
    }
}

/// The situation in which a body is refused, whichever step finds it.
fn situation(bytes: &[u8], xml: bool) -> Situation {
    let limits = Limits::default();
    let parsed = if xml {
        fhir::xml::parse(bytes, &limits)
    } else {
        fhir::json::parse(bytes, &limits)
    };
    match parsed {
        Err(issue) => Refusal::from_issues(Situation::BodyUnreadable, &[issue]).situation,
        Ok(parsed) => {
            BookingRequest::read(parsed)
                .map(|_| ())
                .unwrap_err()
                .situation
        }
    }
}

/// Proves: ERR-04, D-06
#[test]
fn xml_out_of_order_is_unreadable() {
    let xml = String::from_utf8(fhir::xml::write(&parse(&booking()).root)).unwrap();
    let language = "<language value=\"en-GB\"/>";
    assert!(xml.contains(language));
    let end = xml.rfind("</Appointment>").unwrap();
    let moved = format!(
        "{}{language}{}",
        xml[..end].replacen(language, "", 1),
        &xml[end..]
    );
    assert_eq!(situation(moved.as_bytes(), true), Situation::BodyUnreadable);
    assert_eq!(
        situation(b"<Appointment xmlns=\"http://hl7.org/fhir\">", true),
        Situation::BodyUnreadable
    );
}

/// Proves: ERR-04, D-06, PROV-BOOK-04
#[test]
fn wrong_json_types_are_unreadable_and_bad_values_do_not_conform() {
    let with = |change: fn(&mut Value)| {
        let mut message = booking();
        change(&mut message);
        situation(message.to_string().as_bytes(), false)
    };
    assert_eq!(
        with(|b| b["slot"] = json!({"reference": "#x"})),
        Situation::BodyUnreadable
    );
    assert_eq!(
        with(|b| b["description"] = json!(["x"])),
        Situation::BodyUnreadable
    );
    assert_eq!(
        with(|b| b["contained"][1]["telecom"][0]["rank"] = json!("1")),
        Situation::BodyUnreadable
    );
    assert_eq!(with(|b| b["status"] = json!(5)), Situation::BodyUnreadable);
    assert_eq!(
        with(|b| b["start"] = json!("half past nine")),
        Situation::NotConformant
    );
    assert_eq!(
        with(|b| b["contained"][1]["gender"] = json!("F")),
        Situation::NotConformant
    );
    assert_eq!(
        situation(b"{\"resourceType\":\"Appointment\",", false),
        Situation::BodyUnreadable
    );
    assert_eq!(
        situation(b"{\"resourceType\":\"Appointment\"}", false),
        Situation::BodyUnreadable
    );
}
