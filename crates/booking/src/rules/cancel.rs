//! Cancelling: changes `status` to `cancelled` and nothing else (PROV-CAN-01..07).

use super::difference;
use crate::appointment;
use crate::ids::ResourceId;
use crate::instant;
use crate::placing::stamp;
use crate::refusal::{Finding, Refusal, Situation};
use fhir::{Element, Value};
use jiff::Timestamp;

/// Reads the body of a PUT: it has to be an Appointment (ERR-04), and its `id`, if any, has to match the URL (PROV-CAN-03).
/// The published example has no `id`.
pub fn read(parsed: fhir::Parsed, id: &ResourceId) -> Result<fhir::Parsed, Refusal> {
    let readable = appointment::readable(parsed)?;
    match readable.root.str_of("id") {
        Some(given) if given != id.as_str() => Err(Refusal::new(
            Situation::BodyUnreadable,
            "The `id` in the body is not the one in the URL.",
        )
        .expression("Appointment.id")),
        _ => Ok(readable),
    }
}

/// Checks a cancellation against the current version: its state allows cancelling (ERR-20), and only `status` changes
/// (ERR-19, with one finding per changed path, never a value).
pub fn check_cancel(stored: &Element, submitted: &Element, now: Timestamp) -> Result<(), Refusal> {
    let refused = |sentence: String| {
        Err(Refusal::new(Situation::StateForbids, sentence).expression("Appointment.status"))
    };
    match stored.str_of("status") {
        Some("booked") => {}
        Some("cancelled") => return refused("The appointment is already cancelled.".to_owned()),
        other => {
            return refused(format!(
                "The appointment is `{}`, so it cannot be cancelled.",
                other.unwrap_or("without status")
            ));
        }
    }
    if submitted.str_of("status") != Some("cancelled") {
        return refused("`status` must be `cancelled`: an update can only cancel.".to_owned());
    }
    if stored
        .str_of("start")
        .and_then(instant::parse)
        .is_some_and(|start| start <= now)
    {
        return Err(Refusal::new(
            Situation::StateForbids,
            "The appointment is already past, so it cannot be cancelled.",
        )
        .expression("Appointment.start"));
    }
    let findings: Vec<Finding> = difference::changed_paths(stored, submitted)
        .into_iter()
        .map(|path| {
            Finding::error(format!(
                "`{path}` differs from the stored appointment; read it and change only `status`."
            ))
            .expression(path)
        })
        .collect();
    if findings.is_empty() {
        Ok(())
    } else {
        Err(Refusal::of(Situation::CancelDiffers, findings))
    }
}

/// The next version: the stored Appointment, `cancelled`, with new metadata (PROV-CAN-05). The contained Slot keeps the
/// state that was booked; the slot itself becomes free.
pub fn cancelled_document(stored: &Element, version: u32, now: Timestamp) -> Element {
    let mut document = stored.clone();
    if let Some(status) = document.get_mut("status") {
        status.set_value(Some(Value::String("cancelled".into())));
    }
    stamp(&mut document, version, now);
    document
}
