//! The world that the national services answer from: the demonstration's places, people and codes, and a service and
//! system for every scenario.

use super::national::CONSUMER_ASID;
use assurance::consumer_suite::{PROVIDER_ASID, SECOND_ASID, Scenario, scenarios};
use sandbox::world::DEMO;
use toml::{Table, Value};

/// ODS code of the simulated organisation.
const ODS: &str = "FX990";
/// What a Provider of the Standard is registered for.
const INTERACTIONS: [&str; 7] = [
    "read:metadata",
    "search:slot",
    "read:slot",
    "create:appointment",
    "read:appointment",
    "update:appointment",
    "search:appointment",
];
/// What a system has beside CareConnect in C12.
const GP_CONNECT: &str = "urn:nhs:names:services:gpconnect:fhir:rest:search:slot-1";
/// Name in the certificate of a consumer with an ASID of its own.
const CONSUMER_NAME: &str = "consumer.under-test.example";

/// The names that client certificates of consumers carry in this world.
pub fn consumer_names(from: Option<&str>) -> Vec<String> {
    let mut names = Vec::new();
    for system in systems_of_demo() {
        names.extend(
            system
                .get("fqdn")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    }
    if from.is_some_and(|f| !is_in_demo(f)) {
        names.push(CONSUMER_NAME.to_owned());
    }
    names
}

/// The world file.
pub fn text(root: &str, to: &str, from: Option<&str>) -> Result<String, String> {
    let mut world: Table = DEMO
        .parse()
        .map_err(|e| format!("the embedded world is wrong: {e}"))?;
    for section in ["service", "system", "endpoint"] {
        world.remove(section);
    }
    let base = root.split("/STU3").next().unwrap_or(root);
    let mut services = Vec::new();
    let mut systems: Vec<Value> = systems_of_demo()
        .into_iter()
        .filter(|s| s.contains_key("fqdn"))
        .map(Value::Table)
        .collect();
    let mut endpoints = Vec::new();
    systems.push(system(to, Some(root), &INTERACTIONS, None));
    if let Some(from) = from.filter(|f| !is_in_demo(f)) {
        systems.push(system(from, None, &INTERACTIONS, Some(CONSUMER_NAME)));
    }
    for s in scenarios() {
        services.push(service(s, to, base));
        registered(s, root, &mut systems, &mut endpoints);
    }
    world.insert("service".to_owned(), Value::Array(services));
    world.insert("system".to_owned(), Value::Array(systems));
    world.insert("endpoint".to_owned(), Value::Array(endpoints));
    toml::to_string(&world).map_err(|e| format!("the world cannot be written: {e}"))
}

fn systems_of_demo() -> Vec<Table> {
    let world: Table = DEMO.parse().unwrap_or_default();
    let list = world
        .get("system")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    list.into_iter().filter_map(|s| s.try_into().ok()).collect()
}

fn is_in_demo(asid: &str) -> bool {
    asid == CONSUMER_ASID
        || systems_of_demo()
            .iter()
            .any(|s| s.get("asid").and_then(Value::as_str) == Some(asid))
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn list(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|t| Value::from(*t)).collect())
}

fn service(s: &Scenario, to: &str, base: &str) -> Value {
    let mut out = table([
        ("id", Value::Integer(s.id.parse().unwrap_or_default())),
        ("name", format!("Scenario: {}", s.name).into()),
        ("public_name", format!("Simulated: {}", s.name).into()),
        ("ods", ODS.into()),
        (
            "type",
            Value::Table(table([
                ("id", Value::Integer(46)),
                ("name", "Urgent Treatment Centre (UTC)".into()),
            ])),
        ),
        ("postcode", "LS99 9ZA".into()),
        ("address", list(&["1 Simulation Way", "Exampleton"])),
        ("phone", "01632 960199".into()),
        ("roles", list(&["111 health adviser", "111 clinician"])),
        (
            "dispositions",
            Value::Array([1002, 1005, 1008].map(Value::Integer).to_vec()),
        ),
        (
            "symptom",
            Value::Array(
                [1011, 1206]
                    .map(|g| Value::Table(table([("group", Value::Integer(g))])))
                    .to_vec(),
            ),
        ),
        ("open_all_hours", Value::Boolean(true)),
    ]);
    let needs_booking = match s.id {
        "999999942" => Some("TRUE"),
        "999999943" => Some("FALSE"),
        _ => None,
    };
    if let Some(value) = needs_booking {
        let attribute = table([
            ("name", "requirebooking".into()),
            ("value", value.into()),
            ("description", "Referral only with a booking".into()),
        ]);
        out.insert(
            "attribute".to_owned(),
            Value::Array(vec![Value::Table(attribute)]),
        );
    }
    let referral =
        "urn:nhs-itk:interaction:primaryEmergencyDepartmentRecipientNHS111CDADocument-v2-0";
    let mut all = vec![endpoint(
        "itk",
        "CDA",
        referral,
        &format!("{base}/itk/{}", s.id),
    )];
    let asid = s.asid.unwrap_or(to);
    let addresses = match s.id {
        "999999944" => vec![format!("ASID:{asid}"), format!("ASID:{SECOND_ASID}")],
        "999999945" => Vec::new(),
        "999999946" => vec![asid.to_owned()],
        _ => vec![format!("ASID:{asid}")],
    };
    all.extend(
        addresses
            .iter()
            .map(|a| endpoint("http", "FHIR", "Scheduling", a)),
    );
    out.insert("endpoint".to_owned(), Value::Array(all));
    Value::Table(out)
}

fn endpoint(transport: &str, format: &str, interaction: &str, address: &str) -> Value {
    Value::Table(table([
        ("transport", transport.into()),
        ("format", format.into()),
        ("interaction", interaction.into()),
        ("address", address.into()),
    ]))
}

fn system(asid: &str, endpoint: Option<&str>, interactions: &[&str], fqdn: Option<&str>) -> Value {
    let mut out = table([
        ("asid", asid.into()),
        ("ods", if fqdn.is_some() { "FX900" } else { ODS }.into()),
        ("interactions", list(interactions)),
    ]);
    for (key, value) in [("endpoint", endpoint), ("fqdn", fqdn)] {
        if let Some(value) = value {
            out.insert(key.to_owned(), value.into());
        }
    }
    Value::Table(out)
}

/// What SDS holds for the system of a scenario, wrong on purpose where the scenario is about that.
fn registered(s: &Scenario, root: &str, systems: &mut Vec<Value>, endpoints: &mut Vec<Value>) {
    let Some(asid) = s.asid.filter(|a| *a != PROVIDER_ASID) else {
        return;
    };
    let without = |names: &[&str]| -> Vec<&str> {
        INTERACTIONS
            .into_iter()
            .filter(|i| !names.contains(i))
            .collect()
    };
    let mut more = |endpoint: &str| {
        let key = format!("{ODS}-{}", asid.get(5..).unwrap_or(asid));
        for interaction in INTERACTIONS {
            endpoints.push(Value::Table(table([
                ("party_key", key.clone().into()),
                ("ods", ODS.into()),
                ("interaction", interaction.into()),
                ("endpoint", endpoint.into()),
            ])));
        }
    };
    match s.id {
        "999999945" | "999999947" => {}
        "999999944" => {
            systems.push(system(asid, Some(root), &INTERACTIONS, None));
            systems.push(system(SECOND_ASID, Some(root), &INTERACTIONS, None));
        }
        "999999948" => systems.push(system(
            asid,
            Some(root),
            &without(&["create:appointment"]),
            None,
        )),
        "999999949" => systems.push(system(
            asid,
            Some(root),
            &without(&["read:slot", "search:slot"]),
            None,
        )),
        "999999950" => {
            let both: Vec<&str> = INTERACTIONS.into_iter().chain([GP_CONNECT]).collect();
            systems.push(system(asid, Some(root), &both, None));
        }
        "999999951" => {
            systems.push(system(asid, Some(root), &INTERACTIONS, None));
            more(root);
        }
        "999999952" => systems.push(system(asid, None, &INTERACTIONS, None)),
        "999999953" | "999999954" | "999999955" => {
            systems.push(system(asid, None, &INTERACTIONS, None));
            more(match s.id {
                "999999953" => root.split_once("://").map_or(root, |(_, rest)| rest),
                "999999954" => "",
                _ => "not an address",
            });
        }
        _ => systems.push(system(asid, Some(root), &INTERACTIONS, None)),
    }
}
