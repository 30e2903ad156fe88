//! Settles bookings of uncertain outcome: the program was stopped, the answer was lost, or it did not match (CONS-BOOK-05,
//! D-43, D-53). The UUID of the clinical document is the proof.

use super::appointment::Located;
use super::booked::Booked;
use super::find_booking::NotFound;
use super::identity::{Expected, Proven};
use super::location::{self, AppointmentUrl};
use super::same_booking::is_theirs;
use super::{Consultation, Target, faults};
use crate::journal::{KnownBooking, Settled, State, Which, Whose};
use crate::obstacle::Obstacle;
use crate::plan::BookingDetails;
use crate::plan::book::SlotClaim;
use crate::slots::{Channel, FreeSlot};
use booking::ids::ResourceId;
use fhir::primitive::format_instant;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Longest life of a request. Its token expires after five minutes, and clocks may differ by as much.
pub const REQUEST_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// The result for an uncertain booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is booked; the journal now says so.
    Booked(Box<Located>, Box<Proven>),
    /// It was booked and then cancelled; the journal now says so.
    Cancelled,
    /// It is not among all of the patient's appointments at the service.
    Absent,
    /// It was never sent.
    NotSent,
    /// Undecidable, as the sentence explains: the patient has no NHS number to ask the service by, or the service did not
    /// show all appointments, or what it shows does not match.
    CannotTell(String),
}

impl Consultation {
    /// Looks for a booking of the journal at its address and among the patient's appointments. Records it if found. If not
    /// found, the journal stays as it is, since a request may still be under way.
    pub async fn look_for(&self, target: &Target, known: &KnownBooking) -> Result<Lost, Obstacle> {
        let step = self.begin("look for", Some(&target.service)).await?;
        let expected = Expected::unsettled(known);
        let pointers: Vec<AppointmentUrl> =
            pointer(known, &target.booking_root).into_iter().collect();
        let found = self.find_booking(target, &expected, &pointers, step).await;
        let mut detail = json!({ "document": known.document });
        let lost = match found {
            Ok(proven) => {
                let shown = proven.appointment();
                detail["appointment"] = json!(shown.id);
                let settled = shown.settled(State::Booked);
                let kept = self.journal().settle(&known.document, settled).await;
                kept.map_err(faults::journal)?;
                match ResourceId::parse(&shown.id) {
                    Ok(id) => {
                        let target = target.clone();
                        Lost::Booked(Box::new(Located { target, id }), proven)
                    }
                    Err(error) => return self.ended(step, faults::damaged(&error)).await,
                }
            }
            Err(NotFound {
                unproven: Some(unproven),
                ..
            }) if unproven.is_only_status() && unproven.appointment.status == "cancelled" => {
                let shown = &unproven.appointment;
                let settled = Settled {
                    appointment: Some(shown.id.clone()),
                    url: Some(shown.url.clone()),
                    ..Settled::without_appointment(State::Cancelled, None)
                };
                let kept = self.journal().settle(&known.document, settled).await;
                kept.map_err(faults::journal)?;
                Lost::Cancelled
            }
            Err(NotFound {
                unproven: Some(unproven),
                ..
            }) if !unproven.is_other() => Lost::CannotTell(format!(
                "The service has an appointment for it that does not fit: {}.",
                unproven.plain()
            )),
            // Services leave out past appointments (PROV-SRCH-02).
            Err(NotFound { complete: true, .. }) if known.start > Timestamp::now() => Lost::Absent,
            Err(_) => Lost::CannotTell(match known.nhs_number {
                None => "It was made without an NHS number, by which the service could be asked."
                    .to_owned(),
                Some(_) => "The service did not show all appointments of the patient.".to_owned(),
            }),
        };
        let outcome = match &lost {
            Lost::Booked(..) => "found",
            Lost::Cancelled => "cancelled",
            Lost::Absent => "absent",
            Lost::NotSent => "not sent",
            Lost::CannotTell(why) => {
                detail["why"] = json!(why);
                "cannot tell"
            }
        };
        self.end(step, outcome, detail).await;
        Ok(lost)
    }

    /// Looks for a booking and settles its row if proven: booked, cancelled, or, once no request can be under way, never
    /// made. [`Lost::Absent`] means that the row was settled so.
    pub async fn settle_row(
        &self,
        target: &Target,
        known: &KnownBooking,
    ) -> Result<Lost, Obstacle> {
        if self.never_sent(known).await? {
            return Ok(Lost::NotSent);
        }
        let lost = self.look_for(target, known).await?;
        if lost != Lost::Absent {
            return Ok(lost);
        }
        let over = known
            .requested_at
            .checked_add(REQUEST_LIFE)
            .is_ok_and(|over| over < Timestamp::now());
        if !over {
            return Ok(Lost::CannotTell(format!(
                "The service does not have it, but the request may still be on its way: look again in {} minutes.",
                REQUEST_LIFE.as_mins()
            )));
        }
        self.never_made(known).await?;
        Ok(Lost::Absent)
    }

    /// Settles a row as never made if its request has not left this machine. That also stops a command that is about to
    /// send it. False: it may have left.
    pub async fn never_sent(&self, known: &KnownBooking) -> Result<bool, Obstacle> {
        if known.may_have_left {
            return Ok(false);
        }
        let settled = self.journal().not_sent(&known.document, Timestamp::now());
        settled.await.map_err(faults::journal)
    }

    /// Records that a booking was never made. For callers that know that no request can be under way, and for users to whom
    /// the service said so.
    pub async fn never_made(&self, known: &KnownBooking) -> Result<(), Obstacle> {
        let settled = Settled {
            asked_at: Some(known.requested_at),
            ..Settled::without_appointment(State::Failed, None)
        };
        let kept = self.journal().settle(&known.document, settled).await;
        kept.map_err(faults::journal)
    }

    /// The journal's bookings ahead of the patient in these details.
    pub async fn bookings_of(
        &self,
        which: Which,
        details: &BookingDetails,
    ) -> Result<Vec<KnownBooking>, Obstacle> {
        let whose = details.patient.number().map_or(Whose::Nameless, Whose::Of);
        let rows = self
            .journal()
            .bookings(which, whose, Timestamp::now())
            .await;
        let mut rows = rows.map_err(faults::journal)?;
        rows.retain(|row| is_theirs(row, details));
        Ok(rows)
    }
}

/// Where a booking may be, by the journal.
fn pointer(known: &KnownBooking, root: &str) -> Option<AppointmentUrl> {
    let id = ResourceId::parse(known.appointment.as_deref()?).ok()?;
    let at = location::of_id(&id, root);
    Some(AppointmentUrl {
        url: known.url.clone().unwrap_or(at.url),
        ..at
    })
}

impl Booked {
    /// A booking of the journal, found later.
    pub fn found(known: &KnownBooking, target: &Target, proven: Proven) -> Booked {
        let mut slot = slot_of(known);
        slot.channel.clone_from(&proven.appointment().channel);
        Booked::of(proven, known.document.clone(), slot, target)
    }
}

/// The slot of a booking, as far as the journal has it.
pub fn slot_of(known: &KnownBooking) -> FreeSlot {
    let claim = known.claim.clone().unwrap_or_else(|| SlotClaim {
        id: known.slot.clone(),
        identifier: None,
        schedule: None,
        start: format_instant(known.start),
        end: format_instant(known.end),
        channel: None,
    });
    FreeSlot {
        id: known.slot.clone(),
        start: known.start,
        end: known.end,
        channel: claim.channel.as_deref().map(Channel::from_code),
        service: None,
        place: None,
        clinician: None,
        organization: None,
        claim,
    }
}
