//! What a Consumer of the superseded version may leave out, and that nobody else may.

use super::messages;
use super::messages::{SLOT, booking, now, parse};
use booking::appointment::{BookingRequest, check_update};
use booking::ids::ResourceId;
use booking::patient_summary::search_entry;
use booking::refusal::{Refusal, Situation};
use booking::rules::book::{SlotSnapshot, booked_document, check_claim};
use booking::rules::cancel::{check_cancel, read};
use booking::slot::SlotStatus;
use booking::version::StandardVersion;
use booking::wire::interaction::Interaction;
use serde_json::{Value, json};

/// The message by the rules of the superseded version, once it is sure that the current one refuses it.
#[track_caller]
fn superseded_alone(change: impl FnOnce(&mut Value)) -> (Result<BookingRequest, Refusal>, Refusal) {
    let mut message = booking();
    change(&mut message);
    let current = BookingRequest::read(parse(&message)).map(|_| ());
    let current = current.expect_err("the current version refuses it");
    let superseded = BookingRequest::read_as(parse(&message), StandardVersion::Superseded);
    (superseded, current)
}

#[track_caller]
fn accepted(change: impl FnOnce(&mut Value)) -> (BookingRequest, Refusal) {
    let (superseded, current) = superseded_alone(change);
    (
        superseded.unwrap_or_else(|r| panic!("refused: {r}")),
        current,
    )
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value)) -> Refusal {
    let (superseded, _) = superseded_alone(change);
    superseded.map(|_| ()).expect_err("this must be refused")
}

fn snapshot() -> SlotSnapshot {
    SlotSnapshot {
        id: SLOT.to_owned(),
        schedule: "sch-utc-1".to_owned(),
        start: "2031-03-04T09:30:00Z".parse().unwrap(),
        end: "2031-03-04T09:40:00Z".parse().unwrap(),
        status: SlotStatus::Free,
        live_booking: false,
    }
}

fn drop_rank(point: &mut Value) {
    point.as_object_mut().unwrap().remove("rank");
}

/// Takes a contained resource out, with what refers to it.
fn without(b: &mut Value, kind: &str) {
    let contained = b["contained"].as_array_mut().unwrap();
    contained.retain(|c| c["resourceType"] != kind);
    match kind {
        "Slot" => b["slot"] = json!([{"reference": format!("Slot/{SLOT}")}]),
        _ => drop(b.as_object_mut().unwrap().remove("supportingInformation")),
    }
}

/// Proves: VER-03, RES-RANK-02, ERR-05
#[test]
fn the_first_telephone_without_rank_counts_as_rank_1() {
    let (request, current) = accepted(|b| {
        drop_rank(&mut b["contained"][1]["telecom"][0]);
        drop_rank(&mut b["contained"][1]["contact"][0]["telecom"][0]);
    });
    assert_eq!(current.situation, Situation::ContactRank);
    let patient = request.document.all("contained").nth(1).unwrap();
    assert!(patient.at("telecom.rank").is_none(), "kept as it came");
    // A rank that is sent counts.
    accepted(|b| drop_rank(&mut b["contained"][1]["contact"][0]["telecom"][0]));
    for change in [
        // An e-mail address is no telephone.
        (|b| {
            b["contained"][1]["telecom"][0] = json!({"system": "email", "value": "a@b"});
        }) as fn(&mut Value),
        |b| b["contained"][1]["telecom"][0]["rank"] = json!(2),
        |b| b["contained"][1]["contact"][0]["telecom"][0]["rank"] = json!(1),
        |b| b["contained"][1]["telecom"][0]["rank"] = json!(0),
        |b| {
            let patient = b["contained"][1].as_object_mut().unwrap();
            patient.remove("telecom");
            patient.remove("contact");
        },
    ] {
        assert_eq!(refused(change).situation, Situation::ContactRank);
    }
}

/// Proves: VER-05, RES-APPT-04, RES-APPT-09, RES-APPT-10
#[test]
fn document_and_slot_need_not_be_contained() {
    let (request, current) = accepted(|b| without(b, "DocumentReference"));
    assert_eq!(current.status(), 422);
    assert_eq!(request.document_id, None);
    let (request, current) = accepted(|b| {
        without(b, "DocumentReference");
        without(b, "Slot");
    });
    assert_eq!(current.situation, Situation::BodyUnreadable);
    assert_eq!(request.slot.uuid().unwrap().to_string(), SLOT);
    assert_eq!(check_claim(&request, Some(&snapshot()), now()), Ok(()));
    let later = SlotSnapshot {
        start: "2031-03-04T09:31:00Z".parse().unwrap(),
        ..snapshot()
    };
    let differs = check_claim(&request, Some(&later), now()).unwrap_err();
    assert_eq!(differs.status(), 422);
    assert_eq!(
        differs.findings[0].expression.as_deref(),
        Some("Appointment.start")
    );
    let shorter = SlotSnapshot {
        end: "2031-03-04T09:35:00Z".parse().unwrap(),
        ..snapshot()
    };
    assert!(check_claim(&request, Some(&shorter), now()).is_err());
    let unknown = check_claim(&request, None, now()).unwrap_err();
    assert_eq!(unknown.situation, Situation::ReferenceUnknown);
    // The patient has to be there, and so has what a reference leads to.
    refused(|b| {
        b["contained"]
            .as_array_mut()
            .unwrap()
            .retain(|c| c["resourceType"] != "Patient")
    });
    refused(|b| {
        b["contained"]
            .as_array_mut()
            .unwrap()
            .retain(|c| c["resourceType"] != "Slot")
    });
    refused(|b| b["contained"][0]["status"] = json!("superseded"));
    refused(|b| {
        let again = b["contained"][0].clone();
        b["contained"].as_array_mut().unwrap().push(again);
    });
}

/// Proves: VER-06, RES-APPT-12, PROV-SRCH-03
#[test]
fn others_may_take_part_and_are_kept() {
    let other = json!({"actor": {"reference": "Practitioner/p-1", "display": "Dr Imogen Larkspur"},
        "status": "tentative"});
    let (request, current) = accepted(|b| {
        b["participant"]
            .as_array_mut()
            .unwrap()
            .insert(0, other.clone());
    });
    assert_eq!(current.status(), 422);
    let id = ResourceId::parse("a-1").unwrap();
    let stored = booked_document(&request, &id, now(), None);
    assert_eq!(stored.count("participant"), 2);
    // The number of the patient is shown with the patient, and with nobody else.
    let entry = search_entry(&stored, "https://provider.example/Appointment/a-1");
    assert_eq!(entry.count("participant"), 1);
    let number = entry.at("participant.actor.identifier.value").unwrap();
    assert_eq!(number.as_str(), Some("9990123454"));
    refused(|b| b["participant"] = json!([other.clone(), other.clone()]));
    refused(|b| {
        let patient = b["participant"][0].clone();
        b["participant"].as_array_mut().unwrap().push(patient);
    });
}

/// Proves: VER-05, VER-06, PROV-CAN-02
#[test]
fn what_was_booked_with_less_is_cancelled_with_less() {
    let mut message = booking();
    without(&mut message, "DocumentReference");
    without(&mut message, "Slot");
    drop_rank(&mut message["contained"][0]["telecom"][0]);
    message["participant"]
        .as_array_mut()
        .unwrap()
        .push(json!({"actor": {"reference": "Location/l-1"}, "status": "accepted"}));
    let request = BookingRequest::read_as(parse(&message), StandardVersion::Superseded).unwrap();
    let id = ResourceId::parse("a-1").unwrap();
    let stored = booked_document(&request, &id, now(), None);
    message["status"] = json!("cancelled");
    let cancel = |body: &Value| {
        check_cancel(
            &stored,
            &check_update(read(parse(body), &id).unwrap()).unwrap(),
            now(),
        )
    };
    assert_eq!(cancel(&message), Ok(()));
    message["participant"].as_array_mut().unwrap().pop();
    assert_eq!(cancel(&message).unwrap_err().status(), 422);
}

/// Proves: VER-04, D-23
#[test]
fn the_scope_for_writing_covers_reading_appointments_and_nothing_else() {
    for interaction in [
        Interaction::Read,
        Interaction::VersionRead,
        Interaction::History,
        Interaction::SearchAppointments,
    ] {
        let other = |version| interaction.other_scope(version);
        assert_eq!(other(StandardVersion::Current), None);
        let covering = other(StandardVersion::Superseded);
        assert_eq!(covering, Some("patient/appointment.write"));
    }
    for interaction in [
        Interaction::Capability,
        Interaction::SearchSlots,
        Interaction::Book,
        Interaction::Cancel,
    ] {
        assert_eq!(interaction.other_scope(StandardVersion::Superseded), None);
    }
}

/// Proves: VER-01
#[test]
fn nothing_that_the_current_version_accepts_is_refused_by_the_superseded_one() {
    for message in [booking(), messages::published_form()] {
        for version in StandardVersion::ALL {
            let read = BookingRequest::read_as(parse(&message), version);
            read.unwrap_or_else(|r| panic!("{version}: {r}"));
        }
    }
}
