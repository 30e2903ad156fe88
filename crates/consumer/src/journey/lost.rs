//! Finding out about a booking whose end this program did not see, because it was ended in between (CONS-BOOK-05, D-43).
//! The proof is the UUID of the clinical document, as for a lost answer.

use super::appointment::Located;
use super::recover::candidates;
use super::{Consultation, Target, faults, success};
use crate::journal::{KnownBooking, Settled, State, StepId};
use crate::obstacle::Obstacle;
use crate::plan;
use jiff::Timestamp;
use serde_json::json;

/// What was found out about a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is booked; the journal knows it now.
    Booked(Box<Located>),
    /// The service does not have it among the patient's appointments.
    Absent,
    /// Nobody can say: the patient has no NHS number, by which the service could be asked.
    CannotTell,
}

impl Consultation {
    /// Looks for a booking of the journal among the patient's appointments at the service. An appointment that is found
    /// is kept; one that is not found stays in the journal as it was, since a request may still be on its way.
    pub async fn look_for(&self, target: &Target, known: &KnownBooking) -> Result<Lost, Obstacle> {
        let Some(patient) = &known.nhs_number else {
            return Ok(Lost::CannotTell);
        };
        let step = self.begin("look for", Some(&target.service)).await?;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self
            .journey
            .plan(&route, |s| plan::search_appointments::plan(s, patient))?;
        let delivery = self.journey.send(&request, step).await;
        let answer = match success(delivery, faults::Stage::Read, target) {
            Ok(answer) => answer,
            Err(obstacle) => return self.ended(step, obstacle).await,
        };
        let Some(bundle) = answer.resource_of("Bundle") else {
            let obstacle = faults::malformed(&answer, faults::Stage::Read, target);
            return self.ended(step, obstacle).await;
        };
        let root = &target.booking_root;
        for at in candidates(bundle, root, known.start, self.journey.ssp()) {
            let located = Located {
                target: target.clone(),
                id: at.id,
            };
            if self.adopt(&located, known, step).await? {
                let detail =
                    json!({ "appointment": located.id.as_str(), "document": known.document });
                self.end(step, "found", detail).await;
                return Ok(Lost::Booked(Box::new(located)));
            }
        }
        self.end(step, "absent", json!({ "document": known.document }))
            .await;
        Ok(Lost::Absent)
    }

    /// Keeps an appointment as the booking, if it is.
    async fn adopt(
        &self,
        located: &Located,
        known: &KnownBooking,
        step: StepId,
    ) -> Result<bool, Obstacle> {
        let shown = self.read(located, step).await?;
        if shown.document.as_deref() != Some(known.document.as_str()) || shown.status != "booked" {
            return Ok(false);
        }
        let settled = Settled {
            state: State::Booked,
            appointment: Some(located.id.as_str().to_owned()),
            url: Some(shown.url),
            version: shown.version,
            etag: Some(shown.etag),
            at: Timestamp::now(),
        };
        let kept = self.journal().settle(&known.document, settled).await;
        kept.map_err(faults::journal)?;
        Ok(true)
    }

    /// Keeps that a booking that was looked for was never made. For callers that know that no request can be on its way
    /// any more.
    pub async fn never_made(&self, known: &KnownBooking) -> Result<(), Obstacle> {
        let settled = Settled {
            state: State::Failed,
            appointment: None,
            url: None,
            version: None,
            etag: None,
            at: Timestamp::now(),
        };
        let kept = self.journal().settle(&known.document, settled).await;
        kept.map_err(faults::journal)
    }
}
