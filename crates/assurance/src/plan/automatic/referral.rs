//! The clinical document of a test appointment.

use super::Stop;
use super::rig::{Place, Standing, Work};
use booking::foreign::Foreign;
use booking::ids::OdsCode;
use consumer::config::Role;
use consumer::journey::Consultation;
use consumer::plan;
use consumer::referral::{
    Appointment, AppointmentUrl, Author, Disposition, Encounter, Gender, Message, Organisation,
    Patient, Receipt, Referral, Retries, Section, Sender, Unsent, write_cda,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use uuid::Uuid;

impl From<Unsent> for Stop {
    fn from(unsent: Unsent) -> Stop {
        Stop::Failed(vec![unsent.to_string()])
    }
}

/// A referral that was acknowledged.
pub(super) struct Sent {
    pub receipt: Receipt,
    pub document: String,
}

impl Work<'_> {
    /// Sends the referral of an appointment to the service itself.
    pub(super) async fn refer(&self, standing: &Standing) -> Result<Sent, Stop> {
        let consultation = self.resume(&standing.encounter).await?;
        let place = self.place().await?;
        let referral = self.referral(&consultation, &place, standing)?;
        let endpoints = place.details.referral_endpoints()?;
        // The first is the service's own; copies would reach people who are no part of the test.
        let Some(endpoint) = endpoints.first() else {
            return Err(Stop::Failed(vec![
                "The directory names no address for referrals of this service.".to_owned(),
            ]));
        };
        let message = Message::new(
            &referral,
            endpoint,
            place.details.booking_required,
            Uuid::new_v4(),
        )?;
        let sender = Sender::new(self.rig.client.clone(), Retries::default());
        let sent = sender.send(&message).await;
        let document = referral.document_id.to_string();
        let (outcome, detail) = match &sent {
            Ok(r) => (
                "acknowledged",
                json!({ "document": document, "address": r.address, "tracking": r.tracking.to_string(),
                        "tries": r.tries, "status": r.status }),
            ),
            Err(unsent) => (
                "not sent",
                json!({ "document": document, "address": endpoint.address, "why": format!("{:?}", unsent.why),
                        "shown": unsent.plain }),
            ),
        };
        consultation
            .note("refer", Some(&place.details.id), outcome, detail)
            .await?;
        Ok(Sent {
            receipt: sent?,
            document: write_cda(&referral),
        })
    }

    fn referral(
        &self,
        consultation: &Consultation,
        place: &Place,
        standing: &Standing,
    ) -> Result<Referral, Stop> {
        let (config, details) = (&self.rig.config, &self.order.details);
        let own = Organisation {
            ods: config.ods().clone(),
            name: config.organisation.name.clone(),
        };
        let user = config.user.as_ref();
        let contact = consultation.encounter();
        let url = standing.known.url.as_ref().unwrap_or(&standing.shown.url);
        let url = AppointmentUrl::from_location(url)
            .map_err(|e| Stop::Failed(vec![format!("The referral was not sent: {e}.")]))?;
        let document_id = Uuid::parse_str(&standing.known.document)
            .map_err(|e| Stop::NotTried(format!("the journal is damaged: {e}")))?;
        let disposition = contact.disposition.clone();
        Ok(Referral {
            document_id,
            written_at: Timestamp::now(),
            patient: patient(&details.patient),
            author: Author {
                id: contact.user.clone(),
                name: user.map_or_else(|| own.name.clone(), |u| u.practitioner.display()),
                role: match config.role() {
                    Role::Clinician => "Clinician".to_owned(),
                    Role::HealthAdviser => "Health adviser".to_owned(),
                },
                organisation: own.clone(),
            },
            custodian: own,
            recipient: recipient(place)?,
            copies: Vec::new(),
            encounter: Encounter {
                case_id: contact
                    .case_ref
                    .clone()
                    .unwrap_or_else(|| contact.id.clone()),
                start: contact.opened_at,
                end: contact.closed_at,
                disposition: Disposition {
                    code: disposition.unwrap_or_else(|| "UNK".to_owned()),
                    text: "Outcome of the test call".to_owned(),
                },
            },
            triage: vec![Section {
                title: "Assessment".to_owned(),
                paragraphs: vec![
                    details.description.clone(),
                    "Operational test: this is no real patient.".to_owned(),
                ],
            }],
            appointment: Some(Appointment {
                url,
                start: standing.known.start,
                service: name_of(place),
            }),
            replaces: None,
        })
    }
}

fn recipient(place: &Place) -> Result<Organisation, Stop> {
    let ods = place.details.ods.as_ref().map(Foreign::as_received);
    let ods = OdsCode::parse(ods.unwrap_or_default()).map_err(|_| {
        Stop::Failed(vec![
            "The directory does not say which organisation runs this service.".to_owned(),
        ])
    })?;
    Ok(Organisation {
        ods,
        name: name_of(place),
    })
}

/// The service's name as the directory has it, or its id.
fn name_of(place: &Place) -> String {
    let name = place.details.name.as_ref().map(Foreign::as_received);
    name.unwrap_or(place.details.id.as_str()).to_owned()
}

fn patient(p: &plan::Patient) -> Patient {
    let address = p
        .address
        .lines
        .iter()
        .chain(&p.address.city)
        .chain(&p.address.district);
    let phones = p.telecom.iter().filter(|t| t.system == plan::System::Phone);
    Patient {
        nhs_number: p.number(),
        verified: p.verified_as() == plan::Verification::Verified,
        family: p.name.family.clone(),
        given: p.name.given.clone(),
        prefix: p.name.prefix.first().cloned(),
        gender: match p.gender.code() {
            "male" => Gender::Male,
            "female" => Gender::Female,
            "other" => Gender::Other,
            _ => Gender::Unknown,
        },
        birth_date: p.birth_date.parse::<Date>().ok(),
        address: address.cloned().collect(),
        postcode: Some(p.address.postcode.clone()),
        telephones: phones.map(plan::ContactPoint::sent_value).collect(),
        practice: None,
    }
}
