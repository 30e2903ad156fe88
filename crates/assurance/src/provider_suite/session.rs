//! What the tests of one run share: the wire, the free slots, the bookings that still have to be cancelled.

use crate::evidence::{Body, Exchange, Finding, Outcome};
use booking::systems;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::answer::{self, Answer, appointment_id, contained, list, text};
use super::messages::{self, uuid};
use super::query::{Window, window};
use super::request::Request;
use super::target::{Target, TargetError};
use super::token::{READ, SLOT_READ, Token, WRITE};
use super::watch::Watch;
use super::wire::{Exchanged, Wire};

/// Prefix of interaction ids (`provider-api.md` section 4).
pub(super) const INTERACTION: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// So many exchanges without a whole answer in a row, and the run gives up: each may cost the whole patience.
const MAX_SILENT: u32 = 3;
/// Longest run; the tests take about a minute against a Provider that answers in 100 ms.
const MAX_RUN: Duration = Duration::from_secs(30 * 60);
/// Bytes of bodies kept whole as evidence in one run; beyond it only the start of each.
const MAX_KEPT: u64 = 64 << 20;
/// What is kept of a body after that.
const KEPT_START: usize = 4 << 10;
/// How far ahead free slots are looked for.
const DAYS_AHEAD: i64 = 14;
/// Most appointments of one synthetic patient that are looked through after a lost answer.
const MAX_LOOKED: usize = 20;

/// An appointment that this run made, or may have made.
#[derive(Clone, Debug)]
enum Made {
    /// It is there.
    Live { id: String, posted: Value },
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

/// What the tests of one run share.
pub(super) struct Session<'t> {
    pub(super) target: &'t Target,
    pub(super) watch: Watch,
    wire: Wire,
    free: VecDeque<Value>,
    /// Ids of the slots that the running test was given: not booked yet, perhaps, and still not free for another step.
    given: HashSet<String>,
    made: Vec<Made>,
    begun: Instant,
    silent: u32,
    over: Option<String>,
    kept: u64,
    patients: u32,
    booked: usize,
    cancelled: usize,
    untidy: Vec<Exchange>,
}

impl<'t> Session<'t> {
    pub(super) fn new(target: &'t Target) -> Result<Session<'t>, TargetError> {
        let https = target.endpoint.is_https();
        let tls = match (&target.tls, https) {
            (Some(tls), true) => {
                Some(consumer::client::tls_settings(tls).map_err(|e| TargetError(e.to_string()))?)
            }
            (None, true) => {
                let why = "the endpoint is https; name the authority of its certificate (tls-ca)";
                return Err(TargetError(why.to_owned()));
            }
            (_, false) => None,
        };
        // Different patients in each run, so that one run's left-overs do not disturb the next.
        let random = uuid::Uuid::new_v4();
        let seed = random.as_bytes().iter().fold(0_u32, |sum, b| {
            sum.wrapping_mul(31).wrapping_add(u32::from(*b))
        });
        Ok(Session {
            target,
            watch: Watch::new(https),
            wire: Wire::new(&target.endpoint, tls, target.patience)?,
            free: VecDeque::new(),
            given: HashSet::new(),
            made: Vec::new(),
            begun: Instant::now(),
            silent: 0,
            over: None,
            kept: 0,
            patients: seed,
            booked: 0,
            cancelled: 0,
            untidy: Vec::new(),
        })
    }

    /// Why nothing more is tried, if so.
    pub(super) fn over(&self) -> Option<&str> {
        self.over.as_deref()
    }

    /// A call with all headers that a GET needs.
    pub(super) fn call(&self, method: &str, path: &str, interaction: &str, scope: &str) -> Request {
        Request::new(method, path)
            .with("Ssp-TraceID", uuid())
            .with("Ssp-From", self.target.from.as_str())
            .with("Ssp-To", self.target.to.as_str())
            .with("Ssp-InteractionID", format!("{INTERACTION}{interaction}"))
            .with("Authorization", self.token(scope).bearer())
            .with("X-Request-ID", uuid())
    }

    pub(super) fn token(&self, scope: &str) -> Token {
        Token::new(self.target, scope)
    }

    pub(super) fn metadata(&self) -> Request {
        self.call("GET", "/metadata", "read:metadata", SLOT_READ)
    }

    pub(super) fn search(&self, query: &str) -> Request {
        self.call("GET", &format!("/Slot?{query}"), "search:slot", SLOT_READ)
    }

    /// A booking in JSON.
    pub(super) fn book(&self, body: &Value) -> Request {
        self.call("POST", "/Appointment", "create:appointment", WRITE)
            .with("Content-Type", "application/fhir+json")
            .body(body.to_string())
    }

    /// A booking in XML.
    pub(super) fn book_xml(&self, xml: Vec<u8>) -> Request {
        self.book(&Value::Null)
            .with("Content-Type", "application/fhir+xml")
            .body(xml)
    }

    pub(super) fn read(&self, id: &str) -> Request {
        self.call(
            "GET",
            &format!("/Appointment/{id}"),
            "read:appointment",
            READ,
        )
    }

    pub(super) fn cancel(&self, id: &str, if_match: &str, body: &Value) -> Request {
        self.call(
            "PUT",
            &format!("/Appointment/{id}"),
            "update:appointment",
            WRITE,
        )
        .with("If-Match", if_match)
        .with("Content-Type", "application/fhir+json")
        .body(body.to_string())
    }

    pub(super) fn appointments(&self, query: &str) -> Request {
        self.call(
            "GET",
            &format!("/Appointment?{query}"),
            "search:appointment",
            READ,
        )
    }

    /// The NHS number of a patient who has no booking yet.
    pub(super) fn nhs_number(&mut self) -> String {
        self.patients = self.patients.wrapping_add(1);
        messages::nhs_number(self.patients.wrapping_mul(7))
    }

    /// A booking message for this slot, for a new patient.
    pub(super) fn booking(&mut self, slot: &Value) -> Value {
        let number = self.nhs_number();
        messages::booking(slot, &number)
    }

    /// Sends one request; what it made is remembered until it is cancelled.
    pub(super) fn exchange(&mut self, request: &Request, purpose: &str) -> Exchanged {
        let exchanged = self.wire.exchange(request);
        self.taken_in(request, exchanged, purpose)
    }

    /// Sends requests one after the other over one connection.
    pub(super) fn in_turn(&mut self, requests: &[Request], purpose: &str) -> Vec<Exchanged> {
        let all = self.wire.in_turn(requests.to_vec());
        let pairs = requests.iter().zip(all);
        pairs.map(|(r, e)| self.taken_in(r, e, purpose)).collect()
    }

    /// Sends requests side by side.
    pub(super) fn together(&mut self, requests: &[Request], purpose: &str) -> Vec<Exchanged> {
        let all = self.wire.together(requests.to_vec());
        let pairs = requests.iter().zip(all);
        pairs.map(|(r, e)| self.taken_in(r, e, purpose)).collect()
    }

    /// Sends bytes as they are. That it is not answered is no sign of a server that is gone.
    pub(super) fn raw(&mut self, bytes: &[u8], purpose: &str) -> Exchanged {
        let mut exchanged = self.wire.raw(bytes);
        purpose.clone_into(&mut exchanged.exchange.purpose);
        exchanged
    }

    fn taken_in(
        &mut self,
        request: &Request,
        mut exchanged: Exchanged,
        purpose: &str,
    ) -> Exchanged {
        purpose.clone_into(&mut exchanged.exchange.purpose);
        match &exchanged.received {
            Some(_) => self.silent = 0,
            None => self.silent += 1,
        }
        if self.silent >= MAX_SILENT && self.over.is_none() {
            let why = exchanged.exchange.broken.clone().unwrap_or_default();
            self.over = Some(format!(
                "the server gave no whole answer {MAX_SILENT} times in a row; last: {why}"
            ));
        }
        if self.begun.elapsed() > MAX_RUN && self.over.is_none() {
            let minutes = MAX_RUN.as_secs() / 60;
            self.over = Some(format!("the run has taken {minutes} minutes"));
        }
        self.remember(request, &exchanged);
        if let Some(received) = &exchanged.received {
            self.watch.see(request, &exchanged.exchange, received);
        }
        self.bounded(&mut exchanged.exchange);
        exchanged
    }

    fn bounded(&mut self, exchange: &mut Exchange) {
        for body in [&mut exchange.request_body, &mut exchange.response_body] {
            self.kept += body.bytes().len() as u64;
            if self.kept > MAX_KEPT && body.bytes().len() > KEPT_START {
                let start = body.bytes().get(..KEPT_START).unwrap_or_default().to_vec();
                *body = Body::part(start, body.length());
            }
        }
    }

    /// Keeps account of what was made and what was cancelled.
    fn remember(&mut self, request: &Request, exchanged: &Exchanged) {
        let is_post = request.method == "POST" && request.path.starts_with("/Appointment");
        let is_put = request.method == "PUT" && request.path.starts_with("/Appointment/");
        if !is_post && !is_put {
            return;
        }
        let status = exchanged.received.as_ref().map(|r| r.status);
        let answer = answer::read(exchanged);
        if is_put {
            let done =
                answer.filter(|a| a.status == 200 && text(&a.resource, "/status") == "cancelled");
            let id = done.and_then(|a| a.appointment_id());
            let before = self.made.len();
            self.made
                .retain(|m| !matches!(m, Made::Live { id: live, .. } if Some(live) == id.as_ref()));
            self.cancelled += before - self.made.len();
            return;
        }
        let posted = self.posted(request);
        let named = answer.and_then(|a| appointment_id(&a.resource, a.header("location")));
        let known = |id: &String| {
            let mut all = self.made.iter();
            all.any(|m| matches!(m, Made::Live { id: live, .. } if live == id))
        };
        match (status, named) {
            // A repeat that was answered with the first booking made nothing new.
            (Some(200..=299), Some(id)) if known(&id) => {}
            (Some(200..=299), Some(id)) => {
                self.booked += 1;
                self.made.push(Made::Live { id, posted });
            }
            (Some(200..=299 | 500..) | None, _) => {
                let patient = contained(&posted, "Patient");
                let number = text(patient, "/identifier/0/value");
                let sent = exchanged.exchange.status.is_some()
                    || !exchanged
                        .exchange
                        .broken
                        .as_deref()
                        .unwrap_or("")
                        .starts_with("no connection");
                if sent && !number.is_empty() {
                    self.made.push(Made::Unclear {
                        number: number.to_owned(),
                        start: text(&posted, "/start").to_owned(),
                    });
                }
            }
            _ => {}
        }
    }

    /// The booking in a request, whatever its format; null if it holds none.
    fn posted(&self, request: &Request) -> Value {
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

    /// A free slot that no other test of this run has; none when the service has no more.
    pub(super) fn take_slot(&mut self) -> Option<Value> {
        if self.free.is_empty() {
            let service = self.target.service.as_str();
            let query = window(service, Window::days(1, DAYS_AHEAD), "free");
            let request = self.search(&query);
            let exchanged = self.exchange(&request, "find free slots");
            let found = answer::read(&exchanged)?;
            let usable = |slot: &&Value| {
                text(slot, "/resourceType") == "Slot"
                    && text(slot, "/status") == "free"
                    && !text(slot, "/id").is_empty()
                    && !self.given.contains(text(slot, "/id"))
            };
            let slots = list(&found.resource, "/entry").iter();
            let slots = slots.filter_map(|e| e.get("resource")).filter(usable);
            let slots: Vec<Value> = slots.cloned().collect();
            self.free.extend(slots);
        }
        let slot = self.free.pop_front()?;
        self.given.insert(text(&slot, "/id").to_owned());
        Some(slot)
    }

    /// A test has ended: its slots may be given again, and what it booked is cancelled.
    pub(super) fn test_ended(&mut self) {
        self.given.clear();
        self.tidy();
    }

    /// Cancels what the last test has booked. What could not be cancelled is tried once more at the end.
    pub(super) fn tidy(&mut self) {
        for made in std::mem::take(&mut self.made) {
            if self.over.is_some() || !self.undo(&made) {
                self.made.push(made);
            }
        }
    }

    /// True when it is certain that the appointment is not live.
    fn undo(&mut self, made: &Made) -> bool {
        match made {
            Made::Live { id, posted } => self.cancel_live(id, posted),
            Made::Unclear { number, .. } => {
                let system = systems::NHS_NUMBER.replace(':', "%3A").replace('/', "%2F");
                let request = self.appointments(&format!("patient.identifier={system}%7C{number}"));
                let exchanged = self.quiet(&request, "look for a booking whose answer was lost");
                let Some(found) = answer::read(&exchanged).filter(|a| a.status == 200) else {
                    return false;
                };
                let all: Vec<Value> = list(&found.resource, "/entry")
                    .iter()
                    .take(MAX_LOOKED)
                    .filter_map(|e| e.get("resource").cloned())
                    .collect();
                all.iter()
                    .filter(|a| text(a, "/status") == "booked")
                    .all(|a| {
                        let undone = self.cancel_live(text(a, "/id"), &Value::Null);
                        self.booked += 1;
                        self.cancelled += usize::from(undone);
                        undone
                    })
            }
        }
    }

    fn cancel_live(&mut self, id: &str, posted: &Value) -> bool {
        let request = self.read(id);
        let exchanged = self.quiet(&request, "read what is to be cancelled");
        let Some(read) = answer::read(&exchanged).filter(|a| a.status == 200) else {
            return false;
        };
        if text(&read.resource, "/status") == "cancelled" {
            self.cancelled += 1;
            return true;
        }
        let etag = read
            .header("etag")
            .map(str::to_owned)
            .unwrap_or_else(|| format!("W/\"{}\"", text(&read.resource, "/meta/versionId")));
        let mut whole = read.resource.clone();
        messages::set(&mut whole, "/status", json!("cancelled"));
        let as_posted = messages::cancelled(posted, &read.resource);
        for body in [whole, as_posted] {
            let request = self.cancel(id, &etag, &body);
            let exchanged = self.quiet(&request, "cancel a test booking");
            if exchanged.received.as_ref().is_some_and(|r| r.status == 200) {
                self.cancelled += 1;
                return true;
            }
        }
        false
    }

    /// An exchange of tidying up: kept as evidence only when it did not succeed.
    fn quiet(&mut self, request: &Request, purpose: &str) -> Exchanged {
        /// Enough to see why; more would repeat it.
        const MOST: usize = 20;
        let mut exchanged = self.wire.exchange(request);
        purpose.clone_into(&mut exchanged.exchange.purpose);
        let fine = exchanged.received.as_ref().is_some_and(|r| r.status == 200);
        if !fine && self.untidy.len() < MOST {
            self.bounded(&mut exchanged.exchange);
            self.untidy.push(exchanged.exchange.clone());
        }
        match fine {
            true => self.silent = 0,
            false if exchanged.received.is_none() => self.silent += 1,
            false => {}
        }
        exchanged
    }

    /// Appointments that may still be live, by name.
    pub(super) fn left(&self) -> Vec<String> {
        self.made.iter().map(Made::named).collect()
    }

    /// The last test: nothing of this run is left. Tells what could not be cancelled.
    pub(super) fn left_nothing(mut self) -> (Outcome, Vec<String>, Watch) {
        // Even a server that was given up gets one more chance to let go of the test bookings.
        for made in std::mem::take(&mut self.made) {
            if self.silent > 2 * MAX_SILENT || !self.undo(&made) {
                self.made.push(made);
            }
        }
        let left = self.left();
        let mut findings: Vec<Finding> = left
            .iter()
            .map(|name| {
                Finding::error(&["PROV-CAN-05"], format!("{name} could not be cancelled"))
                    .at("status")
                    .right("A cancellation of an appointment that this consumer made answers 200; cancel it by hand now.")
            })
            .collect();
        let (booked, cancelled) = (self.booked, self.cancelled.min(self.booked));
        let told = format!("{booked} test bookings were made and {cancelled} of them cancelled");
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

/// Reads the answer of an exchange into place `index` of a test.
pub(super) fn answer(index: usize, exchanged: &Exchanged) -> Option<Answer> {
    let received = exchanged.received.clone()?;
    Some(Answer::of(index, &exchanged.exchange, received))
}
