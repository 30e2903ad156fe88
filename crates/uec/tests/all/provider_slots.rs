//! Slot search (`docs/standard/provider-api.md`, section 6), over the wire.

use super::support;
use std::collections::BTreeSet;
use testkit::{assert_contains, assert_lacks};

use jiff::Timestamp;
use serde_json::Value;

use super::support::operations::{declare, uec};
use super::support::server::{INCLUDES, day, entries, instant, matches};
use super::support::{Booking, GP_CLINIC, NO_SLOTS, SLOTS_ONLY, Server};

/// The nurse clinic shares a schedule with the GP clinic.
const NURSE_CLINIC: &str = "2000000012";
/// Telephone and video.
const ASSESSMENT: &str = "2000000013";
const CHANNEL: &str =
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DeliveryChannel-1";

/// A day on which no other test books; some days of a service that no test books at all.
fn window(service: &str) -> String {
    Server::window_query(service, 1, if service == SLOTS_ONLY { 5 } else { 2 })
}

fn at(value: &Value) -> Timestamp {
    let text = value.as_str().expect("an instant");
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn ids(slots: &[Value]) -> BTreeSet<String> {
    slots
        .iter()
        .map(|slot| slot["id"].as_str().expect("id").to_owned())
        .collect()
}

/// Proves: PROV-SLOT-01, D-08
#[test]
fn all_spellings_of_the_service_parameter_are_equal() {
    let server = Server::shared(module_path!());
    let rest = window(GP_CLINIC);
    let rest = rest.split_once('&').expect("more parameters").1;
    let expected = ids(&server.slots(&window(GP_CLINIC)));
    assert!(!expected.is_empty());
    for name in [
        "schedule.actor:healthcareservice",
        "schedule.actor%3Ahealthcareservice",
        "schedule.actor:HealthcareService",
        "schedule.actor:HEALTHCARESERVICE",
        "schedule.actor:HealthcareService.identifier",
        "schedule.actor%3AHealthcareService.identifier",
        "service",
    ] {
        assert_eq!(
            ids(&server.slots(&format!("{name}={GP_CLINIC}&{rest}"))),
            expected,
            "{name}"
        );
    }
    for value in [
        "https://fhir.nhs.uk/Id/dos-service-id%7C",
        "https://fhir.nhs.uk/Id/dos-service-id|",
        "|",
        "%7C",
        "HealthcareService/",
        "HealthcareService%2F",
    ] {
        let query = format!("schedule.actor:healthcareservice={value}{GP_CLINIC}&{rest}");
        assert_eq!(ids(&server.slots(&query)), expected, "{value}");
    }
}

/// Proves: PROV-SLOT-02, ERR-01, ERR-08, D-08, D-09
#[test]
fn the_service_has_to_be_named_and_known() {
    let server = Server::shared(module_path!());
    let rest = window(GP_CLINIC);
    let rest = rest.split_once('&').expect("more parameters").1;
    let missing = server.search(rest).expect(400).json();
    assert_eq!(missing["issue"][0]["code"], "invalid");
    server
        .search(&format!("schedule.actor:healthcareservice=&{rest}"))
        .expect(400);
    let unknown = server.search(&window("2099999999")).expect(404);
    assert!(unknown.text().contains("2099999999"), "names the id");
    let issue = &unknown.json()["issue"][0];
    assert_eq!(issue["code"], "not-found");
    assert_eq!(issue["details"]["coding"][0]["code"], "NO_RECORD_FOUND");
}

/// Proves: PROV-SLOT-02, NFR-01, P10
#[test]
fn a_service_of_another_provider_is_unknown_here() {
    Server::shared(module_path!())
        .search(&window("2000000021"))
        .expect(404);
}

/// Proves: PROV-SLOT-03, PROV-SLOT-05
#[test]
fn every_prefix_filters_on_the_start_of_the_slot() {
    let server = Server::shared(module_path!());
    let all = server.slots(&window(SLOTS_ONLY));
    let pivot = at(&all[all.len() / 2]["start"]);
    let text = pivot.strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ").to_string();
    let holds = |prefix: &str, start: Timestamp| match prefix {
        "ge" => start >= pivot,
        "gt" => start > pivot,
        "le" => start <= pivot,
        "lt" => start < pivot,
        _ => start == pivot,
    };
    for prefix in ["ge", "gt", "le", "lt", "eq", ""] {
        let found = ids(&server.slots(&format!("{}&start={prefix}{text}", window(SLOTS_ONLY))));
        let expected: Vec<Value> = all
            .iter()
            .filter(|slot| holds(prefix, at(&slot["start"])))
            .cloned()
            .collect();
        assert_eq!(found, ids(&expected), "start={prefix}…");
        assert!(!found.is_empty(), "start={prefix}…");
    }
}

/// Proves: PROV-SLOT-03, RES-GEN-03
#[test]
fn times_may_come_with_any_offset_encoded_or_raw() {
    let server = Server::shared(module_path!());
    let expected = ids(&server.slots(&window(SLOTS_ONLY)));
    let bound = |days: i64| {
        let start = Timestamp::now().as_second();
        Timestamp::from_second(start - start.rem_euclid(86_400) + days * 86_400).expect("in range")
    };
    let zulu = |t: Timestamp| t.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let plus = |t: Timestamp, sign: &str| {
        let shifted = Timestamp::from_second(t.as_second() + 3600).expect("in range");
        format!("{}{sign}01:00", shifted.strftime("%Y-%m-%dT%H:%M:%S"))
    };
    let (from, to) = (bound(1), bound(5));
    for (from, to) in [
        (zulu(from), zulu(to)),
        (plus(from, "%2B"), plus(to, "%2B")),
        (plus(from, "+"), plus(to, "+")),
        (plus(from, "%20"), plus(to, "%20")),
    ] {
        let query = format!("service={SLOTS_ONLY}&start=ge{from}&start=le{to}&status=free");
        assert_eq!(ids(&server.slots(&query)), expected, "{query}");
    }
}

/// Proves: PROV-SLOT-04, D-19
#[test]
fn a_date_without_offset_is_local_and_other_prefixes_are_refused() {
    let server = Server::shared(module_path!());
    let local = Timestamp::now()
        .in_tz("Europe/London")
        .expect("the zone")
        .date();
    let (from, to) = (
        local
            .checked_add(jiff::Span::new().days(2))
            .expect("in range"),
        local
            .checked_add(jiff::Span::new().days(3))
            .expect("in range"),
    );
    let found = server.slots(&format!("service={GP_CLINIC}&start=ge{from}&start=lt{to}"));
    assert!(!found.is_empty());
    for slot in &found {
        let date = at(&slot["start"])
            .in_tz("Europe/London")
            .expect("the zone")
            .date();
        assert_eq!(date, from);
    }
    let whole_day = server.slots(&format!("service={GP_CLINIC}&start={from}"));
    assert_eq!(
        ids(&whole_day),
        ids(&found),
        "a date equals every moment of its day"
    );
    for bad in ["ne", "sa", "eb", "ap"] {
        let response = server
            .search(&format!("service={GP_CLINIC}&start={bad}{from}"))
            .expect(400);
        let issue = response.json()["issue"][0].clone();
        assert_eq!(issue["location"][0], "http.start", "{bad}");
    }
    for bad in [
        "",
        "ge",
        "geyesterday",
        "ge2031-13-01",
        "ge2031-02-30",
        "ge2031-01-01T25:00:00Z",
        "ge99999-01-01",
    ] {
        server
            .search(&format!("service={GP_CLINIC}&start={bad}"))
            .expect(400);
    }
}

/// Proves: PROV-SLOT-05
#[test]
fn without_bounds_a_window_from_now_applies() {
    let server = Server::shared(module_path!());
    let found = server.slots(&format!("service={GP_CLINIC}&status=free"));
    assert!(!found.is_empty());
    let now = Timestamp::now();
    assert!(
        found.iter().all(|slot| at(&slot["start"])
            > Timestamp::from_second(now.as_second() - 60).expect("in range"))
    );
    let only_upper = server.slots(&format!(
        "service={GP_CLINIC}&status=free&start=le{}",
        day(2)
    ));
    assert!(
        only_upper.iter().all(|slot| at(&slot["start"])
            > Timestamp::from_second(now.as_second() - 60).expect("in range"))
    );
    let only_lower = server.slots(&format!(
        "service={GP_CLINIC}&status=free&start=ge{}",
        day(3)
    ));
    assert!(!only_lower.is_empty());
}

/// Proves: PROV-SLOT-06, D-10
#[test]
fn only_when_all_bounds_are_past_it_is_an_error() {
    let server = Server::shared(module_path!());
    let search = |bounds: &str| server.search(&format!("service={GP_CLINIC}&{bounds}"));
    let (past, earlier, later) = (instant(-3600, false), instant(-7200, false), day(2));
    let outcome = search(&format!("start=ge{earlier}&start=le{past}"))
        .expect(400)
        .json();
    assert_eq!(outcome["issue"][0]["code"], "invalid");
    assert_eq!(outcome["issue"][0]["location"][0], "http.start");
    search(&format!("start=le{past}")).expect(400);
    search(&format!("start=ge{past}")).expect(400);
    let spanning = search(&format!("start=ge{past}&start=le{later}"))
        .expect(200)
        .json();
    assert!(spanning["total"].as_u64().is_some_and(|total| total > 0));
    let inverted = search(&format!("start=ge{later}&start=le{}", day(1)))
        .expect(200)
        .json();
    assert_eq!(inverted["total"], 0);
}

/// Proves: PROV-SLOT-07, D-11
#[test]
fn statuses_are_listed_repeated_or_absent() {
    let server = Server::shared(module_path!());
    let (booking, _) = server.booked();
    let base = format!("service={GP_CLINIC}&start=ge{}&start=le{}", day(1), day(14));
    let count = |status: &str| server.slots(&format!("{base}{status}")).len();
    let (free, busy) = (count("&status=free"), count("&status=busy"));
    assert!(free > 0 && busy > 0);
    // Other tests of this program book meanwhile, so sums are compared with room.
    for both in [
        "&status=free,busy",
        "&status=free%2Cbusy",
        "&status=free&status=busy",
        "",
    ] {
        let found = server.slots(&format!("{base}{both}"));
        let statuses: BTreeSet<&str> = found.iter().filter_map(|s| s["status"].as_str()).collect();
        assert!(
            statuses.contains("free") && statuses.contains("busy"),
            "{both}: {statuses:?}"
        );
        assert!(
            found
                .iter()
                .any(|slot| slot["start"] == booking.body()["start"])
        );
    }
    for status in ["busy-unavailable", "busy-tentative", "entered-in-error"] {
        server
            .search(&format!("{base}&status={status}"))
            .expect(200);
    }
    for bad in ["open", "FREE", "free,open"] {
        server.search(&format!("{base}&status={bad}")).expect(400);
    }
}

/// Proves: PROV-SLOT-08, PROV-SLOT-15
#[test]
fn includes_are_read_in_every_form() {
    let server = Server::shared(module_path!());
    let kinds = |includes: &str| -> BTreeSet<String> {
        let bundle = server
            .search(&format!("{}{includes}", window(GP_CLINIC)))
            .expect(200)
            .json();
        let included = entries(&bundle, "include");
        included
            .iter()
            .filter_map(|r| r["resourceType"].as_str().map(str::to_owned))
            .collect()
    };
    let set =
        |kinds: &[&str]| -> BTreeSet<String> { kinds.iter().map(|k| (*k).to_owned()).collect() };
    assert_eq!(kinds("&_include=Slot:schedule"), set(&["Schedule"]));
    assert_eq!(kinds("&_include=Slot.schedule"), set(&["Schedule"]));
    assert_eq!(kinds("&_include=slot%3ASCHEDULE"), set(&["Schedule"]));
    let all = set(&[
        "HealthcareService",
        "Location",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Schedule",
    ]);
    for name in [
        "_include",
        "_include:iterate",
        "_include:recurse",
        "_include%3Aiterate",
    ] {
        assert_eq!(
            kinds(&INCLUDES.replace("_include=", &format!("{name}="))),
            all,
            "{name}"
        );
    }
    for (location, organisation) in [
        (
            "HealthcareService:Location",
            "HealthcareService:organization",
        ),
        (
            "HealthcareService.location",
            "HealthcareService:Organization",
        ),
        ("healthcareservice:LOCATION", "HealthcareService.providedBy"),
    ] {
        let includes = format!(
            "&_include=Slot:schedule&_include=Schedule:actor:HealthcareService&_include={location}&_include={organisation}"
        );
        assert_eq!(
            kinds(&includes),
            set(&["HealthcareService", "Location", "Organization", "Schedule"])
        );
    }
    let practitioners = "&_include=Slot:schedule&_include:recurse=Schedule:actor:Practitioner";
    let found = kinds(practitioners);
    assert!(
        found.is_superset(&set(&["Practitioner", "Schedule"])),
        "{found:?}"
    );
    assert!(
        found.is_disjoint(&set(&["HealthcareService", "Location", "Organization"])),
        "{found:?}"
    );
}

/// Proves: PROV-SLOT-09
#[test]
fn unknown_includes_are_no_error() {
    let server = Server::shared(module_path!());
    let query = format!(
        "{}&_include=Slot:nothing&_include=&_include=Patient:*",
        window(GP_CLINIC)
    );
    assert_eq!(
        ids(&server.slots(&query)),
        ids(&server.slots(&window(GP_CLINIC)))
    );
}

/// Proves: PROV-SLOT-10, PROV-SLOT-11, D-07
#[test]
fn unknown_parameters_are_ignored_and_misspelt_criteria_are_not() {
    let server = Server::shared(module_path!());
    let query = format!(
        "{}&colour=blue&_revinclude=Appointment:slot",
        window(SLOTS_ONLY)
    );
    let bundle = server.search(&query).expect(200).json();
    let own = bundle["link"][0]["url"].as_str().expect("self link");
    assert_lacks(own, &["colour", "_revinclude"]);
    assert_eq!(
        ids(&matches(&bundle)),
        ids(&server.slots(&window(SLOTS_ONLY)))
    );
    for bad in [
        "startXXXXXXX=ge2031-01-01",
        "start_=ge2031-01-01",
        "start-date=ge2031-01-01",
        "statuses=free",
        "status1=free",
        "status:not=busy",
        "start:ge=2031-01-01",
        "start:missing=false",
        "schedule.actor:healthcareservice:not=2000000011",
    ] {
        let response = server
            .search(&format!("{}&{bad}", window(SLOTS_ONLY)))
            .expect(400);
        let name = bad.split('=').next().unwrap_or("");
        response.says(&[name]);
    }
}

/// Proves: PROV-SLOT-12, PROV-SLOT-13, PROV-SLOT-15, PROV-SLOT-16, D-13, P12
#[test]
fn the_bundle_is_a_searchset_with_everything_once() {
    let server = Server::shared(module_path!());
    let bundle = server
        .search(&Server::full_query(GP_CLINIC))
        .expect(200)
        .json();
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&"Bundle".into(), &"searchset".into())
    );
    assert!(bundle["id"].as_str().is_some_and(|id| !id.is_empty()));
    at(&bundle["meta"]["lastUpdated"]);
    let links = bundle["link"].as_array().expect("link");
    let own = links
        .iter()
        .find(|link| link["relation"] == "self")
        .expect("self");
    let url = own["url"].as_str().expect("url");
    let base = format!("{}/", server.audience());
    assert!(
        url.starts_with(&format!("{base}Slot?")) && url.contains(GP_CLINIC),
        "{url}"
    );
    assert_eq!(
        bundle["total"].as_u64(),
        Some(matches(&bundle).len() as u64)
    );
    let mut urls = BTreeSet::new();
    let mut referenced = BTreeSet::new();
    for entry in bundle["entry"].as_array().expect("entry") {
        let resource = &entry["resource"];
        let name = format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap_or(""),
            resource["id"].as_str().unwrap_or("")
        );
        assert_eq!(entry["fullUrl"], format!("{base}{name}"));
        assert!(urls.insert(name.clone()), "{name} stands there once");
        let mode = if resource["resourceType"] == "Slot" {
            "match"
        } else {
            "include"
        };
        assert_eq!(entry["search"]["mode"], mode);
        references(resource, &mut referenced);
    }
    for reference in &referenced {
        assert!(!reference.contains("://"), "{reference} is relative");
    }
    for name in urls
        .iter()
        .filter(|name| !name.starts_with("Slot/") && !name.starts_with("PractitionerRole/"))
    {
        assert!(referenced.contains(name), "{name} is related to a Slot");
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name == "reference") {
                    Some(reference) => {
                        found.insert(reference.to_owned());
                    }
                    None => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Proves: PROV-SLOT-13, PROV-SLOT-14, D-12
#[test]
fn nothing_found_is_an_empty_bundle() {
    let query = format!("{}{INCLUDES}", Server::window_query(NO_SLOTS, 1, 14));
    let bundle = Server::shared(module_path!())
        .search(&query)
        .expect(200)
        .json();
    assert_eq!((&bundle["total"], bundle.get("entry")), (&0.into(), None));
}

/// Proves: PROV-SLOT-14, PROV-SLOT-21, D-12
#[test]
fn slots_that_are_withheld_are_explained_and_not_shown() {
    let server = Server::shared(module_path!());
    let call = server.search(&Server::full_query(GP_CLINIC));
    let bundle = server
        .as_search_only(call, "organization/slot.read")
        .expect(200)
        .json();
    assert_eq!(bundle["total"], 0);
    let all = bundle["entry"].as_array().expect("one entry");
    assert_eq!(
        (all.len(), &all[0]["search"]["mode"]),
        (1, &"outcome".into())
    );
    let outcome = &all[0]["resource"];
    let id = outcome["id"].as_str().expect("an id");
    assert_eq!(all[0]["fullUrl"], format!("urn:uuid:{id}"));
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["severity"], "information");
    assert!(
        outcome["issue"][0]["diagnostics"]
            .as_str()
            .is_some_and(|why| !why.is_empty())
    );
}

/// Proves: PROV-SLOT-18, PROV-SLOT-22
#[test]
fn all_diaries_of_a_service_are_searched_and_a_diary_may_serve_several() {
    let server = Server::shared(module_path!());
    let schedules = |service: &str| -> BTreeSet<String> {
        let slots = server.slots(&Server::window_query(service, 1, 8));
        slots
            .iter()
            .filter_map(|s| s["schedule"]["reference"].as_str().map(str::to_owned))
            .collect()
    };
    let (gp, nurse) = (schedules(GP_CLINIC), schedules(NURSE_CLINIC));
    assert!(gp.len() >= 2, "two diaries: {gp:?}");
    assert!(
        gp.intersection(&nurse).next().is_some(),
        "{gp:?} and {nurse:?} share a diary"
    );
}

/// Proves: PROV-SLOT-17, PROV-SLOT-22, RES-SCH-02
#[test]
fn a_shared_schedule_names_the_service_that_was_searched() {
    for service in [GP_CLINIC, NURSE_CLINIC] {
        let bundle = Server::shared(module_path!())
            .search(&Server::full_query(service))
            .expect(200)
            .json();
        for schedule in entries(&bundle, "include")
            .iter()
            .filter(|r| r["resourceType"] == "Schedule")
        {
            let services: Vec<&str> = schedule["actor"]
                .as_array()
                .expect("actor")
                .iter()
                .filter_map(|a| {
                    a["reference"]
                        .as_str()
                        .filter(|r| r.starts_with("HealthcareService/"))
                })
                .collect();
            assert_eq!(services, [format!("HealthcareService/{service}")]);
        }
    }
}

/// Proves: PROV-SLOT-19, PROV-SLOT-21
#[test]
fn an_organisation_that_is_not_declared_may_search_and_book() {
    let server = Server::shared(module_path!());
    let token = |scope: &str| support::Token::new(&server.audience(), scope, "FX777").bearer();
    let stranger = |call: support::Call, scope: &str| {
        call.with("Ssp-From", "918999000077")
            .with("Authorization", &token(scope))
    };
    let search = server.search(&Server::window_query(GP_CLINIC, 10, 14));
    let found = matches(
        &stranger(search, "organization/slot.read")
            .expect(200)
            .json(),
    );
    let slot = found.last().expect("a slot that may be booked");
    let book = server.book(&Booking::of(slot).body());
    stranger(book, "patient/appointment.write").expect(201);
}

/// Proves: PROV-SLOT-23, RES-SLOT-06
#[test]
fn a_delivery_channel_is_sent_only_when_it_is_known() {
    let server = Server::shared(module_path!());
    let channels = |service: &str| -> BTreeSet<Option<String>> {
        let slots = server.slots(&Server::window_query(service, 1, 8));
        assert!(!slots.is_empty());
        let channel = |slot: &Value| {
            let extensions = slot["extension"].as_array()?;
            let channel = extensions.iter().find(|e| e["url"] == CHANNEL)?;
            channel["valueCode"].as_str().map(str::to_owned)
        };
        slots.iter().map(channel).collect()
    };
    assert_eq!(
        channels(GP_CLINIC),
        BTreeSet::from([Some("In-person".to_owned())])
    );
    assert_eq!(
        channels(ASSESSMENT),
        BTreeSet::from([Some("Telephone".to_owned()), Some("Video".to_owned())])
    );
    assert_eq!(channels(SLOTS_ONLY), BTreeSet::from([None]));
}

/// Proves: P18, RES-SLOT-01, RES-SLOT-02, RES-SLOT-03, RES-SLOT-04, RES-SLOT-05, RES-GEN-01, RES-GEN-02, RES-GEN-04, RES-GEN-05
#[test]
fn slots_have_the_shape_that_the_standard_asks_for() {
    for slot in Server::shared(module_path!()).slots(&window(GP_CLINIC)) {
        assert_eq!(
            slot["meta"]["profile"][0],
            "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-Slot-1"
        );
        assert_eq!(slot["identifier"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            slot["identifier"][0]["system"],
            "https://tools.ietf.org/html/rfc4122"
        );
        let value = slot["identifier"][0]["value"].as_str().expect("value");
        assert!(
            value == value.to_lowercase() && uuid::Uuid::try_parse(value).is_ok(),
            "{value}"
        );
        assert!(
            slot["schedule"]["reference"]
                .as_str()
                .is_some_and(|r| r.starts_with("Schedule/"))
        );
        assert_eq!(slot["status"], "free");
        assert!(at(&slot["start"]) < at(&slot["end"]));
        for time in [&slot["start"], &slot["end"]] {
            let text = time.as_str().expect("instant");
            assert!(
                text.len() >= 24 && text.as_bytes()[19] == b'.',
                "{text} has milliseconds"
            );
            assert_eq!(
                text[23..],
                slot["start"].as_str().expect("instant")[23..],
                "one offset style"
            );
        }
    }
}

/// Proves: P20, P21, P22, RES-SCH-01, RES-HCS-01, RES-HCS-02, RES-HCS-04, RES-HCS-05, RES-LOC-01, RES-ORG-01, RES-PRA-02, RES-ROL-02, RES-GEN-01, D-34
#[test]
fn included_resources_have_the_shape_that_the_standard_asks_for() {
    let bundle = Server::shared(module_path!())
        .search(&Server::full_query(GP_CLINIC))
        .expect(200)
        .json();
    for resource in entries(&bundle, "include") {
        let kind = resource["resourceType"].as_str().expect("type").to_owned();
        let profile =
            format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1");
        assert_eq!(resource["meta"]["profile"][0], profile);
        match kind.as_str() {
            "Schedule" => {
                assert_eq!(resource["identifier"].as_array().map(Vec::len), Some(1));
                assert!(resource["identifier"][0]["system"].is_string());
            }
            "HealthcareService" => {
                assert_eq!(resource["id"], GP_CLINIC);
                let identifier = serde_json::json!([{"system": "https://fhir.nhs.uk/Id/dos-service-id", "value": GP_CLINIC}]);
                assert_eq!(resource["identifier"], identifier);
                assert_eq!(resource["location"].as_array().map(Vec::len), Some(1));
                assert!(resource["name"].is_string());
            }
            "Location" => {
                assert!(
                    resource["name"].is_string() && resource["address"]["postalCode"].is_string()
                );
            }
            "Organization" => assert_eq!(
                resource["identifier"][0]["system"],
                "https://fhir.nhs.uk/Id/ods-organization-code"
            ),
            "Practitioner" => assert!(resource["name"][0]["family"].is_string()),
            "PractitionerRole" => {
                let coding = &resource["code"][0]["coding"][0];
                assert_eq!(
                    coding["system"],
                    "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1"
                );
                assert!(coding["code"].is_string() && coding["display"].is_string());
            }
            other => panic!("{other} was not asked for"),
        }
    }
}

/// Proves: PROV-INT-02, D-22
#[test]
fn both_interaction_ids_of_the_search_are_accepted() {
    let server = Server::shared(module_path!());
    for suffix in ["search:slot", "read:slot"] {
        let id = format!("urn:nhs:names:services:careconnect:fhir:rest:{suffix}");
        server
            .search(&window(GP_CLINIC))
            .with("Ssp-InteractionID", &id)
            .expect(200);
    }
}

/// Proves: PROV-SLOT-07, PROV-SLOT-21
#[test]
fn a_booked_slot_leaves_the_free_ones_at_once() {
    let server = Server::shared(module_path!());
    let slot = server.take_slot();
    let query = Server::window_query(GP_CLINIC, 1, 14);
    assert!(ids(&server.slots(&query)).contains(slot["id"].as_str().expect("id")));
    server.book(&Booking::of(&slot).body()).expect(201);
    assert!(!ids(&server.slots(&query)).contains(slot["id"].as_str().expect("id")));
}

/// Proves: PROV-SLOT-06, PROV-SLOT-21
#[test]
fn a_free_slot_that_began_is_not_offered() {
    let query = format!(
        "service={GP_CLINIC}&status=free&start=ge{}&start=le{}",
        instant(-24 * 3600, false),
        instant(24 * 3600, false)
    );
    let begun = Timestamp::now();
    let slots = Server::shared(module_path!()).slots(&query);
    assert!(
        slots.iter().all(|slot| at(&slot["start"]) >= begun),
        "what is offered can be booked"
    );
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
    support::operations::declare(&server, "FX101", |exported| {
        format!(
            "{exported}\n[[schedule]]\nid = \"rooms\"\nservices = [\"{NO_SLOTS}\"]\noverlaps = true\n{}{}{}",
            clinic("room-1", "09:00", "09:30", ""),
            clinic("room-2", "09:00", "09:30", ""),
            clinic("pod", "11:00", "11:30", "capacity = 3"),
        )
    });
    let query = Server::window_query(NO_SLOTS, 1, 2);
    let found = server.slots(&query);
    let mut by_start = std::collections::BTreeMap::<String, Vec<Value>>::new();
    for slot in &found {
        let start = slot["start"].as_str().expect("start").to_owned();
        by_start.entry(start).or_default().push(slot.clone());
    }
    let sizes: Vec<usize> = by_start.values().map(Vec::len).collect();
    assert_eq!(sizes, [2, 3], "{found:#?}");
    assert_eq!(ids(&found).len(), 5);
    let schedules: BTreeSet<String> = found
        .iter()
        .map(|slot| slot["schedule"]["reference"].to_string())
        .collect();
    assert_eq!(schedules.len(), 1, "{schedules:?}");
    for (n, slot) in found.iter().enumerate() {
        server.book(&Booking::of(slot).body()).expect(201);
        server.book(&Booking::of(slot).body()).expect(422);
        assert_eq!(server.slots(&query).len(), found.len() - n - 1);
    }
}

/// What does not fit into one answer is counted and told.
/// Proves: PROV-SLOT-13
#[test]
fn slots_that_do_not_fit_are_counted_and_told() {
    let server = support::operations::with_settings(
        "slots-many",
        "[search]\nmax_slots = 3\n[trust]\nunsigned = \"any\"\n",
    );
    let bundle = server.search(&window(GP_CLINIC)).expect(200).json();
    let total = bundle["total"].as_u64().expect("a number");
    assert_eq!(matches(&bundle).len(), 3);
    assert!(total > 30, "{total}");
    let outcome = &entries(&bundle, "outcome")[0];
    let said = outcome["issue"][0]["diagnostics"].as_str().expect("words");
    assert!(
        said.starts_with(&format!("{} more slots match", total - 3)),
        "{said}"
    );
}

/// A window that is longer than one search takes is searched in part, and the answer says which part.
/// Proves: PROV-SLOT-12, PROV-SLOT-13, D-91
#[test]
fn a_window_that_is_shortened_is_told() {
    let server = support::operations::with_settings(
        "slots-long",
        "[search]\nmax_days = 1\nmax_slots = 3\n[trust]\nunsigned = \"any\"\n",
    );
    let said = |query: &str| {
        let bundle = server.search(query).expect(200).json();
        let outcomes = entries(&bundle, "outcome");
        assert!(outcomes.len() < 2, "{outcomes:?}");
        let words = |o: &Value| o["issue"][0]["diagnostics"].as_str().map(str::to_owned);
        (outcomes.first().and_then(words), bundle)
    };
    let (words, bundle) = said(&format!(
        "service={GP_CLINIC}&start=ge2098-01-01&start=le2098-03-01"
    ));
    let words = words.expect("an outcome");
    assert_contains(&words, &["to 2098-01-02T00:00:00Z were searched"]);
    assert_eq!(bundle["total"], 0);
    // Beside slots, and beside the slots that do not fit.
    let (words, bundle) = said(&Server::window_query(GP_CLINIC, 1, 3));
    let words = words.expect("an outcome");
    assert_contains(&words, &["more slots match", "were searched"]);
    assert_eq!(matches(&bundle).len(), 3);
    let (words, _) = said(&format!(
        "service={GP_CLINIC}&start=ge2098-01-01T00:00:00Z&start=le2098-01-01T23:00:00Z"
    ));
    assert_eq!(words, None);
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
        let database = server.database();
        let command =
            "provider slots list --provider FX101 --schedule fernhill-dental --count --json";
        let words =
            command
                .split(' ')
                .chain(["--from", date, "--to", date, "--database", &database]);
        let out = uec(words.collect::<Vec<_>>());
        let counts: Value = out.json;
        (counts["free"].as_u64(), counts["closed"].as_u64())
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
    assert!(
        !server
            .slots(&Server::window_query(SLOTS_ONLY, 4, 5))
            .is_empty()
    );
    declare(&server, "FX101", |text| {
        let begin = text.find("[[closure]]").expect("the closure");
        let rest = &text[begin + 2..];
        let end = rest.find("[[").map_or(text.len(), |at| begin + 2 + at);
        format!("{}{}", &text[..begin], &text[end..])
    });
    assert_eq!(shown(), open);
    server.kill();
}
