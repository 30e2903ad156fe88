//! Days that are closed, days that are added, and what a declaration says without effect.

use super::store_fixture::{self, diary};
use booking::ids::{OdsCode, ServiceId};
use booking::rules::release::Withheld;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use provider::diary::apply::top_up;
use provider::diary::declaration::read::read;
use provider::diary::declaration::warn::warnings;
use provider::diary::generate::london_date;
use provider::diary::slots::{Selection, Table, pages};
use provider::store::{SlotChange, SlotFilter, Store};
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

/// Slots by schedule and London day.
fn slots(store: &Store) -> BTreeMap<(String, Date), usize> {
    let mut found = BTreeMap::new();
    for placed in diary::slots(store, &diary::from(store, now())) {
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

/// Exactly one thing is told, with these parts.
fn assert_told(text: &str, parts: &[&str]) {
    let said = told(text);
    assert_eq!(said.len(), 1, "{said:?}");
    for part in parts {
        assert!(said[0].contains(part), "{part} is not in {said:?}");
    }
}

fn assert_nothing_told(text: &str) {
    assert_eq!(told(text), Vec::<String>::new(), "{text}");
}

/// The first clinic with further keys.
fn first_clinic(keys: &str) -> String {
    let minutes = "slot_minutes = 30";
    SITES.replacen(minutes, &format!("{minutes}\n{keys}"), 1)
}

/// The first clinic with exceptions.
fn excepted(exceptions: &str) -> String {
    first_clinic(&format!("exceptions = [{exceptions}]"))
}

/// The first service with further keys.
fn first_service(keys: &str) -> String {
    let location = "location = \"north\"\n";
    SITES.replacen(location, &format!("{location}{keys}\n"), 1)
}

/// The GP clinic's diary is that of the southern site.
fn placed(text: &str) -> String {
    let diary = "id = \"gp\"\n";
    text.replacen(
        &format!("{diary}services"),
        &format!("{diary}location = \"south\"\nservices"),
        1,
    )
}

const MONDAY: Date = date(2027, 6, 7);
const TUESDAY: Date = date(2027, 6, 8);
const WEDNESDAY: Date = date(2027, 6, 9);

#[tokio::test]
async fn one_entry_closes_the_whole_provider_for_days() {
    let store = store_fixture::memory();
    diary::applied(&store, SITES, now()).await;
    let before = slots(&store);
    let two_days = closed("until = 2027-06-09\nreason = \"Bank holidays\"");
    let done = diary::applied(&store, &two_days, now()).await;
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
    let text = diary::exported(&store, now());
    assert!(text.contains("Bank holidays"), "{text}");
    diary::assert_unchanged(&store, &text, now()).await;
    diary::applied(&store, SITES, now()).await;
    assert_eq!(slots(&store), before);
}

#[tokio::test]
async fn a_site_or_a_service_is_closed_alone() {
    let store = store_fixture::memory();
    for part in ["locations = \"north\"", "services = [\"2000000011\"]"] {
        diary::applied(&store, &closed(part), now()).await;
        assert_eq!(of(&store, "gp", TUESDAY), 0, "{part}");
        assert_eq!(of(&store, "nurse", TUESDAY), 2, "{part}");
        // A diary of both stays open for the one that is.
        assert_eq!(of(&store, "shared", TUESDAY), 2, "{part}");
        let catalogue = diary::catalogue(&store);
        let who = diary::who(&catalogue, "918999000099", "FX900");
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
    diary::applied(&store, &both, now()).await;
    assert_eq!(of(&store, "shared", TUESDAY), 0);
}

#[tokio::test]
async fn a_closure_names_the_bookings_in_its_way() {
    let store = store_fixture::memory();
    diary::applied(&store, SITES, now()).await;
    let catalogue = diary::catalogue(&store);
    let tenant = diary::tenant(&store);
    let filter = SlotFilter {
        schedules: vec![catalogue.schedules[2].key],
        from: Some("2027-06-08T00:00:00Z".parse().unwrap()),
        ..SlotFilter::default()
    };
    let slot = tenant.slots(&filter, 1).unwrap().remove(0);
    store_fixture::book(tenant, slot.slot.uuid).await;
    let part = closed("services = [\"2000000011\"]");
    let refused = diary::refused(&store, &part, now()).await;
    assert!(
        refused.contains("closed on that day, by the closure `holiday`"),
        "{refused}"
    );
    let kept = diary::forced(&store, &part, now()).await;
    assert_eq!(kept.kept.len(), 1);
    let again = diary::applied(&store, &part, now()).await;
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
    let extra = excepted("{ date = 2027-06-12, extra = true, from = \"10:00\", to = \"12:00\" }");
    assert_nothing_told(&extra);
    diary::applied(&store, &extra, now()).await;
    assert_eq!(of(&store, "gp", saturday), 4);
    let usual = excepted("{ date = 2027-06-12, extra = true }");
    diary::applied(&store, &usual, now()).await;
    assert_eq!(of(&store, "gp", saturday), 2, "its usual hours");
    // Of several, the last; hours of a long range do not reach into days without clinic.
    let range =
        excepted("{ date = 2027-06-07, until = 2027-06-13, from = \"10:00\", to = \"10:30\" }");
    diary::applied(&store, &range, now()).await;
    assert_eq!(
        (of(&store, "gp", MONDAY), of(&store, "gp", saturday)),
        (1, 0)
    );
    let closed =
        excepted("{ date = 2027-06-12, extra = true }, { date = 2027-06-12, closed = true }");
    diary::applied(&store, &closed, now()).await;
    assert_eq!(of(&store, "gp", saturday), 0);
}

/// What is legal and has no effect is told, with what was probably meant.
#[test]
fn what_has_no_effect_is_told() {
    assert_nothing_told(SITES);
    let with = |exception: &str| {
        let days = "weekdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]";
        excepted(exception).replacen(days, "weekdays = [\"fri\"]", 1)
    };
    let session = |date: &str, from: &str, to: &str| {
        format!(
            "{SITES}\n[[session]]\nid = \"night\"\nschedule = \"gp\"\ndate = {date}\nfrom = \"{from}\"\nto = \"{to}\"\n\
             slot_minutes = 10\n"
        )
    };
    let release = |kinds: &str| {
        let named = first_service("release = \"late\"");
        format!("{named}\n[[release]]\nid = \"late\"\nkinds = [\"{kinds}\"]\n")
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
        assert_told(&text, parts);
    }
    for good in [
        "M1 1AE", "SW1A 1AA", "EC1A1BB", "b33 8th", "CR2 6XH", "DN55 1PT",
    ] {
        assert_nothing_told(&SITES.replace("LS99 9ZB", good));
    }
}

/// The plan tells them, and also when there is nothing to change.
#[tokio::test]
async fn warnings_stand_in_the_plan() {
    let store = store_fixture::memory();
    let text = SITES.replace("LS99 9ZB", "NOWHERE");
    for _ in 0..2 {
        let done = diary::applied(&store, &text, now()).await;
        let shown = done.plan.to_string();
        assert!(
            shown.contains("  warning: [[location]] `south`: `NOWHERE`"),
            "{shown}"
        );
        let json = serde_json::to_value(&done.plan).unwrap();
        assert_eq!(json["warnings"][0]["id"], "south");
    }
}

/// A slot of another diary system, at noon of Tuesday.
fn imported(schedule: &str) -> String {
    format!(
        "\n[[slot]]\nidentifier = \"{IMPORTED}\"\nschedule = \"{schedule}\"\nstart = 2027-06-08T12:00:00+01:00\n\
         end = 2027-06-08T12:30:00+01:00\n"
    )
}

const IMPORTED: &str = "0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01";

/// Whether the imported slot is there, may be booked, and is held back.
fn imported_slot(store: &Store) -> (Result<String, Withheld>, bool) {
    let catalogue = diary::catalogue(store);
    let slot = diary::tenant(store)
        .slot(IMPORTED.parse().unwrap())
        .unwrap()
        .expect("it is there");
    let who = diary::who(&catalogue, "918999000099", "FX900");
    let service = catalogue.service_for_booking(&slot, &who, now(), &|_| 0);
    (service.map(|s| s.to_string()), slot.slot.held)
}

#[tokio::test]
async fn an_imported_slot_outlives_a_closure() {
    for (part, place) in [
        ("", str::to_owned as fn(&str) -> String),
        ("services = \"2000000011\"", str::to_owned),
        // The place of a diary whose service takes place elsewhere.
        ("locations = \"south\"", placed),
    ] {
        let store = store_fixture::memory();
        let open = place(&format!("{SITES}{}", imported("gp")));
        let shut = place(&format!("{}{}", closed(part), imported("gp")));
        diary::applied(&store, &open, now()).await;
        assert_eq!(
            imported_slot(&store).0,
            Ok("2000000011".to_owned()),
            "{part}"
        );
        // The closure takes out what the clinic had, and keeps what another system has.
        let done = diary::applied(&store, &shut, now()).await;
        let told: Vec<String> = done.plan.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        for part in [
            IMPORTED,
            "closure `holiday`",
            "2027-06-08",
            "until the closure goes",
        ] {
            assert!(told[0].contains(part), "{told:?}");
        }
        assert_eq!(of(&store, "gp", TUESDAY), 1, "{part}");
        assert_eq!(
            imported_slot(&store),
            (Err(Withheld::Closed), false),
            "{part}"
        );
        assert!(diary::exported(&store, now()).contains(IMPORTED), "{part}");
        diary::assert_unchanged(&store, &diary::exported(&store, now()), now()).await;
        // Staff hold it back meanwhile; that is kept, too.
        let only = SlotFilter {
            schedules: vec![diary::catalogue(&store).schedules[0].key],
            slots: vec![IMPORTED.parse().unwrap()],
            ..SlotFilter::default()
        };
        diary::change(&store, SlotChange::Hold, only, now()).await;
        let again =
            diary::exported(&store, now()).replace("[[closure]]", "[[closure]]\nreason = \"x\"");
        diary::applied(&store, &again, now()).await;
        diary::applied(&store, &open, now()).await;
        assert_eq!(
            imported_slot(&store),
            (Err(Withheld::HeldBack), true),
            "{part}"
        );
        assert_eq!(of(&store, "gp", TUESDAY), 3, "{part}");
    }
    // Declared together with the closure it is taken in all the same, and goes when it is not declared any more.
    let store = store_fixture::memory();
    diary::applied(&store, &format!("{}{}", closed(""), imported("gp")), now()).await;
    assert_eq!(imported_slot(&store).0, Err(Withheld::Closed));
    diary::applied(&store, &closed(""), now()).await;
    assert_eq!(of(&store, "gp", TUESDAY), 0);
}

#[tokio::test]
async fn a_booked_imported_slot_stops_a_closure_of_its_place() {
    let store = store_fixture::memory();
    let open = placed(&format!("{SITES}{}", imported("gp")));
    diary::applied(&store, &open, now()).await;
    let tenant = diary::tenant(&store);
    store_fixture::book(tenant, IMPORTED.parse().unwrap()).await;
    let shut = closed("locations = \"south\"") + &imported("gp");
    let shut = placed(&shut);
    let refused = diary::refused(&store, &shut, now()).await;
    assert!(
        refused.contains("its schedule is closed on that day, by the closure `holiday`"),
        "{refused}"
    );
    assert_eq!(diary::forced(&store, &shut, now()).await.kept.len(), 1);
    assert!(diary::applied(&store, &shut, now()).await.kept[0].already);
}

#[tokio::test]
async fn a_list_names_the_closure_of_a_slot() {
    let store = store_fixture::memory();
    diary::applied(&store, &closed("services = \"2000000011\""), now()).await;
    let ods = OdsCode::parse("FX101").unwrap();
    let listed = |service: Option<&str>| {
        let selection = Selection {
            schedules: vec!["shared".to_owned()],
            service: service.map(|s| ServiceId::parse(s).unwrap()),
            from: Some(TUESDAY),
            to: Some(TUESDAY),
            ..Selection::default()
        };
        let all = pages(&store, &ods, &selection, now()).unwrap();
        let lines = all.collect::<Result<Vec<_>, _>>().unwrap().concat();
        let by: Vec<Option<String>> = lines.iter().map(|l| l.closed_by.clone()).collect();
        (by, Table::default().rows(&lines))
    };
    // Open for the nurses, so the diary as a whole is.
    for service in [None, Some("2000000012")] {
        let (by, table) = listed(service);
        assert_eq!(by, [None, None]);
        assert!(
            table.contains("  free  ") && !table.contains("closed"),
            "{table}"
        );
    }
    let (by, table) = listed(Some("2000000011"));
    assert_eq!(by, [Some("holiday".to_owned()), Some("holiday".to_owned())]);
    assert!(
        table.contains("  closed  ") && !table.contains("free"),
        "{table}"
    );
}

/// Days that nothing is held on, or that cannot be meant.
#[test]
fn a_day_without_effect_is_told() {
    let session = |date: &str, hours: &str| {
        format!(
            "\n[[session]]\nid = \"night\"\nschedule = \"gp\"\ndate = {date}\n{hours}\nslot_minutes = 60\n"
        )
    };
    let closure = |text: &str| format!("{SITES}\n[[closure]]\nid = \"c\"\n{text}\n");
    let old = imported("gp").replace("2027-06-08", "2026-06-08");
    let far = imported("gp").replace("2027-06-08", "2206-06-08");
    let noon = "from = \"11:00\"\nto = \"13:00\"";
    for (text, parts) in [
        (
            format!("{SITES}{old}"),
            &["[[slot]]", "past year", "is 2027-06-08"][..],
        ),
        (format!("{SITES}{far}"), &["[[slot]]", "two years ahead"]),
        (
            format!("{}{}", closed(""), session("2027-06-08", noon)),
            &["[[session]] `night`", "no slots", "closure `holiday`"],
        ),
        (
            format!("{SITES}{}", session("2206-06-08", noon)),
            &["no slots", "two years ahead"],
        ),
        (
            format!(
                "{SITES}{}",
                session("2028-03-26", "from = \"00:30\"\nto = \"01:30\"")
            ),
            &["no slots", "30 of 60 minutes", "less than a slot"],
        ),
        (
            excepted("{ date = 2027-06-12, extra = true }")
                + "\n[[closure]]\nid = \"sat\"\ndate = 2027-06-12\n",
            &["exception", "closed by the closure `sat`"],
        ),
        (
            excepted("{ date = 2027-06-08, extra = true }"),
            &[
                "no effect",
                "a Tuesday, is a day of this clinic with these hours anyway",
            ],
        ),
        (
            excepted(
                "{ date = 2027-06-08, closed = true }, { date = 2027-06-08, from = \"09:00\", to = \"09:30\" }",
            ),
            &[
                "no effect",
                "of several for 2027-06-08, the last one counts",
            ],
        ),
        (
            excepted("{ date = 2062-06-08, closed = true }"),
            &[
                "exception",
                "2062-06-08 lies more than two years ahead",
                "is 2027-06-08",
            ],
        ),
        (
            first_clinic("valid_from = 2027-06-12\nvalid_to = 2027-06-13"),
            &["[[template]] `gp-days`", "none of its weekdays"],
        ),
        (
            first_clinic("valid_from = 2206-01-01"),
            &["[[template]] `gp-days`", "two years ahead"],
        ),
        (
            SITES.replacen("\"mon\", ", "\"mon\", \"mon\", ", 1),
            &["`weekdays` names `mon` twice"],
        ),
        (
            closure("date = 2027-06-13"),
            &["[[closure]] `c`", "2027-06-13, a Sunday", "no clinic"],
        ),
        (
            closure("date = 2062-12-25"),
            &["closes nothing", "two years ahead"],
        ),
        (
            format!(
                "{}\n[[service]]\nid = \"2000000013\"\nname = \"Other\"\n",
                closure("date = 2027-06-08\nservices = \"2000000013\"")
            ),
            &["[[closure]] `c`", "no schedule"],
        ),
    ] {
        assert_told(&text, parts);
    }
    for fine in [
        // It closes a clinic that is extra, one that an exception moves, and what another system has.
        excepted("{ date = 2027-06-12, extra = true }, { date = 2027-06-12, closed = true }")
            .replace("2027-06-12, closed", "2027-06-10, closed"),
        excepted(
            "{ date = 2027-06-07, until = 2027-06-11, closed = true }, { date = 2027-06-09, extra = true }",
        ),
        closure("date = 2027-06-08\nuntil = 2027-06-13"),
        closure("date = 2027-06-08\nlocations = \"south\""),
        format!(
            "{SITES}{}",
            session("2027-06-12", "from = \"23:00\"\nto = \"01:00\"")
        ) + "\n[[closure]]\nid = \"sun\"\ndate = 2027-06-13\n",
        format!(
            "{SITES}{}",
            imported("gp").replace("2027-06-08", "2028-06-08")
        ),
    ] {
        assert_nothing_told(&fine);
    }
}

/// Rules, consumers and trials that admit nobody.
#[test]
fn a_right_without_effect_is_told() {
    let rule = |keys: &str| {
        let named = first_service("release = \"late\"");
        format!("{named}\n[[release]]\nid = \"late\"\n{keys}\n")
    };
    let consumer =
        |keys: &str| format!("\n[[consumer]]\nods = \"FX901\"\nname = \"Other\"\n{keys}\n");
    for (text, parts) in [
        (
            rule("kinds = \"gp\"") + &consumer("kind = \"gq\""),
            &["[[consumer]] `FX901`", "kind `gq`", "did you mean `gp`?"][..],
        ),
        (
            rule("cutoff = \"30d\""),
            &["[[release]] `late`", "30 days", "6 days ahead", "ever"],
        ),
        (
            rule("kinds = \"kiosk\"") + &consumer("kind = \"kiosk\"\nmay = [\"search\"]"),
            &["[[release]] `late`", "may not book"],
        ),
        (
            rule("ods = \"FX909\"").replace(
                "horizon_days = 6",
                "horizon_days = 6\nothers_may = [\"search\"]",
            ),
            &["[[release]] `late`", "may not book"],
        ),
        (
            rule("asids = \"918999000091\"") + &consumer("asid = \"918999000092\""),
            &["ASID `918999000091`", "did you mean `918999000092`?"],
        ),
        (
            SITES.to_owned() + &consumer("test = true"),
            &["[[consumer]] `FX901`", "shown nothing", "`live_too = true`"],
        ),
        (
            SITES.to_owned() + &consumer("test = true\nlive_too = true"),
            &["[[consumer]] `FX901`", "no effect"],
        ),
        (
            first_service("test = true"),
            &["[[service]] `2000000011`", "nobody is shown it"],
        ),
    ] {
        assert_told(&text, parts);
    }
    for fine in [
        rule("kinds = \"gp\"") + &consumer("kind = \"ambulance\""),
        rule("cutoff = \"6d\""),
        rule("ods = \"FX909\""),
        // Bookable for what another system has beyond the horizon.
        rule("cutoff = \"30d\"") + &imported("gp").replace("2027-06-08", "2027-08-08"),
    ] {
        assert_nothing_told(&fine);
    }
}
