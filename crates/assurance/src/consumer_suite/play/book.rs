//! Bookings and cancellations, as each scenario plays them.

use booking::appointment::{BookingRequest, check_update};
use booking::ids::ResourceId;
use booking::refusal::{Refusal, Situation};
use booking::rules::{book, cancel};
use booking::wire::format::{self, Coding, Format};
use booking::wire::headers::{self, IfMatch};
use bytes::Bytes;
use fhir::{Element, Value};
use flate2::read::GzDecoder;
use std::io::Read;
use uuid::Uuid;

use super::search::unknown;
use crate::consumer_suite::MAX_BODY;
use crate::consumer_suite::asked::{Asked, Wanted};
use crate::consumer_suite::judge;
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::reply::{Given, Reply};
use crate::consumer_suite::rules::Rule;
use crate::consumer_suite::scenario::{Play, Scenario};
use crate::consumer_suite::state::{Call, MAX_IDS, Parsed, State, Stored};

/// What the simulator adds to what it stores: a consumer has to send it back when it cancels (CONS-CAN-02).
const DESK: &str = "https://simulator.example/StructureDefinition/desk";

type Answered = Result<Reply, Box<Refusal>>;

impl State {
    /// Reads a body, and judges whether it can be read.
    pub(crate) fn parse(&self, asked: &Asked, notes: &mut Notes) -> Parsed {
        let parsed = body_of(asked).and_then(|bytes| {
            let format =
                format::body_format(asked.headers.get("content-type").map(|v| v.as_bytes()));
            // A wrong Content-Type is a fault of its own; the body is read for what it looks like.
            let format = format.unwrap_or(if bytes.trim_ascii_start().starts_with(b"<") {
                Format::Xml
            } else {
                Format::Json
            });
            let limits = fhir::Limits {
                max_bytes: MAX_BODY,
                ..fhir::Limits::default()
            };
            let read = match format {
                Format::Json => fhir::json::parse(&bytes, &limits),
                Format::Xml => fhir::xml::parse(&bytes, &limits),
            };
            read.map_err(|issue| {
                Box::new(Refusal::from_issues(Situation::BodyUnreadable, &[issue]))
            })
        });
        let fault = match &parsed {
            Err(refusal) => Some(refusal.to_string()),
            Ok(parsed) => {
                let unreadable = parsed
                    .issues
                    .iter()
                    .find(|i| i.is_error() && i.stage <= fhir::Stage::Structure);
                let other = parsed.root.resource_type() != Some("Appointment");
                unreadable
                    .map(ToString::to_string)
                    .or(other.then(|| "The body is no Appointment".to_owned()))
            }
        };
        notes.fault(Rule::Body, fault);
        parsed
    }

    /// Whom a booking is for, and which slot it claims; its scenario is told by the slot.
    pub(crate) fn booking_of(
        &mut self,
        asked: &Asked,
        call: &mut Call,
        parsed: &Option<Parsed>,
        notes: &mut Notes,
    ) -> Option<(String, String)> {
        if let Wanted::Cancel { id } = &call.wanted {
            call.scenario = self.appointments.get(id).map(|s| s.service);
        }
        let (Wanted::Book, Some(Ok(parsed))) = (&call.wanted, parsed) else {
            return None;
        };
        if parsed.root.resource_type() != Some("Appointment") {
            return None;
        }
        let root = &parsed.root;
        let claimed = judge::body::slot_id(root).unwrap_or_default();
        let found = self
            .diary
            .find(&claimed)
            .map(|(service, slot)| (service.to_owned(), slot.clone()));
        call.scenario = found
            .as_ref()
            .and_then(|(service, _)| crate::consumer_suite::scenario::scenario(service));
        judge::body::judge(
            root,
            &parsed.issues,
            found.as_ref().map(|(s, slot)| (s.as_str(), slot)),
            asked.at,
            notes,
        );
        let repeated = asked
            .header("x-request-id")
            .is_some_and(|id| self.used.contains_key(id));
        if !repeated {
            self.journey(
                call.scenario,
                found.as_ref().is_some_and(|(_, slot)| slot.offered),
                notes,
            );
        }
        Some((judge::body::patient_key(root), claimed))
    }

    /// What has to go before a booking.
    fn journey(&self, scenario: Option<&'static Scenario>, offered: bool, notes: &mut Notes) {
        let searched = match scenario {
            Some(s) => self.searched.contains(s.id),
            None => !self.searched.is_empty(),
        };
        let first = notes
            .of(Rule::SearchFirst)
            .must(searched)
            .or("A slot is booked, and nobody has searched the slots of this service");
        if first {
            let what = "The slot that is booked was not in any search result";
            notes.judge(Rule::Offered, offered, what);
        }
        if let Some(s) = scenario
            && matches!(s.play, Play::SlotTaken)
            && self.tallies.get(s.id).is_some_and(|t| t.taken > 0)
        {
            let what = "The next slot is booked from the old list; it was not fetched anew after a slot was gone";
            notes.judge(Rule::AgainAfterTaken, !self.stale.contains(s.id), what);
        }
    }

    /// Answers a booking.
    pub(crate) fn book(
        &mut self,
        asked: &Asked,
        parsed: fhir::Parsed,
        call: &mut Call,
        notes: &mut Notes,
    ) -> Answered {
        let who = judge::body::patient_key(&parsed.root);
        let request = BookingRequest::read(parsed)?;
        let slot = request
            .slot
            .uuid()
            .map(|id| id.to_string())
            .unwrap_or_default();
        let snapshot = self
            .diary
            .find(&slot)
            .map(|(service, slot)| slot.snapshot(service));
        let scenario = call.scenario;
        if let Some(reply) = scenario.and_then(|s| self.instead_of_booking(s, &slot)) {
            return reply;
        }
        match book::check_claim(&request, snapshot.as_ref(), call.now) {
            Err(refusal) if refusal.situation == Situation::SlotTaken => {
                self.slot_taken(scenario);
                return Err(Box::new(refusal));
            }
            checked => checked?,
        }
        let Some(scenario) = scenario else {
            return Err(Box::new(Refusal::new(
                Situation::ReferenceUnknown,
                "The slot does not exist.",
            )));
        };
        self.make_room()?;
        let id = self.store(asked, &request, &slot, scenario, call, notes)?;
        self.trace(asked, &who, scenario, true, notes);
        match scenario.play {
            Play::BookHangs => {
                self.tally(scenario).unanswered += 1;
                if let Some(attempt) = call.serial.and_then(|s| self.attempts.get_mut(s)) {
                    attempt.made = Some(id);
                }
                Ok(Reply::Silence)
            }
            _ => Ok(self.given(&id, 201)),
        }
    }

    /// What the scenario answers in place of a booking.
    fn instead_of_booking(&mut self, scenario: &'static Scenario, slot: &str) -> Option<Answered> {
        let next_is_free = self.taken.get(scenario.id).copied().unwrap_or(false);
        match scenario.play {
            Play::BookRefused(situation) => {
                self.tally(scenario).refused += 1;
                Some(Err(Box::new(Play::refusal(situation))))
            }
            Play::BookEmpty(status) => {
                self.tally(scenario).unanswered += 1;
                Some(Ok(Reply::Empty(status)))
            }
            Play::SlotTaken if !next_is_free => {
                // Somebody else was quicker.
                if let Some((_, slot)) = self.diary.find(slot) {
                    slot.free = false;
                }
                Some(Err(Box::new(self.slot_taken(Some(scenario)))))
            }
            _ => None,
        }
    }

    fn slot_taken(&mut self, scenario: Option<&'static Scenario>) -> Refusal {
        if let Some(s) = scenario {
            self.tally(s).taken += 1;
            self.taken.insert(s.id, true);
            self.stale.insert(s.id);
        }
        Refusal::new(Situation::SlotTaken, "")
    }

    /// Stores a booking as version 1.
    fn store(
        &mut self,
        asked: &Asked,
        request: &BookingRequest,
        slot: &str,
        scenario: &'static Scenario,
        call: &Call,
        notes: &mut Notes,
    ) -> Result<String, Box<Refusal>> {
        let fault = |e: booking::ids::IdError| {
            Box::new(Refusal::new(Situation::Unexpected, "No id could be made.").log(e.to_string()))
        };
        let id = ResourceId::parse(&Uuid::new_v4().to_string()).map_err(fault)?;
        let mut document = book::booked_document(request, &id, call.now, None);
        let desk = Element::new("extension")
            .in_list()
            .with(Element::text("url", DESK))
            .with(Element::text("valueString", "Desk 2"));
        insert_before(&mut document, &["identifier", "status"], desk);
        // Bookings without document were refused before.
        let named = request.document_id.clone().unwrap_or_default();
        let fresh = self.documents.len() >= MAX_IDS || self.documents.insert(named);
        // D-61: NHS Digital's own consumer uses one UUID for all its bookings; worth knowing, no fault.
        let what = "The document's UUID is that of an earlier booking";
        notes.remark(Rule::NewDocument, fresh, what);
        if let Some((_, slot)) = self.diary.find(slot) {
            slot.free = false;
        }
        self.taken.remove(scenario.id);
        self.tally(scenario).booked += 1;
        self.remember(asked, id.as_str());
        self.appointments.insert(
            id.as_str().to_owned(),
            Stored {
                service: scenario,
                slot: slot.to_owned(),
                number: request.nhs_number.as_ref().map(|n| n.as_str().to_owned()),
                versions: vec![(document, call.now)],
                read: None,
                changed: false,
                unread_conflict: false,
            },
        );
        Ok(id.as_str().to_owned())
    }

    /// The id of a write that succeeded.
    fn remember(&mut self, asked: &Asked, made: &str) {
        if let Some(id) = asked.header("x-request-id")
            && self.used.len() < MAX_IDS
        {
            self.used.insert(id.to_owned(), made.to_owned());
        }
    }

    /// The current version of an appointment, as the answer to a write.
    fn given(&self, id: &str, status: u16) -> Reply {
        let Some((stored, (document, at))) = self
            .appointments
            .get(id)
            .and_then(|s| Some((s, s.current()?)))
        else {
            return Refusal::new(Situation::Unexpected, "The appointment is gone.").into();
        };
        let location = format!("{}/_history/{}", self.url(id), stored.version());
        Reply::Resource(Box::new(Given {
            status,
            resource: document.clone(),
            version: Some((stored.version(), *at)),
            location: Some(location.clone()),
            content_location: Some(location),
        }))
    }

    /// Answers a cancellation (PROV-CAN-01..09).
    pub(crate) fn cancel(
        &mut self,
        asked: &Asked,
        id: &str,
        parsed: fhir::Parsed,
        call: &mut Call,
        notes: &mut Notes,
    ) -> Answered {
        let now = call.now;
        let Some(stored) = self.appointments.get_mut(id) else {
            let what = "The appointment that is cancelled does not exist";
            notes.judge(Rule::CancelOwn, false, what);
            return Err(Box::new(unknown(id)));
        };
        let scenario = stored.service;
        judge::cancel::judge(stored, asked, &parsed.root, notes);
        let resource_id = ResourceId::parse(id).map_err(|_| Box::new(unknown(id)))?;
        let readable = cancel::read(parsed, &resource_id)?;
        let version = stored.version();
        is_current(asked, version)?;
        let submitted = check_update(readable)?;
        let Some((document, _)) = stored.current().cloned() else {
            return Err(Box::new(unknown(id)));
        };
        cancel::check_cancel(&document, &submitted, now)?;
        match scenario.play {
            Play::CancelRefused(situation) => {
                self.tally(scenario).refused_cancels += 1;
                return Err(Box::new(Play::refusal(situation)));
            }
            Play::CancelEmpty(status) => {
                self.tally(scenario).unanswered_cancels += 1;
                return Ok(Reply::Empty(status));
            }
            Play::CancelMeetsChange(situation) if !stored.changed => {
                (stored.changed, stored.unread_conflict) = (true, true);
                stored
                    .versions
                    .push((changed(&document, version + 1, now), now));
                let version = stored.version();
                self.tally(scenario).conflicts += 1;
                return Err(Box::new(conflict(situation, version)));
            }
            _ => {}
        }
        stored
            .versions
            .push((cancel::cancelled_document(&document, version + 1, now), now));
        let slot = stored.slot.clone();
        if let Some((_, slot)) = self.diary.find(&slot) {
            slot.free = true;
        }
        self.tally(scenario).cancelled += 1;
        self.remember(asked, id);
        if scenario.play == Play::CancelHangs {
            self.tally(scenario).unanswered_cancels += 1;
            return Ok(Reply::Silence);
        }
        Ok(self.given(id, 200))
    }

    /// What should have followed, and did not, when the run ends.
    pub(crate) fn unfinished(&mut self) {
        let lost: Vec<bool> = self
            .attempts
            .lost()
            .filter(|a| a.writes())
            .map(|a| a.appointment().is_some())
            .collect();
        for cancel in lost {
            let what = match cancel {
                true => {
                    "A cancellation whose answer was lost was neither sent again nor looked after"
                }
                false => {
                    "A booking whose answer was lost was neither sent again nor looked for: the patient may hold a booking that nobody knows of"
                }
            };
            self.ledger.late(Rule::Recovers, Some(what));
        }
        let unread = self
            .appointments
            .values()
            .filter(|s| s.unread_conflict)
            .count();
        let what = "After the cancellation met another version the appointment was not read again";
        for _ in 0..unread {
            self.ledger.late(Rule::RereadsConflict, Some(what));
        }
    }
}

/// `If-Match` is there (412) and names the current version (409).
fn is_current(asked: &Asked, version: u32) -> Result<(), Box<Refusal>> {
    match headers::read_if_match(asked) {
        IfMatch::Version(given) if given == version.to_string() => Ok(()),
        IfMatch::Missing => Err(Box::new(
            Refusal::new(Situation::VersionMissing, "The header If-Match is missing.")
                .location("http.If-Match"),
        )),
        IfMatch::Version(_) | IfMatch::Malformed(_) => {
            Err(Box::new(conflict(Situation::VersionConflict, version)))
        }
    }
}

fn conflict(situation: Situation, current: u32) -> Refusal {
    let said = format!(
        "The appointment is at version {current}: read it again, and send its ETag W/\"{current}\"."
    );
    Refusal::new(situation, said).location("http.If-Match")
}

/// The next version as somebody else has made it: a remark was added, the booking is the same.
fn changed(document: &Element, version: u32, now: jiff::Timestamp) -> Element {
    let mut next = cancel::cancelled_document(document, version, now);
    if let Some(status) = next.get_mut("status") {
        status.set_value(Some(Value::String("booked".into())));
    }
    next.remove("comment");
    insert_before(
        &mut next,
        &["incomingReferral", "participant"],
        Element::text("comment", "Please come ten minutes early."),
    );
    next
}

/// Puts a child before the first of these.
fn insert_before(parent: &mut Element, names: &[&str], child: Element) {
    let children = parent.children_mut();
    let at = children
        .iter()
        .position(|c| names.contains(&c.name()))
        .unwrap_or(children.len());
    children.insert(at, child);
}

/// The body, decoded (PROV-GEN-13), within its bound.
fn body_of(asked: &Asked) -> Result<Bytes, Box<Refusal>> {
    use booking::wire::headers::Headers as _;
    let plain = match format::content_coding(&asked.values("content-encoding"))? {
        Coding::Identity => return Ok(asked.body.clone()),
        Coding::Gzip => {
            let mut plain = Vec::new();
            let most = MAX_BODY as u64 + 1;
            let read = GzDecoder::new(&asked.body[..])
                .take(most)
                .read_to_end(&mut plain);
            read.map_err(|_| {
                Box::new(Refusal::new(
                    Situation::BodyUnreadable,
                    "The body is not gzip, though Content-Encoding says so.",
                ))
            })?;
            plain
        }
    };
    match plain.len() > MAX_BODY {
        true => Err(Box::new(Refusal::new(
            Situation::BodyTooLarge,
            format!("A body has at most {MAX_BODY} bytes."),
        ))),
        false => Ok(Bytes::from(plain)),
    }
}
