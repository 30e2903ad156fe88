//! What the status of an answer to a booking or a cancellation can mean, before anything is believed (D-52).

use crate::transport::{Answer, Outcome};
use booking::refusal::SLOT_TAKEN;

/// What the answer to a POST says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// 201: booked, if the Appointment is the one that was asked for.
    Created,
    /// It can only mean that nothing was booked.
    Refused,
    /// 4xx without an OperationOutcome: not booked when the patient's appointments lack it too (D-62).
    Unsaid,
    /// 409 or 422: refused, or a repeat of a request that succeeded, or the slot went.
    Contested,
    /// Nobody can say.
    Open,
}

/// Reads the status. Whatever is not known to be a refusal leaves it open, and so does every refusal of a repeat whose
/// first try was not answered.
pub(super) fn posted(answer: &Answer) -> Posted {
    match answer.status {
        201 => Posted::Created,
        _ if answer.uncertain => Posted::Open,
        409 | 422 => Posted::Contested,
        // Given up in between: by a server that waited, by a proxy, or because it could not be told where it belongs.
        408 | 421 | 425 | 444 | 499 => Posted::Open,
        400..=499 if answer.unsaid => Posted::Unsaid,
        400..=499 => Posted::Refused,
        _ => Posted::Open,
    }
}

/// What a refusal with 409 or 422 says about the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Somebody has it, in the words of the Standard.
    Yes,
    /// A search will tell.
    Perhaps,
    /// It says something else.
    No,
    /// 409 is the status of a repeat too (ERR-11): without words about the slot it may be one, which something on the
    /// way made unasked.
    Repeat,
}

/// Reads the refusal (ERR-15; 409 of Providers that follow the older error table, D-02).
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

/// The words of ERR-15 in an issue, alone or before a full stop or the like; more words would say something else.
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

/// Whether the answer to a PUT, or its absence, lets the request be still on its way: then an appointment that is read
/// as booked may be cancelled in a moment.
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
