//! Booking messages of our own: a body in FHIR's element order that a test can bend, and its XML.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::uuid;

const PROFILE: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-";
const VERIFICATION: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1";
const VERIFICATION_CODES: &str =
    "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1";

/// A valid NHS number of the never-issued 999 range; another one at each call.
pub fn nhs_number() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    loop {
        let digits = format!("999{:06}", NEXT.fetch_add(1, Ordering::Relaxed));
        let sum: u32 = digits
            .bytes()
            .zip((2..=10).rev())
            .map(|(b, weight)| u32::from(b - b'0') * weight)
            .sum();
        match 11 - sum % 11 {
            11 => return format!("{digits}0"),
            10 => continue,
            check => return format!("{digits}{check}"),
        }
    }
}

/// A place of a message, and the value that it gets.
pub type Change = (&'static str, fn() -> Value);

/// A booking request for one slot.
#[derive(Clone, Debug)]
pub struct Booking {
    pub nhs_number: Option<String>,
    pub document_id: String,
    body: Value,
}

impl Booking {
    /// The happy path: own telephone with rank 1, a third party with rank 2.
    pub fn of(slot: &Value) -> Booking {
        let nhs_number = nhs_number();
        let document_id = uuid();
        let body = json!({
            "resourceType": "Appointment",
            "meta": {"profile": [format!("{PROFILE}Appointment-1")]},
            "language": "en-GB",
            "contained": [document(&document_id), patient(&nhs_number), contained_slot(slot)],
            "status": "booked",
            "description": "Sore throat and fever, 111 referral",
            "supportingInformation": [{"reference": "#doc"}],
            "start": slot["start"],
            "end": slot["end"],
            "slot": [{"reference": format!("#{}", slot["id"].as_str().unwrap_or(""))}],
            "created": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "participant": [{
                "actor": {
                    "reference": "#pat",
                    "identifier": {"use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number",
                        "value": nhs_number},
                    "display": "Ms Ada Testwell"
                },
                "status": "accepted"
            }]
        });
        Booking {
            nhs_number: Some(nhs_number),
            document_id,
            body,
        }
    }

    pub fn body(&self) -> Value {
        self.body.clone()
    }

    /// The message with one place changed. The pointer may begin with `/patient`, `/document` or
    /// `/contained-slot` for the contained resources. `Value::Null` takes the place out.
    pub fn with(mut self, pointer: &str, value: Value) -> Booking {
        set(&mut self.body, pointer, value);
        self
    }

    /// The message with several places changed.
    pub fn changed(self, changes: &[Change]) -> Booking {
        let change = |booking: Booking, (place, value): &Change| booking.with(place, value());
        changes.iter().fold(self, change)
    }

    /// The patient without NHS number; the participant still names one.
    pub fn without_nhs_number(self) -> Booking {
        let mut booking = self.with("/patient/identifier", Value::Null);
        booking.nhs_number = None;
        booking
    }

    /// The cancel body: this message with the id and `created` that the Provider gave back.
    pub fn cancelled(&self, stored: &Value) -> Value {
        let mut body = json!({"resourceType": "Appointment", "id": stored["id"]});
        let target = body.as_object_mut().expect("an object");
        for (name, value) in self.body.as_object().expect("an object").iter().skip(1) {
            target.insert(name.clone(), value.clone());
        }
        target.insert("status".to_owned(), json!("cancelled"));
        target.insert("created".to_owned(), stored["created"].clone());
        body
    }
}

/// Changes one place of an Appointment; see [`Booking::with`].
#[track_caller]
pub fn set(body: &mut Value, pointer: &str, value: Value) {
    let shortcuts = [
        ("/patient", "Patient"),
        ("/document", "DocumentReference"),
        ("/contained-slot", "Slot"),
    ];
    let pointer = shortcuts
        .iter()
        .find_map(|(short, kind)| {
            let rest = pointer.strip_prefix(short)?;
            Some(format!("/contained/{}{rest}", contained_at(body, kind)))
        })
        .unwrap_or_else(|| pointer.to_owned());
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no place {parent}"));
    match (parent, value) {
        (Value::Object(members), Value::Null) => {
            members.shift_remove(last);
        }
        (Value::Object(members), value) => {
            members.insert(last.to_owned(), value);
        }
        (Value::Array(items), Value::Null) => {
            items.remove(last.parse().expect("an index"));
        }
        (Value::Array(items), value) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => items[index] = value,
            _ => items.push(value),
        },
        (other, _) => panic!("{other} has no members"),
    }
}

/// The contained resource of a type.
#[track_caller]
pub fn contained<'a>(body: &'a Value, kind: &str) -> &'a Value {
    &body["contained"][contained_at(body, kind)]
}

fn contained_at(body: &Value, kind: &str) -> usize {
    let all = body["contained"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or(&[]);
    all.iter()
        .position(|r| r["resourceType"] == kind)
        .unwrap_or(usize::MAX)
}

fn document(id: &str) -> Value {
    json!({
        "resourceType": "DocumentReference", "id": "doc",
        "meta": {"profile": [format!("{PROFILE}DocumentReference-1")]},
        "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": id}],
        "status": "current",
        "type": {"coding": [{"system": "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17",
            "code": "POCD_MT200001GB02", "display": "Integrated Urgent Care Report"}]},
        "indexed": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000+00:00").to_string(),
        "content": [{"attachment": {"contentType": "application/hl7-v3+xml", "language": "en"}}]
    })
}

fn patient(nhs_number: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": "pat",
        "meta": {"profile": [format!("{PROFILE}Patient-1")]},
        "identifier": [{
            "extension": [{"url": VERIFICATION, "valueCodeableConcept": {"coding": [{
                "system": VERIFICATION_CODES, "code": "01", "display": "Number present and verified"}]}}],
            "use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": nhs_number}],
        "name": [{"use": "official", "family": "Testwell", "given": ["Ada"], "prefix": ["Ms"]}],
        "telecom": [{"system": "phone", "value": "01632 960123", "use": "home", "rank": 1}],
        "gender": "female",
        "birthDate": "1979-03-12",
        "address": [{"use": "home", "line": ["2 Synthetic Way"], "city": "Exampleton",
            "postalCode": "LS99 9ZZ"}],
        "contact": [third_party(2)]
    })
}

/// A next of kin whose telephone has this rank.
pub fn third_party(rank: u32) -> Value {
    json!({
        "relationship": [{"coding": [{"system": "http://hl7.org/fhir/v2/0131", "code": "N",
            "display": "Next-of-Kin"}]}],
        "name": {"use": "official", "family": "Testwell", "given": ["Grace"]},
        "telecom": [{"system": "phone", "value": "07700 900456", "use": "mobile", "rank": rank}]
    })
}

fn contained_slot(slot: &Value) -> Value {
    json!({
        "resourceType": "Slot", "id": slot["id"],
        "meta": {"profile": [format!("{PROFILE}Slot-1")]},
        "identifier": slot["identifier"],
        "schedule": slot["schedule"],
        "status": "busy",
        "start": slot["start"],
        "end": slot["end"]
    })
}

/// FHIR XML of a resource whose members stand in FHIR's order.
pub fn to_xml(resource: &Value) -> String {
    let mut out = String::new();
    write_resource(&mut out, resource, " xmlns=\"http://hl7.org/fhir\"");
    out
}

fn write_resource(out: &mut String, resource: &Value, namespace: &str) {
    let name = resource["resourceType"].as_str().expect("a resource");
    let _ = write!(out, "<{name}{namespace}>");
    for (member, value) in resource.as_object().expect("a resource").iter().skip(1) {
        write_member(out, member, value);
    }
    let _ = write!(out, "</{name}>");
}

fn write_member(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| write_member(out, name, item)),
        Value::Object(members) if members.contains_key("resourceType") => {
            let _ = write!(out, "<{name}>");
            write_resource(out, value, "");
            let _ = write!(out, "</{name}>");
        }
        Value::Object(members) => {
            let url = members
                .get("url")
                .and_then(Value::as_str)
                .filter(|_| name == "extension");
            match url {
                Some(url) => {
                    let _ = write!(out, "<{name} url=\"{}\">", escaped(url));
                }
                None => {
                    let _ = write!(out, "<{name}>");
                }
            }
            for (member, value) in members.iter().filter(|(m, _)| url.is_none() || *m != "url") {
                write_member(out, member, value);
            }
            let _ = write!(out, "</{name}>");
        }
        Value::String(text) => {
            let _ = write!(out, "<{name} value=\"{}\"/>", escaped(text));
        }
        other => {
            let _ = write!(out, "<{name} value=\"{other}\"/>");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
