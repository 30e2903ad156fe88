//! Reading a request body: bounded before and after decompression, bounded in time.

use crate::referral::unpack::{self, Unpacked};
use booking::refusal::{Refusal, Situation};
use booking::wire::format::Coding;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;

/// Reads and decodes a body. Too large, before or after decompression: 413. Too slow: 408. Cut off or badly
/// compressed: 400.
pub async fn read<B>(
    body: B,
    coding: Coding,
    limit: usize,
    within: Duration,
) -> Result<Bytes, Refusal>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // A length that is announced as too large is refused before anything is waited for.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let collected = tokio::time::timeout(within, Limited::new(body, limit).collect()).await;
    let raw = match collected {
        Err(_) => return Err(too_slow(within)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(error)) => return Err(broken_off(error)),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    match coding {
        Coding::Identity => Ok(raw),
        Coding::Gzip => gunzip(&raw, limit),
    }
}

/// Decompresses a body, within the bound.
pub(super) fn gunzip(raw: &[u8], limit: usize) -> Result<Bytes, Refusal> {
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

pub(super) fn too_slow(within: Duration) -> Refusal {
    Refusal::new(
        Situation::RequestTimeout,
        format!(
            "The body did not arrive within {} seconds.",
            within.as_secs()
        ),
    )
}

pub(super) fn broken_off(error: Box<dyn std::error::Error + Send + Sync>) -> Refusal {
    Refusal::new(
        Situation::BodyUnreadable,
        "The body broke off before its end, or its chunks are malformed.",
    )
    .log(error.to_string())
}

pub(super) fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Situation::BodyTooLarge,
        format!(
            "The body is larger than {limit} bytes, which is the most that is read (after decompression)."
        ),
    )
}
