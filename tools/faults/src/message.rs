//! Requests as bytes: bookings of invented patients, cancellations, reads, searches.

use booking::ids::OdsCode;
use booking::wire::interaction::Interaction;
use booking::wire::token::{self, Minting};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The provider's organisation.
pub const ODS: &str = "FX404";
/// Its system.
pub const ASID: &str = "918999000044";
/// The consumer's organisation.
pub const CONSUMER_ODS: &str = "FX900";
/// Its system.
pub const CONSUMER_ASID: &str = "918999000099";
/// How consumers know the Provider, whatever its processes and their ports.
pub const BASE: &str = "https://provider.example.nhs.uk";
/// Interaction ids start with this.
const INTERACTION: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// Tokens are valid for five minutes; they are made anew well before.
const TOKEN_AGE: Duration = Duration::from_secs(120);

/// A slot as a consumer knows it from a search.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Id.
    pub uuid: Uuid,
    /// Its schedule.
    pub schedule: String,
    /// DoS service id.
    pub service: String,
    /// Start as sent by the Provider.
    pub start: String,
    /// End as sent by the Provider.
    pub end: String,
    /// Most bookings of one consumer on its day in that service; 0: any number.
    pub cap: u32,
}

/// Heads of requests with tokens that are valid now.
pub struct Heads {
    made: Mutex<(Instant, Arc<Set>)>,
}

/// The heads of one moment.
struct Set {
    book: String,
    cancel: String,
    read: String,
    search: String,
}

impl Heads {
    /// With tokens of this moment.
    pub fn new() -> Result<Heads, String> {
        let set = Arc::new(Set::make(Timestamp::now())?);
        Ok(Heads {
            made: Mutex::new((Instant::now(), set)),
        })
    }

    /// Tokens of another moment, for a Provider whose clock shows it.
    pub fn at(&self, moment: Timestamp) -> Result<(), String> {
        let set = Arc::new(Set::make(moment)?);
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), set);
        Ok(())
    }

    fn set(&self) -> Arc<Set> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.0.elapsed() > TOKEN_AGE {
            // It could be made once; the same with another time can be made again.
            if let Ok(set) = Set::make(Timestamp::now()) {
                *made = (Instant::now(), Arc::new(set));
            }
        }
        made.1.clone()
    }

    /// A booking.
    pub fn book(&self, request: Uuid, slot: &Slot) -> Vec<u8> {
        let body = booking_body(slot, request);
        with_body(&self.set().book, request, "", &body)
    }

    /// A cancellation: the body is the stored appointment with another status.
    pub fn cancel(&self, request: Uuid, appointment: Uuid, body: &str) -> Vec<u8> {
        let head = self.set().cancel.replace("{id}", &appointment.to_string());
        with_body(&head, request, "If-Match: W/\"1\"\r\n", body)
    }

    /// A read of an appointment.
    pub fn read(&self, appointment: Uuid) -> Vec<u8> {
        let head = self.set().read.replace("{id}", &appointment.to_string());
        format!("{head}\r\n").into_bytes()
    }

    /// A search for free slots of a service within a time.
    pub fn search(&self, service: &str, from: Timestamp, to: Timestamp) -> Vec<u8> {
        let text = |at: Timestamp| {
            at.strftime("%Y-%m-%dT%H%%3A%M%%3A%S%%2B00%%3A00")
                .to_string()
        };
        let query = format!(
            "schedule.actor%3Ahealthcareservice={service}&start=ge{}&start=le{}&status=free\
             &_include=Slot:schedule",
            text(from),
            text(to)
        );
        let head = self.set().search.replace("{query}", &query);
        format!("{head}\r\n").into_bytes()
    }
}

impl Set {
    fn make(now: Timestamp) -> Result<Set, String> {
        let host = BASE.trim_start_matches("https://");
        let head = |method: &str, path: &str, interaction: Interaction, name: &str| {
            let token = mint(interaction, now)?;
            Ok::<String, String>(format!(
                "{method} /STU3/1/{ODS}/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
                 Ssp-TraceID: {}\r\nSsp-From: {CONSUMER_ASID}\r\nSsp-To: {ASID}\r\n\
                 Ssp-InteractionID: {INTERACTION}{name}\r\nAccept: application/fhir+json\r\n",
                Uuid::new_v4()
            ))
        };
        Ok(Set {
            book: head(
                "POST",
                "Appointment",
                Interaction::Book,
                "create:appointment",
            )?,
            cancel: head(
                "PUT",
                "Appointment/{id}",
                Interaction::Cancel,
                "update:appointment",
            )?,
            read: head(
                "GET",
                "Appointment/{id}",
                Interaction::Read,
                "read:appointment",
            )?,
            search: head(
                "GET",
                "Slot?{query}",
                Interaction::SearchSlots,
                "search:slot",
            )?,
        })
    }
}

fn mint(interaction: Interaction, now: Timestamp) -> Result<String, String> {
    Ok(token::mint(&Minting {
        issuer: "https://consumer.example.nhs.uk/".to_owned(),
        audience: format!("{BASE}/STU3/1/{ODS}"),
        scope: interaction.scope().to_owned(),
        issued_at: now.as_second(),
        organization_ods: OdsCode::parse(CONSUMER_ODS).map_err(|e| e.to_string())?,
        organization_name: "Fernhill 111".to_owned(),
        user: Some("u-17".to_owned()),
    }))
}

fn with_body(head: &str, request: Uuid, more: &str, body: &str) -> Vec<u8> {
    format!(
        "{head}{more}X-Request-ID: {request}\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A valid NHS number of the never-issued 999 range.
fn nhs_number(number: usize) -> String {
    // One number in eleven has no check digit; the next has one.
    (number % 900_000..)
        .find_map(|n| {
            let nine = format!("999{n:06}");
            let check = booking::ids::check_digit(nine.as_bytes())?;
            Some(format!("{nine}{check}"))
        })
        .unwrap_or_default()
}

/// The smallest booking that the Standard permits: patient, referral document, slot. Patient and document follow from
/// the request, so that a repeat is the same to the byte.
fn booking_body(slot: &Slot, request: Uuid) -> String {
    let nhs = nhs_number(usize::try_from(request.as_u128() % 900_000).unwrap_or(0));
    let document = Uuid::new_v5(&request, b"document");
    let Slot {
        uuid,
        schedule,
        start,
        end,
        ..
    } = slot;
    let profile = |kind: &str| {
        format!(
            "\"meta\":{{\"profile\":[\"https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1\"]}}"
        )
    };
    let (appointment, reference, patient, place) = (
        profile("Appointment"),
        profile("DocumentReference"),
        profile("Patient"),
        profile("Slot"),
    );
    let rfc4122 = "\"system\":\"https://tools.ietf.org/html/rfc4122\"";
    let number = format!(
        "\"use\":\"official\",\"system\":\"https://fhir.nhs.uk/Id/nhs-number\",\"value\":\"{nhs}\""
    );
    let verified = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1";
    let codes = "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1";
    format!(
        "{{\"resourceType\":\"Appointment\",{appointment},\"language\":\"en-GB\",\"contained\":[\
         {{\"resourceType\":\"DocumentReference\",\"id\":\"doc\",{reference},\
         \"identifier\":[{{{rfc4122},\"value\":\"{document}\"}}],\"status\":\"current\",\
         \"type\":{{\"coding\":[{{\"system\":\"urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17\",\
         \"code\":\"POCD_MT200001GB02\",\"display\":\"Integrated Urgent Care Report\"}}]}},\"indexed\":\"{start}\",\
         \"content\":[{{\"attachment\":{{\"contentType\":\"application/hl7-v3+xml\",\"language\":\"en\"}}}}]}},\
         {{\"resourceType\":\"Patient\",\"id\":\"pat\",{patient},\"identifier\":[{{\"extension\":[{{\"url\":\"{verified}\",\
         \"valueCodeableConcept\":{{\"coding\":[{{\"system\":\"{codes}\",\"code\":\"01\",\
         \"display\":\"Number present and verified\"}}]}}}}],{number}}}],\
         \"name\":[{{\"use\":\"official\",\"text\":\"Ms Ada Testwell\",\"family\":\"Testwell\",\"given\":[\"Ada\"],\
         \"prefix\":[\"Ms\"]}}],\
         \"telecom\":[{{\"system\":\"phone\",\"value\":\"01632 960123\",\"use\":\"home\",\"rank\":1}}],\
         \"gender\":\"female\",\"birthDate\":\"1984-06-21\",\
         \"address\":[{{\"use\":\"home\",\"type\":\"both\",\"text\":\"2 Synthetic Way, Exampleton, LS99 9ZZ\",\
         \"line\":[\"2 Synthetic Way\"],\"city\":\"Exampleton\",\"postalCode\":\"LS99 9ZZ\"}}]}},\
         {{\"resourceType\":\"Slot\",\"id\":\"{uuid}\",{place},\"identifier\":[{{{rfc4122},\"value\":\"{uuid}\"}}],\
         \"schedule\":{{\"reference\":\"Schedule/{schedule}\"}},\"status\":\"busy\",\"start\":\"{start}\",\"end\":\"{end}\"}}],\
         \"status\":\"booked\",\"description\":\"Sore throat and fever, 111 referral\",\
         \"supportingInformation\":[{{\"reference\":\"#doc\"}}],\"start\":\"{start}\",\"end\":\"{end}\",\
         \"slot\":[{{\"reference\":\"#{uuid}\"}}],\"created\":\"{start}\",\
         \"participant\":[{{\"actor\":{{\"reference\":\"#pat\",\"identifier\":{{{number}}},\
         \"display\":\"Ms Ada Testwell\"}},\"status\":\"accepted\"}}]}}"
    )
}

/// The body of a cancellation, from the appointment as it was answered.
pub fn cancelled(stored: &[u8]) -> Option<String> {
    let mut value: serde_json::Value = serde_json::from_slice(stored).ok()?;
    let status = value.get_mut("status")?;
    *status = serde_json::Value::from("cancelled");
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_the_same_to_the_byte() {
        let slot = Slot {
            uuid: Uuid::now_v7(),
            schedule: "a".to_owned(),
            service: "2000400000".to_owned(),
            start: "2031-01-01T00:00:00+00:00".to_owned(),
            end: "2031-01-01T00:10:00+00:00".to_owned(),
            cap: 0,
        };
        let heads = Heads::new().unwrap();
        let request = Uuid::new_v4();
        assert_eq!(heads.book(request, &slot), heads.book(request, &slot));
        let cancel = cancelled(b"{\"resourceType\":\"Appointment\",\"status\":\"booked\"}");
        assert!(cancel.unwrap().contains("\"cancelled\""));
    }
}
