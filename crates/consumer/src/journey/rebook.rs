//! Rebooking: a new booking first, then the old one is cancelled, so that the patient is never without one
//! (CONS-REB-01..06).

use super::appointment::Located;
use super::book::Booking;
use super::cancel::CancelReport;
use super::timeframe::Cleared;
use super::{Consultation, Target};
use crate::journal::KnownBooking;
use crate::obstacle::Obstacle;
use crate::plan::BookingDetails;
use crate::slots::FreeSlot;
use booking::ids::NhsNumber;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// Both results (CONS-REB-05).
#[derive(Clone, Debug)]
pub struct Rebooked {
    /// The new booking.
    pub new: Result<Booking, Obstacle>,
    /// What became of the old one; `None` when it was left alone because there is no new one.
    pub old: Option<Result<CancelReport, Obstacle>>,
}

impl Rebooked {
    /// Whether the new booking stands and the old one is cancelled.
    pub fn is_complete(&self) -> bool {
        matches!(self.new, Ok(Booking::Booked(_)))
            && matches!(&self.old, Some(Ok(report)) if report.is_cancelled())
    }
}

impl Consultation {
    /// Books the new slot under a new document id (CONS-REB-06), then cancels the old appointment. `old_document` is
    /// the id of the old booking's document, for the report on rebookings.
    pub async fn rebook(
        &self,
        old: &Located,
        old_document: Option<&str>,
        target: &Target,
        slot: &FreeSlot,
        details: &BookingDetails,
        cleared: &Cleared,
    ) -> Result<Rebooked, Obstacle> {
        let step = self.begin("rebook", Some(&target.service)).await?;
        let new = self
            .book_as(target, slot, details, cleared, Uuid::new_v4(), old_document)
            .await;
        let cancelled = match &new {
            Ok(Booking::Booked(_)) => {
                Some(self.cancel(old, details.patient.number().as_ref()).await)
            }
            _ => None,
        };
        let rebooked = Rebooked {
            new,
            old: cancelled,
        };
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
            "old": old.id.as_str(), "new": new_id, "encounter_open": self.encounter.closed_at.is_none(),
        });
        self.end(step, outcome, detail).await;
        Ok(rebooked)
    }

    /// The bookings of a patient that this Consumer made and that are still to come, to be confirmed with the patient
    /// after a reassessment (CONS-REB-04).
    pub async fn known_bookings(
        &self,
        patient: Option<&NhsNumber>,
    ) -> Result<Vec<KnownBooking>, Obstacle> {
        let known = self.journal().live(patient, Timestamp::now()).await;
        known.map_err(super::faults::journal)
    }
}
