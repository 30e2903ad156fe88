//! Booking (CONS-BOOK-01..06): 201 and nothing else is booked; a slot that went is offered anew from a fresh search; an
//! answer that was lost is looked for.

use super::appointment::{Located, tag_and_version};
use super::search::SlotSearch;
use super::timeframe::Cleared;
use super::{Consultation, Target, faults, location};
use crate::journal::{BookingRow, Settled, State, StepId};
use crate::obstacle::Obstacle;
use crate::plan::{self, BookingDetails, Request};
use crate::slots::{FreeSlot, SlotList};
use crate::transport::{Answer, Delivery, Outcome};
use booking::instant::london;
use booking::refusal::SLOT_TAKEN;
use fhir::Element;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// Everything about a booking that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Booked {
    /// Appointment id.
    pub appointment: String,
    /// The Provider's own absolute URL, without version: goes into the clinical document (REF-CON-03).
    pub url: String,
    /// Version id.
    pub version: Option<String>,
    /// ETag to cancel with.
    pub etag: String,
    /// UUID of the clinical document that has to follow.
    pub document: String,
    /// The slot.
    pub slot: FreeSlot,
    /// True when the answer was lost and the booking was found afterwards.
    pub recovered: bool,
    /// Minutes after the end of the timeframe, if it is outside (CONS-TF-05).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside_timeframe_minutes: Option<i64>,
    /// The service and its Provider.
    #[serde(skip)]
    pub target: Target,
}

impl Booked {
    /// The appointment, to show or cancel it.
    pub fn located(&self) -> Option<Located> {
        Located::of_text(&self.target, &self.appointment)
    }
}

/// What became of a booking that was asked for.
#[derive(Clone, Debug)]
pub enum Booking {
    /// Booked.
    Booked(Box<Booked>),
    /// Somebody else was quicker. The list is fresh, for the user to choose again (CONS-BOOK-04).
    SlotTaken {
        /// What the user is told.
        notice: Obstacle,
        /// The slots that are free now, or why they could not be read.
        refreshed: Result<SlotList, Obstacle>,
    },
    /// Nobody can say whether it is booked: the service has to be called (CONS-BOOK-05).
    Unknown {
        /// What the user is told.
        notice: Obstacle,
        /// UUID of the document under which the journal has it.
        document: String,
    },
}

/// What a refusal says about the slot.
enum Taken {
    Yes,
    /// A search will tell.
    Perhaps,
    No,
}

/// What is to be booked.
struct Order<'a> {
    target: &'a Target,
    slot: &'a FreeSlot,
    details: &'a BookingDetails,
    document: Uuid,
    replaces: Option<&'a str>,
}

/// A booking on its way: what recovery has to know.
pub(super) struct Attempt<'a> {
    pub target: &'a Target,
    pub slot: &'a FreeSlot,
    pub details: &'a BookingDetails,
    pub document: Uuid,
    pub request: Request,
    pub step: StepId,
}

impl Consultation {
    /// Books a slot. `cleared` is the proof that the timeframe was looked at
    /// ([`super::timeframe::clear`]). An `Err` means that nothing was booked.
    pub async fn book(
        &self,
        target: &Target,
        slot: &FreeSlot,
        details: &BookingDetails,
        cleared: &Cleared,
    ) -> Result<Booking, Obstacle> {
        self.book_as(target, slot, details, cleared, Uuid::new_v4(), None)
            .await
    }

    /// Books a slot under a document id of the caller's, in place of another booking if `replaces` names one.
    pub async fn book_as(
        &self,
        target: &Target,
        slot: &FreeSlot,
        details: &BookingDetails,
        cleared: &Cleared,
        document: Uuid,
        replaces: Option<&str>,
    ) -> Result<Booking, Obstacle> {
        let step = self.begin("book", Some(&target.service)).await?;
        let order = Order {
            target,
            slot,
            details,
            document,
            replaces,
        };
        let attempt = match self.prepare(order, cleared, step).await {
            Ok(attempt) => attempt,
            Err(obstacle) => return self.ended(step, obstacle).await,
        };
        let delivery = self.journey.send(&attempt.request, step).await;
        let mut result = self.result(&attempt, delivery).await;
        if let Ok(Booking::Booked(booked)) = &mut result {
            booked.outside_timeframe_minutes = cleared.minutes;
        }
        self.settle(&attempt, &result).await;
        result
    }

    /// Everything before the request leaves: checks, the document's id, the record of the attempt (CONS-BOOK-01).
    async fn prepare<'a>(
        &self,
        order: Order<'a>,
        cleared: &Cleared,
        step: StepId,
    ) -> Result<Attempt<'a>, Obstacle> {
        let Order {
            target,
            slot,
            details,
            document,
            replaces,
        } = order;
        if !cleared.covers(&self.encounter, slot) {
            return Err(faults::not_cleared());
        }
        let now = Timestamp::now();
        let today = now.to_zoned(london()).date();
        details.check(today).map_err(|e| faults::details(&e))?;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self.journey.plan(&route, |s| {
            plan::book::plan(s, &slot.claim, details, document)
        })?;
        let row = BookingRow {
            document: document.to_string(),
            encounter: self.encounter.id.clone(),
            service: target.service.as_str().to_owned(),
            asid: target.asid.as_str().to_owned(),
            root: route.root.clone(),
            request_id: request.ids.request.as_str().to_owned(),
            nhs_number: details.patient.number(),
            slot: slot.id.clone(),
            start: slot.start,
            end: slot.end,
            at: now,
            replaces: replaces.map(str::to_owned),
            outside_minutes: cleared.minutes,
            approver: cleared.confirmation.approver.clone(),
            patient_agreed: cleared.confirmation.patient_agreed,
        };
        // A booking that nobody could find again must not be made.
        self.journal()
            .requested(row)
            .await
            .map_err(faults::journal)?;
        Ok(Attempt {
            target,
            slot,
            details,
            document,
            request,
            step,
        })
    }

    async fn result(&self, attempt: &Attempt<'_>, delivery: Delivery) -> Result<Booking, Obstacle> {
        let answer = match delivery {
            Ok(answer) => answer,
            Err(lost) if lost.uncertain => {
                let obstacle = faults::undelivered(&lost, faults::Stage::Book, attempt.target);
                return Ok(self.find_out(attempt, None, obstacle).await);
            }
            Err(unsent) => {
                return Err(faults::undelivered(
                    &unsent,
                    faults::Stage::Book,
                    attempt.target,
                ));
            }
        };
        if answer.status == 201 {
            return Ok(match self.booked(attempt, &answer) {
                Some(booked) => Booking::Booked(Box::new(booked)),
                // Booked, but without a word where: it has to be found.
                None => {
                    let obstacle = faults::malformed(&answer, faults::Stage::Book, attempt.target);
                    self.find_out(attempt, Some(&answer), obstacle).await
                }
            });
        }
        let obstacle = match answer.is_success() {
            true => faults::unexpected(
                &answer,
                "a booking is confirmed by 201 only",
                faults::Stage::Book,
                attempt.target,
            ),
            false => faults::refused(&answer, faults::Stage::Book, attempt.target),
        };
        if answer.uncertain || answer.is_success() {
            return Ok(self.find_out(attempt, Some(&answer), obstacle).await);
        }
        // 409 may come of a repeat that something on the way made unasked; 500 of a fault after the booking was stored.
        if matches!(answer.status, 409 | 500)
            && let Some(booked) = self.recover(attempt, Some(&answer)).await
        {
            return Ok(Booking::Booked(Box::new(booked)));
        }
        match taken(&answer) {
            Taken::No => Err(obstacle),
            Taken::Yes => Ok(self.offer_again(attempt).await),
            Taken::Perhaps => {
                let refreshed = self.slots(attempt.target, around(attempt.slot)).await;
                let gone = refreshed
                    .as_ref()
                    .is_ok_and(|list| list.lacks(&attempt.slot.id));
                match gone {
                    true => Ok(Booking::SlotTaken {
                        notice: faults::slot_taken(&attempt.target.service),
                        refreshed,
                    }),
                    false => Err(obstacle),
                }
            }
        }
    }

    async fn offer_again(&self, attempt: &Attempt<'_>) -> Booking {
        Booking::SlotTaken {
            notice: faults::slot_taken(&attempt.target.service),
            refreshed: self.slots(attempt.target, around(attempt.slot)).await,
        }
    }

    /// A booking from its 201: `Location`, else the id in the body.
    fn booked(&self, attempt: &Attempt<'_>, answer: &Answer) -> Option<Booked> {
        let root = &attempt.target.booking_root;
        let resource = answer.resource_of("Appointment");
        let of_body = || {
            let id = booking::ids::ResourceId::parse(resource?.str_of("id")?).ok()?;
            Some(location::of_id(&id, root))
        };
        let at = self.own_url(answer, root).or_else(of_body)?;
        let version = resource
            .and_then(|r| r.at("meta.versionId"))
            .and_then(Element::as_str)
            .map(str::to_owned)
            .or(at.version);
        let (etag, version) = tag_and_version(answer.etag.as_deref(), version);
        Some(attempt.booked(at.id.as_str(), at.url, version, etag, false))
    }

    /// Looks for the booking after a lost answer; what cannot be found out stays unknown (CONS-BOOK-05).
    async fn find_out(
        &self,
        attempt: &Attempt<'_>,
        answer: Option<&Answer>,
        obstacle: Obstacle,
    ) -> Booking {
        if let Some(booked) = self.recover(attempt, answer).await {
            return Booking::Booked(Box::new(booked));
        }
        tracing::error!(
            service = %attempt.target.service,
            asid = %attempt.target.asid,
            request_id = %attempt.request.ids.request,
            document = %attempt.document,
            "the state of a booking is unknown"
        );
        Booking::Unknown {
            notice: faults::unknown_state(attempt, obstacle),
            document: attempt.document.to_string(),
        }
    }

    async fn settle(&self, attempt: &Attempt<'_>, result: &Result<Booking, Obstacle>) {
        let mut settled = Settled {
            state: State::Failed,
            appointment: None,
            url: None,
            version: None,
            etag: None,
            at: Timestamp::now(),
        };
        let (outcome, detail) = match result {
            Ok(Booking::Booked(booked)) => {
                settled.state = State::Booked;
                settled.appointment = Some(booked.appointment.clone());
                settled.url = Some(booked.url.clone());
                settled.version.clone_from(&booked.version);
                settled.etag = Some(booked.etag.clone());
                let detail = json!({
                    "appointment": booked.appointment, "url": booked.url, "version": booked.version,
                    "document": booked.document, "slot": booked.slot.id, "recovered": booked.recovered,
                    "outside_timeframe_minutes": booked.outside_timeframe_minutes,
                });
                ("booked", detail)
            }
            Ok(Booking::SlotTaken { notice, .. }) => ("slot taken", faults::detail(notice)),
            Ok(Booking::Unknown { notice, .. }) => {
                settled.state = State::Unknown;
                ("unknown", faults::detail(notice))
            }
            Err(obstacle) => ("obstacle", faults::detail(obstacle)),
        };
        let kept = self
            .journal()
            .settle(&attempt.document.to_string(), settled)
            .await;
        if let Err(error) = kept {
            tracing::error!(%error, outcome, "the result of a booking could not be kept in the journal");
        }
        self.end(attempt.step, outcome, detail).await;
    }
}

impl Attempt<'_> {
    pub(super) fn booked(
        &self,
        id: &str,
        url: String,
        version: Option<String>,
        etag: String,
        recovered: bool,
    ) -> Booked {
        Booked {
            appointment: id.to_owned(),
            url,
            version,
            etag,
            document: self.document.to_string(),
            slot: self.slot.clone(),
            recovered,
            outside_timeframe_minutes: None,
            target: self.target.clone(),
        }
    }
}

/// Whether a refusal means that the slot went. Only the words of ERR-15 say so (with 409 where a Provider follows the
/// older error table, D-02); after any other conflict a fresh search has to show that the slot is gone.
fn taken(answer: &Answer) -> Taken {
    let Some(outcome) = answer.outcome.as_ref() else {
        return match answer.status {
            409 | 422 => Taken::Perhaps,
            _ => Taken::No,
        };
    };
    let hints = ["processing", "conflict"];
    match answer.status {
        409 | 422 if is_err_15(outcome) => Taken::Yes,
        409 if outcome.has_code("duplicate") => Taken::No,
        422 if hints.iter().any(|code| outcome.has_code(code)) => Taken::Perhaps,
        422 if outcome.says("no longer") => Taken::Perhaps,
        409 => Taken::Perhaps,
        _ => Taken::No,
    }
}

fn is_err_15(outcome: &Outcome) -> bool {
    outcome.issues.iter().any(|issue| {
        let words = issue.text.trim().trim_end_matches('.');
        words.eq_ignore_ascii_case(SLOT_TAKEN)
    })
}

/// A search from now until well behind the slot that went.
fn around(slot: &FreeSlot) -> SlotSearch {
    let mut search = SlotSearch::soon();
    let behind = slot.start.checked_add(SignedDuration::from_hours(24));
    search.window.until = search.window.until.max(behind.unwrap_or(slot.start));
    search
}
