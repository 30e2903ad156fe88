//! Several slots at the same time: rooms beside each other, and the capacity of a clinic.

use super::store_fixture::{self, diary};
use booking::slot::SlotStatus;
use jiff::Timestamp;
use provider::diary::apply::{Applied, ApplyError, top_up};
use provider::diary::declaration::read::read;
use provider::diary::generate::london_date;
use provider::diary::plan::{Affected, Plan};
use provider::store::{PlacedSlot, SlotChange, SlotFilter, Store, utc_day};
use std::collections::BTreeSet;
use uuid::Uuid;

const HEAD: &str = r#"
[provider]
ods = "FX101"
asid = "918999000011"
name = "Fernhill Urgent Care"
horizon_days = 2

[[service]]
id = "2000000011"
name = "GP clinic"
"#;

/// Two rooms of one diary, open at the same time.
const ROOMS: &str = r#"
[[schedule]]
id = "utc"
services = ["2000000011"]
overlaps = true

[[template]]
id = "room-1"
schedule = "utc"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "09:00"
to = "10:00"
slot_minutes = 20

[[template]]
id = "room-2"
schedule = "utc"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "09:00"
to = "10:00"
slot_minutes = 20
"#;

/// Three patients at each time.
const THREE: &str = r#"
[[schedule]]
id = "utc"
services = ["2000000011"]

[[template]]
id = "pod"
schedule = "utc"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "09:00"
to = "10:00"
slot_minutes = 20
capacity = 3
"#;

/// The evening before the first day with slots.
fn now() -> Timestamp {
    "2027-06-06T20:00:00Z".parse().unwrap()
}

fn first() -> Timestamp {
    "2027-06-07T08:00:00Z".parse().unwrap()
}

fn text(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

async fn applied(store: &Store, rest: &str) -> Applied {
    diary::applied(store, &text(rest), now()).await
}

async fn forced(store: &Store, rest: &str) -> Applied {
    diary::forced(store, &text(rest), now()).await
}

/// The bookings that stop a change.
async fn in_the_way(store: &Store, rest: &str) -> Vec<Affected> {
    match diary::try_apply(store, &text(rest), now(), false).await {
        Err(ApplyError::Bookings(plan)) => plan.bookings,
        other => panic!("{other:?}"),
    }
}

async fn change(store: &Store, what: SlotChange, filter: SlotFilter) {
    diary::change(store, what, filter, now()).await;
}

fn filter(store: &Store) -> SlotFilter {
    diary::from(store, now())
}

fn slots(store: &Store) -> Vec<PlacedSlot> {
    diary::slots(store, &filter(store))
}

fn at(store: &Store, start: Timestamp) -> Vec<PlacedSlot> {
    let mut all = slots(store);
    all.retain(|s| s.slot.start == start);
    all
}

fn ids(slots: &[PlacedSlot]) -> BTreeSet<Uuid> {
    slots.iter().map(|s| s.slot.uuid).collect()
}

async fn book(store: &Store, slot: Uuid) -> provider::store::StoredAppointment {
    store_fixture::book(diary::tenant(store), slot).await
}

/// Each room has its own slot, through apply, export, topping up, search and booking.
/// Proves: D-56
#[tokio::test]
async fn two_rooms_at_the_same_time_are_two_slots() {
    let store = store_fixture::memory();
    let done = applied(&store, ROOMS).await;
    assert_eq!((done.plan.slots_added(), done.slots_added), (12, 12));
    let before = slots(&store);
    assert_eq!(before.len(), 12, "of the days ahead");
    assert!(
        before
            .windows(2)
            .all(|w| w[0].slot.start <= w[1].slot.start)
    );
    let here = at(&store, first());
    let rooms: BTreeSet<_> = here
        .iter()
        .map(|s| s.slot.template.clone().unwrap())
        .collect();
    assert_eq!(here.len(), 2);
    assert_eq!(rooms.len(), 2);
    assert!(here.iter().all(|s| s.schedule_id == "utc"));

    let tenant = diary::tenant(&store);
    let key = diary::catalogue(&store).schedules[0].key;
    assert!(here.iter().all(|s| s.schedule == key));
    let (version, day) = tenant.slots_of_day(key, utc_day(first())).unwrap();
    assert_eq!(day.len(), 6);
    assert_eq!(tenant.count_slots(&filter(&store)).unwrap().free, 12);

    // Nothing is doubled and nothing has another id.
    assert!(applied(&store, ROOMS).await.plan.is_empty());
    assert_eq!(top_up(&store, now(), &mut |_| {}).await.unwrap(), 0);
    let exported = diary::exported(&store, now());
    diary::assert_unchanged(&store, &exported, now()).await;
    assert_eq!(slots(&store), before);

    // Either room is booked for itself, and its booking can be found and cancelled.
    let booked = book(&store, here[1].slot.uuid).await;
    let (after, rows) = tenant.slots_of_day(key, utc_day(first())).unwrap();
    assert!(after > version, "searches read the day again");
    let busy = rows.iter().filter(|r| r.status == SlotStatus::Busy);
    assert_eq!(busy.count(), 1);
    let live = tenant.live_bookings(&[key], now(), 10).unwrap();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].slot.schedule_id, "utc");
    let cancelled = tenant.cancel(store_fixture::cancellation(&booked.id, 1));
    cancelled.await.unwrap();
    let (freed, rows) = tenant.slots_of_day(key, utc_day(first())).unwrap();
    assert!(freed > after && rows.iter().all(|r| r.status == SlotStatus::Free));
    store_fixture::assert_trail_verifies(tenant);
}

/// Proves: D-56
#[tokio::test]
async fn a_room_that_goes_takes_only_its_own_slots() {
    let store = store_fixture::memory();
    applied(&store, ROOMS).await;
    let here = at(&store, first());
    let of = |room: &str| {
        let found = here
            .iter()
            .find(|s| s.slot.template.as_deref() == Some(room));
        found.unwrap().slot.uuid
    };
    let (one, two) = (of("room-1"), of("room-2"));
    book(&store, one).await;
    let only_two = ROOMS.replace("room-1", "room-0").replace(
        "09:00\"\nto = \"10:00\"\nslot_minutes = 20\n\n[[template]]\nid = \"room-2",
        "14:00\"\nto = \"15:00\"\nslot_minutes = 20\n\n[[template]]\nid = \"room-2",
    );
    assert_eq!(in_the_way(&store, &only_two).await.len(), 1);
    let kept = forced(&store, &only_two).await;
    assert_eq!(kept.kept.len(), 1);
    assert_eq!(ids(&at(&store, first())), BTreeSet::from([one, two]));
    let again = forced(&store, &only_two).await;
    assert!(again.plan.slots.is_empty(), "{}", again.plan);
}

/// Proves: D-56
#[tokio::test]
async fn a_capacity_grows_and_shrinks_around_bookings() {
    let store = store_fixture::memory();
    applied(&store, &THREE.replace("capacity = 3\n", "")).await;
    let single = ids(&slots(&store));
    assert_eq!(single.len(), 6);
    applied(&store, THREE).await;
    let here = at(&store, first());
    assert_eq!(here.len(), 3);
    assert!(
        single.is_subset(&ids(&slots(&store))),
        "those that were there stay"
    );
    assert!(applied(&store, THREE).await.plan.is_empty());

    // One is booked, one is held: fewer slots take out the one that nobody has, in plan and deed.
    let (booked, held, free) = (here[2].slot.uuid, here[0].slot.uuid, here[1].slot.uuid);
    book(&store, booked).await;
    let one = SlotFilter {
        slots: vec![held],
        ..filter(&store)
    };
    change(&store, SlotChange::Hold, one).await;
    let two = THREE.replace("capacity = 3", "capacity = 2");
    let done = applied(&store, &two).await;
    assert_eq!((done.plan.slots_removed(), done.slots_removed), (6, 6));
    assert_eq!(ids(&at(&store, first())), BTreeSet::from([booked, held]));
    assert!(!ids(&slots(&store)).contains(&free));
    assert!(applied(&store, &two).await.plan.is_empty());

    // A booking too many is named, not taken.
    change(&store, SlotChange::Release, filter(&store)).await;
    book(&store, held).await;
    let none = THREE.replace("capacity = 3\n", "");
    let refused = in_the_way(&store, &none).await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        refused[0].why,
        "only 1 slot is declared at this time now, and 2 are booked"
    );
    let kept = forced(&store, &none).await;
    assert_eq!(kept.kept.len(), 1);
    assert_eq!(at(&store, first()).len(), 2);
    assert_eq!(slots(&store).len(), 6 + 1);
    // Once it is cancelled, its slot goes.
    let id = booking::ids::ResourceId::parse(&kept.kept[0].appointment).unwrap();
    diary::tenant(&store)
        .cancel(store_fixture::cancellation(&id, 1))
        .await
        .unwrap();
    applied(&store, &none).await;
    assert_eq!(at(&store, first()).len(), 1);
}

/// What staff hold back stays held when the clinic is laid out anew, and no more than that.
#[tokio::test]
async fn another_channel_keeps_as_many_held_as_were() {
    let store = store_fixture::memory();
    applied(&store, THREE).await;
    let here = at(&store, first());
    let filter = SlotFilter {
        slots: vec![here[1].slot.uuid],
        ..filter(&store)
    };
    change(&store, SlotChange::Hold, filter).await;
    book(&store, here[0].slot.uuid).await;
    let video = THREE.replace("capacity = 3", "capacity = 3\nchannel = \"video\"");
    let refused = in_the_way(&store, &video).await;
    assert!(refused[0].why.contains("of another channel"), "{refused:?}");
    let done = forced(&store, &video).await;
    assert_eq!(done.kept.len(), 1);
    let after = at(&store, first());
    assert_eq!(after.len(), 3, "the booked one is one of the three");
    assert_eq!(after.iter().filter(|s| s.slot.held).count(), 1);
    assert!(forced(&store, &video).await.plan.is_empty());
}

/// Proves: D-56
#[tokio::test]
async fn imported_slots_of_one_time_are_each_a_slot() {
    let store = store_fixture::memory();
    let slot = |n: u32| {
        format!(
            "[[slot]]\nidentifier = \"0190aaaa-0000-7000-8000-{n:012}\"\nschedule = \"utc\"\n\
             start = 2027-06-08T13:00:00Z\nend = 2027-06-08T13:10:00Z\n"
        )
    };
    let schedule = "[[schedule]]\nid = \"utc\"\nservices = [\"2000000011\"]\noverlaps = true\n";
    let two = format!("{schedule}{}{}", slot(1), slot(2));
    let done = applied(&store, &two).await;
    assert_eq!(done.slots_added, 2);
    let both = slots(&store);
    assert_eq!(both.len(), 2);
    assert!(applied(&store, &two).await.plan.is_empty());
    let exported = diary::exported(&store, now());
    diary::assert_unchanged(&store, &exported, now()).await;
    assert_eq!(slots(&store), both);
    // The second goes, the first stays; a booked one stops the change.
    book(&store, both[1].slot.uuid).await;
    let first = format!("{schedule}{}", slot(1));
    assert_eq!(in_the_way(&store, &first).await.len(), 1);
    let one = format!("{schedule}{}", slot(2));
    applied(&store, &one).await;
    assert_eq!(ids(&slots(&store)), BTreeSet::from([both[1].slot.uuid]));
}

/// Two processes that fill the same gap make each slot once.
#[tokio::test]
async fn topping_up_twice_at_once_doubles_nothing() {
    let place = store_fixture::Place::new();
    let (one, two) = (place.open(), place.open());
    applied(
        &one,
        &format!("{THREE}{}", ROOMS.replace("\"utc\"", "\"rooms\"")),
    )
    .await;
    let before = slots(&one).len();
    let tomorrow = store_fixture::minutes(now(), 24 * 60);
    let (mut left, mut right) = (|_| {}, |_| {});
    let made = tokio::join!(
        top_up(&one, tomorrow, &mut left),
        top_up(&two, tomorrow, &mut right)
    );
    assert_eq!(made.0.unwrap() + made.1.unwrap(), 9 + 6);
    assert_eq!(slots(&one).len(), before + 15);
}

#[test]
fn a_capacity_is_a_number_of_rooms() {
    let faults = |rest: &str| {
        let read = read(&text(rest), "clinic.toml", london_date(now()));
        read.unwrap_err().to_string()
    };
    for wrong in ["capacity = 0", "capacity = 1001"] {
        let told = faults(&THREE.replace("capacity = 3", wrong));
        assert!(told.contains("1 to 1000 slots at each time"), "{told}");
    }
    let many = ROOMS.replace("slot_minutes = 20\n", "slot_minutes = 20\ncapacity = 600\n");
    let told = faults(&many);
    assert!(told.contains("1200 slots at the same time"), "{told}");
    let most = THREE.replace("capacity = 3", "capacity = 1000");
    let long = text(&most.replace("= 20\n", "= 1\n")).replace("days = 2", "days = 28");
    let told = read(&long, "clinic.toml", london_date(now())).unwrap_err();
    assert!(
        told.to_string().contains("1740000 slots in 28 days"),
        "{told}"
    );
}

/// The hour that the clock shows twice: two times, not an overlap.
#[test]
fn the_two_hours_of_an_october_night_do_not_meet() {
    let slot = |n: u32, hour: u32| {
        format!(
            "[[slot]]\nidentifier = \"0190aaaa-0000-7000-8000-{n:012}\"\nschedule = \"utc\"\n\
             start = 2027-10-31T0{hour}:10:00Z\nend = 2027-10-31T0{hour}:20:00Z\n"
        )
    };
    let schedule = "[[schedule]]\nid = \"utc\"\nservices = [\"2000000011\"]\n";
    let two = format!("{HEAD}{schedule}{}{}", slot(1, 0), slot(2, 1));
    read(&two, "clinic.toml", london_date(now())).unwrap();
    let same = format!("{HEAD}{schedule}{}{}", slot(1, 1), slot(2, 1));
    let told = read(&same, "clinic.toml", london_date(now())).unwrap_err();
    assert!(told.to_string().contains("overlaps"), "{told}");
}

/// The plan says what apply does, also where a clinic meets a booking that stays.
#[tokio::test]
async fn the_plan_of_a_capacity_is_what_apply_does() {
    let store = store_fixture::memory();
    applied(&store, THREE).await;
    let five = THREE.replace("capacity = 3", "capacity = 5");
    let declaration = read(&text(&five), "clinic.toml", london_date(now())).unwrap();
    let plan = Plan::make(&store, &declaration, now()).unwrap();
    let done = applied(&store, &five).await;
    assert_eq!(plan.slots_added(), done.slots_added);
    assert_eq!(slots(&store).len(), 30);
}
