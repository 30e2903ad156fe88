//! Describes a slot through its Schedule: service, place, clinician, organisation (CONS-SLOT-06).

use super::bundle::SearchPages;
use super::{Clinician, Place};
use booking::foreign::Foreign;
use booking::systems;
use fhir::Element;

/// The details in the included resources.
#[derive(Default)]
pub(super) struct Described {
    pub service: Option<Foreign>,
    pub place: Option<Place>,
    pub clinician: Option<Clinician>,
    pub organization: Option<Foreign>,
}

/// Describes the slots of a Schedule. Without the Schedule nothing is known.
pub(super) fn of(found: &SearchPages, schedule: Option<&Element>) -> Described {
    let Some(schedule) = schedule.and_then(|s| found.resolve(s, "Schedule")) else {
        return Described::default();
    };
    let service_actor = actor(schedule, "HealthcareService", found);
    let service = service_actor.and_then(|a| found.resolve(a, "HealthcareService"));
    let place = service
        .and_then(|s| s.all("location").find_map(|l| place(l, found)))
        .or_else(|| actor(schedule, "Location", found).and_then(|a| place(a, found)));
    Described {
        service: service
            .and_then(|s| text(s, "name"))
            .or_else(|| service_actor.and_then(display)),
        place,
        clinician: clinician(schedule, found),
        organization: service
            .and_then(|s| s.get("providedBy"))
            .and_then(|reference| {
                let organization = found.resolve(reference, "Organization");
                organization
                    .and_then(|o| text(o, "name"))
                    .or_else(|| display(reference))
            }),
    }
}

/// The Schedule's actor of a type, by its resource or by the reference text.
fn actor<'a>(schedule: &'a Element, kind: &'a str, found: &SearchPages) -> Option<&'a Element> {
    schedule.all("actor").find(|a| {
        let named = a.str_of("reference").is_some_and(|r| {
            r.rsplit('/').nth(1) == Some(kind) || r.contains(&format!("/{kind}/"))
        });
        named || found.resolve(a, kind).is_some()
    })
}

fn text(e: &Element, name: &str) -> Option<Foreign> {
    e.str_of(name)
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .map(Foreign::from)
}

fn display(reference: &Element) -> Option<Foreign> {
    text(reference, "display")
}

fn place(reference: &Element, found: &SearchPages) -> Option<Place> {
    let place = match found.resolve(reference, "Location") {
        Some(location) => Place {
            name: text(location, "name").or_else(|| display(reference)),
            address: location.get("address").and_then(address),
        },
        None => Place {
            name: display(reference),
            address: None,
        },
    };
    (place != Place::default()).then_some(place)
}

fn address(address: &Element) -> Option<Foreign> {
    let lines = address.all("line").filter_map(Element::as_str);
    let rest = ["city", "district", "postalCode"]
        .into_iter()
        .filter_map(|n| address.str_of(n));
    let parts: Vec<&str> = lines
        .chain(rest)
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    match parts.is_empty() {
        true => text(address, "text"),
        false => Some(parts.join(", ").into()),
    }
}

fn clinician(schedule: &Element, found: &SearchPages) -> Option<Clinician> {
    let practitioner_actor = actor(schedule, "Practitioner", found);
    let role_actor = actor(schedule, "PractitionerRole", found);
    let mut role = role_actor.and_then(|a| found.resolve(a, "PractitionerRole"));
    let practitioner = practitioner_actor
        .and_then(|a| found.resolve(a, "Practitioner"))
        .or_else(|| found.resolve(role?.get("practitioner")?, "Practitioner"));
    if role.is_none() {
        role = practitioner.and_then(|p| role_of(p, found));
    }
    let clinician = Clinician {
        name: practitioner
            .and_then(human_name)
            .or_else(|| practitioner_actor.and_then(display)),
        gender: practitioner.and_then(|p| text(p, "gender")),
        role: role
            .and_then(role_name)
            .or_else(|| role_actor.and_then(display)),
    };
    (clinician != Clinician::default()).then_some(clinician)
}

/// The role whose id is the practitioner's role profile (D-35), or which names the practitioner.
fn role_of<'a>(practitioner: &Element, found: &'a SearchPages) -> Option<&'a Element> {
    let profile = practitioner
        .all("identifier")
        .find(|i| i.str_of("system") == Some(systems::SDS_ROLE_PROFILE))
        .and_then(|i| i.str_of("value"));
    let by_profile = found
        .of_type("PractitionerRole")
        .find(|r| profile.is_some() && r.str_of("id") == profile);
    by_profile.or_else(|| {
        found.of_type("PractitionerRole").find(|r| {
            r.get("practitioner")
                .and_then(|p| found.resolve(p, "Practitioner"))
                .is_some_and(|p| p == practitioner)
        })
    })
}

fn role_name(role: &Element) -> Option<Foreign> {
    role.all("code").find_map(|code| {
        let of_coding = code.all("coding").find_map(|c| text(c, "display"));
        of_coding
            .or_else(|| text(code, "text"))
            .or_else(|| code.all("coding").find_map(|c| text(c, "code")))
    })
}

/// The name of a Practitioner or Patient on one line: the official one, else the usual one, else any.
pub fn human_name(resource: &Element) -> Option<Foreign> {
    let order = |e: &&Element| match e.str_of("use") {
        Some("official") => 0,
        Some("usual") | None => 1,
        Some("old") => 3,
        Some(_) => 2,
    };
    let name = resource.all("name").min_by_key(order)?;
    let parts = ["prefix", "given", "family", "suffix"];
    let words: Vec<&str> = parts
        .into_iter()
        .flat_map(|part| name.all(part).filter_map(Element::as_str))
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .collect();
    match words.is_empty() {
        true => text(name, "text"),
        false => Some(words.join(" ").into()),
    }
}
