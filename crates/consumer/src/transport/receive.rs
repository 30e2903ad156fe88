//! Runs one attempt: sends, waits, and reads the answer within bounds.

use super::Hindrance;
use super::answer::{self, Answer};
use super::leaving::GuardedBody;
use crate::body::{self, BodyFault, TlsFault};
use crate::plan::Request;
use std::time::Duration;

/// Largest answer, bytes after decompression: several times five thousand slots with all their includes.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// The result of an attempt.
pub(super) enum Received {
    /// An answer.
    Answer(Box<Answer>),
    /// The request reached nobody.
    NotSent(String, Hindrance),
    /// The request may have arrived, but no complete answer came.
    Lost(String, Hindrance),
}

pub(super) async fn once(
    client: &reqwest::Client,
    request: &Request,
    departure: Option<&GuardedBody>,
    patience: Duration,
) -> Received {
    match tokio::time::timeout(patience, exchange(client, request, departure)).await {
        Ok(received) => received,
        Err(_) => Received::Lost(
            format!("nothing within {} s", patience.as_secs_f32()),
            Hindrance::Silence,
        ),
    }
}

async fn exchange(
    client: &reqwest::Client,
    request: &Request,
    departure: Option<&GuardedBody>,
) -> Received {
    let mut builder = client
        .request(request.method.clone(), &request.url)
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = match departure {
            Some(departure) => builder.body(departure.body(body.clone())),
            None => builder.body(body.clone()),
        };
    }
    let mut response = match builder.send().await {
        Ok(response) => response,
        Err(error) => return failed(error),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let unreadable =
        |fault: String| Received::Answer(Box::new(answer::unreadable(status, &headers, fault)));
    match body::read(&mut response, MAX_BYTES).await {
        Ok(body) => Received::Answer(Box::new(answer::read(status, &headers, &body))),
        Err(BodyFault::TooLarge) => {
            unreadable(format!("the body is larger than {MAX_BYTES} bytes"))
        }
        Err(BodyFault::Packed(why)) => unreadable(format!("the body cannot be unpacked: {why}")),
        // The status arrived without its body. The headers may be enough for a success.
        Err(BodyFault::BrokeOff(why))
            if (200..300).contains(&status) && headers.contains_key("location") =>
        {
            unreadable(format!("the body broke off: {why}"))
        }
        Err(BodyFault::BrokeOff(why)) => {
            Received::Lost(format!("the body broke off: {why}"), Hindrance::Cut)
        }
    }
}

/// Classifies a missing answer. A refused certificate is refused before the request is read, even where the refusal comes
/// after the request was written (TLS 1.3).
fn failed(error: reqwest::Error) -> Received {
    let (tls, reached) = (
        body::tls_fault(&error),
        !(error.is_connect() || error.is_builder()),
    );
    let why = body::reasons(error);
    match (tls, reached) {
        (Some(TlsFault::OwnCertificate), _) => Received::NotSent(why, Hindrance::OwnCertificate),
        (Some(TlsFault::TheirCertificate), _) => {
            Received::NotSent(why, Hindrance::TheirCertificate)
        }
        (None, false) => Received::NotSent(why, Hindrance::Silence),
        (None, true) => Received::Lost(why, Hindrance::Silence),
    }
}
