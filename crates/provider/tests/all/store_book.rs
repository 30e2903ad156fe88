//! Bookings and cancellations in the store: what is written, what losers leave behind, races.

use super::store_fixture::*;
use booking::ids::{Asid, OdsCode, RequestId};
use booking::refusal::{Refusal, Situation};
use booking::slot::SlotStatus;
use jiff::Timestamp;
use provider::store::{
    AppointmentStatus, BookingCount, Claimed, CountBy, WriteError, london_day, utc_day,
};
use uuid::Uuid;

fn refusal<T>(outcome: Result<T, WriteError>) -> Refusal {
    match outcome {
        Err(WriteError::Refused(refusal)) => refusal,
        Err(error) => panic!("the store failed: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

/// A rule that was read before the last change of the diary is no verdict: the booking is tried again, and nothing says
/// that somebody was refused.
///
/// Proves: AUD-01
#[tokio::test]
async fn an_attempt_that_will_be_made_again_is_not_recorded() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 1).await;
    let rows = || tenant.audit_rows(0, 100).unwrap();
    let before = rows().len();
    let mut stale = booking(slots[0], new_request_id());
    stale.declared = Some(tenant.catalogue_version().unwrap() - 1);
    assert_eq!(tenant.book(stale).await, Err(WriteError::DiaryChanged));
    assert_eq!(rows().len(), before);
    tenant
        .book(booking(slots[0], new_request_id()))
        .await
        .unwrap();
    assert_eq!(rows().len(), before + 1);
    assert!(rows().last().unwrap().body.contains("\"status\":201"));
}

/// Proves: PROV-BOOK-01, PROV-BOOK-08, PROV-BOOK-12, PROV-BOOK-13, DAT-04
#[tokio::test]
async fn a_booking_writes_everything_in_one_transaction() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 3).await;
    let day = utc_day(first_start());
    let (before, _) = tenant.slots_of_day(gp, day).unwrap();

    let mut wanted = booking(slots[1], new_request_id());
    wanted.request.received = Some(bytes::Bytes::from_static(b"{\"as\":\"received\"}"));
    let used = wanted.request.request_id.clone().unwrap();
    let made = tenant.book(wanted).await.unwrap();

    assert_eq!((made.version, made.status), (1, AppointmentStatus::Booked));
    let (after, rows) = tenant.slots_of_day(gp, day).unwrap();
    assert!(after > before, "a search must see that the day changed");
    let states: Vec<_> = rows.iter().map(|r| r.status).collect();
    assert_eq!(
        states,
        [SlotStatus::Free, SlotStatus::Busy, SlotStatus::Free]
    );
    assert_eq!(rows[1].template.as_deref(), Some("weekday"));
    assert_eq!(tenant.appointment(&made.id, None).unwrap().unwrap(), made);
    assert_eq!(
        tenant.appointment(&made.id, Some(1)).unwrap().unwrap(),
        made
    );
    assert_eq!(tenant.appointment(&made.id, Some(2)).unwrap(), None);
    assert_eq!(
        tenant.appointments_of(&nhs_number(), 10).unwrap(),
        std::slice::from_ref(&made)
    );
    assert_eq!(
        tenant.received(&made.id, 1).unwrap().unwrap(),
        &b"{\"as\":\"received\"}"[..]
    );
    assert_eq!(
        tenant.request_id(&used).unwrap().unwrap().appointment,
        made.id
    );
    let linked = tenant
        .bookings_of_document("a1b2C3d4-0000-4000-8000-000000000002", 5)
        .unwrap();
    assert_eq!(linked.len(), 1);
    assert_eq!(linked[0].id, made.id);
    assert_eq!(linked[0].slot.slot.uuid, slots[1]);
    assert_eq!(
        tenant.slot(slots[1]).unwrap().unwrap().booking,
        Some(made.id.clone())
    );

    let row = trail(tenant).pop().unwrap();
    assert_eq!(row["interaction"], "book");
    assert_eq!(row["status"], 201);
    assert_eq!(row["appointment"], made.id.as_str());
    assert_eq!(row["request_id"], used.as_str());
    assert_eq!(
        (&row["slot_before"], &row["slot_after"]),
        (&"free".into(), &"busy".into())
    );
    assert_trail_verifies(tenant);
}

/// Proves: PROV-BOOK-03, AUD-01, DAT-08
#[tokio::test]
async fn a_loser_leaves_nothing_but_its_audit_row() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 1).await;
    book(tenant, slots[0]).await;
    let days = tenant.slot_days(&[gp], 0, i32::MAX).unwrap();
    let rows = trail(tenant).len();

    let late = booking(slots[0], new_request_id());
    let (id, used) = (late.id.clone(), late.request.request_id.clone().unwrap());
    let said = refusal(tenant.book(late).await);

    assert_eq!(said.situation, Situation::SlotTaken);
    assert_eq!(tenant.appointment(&id, None).unwrap(), None);
    assert_eq!(
        tenant.request_id(&used).unwrap(),
        None,
        "the id may be used again"
    );
    assert_eq!(tenant.slot_days(&[gp], 0, i32::MAX).unwrap(), days);
    assert_eq!(tenant.appointments_of(&nhs_number(), 10).unwrap().len(), 1);
    let trail = trail(tenant);
    assert_eq!(trail.len(), rows + 1);
    let row = trail.last().unwrap();
    assert_eq!(
        (&row["status"], &row["error"]),
        (&422.into(), &"ERR-15".into())
    );
    assert_eq!(
        (&row["fault"], &row["slot_after"]),
        (&"nobody".into(), &"busy".into())
    );
    assert_trail_verifies(tenant);
}

/// A rule that is wrong about the slot is stopped by the store.
/// Proves: PROV-BOOK-03
#[tokio::test]
async fn a_rule_that_takes_a_busy_slot_is_stopped() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 1).await;
    book(tenant, slots[0]).await;
    let mut wrong = booking(slots[0], new_request_id());
    wrong.decide = Box::new(|_, _| Ok(booking::ids::ServiceId::parse("2000000011").unwrap()));
    assert_eq!(
        refusal(tenant.book(wrong).await).situation,
        Situation::SlotTaken
    );

    // Even with the slot's state wrong in the database the unique index keeps the second booking out.
    place.raw().run("UPDATE slot SET status = 0");
    let outcome = tenant.book(booking(slots[0], new_request_id())).await;
    assert_eq!(refusal(outcome).situation, Situation::SlotTaken);
}

/// Proves: PROV-BOOK-02
#[tokio::test]
async fn an_unknown_slot_reaches_the_rule_as_none() {
    let place = Place::new();
    let store = place.open();
    let (tenant, _) = tenant(&store).await;
    for slot in [Some(Uuid::now_v7()), None] {
        let mut wanted = booking(Uuid::now_v7(), new_request_id());
        wanted.slot = slot;
        assert_eq!(
            refusal(tenant.book(wanted).await).situation,
            Situation::ReferenceUnknown
        );
    }
}

/// A rule that panics fails alone; the writer goes on.
#[tokio::test]
async fn a_panicking_rule_fails_alone() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 2).await;
    let mut bad = booking(slots[0], new_request_id());
    bad.decide = Box::new(|_, _| panic!("a fault of the rule, wanted by this test"));
    assert!(matches!(tenant.book(bad).await, Err(WriteError::Store(_))));
    book(tenant, slots[0]).await;
    assert_trail_verifies(tenant);
}

/// Proves: PROV-BOOK-11
#[tokio::test]
async fn a_request_id_is_used_once_and_its_booking_named_only_to_its_maker() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let (other, other_gp) = tenant_named(&store, "FX202", "918999000022").await;
    let slots = make_slots(tenant, gp, 2).await;
    let id = new_request_id();
    let made = tenant.book(booking(slots[0], id.clone())).await.unwrap();

    // The slot is taken as well, but the repeat is what is told (D-03).
    let said = refusal(tenant.book(booking(slots[0], id.clone())).await);
    assert_eq!(said.situation, Situation::RequestIdReused);
    assert_eq!(said.existing, Some(made.id.clone()));

    for (asid, ods) in [("918999000098", "FX900"), ("918999000099", "FX901")] {
        let mut stranger = booking(slots[1], id.clone());
        stranger.request.asid = Asid::parse(asid).unwrap();
        stranger.request.ods = OdsCode::parse(ods).unwrap();
        let said = refusal(tenant.book(stranger).await);
        assert_eq!(said.situation, Situation::RequestIdReused);
        assert_eq!(said.existing, None);
        assert!(!said.to_string().contains(made.id.as_str()));
    }
    let row = trail(tenant).pop().unwrap();
    assert!(
        !row["appointment"].is_string(),
        "a stranger's row names no appointment: {row}"
    );

    // Another tenant has its own ids.
    let elsewhere = make_slots(other, other_gp, 1).await;
    other.book(booking(elsewhere[0], id)).await.unwrap();
}

/// Proves: PROV-CAN-05, PROV-CAN-06, PROV-CAN-11, AUD-07, DAT-07
#[tokio::test]
async fn a_cancellation_frees_the_slot_and_keeps_every_version() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 1).await;
    let made = book(tenant, slots[0]).await;
    let day = utc_day(first_start());
    let (before, _) = tenant.slots_of_day(gp, day).unwrap();

    let ended = tenant.cancel(cancellation(&made.id, 1)).await.unwrap();

    assert_eq!(
        (ended.version, ended.status),
        (2, AppointmentStatus::Cancelled)
    );
    assert_eq!(tenant.appointment(&made.id, None).unwrap().unwrap(), ended);
    assert_eq!(
        tenant.history(&made.id).unwrap(),
        [made.clone(), ended.clone()]
    );
    let (after, rows) = tenant.slots_of_day(gp, day).unwrap();
    assert!(after > before);
    assert_eq!(rows[0].status, SlotStatus::Free);
    assert!(
        tenant
            .bookings_of_document("a1b2c3d4-0000-4000-8000-000000000002", 5)
            .unwrap()
            .is_empty()
    );
    let row = trail(tenant).pop().unwrap();
    assert_eq!(
        (&row["interaction"], &row["status"], &row["version"]),
        (&"cancel".into(), &200.into(), &2.into())
    );
    assert_eq!(
        (&row["slot_before"], &row["slot_after"]),
        (&"busy".into(), &"free".into())
    );
    assert_eq!(row["document"], "a1b2c3d4-0000-4000-8000-000000000002");

    // The slot is bookable again, and the old appointment cannot free it a second time (PROV-CAN-07).
    let again = book(tenant, slots[0]).await;
    let said = refusal(tenant.cancel(cancellation(&made.id, 2)).await);
    assert_eq!(said.situation, Situation::StateForbids);
    assert_eq!(
        tenant.slot(slots[0]).unwrap().unwrap().booking,
        Some(again.id)
    );
    assert_trail_verifies(tenant);

    let raw = place.raw();
    for sql in [
        "DELETE FROM appointment_version",
        "UPDATE appointment_version SET version = 9",
    ] {
        assert!(raw.try_run(sql).unwrap_err().contains("never"), "{sql}");
    }
}

/// Proves: PROV-CAN-03, PROV-CAN-09
#[tokio::test]
async fn a_cancellation_needs_a_known_id_the_current_version_and_a_new_request_id() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let (other, _) = tenant_named(&store, "FX202", "918999000022").await;
    let slots = make_slots(tenant, gp, 1).await;
    let used = new_request_id();
    let made = tenant.book(booking(slots[0], used.clone())).await.unwrap();

    let unknown = booking::ids::ResourceId::parse("nobody").unwrap();
    let said = refusal(tenant.cancel(cancellation(&unknown, 1)).await);
    assert_eq!(said.situation, Situation::AppointmentUnknown);
    let said = refusal(other.cancel(cancellation(&made.id, 1)).await);
    assert_eq!(
        said.situation,
        Situation::AppointmentUnknown,
        "no tenant sees another's appointments"
    );
    let said = refusal(tenant.cancel(cancellation(&made.id, 7)).await);
    assert_eq!(said.situation, Situation::VersionConflict);
    let mut repeated = cancellation(&made.id, 1);
    repeated.request.request_id = Some(used);
    let said = refusal(tenant.cancel(repeated).await);
    assert_eq!(
        (said.situation, said.existing),
        (Situation::RequestIdReused, Some(made.id.clone()))
    );
    assert_eq!(tenant.history(&made.id).unwrap().len(), 1);
}

async fn race<T: Send + 'static>(
    n: usize,
    start: impl Fn(usize) -> tokio::task::JoinHandle<Result<T, WriteError>>,
) -> (Vec<T>, Vec<Refusal>) {
    let tasks: Vec<_> = (0..n).map(start).collect();
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.unwrap() {
            Ok(value) => won.push(value),
            Err(WriteError::Refused(refusal)) => lost.push(refusal),
            Err(error) => panic!("{error}"),
        }
    }
    (won, lost)
}

/// Two stores on one file stand for two processes.
/// Proves: PROV-BOOK-03, AUD-01
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_many_bookings_of_one_slot_exactly_one_wins() {
    let place = Place::new();
    let stores = [place.open(), place.open()];
    let (tenant, gp) = tenant(&stores[0]).await;
    let slots = make_slots(tenant, gp, 1).await;
    let (slot, key) = (slots[0], tenant.key());
    let (won, lost) = race(64, |i| {
        let store = stores[i % 2].clone();
        tokio::spawn(async move {
            let wanted = booking(slot, new_request_id());
            store.tenant(key).book(wanted).await
        })
    })
    .await;
    assert_eq!((won.len(), lost.len()), (1, 63));
    assert!(lost.iter().all(|r| r.situation == Situation::SlotTaken));
    assert_eq!(tenant.appointments_of(&nhs_number(), 100).unwrap(), won);
    let attempts = trail(stores[1].tenant(key))
        .iter()
        .filter(|row| row["interaction"] == "book")
        .count();
    assert_eq!(attempts, 64);
    assert_trail_verifies(tenant);
}

/// Proves: PROV-BOOK-11
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_many_bookings_with_one_request_id_exactly_one_wins() {
    let place = Place::new();
    let stores = [place.open(), place.open()];
    let (tenant, gp) = tenant(&stores[0]).await;
    let slots = make_slots(tenant, gp, 64).await;
    let (id, key) = (new_request_id(), tenant.key());
    let (won, lost) = race(64, |i| {
        let (store, slot, id) = (stores[i % 2].clone(), slots[i], id.clone());
        tokio::spawn(async move { store.tenant(key).book(booking(slot, id)).await })
    })
    .await;
    assert_eq!((won.len(), lost.len()), (1, 63));
    assert!(
        lost.iter()
            .all(|r| r.situation == Situation::RequestIdReused)
    );
    assert!(lost.iter().all(|r| r.existing.as_ref() == Some(&won[0].id)));
    let busy = stores[1]
        .tenant(key)
        .slots_of_day(gp, utc_day(first_start()))
        .unwrap()
        .1;
    assert_eq!(
        busy.iter().filter(|s| s.status == SlotStatus::Busy).count(),
        1
    );
}

/// Proves: PROV-CAN-03
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn of_many_cancellations_of_one_version_exactly_one_wins() {
    let place = Place::new();
    let stores = [place.open(), place.open()];
    let (tenant, gp) = tenant(&stores[0]).await;
    let slots = make_slots(tenant, gp, 1).await;
    let (made, key) = (book(tenant, slots[0]).await, tenant.key());
    let (won, lost) = race(64, |i| {
        let (store, id) = (stores[i % 2].clone(), made.id.clone());
        tokio::spawn(async move { store.tenant(key).cancel(cancellation(&id, 1)).await })
    })
    .await;
    assert_eq!((won.len(), lost.len()), (1, 63));
    assert!(
        lost.iter()
            .all(|r| r.situation == Situation::VersionConflict)
    );
    assert_eq!(tenant.history(&made.id).unwrap().len(), 2);
}

/// Proves: D-75
#[tokio::test]
async fn a_name_that_was_only_claimed_uses_up_no_cap() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 3).await;
    for (slot, claimed) in
        slots
            .iter()
            .zip([Claimed::Nothing, Claimed::Organization, Claimed::System])
    {
        let mut asked = booking(*slot, new_request_id());
        asked.claimed = claimed;
        tenant.book(asked).await.unwrap();
    }
    let count = |by| {
        let of = BookingCount {
            day: london_day(first_start()),
            by,
            service: None,
            template: None,
            release: None,
        };
        tenant.bookings_on(&of).unwrap()
    };
    assert_eq!(count(CountBy::Kind("111")), 3);
    let (asid, ods) = (asid(), ods());
    assert_eq!(count(CountBy::Ods(&ods)), 2);
    assert_eq!(count(CountBy::Asid(&asid)), 2);
}

#[tokio::test]
async fn caps_count_live_bookings_of_the_london_day() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 3).await;
    let first = book(tenant, slots[0]).await;
    book(tenant, slots[1]).await;
    let day = london_day(first_start());
    let (asid, ods) = (asid(), ods());
    let other = Asid::parse("918999000098").unwrap();
    let count = |by, template, day| {
        let of = BookingCount {
            day,
            by,
            service: None,
            template,
            release: None,
        };
        tenant.bookings_on(&of).unwrap()
    };
    assert_eq!(count(CountBy::Asid(&asid), None, day), 2);
    assert_eq!(count(CountBy::Asid(&other), None, day), 0);
    assert_eq!(count(CountBy::Ods(&ods), Some("weekday"), day), 2);
    assert_eq!(count(CountBy::Ods(&ods), Some("weekend"), day), 0);
    assert_eq!(count(CountBy::Kind("111"), None, day), 2);
    assert_eq!(count(CountBy::Asid(&asid), None, day + 1), 0);
    tenant.cancel(cancellation(&first.id, 1)).await.unwrap();
    assert_eq!(count(CountBy::Asid(&asid), None, day), 1);

    // A rule sees the same counts inside its transaction.
    let mut capped = booking(slots[2], new_request_id());
    capped.decide = Box::new(move |_, count| {
        let by = CountBy::Kind("111");
        let n = count(&BookingCount {
            day,
            by,
            service: None,
            template: None,
            release: None,
        });
        Err(Refusal::new(Situation::NotPermitted, format!("{n} booked")))
    });
    assert_eq!(refusal(tenant.book(capped).await).to_string(), "1 booked");
}

#[test]
fn london_days_change_at_local_midnight() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(
        london_day(at("2030-07-01T23:30:00Z")),
        london_day(at("2030-07-02T12:00:00Z"))
    );
    assert_eq!(
        london_day(at("2030-01-01T23:30:00Z")),
        utc_day(at("2030-01-01T12:00:00Z"))
    );
}

/// An id that differs in one letter's case is another id: they are compared byte for byte.
/// Proves: PROV-BOOK-11
#[tokio::test]
async fn request_ids_are_compared_byte_for_byte() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let slots = make_slots(tenant, gp, 2).await;
    for (slot, id) in slots.iter().zip(["abc", "ABC"]) {
        tenant
            .book(booking(*slot, RequestId::parse(id).unwrap()))
            .await
            .unwrap();
    }
}
