//! A booking that is not made because of another one of this very patient, which another command from here made or is
//! making: it has the slot (CONS-BOOK-04), or came between the question and the booking (CONS-REB-04).

use super::session::{Session, service_name};
use super::{Certainty, Stopped, appointments, settle, shown};
use consumer::journal::{Found, KnownBooking, State, Which};
use consumer::journey::{Booking, Target};
use consumer::obstacle::{Kind, Obstacle};
use consumer::plan::BookingDetails;
use consumer::slots::day_and_time;
use serde_json::json;

/// Why a command stops that did not book because of another booking of the patient; `None` when that is not why, as far as
/// is known here.
pub async fn instead(
    session: &Session,
    target: &Target,
    slot: &str,
    booking: &Result<Booking, Obstacle>,
    details: &BookingDetails,
) -> Result<Option<Stopped>, Stopped> {
    match booking {
        Ok(Booking::SlotTaken { .. }) => holder(session, target, slot, details).await,
        Err(obstacle) if obstacle.kind == Kind::OtherBooking => {
            other(session, obstacle.noted("document").unwrap_or_default()).await
        }
        _ => Ok(None),
    }
}

/// The patient has the time that is gone.
pub async fn holder(
    session: &Session,
    target: &Target,
    slot: &str,
    details: &BookingDetails,
) -> Result<Option<Stopped>, Stopped> {
    let rows = session
        .consultation
        .bookings_of(Which::Live, details)
        .await?;
    let row = rows.into_iter().find(|k| {
        k.slot == slot && k.service == target.service.as_str() && k.asid == target.asid.as_str()
    });
    let Some(row) = row else {
        return Ok(None);
    };
    let Some(became) = what_became(session, &row).await? else {
        return Ok(None);
    };
    let reason = match &became {
        Became::Booked(named) => format!(
            "The patient has this time already, booked by another command from here: {named}. Nothing more was booked."
        ),
        Became::Open(plain) => {
            format!("Another command from here is booking this time for this patient. {plain}")
        }
    };
    Ok(Some(stop(session, &row, reason, &became)))
}

/// Another command asked for a booking of the patient first.
async fn other(session: &Session, document: &str) -> Result<Option<Stopped>, Stopped> {
    let Found::One(row) = session.journal().find(document).await? else {
        return Ok(None);
    };
    let Some(became) = what_became(session, &row).await? else {
        return Ok(None);
    };
    let reason = match &became {
        Became::Booked(named) => format!(
            "The patient has an appointment already, booked by another command from here: {named}. Nothing was booked. \
                 Confirm with the patient, then cancel it, or say --another to book another besides."
        ),
        Became::Open(plain) => format!(
            "The patient is being booked by another command from here, and it is not certain yet whether that succeeds. \
                 {plain} Nothing more was booked. --another books all the same."
        ),
    };
    Ok(Some(stop(session, &row, reason, &became)))
}

/// What became of the other booking.
enum Became {
    /// It stands: service, day and id.
    Booked(String),
    /// It is not certain: why.
    Open(String),
}

/// Asks the service; `None` when there is no such booking, or not any more.
async fn what_became(session: &Session, row: &KnownBooking) -> Result<Option<Became>, Stopped> {
    let named = |service: &str, id: &str| {
        let day = day_and_time(row.start);
        Became::Booked(format!("{service} on {day} ({id})"))
    };
    if matches!(row.state, State::Failed | State::Cancelled) {
        return Ok(None);
    }
    if !row.is_unsettled() {
        let id = row.appointment.as_deref().unwrap_or(&row.document);
        return Ok(appointments::stands(session, row)
            .await
            .map(|service| named(&service, id)));
    }
    let found = settle::row(session, row).await?;
    Ok(match found.booked() {
        Some((target, proven)) => Some(named(
            &service_name(target, Some(row)),
            &proven.appointment().id,
        )),
        None => found.is_open().then(|| Became::Open(found.plain())),
    })
}

fn stop(session: &Session, row: &KnownBooking, reason: String, became: &Became) -> Stopped {
    let (outcome, certainty) = match became {
        Became::Booked(_) => ("not_booked", Certainty::Certain),
        Became::Open(_) => ("uncertain", Certainty::Uncertain),
    };
    if session.json {
        shown::json(&json!({ "outcome": outcome, "message": reason, "patient_has": [row] }));
    }
    Stopped::Told(reason, certainty)
}
