//! Messages of our own for the tests: synthetic, with the peculiarities of the published examples.

use fhir::{Limits, Parsed};
use serde_json::{Value, json};

pub const NOW: &str = "2031-03-04T08:20:11.114Z";
pub const SLOT: &str = "0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01";

pub fn now() -> jiff::Timestamp {
    NOW.parse().unwrap()
}

pub fn parse(message: &Value) -> Parsed {
    fhir::json::parse(message.to_string().as_bytes(), &Limits::default()).unwrap()
}

fn profile(name: &str) -> Value {
    json!({"profile": [format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{name}-1")]})
}

/// A booking in which nothing is left out.
pub fn booking() -> Value {
    json!({
        "resourceType": "Appointment", "meta": profile("Appointment"), "language": "en-GB",
        "contained": [document(), patient(), slot()],
        "status": "booked", "description": "Sore throat and fever",
        "supportingInformation": [{"reference": "#doc"}],
        "start": "2031-03-04T09:30:00.000+00:00", "end": "2031-03-04T09:40:00.000+00:00",
        "slot": [{"reference": format!("#{SLOT}")}], "created": "2031-03-04T08:20:11+00:00",
        "participant": [{"actor": {"reference": "#pat", "identifier": {"use": "official",
            "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990123454"}, "display": "Ms Ada Testwell"},
            "status": "accepted"}]
    })
}

pub fn document() -> Value {
    json!({
        "resourceType": "DocumentReference", "id": "doc", "meta": profile("DocumentReference"),
        "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": "7C1D3B0A-52c6-4f2e-9a41-0d5a6d1f2b33"}],
        "status": "current",
        "type": {"coding": [{"system": "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17", "code": "POCD_MT200001GB02",
            "display": "Integrated Urgent Care Report"}]},
        "indexed": "2018-12-20T09:43:41+11:00",
        "content": [{"attachment": {"contentType": "application/hl7-v3+xml", "language": "en"}}]
    })
}

pub fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "pat", "meta": profile("Patient"),
        "identifier": [{"extension": [{
            "url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1",
            "valueCodeableConcept": {"coding": [{
                "system": "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1",
                "code": "01", "display": "Number present and verified"}]}}],
            "use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990123454"}],
        "name": [{"use": "official", "family": "Testwell", "given": ["Ada"], "prefix": ["Ms"]}],
        "telecom": [{"system": "phone", "value": "01632 960123", "use": "home", "rank": 1}],
        "gender": "female", "birthDate": "1984-06-21",
        "address": [{"use": "home", "line": ["2 Synthetic Way"], "city": "Exampleton", "postalCode": "LS99 9ZZ"}],
        "contact": [{"relationship": [{"coding": [{"system": "http://hl7.org/fhir/v2/0131", "code": "N",
                "display": "Next-of-Kin"}]}],
            "name": {"use": "official", "family": "Testwell", "given": ["Grace"]},
            "telecom": [{"system": "phone", "value": "07700 900456", "use": "mobile", "rank": 2}]}]
    })
}

pub fn slot() -> Value {
    json!({
        "resourceType": "Slot", "id": SLOT, "meta": profile("Slot"),
        "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": SLOT}],
        "schedule": {"reference": "Schedule/sch-utc-1"}, "status": "busy",
        "start": "2031-03-04T09:30:00.000+00:00", "end": "2031-03-04T09:40:00.000+00:00"
    })
}

/// A booking with the peculiarities of the API's published example: no language, no `participant.status`, no
/// identifier or display of the actor, a Slot without profile that ends later, `en-GB` attachment.
pub fn published_form() -> Value {
    let mut b = booking();
    b.as_object_mut().unwrap().remove("language");
    b["end"] = json!("2031-03-04T09:35:00.000Z");
    b["contained"][0]["content"][0]["attachment"]["language"] = json!("en-GB");
    b["contained"][1].as_object_mut().unwrap().remove("contact");
    b["contained"][2].as_object_mut().unwrap().remove("meta");
    b["participant"] = json!([{"actor": {"reference": "#pat"}}]);
    b
}

/// The same message, sent as XML.
pub fn parse_xml(message: &Value) -> Parsed {
    let xml = fhir::xml::write(&parse(message).root);
    let parsed = fhir::xml::parse(&xml, &Limits::default()).unwrap();
    assert!(!parsed.has_errors(), "{:?}", parsed.issues);
    parsed
}
