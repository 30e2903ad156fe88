//! Reading a request body: bounded before and after decompression, bounded in time.

use booking::refusal::{Refusal, Situation};
use booking::wire::format::Coding;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::io::Read;
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
        Err(_) => {
            return Err(Refusal::new(
                Situation::RequestTimeout,
                format!(
                    "The body did not arrive within {} seconds.",
                    within.as_secs()
                ),
            ));
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(limit)),
        Ok(Err(error)) => {
            return Err(Refusal::new(
                Situation::BodyUnreadable,
                "The body broke off before its end, or its chunks are malformed.",
            )
            .log(error.to_string()));
        }
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    match coding {
        Coding::Identity => Ok(raw),
        Coding::Gzip => gunzip(&raw, limit),
    }
}

fn gunzip(raw: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut out = Vec::with_capacity((raw.len() * 4).min(limit));
    let mut decoder = MultiGzDecoder::new(raw).take(limit as u64 + 1);
    if let Err(error) = decoder.read_to_end(&mut out) {
        return Err(Refusal::new(
            Situation::BodyUnreadable,
            "The header Content-Encoding says gzip, but the body is not a complete gzip stream.",
        )
        .location("http.Content-Encoding")
        .log(error.to_string()));
    }
    if out.len() > limit {
        Err(too_large(limit))
    } else {
        Ok(Bytes::from(out))
    }
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(
        Situation::BodyTooLarge,
        format!(
            "The body is larger than {limit} bytes, which is the most that is read (after decompression)."
        ),
    )
}
