//! Sends a referral, and retries with the same bytes and tracking id when the connection fails.

use super::answer::Answer;
use super::cda;
use super::endpoint::{Endpoint, Wrapping};
use super::failure::{ReferralFailure, Why};
use super::model::Referral;
use super::rules;
use super::{fhir_document, itk};
use crate::body::{self, BodyFault};
use crate::redact::{self, Identifying};
use bytes::Bytes;
use std::time::Duration;
use uuid::Uuid;

/// Largest message sent, bytes. Services accept 32 MiB.
const MAX_MESSAGE: usize = 32 << 20;
/// Largest answer read, bytes. An acknowledgement has about 1 kB.
const MAX_ANSWER: usize = 1 << 20;

/// A wrapped referral. It never changes, so that the receiver recognises a repeat.
#[derive(Clone)]
pub struct Message {
    endpoint: Endpoint,
    tracking: Uuid,
    document: Uuid,
    body: Bytes,
}

/// The body is patient data.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("tracking", &self.tracking)
            .field("document", &self.document)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Message {
    /// Writes and wraps a referral, if it may be sent ([`rules::may_send`]).
    pub fn new(
        referral: &Referral,
        endpoint: &Endpoint,
        booking_required: bool,
        tracking: Uuid,
    ) -> Result<Message, ReferralFailure> {
        rules::may_send(referral, booking_required)?;
        redact::keep_out(&Identifying::from(&referral.patient));
        let cda = cda::write(referral);
        let too_large = || {
            ReferralFailure::new(
                Why::TooLarge,
                "The referral is too large to be sent.",
                "Shorten what was written, and ring the service to hand over if it is urgent.",
            )
        };
        let body = match endpoint.wrapping {
            Wrapping::FhirJson => {
                fhir::json::write(&fhir_document::bundle(referral, &cda, tracking))
            }
            Wrapping::FhirXml => fhir::xml::write(&fhir_document::bundle(referral, &cda, tracking)),
            _ => itk::write(referral, &cda, endpoint, tracking)
                .map_err(|e| too_large().note("error", e.to_string()))?
                .into_bytes(),
        };
        if body.len() > MAX_MESSAGE {
            return Err(too_large().note("bytes", body.len().to_string()));
        }
        Ok(Message {
            endpoint: endpoint.clone(),
            tracking,
            document: referral.document_id,
            body: Bytes::from(body),
        })
    }

    /// The message body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Tracking id, the same for every try.
    pub fn tracking(&self) -> Uuid {
        self.tracking
    }

    /// `Content-Type`.
    pub fn media_type(&self) -> &'static str {
        match self.endpoint.wrapping {
            Wrapping::FhirJson => "application/fhir+json;charset=utf-8",
            Wrapping::FhirXml => "application/fhir+xml;charset=utf-8",
            _ => "text/xml;charset=utf-8",
        }
    }
}

/// Proof that the service has the document (DAT-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Id of the document.
    pub document: Uuid,
    /// Tracking id of the message.
    pub tracking: Uuid,
    /// Address of the endpoint.
    pub address: String,
    /// Number of tries.
    pub tries: u32,
    /// Status of the acknowledgement.
    pub status: u16,
}

/// Limits of tries and time.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// Most tries.
    pub tries: u32,
    /// Time limit of one try.
    pub within: Duration,
    /// Pause before the second try, then doubled.
    pub pause: Duration,
}

impl Default for Retries {
    /// Three tries of at most a minute: a caller waits, and a person can phone the service.
    fn default() -> Retries {
        Retries {
            tries: 3,
            within: Duration::from_secs(60),
            pause: Duration::from_secs(1),
        }
    }
}

/// Sends referrals.
#[derive(Clone, Debug)]
pub struct Sender {
    client: reqwest::Client,
    retries: Retries,
}

impl Sender {
    /// A sender with a client, which has certificates and trust.
    pub fn new(client: reqwest::Client, retries: Retries) -> Sender {
        Sender { client, retries }
    }

    /// Sends until the service has the document, refuses it, or the tries are used up. Retries only passing faults: a
    /// broken connection, an unintelligible answer, a fault that the service calls temporary.
    pub async fn send(&self, message: &Message) -> Result<Receipt, ReferralFailure> {
        let mut pause = self.retries.pause;
        let mut perhaps_there = false;
        let most = self.retries.tries.max(1);
        for tries in 1..=most {
            let mut failed = match self.once(message).await {
                Ok(status) => {
                    tracing::info!(tracking = %message.tracking, tries, status, "referral taken");
                    return Ok(Receipt {
                        document: message.document,
                        tracking: message.tracking,
                        address: message.endpoint.address.clone(),
                        tries,
                        status,
                    });
                }
                Err(failed) => failed
                    .note("tracking", message.tracking.to_string())
                    .note("document", message.document.to_string())
                    .note("address", &message.endpoint.address)
                    .note("tries", tries.to_string()),
            };
            if perhaps_there {
                failed = failed.after_uncertain();
            }
            perhaps_there = failed.uncertain;
            tracing::warn!(why = ?failed.why, log = ?failed.log, "referral not taken");
            if !failed.retry_safe || tries == most {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        Err(unreachable_service("no try was made").certain())
    }

    async fn once(&self, message: &Message) -> Result<u16, ReferralFailure> {
        let mut request = self
            .client
            .post(&message.endpoint.address)
            .timeout(self.retries.within)
            .header(http::header::CONTENT_TYPE, message.media_type())
            .body(message.body.clone());
        if !matches!(
            message.endpoint.wrapping,
            Wrapping::FhirJson | Wrapping::FhirXml
        ) {
            request = request.header("SOAPAction", format!("\"{}\"", message.endpoint.service()));
        }
        let response = request.send().await.map_err(unsent)?;
        let status = response.status().as_u16();
        let body = bounded(response).await?;
        match Answer::read(message.endpoint.wrapping, status, &body) {
            Answer::Taken => Ok(status),
            Answer::Fault(fault) => Err(fault.unsent().note("status", status.to_string())),
            Answer::Unreadable => Err(not_understood(status)),
        }
    }
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, ReferralFailure> {
    let status = response.status().as_u16();
    body::read(&mut response, MAX_ANSWER)
        .await
        .map_err(|fault| match fault {
            BodyFault::BrokeOff(why) => unreachable_service(&why),
            BodyFault::TooLarge => not_understood(status).note("answer", "too large"),
            BodyFault::Packed(why) => not_understood(status).note("answer", why),
        })
}

/// No answer. A certificate that was refused will be refused again.
fn unsent(error: reqwest::Error) -> ReferralFailure {
    let tls = body::tls_fault(&error);
    let never_left = error.is_connect();
    let why = body::reasons(error);
    match tls {
        None if never_left => ReferralFailure::new(
            Why::Unreachable,
            "The service's system could not be reached, so nothing was sent.",
            "Send the referral again in some minutes; if it stays so, ring the service to hand over.",
        )
        .certain()
        .text("error", &why),
        None => unreachable_service(&why),
        Some(_) => {
            let mut unsent = ReferralFailure::new(
                Why::Unreachable,
                "The service's system and this computer could not prove to each other who they are, so nothing was sent.",
                "Ring the service to hand over, and report the fault with the details in the log.",
            );
            unsent.retry_safe = false;
            unsent.certain().text("error", &why)
        }
    }
}

/// An unintelligible answer. After 2xx, 408, 429 and 5xx a repeat may help. A 4xx means that the message was not taken
/// (except 408, 409 and 499, which may come after it was); after anything else the outcome is unknown.
fn not_understood(status: u16) -> ReferralFailure {
    let passing = (200..300).contains(&status) || matches!(status, 408 | 429 | 500..);
    let refused = (400..500).contains(&status) && !matches!(status, 408 | 409 | 499);
    let unsent = match refused {
        true => ReferralFailure::new(
            Why::Unreadable,
            "The service's system did not take the referral, and did not say why.",
            "Ring the service to hand over, and report the fault with the details in the log.",
        )
        .certain(),
        false => ReferralFailure::new(
            Why::Unreadable,
            "The service's system answered, but it is not clear whether it has the referral.",
            "Ring the service to make sure, and hand over by telephone if it has nothing.",
        ),
    };
    let mut unsent = unsent.note("status", status.to_string());
    unsent.retry_safe = passing;
    unsent
}

fn unreachable_service(what: &str) -> ReferralFailure {
    ReferralFailure::new(
        Why::Unreachable,
        "The service's system could not be reached, so it is not certain that it has the referral.",
        "Send the same referral again in some minutes; if it stays so, ring the service to hand over.",
    )
    .text("error", what)
}
