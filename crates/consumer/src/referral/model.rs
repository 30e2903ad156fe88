//! What a referral says, before it is written. Types that hold patient data have no telling `Debug`.

use super::appointment_url::AppointmentUrl;
use crate::redact::Identifying;
use booking::ids::{NhsNumber, OdsCode};
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;
use uuid::Uuid;

/// A 111 report about one patient.
#[derive(Clone)]
pub struct Referral {
    /// Id of the document: the one that the booking announced (REF-CON-02). Every document has its own.
    pub document_id: Uuid,
    /// When it was written.
    pub written_at: Timestamp,
    /// The patient.
    pub patient: Patient,
    /// Who wrote it.
    pub author: Author,
    /// The organisation that keeps it: usually the author's.
    pub custodian: Organisation,
    /// The service referred to.
    pub recipient: Organisation,
    /// Those who get a copy for information.
    pub copies: Vec<Organisation>,
    /// The call.
    pub encounter: Encounter,
    /// What was asked, answered and advised, for the clinician to read.
    pub triage: Vec<Section>,
    /// The booked appointment; `None` for a referral without one.
    pub appointment: Option<Appointment>,
    /// The document that this one replaces. Only one that is linked to no booking can be (REF-CON-05).
    pub replaces: Option<Replacement>,
}

impl fmt::Debug for Referral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Referral")
            .field("document_id", &self.document_id)
            .field("recipient", &self.recipient.ods)
            .finish_non_exhaustive()
    }
}

/// The patient. Names and places are written as they are given.
#[derive(Clone)]
pub struct Patient {
    /// NHS number, when it is known.
    pub nhs_number: Option<NhsNumber>,
    /// The number was traced.
    pub verified: bool,
    /// Family name.
    pub family: String,
    /// Given names, in order.
    pub given: Vec<String>,
    /// Title.
    pub prefix: Option<String>,
    /// Gender, as the demographics say.
    pub gender: Gender,
    /// Date of birth.
    pub birth_date: Option<Date>,
    /// Lines of the address.
    pub address: Vec<String>,
    /// Postcode.
    pub postcode: Option<String>,
    /// Telephone numbers, the best first.
    pub telephones: Vec<String>,
    /// The registered practice.
    pub practice: Option<Organisation>,
}

impl From<&Patient> for Identifying {
    fn from(patient: &Patient) -> Identifying {
        Identifying {
            names: patient
                .given
                .iter()
                .chain([&patient.family])
                .cloned()
                .collect(),
            points: patient.telephones.clone(),
            birth_date: patient
                .birth_date
                .map(|d| d.to_string())
                .unwrap_or_default(),
            numbers: patient
                .nhs_number
                .iter()
                .map(|n| n.as_str().to_owned())
                .collect(),
            address: patient
                .address
                .iter()
                .chain(&patient.postcode)
                .cloned()
                .collect(),
        }
    }
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patient(redacted)")
    }
}

/// Administrative gender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    /// Not known.
    Unknown,
    /// Male.
    Male,
    /// Female.
    Female,
    /// Not specified.
    Other,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// ODS code.
    pub ods: OdsCode,
    /// Name.
    pub name: String,
}

/// A member of staff and the organisation that they work for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Id of the user in the consumer's system.
    pub id: String,
    /// Name as shown.
    pub name: String,
    /// Job role, such as `Health advisor`.
    pub role: String,
    /// Organisation.
    pub organisation: Organisation,
}

/// The call that the report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encounter {
    /// Case reference of the consumer's system.
    pub case_id: String,
    /// Begin of the call.
    pub start: Timestamp,
    /// Its end; `None` while it goes on.
    pub end: Option<Timestamp>,
    /// What the triage came to.
    pub disposition: Disposition,
}

/// What the triage came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// Code, such as `Dx05`.
    pub code: String,
    /// What it means.
    pub text: String,
}

/// A part of the narrative.
#[derive(Clone, PartialEq, Eq)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// Paragraphs.
    pub paragraphs: Vec<String>,
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({} paragraphs)", self.paragraphs.len())
    }
}

/// The booked appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// Its URL, as the Provider's `Location` gave it.
    pub url: AppointmentUrl,
    /// Its start.
    pub start: Timestamp,
    /// Name of the service, for the reader.
    pub service: String,
}

/// A document that was sent and is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Its id.
    pub document_id: Uuid,
    /// Its version number; the new one has the next.
    pub version: u32,
    /// It belongs to a booking, or did until that was cancelled.
    pub linked: bool,
}
