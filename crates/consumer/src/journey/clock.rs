//! Detects a token refused because of a clock difference (NAT-JWT-05), by the `Date` of the refusal.

use crate::slots::span;
use crate::transport::Answer;

/// Lifetime of a token, seconds (NAT-JWT-06). To a clock that is ahead by more, it is expired.
const TOKEN_SECONDS: i64 = 300;
/// To a clock that is behind by more, the token is from the future, seconds. Less may be the message's travel time.
const BEHIND_SECONDS: i64 = 60;
/// Words in refusals about the token or its times.
const OF_TOKEN: [&str; 9] = [
    "token",
    "jwt",
    "iat",
    "exp",
    "expired",
    "expiry",
    "issued",
    "authorization",
    "clock",
];

/// Whether the clocks explain the refusal: 401, 403, or any that mentions the token, but not a refused ASID.
pub(super) fn refused(answer: &Answer) -> bool {
    let Some(ahead) = answer.clock_ahead.map(|a| a.as_secs()) else {
        return false;
    };
    let differ = !(-BEHIND_SECONDS..TOKEN_SECONDS).contains(&ahead);
    let outcome = answer.outcome.as_ref();
    let of_asids = outcome.is_some_and(|o| o.has_code("ASID_CHECK_FAILED"));
    let of_token = outcome.is_some_and(|o| {
        o.issues.iter().any(|issue| {
            let words = issue.text.split(|c: char| !c.is_alphanumeric());
            let mut words = words.map(str::to_ascii_lowercase);
            words.any(|word| OF_TOKEN.contains(&word.as_str()))
        })
    });
    differ && !of_asids && (of_token || matches!(answer.status, 401 | 403))
}

/// The message for the user, with the clock difference.
pub(super) fn plain(answer: &Answer) -> String {
    let seconds = answer.clock_ahead.map_or(0, |a| a.as_secs());
    let apart = span((seconds.abs() + 59) / 60);
    let which = match seconds < 0 {
        true => "ahead of",
        false => "behind",
    };
    format!(
        "The clock of this computer is {apart} {which} that of the booking system, so the request was not accepted."
    )
}
