//! Services that accept a referral only with a booking (CONS-BO-01..03, REF-CON-06).

use super::{Consultation, faults};
use crate::obstacle::Obstacle;
use booking::ids::ServiceId;
use serde_json::json;

/// Whether a referral may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferralPermit {
    /// It may.
    Allowed,
    /// It may not; the sentence tells the user why.
    Withheld(String),
}

impl Consultation {
    /// Decides whether a referral to the service may be sent. `requires_booking` is the DoS attribute `requirebooking`: if
    /// absent or false, a referral is allowed (CONS-BO-02). After a booking is cancelled within the consultation, it is
    /// withheld again (CONS-BO-03).
    pub async fn may_refer(
        &self,
        service: &ServiceId,
        requires_booking: bool,
    ) -> Result<ReferralPermit, Obstacle> {
        if !requires_booking {
            return Ok(ReferralPermit::Allowed);
        }
        let booked = self
            .journal()
            .is_booked(&self.encounter.id, service.as_str())
            .await;
        if booked.map_err(faults::journal)? {
            return Ok(ReferralPermit::Allowed);
        }
        let warning = booking_first();
        self.note(
            "warning",
            Some(service),
            "referral withheld",
            json!({ "shown": warning }),
        )
        .await?;
        Ok(ReferralPermit::Withheld(warning))
    }
}

/// The warning for a service that accepts no referral without a booking.
pub fn booking_first() -> String {
    "This service takes patients only with a booked appointment. Book one before you send the referral, or choose \
     another service."
        .to_owned()
}
