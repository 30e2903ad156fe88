//! Builds the referral of this organisation to a service in the directory.

use crate::config::{ConsumerConfig, Role};
use crate::journal;
use crate::plan::{self, ContactPoint, Verification};
use crate::referral::{
    Appointment, Author, Disposition, Encounter, Gender, Organisation, Patient, Referral, Section,
};
use jiff::Timestamp;
use uuid::Uuid;

/// The parts of a referral.
#[derive(Debug)]
pub struct ReferralDraft<'a> {
    /// Who sends it.
    pub config: &'a ConsumerConfig,
    /// Local id of the user who writes it.
    pub author: String,
    /// The contact with the patient.
    pub contact: &'a journal::Encounter,
    /// The service that it is sent to.
    pub recipient: Organisation,
    /// Id of the document.
    pub document: Uuid,
    /// The patient.
    pub patient: Patient,
    /// The booked appointment, if any.
    pub appointment: Option<Appointment>,
    /// Text of the disposition, such as `Outcome of the assessment`.
    pub outcome: &'a str,
    /// The assessment.
    pub paragraphs: Vec<String>,
}

impl ReferralDraft<'_> {
    /// The referral, written now.
    pub fn finish(self) -> Referral {
        let own = Organisation {
            ods: self.config.ods().clone(),
            name: self.config.organisation.name.clone(),
        };
        let user = self.config.user.as_ref();
        let role = match self.config.role() {
            Role::Clinician => "Clinician",
            Role::HealthAdviser => "Health adviser",
        };
        let contact = self.contact;
        let case = contact.case_ref.as_ref().unwrap_or(&contact.id);
        let disposition = contact.disposition.as_deref().unwrap_or("UNK");
        Referral {
            document_id: self.document,
            written_at: Timestamp::now(),
            patient: self.patient,
            author: Author {
                id: self.author,
                name: user.map_or_else(|| own.name.clone(), |u| u.practitioner.display()),
                role: role.to_owned(),
                organisation: own.clone(),
            },
            custodian: own,
            recipient: self.recipient,
            copies: Vec::new(),
            encounter: Encounter {
                case_id: case.clone(),
                start: contact.opened_at,
                end: contact.closed_at,
                disposition: Disposition {
                    code: disposition.to_owned(),
                    text: self.outcome.to_owned(),
                },
            },
            triage: vec![Section {
                title: "Assessment".to_owned(),
                paragraphs: self.paragraphs,
            }],
            appointment: self.appointment,
            replaces: None,
        }
    }
}

/// The patient of a booking, as a referral has them.
pub fn referred(patient: &plan::Patient) -> Patient {
    let mut phones: Vec<&ContactPoint> = patient.telecom.iter().collect();
    phones.retain(|point| point.system == plan::System::Phone);
    phones.sort_by_key(|point| point.rank);
    let address = &patient.address;
    let lines = address.lines.iter().chain(&address.city);
    Patient {
        nhs_number: patient.number(),
        verified: patient.verified_as() == Verification::Verified,
        family: patient.name.family.clone(),
        given: patient.name.given.clone(),
        prefix: patient.name.prefix.first().cloned(),
        gender: match patient.gender.code() {
            "male" => Gender::Male,
            "female" => Gender::Female,
            "other" => Gender::Other,
            _ => Gender::Unknown,
        },
        birth_date: patient.birth_date.parse().ok(),
        address: lines.chain(&address.district).cloned().collect(),
        postcode: Some(address.postcode.clone()),
        telephones: phones.into_iter().map(ContactPoint::sent_value).collect(),
        practice: None,
    }
}
