//! Requests as bytes: slot searches, and bookings of invented patients.

use crate::fixture::{ASID, Made, MadeSlot, ODS};
use booking::ids::OdsCode;
use booking::wire::interaction::Interaction;
use booking::wire::token::{self, Minting};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The consumer's organisation.
pub const CONSUMER_ODS: &str = "FX900";
/// Its system.
pub const CONSUMER_ASID: &str = "918999000099";
/// Interaction ids start with this.
const INTERACTION: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// All six includes of the Standard.
const INCLUDES: &str = "&_include=Slot:schedule&_include:recurse=Schedule:actor:Practitioner\
    &_include:recurse=Schedule:actor:PractitionerRole&_include:recurse=Schedule:actor:HealthcareService\
    &_include:recurse=HealthcareService.location&_include:recurse=HealthcareService.providedBy";

/// A token, valid for five minutes.
pub fn token(address: &str, interaction: Interaction) -> Result<String, String> {
    Ok(token::mint(&Minting {
        issuer: "https://consumer.example.nhs.uk/".to_owned(),
        audience: format!("https://{address}/STU3/1/{ODS}"),
        scope: interaction.scope().to_owned(),
        issued_at: Timestamp::now().as_second(),
        organization_ods: OdsCode::parse(CONSUMER_ODS).map_err(|e| e.to_string())?,
        organization_name: "Fernhill 111".to_owned(),
        user: Some("u-17".to_owned()),
    }))
}

fn head(method: &str, path: &str, address: &str, token: &str, interaction: &str) -> String {
    format!(
        "{method} /STU3/1/{ODS}/{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Ssp-TraceID: {}\r\nSsp-From: {CONSUMER_ASID}\r\nSsp-To: {ASID}\r\nSsp-InteractionID: {INTERACTION}{interaction}\r\n\
         Accept: application/fhir+json\r\n",
        Uuid::new_v4()
    )
}

/// A search for the first hundred slots of a clinic: 67 hours, so within three days.
pub fn search(made: &Made, clinic: usize, address: &str, token: &str) -> Vec<u8> {
    let text = |at: Timestamp| {
        at.strftime("%Y-%m-%dT%H%%3A%M%%3A%S%%2B00%%3A00")
            .to_string()
    };
    let last = made.first + SignedDuration::from_mins(crate::fixture::EVERY * 99);
    let path = format!(
        "Slot?schedule.actor%3Ahealthcareservice={}&start=ge{}&start=le{}&status=free{INCLUDES}",
        made.clinics[clinic].service,
        text(made.first),
        text(last),
    );
    let mut out = head("GET", &path, address, token, "search:slot");
    out.push_str("\r\n");
    out.into_bytes()
}

/// A booking of a slot, as a whole request.
pub fn book(made: &Made, slot: &MadeSlot, number: usize, address: &str, token: &str) -> Vec<u8> {
    let body = body(slot, &made.clinics[slot.clinic].schedule, number);
    let mut out = head("POST", "Appointment", address, token, "create:appointment");
    out.push_str(&format!(
        "X-Request-ID: {}\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
        Uuid::new_v4(),
        body.len()
    ));
    out.into_bytes()
}

/// A valid NHS number of the never-issued 999 range.
pub fn nhs_number(number: usize) -> String {
    // One number in eleven has no check digit; the next has one.
    (number * 2 % 1_000_000..)
        .find_map(|n| {
            let nine = format!("999{:06}", n % 1_000_000);
            let check = booking::ids::check_digit(nine.as_bytes())?;
            Some(format!("{nine}{check}"))
        })
        .unwrap_or_default()
}

/// A booking message: patient with own and third-party contact, referral document, slot.
pub fn body(slot: &MadeSlot, schedule: &str, number: usize) -> String {
    let nhs = nhs_number(number);
    let (uuid, document) = (slot.uuid, Uuid::new_v4());
    let start = fhir::primitive::format_instant(slot.start);
    let end = fhir::primitive::format_instant(slot.end);
    let now = Timestamp::now();
    let (created, indexed) = (
        now.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        fhir::primitive::format_instant(now),
    );
    let profile = |kind: &str| {
        format!(
            "\"meta\":{{\"profile\":[\"https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1\"]}}"
        )
    };
    let rfc4122 = "\"system\":\"https://tools.ietf.org/html/rfc4122\"";
    let number = format!(
        "\"use\":\"official\",\"system\":\"https://fhir.nhs.uk/Id/nhs-number\",\"value\":\"{nhs}\""
    );
    [
        format!("{{\"resourceType\":\"Appointment\",{},\"language\":\"en-GB\",\"contained\":[", profile("Appointment")),
        format!(
            "{{\"resourceType\":\"DocumentReference\",\"id\":\"doc\",{},\"identifier\":[{{{rfc4122},\"value\":\"{document}\"}}],\
             \"status\":\"current\",\"type\":{{\"coding\":[{{\"system\":\"urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17\",\
             \"code\":\"POCD_MT200001GB02\",\"display\":\"Integrated Urgent Care Report\"}}]}},\"indexed\":\"{indexed}\",\
             \"content\":[{{\"attachment\":{{\"contentType\":\"application/hl7-v3+xml\",\"language\":\"en\"}}}}]}},",
            profile("DocumentReference")
        ),
        format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"pat\",{},\"identifier\":[{{\"extension\":[{{\"url\":\
             \"https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1\",\
             \"valueCodeableConcept\":{{\"coding\":[{{\"system\":\
             \"https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1\",\"code\":\"01\",\
             \"display\":\"Number present and verified\"}}]}}}}],{number}}}],\
             \"name\":[{{\"use\":\"official\",\"text\":\"Ms Ada Testwell\",\"family\":\"Testwell\",\"given\":[\"Ada\",\"Maud\"],\
             \"prefix\":[\"Ms\"]}}],\
             \"telecom\":[{{\"system\":\"phone\",\"value\":\"01632 960123\",\"use\":\"home\",\"rank\":1}},\
             {{\"system\":\"phone\",\"value\":\"07700 900123\",\"use\":\"mobile\",\"rank\":2}},\
             {{\"system\":\"email\",\"value\":\"ada@testwell.example\",\"use\":\"home\",\"rank\":3}}],\
             \"gender\":\"female\",\"birthDate\":\"1984-06-21\",\
             \"address\":[{{\"use\":\"home\",\"type\":\"both\",\"text\":\"2 Synthetic Way, Exampleton, LS99 9ZZ\",\
             \"line\":[\"Flat 4\",\"2 Synthetic Way\"],\"city\":\"Exampleton\",\"district\":\"Exampleshire\",\
             \"postalCode\":\"LS99 9ZZ\"}}],\
             \"contact\":[{{\"relationship\":[{{\"coding\":[{{\"system\":\"http://hl7.org/fhir/v2/0131\",\"code\":\"N\",\
             \"display\":\"Next-of-Kin\"}}]}}],\"name\":{{\"use\":\"official\",\"family\":\"Testwell\",\"given\":[\"Grace\"]}},\
             \"telecom\":[{{\"system\":\"phone\",\"value\":\"07700 900456\",\"use\":\"mobile\",\"rank\":4}}],\
             \"address\":{{\"use\":\"home\",\"line\":[\"2 Synthetic Way\"],\"city\":\"Exampleton\",\"postalCode\":\"LS99 9ZZ\"}},\
             \"gender\":\"female\"}},\
             {{\"relationship\":[{{\"coding\":[{{\"system\":\"http://hl7.org/fhir/v2/0131\",\"code\":\"C\",\
             \"display\":\"Emergency Contact\"}}],\"text\":\"Neighbour with a key\"}}],\
             \"name\":{{\"use\":\"official\",\"text\":\"Mr Basil Madeup\",\"family\":\"Madeup\",\"given\":[\"Basil\",\"Oswin\"],\
             \"prefix\":[\"Mr\"]}},\
             \"telecom\":[{{\"system\":\"phone\",\"value\":\"01632 960789\",\"use\":\"home\",\"rank\":5}},\
             {{\"system\":\"email\",\"value\":\"basil@madeup.example\",\"use\":\"home\",\"rank\":6}}],\
             \"address\":{{\"use\":\"home\",\"type\":\"both\",\"text\":\"3 Synthetic Way, Exampleton, LS99 9ZZ\",\
             \"line\":[\"3 Synthetic Way\"],\"city\":\"Exampleton\",\"district\":\"Exampleshire\",\"postalCode\":\"LS99 9ZZ\"}},\
             \"gender\":\"male\"}}]}},",
            profile("Patient")
        ),
        format!(
            "{{\"resourceType\":\"Slot\",\"id\":\"{uuid}\",{},\"identifier\":[{{{rfc4122},\"value\":\"{uuid}\"}}],\
             \"schedule\":{{\"reference\":\"Schedule/{schedule}\"}},\"status\":\"busy\",\"start\":\"{start}\",\"end\":\"{end}\"}}],",
            profile("Slot")
        ),
        format!(
            "\"status\":\"booked\",\"description\":\"Sore throat and fever for three days, worse since last night; \
             111 referral, disposition: see within two hours. \
             No relevant history, no medicines, no allergies known. Lives alone on the second floor; needs level access \
             at the place of the appointment, and a chaperone. Prefers to be called on the mobile number before noon. \
             Advice was given on fluids and rest, and to call again at once if breathing or swallowing becomes hard. The \
             neighbour has a key and can open the door; the lift is out of order until Thursday. Speaks English and a \
             little Welsh; no interpreter is needed. Was last seen by the practice in spring for a sprained ankle.\",\
             \"supportingInformation\":[{{\"reference\":\"#doc\"}}],\"start\":\"{start}\",\"end\":\"{end}\",\
             \"slot\":[{{\"reference\":\"#{uuid}\"}}],\"created\":\"{created}\",\
             \"participant\":[{{\"actor\":{{\"reference\":\"#pat\",\"identifier\":{{{number}}},\"display\":\"Ms Ada Testwell\"}},\
             \"status\":\"accepted\"}}]}}"
        ),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bookings() {
        let start = Timestamp::now() + SignedDuration::from_hours(5);
        let slot = MadeSlot {
            uuid: Uuid::now_v7(),
            clinic: 0,
            start,
            end: start + SignedDuration::from_mins(10),
        };
        for number in 0..20 {
            let body = body(&slot, "clinic-0", number);
            assert!((4_200..5_000).contains(&body.len()), "{}", body.len());
            let parsed = fhir::json::parse(body.as_bytes(), &fhir::Limits::default());
            let request = parsed.map(booking::appointment::BookingRequest::read);
            let faults = request.map(|r| r.map(|r| r.faults));
            assert!(matches!(&faults, Ok(Ok(f)) if f.is_empty()), "{faults:?}");
        }
    }
}
