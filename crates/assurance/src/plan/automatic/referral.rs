//! The clinical document of a test appointment.

use super::Stop;
use super::rig::{Place, Standing, Work};
use consumer::journey::{Consultation, ReferralDraft, referred};
use consumer::referral::{
    Appointment, AppointmentUrl, Message, Receipt, Referral, ReferralFailure, Retries, Sender,
    write_cda,
};
use serde_json::json;
use uuid::Uuid;

impl From<ReferralFailure> for Stop {
    fn from(unsent: ReferralFailure) -> Stop {
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
        let url = standing.known.url.as_ref().unwrap_or(&standing.shown.url);
        let url = AppointmentUrl::from_location(url)
            .map_err(|e| Stop::Failed(vec![format!("The referral was not sent: {e}.")]))?;
        let document = Uuid::parse_str(&standing.known.document)
            .map_err(|e| Stop::NotTried(format!("the journal is damaged: {e}")))?;
        let details = &self.order.details;
        let recipient = place.details.recipient();
        let draft = ReferralDraft {
            config: &self.rig.config,
            author: consultation.encounter().user.clone(),
            contact: consultation.encounter(),
            recipient: recipient.map_err(|e| Stop::Failed(vec![e.to_string()]))?,
            document,
            patient: referred(&details.patient),
            appointment: Some(Appointment {
                url,
                start: standing.known.start,
                service: place.details.name_or_id(),
            }),
            outcome: "Outcome of the test call",
            paragraphs: vec![
                details.description.clone(),
                "Operational test: this is no real patient.".to_owned(),
            ],
        };
        Ok(draft.finish())
    }
}
