//! One test as it runs: it sends, judges, and notes what is not right.

use crate::evidence::{Exchange, Finding, Outcome, Severity, Verdict};
use booking::situation::Situation;
use serde_json::Value;
use std::ops::{Deref, DerefMut};

use super::answer::{Answer, list, text, texts};
use super::messages::cancelled;
use super::registry::{Run, Test};
use super::request::Request;
use super::session::{self, Session};
use super::wire::Exchanged;

/// Most findings of one test; further ones would repeat them.
const MAX_FINDINGS: usize = 50;
/// Code system of error details (PROV-ERR-02).
const SPINE: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";

/// Why a test ends before its last step.
pub(super) enum Stop {
    /// What went wrong is noted.
    Failed,
    /// It cannot be tried; the reason.
    Skip(String),
}

/// How a step ends.
pub(super) type Step<T = ()> = Result<T, Stop>;

/// Ends a test that cannot be tried, for this reason.
pub(super) fn skip<T>(why: impl Into<String>) -> Step<T> {
    Err(Stop::Skip(why.into()))
}

/// A requirement list as tests name it.
pub(super) type Ids = &'static [&'static str];

/// A test that runs.
pub(super) struct Trial<'s, 't> {
    session: &'s mut Session<'t>,
    requirements: Ids,
    findings: Vec<Finding>,
    exchanges: Vec<Exchange>,
}

/// What a test sends is made by the session of its run.
impl<'t> Deref for Trial<'_, 't> {
    type Target = Session<'t>;

    fn deref(&self) -> &Session<'t> {
        self.session
    }
}

impl<'t> DerefMut for Trial<'_, 't> {
    fn deref_mut(&mut self) -> &mut Session<'t> {
        self.session
    }
}

impl<'s, 't> Trial<'s, 't> {
    /// Runs a test to its verdict.
    pub(super) fn of(test: &'static Test, run: Run, session: &'s mut Session<'t>) -> Outcome {
        let mut trial = Trial {
            session,
            requirements: &test.requirements,
            findings: Vec::new(),
            exchanges: Vec::new(),
        };
        let ended = run(&mut trial);
        let mut outcome = Outcome::tried(
            test.id,
            test.title,
            &test.requirements,
            trial.findings,
            trial.exchanges,
        );
        match ended {
            // A failure that was seen before the end stays one.
            Err(Stop::Skip(why)) if outcome.verdict == Verdict::Passed => {
                outcome.verdict = Verdict::Skipped(why);
            }
            Err(Stop::Failed) if outcome.verdict == Verdict::Passed => {
                outcome.verdict = Verdict::Failed;
            }
            _ => {}
        }
        outcome
    }

    /// Notes a finding.
    pub(super) fn note(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// Sends a request; no whole answer is a finding and ends the test.
    pub(super) fn send(&mut self, purpose: &str, request: &Request) -> Step<Answer> {
        self.goes_on()?;
        let exchanged = self.session.exchange(request, purpose);
        self.kept(exchanged)
    }

    /// Nothing more is tried once the run was given up.
    fn goes_on(&self) -> Step {
        self.session.over().map_or(Ok(()), skip)
    }

    /// Sends a request whose sender may also be hung up on: none when the server closed the connection.
    pub(super) fn send_or_closed(
        &mut self,
        purpose: &str,
        request: &Request,
    ) -> Step<Option<Answer>> {
        self.goes_on()?;
        let exchanged = self.session.exchange(request, purpose);
        if exchanged.closed {
            self.exchanges.push(exchanged.exchange);
            return Ok(None);
        }
        self.kept(exchanged).map(Some)
    }

    /// Sends requests one after the other over one connection.
    pub(super) fn in_turn(&mut self, purpose: &str, requests: &[Request]) -> Step<Vec<Answer>> {
        self.goes_on()?;
        let all = self.session.in_turn(requests, purpose).into_iter();
        all.map(|exchanged| self.kept(exchanged)).collect()
    }

    /// Sends requests side by side; the answers that came, in their order.
    pub(super) fn together(&mut self, purpose: &str, requests: &[Request]) -> Step<Vec<Answer>> {
        self.goes_on()?;
        let all = self.session.together(requests, purpose);
        if all.len() < requests.len() {
            return skip("not all requests could be sent side by side");
        }
        all.into_iter()
            .map(|exchanged| self.kept(exchanged))
            .collect()
    }

    /// Sends bytes as they are; the status if there was one.
    pub(super) fn raw(
        &mut self,
        purpose: &str,
        bytes: &[u8],
    ) -> Step<(usize, Option<u16>, Option<String>)> {
        self.goes_on()?;
        let exchanged = self.session.raw(bytes, purpose);
        let index = self.exchanges.len();
        let (status, broken) = (exchanged.exchange.status, exchanged.exchange.broken.clone());
        self.exchanges.push(exchanged.exchange);
        Ok((index, status, broken))
    }

    fn kept(&mut self, exchanged: Exchanged) -> Step<Answer> {
        let index = self.exchanges.len();
        let answer = session::answer(index, &exchanged);
        let broken = exchanged.exchange.broken.clone();
        self.exchanges.push(exchanged.exchange);
        answer.ok_or_else(|| {
            let what = format!("No whole answer came: {}", broken.unwrap_or_default());
            let finding = Finding::error(self.requirements, what)
                .at("response")
                .right("A complete HTTP answer in time and of a bounded size.");
            self.note(finding.in_exchange(index));
            Stop::Failed
        })
    }

    /// Notes an error unless the answer has this status.
    pub(super) fn status(&mut self, a: &Answer, status: u16, ids: Ids, about: &str) -> Step {
        self.at(a, "status", ids)
            .must(a.status == status)
            .right(status.to_string())
            .or(answered(about, a))
            .then_some(())
            .ok_or(Stop::Failed)
    }

    /// Notes an error unless the answer is compressed, as it was asked for.
    pub(super) fn is_gzipped(&mut self, a: &Answer) {
        self.at(a, "header Content-Encoding", &["PROV-GEN-13"])
            .must(a.gzipped)
            .right("gzip, as Accept-Encoding asks")
            .or("The answer is not gzipped");
    }

    /// Notes an error unless the answer names the request that it answers.
    pub(super) fn is_correlated(&mut self, a: &Answer, request: &Request, what: &str) {
        let (sent, back) = (request.header("x-request-id"), a.header("x-correlation-id"));
        self.at(a, "header X-Correlation-ID", &["PROV-HDR-11"])
            .must(sent == back)
            .right("the request's X-Request-ID")
            .or(format!(
                "X-Correlation-ID is not the X-Request-ID of the {what}"
            ));
    }

    /// Judges a refusal: status and `issue.code` are MUST, the Spine code is SHOULD.
    pub(super) fn is_refused(
        &mut self,
        a: &Answer,
        situation: Situation,
        ids: Ids,
        about: &str,
    ) -> bool {
        let row = situation.row();
        let mut note = |severity, at: &str, ids: Ids, what: String, right: String| {
            let ids = ids.iter().copied().chain([row.id]);
            let ids: Vec<&str> = ids.filter(|id| !id.is_empty()).collect();
            let finding = Finding {
                severity,
                ..Finding::error(&ids, what)
            };
            self.note(finding.at(at).right(right).in_exchange(a.index));
        };
        if a.status != row.status {
            let right = format!("{} with an OperationOutcome", row.status);
            note(Severity::Error, "status", ids, answered(about, a), right);
            return false;
        }
        if a.kind() != "OperationOutcome" {
            let ids: Ids = &["PROV-GEN-17", "P36"];
            let what = format!("The error that answers “{about}” is {}", named(a.kind()));
            let right = "An OperationOutcome on every 4xx and 5xx.".to_owned();
            note(Severity::Error, "body", ids, what, right);
            return false;
        }
        let codes: Vec<&str> = texts(&a.resource, "/issue", "/code").collect();
        let fits = codes.contains(&row.code);
        if !fits {
            let at = "OperationOutcome.issue[0].code";
            let codes = codes.join("`, `");
            let what = format!("“{about}” was refused with the issue code `{codes}`");
            note(Severity::Error, at, &[], what, format!("`{}`", row.code));
        }
        let spine = situation != Situation::SlotTaken && !row.id.is_empty();
        if spine && !has_coding(a, row.spine) {
            let at = "OperationOutcome.issue[0].details.coding";
            let what = format!("The refusal of “{about}” does not carry the right Spine code");
            let right = format!("`{}` of {SPINE}", row.spine);
            note(Severity::Warning, at, &["PROV-ERR-02"], what, right);
        }
        fits
    }

    /// A free slot of this test's own.
    pub(super) fn slot(&mut self) -> Step<Value> {
        self.goes_on()?;
        self.session.take_slot().map_err(Stop::Skip)
    }

    /// A booking message for a free slot of this test's own.
    pub(super) fn message(&mut self) -> Step<Value> {
        let slot = self.slot()?;
        Ok(self.session.booking(&slot))
    }

    /// Books a free slot. The test goes on only if it succeeds.
    pub(super) fn booked(&mut self) -> Step<Booked> {
        const IDS: Ids = &["PROV-INT-03", "PROV-BOOK-08", "PROV-SLOT-21", "P26"];
        let message = self.message()?;
        let request = self.session.book(&message);
        let answer = self
            .ask("book a free slot", &request)
            .succeeds(201, "Appointment", IDS)?;
        let Some(id) = answer.appointment_id() else {
            self.at(&answer, "Appointment.id", &["PROV-BOOK-08", "P26"])
                .must(false)
                .right("a new id")
                .or("The booking has no id");
            return Err(Stop::Failed);
        };
        let etag = answer.etag();
        Ok(Booked {
            message,
            id,
            etag,
            answer,
        })
    }
}

/// A booking that succeeded.
pub(super) struct Booked {
    /// What was sent.
    pub(super) message: Value,
    pub(super) id: String,
    pub(super) etag: String,
    pub(super) answer: Answer,
}

impl Booked {
    /// The Appointment that came back.
    pub(super) fn stored(&self) -> &Value {
        &self.answer.resource
    }

    /// The body that cancels it: what was sent, with what the Provider added to it.
    pub(super) fn cancelled(&self) -> Value {
        cancelled(&self.message, self.stored())
    }
}

/// What a request was answered with, as a sentence.
pub(super) fn answered(about: &str, a: &Answer) -> String {
    format!(
        "The request “{about}” was answered with {}{}",
        a.status,
        a.said()
    )
}

/// True if an issue carries this Spine code.
pub(super) fn has_coding(a: &Answer, code: &str) -> bool {
    list(&a.resource, "/issue").iter().any(|i| {
        list(i, "/details/coding")
            .iter()
            .any(|c| text(c, "/system") == SPINE && text(c, "/code") == code)
    })
}

pub(super) fn named(kind: &str) -> String {
    match kind {
        "" => "no FHIR resource that could be read".to_owned(),
        kind => format!("a resource of the type {kind}"),
    }
}
