//! Group C: cancelling.

use booking::situation::Situation;
use serde_json::{Value, json};

use super::answer::text;
use super::book::location;
use super::bundle;
use super::messages::{cancelled, uuid, with};
use super::query::{Window, window};
use super::registry::Table;
use super::trial::{Booked, Ids, Step, Trial};

const CANCELLED: Ids = &["P31", "PROV-INT-07", "PROV-CAN-05"];

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("CancelAppointment_HappyPath", happy_path),
    ("CancelAppointment_DifferencesDetected", differences),
    ("CancelAppointment_VersionConflict", conflict),
    ("CancelAppointment_If-MatchHeaderMissing", no_if_match),
    ("CancelAppointment_Forbidden", forbidden),
    ("Cancel_Stored", stored),
    ("Cancel_Shuffled", shuffled),
    ("Cancel_StrongETag", strong),
    ("Cancel_SlotFree", slot_free),
    ("Cancel_EveryDifference", every_difference),
    ("Cancel_Statuses", statuses),
    ("Cancel_Twice", twice),
    ("Cancel_UnknownId", unknown_id),
    ("Cancel_OtherId", other_id),
    ("Cancel_ResentRequestID", resent),
];

fn happy_path(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let read = t.ask("read the booking", &t.read(&booked.id)).succeeds(
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    let etag = read.header("etag").unwrap_or_default().to_owned();
    t.at(&read, "header ETag", &["PROV-HDR-13"])
        .must(!etag.is_empty())
        .right("`W/\"<versionId>\"`")
        .or("The read has no ETag");
    let etag = if etag.is_empty() {
        booked.etag.clone()
    } else {
        etag
    };
    let body = cancelled(&booked.message, &read.resource);
    let made = booked.answer.header("location");
    let made = made.unwrap_or_default().to_owned();
    // The published test sends a Location with its PUT (PROV-HDR-07).
    let request = t.cancel(&booked.id, &etag, &body).with("Location", made);
    // What was posted, with `id` and the returned `created`: what the Provider added need not come back.
    let a = t.ask("cancel the booking", &request).cancels(
        &booked.id,
        &["P31", "PROV-INT-07", "PROV-CAN-02", "PROV-CAN-05"],
    )?;
    t.is_correlated(&a, &request, "cancellation");
    let new = a.header("etag").unwrap_or_default().to_owned();
    t.at(&a, "header ETag", &["P31", "PROV-HDR-13", "PROV-CAN-05"])
        .must(!new.is_empty() && new != etag)
        .right("the ETag of the new version")
        .or(format!(
            "The ETag of the cancelled Appointment is `{new}`, before it was `{etag}`"
        ));
    t.at(
        &a,
        "header Last-Modified",
        &["P31", "PROV-HDR-14", "PROV-CAN-05"],
    )
    .must(a.header("last-modified").is_some())
    .right("set on every update")
    .or("The cancellation has no Last-Modified");
    let version = text(&a.resource, "/meta/versionId").to_owned();
    location(t, &a, &booked.id, &version);
    Ok(())
}

/// The body that cancels a booking, with another family name of the patient.
fn renamed(booked: &Booked) -> Value {
    let message = booked.message.clone();
    let changed = with(message, "/Patient/name/0/family", json!("Otherwise"));
    cancelled(&changed, booked.stored())
}

fn differences(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let body = renamed(&booked);
    let request = t.cancel(&booked.id, &booked.etag, &body);
    let a = t
        .ask("another family name", &request)
        .refused(Situation::CancelDiffers, &["PROV-CAN-02"])?;
    let named = a.status != 422 || a.text.contains("family") || a.text.contains("name");
    t.at(&a, "OperationOutcome.issue", &["ERR-19"])
        .should(named)
        .right("every changed path")
        .or("The changed element is not named");
    still_booked(t, &booked.id)
}

fn still_booked(t: &mut Trial, id: &str) -> Step {
    let a = t.ask("read what was not cancelled", &t.read(id)).succeeds(
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    t.at(&a, "Appointment.status", &["PROV-CAN-02"])
        .must(text(&a.resource, "/status") == "booked")
        .right("booked, as before")
        .or("A refused cancellation has changed the Appointment");
    Ok(())
}

fn conflict(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let body = renamed(&booked);
    for odd in [
        "W/\"99999\"",
        "\"99999\"",
        "W/\"\"99999\"\"",
        "\"W/99999\"",
        "nonsense",
        "W/\"\"",
    ] {
        let request = t.cancel(&booked.id, odd, &body);
        t.ask(&format!("If-Match: {odd}"), &request)
            .refused(Situation::VersionConflict, &["PROV-CAN-03", "PROV-CAN-04"])?;
    }
    Ok(())
}

fn no_if_match(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    for message in [
        renamed(&booked),
        with(booked.stored().clone(), "/status", json!("cancelled")),
    ] {
        let request = t.cancel(&booked.id, "", &message).without("If-Match");
        t.ask("no If-Match", &request)
            .refused(Situation::VersionMissing, &["PROV-CAN-03", "PROV-CAN-04"])?;
    }
    still_booked(t, &booked.id)
}

fn forbidden(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let request = t.cancellation(&booked).without("Authorization");
    t.ask("no Authorization", &request)
        .refused(Situation::TokenRefused, &["P1", "PROV-HDR-01"])?;
    still_booked(t, &booked.id)
}

fn stored(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let body = with(booked.stored().clone(), "/status", json!("cancelled"));
    let request = t.cancel(&booked.id, &booked.etag, &body);
    t.ask("cancel with the stored body", &request)
        .cancels(&booked.id, CANCELLED)
        .map(drop)
}

fn shuffled(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let mut body = booked.cancelled();
    if let Some(all) = body.get_mut("contained").and_then(Value::as_array_mut) {
        all.reverse();
    }
    super::messages::set(&mut body, "/meta", Value::Null);
    super::messages::set(&mut body, "/language", Value::Null);
    let request = t.cancel(&booked.id, &booked.etag, &body);
    t.ask("cancel with another order and without meta", &request)
        .cancels(&booked.id, &["PROV-CAN-02"])
        .map(drop)
}

fn strong(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let body = booked.cancelled();
    let strong = booked.etag.trim_start_matches("W/").to_owned();
    let request = t.cancel(&booked.id, &strong, &body);
    t.ask("cancel with a strong ETag", &request)
        .cancels(&booked.id, &["PROV-HDR-06"])
        .map(drop)
}

fn slot_free(t: &mut Trial) -> Step {
    let slot = t.slot()?;
    let mut used = Vec::new();
    for round in ["book", "book again"] {
        let message = t.booking(&slot);
        let a = t.ask(round, &t.book(&message)).succeeds(
            201,
            "Appointment",
            &["P31", "PROV-CAN-05"],
        )?;
        let id = a.appointment_id().unwrap_or_default();
        t.at(&a, "Appointment.id", &["P27", "PROV-GEN-15"])
            .must(!used.contains(&id))
            .right("a new id: the cancelled appointment stays readable under its own")
            .or("The second booking of a slot has the id of the first, which was cancelled");
        let etag = a.header("etag").unwrap_or_default().to_owned();
        let body = cancelled(&message, &a.resource);
        let request = t.cancel(&id, &etag, &body);
        t.ask("cancel", &request).cancels(&id, CANCELLED)?;
        found_free(t, &slot)?;
        used.push(id);
    }
    Ok(())
}

/// A search for free slots at the start of this one finds it.
fn found_free(t: &mut Trial, slot: &Value) -> Step {
    let Some(at) = bundle::start(slot) else {
        return Ok(());
    };
    let request = t.search(&window(t.service(), Window::at(at), "free"));
    let a = t
        .ask("search for the slot that was released", &request)
        .searched(&["PROV-CAN-05"])?;
    t.at(&a, "Slot.status", &["P31", "PROV-CAN-05", "OPS-C9"])
        .must(bundle::ids(&a).contains(text(slot, "/id")))
        .right("free from the moment of cancelling")
        .or("The slot of a cancelled booking is not found as free");
    Ok(())
}

fn every_difference(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let base = booked.cancelled();
    for (place, value) in [
        ("/description", json!("Something else")),
        ("/Patient/birthDate", json!("1979-03-13")),
        ("/Patient/gender", json!("male")),
        ("/Patient/telecom/0/value", json!("01632 960124")),
        ("/Patient/address/0/postalCode", json!("LS99 9ZY")),
        ("/Patient/contact/0/name/family", json!("Otherwise")),
        ("/DocumentReference/identifier/0/value", json!(uuid())),
        ("/participant/0/actor/display", json!("Someone Else")),
        (
            "/incomingReferral",
            json!([{"reference": "ReferralRequest/1"}]),
        ),
    ] {
        let body = with(base.clone(), place, value);
        let request = t.cancel(&booked.id, &booked.etag, &body);
        t.ask(
            &format!("another {}", place.trim_start_matches('/')),
            &request,
        )
        .refused(Situation::CancelDiffers, &["PROV-CAN-02"])?;
    }
    still_booked(t, &booked.id)
}

fn statuses(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    for status in [
        "booked",
        "arrived",
        "fulfilled",
        "noshow",
        "entered-in-error",
    ] {
        let body = with(booked.cancelled(), "/status", json!(status));
        let request = t.cancel(&booked.id, &booked.etag, &body);
        let a = t.send("an update to another status", &request)?;
        let _ = t.status(&a, 422, &["PROV-CAN-01", "D-18", "ERR-20"], status);
    }
    still_booked(t, &booked.id)
}

fn twice(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let request = t.cancellation(&booked);
    let a = t.ask("cancel", &request).cancels(&booked.id, CANCELLED)?;
    let new = a.header("etag").unwrap_or_default().to_owned();
    let request = t.cancellation(&booked);
    t.ask("cancel again with the old ETag", &request)
        .refused(Situation::VersionConflict, &["PROV-CAN-03"])?;
    let body = with(a.resource.clone(), "/status", json!("cancelled"));
    let request = t.cancel(&booked.id, &new, &body);
    t.ask("cancel again with the new ETag", &request)
        .refused(Situation::StateForbids, &["PROV-CAN-07"])
        .map(drop)
}

fn unknown_id(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let unknown = uuid();
    let body = with(booked.cancelled(), "/id", json!(unknown));
    let request = t.cancel(&unknown, "W/\"1\"", &body);
    t.ask("PUT under an unknown id", &request)
        .refused(Situation::AppointmentUnknown, &["PROV-CAN-03"])
        .map(drop)
}

fn other_id(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let body = with(booked.cancelled(), "/id", json!(uuid()));
    let request = t.cancel(&booked.id, &booked.etag, &body);
    let a = t.send("a body with another id", &request)?;
    let _ = t.status(&a, 400, &["PROV-CAN-03"], "a body with another id");
    still_booked(t, &booked.id)
}

fn resent(t: &mut Trial) -> Step {
    let booked = t.booked()?;
    let other = t.booked()?;
    let request = t.cancellation(&booked);
    t.ask("cancel", &request).cancels(&booked.id, CANCELLED)?;
    t.ask("the same cancellation again", &request)
        .refused(Situation::RequestIdReused, &["PROV-CAN-09"])?;
    // Nothing but the request id stands in the way of this one.
    let used = request.header("x-request-id").unwrap_or_default();
    let request = t.cancellation(&other).with("X-Request-ID", used);
    t.ask("another cancellation under a used X-Request-ID", &request)
        .refused(Situation::RequestIdReused, &["PROV-CAN-09"])
        .map(drop)
}
