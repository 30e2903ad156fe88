//! Turns answers and missing answers into obstacles: the one place that gives a status its meaning at each stage.

use super::Target;
use super::book::Attempt;
use super::clock;
use crate::config::ConfigError;
use crate::journal::JournalError;
use crate::obstacle::{Kind, Obstacle};
use crate::plan::{DetailsError, PlanError};
use crate::slots::Unreadable;
use crate::transport::{Answer, Hindrance, Source, Undelivered};
use booking::ids::ServiceId;
use serde_json::{Map, Value, json};

/// The current step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Search,
    Book,
    Read,
    Cancel,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Stage::Search => "search",
            Stage::Book => "book",
            Stage::Read => "read",
            Stage::Cancel => "cancel",
        }
    }
}

fn of(kind: Kind, stage: Stage, target: &Target) -> Obstacle {
    Obstacle::new(kind)
        .note("stage", stage.word())
        .note("service", &target.service)
        .note("asid", &target.asid)
}

fn answered(obstacle: Obstacle, answer: &Answer) -> Obstacle {
    let mut obstacle = obstacle
        .note("status", answer.status)
        .note("source", answer.source().word())
        .note("tries", answer.tries);
    let ids = [
        ("response_id", &answer.response_id),
        ("correlation_id", &answer.correlation_id),
    ];
    for (key, value) in ids {
        if let Some(value) = value {
            obstacle = obstacle.text(key, value);
        }
    }
    if let Some(ahead) = answer.clock_ahead {
        obstacle = obstacle.note("their_clock_ahead_s", ahead.as_secs());
    }
    match answer.fault_text() {
        Some(text) => obstacle.text("answer", &text),
        None => obstacle,
    }
}

/// The meaning of a status (CONS-ERR-03).
fn kind_of(answer: &Answer, stage: Stage) -> Kind {
    let of_ssp = answer.source() == Source::Ssp;
    match answer.status {
        400 | 401 | 403 if clock::refused(answer) => Kind::ClockWrong,
        502 => Kind::ProviderOffline,
        504 | 599 | 444 => Kind::ProviderSilent,
        429 | 503 => Kind::Overloaded,
        495..=497 => Kind::SspCertificate,
        401 | 403 if of_ssp => Kind::SspDenied,
        400..=499 if of_ssp => Kind::SspRefused,
        401 | 403 => Kind::ProviderDenied,
        404 | 410 if stage != Stage::Book => Kind::NotFound,
        409 | 412 if stage == Stage::Cancel => Kind::BookingChanged,
        501 => Kind::ProviderRefused,
        500..=599 => Kind::ProviderFailed,
        400..=499 => Kind::ProviderRefused,
        _ => Kind::ProviderUnreadable,
    }
}

/// An answer other than success.
pub(super) fn refused(answer: &Answer, stage: Stage, target: &Target) -> Obstacle {
    let mut obstacle = answered(of(kind_of(answer, stage), stage, target), answer);
    if obstacle.kind == Kind::ClockWrong {
        let next = obstacle.next.clone();
        obstacle = obstacle.saying(clock::plain(answer), next);
    }
    not_done(obstacle, stage, answer.uncertain).logged()
}

/// An answer to a booking that leaves open whether it was made.
pub(super) fn open(answer: &Answer, target: &Target) -> Obstacle {
    let stage = Stage::Book;
    let obstacle = answered(of(kind_of(answer, stage), stage, target), answer);
    not_done(obstacle, stage, true).logged()
}

/// A cancellation was answered with success, but the appointment is not cancelled.
pub(super) fn stands(answer: &Answer, target: &Target) -> Obstacle {
    let obstacle = of(Kind::ProviderUnreadable, Stage::Cancel, target).saying(
        "The service took the request, but the appointment still stands.",
        "Look at the booking again in a moment. If it still stands, ring the service.",
    );
    answered(obstacle, answer).logged()
}

/// No answer.
pub(super) fn undelivered(undelivered: &Undelivered, stage: Stage, target: &Target) -> Obstacle {
    let kind = match (undelivered.hindrance, undelivered.uncertain) {
        (Hindrance::OwnCertificate, _) => Kind::SspCertificate,
        (Hindrance::TheirCertificate, _) => Kind::PeerCertificate,
        (Hindrance::Settled, _) => Kind::OtherBooking,
        (Hindrance::Unrecorded, _) => Kind::Journal,
        (Hindrance::Cut, _) => Kind::AnswerBroken,
        (Hindrance::Silence, true) => Kind::ProviderSilent,
        (Hindrance::Silence, false) => Kind::SspUnreachable,
    };
    let obstacle = of(kind, stage, target)
        .note("tries", undelivered.tries)
        .text("fault", &undelivered.fault);
    not_done(obstacle, stage, undelivered.uncertain).logged()
}

/// After a certain failure of a booking, says that nothing was booked. After an uncertain one, trying again is not safe.
fn not_done(mut obstacle: Obstacle, stage: Stage, uncertain: bool) -> Obstacle {
    match (stage, uncertain) {
        (Stage::Book, false) => obstacle.plain.push_str(" Nothing was booked."),
        (Stage::Book, true) => obstacle.retry_safe = false,
        _ => {}
    }
    obstacle
}

/// A success with a wrong body.
pub(super) fn malformed(answer: &Answer, stage: Stage, target: &Target) -> Obstacle {
    let found = answer
        .resource
        .as_ref()
        .and_then(|r| r.resource_type())
        .unwrap_or("nothing readable");
    let obstacle = of(Kind::ProviderUnreadable, stage, target);
    answered(obstacle, answer).text("body", found).logged()
}

/// A success that should not have this form.
pub(super) fn unexpected(answer: &Answer, why: &str, stage: Stage, target: &Target) -> Obstacle {
    let obstacle = of(Kind::ProviderUnreadable, stage, target);
    answered(obstacle, answer).text("why", why).logged()
}

/// An appointment that cannot be relied on, and why.
pub(super) fn unusable(why: &str, target: &Target) -> Obstacle {
    of(Kind::ProviderUnreadable, Stage::Read, target)
        .note("why", why)
        .logged()
}

/// Slots came, but none is readable (CONS-ERR-01). Never says that there are no slots.
pub(super) fn slots_unreadable(unreadable: &Unreadable, target: &Target) -> Obstacle {
    let mut obstacle = of(Kind::SlotsUnreadable, Stage::Search, target);
    for (why, count) in unreadable.reasons() {
        obstacle = obstacle.note("unreadable", format_args!("{count}: {}", why.plain()));
    }
    obstacle.logged()
}

pub(super) fn slot_taken(service: &ServiceId) -> Obstacle {
    Obstacle::new(Kind::SlotTaken)
        .note("service", service)
        .logged()
}

/// Another command is booking, or has booked, for the same patient.
pub(super) fn other_booking(document: &str) -> Obstacle {
    Obstacle::new(Kind::OtherBooking)
        .note("document", document)
        .logged()
}

/// The last resort of CONS-BOOK-05, with the differences between request and answer.
pub(super) fn unknown_state(
    attempt: &Attempt<'_>,
    question: Option<&str>,
    last: Obstacle,
) -> Obstacle {
    let mut obstacle = Obstacle::new(Kind::BookingUncertain);
    if let Some(question) = question {
        obstacle.plain = format!(
            "{} What the service has does not fit: {question}.",
            obstacle.plain
        );
    }
    let obstacle = obstacle
        .note("request_id", &attempt.request.ids.request)
        .note("trace_id", &attempt.request.ids.trace)
        .note("document", attempt.document)
        .text("slot", &attempt.slot.id);
    after(obstacle, last)
}

pub(super) fn cancel_unknown(last: Obstacle) -> Obstacle {
    after(Obstacle::new(Kind::CancelUncertain), last)
}

/// Adds the earlier obstacle to an obstacle.
fn after(obstacle: Obstacle, last: Obstacle) -> Obstacle {
    let obstacle = obstacle.note("last", last.kind.name());
    last.log
        .into_iter()
        .fold(obstacle, |o, (key, value)| o.note(key, value))
        .logged()
}

pub(super) fn changed(target: &Target) -> Obstacle {
    of(Kind::BookingChanged, Stage::Cancel, target).logged()
}

pub(super) fn not_cleared() -> Obstacle {
    Obstacle::new(Kind::ApprovalNeeded).note("why", "cleared for another slot or encounter")
}

/// The journal's data are unusable.
pub(super) fn damaged(why: &dyn std::fmt::Display) -> Obstacle {
    Obstacle::new(Kind::Journal).note("damaged", why).logged()
}

pub(super) fn journal(error: JournalError) -> Obstacle {
    Obstacle::new(Kind::Journal).note("fault", error).logged()
}

pub(super) fn settings(error: ConfigError) -> Obstacle {
    Obstacle::new(Kind::Settings)
        .text("fault", &error.to_string())
        .logged()
}

pub(super) fn plan(error: PlanError) -> Obstacle {
    Obstacle::new(Kind::Settings).note("fault", error).logged()
}

pub(super) fn details(error: &DetailsError) -> Obstacle {
    // The sentences name fields, never values.
    Obstacle::new(Kind::BookingDetails)
        .saying(error.to_string(), "Correct it and book again.")
        .note("faults", error.0.len())
}

/// An obstacle for the journal, with the words shown to the user (DAT-08, REP-C-06).
pub(super) fn detail(obstacle: &Obstacle) -> Value {
    let log: Map<String, Value> = obstacle
        .log
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    json!({
        "kind": obstacle.kind.name(),
        "fault_of": obstacle.row().party.word(),
        "shown": obstacle.plain,
        "next": obstacle.next,
        "log": log,
    })
}
