//! Decoding a request body, and what is said of one that cannot be received.

use crate::referral::unpack::{self, Unpacked};
use booking::refusal::{Refusal, Situation};
use booking::wire::format::Coding;
use bytes::Bytes;
use std::time::Duration;

/// Decodes a body that arrived. Too large after decompression: 413. Badly compressed: 400.
pub(in crate::http) fn decode(
    raw: Vec<u8>,
    coding: Coding,
    limit: usize,
) -> Result<Bytes, Refusal> {
    match coding {
        Coding::Identity => Ok(Bytes::from(raw)),
        Coding::Gzip => gunzip(&raw, limit),
    }
}

/// Decompresses a body, within the bound.
pub(in crate::http) fn gunzip(raw: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    match unpack::gunzip(raw, limit) {
        Unpacked::Whole(out) => Ok(Bytes::from(out)),
        Unpacked::TooLarge => Err(too_large(limit)),
        Unpacked::Broken(_) => Err(Refusal::new(
            Situation::BodyUnreadable,
            "The header Content-Encoding says gzip, but the body is not a complete gzip stream.",
        )
        .location("http.Content-Encoding")),
    }
}

pub(in crate::http) fn too_slow(within: Duration) -> Refusal {
    Refusal::new(
        Situation::RequestTimeout,
        format!(
            "The body did not arrive within {} seconds.",
            within.as_secs()
        ),
    )
}

pub(in crate::http) fn broken_off(error: Box<dyn std::error::Error + Send + Sync>) -> Refusal {
    Refusal::new(
        Situation::BodyUnreadable,
        "The body broke off before its end, or its chunks are malformed.",
    )
    .log(error.to_string())
}

pub(in crate::http) fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Situation::BodyTooLarge,
        format!(
            "The body is larger than {limit} bytes, which is the most that is read (after decompression)."
        ),
    )
}
