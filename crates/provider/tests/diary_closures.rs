//! Days that are closed, days that are added, and what a declaration says without effect.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod store_fixture;

use booking::ids::{Asid, OdsCode, ServiceId};
use booking::rules::release::Withheld;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use provider::diary::apply::{Applied, ApplyError, Options, apply, top_up};
use provider::diary::catalogue::Catalogue;
use provider::diary::declaration::read::read;
use provider::diary::declaration::warn::warnings;
use provider::diary::export::{export, to_toml};
use provider::diary::generate::london_date;
use provider::store::{SlotFilter, Store};
use std::collections::BTreeMap;

/// Two sites; the GP clinic at one, the nurse clinic at the other, and a diary that both book into.
const SITES: &str = r#"
[provider]
ods = "FX101"
asid = "918999000011"
name = "Fernhill Urgent Care"
horizon_days = 6

[[location]]
id = "north"
name = "North"
address = { postcode = "LS99 9ZA" }

[[location]]
id = "south"
name = "South"
address = { postcode = "LS99 9ZB" }

[[service]]
id = "2000000011"
name = "GP clinic"
location = "north"

[[service]]
id = "2000000012"
name = "Nurse clinic"
location = "south"

[[schedule]]
id = "gp"
services = ["2000000011"]

[[schedule]]
id = "nurse"
services = ["2000000012"]

[[schedule]]
id = "shared"
services = ["2000000011", "2000000012"]

[[template]]
id = "gp-days"
schedule = "gp"
weekdays = ["mon", "tue", "wed", "thu", "fri"]
from = "09:00"
to = "10:00"
slot_minutes = 30

[[template]]
id = "nurse-days"
schedule = "nurse"
weekdays = ["mon", "tue", "wed", "thu", "fri"]
from = "09:00"
to = "10:00"
slot_minutes = 30

[[template]]
id = "shared-days"
schedule = "shared"
weekdays = ["mon", "tue", "wed", "thu", "fri"]
from = "14:00"
to = "15:00"
slot_minutes = 30

[[consumer]]
ods = "FX900"
name = "111"
kind = "gp"
"#;

/// A Sunday evening.
fn now() -> Timestamp {
    "2027-06-06T20:00:00Z".parse().unwrap()
}

async fn try_apply(store: &Store, text: &str, keep_bookings: bool) -> Result<Applied, ApplyError> {
    let options = Options {
        keep_bookings,
        actor: "tester".to_owned(),
    };
    let declaration =
        read(text, "sites.toml", london_date(now())).unwrap_or_else(|e| panic!("{e}"));
    apply(store, &declaration, now(), &options, &mut |_| {}).await
}

async fn applied(store: &Store, text: &str) -> Applied {
    try_apply(store, text, false)
        .await
        .unwrap_or_else(|e| panic!("{e}"))
}

fn catalogue(store: &Store) -> Catalogue {
    let tenant = store.tenants().unwrap().remove(0);
    let (_, rows) = store.declared(tenant.key).unwrap();
    Catalogue::build(&tenant, &rows).unwrap()
}

/// Slots by schedule and London day.
fn slots(store: &Store) -> BTreeMap<(String, Date), usize> {
    let catalogue = catalogue(store);
    let filter = SlotFilter {
        schedules: catalogue.schedules.iter().map(|s| s.key).collect(),
        from: Some(now()),
        ..SlotFilter::default()
    };
    let mut found = BTreeMap::new();
    for placed in store.slots(catalogue.tenant.key, &filter, 10_000).unwrap() {
        let day = london_date(placed.slot.start);
        *found.entry((placed.schedule_id, day)).or_default() += 1;
    }
    found
}

fn of(store: &Store, schedule: &str, day: Date) -> usize {
    slots(store)
        .get(&(schedule.to_owned(), day))
        .copied()
        .unwrap_or(0)
}

fn closed(text: &str) -> String {
    format!("{SITES}\n[[closure]]\nid = \"holiday\"\ndate = 2027-06-08\n{text}\n")
}

fn told(text: &str) -> Vec<String> {
    let today = london_date(now());
    let declaration = read(text, "sites.toml", today).unwrap_or_else(|e| panic!("{e}"));
    let all = warnings(&declaration, today);
    all.iter().map(ToString::to_string).collect()
}

const MONDAY: Date = date(2027, 6, 7);
const TUESDAY: Date = date(2027, 6, 8);
const WEDNESDAY: Date = date(2027, 6, 9);

#[tokio::test]
async fn one_entry_closes_the_whole_provider_for_days() {
    let store = store_fixture::memory();
    applied(&store, SITES).await;
    let before = slots(&store);
    let two_days = closed("until = 2027-06-09\nreason = \"Bank holidays\"");
    let done = applied(&store, &two_days).await;
    assert_eq!((done.slots_removed, done.slots_added), (12, 0));
    for schedule in ["gp", "nurse", "shared"] {
        assert_eq!(of(&store, schedule, MONDAY), 2);
        assert_eq!(
            of(&store, schedule, TUESDAY) + of(&store, schedule, WEDNESDAY),
            0
        );
        assert_eq!(of(&store, schedule, date(2027, 6, 10)), 2);
    }
    // It stays closed, and an export says so.
    assert_eq!(top_up(&store, now(), &mut |_| {}).await.unwrap(), 0);
    let exported = export(&store, &OdsCode::parse("FX101").unwrap(), now()).unwrap();
    let text = to_toml(&exported.unwrap()).unwrap();
    assert!(text.contains("Bank holidays"), "{text}");
    assert!(applied(&store, &text).await.plan.is_empty());
    applied(&store, SITES).await;
    assert_eq!(slots(&store), before);
}

#[tokio::test]
async fn a_site_or_a_service_is_closed_alone() {
    let store = store_fixture::memory();
    for part in ["locations = \"north\"", "services = [\"2000000011\"]"] {
        applied(&store, &closed(part)).await;
        assert_eq!(of(&store, "gp", TUESDAY), 0, "{part}");
        assert_eq!(of(&store, "nurse", TUESDAY), 2, "{part}");
        // A diary of both stays open for the one that is.
        assert_eq!(of(&store, "shared", TUESDAY), 2, "{part}");
        let catalogue = catalogue(&store);
        let who = catalogue
            .consumer_facts(
                &Asid::parse("918999000099").unwrap(),
                &OdsCode::parse("FX900").unwrap(),
                store_fixture::BELIEVED,
            )
            .unwrap();
        let ask = |service: &str, start: &str| {
            let service = ServiceId::parse(service).unwrap();
            let start = start.parse().unwrap();
            let template = Some("shared-days");
            catalogue.may_book(&service, template, None, false, start, &who, now(), |_| 0)
        };
        let (tuesday, wednesday) = ("2027-06-08T13:00:00Z", "2027-06-09T13:00:00Z");
        assert_eq!(ask("2000000011", tuesday), Err(Withheld::Closed), "{part}");
        assert_eq!(ask("2000000012", tuesday), Ok(()));
        assert_eq!(ask("2000000011", wednesday), Ok(()));
    }
    let both = closed("services = [\"2000000011\", \"2000000012\"]");
    applied(&store, &both).await;
    assert_eq!(of(&store, "shared", TUESDAY), 0);
}

#[tokio::test]
async fn a_closure_names_the_bookings_in_its_way() {
    let store = store_fixture::memory();
    applied(&store, SITES).await;
    let catalogue = catalogue(&store);
    let tenant = catalogue.tenant.key;
    let filter = SlotFilter {
        schedules: vec![catalogue.schedules[2].key],
        from: Some("2027-06-08T00:00:00Z".parse().unwrap()),
        ..SlotFilter::default()
    };
    let slot = store.slots(tenant, &filter, 1).unwrap().remove(0);
    store_fixture::book(&store, tenant, slot.slot.uuid).await;
    let part = closed("services = [\"2000000011\"]");
    let refused = try_apply(&store, &part, false)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("closed on that day, by the closure `holiday`"),
        "{refused}"
    );
    let kept = try_apply(&store, &part, true).await.unwrap();
    assert_eq!(kept.kept.len(), 1);
    let again = try_apply(&store, &part, false).await.unwrap();
    assert!(again.kept[0].already, "it does not stop the next apply");
}

#[test]
fn a_closure_names_what_is_there() {
    let today = london_date(now());
    for (text, said) in [
        (
            "locations = \"nort\"",
            "no location `nort`; did you mean `north`?",
        ),
        ("services = \"2000000013\"", "no service `2000000013`"),
        ("until = 2027-06-07", "is before date"),
        ("location = \"north\"", "did you mean `locations`?"),
    ] {
        let error = read(&closed(text), "sites.toml", today).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn an_exception_adds_hours_on_a_day_without_clinic() {
    let store = store_fixture::memory();
    let saturday = date(2027, 6, 12);
    let with = |exception: &str| {
        SITES.replacen(
            "slot_minutes = 30",
            &format!("slot_minutes = 30\nexceptions = [{exception}]"),
            1,
        )
    };
    let extra = with("{ date = 2027-06-12, extra = true, from = \"10:00\", to = \"12:00\" }");
    assert_eq!(told(&extra), Vec::<String>::new());
    applied(&store, &extra).await;
    assert_eq!(of(&store, "gp", saturday), 4);
    let usual = with("{ date = 2027-06-12, extra = true }");
    applied(&store, &usual).await;
    assert_eq!(of(&store, "gp", saturday), 2, "its usual hours");
    // Of several, the last; hours of a long range do not reach into days without clinic.
    let range = with("{ date = 2027-06-07, until = 2027-06-13, from = \"10:00\", to = \"10:30\" }");
    applied(&store, &range).await;
    assert_eq!(
        (of(&store, "gp", MONDAY), of(&store, "gp", saturday)),
        (1, 0)
    );
    let closed = with("{ date = 2027-06-12, extra = true }, { date = 2027-06-12, closed = true }");
    applied(&store, &closed).await;
    assert_eq!(of(&store, "gp", saturday), 0);
}

/// What is legal and has no effect is told, with what was probably meant.
#[test]
fn what_has_no_effect_is_told() {
    assert_eq!(told(SITES), Vec::<String>::new());
    let with = |exception: &str| {
        let days = "weekdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]";
        SITES.replacen(days, "weekdays = [\"fri\"]", 1).replacen(
            "slot_minutes = 30",
            &format!("slot_minutes = 30\nexceptions = [{exception}]"),
            1,
        )
    };
    let session = |date: &str, from: &str, to: &str| {
        format!(
            "{SITES}\n[[session]]\nid = \"night\"\nschedule = \"gp\"\ndate = {date}\nfrom = \"{from}\"\nto = \"{to}\"\n\
             slot_minutes = 10\n"
        )
    };
    let release = |kinds: &str| {
        format!("{SITES}\n[[release]]\nid = \"late\"\nkinds = [\"{kinds}\"]\n").replacen(
            "location = \"north\"\n",
            "location = \"north\"\nrelease = \"late\"\n",
            1,
        )
    };
    for (text, parts) in [
        (
            with("{ date = 2027-06-10, closed = true }"),
            &["gp-days", "2027-06-10, a Thursday", "Friday, 2027-06-11"][..],
        ),
        (
            with("{ date = 2027-06-10, from = \"09:00\", to = \"09:30\" }"),
            &["Thursday", "`extra = true`"],
        ),
        (
            with("{ date = 2026-12-25, closed = true }"),
            &["past year", "is 2027-12-25 meant?"],
        ),
        (
            with("{ date = 2027-06-07, until = 2027-06-10, closed = true }"),
            &["2027-06-07 to 2027-06-10 are no day of this clinic"],
        ),
        (release("gpp"), &["kind `gpp`", "did you mean `gp`?"]),
        (
            format!("{SITES}\n[[release]]\nid = \"unused\"\ncap = 1\n"),
            &["`unused`", "has no effect"],
        ),
        (
            SITES.replace("LS99 9ZB", "NOWHERE"),
            &["[[location]] `south`", "`NOWHERE` is not a postcode"],
        ),
        (
            SITES.replace("LS99 9ZB", "LS99 9Z"),
            &["did you mean `LS99 9ZA`?"],
        ),
        (
            session("2028-03-26", "01:10", "01:50"),
            &["`night`", "no slots", "the clock jumps"],
        ),
        (
            session("2028-03-26", "00:30", "02:30"),
            &["it has 60 minutes, not 120"],
        ),
        (
            session("2026-07-01", "09:00", "10:00"),
            &["past year", "is 2027-07-01 meant?"],
        ),
        (
            format!("{SITES}\n[[closure]]\nid = \"old\"\ndate = 2026-12-25\n"),
            &["[[closure]] `old`", "past year"],
        ),
    ] {
        let said = told(&text);
        assert_eq!(said.len(), 1, "{said:?}");
        for part in parts {
            assert!(said[0].contains(part), "{part} is not in {said:?}");
        }
    }
    for good in [
        "M1 1AE", "SW1A 1AA", "EC1A1BB", "b33 8th", "CR2 6XH", "DN55 1PT",
    ] {
        assert_eq!(
            told(&SITES.replace("LS99 9ZB", good)),
            Vec::<String>::new(),
            "{good}"
        );
    }
}

/// The plan tells them, and also when there is nothing to change.
#[tokio::test]
async fn warnings_stand_in_the_plan() {
    let store = store_fixture::memory();
    let text = SITES.replace("LS99 9ZB", "NOWHERE");
    for _ in 0..2 {
        let done = applied(&store, &text).await;
        let shown = done.plan.to_string();
        assert!(
            shown.contains("  warning: [[location]] `south`: `NOWHERE`"),
            "{shown}"
        );
        let json = serde_json::to_value(&done.plan).unwrap();
        assert_eq!(json["warnings"][0]["id"], "south");
    }
}
