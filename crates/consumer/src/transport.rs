//! Sending a request and getting to its answer: time-outs, repeats of the identical request under the same
//! `X-Request-ID`, gzip, bounds, JSON or XML (CONS-REQ-03..06, CONS-BOOK-05, CONS-ERR-04, NAT-SSP-06).
//!
//! Every attempt is kept in the journal with both X ids (CONS-REQ-04). Referral documents have tries and pauses of their
//! own: `referral::send::Retries`.

pub mod answer;
mod leaving;
mod receive;

pub use answer::{Answer, Outcome, OutcomeIssue, Source};

use crate::journal::{ExchangeRow, Journal, StepId};
use crate::plan::Request;
use jiff::Timestamp;
use leaving::{Departure, Progress};
use receive::Received;
use std::time::{Duration, Instant};

/// How often a request is sent at most: the Standard allows three automatic tries (CONS-BOOK-05).
pub const MAX_TRIES: u32 = 3;
/// Longest id of the other side that is kept, characters; a UUID has 36.
const MAX_ID: usize = 200;

/// How patient the transport is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For one attempt, from connecting to the last byte.
    pub attempt: Duration,
    /// For all attempts together, pauses included. Less than a token lives, so that a repeat is the identical
    /// request, token and all.
    pub total: Duration,
    /// Pause before the first repeat; doubled before each further one.
    pub pause: Duration,
    /// Longest `Retry-After` that is waited for; a call handler has a patient on the line.
    pub longest_pause: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            attempt: Duration::from_secs(30),
            total: Duration::from_secs(120),
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(15),
        }
    }
}

/// What sending came to when there is no answer of the Provider to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// True when a Provider may have acted on some attempt.
    pub uncertain: bool,
    /// How often it was sent.
    pub tries: u32,
    /// What happened last, for the log.
    pub fault: String,
    /// What kind of thing that was.
    pub hindrance: Hindrance,
}

/// Why there is no answer, as far as it decides what the user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// Nobody is there, or nothing came in time.
    Silence,
    /// The line was cut in the middle.
    Cut,
    /// Our certificate was refused.
    OwnCertificate,
    /// Their certificate does not prove who they are.
    TheirCertificate,
    /// Another command has found the booking not sent, and has kept that it was never made.
    Settled,
    /// The journal cannot keep that it is sent.
    Unrecorded,
}

impl Hindrance {
    /// Whether sending the same again may help.
    fn may_pass(self) -> bool {
        matches!(self, Hindrance::Silence | Hindrance::Cut)
    }
}

/// An answer, or none.
pub type Delivery = Result<Answer, Undelivered>;

/// Sends requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transport {
    client: reqwest::Client,
    journal: Journal,
    policy: Policy,
}

impl Transport {
    /// A transport over a client that follows no redirects.
    pub fn new(client: reqwest::Client, journal: Journal, policy: Policy) -> Transport {
        Transport {
            client,
            journal,
            policy,
        }
    }

    /// Sends a request until it is answered, at most [`MAX_TRIES`] times. Repeats follow only where nothing came back
    /// or the answer says that the fault may pass (429, 502, 503, 504 and the SSP's 444 and 599); any other 4xx never.
    pub async fn send(&self, request: &Request, step: StepId) -> Delivery {
        self.repeat(request, step, None).await
    }

    /// The same for a booking of the journal, by its document: before the first byte of the body leaves, the journal
    /// keeps that it may have.
    pub async fn send_booking(&self, request: &Request, step: StepId, document: &str) -> Delivery {
        let departure = Departure::of(self.journal.clone(), document);
        self.repeat(request, step, Some(&departure)).await
    }

    async fn repeat(
        &self,
        request: &Request,
        step: StepId,
        departure: Option<&Departure>,
    ) -> Delivery {
        let begun = Instant::now();
        let (mut uncertain, mut unsaid) = (false, false);
        let mut pause = self.policy.pause;
        let mut tries = 0;
        loop {
            tries += 1;
            let left = self.policy.total.saturating_sub(begun.elapsed());
            let patience = self.policy.attempt.min(left);
            let (sent_at, sent) = (Timestamp::now(), Instant::now());
            let received = receive::once(&self.client, request, departure, patience).await;
            let received = withheld(received, departure);
            self.keep(request, step, tries, sent_at, sent.elapsed(), &received)
                .await;
            let (again, wait) = match &received {
                Received::NotSent(_, hindrance) => (hindrance.may_pass(), None),
                Received::Lost(..) => {
                    uncertain = true;
                    (true, None)
                }
                Received::Answer(answer) => {
                    uncertain |= leaves_open(answer.status);
                    unsaid |= answer.is_unsaid_refusal();
                    (
                        may_pass(answer.status),
                        answer.retry_after(Timestamp::now()),
                    )
                }
            };
            let wait = wait.map_or_else(|| jittered(pause), |w| w.max(pause));
            let in_time =
                wait <= self.policy.longest_pause && begun.elapsed() + wait < self.policy.total;
            if !again || tries >= MAX_TRIES || !in_time {
                return finish(received, tries, uncertain, unsaid);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
    }

    async fn keep(
        &self,
        request: &Request,
        step: StepId,
        attempt: u32,
        at: Timestamp,
        elapsed: Duration,
        received: &Received,
    ) {
        let (answer, fault) = match received {
            Received::Answer(answer) => (Some(answer), answer.fault_text()),
            Received::NotSent(why, _) => (None, Some(format!("not sent: {why}"))),
            Received::Lost(why, _) => (None, Some(format!("no answer: {why}"))),
        };
        let row = ExchangeRow {
            at,
            interaction: request.interaction.name(),
            attempt,
            address: request.address().to_owned(),
            asid_from: request.sent(&crate::plan::SSP_FROM),
            asid_to: request.to.as_str().to_owned(),
            trace_id: request.ids.trace.as_str().to_owned(),
            request_id: request.ids.request.as_str().to_owned(),
            response_id: answer.and_then(|a| kept_id(a.response_id.as_deref())),
            correlation_id: answer.and_then(|a| kept_id(a.correlation_id.as_deref())),
            status: answer.map(|a| a.status),
            elapsed_ms: i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX),
            fault,
        };
        let (status, fault) = (row.status, row.fault.clone());
        tracing::debug!(
            interaction = row.interaction,
            attempt,
            request_id = %row.request_id,
            trace_id = %row.trace_id,
            response_id = row.response_id.as_deref(),
            status,
            elapsed_ms = row.elapsed_ms,
            fault = fault.as_deref(),
            "sent"
        );
        if let Err(error) = self.journal.exchange(step, row).await {
            // The exchange has happened; losing its record must not lose its result.
            tracing::error!(%error, "an attempt could not be kept in the journal");
        }
    }
}

/// An id that the other side made, fit to be kept.
fn kept_id(id: Option<&str>) -> Option<String> {
    id.map(|id| crate::redact::foreign(id, MAX_ID))
}

/// The pause, up to a quarter longer, so that consumers that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_u128() % 256;
    pause + pause * u32::try_from(random).unwrap_or(0) / 1024
}

/// Whether sending the same again may help (NAT-SSP-06).
fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 444 | 502 | 503 | 504 | 599)
}

/// Whether a Provider may have acted although the answer says otherwise: it was cut off, or failed on the way out. A
/// fault of any kind may have come after the booking was stored (D-52).
fn leaves_open(status: u16) -> bool {
    matches!(status, 408 | 444 | 499 | 500..)
}

/// What an attempt came to, in view of how far the body has come in this and earlier ones. An attempt whose body nobody
/// asked for has reached nobody; one that was withheld is not tried again.
fn withheld(received: Received, departure: Option<&Departure>) -> Received {
    match (departure.map(Departure::progress), received) {
        (Some(Progress::Settled), Received::Lost(why, _)) => {
            Received::NotSent(why, Hindrance::Settled)
        }
        (Some(Progress::Unrecorded), Received::Lost(why, _)) => {
            Received::NotSent(why, Hindrance::Unrecorded)
        }
        (Some(Progress::Untouched), Received::Lost(why, hindrance)) => {
            Received::NotSent(why, hindrance)
        }
        (_, received) => received,
    }
}

fn finish(received: Received, tries: u32, uncertain: bool, unsaid: bool) -> Delivery {
    let (fault, hindrance) = match received {
        Received::Answer(mut answer) => {
            answer.tries = tries;
            answer.uncertain = uncertain;
            answer.unsaid = unsaid;
            return Ok(*answer);
        }
        Received::NotSent(why, hindrance) | Received::Lost(why, hindrance) => (why, hindrance),
    };
    Err(Undelivered {
        uncertain: uncertain || unsaid,
        tries,
        fault,
        hindrance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_error_is_never_repeated_and_pauses_stay_bounded() {
        for status in [
            400, 401, 403, 404, 405, 409, 412, 415, 422, 200, 201, 302, 500, 501,
        ] {
            assert!(!may_pass(status), "{status}");
        }
        let pause = Duration::from_millis(800);
        for _ in 0..50 {
            let p = jittered(pause);
            assert!(p >= pause && p <= pause * 5 / 4);
        }
    }
}
