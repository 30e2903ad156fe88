//! Slot search (`docs/standard/provider-api.md`, section 6), over the wire.

use std::collections::{BTreeMap, BTreeSet};
use testkit::{assert_contains, assert_lacks};

use jiff::Timestamp;
use serde_json::Value;

use super::support::operations::{declare, uec, with_settings};
use super::support::server::{day, entries, instant, matches};
use super::support::{Booking, GP_CLINIC, NO_SLOTS, SEARCH_ONLY, SLOTS_ONLY, STRANGER, Server};

/// The nurse clinic shares a schedule with the GP clinic.
const NURSE_CLINIC: &str = "2000000012";
/// Telephone and video.
const ASSESSMENT: &str = "2000000013";
const CHANNEL: &str =
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DeliveryChannel-1";

/// What the resources of a full search hold: type, place, value; the empty value stands for any text.
#[rustfmt::skip] // a row a line
const SHAPE: &[(&str, &str, &str)] = &[
    ("Slot", "/identifier/0/system", "https://tools.ietf.org/html/rfc4122"),
    ("Slot", "/status", "free"),
    ("Schedule", "/identifier/0/system", ""),
    ("HealthcareService", "/id", GP_CLINIC),
    ("HealthcareService", "/identifier/0/system", "https://fhir.nhs.uk/Id/dos-service-id"),
    ("HealthcareService", "/identifier/0/value", GP_CLINIC),
    ("HealthcareService", "/location/0/reference", ""),
    ("HealthcareService", "/name", ""),
    ("Location", "/name", ""),
    ("Location", "/address/postalCode", ""),
    ("Organization", "/identifier/0/system", "https://fhir.nhs.uk/Id/ods-organization-code"),
    ("Practitioner", "/name/0/family", ""),
    ("PractitionerRole", "/code/0/coding/0/system", "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1"),
    ("PractitionerRole", "/code/0/coding/0/code", ""),
    ("PractitionerRole", "/code/0/coding/0/display", ""),
];

fn ids(slots: &[Value]) -> BTreeSet<String> {
    slots
        .iter()
        .map(|slot| slot["id"].as_str().expect("id").to_owned())
        .collect()
}

/// Proves: PROV-SLOT-02, NFR-01, P10
#[test]
fn a_service_of_another_provider_is_unknown_here() {
    let query = Server::window_query("2000000021", 1, 5);
    Server::shared(module_path!()).search(&query).expect(404);
}

/// Proves: PROV-SLOT-12, PROV-SLOT-13, PROV-SLOT-15, PROV-SLOT-16, D-13, P12
/// Proves: P18, RES-SLOT-01, RES-SLOT-02, RES-SLOT-03, RES-SLOT-04, RES-SLOT-05, RES-GEN-01, RES-GEN-02, RES-GEN-04, RES-GEN-05
/// Proves: P20, P21, P22, RES-SCH-01, RES-HCS-01, RES-HCS-02, RES-HCS-04, RES-HCS-05, RES-LOC-01, RES-ORG-01, RES-PRA-02, RES-ROL-02, D-34
#[test]
fn a_full_search_has_everything_once_and_in_its_shape() {
    let server = Server::shared(module_path!());
    let found = server.search(&Server::full_query(GP_CLINIC)).expect(200);
    let bundle = found.json();
    let base = server.audience();
    assert_eq!(bundle["link"][0]["relation"], "self");
    let own = bundle["link"][0]["url"].as_str().expect("url");
    assert!(own.starts_with(&format!("{base}/Slot?")), "{own}");
    assert_contains(own, &[GP_CLINIC]);
    assert_eq!(bundle["total"], matches(&bundle).len());
    // Every reference is relative.
    found.never_says(&["\"reference\":\"http"]);
    let mut seen = BTreeSet::new();
    for entry in bundle["entry"].as_array().expect("entry") {
        let resource = &entry["resource"];
        let text = |place: &str| resource.pointer(place).and_then(Value::as_str);
        let (kind, id) = (text("/resourceType"), text("/id"));
        let (kind, id) = (kind.expect("a type"), id.expect("an id"));
        let name = format!("{kind}/{id}");
        assert_eq!(entry["fullUrl"], format!("{base}/{name}"));
        assert!(seen.insert(name.clone()), "{name} stands there once");
        let mode = if kind == "Slot" { "match" } else { "include" };
        assert_eq!(entry["search"]["mode"], mode, "{name}");
        if !matches!(kind, "Slot" | "PractitionerRole") {
            found.says(&[&format!("\"reference\":\"{name}\"")]);
        }
        let profile =
            format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1");
        assert_eq!(text("/meta/profile/0"), Some(profile.as_str()));
        for (_, place, value) in SHAPE.iter().filter(|row| row.0 == kind) {
            let given = text(place).unwrap_or_else(|| panic!("{name} has no {place}"));
            assert!(
                given == *value || value.is_empty(),
                "{place} of {name}: {given}"
            );
        }
        for list in ["identifier", "location"] {
            assert!(
                resource[list]
                    .as_array()
                    .is_none_or(|all| all.len() == 1 || kind == "Practitioner"),
                "{name}"
            );
        }
        if kind == "Slot" {
            let value = text("/identifier/0/value").expect("a value");
            let uuid = uuid::Uuid::try_parse(value).expect("a UUID");
            assert_eq!(uuid.to_string(), value, "in lower case");
            let (start, end) = (text("/start").expect("start"), text("/end").expect("end"));
            let at = |time: &str| time.parse::<Timestamp>().expect("an instant");
            assert!(at(start) < at(end), "{name}");
            // Milliseconds, and one style of offset.
            for time in [start, end] {
                assert_eq!((&time[19..20], &time[23..]), (".", &start[23..]), "{time}");
            }
        }
    }
}

/// Proves: PROV-SLOT-14, PROV-SLOT-21, D-12
#[test]
fn slots_that_are_withheld_are_explained_and_not_shown() {
    let server = Server::shared(module_path!());
    let call = server.from(server.search(&Server::full_query(GP_CLINIC)), SEARCH_ONLY);
    let bundle = call.expect(200).json();
    assert_eq!(bundle["total"], 0);
    assert_eq!(bundle["entry"].as_array().map(Vec::len), Some(1));
    let outcome = &entries(&bundle, "outcome")[0];
    let id = outcome["id"].as_str().expect("an id");
    assert_eq!(bundle["entry"][0]["fullUrl"], format!("urn:uuid:{id}"));
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["severity"], "information");
    assert_ne!(outcome["issue"][0]["diagnostics"].as_str(), Some(""));
}

/// Proves: PROV-SLOT-17, PROV-SLOT-18, PROV-SLOT-22, RES-SCH-02
#[test]
fn a_service_has_all_its_schedules_and_each_names_the_service_that_was_searched() {
    let [gp, nurse] = [GP_CLINIC, NURSE_CLINIC].map(|service| {
        let server = Server::shared(module_path!());
        let bundle = server.search(&Server::full_query(service)).expect(200);
        let mut schedules = entries(&bundle.json(), "include");
        schedules.retain(|resource| resource["resourceType"] == "Schedule");
        for schedule in &schedules {
            let actors = schedule["actor"].as_array().expect("actor").iter();
            let services =
                actors.filter_map(|a| a["reference"].as_str()?.strip_prefix("HealthcareService/"));
            assert_eq!(services.collect::<Vec<_>>(), [service]);
        }
        ids(&schedules)
    });
    assert!(gp.len() >= 2, "two schedules: {gp:?}");
    assert!(!gp.is_disjoint(&nurse), "{gp:?} and {nurse:?} share one");
}

/// Proves: PROV-SLOT-19, PROV-SLOT-21
#[test]
fn an_organisation_that_is_not_declared_may_search_and_book() {
    let server = Server::shared(module_path!());
    let search = server.search(&Server::window_query(GP_CLINIC, 10, 14));
    let found = matches(&server.from(search, STRANGER).expect(200).json());
    let slot = found.last().expect("a slot that may be booked");
    let book = server.book(&Booking::of(slot).body());
    server.from(book, STRANGER).expect(201);
}

/// Proves: PROV-SLOT-23, RES-SLOT-06
#[test]
fn a_delivery_channel_is_sent_only_when_it_is_known() {
    let server = Server::shared(module_path!());
    for (service, expected) in [
        (GP_CLINIC, &[Some("In-person")][..]),
        (ASSESSMENT, &[Some("Telephone"), Some("Video")]),
        (SLOTS_ONLY, &[None]),
    ] {
        let slots = server.slots(&Server::window_query(service, 1, 8));
        let channel = |slot: &'_ Value| {
            let mut extensions = slot["extension"].as_array()?.iter();
            let channel = extensions.find(|e| e["url"] == CHANNEL)?;
            channel["valueCode"].as_str().map(str::to_owned)
        };
        let channels: BTreeSet<Option<String>> = slots.iter().map(channel).collect();
        let channels: Vec<Option<&str>> = channels.iter().map(Option::as_deref).collect();
        assert_eq!(channels, expected, "{service}");
    }
}

/// Proves: PROV-SLOT-06, PROV-SLOT-21
#[test]
fn a_free_slot_that_began_is_not_offered() {
    let (from, to) = (instant(-24 * 3600, false), instant(24 * 3600, false));
    let query = format!("service={GP_CLINIC}&status=free&start=ge{from}&start=le{to}");
    let begun = Timestamp::now();
    for slot in Server::shared(module_path!()).slots(&query) {
        let start = slot["start"].as_str().expect("start");
        let start: Timestamp = start.parse().expect("an instant");
        assert!(start >= begun, "what is offered can be booked");
    }
}

/// Two rooms of a diary that are open at the same time, and a pod of three: a search shows each slot, and each is booked
/// once.
/// Proves: D-56
#[test]
fn slots_of_the_same_time_are_each_shown_and_booked_once() {
    let server = Server::start("slots-parallel", true);
    let week = "weekdays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";
    let clinic = |id: &str, from: &str, to: &str, more: &str| {
        format!(
            "[[template]]\nid = \"{id}\"\nschedule = \"rooms\"\n{week}\nfrom = \"{from}\"\nto = \"{to}\"\n\
             slot_minutes = 30\n{more}\n"
        )
    };
    declare(&server, "FX101", |exported| {
        format!(
            "{exported}\n[[schedule]]\nid = \"rooms\"\nservices = [\"{NO_SLOTS}\"]\noverlaps = true\n{}{}{}",
            clinic("room-1", "09:00", "09:30", ""),
            clinic("room-2", "09:00", "09:30", ""),
            clinic("pod", "11:00", "11:30", "capacity = 3"),
        )
    });
    let query = Server::window_query(NO_SLOTS, 1, 2);
    let found = server.slots(&query);
    let mut by_start = BTreeMap::<String, usize>::new();
    for slot in &found {
        *by_start.entry(slot["start"].to_string()).or_default() += 1;
    }
    assert!(by_start.values().eq(&[2, 3]), "{found:#?}");
    assert_eq!(ids(&found).len(), 5);
    let one = &found[0]["schedule"]["reference"];
    assert!(found.iter().all(|s| s["schedule"]["reference"] == *one));
    for (n, slot) in found.iter().enumerate() {
        server.book(&Booking::of(slot).body()).expect(201);
        server.book(&Booking::of(slot).body()).expect(422);
        assert_eq!(server.slots(&query).len(), found.len() - n - 1);
    }
}

/// What does not fit into one answer is counted and told. A window that is longer than one search takes is searched in
/// part, and the answer says which part.
/// Proves: PROV-SLOT-12, PROV-SLOT-13, D-91
#[test]
fn slots_that_do_not_fit_and_a_window_that_is_shortened_are_told() {
    let server = with_settings(
        "slots-many",
        "[search]\nmax_days = 1\nmax_slots = 3\n[trust]\nunsigned = \"any\"\n",
    );
    let said = |query: &str| {
        let bundle = server.search(query).expect(200).json();
        let outcomes = entries(&bundle, "outcome");
        assert!(outcomes.len() < 2, "{outcomes:?}");
        let words = outcomes
            .first()
            .and_then(|o| o["issue"][0]["diagnostics"].as_str());
        (words.unwrap_or_default().to_owned(), bundle)
    };
    let (words, bundle) = said(&Server::window_query(GP_CLINIC, 1, 2));
    let total = bundle["total"].as_u64().expect("a number");
    assert!(total > 30, "{total}");
    assert_eq!(matches(&bundle).len(), 3);
    assert_contains(&words, &[&format!("{} more slots match", total - 3)]);
    assert_lacks(&words, &["were searched"]);
    let far = format!("service={GP_CLINIC}&start=ge2098-01-01");
    let (words, bundle) = said(&format!("{far}&start=le2098-03-01"));
    assert_contains(&words, &["to 2098-01-02T00:00:00Z were searched"]);
    assert_eq!(bundle["total"], 0);
    // Beside slots, and beside the slots that do not fit.
    let (words, bundle) = said(&Server::window_query(GP_CLINIC, 1, 3));
    assert_contains(&words, &["more slots match", "were searched"]);
    assert_eq!(matches(&bundle).len(), 3);
    let (words, _) = said(&format!("{far}T00:00:00Z&start=le2098-01-01T23:00:00Z"));
    assert_eq!(words, "");
}

/// A slot that another system made outlives the closure of its place, and nobody is offered it: no search shows it, and the
/// staff's count tells it from those that may be booked. It comes back with the day.
///
/// Proves: D-87
#[test]
fn a_closed_place_offers_nothing() {
    const IMPORTED: &str = "0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01";
    let server = Server::start("closed-place", true);
    let date = day(3);
    let date = date.get(..10).expect("a date");
    let query = Server::window_query(SLOTS_ONLY, 3, 4);
    let shown = || {
        let found = server.slots(&query);
        let is_imported = |s: &Value| s["identifier"][0]["value"] == IMPORTED;
        (found.len(), found.iter().any(is_imported))
    };
    let counted = || {
        let counts = uec(format!(
            "provider slots list --provider FX101 --schedule fernhill-dental --count --json \
             --from {date} --to {date} --database '{}'",
            server.database()
        ));
        (counts.json["free"].as_u64(), counts.json["closed"].as_u64())
    };
    declare(&server, "FX101", |text| {
        let there = "id = \"fernhill-dental\"\n";
        let annex = text.replacen(there, &format!("{there}location = \"annex\"\n"), 1);
        format!(
            "{annex}\n[[location]]\nid = \"annex\"\nname = \"Annex\"\n\n[location.address]\nlines = [\"1 Annex Way\"]\n\
             city = \"Exampleton\"\npostcode = \"LS99 9ZA\"\n\n[[slot]]\nidentifier = \"{IMPORTED}\"\n\
             schedule = \"fernhill-dental\"\nstart = {date}T19:00:00Z\nend = {date}T19:30:00Z\n"
        )
    });
    let open = shown();
    assert!(open.1 && open.0 > 1, "{open:?}");
    assert_eq!(counted(), (Some(open.0 as u64), Some(0)));
    let closure = format!("\n[[closure]]\nid = \"away\"\ndate = {date}\nlocations = \"annex\"\n");
    declare(&server, "FX101", |text| format!("{text}{closure}"));
    assert_eq!(shown(), (0, false));
    assert_eq!(counted(), (Some(0), Some(1)));
    let next_day = server.slots(&Server::window_query(SLOTS_ONLY, 4, 5));
    assert!(!next_day.is_empty());
    declare(&server, "FX101", |text| {
        let begin = text.find("[[closure]]").expect("the closure");
        let rest = &text[begin + 2..];
        let end = rest.find("[[").map_or(text.len(), |at| begin + 2 + at);
        format!("{}{}", &text[..begin], &text[end..])
    });
    assert_eq!(shown(), open);
    server.kill();
}
