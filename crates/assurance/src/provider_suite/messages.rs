//! Booking messages of synthetic patients, whole and bent.

use booking::ids::check_digit;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::text;

/// Family name of every synthetic patient: never in an error message (PROV-ERR-04), so an unlikely word.
pub(super) const FAMILY: &str = "Quillfeather";
/// Telephone of the patient; from the range kept for drama.
pub(super) const PHONE: &str = "01632 960123";
/// Postcode of the patient; no such place.
pub(super) const POSTCODE: &str = "LS99 9ZZ";

/// A valid NHS number of the never-issued 999 range, another one for each number.
pub(super) fn nhs_number(seed: u32) -> String {
    // Nine in ten or more of the numbers have a check digit, so a handful of steps is enough.
    for step in 0..50 {
        let nine = format!("999{:06}", seed.wrapping_add(step) % 1_000_000);
        if let Some(check) = check_digit(nine.as_bytes()) {
            return format!("{nine}{check}");
        }
    }
    "9990000042".to_owned()
}

/// A new UUID in lower case (RES-GEN-05).
pub(super) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Turns a place of a message into another value; `Value::Null` takes it out. The pointer may begin with `/Patient`,
/// `/DocumentReference` or `/Slot` for the contained resources. Places that are not there stay away.
pub(super) fn set(body: &mut Value, pointer: &str, value: Value) {
    let pointer = resolved(body, pointer);
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    match (body.pointer_mut(parent), value) {
        (Some(Value::Object(members)), Value::Null) => {
            members.shift_remove(last);
        }
        (Some(Value::Object(members)), value) => {
            members.insert(last.to_owned(), value);
        }
        (Some(Value::Array(items)), value) => {
            let index = last.parse().unwrap_or(usize::MAX);
            match (index < items.len(), value) {
                (true, Value::Null) => {
                    items.remove(index);
                }
                (true, value) => {
                    if let Some(item) = items.get_mut(index) {
                        *item = value;
                    }
                }
                (false, Value::Null) => {}
                (false, value) => items.push(value),
            }
        }
        _ => {}
    }
}

fn resolved(body: &Value, pointer: &str) -> String {
    for kind in ["Patient", "DocumentReference", "Slot"] {
        let Some(rest) = pointer.strip_prefix('/').and_then(|p| p.strip_prefix(kind)) else {
            continue;
        };
        let all = super::answer::list(body, "/contained");
        let at = all.iter().position(|r| text(r, "/resourceType") == kind);
        return format!("/contained/{}{rest}", at.unwrap_or(usize::MAX));
    }
    pointer.to_owned()
}

/// The same message with one place changed.
pub(super) fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    set(&mut body, pointer, value);
    body
}

/// The happy path (`assurance.md` section 4): own telephone of rank 1, a third party of rank 2. What belongs to one booking alone
/// stands in braces, and what is the slot's is null.
const BOOKING: &str = include_str!("booking.json");

/// A booking of the happy path.
pub(super) fn booking(slot: &Value, number: &str) -> Value {
    let now = Timestamp::now();
    let indexed = now.strftime("%Y-%m-%dT%H:%M:%S.000+00:00").to_string();
    let text = BOOKING
        .replace("{number}", number)
        .replace("{document}", &uuid())
        .replace("{indexed}", &indexed)
        .replace("{created}", &booking::instant::seconds(now));
    // A test reads the same text.
    let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
    for name in ["start", "end"] {
        body[name] = slot[name].clone();
    }
    for name in ["id", "identifier", "schedule", "start", "end"] {
        body["contained"][2][name] = slot[name].clone();
    }
    body["slot"][0]["reference"] = json!(format!("#{}", super::answer::text(slot, "/id")));
    body
}

/// The same without NHS number in the Patient; the participant still names one, as the published test does.
pub(super) fn without_nhs_number(body: Value) -> Value {
    with(body, "/Patient/identifier", Value::Null)
}

/// Only a third party can be called.
pub(super) fn contact_only(body: Value) -> Value {
    let body = with(body, "/Patient/telecom", Value::Null);
    with(body, "/Patient/contact/0/telecom/0/rank", json!(1))
}

/// The body of a cancellation as the published test has it: what was posted, plus `id` and the returned `created`.
pub(super) fn cancelled(posted: &Value, stored: &Value) -> Value {
    let mut body = json!({"resourceType": "Appointment", "id": stored["id"]});
    if let (Some(target), Some(members)) = (body.as_object_mut(), posted.as_object()) {
        for (name, value) in members.iter().skip(1) {
            target.insert(name.clone(), value.clone());
        }
        target.insert("status".to_owned(), json!("cancelled"));
        target.insert("created".to_owned(), stored["created"].clone());
    }
    body
}

/// The message in XML; the elements come in FHIR's order.
pub(super) fn to_xml(body: &Value) -> Vec<u8> {
    let parsed = fhir::json::parse(body.to_string().as_bytes(), &fhir::Limits::default());
    parsed
        .map(|p| fhir::xml::write(&p.root))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use booking::careconnect::conformance;
    use booking::ids::NhsNumber;
    use booking::systems;

    fn slot() -> Value {
        json!({"resourceType": "Slot", "id": "s1",
            "identifier": [{"system": systems::UUID, "value": uuid()}],
            "schedule": {"reference": "Schedule/a"}, "status": "free",
            "start": "2031-03-04T09:30:00.000+00:00", "end": "2031-03-04T09:40:00.000+00:00"})
    }

    /// Proves: RES-APPT-01, RES-PAT-03
    #[test]
    fn the_messages_are_right_themselves() {
        for seed in [0, 17, 999_999, u32::MAX] {
            NhsNumber::parse(&nhs_number(seed)).unwrap();
        }
        let whole = booking(&slot(), &nhs_number(5));
        for of_the_patient in [FAMILY, PHONE, POSTCODE] {
            assert!(whole.to_string().contains(of_the_patient));
        }
        for body in [
            whole.clone(),
            without_nhs_number(whole.clone()),
            contact_only(whole),
        ] {
            let parsed = fhir::json::parse(body.to_string().as_bytes(), &fhir::Limits::default());
            let issues = conformance().check(&parsed.unwrap().root);
            assert!(issues.iter().all(|i| !i.is_error()), "{issues:#?}");
            let xml = String::from_utf8(to_xml(&body)).unwrap();
            assert!(xml.contains("<Appointment"), "{xml}");
        }
    }

    #[test]
    fn places_change_and_go() {
        let body = with(
            booking(&slot(), "9990000042"),
            "/Patient/name/0/family",
            json!("B"),
        );
        assert_eq!(
            text(
                super::super::answer::contained(&body, "Patient"),
                "/name/0/family"
            ),
            "B"
        );
        let body = with(body, "/contained/0", Value::Null);
        assert_eq!(super::super::answer::list(&body, "/contained").len(), 2);
    }
}
