//! The booking message that the tour's `curl` sends.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// A booking message for the slot, with an invented patient. Like the example that the API publishes it leaves out
/// `participant.status`.
pub fn message(slot: &Value) -> Value {
    let profile = |kind: &str| json!({"profile": [format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1")]});
    let (id, start, end) = (&slot["id"], &slot["start"], &slot["end"]);
    let now = Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S+00:00")
        .to_string();
    let number = json!({"use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990123454"});
    let mut verified = number.clone();
    verified["extension"] = json!([{
        "url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1",
        "valueCodeableConcept": {"coding": [{
            "system": "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1",
            "code": "01", "display": "Number present and verified"}]}}]);
    json!({
        "resourceType": "Appointment",
        "meta": profile("Appointment"),
        "language": "en-GB",
        "contained": [
            {"resourceType": "DocumentReference", "id": "doc", "meta": profile("DocumentReference"),
             "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": Uuid::new_v4().to_string()}],
             "status": "current",
             "type": {"coding": [{"system": "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17",
                                  "code": "POCD_MT200001GB02", "display": "Integrated Urgent Care Report"}]},
             "indexed": now,
             "content": [{"attachment": {"contentType": "application/hl7-v3+xml", "language": "en"}}]},
            {"resourceType": "Patient", "id": "pat", "meta": profile("Patient"),
             "identifier": [verified],
             "name": [{"use": "official", "family": "Testwell", "given": ["Ada"], "prefix": ["Ms"]}],
             "telecom": [{"system": "phone", "value": "01632 960123", "use": "home", "rank": 1}],
             "gender": "female", "birthDate": "1984-06-21",
             "address": [{"use": "home", "line": ["2 Synthetic Way"], "city": "Exampleton", "postalCode": "LS99 9ZZ"}]},
            {"resourceType": "Slot", "id": id, "meta": profile("Slot"), "identifier": slot["identifier"],
             "schedule": slot["schedule"], "status": "busy", "start": start, "end": end}],
        "status": "booked",
        "description": "Sore throat and fever, 111 referral",
        "supportingInformation": [{"reference": "#doc"}],
        "start": start, "end": end,
        "slot": [{"reference": format!("#{}", id.as_str().unwrap_or(""))}],
        "created": now,
        "participant": [{"actor": {"reference": "#pat", "identifier": number, "display": "Ms Ada Testwell"}}]
    })
}
