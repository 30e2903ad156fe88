//! A time that is gone because this very patient has it: another command from here took it, or is taking it (CONS-BOOK-04,
//! CONS-REB-04).

use super::book::stands;
use super::desk::Desk;
use super::{Certainty, Stopped, settle, shown};
use consumer::journey::{Target, is_same_wish};
use consumer::plan::BookingDetails;
use consumer::slots::day_and_time;
use serde_json::json;

/// Why a command stops whose slot is gone, when the patient has it; `None` when it is somebody else's, as far as is known
/// here.
pub async fn holder(
    desk: &Desk,
    target: &Target,
    slot: &str,
    details: &BookingDetails,
) -> Result<Option<Stopped>, Stopped> {
    let number = details.patient.number();
    let rows = desk.consultation.known_bookings(number.as_ref()).await?;
    let row = rows.into_iter().find(|k| {
        let theirs = match &number {
            Some(_) => k.nhs_number == number,
            None => is_same_wish(k, details),
        };
        theirs
            && k.slot == slot
            && k.service == target.service.as_str()
            && k.asid == target.asid.as_str()
    });
    let Some(row) = row else {
        return Ok(None);
    };
    let (reason, certainty) = match row.is_unsettled() {
        false => {
            let Some(service) = stands(desk, &row).await else {
                return Ok(None);
            };
            let id = row.appointment.as_deref().unwrap_or(&row.document);
            (
                has(&service, &day_and_time(row.start), id),
                Certainty::Certain,
            )
        }
        true => {
            let found = settle::row(desk, &row).await?;
            match found.booked() {
                Some((target, proven)) => {
                    let service = super::desk::service_name(target, Some(&row));
                    let id = &proven.appointment().id;
                    (
                        has(&service, &day_and_time(row.start), id),
                        Certainty::Certain,
                    )
                }
                None if found.is_open() => (
                    format!(
                        "Another command from here is booking this time for this patient. {}",
                        found.plain()
                    ),
                    Certainty::Uncertain,
                ),
                None => return Ok(None),
            }
        }
    };
    if desk.json {
        let outcome = match certainty {
            Certainty::Certain => "not_booked",
            Certainty::Uncertain => "uncertain",
        };
        shown::json(&json!({ "outcome": outcome, "message": reason, "patient_has": [row] }));
    }
    Ok(Some(Stopped::Told(reason, certainty)))
}

fn has(service: &str, day: &str, id: &str) -> String {
    format!(
        "The patient has this time already, booked by another command from here: {service} on {day} ({id}). Nothing more was \
         booked."
    )
}
