//! Reads the details of a booking from its Appointment, so that a rebooking or referral need not ask again.

use super::patient::{
    Address, BookingDetails, Contact, ContactPoint, Gender, Patient, Person, Relationship, System,
    Use, Verification,
};
use booking::systems;
use fhir::Element;

impl BookingDetails {
    /// The details in an Appointment. `None`: patient, name, date of birth or address is missing.
    pub fn of_appointment(appointment: &Element) -> Option<BookingDetails> {
        let patient = appointment
            .all("contained")
            .find(|c| c.resource_type() == Some("Patient"))?;
        Some(BookingDetails {
            description: text(appointment, "description").unwrap_or_default(),
            patient: read(patient)?,
        })
    }
}

fn text(e: &Element, name: &str) -> Option<String> {
    let text = e.str_of(name)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn texts(e: &Element, name: &str) -> Vec<String> {
    let all = e.all(name).filter_map(Element::as_str);
    all.map(|t| t.trim().to_owned())
        .filter(|t| !t.is_empty())
        .collect()
}

fn read(patient: &Element) -> Option<Patient> {
    let number = patient
        .all("identifier")
        .find(|i| i.str_of("system") == Some(systems::NHS_NUMBER));
    let home = patient
        .all("address")
        .find(|a| a.str_of("use") == Some("home"))
        .or_else(|| patient.get("address"))?;
    let gender = patient.str_of("gender").and_then(Gender::from_code);
    Some(Patient {
        nhs_number: number.and_then(|n| text(n, "value")),
        verification: number.and_then(verification).unwrap_or_default(),
        traced: false,
        name: person(patient.get("name")?)?,
        gender: gender.unwrap_or_default(),
        birth_date: text(patient, "birthDate")?,
        address: Address {
            lines: texts(home, "line"),
            city: text(home, "city"),
            district: text(home, "district"),
            postcode: text(home, "postalCode")?,
        },
        telecom: points(patient),
        contact: patient.all("contact").filter_map(contact).collect(),
    })
}

fn verification(identifier: &Element) -> Option<Verification> {
    let extension = identifier
        .all("extension")
        .find(|e| e.str_of("url") == Some(systems::NHS_NUMBER_VERIFICATION))?;
    let code = extension.at("valueCodeableConcept.coding.code")?.as_str()?;
    Verification::from_code(code)
}

fn person(name: &Element) -> Option<Person> {
    Some(Person {
        family: text(name, "family")?,
        given: texts(name, "given"),
        prefix: texts(name, "prefix"),
    })
}

fn points(of: &Element) -> Vec<ContactPoint> {
    let read = |t: &Element| {
        Some(ContactPoint {
            system: t
                .str_of("system")
                .and_then(System::from_code)
                .unwrap_or(System::Other),
            value: text(t, "value")?,
            place: t.str_of("use").and_then(Use::from_code),
            rank: t.str_of("rank")?.parse().ok()?,
        })
    };
    of.all("telecom").filter_map(read).collect()
}

fn contact(contact: &Element) -> Option<Contact> {
    let code = contact
        .at("relationship.coding.code")
        .and_then(Element::as_str);
    Some(Contact {
        name: person(contact.get("name")?)?,
        relationship: code
            .and_then(Relationship::from_code)
            .unwrap_or(Relationship::Unknown),
        telecom: points(contact),
    })
}
