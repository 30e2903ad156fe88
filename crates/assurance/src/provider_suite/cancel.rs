//! Group C: cancelling.

use booking::situation::Situation;
use serde_json::{Value, json};

use super::answer::text;
use super::book::location;
use super::bundle;
use super::messages::{cancelled, uuid, with};
use super::query::{Window, window};
use super::registry::Test;
use super::trial::{Ids, Step, Trial};

const CANCELLED: Ids = &["P31", "PROV-INT-07", "PROV-CAN-05"];

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new(
        "CancelAppointment_HappyPath",
        "Book, read, cancel with the ETag",
        CANCELLED,
        happy_path,
    ),
    Test::new(
        "CancelAppointment_DifferencesDetected",
        "A cancellation that changes the patient's name",
        &["PROV-CAN-02"],
        differences,
    ),
    Test::new(
        "CancelAppointment_VersionConflict",
        "If-Match of another version, however quoted",
        &["PROV-CAN-03", "PROV-CAN-04", "D-04"],
        conflict,
    ),
    Test::new(
        "CancelAppointment_If-MatchHeaderMissing",
        "No If-Match",
        &["PROV-CAN-03", "PROV-CAN-04", "D-04"],
        no_if_match,
    ),
    Test::new(
        "CancelAppointment_Forbidden",
        "No token",
        &["P1", "PROV-HDR-01", "D-01"],
        forbidden,
    ),
    Test::new(
        "Cancel_Stored",
        "A cancellation with the stored Appointment as body",
        CANCELLED,
        stored,
    ),
    Test::new(
        "Cancel_Shuffled",
        "A cancellation whose contained resources stand in another order",
        &["PROV-CAN-02"],
        shuffled,
    ),
    Test::new(
        "Cancel_StrongETag",
        "If-Match in strong form",
        &["PROV-HDR-06"],
        strong,
    ),
    Test::new(
        "Cancel_SlotFree",
        "The slot of a cancelled booking can be booked again",
        &["P31", "PROV-CAN-05", "OPS-C9"],
        slot_free,
    ),
    Test::new(
        "Cancel_EveryDifference",
        "Every other change is refused, one by one",
        &["PROV-CAN-01", "PROV-CAN-02"],
        every_difference,
    ),
    Test::new(
        "Cancel_Statuses",
        "Other statuses than cancelled",
        &["PROV-CAN-01", "D-18"],
        statuses,
    ),
    Test::new(
        "Cancel_Twice",
        "A second cancellation",
        &["PROV-CAN-03", "PROV-CAN-07"],
        twice,
    ),
    Test::new(
        "Cancel_UnknownId",
        "An appointment that does not exist",
        &["PROV-CAN-03"],
        unknown_id,
    ),
    Test::new(
        "Cancel_OtherId",
        "A body with another id than the address",
        &["PROV-CAN-03"],
        other_id,
    ),
    Test::new(
        "Cancel_ResentRequestID",
        "A request id that has been used",
        &["PROV-CAN-09", "D-03"],
        resent,
    ),
];

fn happy_path(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let request = t.session.read(&booked.id);
    let read = t.succeeds(
        "read the booking",
        &request,
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    let etag = read.header("etag").unwrap_or_default().to_owned();
    t.must(
        !etag.is_empty(),
        &read,
        &["PROV-HDR-13"],
        "header ETag",
        "The read has no ETag",
        "`W/\"<versionId>\"`",
    );
    let etag = if etag.is_empty() {
        booked.etag.clone()
    } else {
        etag
    };
    let body = cancelled(&message, &read.resource);
    let made = booked.answer.header("location");
    let made = made.unwrap_or_default().to_owned();
    // The published test sends a Location with its PUT (PROV-HDR-07).
    let request = t
        .session
        .cancel(&booked.id, &etag, &body)
        .with("Location", made);
    // What was posted, with `id` and the returned `created`: what the Provider added need not come back.
    let a = t.cancels(
        "cancel the booking",
        &request,
        &booked.id,
        &["P31", "PROV-INT-07", "PROV-CAN-02", "PROV-CAN-05"],
    )?;
    let (sent, back) = (
        request.header("x-request-id"),
        a.header("x-correlation-id").map(str::to_owned),
    );
    t.must(
        sent == back.as_deref(),
        &a,
        &["PROV-HDR-11"],
        "header X-Correlation-ID",
        "X-Correlation-ID is not the X-Request-ID of the cancellation",
        "the request's X-Request-ID",
    );
    let new = a.header("etag").unwrap_or_default().to_owned();
    t.must(
        !new.is_empty() && new != etag,
        &a,
        &["P31", "PROV-HDR-13", "PROV-CAN-05"],
        "header ETag",
        format!("The ETag of the cancelled Appointment is `{new}`, before it was `{etag}`"),
        "the ETag of the new version",
    );
    t.must(
        a.header("last-modified").is_some(),
        &a,
        &["P31", "PROV-HDR-14", "PROV-CAN-05"],
        "header Last-Modified",
        "The cancellation has no Last-Modified",
        "set on every update",
    );
    let version = text(&a.resource, "/meta/versionId").to_owned();
    location(t, &a, &booked.id, &version);
    Ok(())
}

fn differences(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let changed = with(message, "/Patient/name/0/family", json!("Otherwise"));
    let body = cancelled(&changed, &booked.answer.resource);
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    let a = t.refused(
        "another family name",
        &request,
        Situation::CancelDiffers,
        &["PROV-CAN-02"],
    )?;
    let named = a.status != 422 || a.text.contains("family") || a.text.contains("name");
    t.should(
        named,
        &a,
        &["ERR-19"],
        "OperationOutcome.issue",
        "The changed element is not named",
        "every changed path",
    );
    still_booked(t, &booked.id)
}

fn still_booked(t: &mut Trial, id: &str) -> Step {
    let request = t.session.read(id);
    let a = t.succeeds(
        "read what was not cancelled",
        &request,
        200,
        "Appointment",
        &["PROV-READ-01"],
    )?;
    t.must(
        text(&a.resource, "/status") == "booked",
        &a,
        &["PROV-CAN-02"],
        "Appointment.status",
        "A refused cancellation has changed the Appointment",
        "booked, as before",
    );
    Ok(())
}

fn conflict(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let changed = with(message, "/Patient/name/0/family", json!("Otherwise"));
    let body = cancelled(&changed, &booked.answer.resource);
    for odd in [
        "W/\"99999\"",
        "\"99999\"",
        "W/\"\"99999\"\"",
        "\"W/99999\"",
        "nonsense",
        "W/\"\"",
    ] {
        let request = t.session.cancel(&booked.id, odd, &body);
        t.refused(
            &format!("If-Match: {odd}"),
            &request,
            Situation::VersionConflict,
            &["PROV-CAN-03", "PROV-CAN-04"],
        )?;
    }
    Ok(())
}

fn no_if_match(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let changed = with(message, "/Patient/name/0/family", json!("Otherwise"));
    for message in [
        cancelled(&changed, &booked.answer.resource),
        with(
            booked.answer.resource.clone(),
            "/status",
            json!("cancelled"),
        ),
    ] {
        let request = t
            .session
            .cancel(&booked.id, "", &message)
            .without("If-Match");
        t.refused(
            "no If-Match",
            &request,
            Situation::VersionMissing,
            &["PROV-CAN-03", "PROV-CAN-04"],
        )?;
    }
    still_booked(t, &booked.id)
}

fn forbidden(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let body = cancelled(&message, &booked.answer.resource);
    let request = t
        .session
        .cancel(&booked.id, &booked.etag, &body)
        .without("Authorization");
    t.refused(
        "no Authorization",
        &request,
        Situation::TokenRefused,
        &["P1", "PROV-HDR-01"],
    )?;
    still_booked(t, &booked.id)
}

fn cancels(t: &mut Trial, about: &str, id: &str, etag: &str, body: &Value, ids: Ids) -> Step {
    let request = t.session.cancel(id, etag, body);
    t.cancels(about, &request, id, ids).map(drop)
}

fn stored(t: &mut Trial) -> Step {
    let (_, booked) = t.booked()?;
    let body = with(
        booked.answer.resource.clone(),
        "/status",
        json!("cancelled"),
    );
    cancels(
        t,
        "cancel with the stored body",
        &booked.id,
        &booked.etag,
        &body,
        CANCELLED,
    )
}

fn shuffled(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let mut body = cancelled(&message, &booked.answer.resource);
    if let Some(all) = body.get_mut("contained").and_then(Value::as_array_mut) {
        all.reverse();
    }
    super::messages::set(&mut body, "/meta", Value::Null);
    super::messages::set(&mut body, "/language", Value::Null);
    cancels(
        t,
        "cancel with another order and without meta",
        &booked.id,
        &booked.etag,
        &body,
        &["PROV-CAN-02"],
    )
}

fn strong(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let body = cancelled(&message, &booked.answer.resource);
    let strong = booked.etag.trim_start_matches("W/").to_owned();
    cancels(
        t,
        "cancel with a strong ETag",
        &booked.id,
        &strong,
        &body,
        &["PROV-HDR-06"],
    )
}

fn slot_free(t: &mut Trial) -> Step {
    let slot = t.slot()?;
    let mut used = Vec::new();
    for round in ["book", "book again"] {
        let message = t.session.booking(&slot);
        let request = t.session.book(&message);
        let a = t.succeeds(round, &request, 201, "Appointment", &["P31", "PROV-CAN-05"])?;
        let id = a.appointment_id().unwrap_or_default();
        t.must(
            !used.contains(&id),
            &a,
            &["P27", "PROV-GEN-15"],
            "Appointment.id",
            "The second booking of a slot has the id of the first, which was cancelled",
            "a new id: the cancelled appointment stays readable under its own",
        );
        let etag = a.header("etag").unwrap_or_default().to_owned();
        let body = cancelled(&message, &a.resource);
        cancels(t, "cancel", &id, &etag, &body, CANCELLED)?;
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
    let service = t.session.target.service.as_str();
    let around = Window {
        lower: at,
        upper: at,
    };
    let request = t.session.search(&window(service, around, "free"));
    let a = bundle::searched(
        t,
        "search for the slot that was released",
        &request,
        &["PROV-CAN-05"],
    )?;
    t.must(
        bundle::ids(&a).contains(text(slot, "/id")),
        &a,
        &["P31", "PROV-CAN-05", "OPS-C9"],
        "Slot.status",
        "The slot of a cancelled booking is not found as free",
        "free from the moment of cancelling",
    );
    Ok(())
}

fn every_difference(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let base = cancelled(&message, &booked.answer.resource);
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
        let request = t.session.cancel(&booked.id, &booked.etag, &body);
        t.refused(
            &format!("another {}", place.trim_start_matches('/')),
            &request,
            Situation::CancelDiffers,
            &["PROV-CAN-02"],
        )?;
    }
    still_booked(t, &booked.id)
}

fn statuses(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    for status in [
        "booked",
        "arrived",
        "fulfilled",
        "noshow",
        "entered-in-error",
    ] {
        let body = with(
            cancelled(&message, &booked.answer.resource),
            "/status",
            json!(status),
        );
        let request = t.session.cancel(&booked.id, &booked.etag, &body);
        let a = t.send("an update to another status", &request)?;
        let _ = t.status(&a, 422, &["PROV-CAN-01", "D-18", "ERR-20"], status);
    }
    still_booked(t, &booked.id)
}

fn twice(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let body = cancelled(&message, &booked.answer.resource);
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    let a = t.cancels("cancel", &request, &booked.id, CANCELLED)?;
    let new = a.header("etag").unwrap_or_default().to_owned();
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    t.refused(
        "cancel again with the old ETag",
        &request,
        Situation::VersionConflict,
        &["PROV-CAN-03"],
    )?;
    let body = with(a.resource.clone(), "/status", json!("cancelled"));
    let request = t.session.cancel(&booked.id, &new, &body);
    t.refused(
        "cancel again with the new ETag",
        &request,
        Situation::StateForbids,
        &["PROV-CAN-07"],
    )
    .map(drop)
}

fn unknown_id(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let unknown = uuid();
    let body = with(
        cancelled(&message, &booked.answer.resource),
        "/id",
        json!(unknown),
    );
    let request = t.session.cancel(&unknown, "W/\"1\"", &body);
    t.refused(
        "PUT under an unknown id",
        &request,
        Situation::AppointmentUnknown,
        &["PROV-CAN-03"],
    )
    .map(drop)
}

fn other_id(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let body = with(
        cancelled(&message, &booked.answer.resource),
        "/id",
        json!(uuid()),
    );
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    let a = t.send("a body with another id", &request)?;
    let _ = t.status(&a, 400, &["PROV-CAN-03"], "a body with another id");
    still_booked(t, &booked.id)
}

fn resent(t: &mut Trial) -> Step {
    let (message, booked) = t.booked()?;
    let (other_message, other) = t.booked()?;
    let body = cancelled(&message, &booked.answer.resource);
    let request = t.session.cancel(&booked.id, &booked.etag, &body);
    t.cancels("cancel", &request, &booked.id, CANCELLED)?;
    t.refused(
        "the same cancellation again",
        &request,
        Situation::RequestIdReused,
        &["PROV-CAN-09"],
    )?;
    // Nothing but the request id stands in the way of this one.
    let used = request.header("x-request-id").unwrap_or_default();
    let body = cancelled(&other_message, &other.answer.resource);
    let request = t
        .session
        .cancel(&other.id, &other.etag, &body)
        .with("X-Request-ID", used);
    t.refused(
        "another cancellation under a used X-Request-ID",
        &request,
        Situation::RequestIdReused,
        &["PROV-CAN-09"],
    )
    .map(drop)
}
