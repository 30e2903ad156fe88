//! Books a slot (CONS-BOOK-01..06).
//!
//! A result is `Booked` only if the answer proves to be the requested booking. For a taken slot a fresh search is shown. If
//! the outcome is open, the booking is looked for, and reported as not certain until it is found.

use super::appointment::AppointmentShown;
use super::booked::Booked;
use super::find_booking::{NotFound, of_body};
use super::identity::{Expected, Proven, SlotKey, Status, Unproven};
use super::outcome::{Posted, Taken, posted, taken};
use super::progress::PendingChange;
use super::same_booking::digest;
use super::search::SlotSearch;
use super::timeframe::Cleared;
use super::{Consultation, Target, faults};
use crate::journal::{BookingRow, KnownBooking, Replaced, Settled, State, StepId, Told};
use crate::obstacle::Obstacle;
use crate::plan::{self, BookingDetails, Ids, Request};
use crate::slots::{FreeSlot, SlotList};
use crate::transport::{Answer, Delivery};
use booking::foreign::Foreign;
use booking::ids::RequestId;
use booking::instant::london;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

/// The outcome of a booking.
#[derive(Clone, Debug)]
pub enum Booking {
    /// Booked.
    Booked(Box<Booked>),
    /// Somebody else was faster. The list is fresh, for another choice (CONS-BOOK-04).
    SlotTaken {
        /// The message for the user.
        notice: Obstacle,
        /// The slots free now, or why they are unknown.
        refreshed: Result<SlotList, Obstacle>,
    },
    /// It is uncertain whether it is booked; the user has to call the service (CONS-BOOK-05).
    Unknown {
        /// The message for the user.
        notice: Obstacle,
        /// UUID of the document under which the journal records it.
        document: String,
    },
}

/// The requested booking.
struct Order<'a> {
    target: &'a Target,
    slot: &'a FreeSlot,
    details: &'a BookingDetails,
    document: Uuid,
    replaces: Option<Replaced>,
    /// The journal's row of an earlier try, which is repeated under its `X-Request-ID`.
    earlier: Option<&'a KnownBooking>,
}

/// A booking under way.
pub(super) struct Attempt<'a> {
    pub target: &'a Target,
    pub slot: &'a FreeSlot,
    pub document: Uuid,
    pub request: Request,
    pub step: StepId,
    asked_at: Timestamp,
    expected: Expected,
    /// True when an earlier try may have succeeded. Then a refusal of this one proves nothing.
    earlier: bool,
}

/// The outcome of an attempt, with data for the journal.
struct Ended {
    result: Result<Booking, Obstacle>,
    /// What speaks against the booking, if the outcome is open.
    question: Option<String>,
    /// Where an open booking may be.
    pointer: Option<(String, String)>,
}

impl From<Result<Booking, Obstacle>> for Ended {
    fn from(result: Result<Booking, Obstacle>) -> Ended {
        Ended {
            result,
            question: None,
            pointer: None,
        }
    }
}

impl Consultation {
    /// Books a slot. `cleared` proves that the timeframe was checked ([`super::timeframe::clear`]). `Err`: nothing was
    /// booked.
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

    /// Books a slot under a given document id, in place of the appointment in `replaces`, if any.
    pub async fn book_as(
        &self,
        target: &Target,
        slot: &FreeSlot,
        details: &BookingDetails,
        cleared: &Cleared,
        document: Uuid,
        replaces: Option<Replaced>,
    ) -> Result<Booking, Obstacle> {
        let order = Order {
            target,
            slot,
            details,
            document,
            replaces,
            earlier: None,
        };
        self.order(order, cleared).await
    }

    /// Repeats a booking of uncertain outcome: the same message under the same `X-Request-ID`. This finds the first one or
    /// makes it, so that there is exactly one (D-53). The caller has checked that the booking is the same ([`is_same_booking`]).
    pub async fn book_again(
        &self,
        target: &Target,
        known: &KnownBooking,
        slot: &FreeSlot,
        details: &BookingDetails,
        cleared: &Cleared,
    ) -> Result<Booking, Obstacle> {
        let document = Uuid::parse_str(&known.document).map_err(|e| faults::damaged(&e))?;
        let order = Order {
            target,
            slot,
            details,
            document,
            replaces: None,
            earlier: Some(known),
        };
        self.order(order, cleared).await
    }

    async fn order(&self, order: Order<'_>, cleared: &Cleared) -> Result<Booking, Obstacle> {
        let step = self.begin("book", Some(&order.target.service)).await?;
        let attempt = match self.prepare(order, cleared, step).await {
            Ok(attempt) => attempt,
            Err(obstacle) => return self.ended(step, obstacle).await,
        };
        let document = attempt.document.to_string();
        self.journey
            .leaves(PendingChange::Booking(document.clone()));
        let (delivery, asked_at) = self.send_booking(&attempt).await;
        let mut ended = self.result(&attempt, delivery).await;
        let recorded = self.keep(&attempt, &ended, asked_at, cleared).await;
        match &ended.result {
            // It stays open.
            Ok(Booking::Unknown { .. }) => {}
            Ok(Booking::Booked(_)) => self.journey.arrived(Some(&document)),
            _ => self.journey.arrived(None),
        }
        if let Ok(Booking::Booked(booked)) = &mut ended.result {
            booked.outside_timeframe_minutes = cleared.minutes;
            booked.recorded = recorded;
        }
        ended.result
    }

    /// All before sending: checks, the document's id, the record of the attempt (CONS-BOOK-01).
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
            earlier,
        } = order;
        if !cleared.covers(&self.encounter, slot) {
            return Err(faults::not_cleared());
        }
        let now = Timestamp::now();
        details
            .check(now.to_zoned(london()).date())
            .map_err(|e| faults::details(&e))?;
        // The journal keeps milliseconds, and a repeat has to produce the same message.
        let written_at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let written_at = earlier.map_or(written_at, |e| e.written_at);
        let mut ids = Ids::new();
        if let Some(id) = earlier.and_then(|e| RequestId::parse(&e.request_id).ok()) {
            ids.request = id;
        }
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self.journey.plan_as(&route, ids, |s| {
            plan::book::written(s, &slot.claim, details, document, written_at)
        })?;
        let number = details.patient.number();
        match earlier {
            Some(_) => {
                let (id, document) = (request.ids.request.as_str(), document.to_string());
                let open = self.journal().asked_again(&document, id, now).await;
                // Without a record the booking could not be found again, so it is not made.
                if !open.map_err(faults::journal)? {
                    return Err(faults::other_booking(&document));
                }
            }
            None => {
                let row = BookingRow {
                    document: document.to_string(),
                    encounter: self.encounter.id.clone(),
                    service: target.service.as_str().to_owned(),
                    asid: target.asid.as_str().to_owned(),
                    root: route.root.clone(),
                    request_id: request.ids.request.as_str().to_owned(),
                    nhs_number: number.clone(),
                    claim: slot.claim.clone(),
                    start: slot.start,
                    end: slot.end,
                    at: written_at,
                    details_digest: Some(digest(&document.to_string(), details)),
                    replaces,
                    told: told_of(target, slot),
                    outside_minutes: cleared.minutes,
                    approver: cleared.confirmation.approver.clone(),
                    patient_agreed: cleared.confirmation.patient_agreed,
                };
                self.requested(row, details).await?;
            }
        }
        let key = SlotKey {
            id: slot.claim.id.clone(),
            identifier: slot
                .claim
                .identifier
                .as_ref()
                .map(|(_, value)| value.clone()),
        };
        Ok(Attempt {
            target,
            slot,
            document,
            request,
            step,
            asked_at: now,
            expected: Expected::booking(document, number.as_ref(), slot.start, slot.end, key),
            earlier: earlier.is_some(),
        })
    }

    /// Sends the booking. If the Provider refuses JSON, sends XML: a changed request with a new id, which the journal
    /// records first. Also returns the time of the last request.
    async fn send_booking(&self, attempt: &Attempt<'_>) -> (Delivery, Timestamp) {
        let transport = &self.journey.inner.transport;
        let document = attempt.document.to_string();
        let (step, first) = (attempt.step, &attempt.request);
        let delivery = transport.send_booking(first, step, &document).await;
        match (&delivery, first.in_xml()) {
            (Ok(answer), Some(other)) if self.may_change_format(attempt, answer).await => {
                let id = other.ids.request.as_str();
                let now = Timestamp::now();
                match self.journal().asked_again(&document, id, now).await {
                    Ok(true) => (transport.send_booking(&other, step, &document).await, now),
                    Ok(false) => (delivery, attempt.asked_at),
                    Err(error) => {
                        tracing::error!(%error, "the booking in XML could not be noted, so it was not sent");
                        (delivery, attempt.asked_at)
                    }
                }
            }
            _ => (delivery, attempt.asked_at),
        }
    }

    /// Whether the Provider refuses JSON and certainly did nothing.
    async fn may_change_format(&self, attempt: &Attempt<'_>, answer: &Answer) -> bool {
        answer.status == 415
            && match posted(answer) {
                Posted::Refused => true,
                Posted::Unsaid => {
                    let found = self.find_by_answer(attempt, Some(answer)).await;
                    found.is_err_and(|not| not.is_absent())
                }
                _ => false,
            }
    }

    async fn result(&self, attempt: &Attempt<'_>, delivery: Delivery) -> Ended {
        let stage = faults::Stage::Book;
        let answer = match delivery {
            Ok(answer) => answer,
            Err(mut lost) => {
                lost.uncertain |= attempt.earlier;
                let obstacle = faults::undelivered(&lost, stage, attempt.target);
                return match lost.uncertain {
                    true => self.find_out(attempt, None, None, obstacle).await,
                    false => Err(obstacle).into(),
                };
            }
        };
        match posted(&answer) {
            Posted::Created => match attempt.by_body(self, &answer) {
                Ok(proven) => Ok(attempt.booked(*proven, false)).into(),
                Err(unproven) => {
                    let obstacle = faults::malformed(&answer, stage, attempt.target);
                    self.find_out(attempt, Some(&answer), unproven, obstacle)
                        .await
                }
            },
            Posted::Open | Posted::Unsaid => {
                let unproven = attempt.by_body(self, &answer).err().flatten();
                let obstacle = faults::open(&answer, attempt.target);
                self.find_out(attempt, Some(&answer), unproven, obstacle)
                    .await
            }
            Posted::Refused | Posted::Contested if attempt.earlier => {
                let obstacle = faults::open(&answer, attempt.target);
                self.find_out(attempt, Some(&answer), None, obstacle).await
            }
            Posted::Refused => self.refused(attempt, &answer).await,
            Posted::Contested => self.contested(attempt, &answer).await,
        }
    }

    /// A refusal. If the answer has or names an appointment all the same, that is read first.
    async fn refused(&self, attempt: &Attempt<'_>, answer: &Answer) -> Ended {
        let named = answer.location.is_some() || answer.resource_of("Appointment").is_some();
        if named {
            let obstacle = faults::open(answer, attempt.target);
            let ended = self.find_out(attempt, Some(answer), None, obstacle).await;
            if matches!(ended.result, Ok(Booking::Booked(_))) {
                return ended;
            }
        }
        Err(faults::refused(answer, faults::Stage::Book, attempt.target)).into()
    }

    /// 409 or 422: the slot is taken, or the request was duplicated on the way, or it is refused.
    async fn contested(&self, attempt: &Attempt<'_>, answer: &Answer) -> Ended {
        let said = taken(answer);
        let pointers = self.pointed_to(&attempt.target.booking_root, answer);
        // If the request was duplicated on the way, our own booking is in the way.
        if said != Taken::No || !pointers.is_empty() || answer.unsaid {
            let found = self.find_by_answer(attempt, Some(answer)).await;
            let unsaid = answer.unsaid && !attempt.lacks(&found);
            match found {
                Ok(proven) => return Ok(attempt.booked(*proven, true)).into(),
                Err(not) => {
                    let ours = not.unproven.as_ref().is_some_and(|u| !u.is_other());
                    if said == Taken::Repeat || not.unread || ours || unsaid {
                        let obstacle = faults::open(answer, attempt.target);
                        return self.unknown(attempt, Some(answer), not.unproven, obstacle);
                    }
                }
            }
        }
        let refusal = || faults::refused(answer, faults::Stage::Book, attempt.target);
        let refreshed = match said {
            Taken::No | Taken::Repeat => return Err(refusal()).into(),
            Taken::Yes | Taken::Perhaps => {
                self.slots(attempt.target, SlotSearch::around(attempt.slot.start))
                    .await
            }
        };
        let gone = |list: &SlotList| list.lacks(&attempt.slot.id);
        match said == Taken::Yes || refreshed.as_ref().is_ok_and(gone) {
            true => Ok(Booking::SlotTaken {
                notice: faults::slot_taken(&attempt.target.service),
                refreshed,
            })
            .into(),
            false => Err(refusal()).into(),
        }
    }

    /// Reads the appointments that an answer names, then the patient's.
    async fn find_by_answer(
        &self,
        attempt: &Attempt<'_>,
        answer: Option<&Answer>,
    ) -> Result<Box<Proven>, NotFound> {
        let root = &attempt.target.booking_root;
        let pointers = answer.map(|a| self.pointed_to(root, a)).unwrap_or_default();
        self.find_booking(attempt.target, &attempt.expected, &pointers, attempt.step)
            .await
    }

    /// Looks for the booking after an open answer. What cannot be found out stays unknown (CONS-BOOK-05). A refusal without
    /// the Standard's words and a complete list without the booking together prove that it was not made (D-62).
    async fn find_out(
        &self,
        attempt: &Attempt<'_>,
        answer: Option<&Answer>,
        unproven: Option<Box<Unproven>>,
        obstacle: Obstacle,
    ) -> Ended {
        let found = self.find_by_answer(attempt, answer).await;
        let ours = unproven.as_ref().is_some_and(|u| !u.is_other());
        if let Some(answer) = answer.filter(|a| posted(a) == Posted::Unsaid)
            && !attempt.earlier
            && !ours
            && attempt.lacks(&found)
        {
            return Err(faults::refused(answer, faults::Stage::Book, attempt.target)).into();
        }
        match found {
            Ok(proven) => {
                // A 201 with only a location is a complete answer.
                let plain = answer.is_some_and(|a| a.status == 201) && unproven.is_none();
                Ok(attempt.booked(*proven, !plain)).into()
            }
            Err(not) => {
                let telling = match (not.unproven, unproven) {
                    (Some(seen), _) if !seen.is_other() => Some(seen),
                    (seen, said) => said.or(seen),
                };
                self.unknown(attempt, answer, telling, obstacle)
            }
        }
    }

    fn unknown(
        &self,
        attempt: &Attempt<'_>,
        answer: Option<&Answer>,
        unproven: Option<Box<Unproven>>,
        obstacle: Obstacle,
    ) -> Ended {
        let question = unproven.map(|u| u.plain()).filter(|q| !q.is_empty());
        tracing::error!(
            service = %attempt.target.service,
            asid = %attempt.target.asid,
            request_id = %attempt.request.ids.request,
            document = %attempt.document,
            question,
            "the state of a booking is unknown"
        );
        let root = &attempt.target.booking_root;
        let pointer = answer.and_then(|a| self.pointed_to(root, a).into_iter().next());
        Ended {
            result: Ok(Booking::Unknown {
                notice: faults::unknown_state(attempt, question.as_deref(), obstacle),
                document: attempt.document.to_string(),
            }),
            question,
            pointer: pointer.map(|at| (at.id.as_str().to_owned(), at.url)),
        }
    }

    /// Records the outcome. False: the journal could not be written.
    async fn keep(
        &self,
        attempt: &Attempt<'_>,
        ended: &Ended,
        asked_at: Timestamp,
        cleared: &Cleared,
    ) -> bool {
        let mut settled = Settled {
            asked_at: Some(asked_at),
            ..Settled::without_appointment(State::Failed, ended.question.clone())
        };
        let (outcome, detail) = match &ended.result {
            Ok(Booking::Booked(booked)) => {
                settled = Settled {
                    asked_at: Some(asked_at),
                    ..booked.proven.appointment().settled(State::Booked)
                };
                let detail = json!({
                    "appointment": booked.appointment, "url": booked.url, "version": booked.version,
                    "document": booked.document, "slot": booked.slot.id, "recovered": booked.recovered,
                    "outside_timeframe_minutes": cleared.minutes,
                });
                ("booked", detail)
            }
            Ok(Booking::SlotTaken { notice, .. }) => ("slot taken", faults::detail(notice)),
            Ok(Booking::Unknown { notice, .. }) => {
                settled.state = State::Unknown;
                (settled.appointment, settled.url) = ended.pointer.clone().unzip();
                ("unknown", faults::detail(notice))
            }
            Err(obstacle) => ("obstacle", faults::detail(obstacle)),
        };
        let kept = self
            .journal()
            .settle(&attempt.document.to_string(), settled)
            .await;
        if let Err(error) = &kept {
            tracing::error!(%error, outcome, "the result of a booking could not be kept in the journal");
        }
        self.end(attempt.step, outcome, detail).await;
        kept.is_ok()
    }
}

impl Attempt<'_> {
    /// What the body of an answer proves. `Err(None)`: it has no Appointment.
    fn by_body(
        &self,
        consultation: &Consultation,
        answer: &Answer,
    ) -> Result<Box<Proven>, Option<Box<Unproven>>> {
        let root = &self.target.booking_root;
        let resource = answer.resource_of("Appointment").ok_or(None)?;
        let at = consultation
            .own_url(answer, root)
            .or_else(|| of_body(answer, root));
        let at = at.ok_or(None)?;
        let shown = AppointmentShown::of(resource.clone(), &at.id, answer.etag.as_deref(), at.url);
        let judged = self
            .expected
            .at(at.id.as_str())
            .judge(shown, Status::Booked);
        judged.map(Box::new).map_err(|u| Some(Box::new(u)))
    }

    /// Whether the search proves that the booking does not exist. Services leave out past appointments (PROV-SRCH-02).
    fn lacks(&self, found: &Result<Box<Proven>, NotFound>) -> bool {
        found.as_ref().is_err_and(NotFound::is_absent) && self.slot.start > Timestamp::now()
    }

    fn booked(&self, proven: Proven, recovered: bool) -> Booking {
        let booked = Booked::of(
            proven,
            self.document.to_string(),
            self.slot.clone(),
            self.target,
        );
        Booking::Booked(Box::new(Booked {
            recovered,
            ..booked
        }))
    }
}

/// What the user was shown of a slot.
fn told_of(target: &Target, slot: &FreeSlot) -> Told {
    let place = slot.place.as_ref().map(|place| {
        let parts = [&place.name, &place.address].into_iter().flatten();
        parts.map(Foreign::to_string).collect::<Vec<_>>().join(", ")
    });
    let clinician = slot.clinician.as_ref().map(|c| {
        let parts = [&c.name, &c.role].into_iter().flatten();
        parts.map(Foreign::to_string).collect::<Vec<_>>().join(", ")
    });
    Told {
        service: slot.service.clone().or_else(|| target.name.clone()),
        place: place.filter(|p| !p.is_empty()).map(Foreign::from),
        clinician: clinician.filter(|c| !c.is_empty()).map(Foreign::from),
    }
}
