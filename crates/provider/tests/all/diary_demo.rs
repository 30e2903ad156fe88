//! The demonstration: what the fixed table of ids promises, and that it can be put in again and again.

use super::store_fixture;
use booking::ids::{Asid, OdsCode, ServiceId};
use booking::slot::SlotStatus;
use jiff::{SignedDuration, Timestamp};
use provider::diary::catalogue::Catalogue;
use provider::diary::generate::{london, london_date};
use provider::diary::{apply, demo};
use provider::store::{Channel, PlacedSlot, SlotFilter, Store};
use std::collections::{BTreeMap, BTreeSet};

fn now() -> Timestamp {
    "2027-10-26T10:15:00Z".parse().unwrap()
}

async fn seeded() -> Store {
    let store = store_fixture::memory();
    assert!(demo::load(&store, now()).await.unwrap() > 0);
    store
}

fn catalogue(store: &Store, ods: &str) -> Catalogue {
    let tenant = store
        .tenants()
        .unwrap()
        .into_iter()
        .find(|t| t.ods.as_str() == ods)
        .unwrap();
    let (_, rows) = store.tenant(tenant.key).declared().unwrap();
    Catalogue::build(&tenant, &rows).unwrap()
}

fn service(id: &str) -> ServiceId {
    ServiceId::parse(id).unwrap()
}

fn slots(store: &Store, ods: &str, id: &str) -> Vec<PlacedSlot> {
    let catalogue = catalogue(store, ods);
    let schedules = catalogue
        .schedules_of(&service(id))
        .map(|s| s.key)
        .collect();
    store
        .tenant(catalogue.tenant.key)
        .slots(
            &SlotFilter {
                schedules,
                ..SlotFilter::default()
            },
            10_000,
        )
        .unwrap()
}

#[tokio::test]
async fn the_gp_clinic_has_enough_slots_every_day_in_daytime() {
    let store = seeded().await;
    let mut days = BTreeMap::new();
    for slot in slots(&store, "FX101", "2000000011") {
        assert_eq!(slot.slot.status, SlotStatus::Free);
        assert_eq!(
            slot.slot.end.duration_since(slot.slot.start),
            SignedDuration::from_mins(10)
        );
        assert_eq!(slot.slot.channel, Some(Channel::InPerson));
        let local = slot.slot.start.to_zoned(london().clone());
        assert!((8..20).contains(&local.hour()), "{local}");
        *days.entry(local.date()).or_insert(0) += 1;
    }
    assert_eq!(
        days.len(),
        15,
        "today and fourteen days, the autumn change among them"
    );
    assert_eq!(days.keys().next(), Some(&london_date(now())));
    // Of today, what is left of it.
    let mut whole = days.values().skip(1);
    assert!(whole.all(|n| (36..=50).contains(n)), "{days:?}");
}

/// Proves: PROV-SLOT-18, PROV-SLOT-22, PROV-SLOT-23
#[tokio::test]
async fn services_are_as_the_table_of_ids_says() {
    let store = seeded().await;
    let fernhill = catalogue(&store, "FX101");
    assert_eq!(fernhill.tenant.asid.as_str(), "918999000011");
    assert_eq!(fernhill.tenant.name, "Fernhill Urgent Care");
    let schedules = |id: &str| -> BTreeSet<String> {
        fernhill
            .schedules_of(&service(id))
            .map(|s| s.id.clone())
            .collect()
    };
    let (gp, nurse) = (schedules("2000000011"), schedules("2000000012"));
    assert_eq!((gp.len(), gp.intersection(&nurse).count()), (2, 1));
    for schedule in fernhill.schedules_of(&service("2000000011")) {
        assert!(
            fernhill.practitioner_of(schedule).is_some() && fernhill.role_of(schedule).is_some()
        );
    }
    let clinic = fernhill.service(&service("2000000011")).unwrap();
    assert!(fernhill.location_of(clinic).is_some() && fernhill.organization_of(clinic).is_some());
    let channels: BTreeSet<_> = slots(&store, "FX101", "2000000013")
        .iter()
        .filter_map(|s| s.slot.channel.map(Channel::code))
        .collect();
    assert_eq!(channels, ["Telephone", "Video"].into());
    assert!(!schedules("2000000014").is_empty());
    assert!(slots(&store, "FX101", "2000000014").is_empty());
    let dental = fernhill.service(&service("2000000015")).unwrap();
    assert!(fernhill.location_of(dental).is_none() && fernhill.organization_of(dental).is_none());
    assert!(
        fernhill
            .schedules_of(&dental.id)
            .all(|s| s.practitioner.is_none() && s.location.is_none())
    );
    let dental = slots(&store, "FX101", "2000000015");
    assert!(
        !dental.is_empty() && dental.iter().all(|s| s.slot.channel.is_none()),
        "no channel is made up"
    );

    let riverside = catalogue(&store, "FX202");
    assert_eq!(riverside.tenant.asid.as_str(), "918999000022");
    assert!(!slots(&store, "FX202", "2000000021").is_empty());
    assert_eq!(riverside.schedules_of(&service("2000000022")).count(), 0);
    assert!(
        riverside.service(&service("2000000022")).is_some()
            && riverside.service(&service("2000000023")).is_some()
    );
}

/// Proves: PROV-SLOT-21
#[tokio::test]
async fn one_consumer_may_book_and_the_other_only_search() {
    let store = seeded().await;
    for ods in ["FX101", "FX202"] {
        let catalogue = catalogue(&store, ods);
        let facts = |asid: &str, ods: &str| {
            let (asid, ods) = (Asid::parse(asid).unwrap(), OdsCode::parse(ods).unwrap());
            catalogue.consumer_facts(&asid, &ods, store_fixture::BELIEVED)
        };
        let full = facts("918999000099", "FX900").unwrap();
        assert!(full.may_search && full.may_book && full.may_read && full.may_cancel);
        assert_eq!(full.kind.as_deref(), Some("111"));
        // The most restrictive match holds, whether by system or by organisation.
        for asid in ["918999000098", "918999000001"] {
            let restricted = facts(asid, "FX901").unwrap();
            assert!(
                restricted.may_search && !restricted.may_book,
                "{restricted:?}"
            );
        }
        for (asid, other) in [("918999000098", "FX900"), ("918999000099", "FX901")] {
            assert_eq!(facts(asid, other), None, "a declared system names its own");
        }
        let undeclared = facts("918999000001", "FX777").unwrap();
        assert!(undeclared.may_search && undeclared.may_book);
    }
}

#[tokio::test]
async fn seeding_again_only_tops_up() {
    let store = seeded().await;
    let before = slots(&store, "FX101", "2000000011");
    assert_eq!(demo::load(&store, now()).await.unwrap(), 0);
    let tomorrow = now() + SignedDuration::from_hours(24);
    let added = demo::load(&store, tomorrow).await.unwrap();
    assert!(added > 0);
    assert_eq!(
        apply::top_up(&store, tomorrow, &mut |_| {}).await.unwrap(),
        0
    );
    let after = slots(&store, "FX101", "2000000011");
    assert!(before.iter().all(|s| after.contains(s)));
    let days: BTreeSet<_> = after.iter().map(|s| london_date(s.slot.start)).collect();
    assert_eq!(days.len(), 16);
}
