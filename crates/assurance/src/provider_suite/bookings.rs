//! The test bookings of a run: which were made, and that every one of them is cancelled again.
//!
//! A cancellation counts when a read afterwards says so: a Provider that answers 200 and does not cancel would
//! otherwise be left with live bookings of patients who do not exist. When a few bookings cannot be cancelled, no more
//! slots are booked.

use crate::evidence::{Exchange, Finding, Outcome};
use serde_json::{Value, json};

use super::answer::{self, Answer, appointment_id, contained, resources, text};
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

/// Why it is not certain that a booking is not live any more.
enum NotUndone {
    /// It is live, or may be: no read says that it is cancelled.
    NotCancelled,
    /// Whether it was made could not be seen, because of this.
    NotLookedFor(String),
}

impl NotUndone {
    /// What goes into the report about `made`.
    fn finding(&self, made: &str) -> Finding {
        let (what, right) = match self {
            NotUndone::NotCancelled => (
                format!("{made} could not be cancelled"),
                "A cancellation of an appointment that this consumer made answers 200, and a read after it says cancelled; cancel it by hand now.",
            ),
            NotUndone::NotLookedFor(why) => (
                format!("{made} could not be looked for: {why}"),
                "A search for a patient's appointments gives all of them, on pages whose links lead to the last; look for it by hand now, and cancel it.",
            ),
        };
        Finding::error(&["PROV-CAN-05"], what)
            .at("status")
            .right(right)
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
            let slots = resources(&page.resource).filter(usable);
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
            if self.over().is_some() || self.undo(&made).is_err() {
                self.stuck.push(made);
            }
        }
    }

    /// Makes certain that the appointment is not live.
    fn undo(&mut self, made: &Made) -> Result<(), NotUndone> {
        match made {
            Made::Live {
                id,
                posted,
                said_cancelled,
            } => {
                let undone = self.cancel_for_certain(id, posted, *said_cancelled);
                self.cancelled += usize::from(undone);
                undone.then_some(()).ok_or(NotUndone::NotCancelled)
            }
            Made::Unclear { number, .. } => {
                for id in self.booked_for(number).map_err(NotUndone::NotLookedFor)? {
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
                Ok(())
            }
        }
    }

    /// Ids of the live appointments of a synthetic patient, over all pages. A list that is not whole says nothing about
    /// what is not on it, so the error is why it was not read to its end.
    fn booked_for(&mut self, number: &str) -> Result<Vec<String>, String> {
        let query = format!("patient.identifier={}", super::read::token(number));
        let mut request = self.appointments(&query);
        let mut live: Vec<String> = Vec::new();
        for _ in 0..MAX_PAGES {
            let exchanged = self.quiet(&request, "look for a booking whose answer was lost");
            let page = answer::read(&exchanged);
            let page = page.filter(|a| a.status == 200 && a.kind() == "Bundle");
            let next = page
                .as_ref()
                .map(|p| paging::next(&p.resource, self.target));
            let listed = page.iter().flat_map(|p| resources(&p.resource));
            for id in listed.filter_map(booked) {
                if !live.contains(&id) {
                    live.push(id);
                }
            }
            let why = match next {
                None => "the search for the patient's appointments was not answered with a list"
                    .to_owned(),
                Some(_) if live.len() > MAX_LOOKED => {
                    format!("the patient has more than {MAX_LOOKED} live appointments")
                }
                Some(None) => return Ok(live),
                Some(Some(Ok(path))) => {
                    request = self.appointments("").path(path);
                    continue;
                }
                Some(Some(Err(url))) => format!(
                    "the link to the next page of the patient's appointments leads nowhere in this Provider: `{url}`"
                ),
            };
            self.keep_untidy(&[exchanged.exchange]);
            return Err(why);
        }
        Err(format!(
            "the list of the patient's appointments goes on after {MAX_PAGES} pages"
        ))
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
            let request = self.cancel(id, &read.etag(), &body);
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
        let (mut left, mut findings) = (Vec::new(), Vec::new());
        let made = std::mem::take(&mut self.made).into_iter();
        let all: Vec<Made> = made.chain(std::mem::take(&mut self.stuck)).collect();
        for made in all {
            let undone = match self.silent > 2 * MAX_SILENT {
                true => Err(NotUndone::NotCancelled),
                false => self.undo(&made),
            };
            if let Err(why) = undone {
                findings.push(why.finding(&made.named()));
                left.push(made.named());
            }
        }
        for made in &self.stuck {
            findings.push(NotUndone::NotCancelled.finding(&made.named()));
            left.push(made.named());
        }
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

/// The id of an appointment that is live.
fn booked(appointment: &Value) -> Option<String> {
    (text(appointment, "/status") == "booked").then(|| text(appointment, "/id").to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider_suite::target::Target;
    use booking::version::StandardVersion;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// What the scripted Provider is asked for, as method and path below the root.
    type Script = fn(&str, &str) -> Value;

    /// A Provider on a real socket that answers each request on a connection of its own, as the script says.
    fn scripted(script: Script) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let root = format!("http://{}/STU3/1/FX101", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer_one(stream.unwrap(), script);
            }
        });
        root
    }

    fn answer_one(mut stream: TcpStream, script: Script) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let body = script(method, path.strip_prefix("/STU3/1/FX101").unwrap()).to_string();
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json;charset=utf-8\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).unwrap();
    }

    fn bundle(ids: std::ops::Range<usize>, next: Option<&str>) -> Value {
        let entry: Vec<Value> = ids
            .map(|n| json!({"resource": {"resourceType": "Appointment", "id": format!("a{n}"), "status": "booked"}}))
            .collect();
        let link: Vec<Value> = next
            .map(|url| json!({"relation": "next", "url": url}))
            .into_iter()
            .collect();
        json!({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry})
    }

    /// The findings and what is left after a booking whose answer was lost.
    fn after_a_lost_answer(script: Script) -> (Vec<String>, Vec<String>) {
        let target = Target::of_tests(&scripted(script));
        let mut session = Session::new(&target, StandardVersion::default()).unwrap();
        session.made.push(Made::Unclear {
            number: "9990000018".to_owned(),
            start: "2031-03-04T09:00:00+00:00".to_owned(),
        });
        session.tidy();
        let (outcome, left, _) = session.left_nothing();
        let said = outcome.findings.iter().map(|f| f.what.clone()).collect();
        (said, left)
    }

    fn is_told(script: Script, why: &str) {
        let (said, left) = after_a_lost_answer(script);
        let lost = "a booking of the slot at 2031-03-04T09:00:00+00:00 whose answer was lost";
        assert_eq!(left, [lost], "{said:?}");
        let told = format!("{lost} could not be looked for: ");
        assert!(said[0].starts_with(&told), "{said:?}");
        assert!(said[0].contains(why), "{said:?}");
    }

    /// Proves: PROV-CAN-05
    #[test]
    fn a_list_whose_next_link_is_broken_is_not_whole() {
        is_told(
            |_, _| bundle(0..0, Some("https://elsewhere.example/next")),
            "leads nowhere in this Provider: `https://elsewhere.example/next`",
        );
    }

    /// Proves: PROV-CAN-05
    #[test]
    fn a_list_that_never_ends_is_not_whole() {
        // The same page again and again.
        is_told(
            |_, _| bundle(0..1, Some("/STU3/1/FX101/Appointment?page=2")),
            "goes on after 40 pages",
        );
    }

    /// Proves: PROV-CAN-05
    #[test]
    fn a_list_of_more_appointments_than_are_looked_through_is_not_whole() {
        is_told(
            |_, path| match path.contains("page=2") {
                false => bundle(0..20, Some("/STU3/1/FX101/Appointment?page=2")),
                true => bundle(20..21, None),
            },
            "more than 20 live appointments",
        );
        is_told(|_, _| bundle(0..21, None), "more than 20 live appointments");
    }

    /// Proves: PROV-CAN-05
    #[test]
    fn what_is_no_list_says_nothing() {
        is_told(
            |_, _| json!({"resourceType": "OperationOutcome"}),
            "was not answered with a list",
        );
    }

    /// Proves: PROV-CAN-05, PROV-SLOT-20
    #[test]
    fn a_whole_list_without_the_booking_says_that_none_was_made() {
        let (said, left) = after_a_lost_answer(|_, path| match path.contains("page=2") {
            false => bundle(0..0, Some("/STU3/1/FX101/Appointment?page=2")),
            true => bundle(0..0, None),
        });
        assert_eq!((left.len(), said.len()), (0, 1), "{said:?}");
    }
}
