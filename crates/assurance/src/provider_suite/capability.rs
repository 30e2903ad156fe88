//! Group A: the CapabilityStatement, and the formats of answers.

use booking::count::{counted, plural};
use booking::situation::Situation;
use booking::systems;
use serde_json::Value;
use std::collections::HashSet;

use super::answer::{Answer, list, text, texts};
use super::registry::Table;
use super::trial::{Ids, Step, Trial};

const FORMATS: Ids = &["P8", "P9", "PROV-GEN-07", "PROV-GEN-08"];

const XML: &str = "application/fhir+xml";
const JSON: &str = "application/fhir+json";
const XML_ASKED: &str = "?_format=application/fhir%2Bxml";
const JSON_ASKED: &str = "?_format=application/fhir%2Bjson";

/// The tests of this file.
pub(super) const TESTS: Table = &[
    ("Capability_xml_accept", |t| asked(t, "", Some(XML), true)),
    ("Capability_json_accept", |t| {
        asked(t, "", Some(JSON), false)
    }),
    ("Capability_xml_parameter", |t| {
        asked(t, XML_ASKED, None, true)
    }),
    ("Capability_json_parameter", |t| {
        asked(t, JSON_ASKED, None, false)
    }),
    ("Capability_xml_parameter_json_accept", |t| {
        asked(t, XML_ASKED, Some(JSON), true)
    }),
    ("Capability_json_parameter_xml_accept", |t| {
        asked(t, JSON_ASKED, Some(XML), false)
    }),
    ("Capability_xml_accept_gzip", gzip),
    ("Capability_FormatSpellings", spellings),
    ("Capability_AcceptSpellings", accepts),
    ("Capability_UnsupportedFormat", unsupported),
    ("Capability_Content", content),
    ("Capability_TokenNeeded", token_needed),
];

/// Asks for the CapabilityStatement in XML or JSON.
fn asked(t: &mut Trial, query: &str, accept: Option<&str>, xml: bool) -> Step {
    capability(t, query, accept, xml).map(drop)
}

fn capability(t: &mut Trial, query: &str, accept: Option<&str>, xml: bool) -> Step<Answer> {
    let request = t.metadata().path(format!("/metadata{query}"));
    let request = match accept {
        Some(accept) => request.with("Accept", accept),
        None => request.without("Accept"),
    };
    let a = t.ask("get the CapabilityStatement", &request).succeeds(
        200,
        "CapabilityStatement",
        FORMATS,
    )?;
    is_format(t, &a, xml, FORMATS, accept.unwrap_or(query));
    Ok(a)
}

/// Notes an error unless the answer has this format.
pub(super) fn is_format(t: &mut Trial, a: &Answer, xml: bool, ids: Ids, asked: &str) -> bool {
    let wanted = format!("application/fhir+{}", if xml { "xml" } else { "json" });
    let given = a.header("content-type").unwrap_or("nothing").to_owned();
    let fits = given.to_ascii_lowercase().starts_with(&wanted);
    t.at(a, "header Content-Type", ids)
        .must(fits)
        .right(wanted)
        .or(format!("`{asked}` was answered with {given}"))
}

fn gzip(t: &mut Trial) -> Step {
    let request = t
        .metadata()
        .with("Accept", "application/fhir+xml")
        .with("Accept-Encoding", "gzip");
    let a = t
        .ask("get the CapabilityStatement gzipped", &request)
        .succeeds(200, "CapabilityStatement", FORMATS)?;
    is_format(t, &a, true, FORMATS, "Accept: application/fhir+xml");
    t.is_gzipped(&a);
    Ok(())
}

fn spellings(t: &mut Trial) -> Step {
    for (value, xml) in [
        ("json", false),
        ("xml", true),
        ("application/json", false),
        ("application/xml", true),
        ("text/xml", true),
        ("application/fhir%2Bjson", false),
        ("application/fhir%2Bxml", true),
        ("application/fhir+json", false),
        ("application/fhir+xml", true),
        ("application%2Ffhir%2Bxml", true),
    ] {
        let request = t
            .metadata()
            .path(format!("/metadata?_format={value}"))
            .without("Accept");
        let a = t.send("ask for a format by parameter", &request)?;
        let ids: Ids = &["PROV-GEN-09"];
        if t.status(&a, 200, ids, &format!("_format={value}")).is_ok() {
            is_format(t, &a, xml, ids, value);
        }
    }
    Ok(())
}

fn accepts(t: &mut Trial) -> Step {
    for (value, xml) in [
        ("application/fhir+json;charset=utf-8", false),
        ("application/fhir+xml; charset=UTF-8", true),
        ("*/*", false),
        ("application/fhir+xml;q=0.2, application/fhir+json", false),
        ("application/fhir+json;q=0.2, application/fhir+xml", true),
        ("text/html, application/fhir+xml", true),
    ] {
        let request = t.metadata().with("Accept", value);
        let a = t.send("ask for a format by header", &request)?;
        let ids: Ids = &["PROV-GEN-10"];
        if t.status(&a, 200, ids, &format!("Accept: {value}")).is_ok() {
            is_format(t, &a, xml, ids, value);
        }
    }
    let request = t.metadata().without("Accept");
    let a = t.send("ask for no format", &request)?;
    t.status(&a, 200, &["PROV-GEN-08"], "no Accept")?;
    is_format(t, &a, false, &["PROV-GEN-08", "P9"], "no Accept");
    Ok(())
}

fn unsupported(t: &mut Trial) -> Step {
    let ids: Ids = &["PROV-GEN-11", "D-14"];
    let request = t.metadata().path("/metadata?_format=text/turtle");
    t.ask("_format=text/turtle", &request)
        .refused(Situation::MediaTypeUnsupported, ids)?;
    let request = t.metadata().with("Accept", "application/pdf");
    t.ask("Accept: application/pdf", &request)
        .refused(Situation::MediaTypeUnsupported, ids)?;
    Ok(())
}

fn token_needed(t: &mut Trial) -> Step {
    let ids: Ids = &["PROV-META-03"];
    t.ask("no token", &t.metadata().without("Authorization"))
        .refused(Situation::TokenRefused, ids)?;
    t.ask("no Ssp-From", &t.metadata().without("Ssp-From"))
        .refused(Situation::HeaderInvalid, ids)?;
    Ok(())
}

fn content(t: &mut Trial) -> Step {
    let a = capability(t, "", None, false)?;
    let c = a.resource.clone();
    let has = |pointer: &str| !text(&c, pointer).is_empty();
    let of_stu3 = text(&c, "/fhirVersion").starts_with("3.0.");
    let kind = matches!(text(&c, "/kind"), "instance" | "capability");
    let both = "application/fhir+json and application/fhir+xml";
    for (at, holds, right) in [
        ("publisher", has("/publisher"), "the supplier"),
        ("fhirVersion", of_stu3, "3.0.1"),
        ("kind", kind, "instance or capability"),
        ("status", has("/status"), "active"),
        ("date", has("/date"), "the date"),
        ("software.name", has("/software/name"), "the product"),
        ("software.version", has("/software/version"), "its version"),
        (
            "acceptUnknown",
            text(&c, "/acceptUnknown") == "both",
            "both",
        ),
        ("format", formats(&c), both),
    ] {
        let what = format!("`{at}` is missing or says something else");
        t.at(&a, format!("CapabilityStatement.{at}"), &["RES-CAP-01"])
            .must(holds)
            .right(right)
            .or(what);
    }
    t.at(&a, "CapabilityStatement.version", &["RES-CAP-06"])
        .must(!text(&c, "/version").is_empty())
        .right("the version of the API that is served")
        .or("No version of the booking API");
    let given: HashSet<&str> = texts(&c, "/profile", "/reference").collect();
    let wanted: HashSet<&str> = PROFILED
        .iter()
        .filter_map(|kind| systems::profile(kind))
        .collect();
    t.at(&a, "CapabilityStatement.profile", &["RES-CAP-02"])
        .must(given == wanted)
        .right("the ten CareConnect profiles")
        .or(format!(
            "{} named, {} of the ten that are wanted",
            counted(given.len(), "profile is", "profiles are"),
            given.intersection(&wanted).count()
        ));
    resources(t, &a, &c);
    Ok(())
}

/// Types whose profiles are named (RES-CAP-02).
const PROFILED: [&str; 10] = [
    "Slot",
    "HealthcareService",
    "Schedule",
    "Appointment",
    "Patient",
    "DocumentReference",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
];

fn formats(c: &Value) -> bool {
    let all = list(c, "/format");
    let has = |wanted: &str| all.iter().any(|f| f == wanted);
    has("application/fhir+json") && has("application/fhir+xml")
}

/// Names in alphabetical order, or that there are none.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = names.collect();
    all.sort_unstable();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

fn resources(t: &mut Trial, a: &Answer, c: &Value) {
    let rest = list(c, "/rest");
    let one = rest.len() == 1 && text(c, "/rest/0/mode") == "server";
    t.at(a, "CapabilityStatement.rest", &["RES-CAP-03"])
        .must(one)
        .right("one, with mode server")
        .or(format!(
            "There {} of rest, the first with mode `{}`",
            format_args!(
                "{} {}",
                plural(rest.len(), "is", "are"),
                counted(rest.len(), "entry", "entries")
            ),
            text(c, "/rest/0/mode")
        ));
    let resources = list(c, "/rest/0/resource");
    let kinds: HashSet<&str> = texts(c, "/rest/0/resource", "/type").collect();
    let two = resources.len() == 2 && kinds == HashSet::from(["Appointment", "Slot"]);
    t.at(a, "CapabilityStatement.rest.resource", &["RES-CAP-03"])
        .must(two)
        .right("exactly Appointment and Slot")
        .or(format!(
            "The resources are {}",
            listed(kinds.iter().copied())
        ));
    let of = |kind: &str| {
        let found = resources.iter().find(|r| text(r, "/type") == kind);
        found.unwrap_or(&Value::Null)
    };
    let (appointment, slot) = (of("Appointment"), of("Slot"));
    let given: Vec<&str> = texts(appointment, "/interaction", "/code").collect();
    let distinct: HashSet<&str> = given.iter().copied().collect();
    let needed = ["read", "create", "search-type"];
    let enough = needed.iter().all(|code| given.contains(code));
    t.at(a, "Appointment.interaction", &["RES-CAP-04"])
        .must(enough && distinct.len() == given.len())
        .right("distinct, at least read, create and search-type")
        .or(format!(
            "The interactions of Appointment are {}",
            given.join(", ")
        ));
    t.at(a, "Appointment.updateCreate", &["RES-CAP-04"])
        .must(appointment.get("updateCreate") == Some(&Value::Bool(false)))
        .right("false")
        .or("updateCreate is not false");
    let names: HashSet<&str> = texts(appointment, "/searchParam", "/name").collect();
    let mut words = texts(appointment, "/searchParam", "/documentation");
    let documented = words.all(|words| !words.is_empty());
    t.at(a, "Appointment.searchParam", &["RES-CAP-04"])
        .must(names == HashSet::from(["identifier", "_id", "version"]) && documented)
        .right("identifier, _id and version, each with documentation")
        .or(format!(
            "The search parameters of Appointment are {}{}",
            listed(names.into_iter()),
            if documented {
                ""
            } else {
                ", not all documented"
            }
        ));
    let codes: Vec<&str> = texts(slot, "/interaction", "/code").collect();
    let what = format!("The interactions of Slot are {}", codes.join(", "));
    t.at(a, "Slot.interaction", &["RES-CAP-05"])
        .must(codes == ["search-type"])
        .right("search-type only")
        .or(what);
    let names: HashSet<&str> = texts(slot, "/searchParam", "/name").collect();
    t.at(a, "Slot.searchParam", &["RES-CAP-05"])
        .must(names == HashSet::from(["service", "status", "start"]))
        .right("service, status and start")
        .or(format!(
            "The search parameters of Slot are {}",
            listed(names.into_iter())
        ));
    let typed: Vec<String> = list(slot, "/searchParam")
        .iter()
        .map(|p| format!("{} {}", text(p, "/name"), text(p, "/type")))
        .collect();
    let right = ["service token", "status token", "start date"];
    t.at(a, "Slot.searchParam.type", &["RES-CAP-05"])
        .must(right.iter().all(|p| typed.iter().any(|t| t == p)))
        .right("service and status of type token, start of type date")
        .or(format!(
            "The types of Slot's search parameters are: {}",
            listed(typed.iter().map(String::as_str))
        ));
    let documented = list(slot, "/searchParam")
        .iter()
        .any(|p| text(p, "/name") == "service" && !text(p, "/documentation").is_empty());
    t.at(a, "Slot.searchParam.documentation", &["RES-CAP-05"])
        .must(documented)
        .right("what service takes: the DoS service id")
        .or("The search parameter service has no documentation");
    includes(t, a, slot);
}

/// The six includes by their names (RES-CAP-05); a dot and a colon are the same there.
fn includes(t: &mut Trial, a: &Answer, slot: &Value) {
    let named = list(slot, "/searchInclude").iter();
    let named: Vec<&str> = named.filter_map(Value::as_str).collect();
    let given: HashSet<String> = named.iter().map(|n| n.replace('.', ":")).collect();
    let wanted: HashSet<String> = super::query::INCLUDES.map(str::to_owned).into();
    t.at(a, "Slot.searchInclude", &["RES-CAP-05"]).must(given == wanted && named.len() == wanted.len()).right("Slot:schedule, Schedule:actor:Practitioner, Schedule:actor:PractitionerRole, Schedule:actor:HealthcareService, HealthcareService:providedBy and HealthcareService:location, each once").or(format!("The includes of Slot are {}", listed(named.iter().copied())));
}
