//! The world that the national services answer from: the demonstration's places, people and codes, and a service and
//! system for every scenario.

use super::national::CONSUMER_ASID;
use assurance::consumer_suite::{PROVIDER_ASID, SECOND_ASID, Scenario, scenarios};
use sandbox::world::DEMO;
use serde_json::{Value, json};

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
    let demo = systems_of_demo();
    let named = demo.iter().filter_map(|system| system["fqdn"].as_str());
    let own = from.filter(|f| !is_in_demo(f)).map(|_| CONSUMER_NAME);
    named.chain(own).map(str::to_owned).collect()
}

/// The world file.
pub fn text(root: &str, to: &str, from: Option<&str>) -> Result<String, String> {
    let mut world: Value =
        toml::from_str(DEMO).map_err(|e| format!("the embedded world is wrong: {e}"))?;
    let base = root.split("/STU3").next().unwrap_or(root);
    let mut systems = systems_of_demo();
    systems.retain(|system| system["fqdn"].is_string());
    systems.push(system(to, Some(root), &INTERACTIONS));
    if let Some(from) = from.filter(|f| !is_in_demo(f)) {
        systems.push(json!({
            "asid": from, "ods": "FX900", "interactions": INTERACTIONS, "fqdn": CONSUMER_NAME,
        }));
    }
    let (mut services, mut endpoints) = (Vec::new(), Vec::new());
    for s in scenarios() {
        services.push(service(s, to, base));
        registered(s, root, &mut systems, &mut endpoints);
    }
    world["service"] = services.into();
    world["system"] = systems.into();
    world["endpoint"] = endpoints.into();
    toml::to_string(&world).map_err(|e| format!("the world cannot be written: {e}"))
}

fn systems_of_demo() -> Vec<Value> {
    let world: Value = toml::from_str(DEMO).unwrap_or_default();
    world["system"].as_array().cloned().unwrap_or_default()
}

fn is_in_demo(asid: &str) -> bool {
    asid == CONSUMER_ASID || systems_of_demo().iter().any(|s| s["asid"] == asid)
}

fn service(s: &Scenario, to: &str, base: &str) -> Value {
    let asid = s.asid.unwrap_or(to);
    let addresses = match s.id {
        "999999944" => vec![format!("ASID:{asid}"), format!("ASID:{SECOND_ASID}")],
        "999999945" => Vec::new(),
        "999999946" => vec![asid.to_owned()],
        _ => vec![format!("ASID:{asid}")],
    };
    let referral =
        "urn:nhs-itk:interaction:primaryEmergencyDepartmentRecipientNHS111CDADocument-v2-0";
    let mut endpoints = vec![json!({
        "transport": "itk", "format": "CDA", "interaction": referral, "address": format!("{base}/itk/{}", s.id),
    })];
    endpoints.extend(addresses.iter().map(|address| {
        json!({"transport": "http", "format": "FHIR", "interaction": "Scheduling", "address": address})
    }));
    let mut out = json!({
        "id": s.id.parse::<u32>().unwrap_or_default(),
        "name": format!("Scenario: {}", s.name),
        "public_name": format!("Simulated: {}", s.name),
        "ods": ODS,
        "type": {"id": 46, "name": "Urgent Treatment Centre (UTC)"},
        "postcode": "LS99 9ZA",
        "address": ["1 Simulation Way", "Exampleton"],
        "phone": "01632 960199",
        "roles": ["111 health adviser", "111 clinician"],
        "dispositions": [1002, 1005, 1008],
        "symptom": [{"group": 1011}, {"group": 1206}],
        "open_all_hours": true,
        "endpoint": endpoints,
    });
    let needs_booking = match s.id {
        "999999942" => Some("TRUE"),
        "999999943" => Some("FALSE"),
        _ => None,
    };
    if let Some(value) = needs_booking {
        out["attribute"] = json!([
            {"name": "requirebooking", "value": value, "description": "Referral only with a booking"}
        ]);
    }
    out
}

fn system(asid: &str, endpoint: Option<&str>, interactions: &[&str]) -> Value {
    let mut out = json!({"asid": asid, "ods": ODS, "interactions": interactions});
    if let Some(endpoint) = endpoint {
        out["endpoint"] = endpoint.into();
    }
    out
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
    let key = format!("{ODS}-{}", asid.get(5..).unwrap_or(asid));
    let mut more = |endpoint: &str| {
        endpoints.extend(INTERACTIONS.map(|interaction| {
            json!({"party_key": key, "ods": ODS, "interaction": interaction, "endpoint": endpoint})
        }));
    };
    let mut add = |asid: &str, endpoint: Option<&str>, interactions: &[&str]| {
        systems.push(system(asid, endpoint, interactions));
    };
    match s.id {
        "999999945" | "999999947" => {}
        "999999944" => {
            add(asid, Some(root), &INTERACTIONS);
            add(SECOND_ASID, Some(root), &INTERACTIONS);
        }
        "999999948" => add(asid, Some(root), &without(&["create:appointment"])),
        "999999949" => add(asid, Some(root), &without(&["read:slot", "search:slot"])),
        "999999950" => add(
            asid,
            Some(root),
            &[&INTERACTIONS[..], &[GP_CONNECT]].concat(),
        ),
        "999999951" => {
            add(asid, Some(root), &INTERACTIONS);
            more(root);
        }
        "999999952" => add(asid, None, &INTERACTIONS),
        "999999953" | "999999954" | "999999955" => {
            add(asid, None, &INTERACTIONS);
            more(match s.id {
                "999999953" => root.split_once("://").map_or(root, |(_, rest)| rest),
                "999999954" => "",
                _ => "not an address",
            });
        }
        _ => add(asid, Some(root), &INTERACTIONS),
    }
}
