//! A token that was refused because two clocks differ (NAT-JWT-05): the `Date` of the refusal tells.

use crate::slots::span;
use crate::transport::Answer;

/// A token lives so long, seconds (NAT-JWT-06): a clock that is ahead by more takes it for old.
const TOKEN_SECONDS: i64 = 300;
/// A clock that is behind by more takes the token for one of the future, seconds. Less is the way of the message.
const BEHIND_SECONDS: i64 = 60;
/// Words of a refusal that is about the token or its times.
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

/// Whether the clocks explain the refusal: 401 and 403 of whoever judges tokens, 400 only when it speaks of the token.
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

/// The sentence for the user, with how far the clocks are apart.
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
