//! What the tests of one run share: the wire, the free slots, the bookings that still have to be cancelled.

use crate::evidence::{Body, Exchange};
use booking::version::StandardVersion;
use serde_json::Value;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::bookings::Made;
use super::messages::{self, uuid};
use super::query::{Window, window};
use super::request::Request;
use super::target::{Target, TargetError};
use super::token::{READ, SLOT_READ, Token, WRITE};
use super::trial::Booked;
use super::watch::Watch;
use super::wire::{Exchanged, Wire};

/// Prefix of interaction ids (`provider-api.md` section 4).
pub(super) const INTERACTION: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// So many exchanges without a whole answer in a row, and the run gives up: each may cost the whole patience.
pub(super) const MAX_SILENT: u32 = 3;
/// Longest run; the tests take about a minute against a Provider that answers in 100 ms.
const MAX_RUN: Duration = Duration::from_secs(30 * 60);
/// Bytes of bodies kept whole as evidence in one run; beyond it only the start of each.
const MAX_KEPT: u64 = 64 << 20;
/// What is kept of a body after that.
const KEPT_START: usize = 4 << 10;

/// What the tests of one run share.
pub(super) struct Session<'t> {
    pub(super) target: &'t Target,
    pub(super) watch: Watch,
    pub(super) wire: Wire,
    pub(super) free: VecDeque<Value>,
    /// Ids of the slots that the running test was given: not booked yet, perhaps, and still not free for another step.
    pub(super) given: HashSet<String>,
    /// What the running test has booked.
    pub(super) made: Vec<Made>,
    /// What could not be cancelled when its test had ended.
    pub(super) stuck: Vec<Made>,
    begun: Instant,
    pub(super) silent: u32,
    pub(super) over: Option<String>,
    kept: u64,
    patients: u32,
    pub(super) booked: usize,
    pub(super) cancelled: usize,
    pub(super) untidy: Vec<Exchange>,
}

impl<'t> Session<'t> {
    pub(super) fn new(
        target: &'t Target,
        standard: StandardVersion,
    ) -> Result<Session<'t>, TargetError> {
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
            watch: Watch::new(https, standard),
            wire: Wire::new(&target.endpoint, tls, target.patience)?,
            free: VecDeque::new(),
            given: HashSet::new(),
            made: Vec::new(),
            stuck: Vec::new(),
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
            // The published tests ask for a format in every request but those that ask by `_format`.
            .with("Accept", "application/fhir+json")
    }

    pub(super) fn token(&self, scope: &str) -> Token {
        Token::new(self.target, scope)
    }

    pub(super) fn metadata(&self) -> Request {
        self.call("GET", "/metadata", "read:metadata", SLOT_READ)
    }

    /// The service that is booked.
    pub(super) fn service(&self) -> &'t str {
        self.target.service.as_str()
    }

    /// An ordinary search, for what is tried of any request.
    pub(super) fn usual_search(&self) -> Request {
        self.search(&window(self.service(), Window::days(1, 2), "free"))
    }

    /// The request that cancels a booking.
    pub(super) fn cancellation(&self, booked: &Booked) -> Request {
        self.cancel(&booked.id, &booked.etag, &booked.cancelled())
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
            .with("Accept", "application/fhir+xml")
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

    pub(super) fn bounded(&mut self, exchange: &mut Exchange) {
        for body in [&mut exchange.request_body, &mut exchange.response_body] {
            self.kept += body.bytes().len() as u64;
            if self.kept > MAX_KEPT && body.bytes().len() > KEPT_START {
                let start = body.bytes().get(..KEPT_START).unwrap_or_default().to_vec();
                *body = Body::part(start, body.length());
            }
        }
    }

    /// A test has ended: its slots may be given again, and what it booked is cancelled.
    pub(super) fn test_ended(&mut self) {
        self.given.clear();
        self.tidy();
    }
}

/// Reads the answer of an exchange into place `index` of a test.
pub(super) fn answer(index: usize, exchanged: &Exchanged) -> Option<Answer> {
    let received = exchanged.received.clone()?;
    Some(Answer::of(index, &exchanged.exchange, received))
}
