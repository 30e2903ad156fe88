//! One attempt: sent, waited for, read within bounds.

use super::answer::{self, Answer};
use crate::plan::Request;
use bytes::BytesMut;
use std::error::Error;
use std::time::Duration;

/// Largest answer, bytes after unzipping: five thousand slots with everything included, several times.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// What an attempt came to.
pub(super) enum Received {
    /// An answer.
    Answer(Box<Answer>),
    /// The request cannot have reached anybody.
    NotSent(String),
    /// It may have been received, but no whole answer came.
    Lost(String),
}

pub(super) async fn once(
    client: &reqwest::Client,
    request: &Request,
    patience: Duration,
) -> Received {
    match tokio::time::timeout(patience, exchange(client, request)).await {
        Ok(received) => received,
        Err(_) => Received::Lost(format!("nothing within {} s", patience.as_secs_f32())),
    }
}

async fn exchange(client: &reqwest::Client, request: &Request) -> Received {
    let mut builder = client
        .request(request.method.clone(), &request.url)
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    let mut response = match builder.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Received::NotSent(reasons(error));
        }
        Err(error) => return Received::Lost(reasons(error)),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BYTES => {
                let fault = format!("the body is larger than {MAX_BYTES} bytes");
                return Received::Answer(Box::new(answer::unreadable(status, &headers, fault)));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            // The status came through, the body did not: a success may be told by its headers alone.
            Err(error) if (200..300).contains(&status) && headers.contains_key("location") => {
                let fault = format!("the body broke off: {}", reasons(error));
                return Received::Answer(Box::new(answer::unreadable(status, &headers, fault)));
            }
            Err(error) => return Received::Lost(format!("the body broke off: {}", reasons(error))),
        }
    }
    Received::Answer(Box::new(answer::read(status, &headers, &body)))
}

/// An error with its causes, without the address: its query may name a patient.
fn reasons(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    // Chains have three or four links; the bound only guards against a loop.
    for _ in 0..8 {
        let Some(cause) = source else { break };
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}
