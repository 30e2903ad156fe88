//! The way of one request through the simulator: judged first, then answered as a Provider would.

use crate::evidence::{Body, Exchange, Finding, Headers, Severity};
use booking::ids::Asid;
use booking::refusal::{Refusal, Situation};
use booking::wire::format::{self, Format};
use booking::wire::headers;
use booking::wire::interaction::Interaction;
use booking::wire::token::{self, Expectation};
use std::collections::HashSet;
use std::time::Instant;

use super::asked::{Asked, Wanted, Way};
use super::attempts::{Ended, Repeats};
use super::judge;
use super::ledger::Notes;
use super::reply::{Manner, Outgoing, Reply};
use super::rules::Rule;
use super::scenario::{Play, Scenario, scenarios};
use super::state::{Call, Judged, Parsed, Shown, State, TOLERANCE_SECONDS, Taken, clipped};

/// Most appointments kept; a walk makes about thirty, and each takes some 50 kB as a tree.
const MAX_APPOINTMENTS: usize = 1000;
/// Findings on the status page.
const MAX_RECENT: usize = 20;
/// Most trace ids remembered.
const MAX_TRACES: usize = 5000;

impl State {
    /// Judges a request and decides its answer.
    pub fn take(&mut self, asked: &Asked) -> Taken {
        self.last = Some(asked.began);
        let wanted = asked.wanted();
        let mut notes = Notes::default();
        let mut call = Call {
            wanted: wanted.clone(),
            scenario: None,
            serial: None,
            now: asked.at,
        };
        if let Some(from) = asked.header("ssp-from").filter(|f| Asid::parse(f).is_ok()) {
            self.target.get_or_insert_with(|| from.to_owned());
        }
        judge::head::judge(self, asked, &wanted, &mut notes);
        let reply = match self.answer(asked, &mut call, &mut notes) {
            Ok(reply) => reply,
            Err(refusal) => Reply::from(*refusal),
        };
        judge::head::receiver(self, asked, call.scenario, &mut notes);
        if wanted == Wanted::SearchSlots {
            let named = call.scenario.or_else(|| judged_scenario(asked));
            self.discovered(asked, named, &mut notes);
        }
        let allow = match wanted {
            Wanted::WrongMethod { allow } => Some(allow),
            _ => None,
        };
        let format = format_of(asked).unwrap_or(Format::Json);
        let manner = Manner {
            format,
            https: self.https,
            allow,
        };
        if let (Some(serial), Some(scenario)) = (call.serial, call.scenario)
            && let Some(attempt) = self.attempts.get_mut(serial)
        {
            attempt.scenario = Some(scenario);
        }
        Taken {
            reply,
            manner,
            judged: Judged {
                notes,
                operation: wanted.word(),
                scenario: call.scenario,
                serial: call.serial,
            },
            slow: wanted == Wanted::Book,
        }
    }

    /// The checks of a Provider in their order (section 2 of its chapter), then the operation.
    fn answer(
        &mut self,
        asked: &Asked,
        call: &mut Call,
        notes: &mut Notes,
    ) -> Result<Reply, Box<Refusal>> {
        let Some(interaction) = call.wanted.interaction() else {
            return Err(Box::new(match call.wanted {
                Wanted::WrongMethod { .. } => Refusal::new(
                    Situation::MethodNotAllowed,
                    format!("{} is not possible here.", clipped(&asked.method)),
                ),
                _ => Refusal::new(
                    Situation::RouteUnknown,
                    "There is nothing at this path; the service root is the one announced.",
                ),
            }));
        };
        judge::token::judge(self, asked, interaction, notes);
        if interaction == Interaction::SearchSlots {
            call.scenario = judge::query::judge(asked, notes);
        }
        let parsed = match interaction.writes() {
            true => Some(self.parse(asked, notes)),
            false => None,
        };
        let booking = self.booking_of(asked, call, &parsed, notes);
        let (serial, repeats) = self.attempts.begin(asked, &call.wanted, booking, notes);
        call.serial = Some(serial);
        if let Repeats::Unfinished(earlier) = repeats {
            self.recovered(earlier);
        }
        headers::read_ssp(asked, interaction)?;
        self.check_token(asked, interaction)?;
        format_of(asked)?;
        let request_id = headers::read_request_id(asked)?;
        if interaction.writes() {
            format::body_format(asked.headers.get("content-type").map(|v| v.as_bytes()))?;
            let id = request_id.ok_or_else(headers::request_id_missing)?;
            if let Some(made) = self.used.get(id.as_str()) {
                let url = self.url(made);
                let said = format!(
                    "This X-Request-ID was used before, by a request that succeeded: {url}"
                );
                return Ok(Reply::Refused(
                    Box::new(
                        Refusal::new(Situation::RequestIdReused, said)
                            .location("http.X-Request-ID"),
                    ),
                    Some(url),
                ));
            }
        }
        match &call.wanted.clone() {
            Wanted::Capability => Ok(Reply::ok(super::resources::made("capability", ""))),
            Wanted::SearchSlots => self.search(asked, call),
            Wanted::SearchAppointments => self.search_appointments(asked, call),
            Wanted::Read { id } => self.read(asked, id, None, call),
            Wanted::VersionRead { id, version } => self.read(asked, id, Some(version), call),
            Wanted::History { id } => self.history(id, call),
            Wanted::Book => self.book(asked, parsed.unwrap_or_else(no_body)?, call, notes),
            Wanted::Cancel { id } => {
                self.cancel(asked, id, parsed.unwrap_or_else(no_body)?, call, notes)
            }
            Wanted::WrongMethod { .. } | Wanted::Nothing => Err(Box::new(Refusal::new(
                Situation::RouteUnknown,
                "There is nothing here.",
            ))),
        }
    }

    fn check_token(&self, asked: &Asked, interaction: Interaction) -> Result<(), Box<Refusal>> {
        let root = self.root.url();
        let expectation = Expectation {
            audience: &|audience| audience == root,
            scope: interaction.scope(),
            other_scope: &|_| None,
            now: asked.at,
            tolerance_seconds: TOLERANCE_SECONDS,
        };
        let text = token::bearer(asked)?;
        token::read_unsigned(text, &expectation)?;
        Ok(())
    }

    /// Somebody looked after a lost request.
    fn recovered(&mut self, serial: u64) {
        let Some(attempt) = self.attempts.get_mut(serial) else {
            return;
        };
        let first = !std::mem::replace(&mut attempt.recovered, true);
        let (cancel, scenario) = (attempt.appointment().is_some(), attempt.scenario);
        if first {
            self.took_up(cancel, scenario);
        }
    }

    /// A lost request of a scenario was taken up again.
    fn took_up(&mut self, cancel: bool, scenario: Option<&'static Scenario>) {
        let Some(scenario) = scenario else { return };
        let tally = self.tally(scenario);
        match cancel {
            true => tally.recovered_cancels += 1,
            false => tally.recovered += 1,
        }
    }

    /// A look at an appointment, or at a patient's appointments, is a way to learn what became of a lost request.
    pub fn looked(&mut self, about: &dyn Fn(&super::attempts::Attempt) -> bool) {
        let found: Vec<(bool, Option<&'static Scenario>)> = self
            .attempts
            .lost()
            .filter(|a| a.writes() && about(a))
            .map(|a| {
                a.recovered = true;
                (a.appointment().is_some(), a.scenario)
            })
            .collect();
        for (cancel, scenario) in found {
            self.ledger.late(Rule::Recovers, None);
            self.took_up(cancel, scenario);
        }
    }

    /// The address of an appointment.
    pub fn url(&self, id: &str) -> String {
        format!("{}/Appointment/{id}", self.root.published())
    }

    /// The answer has gone, or was withheld: keeps the exchange. Gives the findings as they are shown.
    pub fn done(&mut self, asked: &Asked, judged: Judged, out: Outgoing, ended: Instant) -> Shown {
        let Judged {
            notes,
            operation,
            scenario,
            serial,
        } = judged;
        let outcome = match out.status {
            None | Some(502 | 504) => Ended::Lost,
            Some(200..=299) => Ended::Done,
            Some(500..) => Ended::Failed,
            Some(_) => Ended::Refused,
        };
        if let Some(serial) = serial {
            self.attempts
                .end(serial, outcome, out.status.is_none(), ended);
        }
        self.last = Some(ended);
        let exchange = Exchange {
            purpose: purpose(operation, scenario),
            at: asked.at,
            method: asked.method.clone(),
            url: format!("{}{}", self.root.base(), asked.target),
            request_headers: recorded(asked),
            request_body: Body::new(asked.body.to_vec()),
            status: out.status,
            broken: out
                .status
                .is_none()
                .then(|| "the answer was withheld on purpose".to_owned()),
            response_headers: out.headers,
            response_body: out.kept,
            took: ended.saturating_duration_since(asked.began),
        };
        let shown = self.keep(exchange, operation, scenario, &notes);
        self.tell(&shown);
        shown
    }

    /// Keeps an exchange and what was judged of it.
    pub fn keep(
        &mut self,
        exchange: Exchange,
        operation: &'static str,
        scenario: Option<&'static Scenario>,
        notes: &Notes,
    ) -> Shown {
        let status = exchange.status;
        let id = scenario.map(|s| s.id);
        self.ledger.keep(exchange, operation, id, notes);
        Shown {
            number: self.ledger.seen,
            operation,
            scenario,
            status,
            findings: notes.findings().cloned().collect(),
        }
    }

    /// The last findings, for the status page.
    fn tell(&mut self, shown: &Shown) {
        let is_serious = |f: &&Finding| f.severity != Severity::Note;
        for finding in shown.findings.iter().filter(is_serious) {
            if self.recent.len() >= MAX_RECENT {
                self.recent.pop_back();
            }
            self.recent.push_front(format!(
                "Request {}: {}. Right: {}",
                shown.number, finding.what, finding.right
            ));
        }
    }

    /// A request line that cannot be read as HTTP: an address with raw characters, most likely.
    pub fn unreadable(&mut self, line: &str) -> Option<Shown> {
        let mut words = line.split(' ');
        let method = words
            .next()
            .filter(|m| matches!(*m, "GET" | "POST" | "PUT"))?;
        let (target, version) = line.strip_prefix(method)?.trim_start().rsplit_once(' ')?;
        if !version.starts_with("HTTP/") {
            return None;
        }
        let mut notes = Notes::default();
        let what =
            "The address holds characters that have to be encoded, and no server can read it";
        notes.judge(Rule::Encoded, false, what);
        let url = format!("{}{target}", self.root.base());
        let exchange = Exchange {
            purpose: "unreadable request".to_owned(),
            status: Some(400),
            ..Exchange::sent(method, &url, Headers::new(), Body::default())
        };
        let scenario = scenarios().iter().find(|s| target.contains(s.id));
        let shown = self.keep(exchange, "unreadable", scenario, &notes);
        self.tell(&shown);
        Some(shown)
    }

    /// The slots or appointments of a call came through the SSP, or not.
    pub fn way(&mut self, asked: &mut Asked) {
        if asked.way == Way::Direct && self.national.passed(asked) {
            asked.way = Way::Proxied;
        }
        self.ssp_seen |= asked.way != Way::Direct;
    }

    pub fn make_room(&mut self) -> Result<(), Box<Refusal>> {
        match self.appointments.len() < MAX_APPOINTMENTS {
            true => Ok(()),
            false => Err(Box::new(Refusal::new(
                Situation::Unavailable,
                "The simulator keeps no more appointments; start it anew.",
            ))),
        }
    }

    /// Two bookings under one trace id: for two patients, or at three services, they are several cases.
    pub fn trace(
        &mut self,
        asked: &Asked,
        who: &str,
        scenario: &'static Scenario,
        booked: bool,
        notes: &mut Notes,
    ) {
        let Some(trace) = asked.header("ssp-traceid").map(str::to_ascii_lowercase) else {
            return;
        };
        if self.traces.len() >= MAX_TRACES && !self.traces.contains_key(&trace) {
            return;
        }
        let known = self
            .traces
            .entry(trace)
            .or_insert_with(|| (who.to_owned(), HashSet::new()));
        let same_patient = known.0 == who;
        if booked {
            known.1.insert(scenario.id);
        }
        let what = match same_patient {
            false => "One trace id is used for the bookings of two patients",
            true => "One trace id is used for bookings at three services and more",
        };
        notes.judge(Rule::TraceOfCase, same_patient && known.1.len() < 3, what);
    }
}

/// The scenario of a slot search, also of one that the simulator does not serve.
fn judged_scenario(asked: &Asked) -> Option<&'static Scenario> {
    super::play::search::service_of(&asked.query)
        .and_then(|s| super::scenario::scenario(s.as_str()))
}

/// The format to answer in (PROV-GEN-08).
fn format_of(asked: &Asked) -> Result<Format, Box<Refusal>> {
    use booking::wire::headers::Headers as _;
    let content_type = asked.headers.get("content-type").map(|v| v.as_bytes());
    Ok(format::response_format(
        &asked.query,
        &asked.values("accept"),
        content_type,
    )?)
}

fn no_body() -> Parsed {
    Err(Box::new(Refusal::new(
        Situation::BodyUnreadable,
        "There is no body.",
    )))
}

fn purpose(operation: &str, scenario: Option<&Scenario>) -> String {
    match scenario {
        Some(s) => format!("{operation}, scenario {} ({})", s.id, s.name),
        None => operation.to_owned(),
    }
}

fn recorded(asked: &Asked) -> Headers {
    let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

impl Play {
    /// A refusal in the words of the simulator.
    pub fn refusal(situation: Situation) -> Refusal {
        Refusal::new(
            situation,
            "This answer belongs to the scenario; there is nothing wrong with the request.",
        )
    }
}
