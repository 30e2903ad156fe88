//! Slots in bulk: list, hold, release, remove; and release rules as the catalogue applies them.

use super::store_fixture::{self, diary};
use booking::ids::{OdsCode, ServiceId};
use booking::rules::release::Withheld;
use jiff::Timestamp;
use jiff::civil::date;
use provider::diary::slot_counts::count;
use provider::diary::slots::{
    Changed, PER_PAGE, Selection, SlotLine, SlotsError, Table, change, pages,
};
use provider::store::SlotChange::{self, Hold, Release, Remove};
use provider::store::{CountBy, Store};

const CLINIC: &str = r#"
[provider]
ods = "FX101"
asid = "918999000011"
name = "Fernhill Urgent Care"
horizon_days = 3
others_may = ["search"]

[[release]]
id = "share"
kinds = ["111"]
cap = 2
cap_per = "kind"

[[release]]
id = "late"
embargo = "2h"
cutoff = "30m"

[[service]]
id = "2000000011"
name = "GP clinic"
release = "share"

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
slot_minutes = 20

[[template]]
id = "evening"
schedule = "gp"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "18:00"
to = "19:00"
slot_minutes = 20
release = "late"

[[consumer]]
ods = "FX900"
name = "111"
kind = "111"

[[consumer]]
ods = "FX905"
name = "Ambulance"
kind = "999"
"#;

fn now() -> Timestamp {
    "2027-06-07T12:00:00Z".parse().unwrap()
}

fn ods() -> OdsCode {
    OdsCode::parse("FX101").unwrap()
}

async fn clinic() -> Store {
    clinic_with("").await
}

async fn clinic_with(more: &str) -> Store {
    let store = store_fixture::memory();
    let text = format!("{CLINIC}{more}");
    diary::applied(&store, &text, now()).await;
    store
}

/// The first slots of a list.
fn list(
    store: &Store,
    ods: &OdsCode,
    selection: &Selection,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<SlotLine>, SlotsError> {
    let pages: Result<Vec<_>, _> = pages(store, ods, selection, now)?.collect();
    let mut lines = pages?.concat();
    lines.truncate(limit);
    Ok(lines)
}

fn table(lines: &[SlotLine]) -> String {
    Table::default().rows(lines)
}

fn tomorrow() -> Selection {
    let day = date(2027, 6, 8);
    Selection {
        from: Some(day),
        to: Some(day),
        ..Selection::default()
    }
}

fn of(template: &str) -> Selection {
    Selection {
        template: Some(template.to_owned()),
        ..tomorrow()
    }
}

async fn tried(
    store: &Store,
    selection: &Selection,
    what: SlotChange,
    dry_run: bool,
) -> Result<Changed, SlotsError> {
    change(store, &ods(), selection, what, dry_run, "tester", now()).await
}

async fn run(store: &Store, selection: &Selection, what: SlotChange, dry_run: bool) -> (u64, u64) {
    let done = tried(store, selection, what, dry_run).await.unwrap();
    assert_eq!(done.dry_run, dry_run);
    (done.changed, done.taken)
}

#[tokio::test]
async fn slots_are_listed_by_london_day() {
    let store = clinic().await;
    let lines = list(&store, &ods(), &tomorrow(), PER_PAGE, now()).unwrap();
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[0].start, "2027-06-08T09:00+01:00");
    let text = table(&lines);
    assert!(
        text.starts_with("gp 2027-06-08\n  09:00-09:20  free       -          morning"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 10);
    let json = serde_json::to_value(&lines).unwrap();
    assert_eq!(
        (json[0]["status"].as_str(), json[0]["held"].as_bool()),
        (Some("free"), Some(false))
    );
    // Without a day: from now on.
    let ahead = count(&store, &ods(), &Selection::default(), now()).unwrap();
    assert_eq!(ahead.free, 3 * 9 + 3);
}

#[tokio::test]
async fn slots_are_held_and_released_with_a_count_beforehand() {
    let store = clinic().await;
    let evening = of("evening");
    assert_eq!(run(&store, &evening, Hold, true).await, (3, 0));
    assert_eq!(
        count(&store, &ods(), &evening, now()).unwrap().held,
        0,
        "a dry run writes nothing"
    );
    assert_eq!(run(&store, &evening, Hold, false).await, (3, 0));
    assert_eq!(run(&store, &evening, Hold, false).await, (0, 0));
    assert_eq!(count(&store, &ods(), &tomorrow(), now()).unwrap().held, 3);
    assert!(table(&list(&store, &ods(), &evening, 10, now()).unwrap()).contains("held"));
    assert_eq!(run(&store, &evening, Release, true).await, (3, 0));
    assert_eq!(run(&store, &evening, Release, false).await, (3, 0));
    assert_eq!(count(&store, &ods(), &tomorrow(), now()).unwrap().held, 0);
    let tenant = diary::tenant(&store);
    let rows = tenant.audit_rows(0, 100).unwrap();
    let held = rows.iter().find(|r| r.body.contains("slots.hold")).unwrap();
    for part in [
        "\"actor\":\"tester\"",
        "template evening",
        "3 slots held back",
    ] {
        assert!(held.body.contains(part), "{part} is not in {}", held.body);
    }
}

#[tokio::test]
async fn removing_never_touches_a_booking() {
    let store = clinic().await;
    let tenant = diary::tenant(&store);
    let first = list(&store, &ods(), &tomorrow(), 1, now())
        .unwrap()
        .remove(0);
    store_fixture::book(tenant, first.slot.parse().unwrap()).await;
    assert_eq!(run(&store, &tomorrow(), Remove, true).await, (8, 1));
    assert_eq!(run(&store, &tomorrow(), Remove, false).await, (8, 1));
    let left = list(&store, &ods(), &tomorrow(), 10, now()).unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].appointment.is_some());
}

#[tokio::test]
async fn a_slip_in_a_selection_changes_nothing_and_names_the_nearest() {
    let store = clinic().await;
    let wrong = Selection {
        schedules: vec!["gq".to_owned()],
        ..Selection::default()
    };
    let error = tried(&store, &wrong, Hold, false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no schedule `gq`; did you mean `gp`?"
    );
    let wrong = Selection {
        service: Some(ServiceId::parse("2000000021").unwrap()),
        ..Selection::default()
    };
    assert!(
        list(&store, &ods(), &wrong, 10, now())
            .unwrap_err()
            .to_string()
            .contains("did you mean `2000000011`?")
    );
    let error = list(
        &store,
        &OdsCode::parse("FX102").unwrap(),
        &Selection::default(),
        10,
        now(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no provider `FX102`; did you mean `FX101`?"
    );
    let backwards = Selection {
        from: Some(date(2027, 6, 9)),
        to: Some(date(2027, 6, 8)),
        ..Selection::default()
    };
    assert!(
        list(&store, &ods(), &backwards, 10, now())
            .unwrap_err()
            .to_string()
            .contains("is before the first")
    );
}

/// Proves: PROV-SLOT-21
#[tokio::test]
async fn rules_of_the_clinic_stand_in_place_of_those_of_the_service() {
    let store = clinic().await;
    let catalogue = diary::catalogue(&store);
    let who = |ods: &str| diary::who(&catalogue, "918999000001", ods);
    let gp = ServiceId::parse("2000000011").unwrap();
    let start: Timestamp = "2027-06-08T17:00:00Z".parse().unwrap();
    let ask = |ods: &str, template: &str, minutes_before: i64, booked: u32| {
        let now = store_fixture::minutes(start, -minutes_before);
        catalogue.may_book(
            &gp,
            Some(template),
            None,
            false,
            start,
            &who(ods),
            now,
            |of| {
                assert!(matches!(of.by, CountBy::Kind("111")));
                assert_eq!(
                    of.service,
                    Some(&gp),
                    "a service's cap counts that service's bookings"
                );
                booked
            },
        )
    };
    // The service's rule: 111 services share two a day.
    assert_eq!(ask("FX900", "morning", 600, 1), Ok(()));
    assert_eq!(
        ask("FX900", "morning", 600, 2),
        Err(Withheld::CapReached { limit: 2 })
    );
    assert_eq!(
        ask("FX905", "morning", 600, 0),
        Err(Withheld::NotInAudience)
    );
    assert_eq!(
        ask("FX777", "morning", 600, 0),
        Err(Withheld::ConsumerMayNotBook)
    );
    // A rule that is named by a slot and not declared releases to nobody.
    let lost = catalogue.may_book(
        &gp,
        None,
        Some("gone"),
        false,
        start,
        &who("FX900"),
        now(),
        |_| 0,
    );
    assert_eq!(lost, Err(Withheld::NotInAudience));
    // The clinic's rule instead: anybody, from two hours to half an hour before.
    assert!(matches!(
        ask("FX905", "evening", 121, 9),
        Err(Withheld::Embargoed { .. })
    ));
    assert_eq!(ask("FX905", "evening", 120, 9), Ok(()));
    assert_eq!(ask("FX905", "evening", 30, 9), Ok(()));
    assert_eq!(ask("FX905", "evening", 29, 9), Err(Withheld::TooLate));
}

#[tokio::test]
async fn a_booking_belongs_to_the_first_service_that_permits_it() {
    let store = clinic().await;
    let catalogue = diary::catalogue(&store);
    let lines = list(&store, &ods(), &tomorrow(), 1, now()).unwrap();
    let slot = diary::tenant(&store)
        .slot(lines[0].slot.parse().unwrap())
        .unwrap()
        .unwrap();
    let service = |ods: &str| {
        let who = diary::who(&catalogue, "918999000001", ods);
        catalogue
            .service_for_booking(&slot, &who, now(), &|_| 0)
            .map(|s| s.to_string())
    };
    assert_eq!(service("FX900"), Ok("2000000011".to_owned()));
    assert_eq!(
        service("FX905"),
        Ok("2000000012".to_owned()),
        "the GP clinic is for 111 only"
    );
    assert_eq!(service("FX777"), Err(Withheld::ConsumerMayNotBook));
}

/// A list has as many pages as it takes, and each slot once.
#[tokio::test]
async fn a_list_goes_on_beyond_a_page() {
    let store = store_fixture::memory();
    let long = CLINIC
        .replace("horizon_days = 3", "horizon_days = 30")
        .replace(
            "from = \"09:00\"\nto = \"11:00\"",
            "from = \"06:00\"\nto = \"12:00\"",
        )
        .replace("slot_minutes = 20", "slot_minutes = 1")
        .replace(
            "from = \"18:00\"\nto = \"19:00\"",
            "from = \"18:00\"\nto = \"18:10\"",
        );
    diary::applied(&store, &long, now()).await;
    let sizes: Vec<usize> = pages(&store, &ods(), &Selection::default(), now())
        .unwrap()
        .map(|page| page.unwrap().len())
        .collect();
    let free = count(&store, &ods(), &Selection::default(), now())
        .unwrap()
        .free;
    assert_eq!(sizes, [PER_PAGE, PER_PAGE, 30 * 370 + 10 - 2 * PER_PAGE]);
    assert_eq!(free as usize, 30 * 370 + 10);
    let all = list(&store, &ods(), &Selection::default(), usize::MAX, now()).unwrap();
    let ids: std::collections::BTreeSet<_> = all.iter().map(|line| &line.slot).collect();
    assert_eq!(ids.len(), all.len());
}

/// What is held by declaration is released only by its name; what staff hold back, by any selection.
#[tokio::test]
async fn a_release_passes_over_clinics_that_are_declared_held() {
    let store = store_fixture::memory();
    let held = CLINIC.replace("release = \"late\"", "release = \"late\"\nheld = true");
    diary::applied(&store, &held, now()).await;
    assert_eq!(run(&store, &of("morning"), Hold, false).await, (6, 0));
    let dry = tried(&store, &tomorrow(), Release, true).await.unwrap();
    assert_eq!(
        (dry.changed, dry.stay_held),
        (6, vec!["evening".to_owned()])
    );
    assert_eq!(dry.first.as_deref(), Some("2027-06-08T09:00+01:00"));
    assert_eq!(dry.last.as_deref(), Some("2027-06-08T10:40+01:00"));
    assert_eq!(run(&store, &tomorrow(), Release, false).await, (6, 0));
    assert_eq!(run(&store, &of("evening"), Release, false).await, (3, 0));
}

/// A clinic that was never declared is a slip of the finger; one that left slots behind is known.
#[tokio::test]
async fn a_template_that_is_not_there_is_refused_with_the_nearest() {
    let store = clinic().await;
    for (wrong, said) in [
        (
            "mornin",
            "there is no template or session `mornin`; did you mean `morning`?",
        ),
        ("nosuch", "there is no template or session `nosuch`"),
    ] {
        for what in [Hold, Release, Remove] {
            let error = tried(&store, &of(wrong), what, false).await;
            assert_eq!(error.unwrap_err().to_string(), said);
        }
        assert_eq!(
            count(&store, &ods(), &of(wrong), now())
                .unwrap_err()
                .to_string(),
            said
        );
    }
    assert_eq!(
        count(&store, &ods(), &of("imported"), now()).unwrap().free,
        0
    );
    assert_eq!(run(&store, &of("morning"), Hold, true).await, (6, 0));
}

/// An imported slot that is declared held is no less held than a clinic; one that staff held back is released.
#[tokio::test]
async fn a_release_passes_over_imported_slots_that_are_declared_held() {
    let import = |n: u8, held: bool| {
        format!(
            "\n[[slot]]\nidentifier = \"0193f1c2-7a10-7c55-8f6f-6f2f0a7c9d{n:02}\"\nschedule = \"gp\"\n\
             start = 2027-06-08T1{n}:00:00+01:00\nend = 2027-06-08T1{n}:20:00+01:00\nheld = {held}\n"
        )
    };
    let store = clinic_with(&format!("{}{}", import(3, true), import(4, false))).await;
    let imported = of("imported");
    assert_eq!(run(&store, &imported, Hold, false).await, (1, 0));
    let (ods, day) = (ods(), tomorrow());
    let dry = tried(&store, &day, Release, true).await.unwrap();
    assert_eq!(dry.changed, 1);
    assert!(dry.stay_held.contains(&"imported".to_owned()), "{dry:?}");
    assert_eq!(run(&store, &day, Release, false).await, (1, 0));
    let held = count(&store, &ods, &imported, now()).unwrap();
    assert_eq!((held.held, held.free), (1, 1));
    assert_eq!(
        run(&store, &imported, Release, false).await,
        (1, 0),
        "named, it is released"
    );
    // Held again, it is what it was declared as; the other one is held by staff.
    assert_eq!(run(&store, &imported, Hold, false).await, (2, 0));
    assert_eq!(run(&store, &day, Release, false).await, (1, 0));
    let held = count(&store, &ods, &imported, now()).unwrap();
    assert_eq!((held.held, held.free), (1, 1));
    assert_eq!(
        run(&store, &imported, Release, false).await,
        (1, 0),
        "named, it is released again"
    );
}
