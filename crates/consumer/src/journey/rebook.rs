//! Rebooks: books the new appointment, then cancels the old one, so that the patient always has one (CONS-REB-01..06). It
//! cancels only after the new booking is proven. A rebooking interrupted between the two is finished by the next command
//! that finds it (D-53).

use super::appointment::Located;
use super::book::Booking;
use super::booked::Booked;
use super::cancel::CancelReport;
use super::identity::{Expected, Proven, Status};
use super::timeframe::Cleared;
use super::{Consultation, Target, faults};
use crate::journal::{KnownBooking, Replaced, Which, Whose};
use crate::obstacle::Obstacle;
use crate::plan::BookingDetails;
use crate::slots::FreeSlot;
use booking::ids::NhsNumber;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// The results of both halves (CONS-REB-05).
#[derive(Clone, Debug)]
pub struct Rebooked {
    /// The new booking.
    pub new: Result<Booking, Obstacle>,
    /// The outcome for the old booking. `None`: it was not touched, since there is no new one.
    pub old: Option<Result<CancelReport, Obstacle>>,
}

impl Rebooked {
    /// Whether the new booking is made and the old one cancelled.
    pub fn is_complete(&self) -> bool {
        matches!(self.new, Ok(Booking::Booked(_)))
            && matches!(&self.old, Some(Ok(report)) if report.is_cancelled())
    }
}

/// The appointment to replace.
#[derive(Clone, Copy, Debug)]
pub struct Old<'a> {
    /// Where it is.
    pub located: &'a Located,
    /// Id of its document, if known.
    pub document: Option<&'a str>,
}

impl Consultation {
    /// Books the new slot under a new document id (CONS-REB-06), then cancels the old appointment.
    pub async fn rebook(
        &self,
        old: Old<'_>,
        target: &Target,
        slot: &FreeSlot,
        details: &BookingDetails,
        cleared: &Cleared,
    ) -> Result<Rebooked, Obstacle> {
        let step = self.begin("rebook", Some(&target.service)).await?;
        let document = Uuid::new_v4();
        let replaces = Replaced {
            appointment: old.located.id.as_str().to_owned(),
            service: old.located.target.service.as_str().to_owned(),
            document: old.document.map(str::to_owned),
        };
        let new = self
            .book_as(target, slot, details, cleared, document, Some(replaces))
            .await;
        let rebooked = self.replace(new, old.located, details).await;
        let outcome = match (&rebooked.new, &rebooked.old) {
            (Ok(Booking::Booked(_)), Some(Ok(report))) if report.is_cancelled() => "rebooked",
            (Ok(Booking::Booked(_)), _) => "booked, old one stands",
            (Ok(Booking::Unknown { .. }), _) => "unknown, old one stands",
            _ => "not booked, old one stands",
        };
        let new_id = match &rebooked.new {
            Ok(Booking::Booked(booked)) => Some(booked.appointment.clone()),
            _ => None,
        };
        let detail = json!({
            "old": old.located.id.as_str(), "new": new_id, "encounter_open": self.encounter.closed_at.is_none(),
        });
        self.end(step, outcome, detail).await;
        Ok(rebooked)
    }

    /// The second half of a rebooking.
    pub async fn replace(
        &self,
        new: Result<Booking, Obstacle>,
        old: &Located,
        details: &BookingDetails,
    ) -> Rebooked {
        let cancelled = match &new {
            Ok(Booking::Booked(booked)) => {
                let Booked {
                    proven, document, ..
                } = booked.as_ref();
                let number = details.patient.number();
                Some(
                    self.cancel_replaced(old, number.as_ref(), proven, document)
                        .await,
                )
            }
            _ => None,
        };
        Rebooked {
            new,
            old: cancelled,
        }
    }

    /// Cancels an appointment that the proven one replaces.
    async fn cancel_replaced(
        &self,
        old: &Located,
        number: Option<&NhsNumber>,
        _new: &Proven,
        new_document: &str,
    ) -> Result<CancelReport, Obstacle> {
        // A booking from here is known by its document, even if the number became known later.
        let is_known = self.expected(old, None).await?.is_known();
        let report = self.cancel(old, number.filter(|_| !is_known)).await?;
        self.rebook_closed(new_document).await;
        Ok(report)
    }

    /// Continues a rebooking interrupted between its halves: reads the new appointment and, if it stands, cancels the old
    /// one. `None`: the new one does not stand, and nothing was done.
    pub async fn finish_rebooking(
        &self,
        known: &KnownBooking,
        new: &Located,
        old: &Located,
    ) -> Result<Option<CancelReport>, Obstacle> {
        let expected = Expected::known(known);
        let Ok(proven) = self.read_expected(new, &expected, Status::Booked).await? else {
            return Ok(None);
        };
        let number = known.nhs_number.as_ref();
        self.cancel_replaced(old, number, &proven, &known.document)
            .await
            .map(Some)
    }

    /// Records that a rebooking is complete.
    pub async fn rebook_closed(&self, new_document: &str) {
        if let Err(error) = self.journal().rebook_closed(new_document).await {
            tracing::error!(%error, "the end of a rebooking could not be kept in the journal");
        }
    }

    /// Rebookings interrupted between their halves, with appointments ahead.
    pub async fn open_rebookings(&self) -> Result<Vec<KnownBooking>, Obstacle> {
        let open = self.journal().open_rebookings(Timestamp::now()).await;
        open.map_err(faults::journal)
    }

    /// The patient's bookings from this Consumer that are ahead, to be confirmed with the patient after a reassessment
    /// (CONS-REB-04).
    pub async fn known_bookings(
        &self,
        patient: Option<&NhsNumber>,
    ) -> Result<Vec<KnownBooking>, Obstacle> {
        let whose = patient.map_or(Whose::All, |n| Whose::Of(n.clone()));
        let now = Timestamp::now();
        let known = self.journal().bookings(Which::Live, whose, now).await;
        known.map_err(faults::journal)
    }
}
