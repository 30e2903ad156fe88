//! What the status of an answer to a booking or cancellation can mean, before the body is judged (D-52).

use crate::transport::{Answer, Outcome};
use booking::refusal::SLOT_TAKEN;

/// The meaning of an answer to a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// 201: booked, if the Appointment is the requested one.
    Created,
    /// Certainly not booked.
    Refused,
    /// 4xx without an OperationOutcome: not booked if the patient's appointments lack it too (D-62).
    Unsaid,
    /// 409 or 422: refused, or a repeat of a request that succeeded, or the slot is taken.
    Contested,
    /// Unknown.
    Open,
}

/// Reads the status. Anything but a known refusal is open. So is every refusal of a repeat whose first try had no answer.
pub(super) fn posted(answer: &Answer) -> Posted {
    match answer.status {
        201 => Posted::Created,
        _ if answer.uncertain => Posted::Open,
        409 | 422 => Posted::Contested,
        // Given up on the way: by a waiting server, by a proxy, or as misdirected.
        408 | 421 | 425 | 444 | 499 => Posted::Open,
        400..=499 if answer.unsaid => Posted::Unsaid,
        400..=499 => Posted::Refused,
        _ => Posted::Open,
    }
}

/// What a 409 or 422 says about the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The slot is taken, in the Standard's words.
    Yes,
    /// Perhaps taken; a search shows it.
    Perhaps,
    /// Something else.
    No,
    /// 409 also answers a repeat (ERR-11). Without words about the slot it may be a repeat that something on the way made.
    Repeat,
}

/// Reads the refusal (ERR-15; 409 of Providers with the older error table, D-02).
pub(super) fn taken(answer: &Answer) -> Taken {
    let empty = Outcome::default();
    let outcome = answer.outcome.as_ref().unwrap_or(&empty);
    let repeat = outcome.has_code("duplicate") || outcome.has_code("DUPLICATE_REJECTED");
    let of_slot = outcome.has_code("conflict")
        || [
            "no longer",
            "not available",
            "unavailable",
            "taken",
            "already booked",
            "not free",
        ]
        .iter()
        .any(|words| outcome.says(words));
    match answer.status {
        409 if repeat => Taken::Repeat,
        409 | 422 if is_err_15(outcome) => Taken::Yes,
        409 | 422 if of_slot => Taken::Perhaps,
        409 => Taken::Repeat,
        422 if outcome.issues.is_empty() || outcome.has_code("processing") => Taken::Perhaps,
        _ => Taken::No,
    }
}

/// The text of ERR-15 in an issue, alone or before a full stop or the like; more words would change its meaning.
fn is_err_15(outcome: &Outcome) -> bool {
    outcome.issues.iter().any(|issue| {
        let words = issue.text.trim();
        let begins = words
            .get(..SLOT_TAKEN.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(SLOT_TAKEN));
        let rest = words.get(SLOT_TAKEN.len()..);
        let next = rest.and_then(|rest| rest.chars().next());
        begins && next.is_none_or(|c| matches!(c, '.' | ',' | ';' | ':'))
    })
}

/// Whether a PUT with this answer, or without one, may still take effect. Then an appointment that is read as booked may be
/// cancelled a moment later.
pub(super) fn put_may_follow(status: Option<u16>) -> bool {
    !matches!(
        status,
        Some(
            200
            | 201
            | 204
            | 205
            | 206
            | 400..=407
            | 409..=424
            | 426..=443
            | 445..=498
            | 500
            | 501
            | 505..=511,
        )
    )
}
