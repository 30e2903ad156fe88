//! Slots and declared things in bulk.

use super::store_fixture::*;
use booking::ids::{Asid, OdsCode};
use booking::slot::SlotStatus;
use jiff::Timestamp;
use provider::store::SlotChange::{Hold, Release, Remove};
use provider::store::{Declaration, DeclaredChange, SlotCounts, SlotFilter, StoreError, utc_day};

#[tokio::test]
async fn making_slots_again_makes_none_twice() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let first = insert(tenant, new_slots(gp, 4_500)).await;
    assert_eq!((first.made, first.existing), (4_500, 0));
    let days = tenant.slot_days(&[gp], 0, i32::MAX).unwrap();
    let again = insert(tenant, new_slots(gp, 4_510)).await;
    assert_eq!((again.made, again.existing), (10, 4_500));
    let after = tenant.slot_days(&[gp], 0, i32::MAX).unwrap();
    let changed = days
        .days
        .iter()
        .filter(|day| !after.days.contains(day))
        .count();
    assert_eq!(
        changed, 1,
        "only the day that got slots has another version"
    );
}

#[tokio::test]
async fn a_day_lists_its_slots_in_order_and_no_others() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let mut slots = new_slots(gp, 300);
    slots.reverse();
    insert(tenant, slots).await;
    let day = utc_day(first_start());
    let (version, rows) = tenant.slots_of_day(gp, day).unwrap();
    assert!(version > 0);
    assert_eq!(rows.len(), 15 * 6, "from 09:00 to midnight");
    assert!(rows.windows(2).all(|w| w[0].start < w[1].start));
    assert!(rows.iter().all(|r| utc_day(r.start) == day));
    assert_eq!(tenant.slots_of_day(gp, day - 1).unwrap(), (0, Vec::new()));
}

fn all(schedule: provider::store::ScheduleKey) -> SlotFilter {
    SlotFilter {
        schedules: vec![schedule],
        ..SlotFilter::default()
    }
}

#[tokio::test]
async fn slots_are_held_and_released_by_filter() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let ids = make_slots(tenant, gp, 5_000).await;
    book(tenant, ids[0]).await;
    let wanted = SlotFilter {
        to: Some(minutes(first_start(), 10 * 4_100)),
        ..all(gp)
    };
    let before = tenant.slot_days(&[gp], 0, i32::MAX).unwrap();
    assert_eq!(change(tenant, Hold, wanted.clone(), now()).await, 4_100);
    assert_eq!(change(tenant, Hold, wanted.clone(), now()).await, 0);
    let counts = tenant.count_slots(&all(gp)).unwrap();
    assert_eq!(
        counts,
        SlotCounts {
            free: 900,
            held: 4_099,
            busy: 1,
            other: 0
        }
    );
    let after = tenant.slot_days(&[gp], 0, i32::MAX).unwrap();
    assert_ne!(before.days[0], after.days[0]);

    let by_id = SlotFilter {
        slots: ids[1..3].to_vec(),
        ..all(gp)
    };
    assert_eq!(change(tenant, Release, by_id, now()).await, 2);
    let busy_only = SlotFilter {
        status: Some(SlotStatus::Busy),
        ..all(gp)
    };
    assert_eq!(change(tenant, Release, busy_only, now()).await, 1);
    let template = SlotFilter {
        template: Some("weekend".into()),
        ..all(gp)
    };
    assert_eq!(change(tenant, Release, template, now()).await, 0);
    assert_eq!(change(tenant, Release, all(gp), now()).await, 4_097);
    assert_eq!(change(tenant, Hold, SlotFilter::default(), now()).await, 0);
    assert_trail_verifies(tenant);
}

/// When a slot became available is kept, also after it was removed.
#[tokio::test]
async fn the_time_of_publication_is_kept() {
    let place = Place::new();
    let store = place.open();
    let (tenant, gp) = tenant(&store).await;
    let mut slots = new_slots(gp, 2);
    slots[1].held = true;
    insert(tenant, slots).await;
    let raw = place.raw();
    let published =
        |table: &str| raw.numbers(&format!("SELECT published_at FROM {table} ORDER BY start"));
    let at = |t: Timestamp| Some(t.as_millisecond());
    assert_eq!(published("slot"), [at(now()), None]);
    let later = minutes(now(), 60);
    change(tenant, Release, all(gp), later).await;
    assert_eq!(published("slot"), [at(now()), at(later)]);
    change(tenant, Hold, all(gp), later).await;
    change(tenant, Release, all(gp), minutes(later, 1)).await;
    assert_eq!(
        published("slot"),
        [at(now()), at(later)],
        "the first time counts"
    );
    change(tenant, Remove, all(gp), later).await;
    assert_eq!(published("slot"), []);
    assert_eq!(published("slot_removed"), [at(now()), at(later)]);
}

#[tokio::test]
async fn only_free_slots_to_come_are_removed() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let ids = make_slots(tenant, gp, 6).await;
    book(tenant, ids[4]).await;
    let ended = book(tenant, ids[5]).await;
    tenant.cancel(cancellation(&ended.id, 1)).await.unwrap();
    // The first two have begun.
    let at = minutes(first_start(), 10);
    assert_eq!(change(tenant, Remove, all(gp), at).await, 3);
    let left: Vec<_> = tenant
        .slots(&all(gp), 10)
        .unwrap()
        .into_iter()
        .map(|p| p.slot.uuid)
        .collect();
    assert_eq!(left, [ids[0], ids[1], ids[4]]);
    assert_eq!(tenant.slot(ids[5]).unwrap(), None);
    assert_eq!(
        tenant.history(&ended.id).unwrap().len(),
        2,
        "its cancelled appointment stays"
    );
    // The place is free for another slot, with a key never used before.
    assert_eq!(insert(tenant, new_slots(gp, 6)).await.made, 3);
}

#[tokio::test]
async fn bookings_of_schedules_are_listed_for_the_plan() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let ids = make_slots(tenant, gp, 4).await;
    let first = book(tenant, ids[0]).await;
    let third = book(tenant, ids[2]).await;
    let all = tenant.live_bookings(&[gp], first_start(), 10).unwrap();
    assert_eq!(
        all.iter().map(|b| b.id.clone()).collect::<Vec<_>>(),
        [first.id.clone(), third.id.clone()]
    );
    assert_eq!(all[0].slot.schedule_id, "gp");
    assert_eq!(
        all[0].document.as_deref(),
        Some("a1b2c3d4-0000-4000-8000-000000000002")
    );
    let later = tenant
        .live_bookings(&[gp], minutes(first_start(), 1), 10)
        .unwrap();
    assert_eq!(later.len(), 1);
    assert_eq!(
        tenant.live_bookings(&[gp], first_start(), 1).unwrap().len(),
        1
    );
}

#[tokio::test]
async fn declarations_change_the_catalogue_version_once_and_only_if_anything_changed() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let declare = |expected, changes| {
        let declaration = Declaration {
            ods: OdsCode::parse("FX101").unwrap(),
            asid: Asid::parse("918999000011").unwrap(),
            name: "Fernhill Urgent Care".to_owned(),
            expected,
            changes,
            at: now(),
        };
        store.declare(declaration, staff())
    };
    let same = declare(Some(1), vec![put("schedule", "gp", "{}")])
        .await
        .unwrap();
    assert_eq!(
        (same.tenant, same.version, same.changed),
        (tenant.key(), 1, 0)
    );
    let more = declare(
        Some(1),
        vec![
            put("service", "2000000011", "{}"),
            put("schedule", "nurse", "{}"),
        ],
    )
    .await;
    assert_eq!(
        (more.clone().unwrap().version, more.unwrap().changed),
        (2, 2)
    );
    let stale = declare(Some(1), vec![put("service", "2000000012", "{}")])
        .await
        .unwrap_err();
    assert!(matches!(stale, StoreError::Conflict { .. }), "{stale}");
    let gone = DeclaredChange::Remove {
        kind: "schedule".into(),
        id: "gp".into(),
    };
    assert_eq!(declare(None, vec![gone]).await.unwrap().version, 3);
    let (version, rows) = tenant.declared().unwrap();
    assert_eq!((version, rows.len()), (3, 2));
    // Declared again, the schedule is the one it was.
    declare(None, vec![put("schedule", "gp", "{}")])
        .await
        .unwrap();
    assert_eq!(schedule(tenant, "gp"), gp);

    let thief = Declaration {
        ods: OdsCode::parse("FX303").unwrap(),
        asid: Asid::parse("918999000011").unwrap(),
        name: "Another".to_owned(),
        expected: None,
        changes: Vec::new(),
        at: now(),
    };
    let taken = store.declare(thief, staff()).await.unwrap_err();
    assert!(taken.to_string().contains("918999000011"), "{taken}");
    assert_eq!(store.tenants().unwrap().len(), 1);
    assert_trail_verifies(tenant);
}

#[tokio::test]
async fn a_schedule_of_another_tenant_gets_no_slots() {
    let store = memory();
    let (_, gp) = tenant(&store).await;
    let (other, _) = tenant_named(&store, "FX202", "918999000022").await;
    assert!(
        other
            .insert_slots(new_slots(gp, 1), now(), &staff())
            .await
            .is_err()
    );
    assert!(other.slots(&all(gp), 10).unwrap().is_empty());
}

#[tokio::test]
async fn an_id_given_twice_is_named_and_nothing_of_the_batch_is_made() {
    let store = memory();
    let (tenant, gp) = tenant(&store).await;
    let mut slots = new_slots(gp, 3);
    slots[2].uuid = slots[0].uuid;
    let id = slots[0].uuid.to_string();
    let error = tenant
        .insert_slots(slots, now(), &staff())
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Conflict { .. }) && error.to_string().contains(&id),
        "{error}"
    );
    assert!(tenant.slots(&all(gp), 10).unwrap().is_empty());
}
