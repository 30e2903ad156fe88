//! Sends a request and reads its answer: time-outs, repeats of the same request under the same `X-Request-ID`, gzip,
//! bounds, JSON or XML (CONS-REQ-03..06, CONS-BOOK-05, CONS-ERR-04, NAT-SSP-06).
//!
//! The journal records every attempt with both X ids (CONS-REQ-04). Referral documents have their own retries:
//! `referral::send::Retries`.

pub mod answer;
mod leaving;
mod receive;

pub use answer::{Answer, Outcome, OutcomeIssue, Source};

use crate::journal::{ExchangeRow, Journal, StepId};
use crate::plan::Request;
use jiff::Timestamp;
use leaving::{GuardedBody, Progress};
use receive::Received;
use std::time::{Duration, Instant};

/// Most times a request is sent: the Standard allows three automatic tries (CONS-BOOK-05).
pub const MAX_TRIES: u32 = 3;
/// Longest id of the other side to keep, characters; a UUID has 36.
const MAX_ID: usize = 200;

/// Time limits of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For one attempt, from connect to the last byte.
    pub attempt: Duration,
    /// For all attempts with their pauses. Less than a token's life, so that a repeat is the identical request with the
    /// same token.
    pub total: Duration,
    /// Pause before the first repeat, doubled before each further one.
    pub pause: Duration,
    /// Longest `Retry-After` to wait; a call handler has a patient on the line.
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

/// Why there is no usable answer of the Provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// True when a Provider may have acted on an attempt.
    pub uncertain: bool,
    /// How often it was sent.
    pub tries: u32,
    /// The last failure, for the log.
    pub fault: String,
    /// Kind of the last failure.
    pub hindrance: Hindrance,
}

/// Why there is no answer, by what the user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// No connection, or nothing came in time.
    Silence,
    /// The connection broke off.
    Cut,
    /// The other side refused our certificate.
    OwnCertificate,
    /// The other side's certificate does not prove its identity.
    TheirCertificate,
    /// Another command has settled the booking as never made.
    Settled,
    /// The journal cannot record the sending.
    Unrecorded,
}

impl Hindrance {
    /// Whether a repeat may help.
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

    /// Sends a request until it is answered, at most [`MAX_TRIES`] times. It is repeated if nothing came back, or if the
    /// answer is a passing fault (429, 502, 503, 504, and the SSP's 444 and 599), never after any other 4xx.
    pub async fn send(&self, request: &Request, step: StepId) -> Delivery {
        self.repeat(request, step, None).await
    }

    /// Like [`Transport::send`], for a booking of the journal, named by its document. The journal records that the body may
    /// have left before its first byte does.
    pub async fn send_booking(&self, request: &Request, step: StepId, document: &str) -> Delivery {
        let departure = GuardedBody::of(self.journal.clone(), document);
        self.repeat(request, step, Some(&departure)).await
    }

    async fn repeat(
        &self,
        request: &Request,
        step: StepId,
        departure: Option<&GuardedBody>,
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
            // The exchange has happened; without its record there is still its result.
            tracing::error!(%error, "an attempt could not be kept in the journal");
        }
    }
}

/// An id from the other side, if fit to keep.
fn kept_id(id: Option<&str>) -> Option<String> {
    id.map(|id| crate::redact::foreign(id, MAX_ID))
}

/// The pause plus up to a quarter, so that consumers that failed together do not return together.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_u128() % 256;
    pause + pause * u32::try_from(random).unwrap_or(0) / 1024
}

/// Whether a repeat may help (NAT-SSP-06).
fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 444 | 502 | 503 | 504 | 599)
}

/// Whether a Provider may have acted in spite of the answer: it was cut off, or failed on the way back. Any fault may have
/// come after the booking was stored (D-52).
fn leaves_open(status: u16) -> bool {
    matches!(status, 408 | 444 | 499 | 500..)
}

/// The result of an attempt, given how far the body has come in all attempts. If nobody asked for the body, the request has
/// reached nobody. If the body was withheld, there is no further try.
fn withheld(received: Received, departure: Option<&GuardedBody>) -> Received {
    match (departure.map(GuardedBody::progress), received) {
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
