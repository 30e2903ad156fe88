//! The test bookings of a run: which were made, and that every one of them is cancelled again.
//!
//! A cancellation counts when a read afterwards says so: a Provider that answers 200 and does not cancel would
//! otherwise be left with live bookings of patients who do not exist. When a few bookings cannot be cancelled, no more
//! slots are booked.

use crate::evidence::{Exchange, Finding, Outcome};
use booking::systems;
use serde_json::{Value, json};

use super::answer::{self, Answer, appointment_id, contained, list, text};
use super::messages;
use super::paging::{self, MAX_PAGES};
use super::query::{Window, window};
use super::request::Request;
use super::session::{MAX_SILENT, Session};
use super::watch::Watch;
use super::wire::Exchanged;

/// How far ahead free slots are looked for.
pub(super) const DAYS_AHEAD: i64 = 14;
/// Most appointments of one synthetic patient that are looked through after a lost answer.
const MAX_LOOKED: usize = 20;
/// So many bookings that could not be cancelled, and nothing more is booked.
const MAX_STUCK: usize = 3;
/// Most exchanges of clearing up that are kept as evidence; more would repeat it.
const MAX_UNTIDY: usize = 20;

/// An appointment that this run made, or may have made.
#[derive(Clone, Debug)]
pub(super) enum Made {
    /// It was made.
    Live {
        id: String,
        posted: Value,
        /// A cancellation was answered with the cancelled appointment.
        said_cancelled: bool,
    },
    /// The answer was lost: it may be there, under this NHS number.
    Unclear { number: String, start: String },
}

impl Made {
    fn named(&self) -> String {
        match self {
            Made::Live { id, .. } => format!("Appointment/{id}"),
            Made::Unclear { start, .. } => {
                format!("a booking of the slot at {start} whose answer was lost")
            }
        }
    }
}

/// What a read says about an appointment.
enum Stands {
    Cancelled,
    /// There is no such appointment (any more).
    Gone,
    Live(Box<Answer>),
    /// The read was not answered, or with something else.
    Unknown,
}

/// True if this answer is the appointment of this id, cancelled.
pub(super) fn says_cancelled(a: &Answer, id: &str) -> bool {
    a.status == 200
        && a.kind() == "Appointment"
        && text(&a.resource, "/id") == id
        && text(&a.resource, "/status") == "cancelled"
}

impl Session<'_> {
    /// Keeps account of what was made and what was said to be cancelled.
    pub(super) fn remember(&mut self, request: &Request, exchanged: &Exchanged) {
        if let ("PUT", Some(id)) = (
            request.method.as_str(),
            request.path.strip_prefix("/Appointment/"),
        ) {
            if answer::read(exchanged).is_some_and(|a| says_cancelled(&a, id)) {
                self.said_cancelled(id);
            }
            return;
        }
        if request.method != "POST" || !request.path.starts_with("/Appointment") {
            return;
        }
        let status = exchanged.received.as_ref().map(|r| r.status);
        let answer = answer::read(exchanged);
        let posted = posted(request);
        let named = answer.and_then(|a| appointment_id(&a.resource, a.header("location")));
        let known = |id: &String| {
            let mut all = self.made.iter().chain(&self.stuck);
            all.any(|m| matches!(m, Made::Live { id: live, .. } if live == id))
        };
        match (status, named) {
            // A repeat that was answered with the first booking made nothing new.
            (Some(200..=299), Some(id)) if known(&id) => {}
            (Some(200..=299), Some(id)) => {
                self.booked += 1;
                self.made.push(Made::Live {
                    id,
                    posted,
                    said_cancelled: false,
                });
            }
            (Some(200..=299 | 500..) | None, _) => self.perhaps_made(exchanged, &posted),
            _ => {}
        }
    }

    fn said_cancelled(&mut self, cancelled: &str) {
        for made in &mut self.made {
            if let Made::Live {
                id, said_cancelled, ..
            } = made
                && id == cancelled
            {
                *said_cancelled = true;
            }
        }
    }

    /// A booking that was sent and not answered with an appointment.
    fn perhaps_made(&mut self, exchanged: &Exchanged, posted: &Value) {
        let number = text(contained(posted, "Patient"), "/identifier/0/value");
        let broken = exchanged.exchange.broken.as_deref().unwrap_or_default();
        let sent = exchanged.exchange.status.is_some() || !broken.starts_with("no connection");
        if sent && !number.is_empty() {
            self.made.push(Made::Unclear {
                number: number.to_owned(),
                start: text(posted, "/start").to_owned(),
            });
        }
    }

    /// A free slot that no other test of this run has; the reason when there is none.
    pub(super) fn take_slot(&mut self) -> Result<Value, String> {
        if self.stuck.len() >= MAX_STUCK {
            return Err(format!(
                "{} test bookings could not be cancelled, so nothing more is booked; see NothingLeftBehind",
                self.stuck.len()
            ));
        }
        if self.free.is_empty() {
            self.find_free();
        }
        let slot = self.free.pop_front().ok_or_else(|| {
            let service = self.target.service.as_str();
            format!("service {service} has no (more) free slot from tomorrow on")
        })?;
        self.given.insert(text(&slot, "/id").to_owned());
        Ok(slot)
    }

    /// Searches for free slots over all pages.
    pub(super) fn find_free(&mut self) {
        let service = self.target.service.as_str();
        let query = window(service, Window::days(1, DAYS_AHEAD), "free");
        let mut request = self.search(&query);
        for _ in 0..MAX_PAGES {
            let exchanged = self.exchange(&request, "find free slots");
            let Some(page) = answer::read(&exchanged) else {
                return;
            };
            let usable = |slot: &&Value| {
                text(slot, "/resourceType") == "Slot"
                    && text(slot, "/status") == "free"
                    && !text(slot, "/id").is_empty()
                    && !self.given.contains(text(slot, "/id"))
                    && !self
                        .free
                        .iter()
                        .any(|known| text(known, "/id") == text(slot, "/id"))
            };
            let slots = list(&page.resource, "/entry").iter();
            let slots = slots.filter_map(|e| e.get("resource")).filter(usable);
            let slots: Vec<Value> = slots.cloned().collect();
            let found = !slots.is_empty();
            self.free.extend(slots);
            match paging::next(&page.resource, self.target) {
                // A page without a slot that is new leads nowhere new.
                Some(Ok(path)) if found => request = self.search("").path(path),
                _ => return,
            }
        }
    }

    /// Cancels what the running test has booked. What could not be cancelled is tried once more at the end.
    pub(super) fn tidy(&mut self) {
        for made in std::mem::take(&mut self.made) {
            if self.over().is_some() || !self.undo(&made) {
                self.stuck.push(made);
            }
        }
    }

    /// True when it is certain that the appointment is not live.
    fn undo(&mut self, made: &Made) -> bool {
        match made {
            Made::Live {
                id,
                posted,
                said_cancelled,
            } => {
                let undone = self.cancel_for_certain(id, posted, *said_cancelled);
                self.cancelled += usize::from(undone);
                undone
            }
            Made::Unclear { number, .. } => {
                let Some(all) = self.booked_for(number) else {
                    return false;
                };
                for id in all {
                    self.booked += 1;
                    match self.cancel_for_certain(&id, &Value::Null, false) {
                        true => self.cancelled += 1,
                        false => self.stuck.push(Made::Live {
                            id,
                            posted: Value::Null,
                            said_cancelled: false,
                        }),
                    }
                }
                true
            }
        }
    }

    /// Ids of the live appointments of a synthetic patient, over all pages; none if the search was not answered.
    fn booked_for(&mut self, number: &str) -> Option<Vec<String>> {
        let system = systems::NHS_NUMBER.replace(':', "%3A").replace('/', "%2F");
        let mut request = self.appointments(&format!("patient.identifier={system}%7C{number}"));
        let mut live = Vec::new();
        for _ in 0..MAX_PAGES {
            let exchanged = self.quiet(&request, "look for a booking whose answer was lost");
            let page = answer::read(&exchanged).filter(|a| a.status == 200);
            let Some(page) = page else {
                self.keep_untidy(&[exchanged.exchange]);
                return None;
            };
            let found = list(&page.resource, "/entry").iter();
            let found = found
                .filter_map(|e| e.get("resource"))
                .filter(|a| text(a, "/status") == "booked")
                .map(|a| text(a, "/id").to_owned());
            live.extend(found.take(MAX_LOOKED));
            match paging::next(&page.resource, self.target) {
                Some(Ok(path)) if live.len() < MAX_LOOKED => {
                    request = self.appointments("").path(path);
                }
                _ => break,
            }
        }
        Some(live)
    }

    /// Cancels an appointment unless a read says that it is cancelled, and reads again. What was sent in vain is kept
    /// as evidence.
    fn cancel_for_certain(&mut self, id: &str, posted: &Value, mut said: bool) -> bool {
        let mut kept = Vec::new();
        let mut tries = 0;
        let undone = loop {
            let (stands, exchange) = self.stands(id);
            kept.push(exchange);
            let read = match stands {
                Stands::Cancelled => break true,
                // Not readable any more, and said to be cancelled: it is not live.
                Stands::Gone => break said,
                Stands::Unknown => break false,
                Stands::Live(read) => read,
            };
            let body = match tries {
                0 => messages::with(read.resource.clone(), "/status", json!("cancelled")),
                1 => messages::cancelled(posted, &read.resource),
                _ => break false,
            };
            tries += 1;
            let version = || format!("W/\"{}\"", text(&read.resource, "/meta/versionId"));
            let etag = read.header("etag").map_or_else(version, str::to_owned);
            let request = self.cancel(id, &etag, &body);
            let exchanged = self.quiet(&request, "cancel a test booking");
            said |= answer::read(&exchanged).is_some_and(|a| says_cancelled(&a, id));
            kept.push(exchanged.exchange);
        };
        if !undone {
            self.keep_untidy(&kept);
        }
        undone
    }

    /// Reads an appointment of this run.
    fn stands(&mut self, id: &str) -> (Stands, Exchange) {
        let request = self.read(id);
        let exchanged = self.quiet(&request, "read whether a test booking is live");
        let stands = match answer::read(&exchanged) {
            Some(a) if says_cancelled(&a, id) => Stands::Cancelled,
            Some(a) if matches!(a.status, 404 | 410) => Stands::Gone,
            Some(a)
                if a.status == 200
                    && a.kind() == "Appointment"
                    && text(&a.resource, "/id") == id =>
            {
                Stands::Live(Box::new(a))
            }
            _ => Stands::Unknown,
        };
        (stands, exchanged.exchange)
    }

    fn keep_untidy(&mut self, exchanges: &[Exchange]) {
        let room = MAX_UNTIDY.saturating_sub(self.untidy.len());
        for exchange in exchanges.iter().take(room) {
            let mut exchange = exchange.clone();
            self.bounded(&mut exchange);
            self.untidy.push(exchange);
        }
    }

    /// An exchange of clearing up: judged by no rule.
    pub(super) fn quiet(&mut self, request: &Request, purpose: &str) -> Exchanged {
        let mut exchanged = self.wire.exchange(request);
        purpose.clone_into(&mut exchanged.exchange.purpose);
        match &exchanged.received {
            Some(_) => self.silent = 0,
            None => self.silent += 1,
        }
        exchanged
    }

    /// The last test: nothing of this run is left. Tells what could not be cancelled.
    pub(super) fn left_nothing(mut self) -> (Outcome, Vec<String>, Watch) {
        // Even a server that was given up gets one more chance to let go of the test bookings.
        let mut left = Vec::new();
        let made = std::mem::take(&mut self.made).into_iter();
        let all: Vec<Made> = made.chain(std::mem::take(&mut self.stuck)).collect();
        for made in all {
            if self.silent > 2 * MAX_SILENT || !self.undo(&made) {
                left.push(made.named());
            }
        }
        left.extend(self.stuck.iter().map(Made::named));
        let mut findings: Vec<Finding> = left
            .iter()
            .map(|name| {
                Finding::error(&["PROV-CAN-05"], format!("{name} could not be cancelled"))
                    .at("status")
                    .right("A cancellation of an appointment that this consumer made answers 200, and a read after it says cancelled; cancel it by hand now.")
            })
            .collect();
        let (booked, cancelled) = (self.booked, self.cancelled.min(self.booked));
        let told = format!(
            "{booked} test bookings were made; a read says of {cancelled} that they are cancelled"
        );
        findings.push(Finding::note(&["PROV-CAN-05"], told));
        let outcome = Outcome::tried(
            "NothingLeftBehind",
            "No test booking is left live",
            &["P31", "PROV-CAN-05"],
            findings,
            std::mem::take(&mut self.untidy),
        );
        (outcome, left, self.watch)
    }
}

/// The booking in a request, whatever its format; null if it holds none.
fn posted(request: &Request) -> Value {
    let body = request.body.as_deref().unwrap_or_default();
    let limits = fhir::Limits::default();
    serde_json::from_slice(body)
        .ok()
        .or_else(|| {
            let parsed = fhir::xml::parse(body, &limits).ok()?;
            serde_json::from_slice(&fhir::json::write(&parsed.root)).ok()
        })
        .unwrap_or(Value::Null)
}
