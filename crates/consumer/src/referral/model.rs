//! The content of a referral. Types with patient data hide it in their `Debug`.

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
    /// Id of the document, announced by the booking (REF-CON-02). Every document has its own.
    pub document_id: Uuid,
    /// When it was written.
    pub written_at: Timestamp,
    /// The patient.
    pub patient: Patient,
    /// Who wrote it.
    pub author: Author,
    /// The organisation that keeps the document, usually the author's.
    pub custodian: Organisation,
    /// The service referred to.
    pub recipient: Organisation,
    /// Organisations that get a copy for information.
    pub copies: Vec<Organisation>,
    /// The call.
    pub encounter: Encounter,
    /// Questions, answers and advice, for the clinician to read.
    pub triage: Vec<Section>,
    /// The booked appointment; `None` for a referral without one.
    pub appointment: Option<Appointment>,
    /// The document that this one replaces. It must not be linked to a booking (REF-CON-05).
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

/// The patient. Names and addresses are written as given.
#[derive(Clone)]
pub struct Patient {
    /// NHS number, when it is known.
    pub nhs_number: Option<NhsNumber>,
    /// Whether the number was traced.
    pub verified: bool,
    /// Family name.
    pub family: String,
    /// Given names, in order.
    pub given: Vec<String>,
    /// Title.
    pub prefix: Option<String>,
    /// Gender by the demographics.
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

/// A member of staff and their organisation.
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
    /// Start of the call.
    pub start: Timestamp,
    /// End of the call; `None` while it continues.
    pub end: Option<Timestamp>,
    /// Outcome of the triage.
    pub disposition: Disposition,
}

/// The outcome of the triage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// Code, such as `Dx05`.
    pub code: String,
    /// Its meaning.
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
    /// URL from the Provider's `Location`.
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
    /// Its version number. The new document has the next.
    pub version: u32,
    /// True if it belongs to a booking, or did before the booking was cancelled.
    pub linked: bool,
}
