//! Book: `POST [root]/Appointment` (CONS-BOOK-01, CONS-BOOK-02, RES-APPT, RES-SLOT, RES-PAT, RES-DOC).

use super::patient::{Address, BookingDetails, Contact, ContactPoint, Patient, Person};
use super::{PlanError, Request, Setting};
use crate::redact::{self, Identifying};
use booking::instant::seconds;
use booking::systems;
use booking::wire::interaction::Interaction;
use fhir::Element;
use fhir::primitive::format_instant;
use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Local ids of the contained resources; the Slot keeps its own (RES-SLOT-07).
const DOCUMENT: &str = "doc";
const PATIENT: &str = "pat";

/// The slot in a booking, with the values as written in the search result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotClaim {
    /// `Slot.id`
    pub id: String,
    /// System and value of `Slot.identifier`, as sent.
    pub identifier: Option<(String, String)>,
    /// Id of the Schedule.
    pub schedule: Option<String>,
    /// `Slot.start` as it was written.
    pub start: String,
    /// `Slot.end` as it was written.
    pub end: String,
    /// Delivery channel code of the slot, copied (RES-APPT-16) and never invented.
    pub channel: Option<String>,
}

/// Builds the booking. `document` is the UUID of the clinical document that will follow.
pub fn plan(
    setting: &Setting,
    slot: &SlotClaim,
    details: &BookingDetails,
    document: Uuid,
) -> Result<Request, PlanError> {
    written(setting, slot, details, document, setting.now)
}

/// Like [`plan`], with a message time apart from the token's, so that a repeat has the same message.
pub fn written(
    setting: &Setting,
    slot: &SlotClaim,
    details: &BookingDetails,
    document: Uuid,
    written_at: Timestamp,
) -> Result<Request, PlanError> {
    // The answer may quote the request.
    redact::keep_out(&Identifying::from(&details.patient));
    let body = body(slot, details, document, written_at);
    setting.request(Interaction::Book, Method::POST, "Appointment", Some(body))
}

/// The Appointment, without `id` and version (RES-APPT-01).
pub fn body(slot: &SlotClaim, details: &BookingDetails, document: Uuid, now: Timestamp) -> Element {
    let mut appointment = Element::resource("Appointment")
        .with(meta("Appointment"))
        .with(Element::text("language", "en-GB"))
        .with(document_reference(document, now).named("contained"))
        .with(patient(&details.patient).named("contained"))
        .with(claimed(slot).named("contained"));
    if let Some(channel) = &slot.channel {
        appointment.push(delivery_channel(channel));
    }
    appointment
        .with(Element::text("status", "booked"))
        .with(Element::text("description", details.description.trim()))
        .with(reference("supportingInformation", DOCUMENT))
        .with(Element::text("start", &slot.start))
        .with(Element::text("end", &slot.end))
        .with(reference("slot", &slot.id))
        .with(Element::text("created", seconds(now)))
        .with(participant(&details.patient))
}

fn meta(resource_type: &str) -> Element {
    let profile = systems::profile(resource_type).unwrap_or_default();
    Element::new("meta").with(Element::text("profile", profile).in_list())
}

fn reference(name: &str, local: &str) -> Element {
    Element::new(name).with(Element::text("reference", format!("#{local}")))
}

fn identifier(name: &str, system: &str, value: &str) -> Element {
    Element::new(name)
        .with(Element::text("system", system))
        .with(Element::text("value", value))
}

fn coding(system: &str, code: &str, display: &str) -> Element {
    Element::new("coding")
        .with(Element::text("system", system))
        .with(Element::text("code", code))
        .with(Element::text("display", display))
}

fn delivery_channel(code: &str) -> Element {
    Element::new("extension")
        .with(Element::text("url", systems::DELIVERY_CHANNEL))
        .with(Element::text("valueCode", code))
}

fn document_reference(document: Uuid, now: Timestamp) -> Element {
    let attachment = Element::new("attachment")
        .with(Element::text("contentType", systems::DOCUMENT_MEDIA_TYPE))
        .with(Element::text("language", "en"));
    Element::resource("DocumentReference")
        .with(Element::text("id", DOCUMENT))
        .with(meta("DocumentReference"))
        .with(identifier(
            "identifier",
            systems::UUID,
            &document.to_string(),
        ))
        .with(Element::text("status", "current"))
        .with(Element::new("type").with(coding(
            systems::DOCUMENT_TYPE,
            systems::DOCUMENT_TYPE_CODE,
            systems::DOCUMENT_TYPE_DISPLAY,
        )))
        .with(Element::text("indexed", format_instant(now)))
        .with(Element::new("content").with(attachment))
}

fn claimed(slot: &SlotClaim) -> Element {
    let mut resource = Element::resource("Slot")
        .with(Element::text("id", &slot.id))
        .with(meta("Slot"));
    if let Some(channel) = &slot.channel {
        resource.push(delivery_channel(channel));
    }
    if let Some((system, value)) = &slot.identifier {
        resource.push(identifier("identifier", system, value));
    }
    if let Some(schedule) = &slot.schedule {
        let schedule = Element::text("reference", format!("Schedule/{schedule}"));
        resource.push(Element::new("schedule").with(schedule));
    }
    resource
        .with(Element::text("status", "busy"))
        .with(Element::text("start", &slot.start))
        .with(Element::text("end", &slot.end))
}

fn patient(patient: &Patient) -> Element {
    let mut resource = Element::resource("Patient")
        .with(Element::text("id", PATIENT))
        .with(meta("Patient"));
    if let Some(number) = patient.number() {
        let status = coding(
            systems::NHS_NUMBER_VERIFICATION_CODES,
            patient.verified_as().code(),
            patient.verified_as().display(),
        );
        let verification = Element::new("extension")
            .with(Element::text("url", systems::NHS_NUMBER_VERIFICATION))
            .with(Element::new("valueCodeableConcept").with(status));
        resource.push(
            Element::new("identifier")
                .with(verification)
                .with(Element::text("use", "official"))
                .with(Element::text("system", systems::NHS_NUMBER))
                .with(Element::text("value", number.as_str())),
        );
    }
    resource.push(name(&patient.name));
    for point in &patient.telecom {
        resource.push(telecom(point));
    }
    resource.push(Element::text("gender", patient.gender.code()));
    resource.push(Element::text("birthDate", &patient.birth_date));
    resource.push(address(&patient.address));
    for third_party in &patient.contact {
        resource.push(contact(third_party));
    }
    resource
}

fn name(person: &Person) -> Element {
    let mut name = Element::new("name")
        .with(Element::text("use", "official"))
        .with(Element::text("family", person.family.trim()));
    for (part, values) in [("given", &person.given), ("prefix", &person.prefix)] {
        for value in values.iter().map(|v| v.trim()).filter(|v| !v.is_empty()) {
            name.push(Element::text(part, value));
        }
    }
    name
}

fn telecom(point: &ContactPoint) -> Element {
    let mut telecom = Element::new("telecom")
        .with(Element::text("system", point.system.code()))
        .with(Element::text("value", point.sent_value()));
    if let Some(place) = point.place {
        telecom.push(Element::text("use", place.code()));
    }
    telecom.with(Element::number("rank", point.rank.to_string()))
}

fn address(home: &Address) -> Element {
    let mut address = Element::new("address").with(Element::text("use", "home"));
    for line in home
        .lines
        .iter()
        .map(|l| l.trim())
        .filter(|l| !l.is_empty())
    {
        address.push(Element::text("line", line));
    }
    for (part, value) in [("city", &home.city), ("district", &home.district)] {
        if let Some(value) = value.as_deref().map(str::trim).filter(|v| !v.is_empty()) {
            address.push(Element::text(part, value));
        }
    }
    address.with(Element::text(
        "postalCode",
        home.postcode.trim().to_uppercase(),
    ))
}

fn contact(third_party: &Contact) -> Element {
    let relationship = third_party.relationship;
    let coding = coding(
        "http://hl7.org/fhir/v2/0131",
        relationship.code(),
        relationship.display(),
    );
    let mut contact = Element::new("contact")
        .with(Element::new("relationship").with(coding))
        .with(name(&third_party.name));
    for point in &third_party.telecom {
        contact.push(telecom(point));
    }
    contact
}

fn participant(patient: &Patient) -> Element {
    let mut actor = reference("actor", PATIENT);
    if let Some(number) = patient.number() {
        actor.push(
            Element::new("identifier")
                .with(Element::text("use", "official"))
                .with(Element::text("system", systems::NHS_NUMBER))
                .with(Element::text("value", number.as_str())),
        );
    }
    Element::new("participant")
        .with(actor.with(Element::text("display", patient.name.display())))
        .with(Element::text("status", "accepted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use booking::appointment::BookingRequest;
    use fhir::{Limits, Parsed};

    fn slot() -> SlotClaim {
        SlotClaim {
            id: "0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01".into(),
            identifier: Some((
                systems::UUID.into(),
                "0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01".into(),
            )),
            schedule: Some("sch-1".into()),
            start: "2031-03-04T09:30:00.000+00:00".into(),
            end: "2031-03-04T09:40:00.000+00:00".into(),
            channel: Some("In-person".into()),
        }
    }

    fn read(details: &BookingDetails) -> BookingRequest {
        let body = body(&slot(), details, Uuid::from_u128(7), Timestamp::UNIX_EPOCH);
        let bytes = fhir::json::write(&body);
        let parsed: Parsed = fhir::json::parse(&bytes, &Limits::default()).unwrap();
        assert!(parsed.issues.is_empty(), "{:?}", parsed.issues);
        BookingRequest::read(parsed).unwrap()
    }

    /// Proves: CONS-BOOK-02, CONS-BOOK-01
    /// The Provider's own reading of the body (RES-APPT, RES-PAT, RES-DOC, RES-RANK, D-36, D-37, D-48) finds
    /// nothing to tolerate, with and without NHS number and telecom.
    #[test]
    fn the_body_is_what_the_standard_demands() {
        let full: BookingDetails = toml::from_str(
            r#"
            description = "Sore throat and fever"
            [patient]
            nhs_number = "9990123454"
            gender = "female"
            birth_date = "1984-06-21"
            name = { family = "Testwell", given = ["Ada", "May"], prefix = ["Ms"] }
            address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "ls99 9zz" }
            telecom = [{ value = "01632 960123", use = "home", rank = 1 }, { system = "email", value = "ada@example.com", rank = 2 }]
            [[patient.contact]]
            relationship = "N"
            name = { family = "Testwell", given = ["Grace"] }
            telecom = [{ value = "+44 7700 900456", use = "mobile", rank = 2 }]
            "#,
        )
        .unwrap();
        let request = read(&full);
        assert!(request.faults.is_empty(), "{:?}", request.faults);
        let again = BookingDetails::of_appointment(&request.document).unwrap();
        assert_eq!(
            read(&again).document,
            request.document,
            "read back and sent again it is the same"
        );
        assert_eq!(request.nhs_number.unwrap().as_str(), "9990123454");
        assert_eq!(request.document_id, Some(Uuid::from_u128(7).to_string()));

        let mut bare = full;
        bare.patient.nhs_number = None;
        bare.patient.telecom.clear();
        bare.patient.contact[0].telecom[0].rank = 1;
        let request = read(&bare);
        assert!(request.faults.is_empty(), "{:?}", request.faults);
        assert!(request.nhs_number.is_none());
        let text = String::from_utf8(fhir::json::write(&request.document)).unwrap();
        assert!(!text.contains(systems::NHS_NUMBER));
        assert!(text.contains("07700 900456"));
    }
}
