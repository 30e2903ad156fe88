//! Applying declarations to a real database: difference, repeats, bookings in the way, topping up, export.

use super::store_fixture::{self, diary};
use booking::ids::OdsCode;
use booking::slot::SlotStatus;
use jiff::{SignedDuration, Timestamp};
use provider::diary::apply::{ApplyError, Progress, top_up};
use provider::diary::declaration::Declaration;
use provider::diary::declaration::read::read;
use provider::diary::export::{export, to_toml};
use provider::diary::generate::london_date;
use provider::diary::plan::{Action, Plan};
use provider::store::{AuditVerdict, PlacedSlot, SlotChange, SlotFilter, Store};

const CLINIC: &str = r#"
[provider]
ods = "FX101"
asid = "918999000011"
name = "Fernhill Urgent Care"
horizon_days = 7

[[service]]
id = "2000000011"
name = "GP clinic"

[[service]]
id = "2000000012"
name = "Nurse clinic"

[[schedule]]
id = "gp"
services = ["2000000011", "2000000012"]

[[template]]
id = "morning"
schedule = "gp"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "09:00"
to = "11:00"
slot_minutes = 10

[[consumer]]
ods = "FX900"
name = "111"
"#;

/// Monday noon, in the week before the clocks go forward.
fn now() -> Timestamp {
    "2027-03-22T12:00:00Z".parse().unwrap()
}

fn declaration(text: &str) -> Declaration {
    read(text, "clinic.toml", london_date(now())).unwrap_or_else(|e| panic!("{e}"))
}

fn slots(store: &Store) -> Vec<PlacedSlot> {
    diary::slots(store, &diary::from(store, Timestamp::MIN))
}

/// Books the slot that starts at a moment (through service 2000000011).
async fn book(store: &Store, start: &str) -> String {
    let start: Timestamp = start.parse().unwrap();
    let slot = slots(store)
        .into_iter()
        .find(|s| s.slot.start == start)
        .expect("a slot at that time");
    store_fixture::book(diary::tenant(store), slot.slot.uuid)
        .await
        .id
        .to_string()
}

#[tokio::test]
async fn a_first_declaration_makes_everything_and_a_second_nothing() {
    let store = store_fixture::memory();
    let first = diary::applied(&store, CLINIC, now()).await;
    // This morning has begun, so it is no more made than yesterday: 7 days of 12 slots.
    assert_eq!(
        (first.slots_added, first.slots_removed, first.kept.len()),
        (84, 0, 0)
    );
    assert!(first.plan.items.iter().all(|i| i.action == Action::Create));
    assert_eq!(first.plan.slots_added(), 84, "the plan said so");
    let before = slots(&store);
    assert_eq!(before.len(), 84);
    assert!(before.iter().all(|s| s.slot.start > now()));
    // The last Sunday is already on summer time: nine o'clock is eight in UTC.
    assert!(
        before
            .iter()
            .any(|s| s.slot.start.to_string() == "2027-03-28T08:00:00Z")
    );

    let second = diary::applied(&store, CLINIC, now()).await;
    assert!(second.plan.is_empty());
    assert_eq!((second.slots_added, second.slots_removed), (0, 0));
    assert_eq!(second.catalogue_version, first.catalogue_version);
    assert_eq!(slots(&store), before, "not even the ids are different");
    assert_eq!(
        second.plan.to_string(),
        "Fernhill Urgent Care (FX101)\n  nothing to change\n"
    );
}

#[tokio::test]
async fn the_difference_is_shown_before_anything_is_written() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let changed = CLINIC
        .replace("to = \"11:00\"", "to = \"11:30\"")
        .replace("name = \"GP clinic\"", "name = \"Doctors\"")
        .replace(
            "[[consumer]]\nods = \"FX900\"\nname = \"111\"",
            "[[consumer]]\nods = \"FX902\"\nname = \"CAS\"",
        );
    let before = slots(&store);
    let plan = Plan::make(&store, &declaration(&changed), now()).unwrap();
    assert_eq!(
        plan.to_string(),
        "Fernhill Urgent Care (FX101)\n  ~ service       2000000011\n      name: \"GP clinic\" -> \"Doctors\"\n  \
         ~ template      morning\n      to: \"11:00\" -> \"11:30\"\n  + consumer      FX902\n  - consumer      FX900\n  \
         slots of gp: 21 to add, 0 to remove\n"
    );
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["items"][0]["keys"][0]["to"], "Doctors");
    assert_eq!(json["slots"][0]["add"], 21);
    assert_eq!(slots(&store), before);
    let done = diary::applied(&store, &changed, now()).await;
    assert_eq!(
        done.slots_added, 21,
        "today's are past and stay as they were"
    );
    diary::assert_unchanged(&store, &changed, now()).await;
}

#[tokio::test]
async fn a_change_that_would_orphan_a_booking_is_refused_with_the_booking() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let id = book(&store, "2027-03-24T10:50:00Z").await;
    let before = slots(&store);
    let shorter = CLINIC.replace("to = \"11:00\"", "to = \"10:30\"");
    let refused = diary::try_apply(&store, &shorter, now(), false)
        .await
        .unwrap_err();
    let ApplyError::Bookings(plan) = &refused else {
        panic!("{refused}")
    };
    assert_eq!(plan.bookings.len(), 1);
    let text = refused.to_string();
    for part in [
        id.as_str(),
        "2027-03-24T10:50+00:00",
        "service 2000000011",
        "--keep-bookings",
        "no clinic has a slot",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("9990000018"), "no patient is named: {text}");
    assert_eq!(slots(&store), before, "nothing was changed");
    // Told to go on, it keeps the booked slot and says which.
    let done = diary::forced(&store, &shorter, now()).await;
    assert_eq!(done.kept.len(), 1);
    assert_eq!(done.kept[0].appointment, id);
    let left = slots(&store);
    assert_eq!(
        left.iter()
            .filter(|s| s.slot.status == SlotStatus::Busy)
            .count(),
        1
    );
    assert_eq!(done.slots_removed, 3 * 7 - 1);
    // The next change is not refused for a booking that was kept before, but still lists it.
    let renamed = shorter.replace("GP clinic", "Doctors");
    let next = diary::applied(&store, &renamed, now()).await;
    assert!(next.kept[0].already);
    // Going back to the old hours takes the booked slot in again.
    let back = diary::applied(&store, CLINIC, now()).await;
    assert!(back.kept.is_empty());
    assert_eq!(slots(&store).len(), before.len());
}

#[tokio::test]
async fn removing_a_schedule_or_service_with_bookings_is_refused() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    book(&store, "2027-03-24T09:00:00Z").await;
    let without_service = CLINIC
        .replace(
            "[[service]]\nid = \"2000000011\"\nname = \"GP clinic\"\n",
            "",
        )
        .replace("[\"2000000011\", \"2000000012\"]", "[\"2000000012\"]");
    let refused = diary::refused(&store, &without_service, now()).await;
    assert!(
        refused.contains("the service 2000000011 is not declared any more"),
        "{refused}"
    );
    let unmapped = CLINIC.replace("[\"2000000011\", \"2000000012\"]", "[\"2000000012\"]");
    let refused = diary::refused(&store, &unmapped, now()).await;
    assert!(
        refused.contains("does not book into this schedule any more"),
        "{refused}"
    );
    let other = CLINIC.replace("\"gp\"", "\"other\"");
    let refused = diary::refused(&store, &other, now()).await;
    assert!(
        refused.contains("its schedule is not declared any more"),
        "{refused}"
    );
    let old = diary::catalogue(&store).schedules[0].key;
    let done = diary::forced(&store, &other, now()).await;
    assert_eq!(done.kept.len(), 1);
    let filter = SlotFilter {
        schedules: vec![old],
        from: Some(now()),
        ..SlotFilter::default()
    };
    let counts = diary::tenant(&store).count_slots(&filter).unwrap();
    assert_eq!((counts.free, counts.busy), (0, 1));
}

#[tokio::test]
async fn new_hours_go_around_a_booking_that_is_kept() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    book(&store, "2027-03-24T09:10:00Z").await;
    let longer = CLINIC.replace("slot_minutes = 10", "slot_minutes = 15");
    diary::forced(&store, &longer, now()).await;
    let mut day: Vec<_> = slots(&store)
        .into_iter()
        .filter(|s| s.slot.start.to_string().starts_with("2027-03-24"))
        .map(|s| (s.slot.start, s.slot.end))
        .collect();
    day.sort();
    assert!(day.windows(2).all(|w| w[0].1 <= w[1].0), "{day:?}");
    assert_eq!(
        day.len(),
        1 + 6,
        "the two quarters of an hour that the booking touches are not offered"
    );
}

#[tokio::test]
async fn held_slots_stay_held_and_a_held_clinic_begins_held() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let keys = vec![diary::catalogue(&store).schedules[0].key];
    let filter = SlotFilter {
        schedules: keys,
        from: Some(now()),
        ..SlotFilter::default()
    };
    diary::change(&store, SlotChange::Hold, filter.clone(), now()).await;
    diary::assert_unchanged(&store, CLINIC, now()).await;
    diary::applied(&store, &CLINIC.replace("GP clinic", "Doctors"), now()).await;
    assert_eq!(diary::tenant(&store).count_slots(&filter).unwrap().held, 84);
    let other = store_fixture::memory();
    let held = CLINIC.replace("slot_minutes = 10", "slot_minutes = 10\nheld = true");
    diary::applied(&other, &held, now()).await;
    assert!(slots(&other).iter().all(|s| s.slot.held));
}

#[tokio::test]
async fn changed_hours_do_not_release_what_staff_hold_back() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let filter = SlotFilter {
        schedules: vec![diary::catalogue(&store).schedules[0].key],
        from: Some("2027-03-24T10:00:00Z".parse().unwrap()),
        to: Some("2027-03-24T10:30:00Z".parse().unwrap()),
        ..SlotFilter::default()
    };
    let held = diary::change(&store, SlotChange::Hold, filter, now()).await;
    assert_eq!(held, 3);
    let longer = CLINIC.replace("slot_minutes = 10", "slot_minutes = 15");
    diary::applied(&store, &longer, now()).await;
    let held: Vec<String> = slots(&store)
        .iter()
        .filter(|s| s.slot.held)
        .map(|s| s.slot.start.to_string())
        .collect();
    assert_eq!(held, ["2027-03-24T10:00:00Z", "2027-03-24T10:15:00Z"]);
}

#[tokio::test]
async fn topping_up_adds_the_days_ahead_once() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let later = now() + SignedDuration::from_hours(3 * 24);
    let mut seen = Vec::new();
    assert_eq!(
        top_up(&store, later, &mut |p: Progress| seen.push(p.added))
            .await
            .unwrap(),
        36
    );
    assert_eq!(seen, [36]);
    assert_eq!(top_up(&store, later, &mut |_| {}).await.unwrap(), 0);
    assert_eq!(slots(&store).len(), 84 + 36);
    // After a long stop: only what is ahead, never the days missed, nor this morning.
    let months = now() + SignedDuration::from_hours(100 * 24);
    assert_eq!(top_up(&store, months, &mut |_| {}).await.unwrap(), 84);
    let first = slots(&store)
        .into_iter()
        .map(|s| s.slot.start)
        .filter(|s| *s > later + SignedDuration::from_hours(8 * 24))
        .min();
    assert_eq!(
        first.map(london_date),
        Some(london_date(months).tomorrow().unwrap())
    );
}

#[tokio::test]
async fn imported_slots_follow_the_file() {
    let store = store_fixture::memory();
    let slot = |id: &str, minute: u8| {
        format!(
            "[[slot]]\nidentifier = \"0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d0{id}\"\nschedule = \"gp\"\n\
             start = 2027-05-03T15:{minute:02}:00+01:00\nend = 2027-05-03T15:{:02}:00+01:00\nchannel = \"video\"\n",
            minute + 10
        )
    };
    let both = format!("{CLINIC}{}{}", slot("1", 0), slot("2", 20));
    assert_eq!(
        diary::applied(&store, &both, now()).await.slots_added,
        86,
        "beyond the horizon too"
    );
    diary::assert_unchanged(&store, &both, now()).await;
    assert_eq!(top_up(&store, now(), &mut |_| {}).await.unwrap(), 0);
    let exported = export(&store, &OdsCode::parse("FX101").unwrap(), now())
        .unwrap()
        .unwrap();
    assert_eq!(exported, declaration(&both));
    // Moved, with its own id; the other one gone.
    let moved = format!("{CLINIC}{}", slot("2", 40));
    let done = diary::applied(&store, &moved, now()).await;
    assert_eq!((done.slots_added, done.slots_removed), (1, 2));
    let id = "0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d02".parse().unwrap();
    assert_eq!(
        diary::tenant(&store)
            .slot(id)
            .unwrap()
            .unwrap()
            .slot
            .start
            .to_string(),
        "2027-05-03T14:40:00Z"
    );
}

#[tokio::test]
async fn an_export_applied_again_changes_nothing() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let exported = export(&store, &OdsCode::parse("FX101").unwrap(), now())
        .unwrap()
        .unwrap();
    diary::assert_unchanged(&store, &to_toml(&exported).unwrap(), now()).await;
    assert!(
        export(&store, &OdsCode::parse("FX999").unwrap(), now())
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_shorter_horizon_leaves_the_days_beyond_and_a_new_channel_replaces_free_slots() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let done = diary::applied(
        &store,
        &CLINIC.replace("horizon_days = 7", "horizon_days = 2"),
        now(),
    )
    .await;
    assert_eq!((done.slots_added, done.slots_removed), (0, 0));
    let video = CLINIC.replace(
        "slot_minutes = 10",
        "slot_minutes = 10\nchannel = \"video\"",
    );
    let done = diary::applied(&store, &video, now()).await;
    assert_eq!((done.slots_added, done.slots_removed), (84, 84));
    diary::assert_unchanged(&store, &video, now()).await;
}

#[tokio::test]
async fn two_people_applying_at_once_do_not_undo_each_other() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    let (a, b) = (
        CLINIC.replace("GP clinic", "A"),
        CLINIC.replace("GP clinic", "B"),
    );
    let (a, b) = tokio::join!(
        diary::try_apply(&store, &a, now(), false),
        diary::try_apply(&store, &b, now(), false)
    );
    let ok = [&a, &b].iter().filter(|r| r.is_ok()).count();
    assert!(ok >= 1);
    if ok == 1 {
        let error = a.err().or(b.err()).unwrap().to_string();
        assert!(error.contains("changed by someone else"), "{error}");
    }
    let name = diary::catalogue(&store).declared.services[0].name.clone();
    assert!(name == "A" || name == "B");
}

/// Several processes find at the same moment that days ahead are missing: each slot is made by one of them.
#[test]
fn processes_that_top_up_at_once_make_each_slot_once() {
    let place = store_fixture::Place::new();
    let first = place.open();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(diary::applied(&first, CLINIC, now()));
    let later = now() + SignedDuration::from_hours(3 * 24);
    let begin = std::sync::Barrier::new(4);
    let added: u64 = std::thread::scope(|scope| {
        let processes: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let store = place.open();
                    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
                    begin.wait();
                    let added = runtime.block_on(top_up(&store, later, &mut |_| {}));
                    store.close();
                    added.expect("topped up")
                })
            })
            .collect();
        processes
            .into_iter()
            .map(|p| p.join().expect("ended"))
            .sum()
    });
    assert_eq!(added, 36, "what each says it added, together");
    let mut starts: Vec<_> = slots(&first).iter().map(|s| s.slot.start).collect();
    assert_eq!(starts.len(), 84 + 36);
    starts.sort();
    starts.dedup();
    assert_eq!(starts.len(), 84 + 36, "no two at the same time");
    store_fixture::assert_trail_verifies(first.tenant(diary::tenant(&first).key()));
}

#[tokio::test]
async fn changes_are_in_the_audit_trail() {
    let store = store_fixture::memory();
    diary::applied(&store, CLINIC, now()).await;
    diary::applied(&store, CLINIC, now()).await;
    let rows = diary::tenant(&store).audit_rows(0, 100).unwrap();
    assert_eq!(
        rows.len(),
        2,
        "one for the declared things, one for the slots, none for the repeat"
    );
    assert!(rows.iter().all(|r| r.body.contains("\"actor\":\"tester\"")));
    assert!(matches!(
        diary::tenant(&store).audit_verify().unwrap(),
        AuditVerdict::Verified { rows: 2, .. }
    ));
}
