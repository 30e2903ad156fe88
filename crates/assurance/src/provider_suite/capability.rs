//! Group A: the CapabilityStatement, and the formats of answers.

use booking::count::{counted, plural};
use booking::situation::Situation;
use booking::systems;
use serde_json::Value;
use std::collections::HashSet;

use super::answer::{Answer, list, text};
use super::registry::Test;
use super::trial::{Ids, Step, Trial};

const FORMATS: Ids = &["P8", "P9", "PROV-GEN-07", "PROV-GEN-08"];

/// The tests of this file.
pub(super) static TESTS: &[Test] = &[
    Test::new("Capability_xml_accept", |t| {
        capability(t, "", Some("application/fhir+xml"), true).map(drop)
    })
    .tries("Capability in XML, asked by Accept")
    .of(FORMATS),
    Test::new("Capability_json_accept", |t| {
        capability(t, "", Some("application/fhir+json"), false).map(drop)
    })
    .tries("Capability in JSON, asked by Accept")
    .of(FORMATS),
    Test::new("Capability_xml_parameter", |t| {
        capability(t, "?_format=application/fhir%2Bxml", None, true).map(drop)
    })
    .tries("Capability in XML, asked by _format")
    .of(FORMATS),
    Test::new("Capability_json_parameter", |t| {
        capability(t, "?_format=application/fhir%2Bjson", None, false).map(drop)
    })
    .tries("Capability in JSON, asked by _format")
    .of(FORMATS),
    Test::new("Capability_xml_parameter_json_accept", |t| {
        capability(
            t,
            "?_format=application/fhir%2Bxml",
            Some("application/fhir+json"),
            true,
        )
        .map(drop)
    })
    .tries("_format beats Accept: XML")
    .of(FORMATS),
    Test::new("Capability_json_parameter_xml_accept", |t| {
        capability(
            t,
            "?_format=application/fhir%2Bjson",
            Some("application/fhir+xml"),
            false,
        )
        .map(drop)
    })
    .tries("_format beats Accept: JSON")
    .of(FORMATS),
    Test::new("Capability_xml_accept_gzip", gzip)
        .tries("Capability in XML, gzipped")
        .of(&["P8", "P9", "PROV-GEN-13"]),
    Test::new("Capability_FormatSpellings", spellings)
        .tries("Every spelling of _format")
        .of(&["P9", "PROV-GEN-09"]),
    Test::new("Capability_AcceptSpellings", accepts)
        .tries("Every form of Accept")
        .of(&["P9", "PROV-GEN-08", "PROV-GEN-10"]),
    Test::new("Capability_UnsupportedFormat", unsupported)
        .tries("A format that nobody has")
        .of(&["PROV-GEN-11", "D-14"]),
    Test::new("Capability_Content", content)
        .tries("What the CapabilityStatement says")
        .of(&[
            "P8",
            "PROV-META-01",
            "RES-CAP-01",
            "RES-CAP-02",
            "RES-CAP-03",
            "RES-CAP-04",
            "RES-CAP-05",
            "RES-CAP-06",
        ]),
    Test::new("Capability_TokenNeeded", token_needed)
        .tries("The CapabilityStatement needs token and headers as well")
        .of(&["PROV-META-03"]),
];

fn capability(t: &mut Trial, query: &str, accept: Option<&str>, xml: bool) -> Step<Answer> {
    let request = t.session.metadata().path(format!("/metadata{query}"));
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
    let wanted = if xml {
        "application/fhir+xml"
    } else {
        "application/fhir+json"
    };
    let given = a.header("content-type").unwrap_or("nothing").to_owned();
    let fits = given.to_ascii_lowercase().starts_with(wanted);
    t.at(a, "header Content-Type", ids)
        .must(fits)
        .right(wanted)
        .or(format!("`{asked}` was answered with {given}"))
}

fn gzip(t: &mut Trial) -> Step {
    let request = t
        .session
        .metadata()
        .with("Accept", "application/fhir+xml")
        .with("Accept-Encoding", "gzip");
    let a = t
        .ask("get the CapabilityStatement gzipped", &request)
        .succeeds(200, "CapabilityStatement", FORMATS)?;
    is_format(t, &a, true, FORMATS, "Accept: application/fhir+xml");
    t.at(&a, "header Content-Encoding", &["PROV-GEN-13"])
        .must(a.gzipped)
        .right("gzip, as Accept-Encoding asks")
        .or("The answer is not gzipped");
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
            .session
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
        let request = t.session.metadata().with("Accept", value);
        let a = t.send("ask for a format by header", &request)?;
        let ids: Ids = &["PROV-GEN-10"];
        if t.status(&a, 200, ids, &format!("Accept: {value}")).is_ok() {
            is_format(t, &a, xml, ids, value);
        }
    }
    let request = t.session.metadata().without("Accept");
    let a = t.send("ask for no format", &request)?;
    t.status(&a, 200, &["PROV-GEN-08"], "no Accept")?;
    is_format(t, &a, false, &["PROV-GEN-08", "P9"], "no Accept");
    Ok(())
}

fn unsupported(t: &mut Trial) -> Step {
    let ids: Ids = &["PROV-GEN-11", "D-14"];
    let request = t.session.metadata().path("/metadata?_format=text/turtle");
    t.ask("_format=text/turtle", &request)
        .refused(Situation::MediaTypeUnsupported, ids)?;
    let request = t.session.metadata().with("Accept", "application/pdf");
    t.ask("Accept: application/pdf", &request)
        .refused(Situation::MediaTypeUnsupported, ids)?;
    Ok(())
}

fn token_needed(t: &mut Trial) -> Step {
    let ids: Ids = &["PROV-META-03"];
    t.ask("no token", &t.session.metadata().without("Authorization"))
        .refused(Situation::TokenRefused, ids)?;
    t.ask("no Ssp-From", &t.session.metadata().without("Ssp-From"))
        .refused(Situation::HeaderInvalid, ids)?;
    Ok(())
}

fn content(t: &mut Trial) -> Step {
    let a = capability(t, "", None, false)?;
    let c = a.resource.clone();
    for (at, holds, right) in [
        (
            "publisher",
            !text(&c, "/publisher").is_empty(),
            "the supplier",
        ),
        (
            "fhirVersion",
            text(&c, "/fhirVersion").starts_with("3.0."),
            "3.0.1",
        ),
        (
            "kind",
            matches!(text(&c, "/kind"), "instance" | "capability"),
            "instance or capability",
        ),
        ("status", !text(&c, "/status").is_empty(), "active"),
        ("date", !text(&c, "/date").is_empty(), "the date"),
        (
            "software.name",
            !text(&c, "/software/name").is_empty(),
            "the product",
        ),
        (
            "software.version",
            !text(&c, "/software/version").is_empty(),
            "its version",
        ),
        (
            "acceptUnknown",
            text(&c, "/acceptUnknown") == "both",
            "both",
        ),
        (
            "format",
            formats(&c),
            "application/fhir+json and application/fhir+xml",
        ),
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
    let given: HashSet<&str> = list(&c, "/profile")
        .iter()
        .map(|p| text(p, "/reference"))
        .collect();
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
    let kinds: HashSet<&str> = resources.iter().map(|r| text(r, "/type")).collect();
    let two = resources.len() == 2 && kinds == HashSet::from(["Appointment", "Slot"]);
    t.at(a, "CapabilityStatement.rest.resource", &["RES-CAP-03"])
        .must(two)
        .right("exactly Appointment and Slot")
        .or(format!(
            "The resources are {}",
            listed(kinds.iter().copied())
        ));
    let of = |kind: &str| {
        resources
            .iter()
            .find(|r| text(r, "/type") == kind)
            .unwrap_or(&Value::Null)
    };
    let codes = |r: &Value| {
        list(r, "/interaction")
            .iter()
            .map(|i| text(i, "/code").to_owned())
            .collect::<Vec<_>>()
    };
    let names = |r: &Value| {
        list(r, "/searchParam")
            .iter()
            .map(|p| text(p, "/name").to_owned())
            .collect::<HashSet<_>>()
    };
    let (appointment, slot) = (of("Appointment"), of("Slot"));
    let given = codes(appointment);
    let distinct: HashSet<&String> = given.iter().collect();
    let enough = ["read", "create", "search-type"]
        .iter()
        .all(|c| given.iter().any(|g| g == c));
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
    let wanted: HashSet<String> = ["identifier", "_id", "version"].map(str::to_owned).into();
    let documented = list(appointment, "/searchParam")
        .iter()
        .all(|p| !text(p, "/documentation").is_empty());
    t.at(a, "Appointment.searchParam", &["RES-CAP-04"])
        .must(names(appointment) == wanted && documented)
        .right("identifier, _id and version, each with documentation")
        .or(format!(
            "The search parameters of Appointment are {}{}",
            listed(names(appointment).iter().map(String::as_str)),
            if documented {
                ""
            } else {
                ", not all documented"
            }
        ));
    t.at(a, "Slot.interaction", &["RES-CAP-05"])
        .must(codes(slot) == ["search-type"])
        .right("search-type only")
        .or(format!(
            "The interactions of Slot are {}",
            codes(slot).join(", ")
        ));
    let wanted: HashSet<String> = ["service", "status", "start"].map(str::to_owned).into();
    t.at(a, "Slot.searchParam", &["RES-CAP-05"])
        .must(names(slot) == wanted)
        .right("service, status and start")
        .or(format!(
            "The search parameters of Slot are {}",
            listed(names(slot).iter().map(String::as_str))
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
