//! The resources that the simulator answers with, besides Appointments (RES-SLOT, RES-SCH, RES-HCS, RES-LOC, RES-ORG,
//! RES-PRA, RES-ROL, RES-CAP). Everybody and every place is invented.

use booking::systems;
use fhir::Element;
use fhir::primitive::format_instant;

use super::diary::{CHANNELS, Slot, schedule_id};

const JOB_ROLE: &str = "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1";
const ORGANIZATION_TYPE: &str = "http://hl7.org/fhir/organization-type";
const SCHEDULES: &str = "https://simulator.example/Id/diary";
/// ODS code of the simulated organisation.
const ODS: &str = "FX990";
/// SDS role profiles of the two people, one per schedule.
const ROLES: [&str; 2] = ["918999990011", "918999990012"];

/// A Slot.
pub(super) fn slot(slot: &Slot, service: &str) -> Element {
    let channel = Element::new("extension")
        .in_list()
        .with(Element::text("url", systems::DELIVERY_CHANNEL))
        .with(Element::text(
            "valueCode",
            CHANNELS[slot.schedule % CHANNELS.len()],
        ));
    resource("Slot", &slot.id)
        .with(channel)
        .with(identifier(systems::UUID, &slot.id))
        .with(reference(
            "schedule",
            "Schedule",
            &schedule_id(service, slot.schedule),
        ))
        .with(Element::text(
            "status",
            if slot.free { "free" } else { "busy" },
        ))
        .with(Element::text("start", format_instant(slot.start)))
        .with(Element::text("end", format_instant(slot.end)))
}

/// A Schedule; without people and place where the scenario has none.
pub(super) fn schedule(service: &str, number: usize, bare: bool) -> Element {
    let id = schedule_id(service, number);
    let mut schedule = resource("Schedule", &id)
        .with(identifier(SCHEDULES, &id))
        .with(reference("actor", "HealthcareService", service).in_list());
    if !bare {
        schedule.push(reference("actor", "Practitioner", person(number)).in_list());
        schedule.push(reference("actor", "PractitionerRole", ROLES[number % 2]).in_list());
    }
    schedule
}

/// The HealthcareService.
pub(super) fn service(id: &str, name: &str, bare: bool) -> Element {
    let mut service = resource("HealthcareService", id).with(identifier(systems::DOS_SERVICE, id));
    if !bare {
        service.push(reference("providedBy", "Organization", "org-1"));
        service.push(reference("location", "Location", "loc-1").in_list());
    }
    service.with(Element::text("name", format!("Simulated clinic: {name}")))
}

/// The Practitioner of a schedule.
pub(super) fn practitioner(number: usize) -> Element {
    let (family, given, gender) =
        [("Testley", "Robin", "female"), ("Sampleton", "Kit", "male")][number % 2];
    let name = Element::new("name")
        .in_list()
        .with(Element::text("use", "official"))
        .with(Element::text("family", family))
        .with(Element::text("given", given).in_list())
        .with(Element::text("prefix", "Dr").in_list());
    resource("Practitioner", person(number))
        .with(identifier(systems::SDS_ROLE_PROFILE, ROLES[number % 2]))
        .with(name)
        .with(Element::text("gender", gender))
}

/// The PractitionerRole of a schedule (D-35: its id is the role profile).
pub(super) fn role(number: usize) -> Element {
    let (code, display) = [
        ("R0260", "General Medical Practitioner"),
        ("R0600", "Specialist Nurse Practitioner"),
    ][number % 2];
    resource("PractitionerRole", ROLES[number % 2])
        .with(reference("practitioner", "Practitioner", person(number)))
        .with(reference("organization", "Organization", "org-1"))
        .with(
            Element::new("code")
                .in_list()
                .with(coding(JOB_ROLE, code, display)),
        )
}

/// The Location.
pub(super) fn location() -> Element {
    let address = Element::new("address")
        .with(Element::text("use", "work"))
        .with(Element::text("line", "1 Simulation Way").in_list())
        .with(Element::text("city", "Exampleton"))
        .with(Element::text("postalCode", "LS99 9ZA"));
    resource("Location", "loc-1")
        .with(Element::text("name", "Simulated Urgent Treatment Centre"))
        .with(address)
}

/// The Organization.
pub(super) fn organization() -> Element {
    let kind = coding(ORGANIZATION_TYPE, "prov", "Healthcare Provider");
    resource("Organization", "org-1")
        .with(identifier(systems::ODS_ORGANIZATION, ODS))
        .with(Element::new("type").in_list().with(kind))
        .with(Element::text("name", "Simulated Provider"))
}

/// The CapabilityStatement (RES-CAP-01..06).
pub(super) fn capability() -> Element {
    let list = |name: &str, value: &str| Element::text(name, value).in_list();
    let software = Element::new("software")
        .with(Element::text("name", "uec assure consumer"))
        .with(Element::text("version", env!("CARGO_PKG_VERSION")));
    let mut out = Element::resource("CapabilityStatement")
        .with(Element::text("version", "2.0.4"))
        .with(Element::text("name", "Simulated Booking Provider"))
        .with(Element::text("status", "active"))
        .with(Element::text("date", "2026-01-01"))
        .with(Element::text("publisher", "uec"))
        .with(Element::text(
            "description",
            "FHIR NHS Booking API 2.0.4, simulated for tests of consumers",
        ))
        .with(Element::text("kind", "capability"))
        .with(software)
        .with(Element::text("fhirVersion", "3.0.1"))
        .with(Element::text("acceptUnknown", "both"))
        .with(list("format", "application/fhir+json"))
        .with(list("format", "application/fhir+xml"));
    for kind in [
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
    ] {
        let url = systems::profile(kind).unwrap_or_default();
        out.push(
            Element::new("profile")
                .in_list()
                .with(Element::text("reference", url)),
        );
    }
    let rest = Element::new("rest")
        .in_list()
        .with(Element::text("mode", "server"))
        .with(appointment_capability())
        .with(slot_capability());
    out.with(rest)
}

fn appointment_capability() -> Element {
    let mut out = Element::new("resource")
        .in_list()
        .with(Element::text("type", "Appointment"));
    for code in ["read", "vread", "update", "create", "search-type"] {
        out.push(
            Element::new("interaction")
                .in_list()
                .with(Element::text("code", code)),
        );
    }
    out.push(Element::text("versioning", "versioned-update"));
    out.push(Element::boolean("updateCreate", false));
    for (name, what) in [
        ("identifier", "NHS number"),
        ("_id", "Appointment id"),
        ("version", "Appointment version"),
    ] {
        out.push(parameter(name, "token", Some(what)));
    }
    out
}

fn slot_capability() -> Element {
    let search = Element::new("interaction")
        .in_list()
        .with(Element::text("code", "search-type"));
    let mut out = Element::new("resource")
        .in_list()
        .with(Element::text("type", "Slot"))
        .with(search);
    for include in [
        "Slot.schedule",
        "Schedule:actor:Practitioner",
        "Schedule:actor:PractitionerRole",
        "Schedule:actor:HealthcareService",
        "HealthcareService.providedBy",
        "HealthcareService:location",
    ] {
        out.push(Element::text("searchInclude", include).in_list());
    }
    out.with(parameter("service", "token", Some("DoS service id")))
        .with(parameter("status", "token", None))
        .with(parameter("start", "date", None))
}

fn parameter(name: &str, kind: &str, what: Option<&str>) -> Element {
    let mut out = Element::new("searchParam")
        .in_list()
        .with(Element::text("name", name))
        .with(Element::text("type", kind));
    if let Some(what) = what {
        out.push(Element::text("documentation", what));
    }
    out
}

fn person(number: usize) -> &'static str {
    ["prac-1", "prac-2"][number % 2]
}

fn resource(kind: &str, id: &str) -> Element {
    let url = systems::profile(kind).unwrap_or_default();
    Element::resource(kind)
        .with(Element::text("id", id))
        .with(Element::new("meta").with(Element::text("profile", url).in_list()))
}

fn identifier(system: &str, value: &str) -> Element {
    Element::new("identifier")
        .in_list()
        .with(Element::text("system", system))
        .with(Element::text("value", value))
}

/// Relative, as consumers' checkers want it (PROV-SLOT-16).
fn reference(name: &str, kind: &str, id: &str) -> Element {
    Element::new(name).with(Element::text("reference", format!("{kind}/{id}")))
}

fn coding(system: &str, code: &str, display: &str) -> Element {
    Element::new("coding")
        .in_list()
        .with(Element::text("system", system))
        .with(Element::text("code", code))
        .with(Element::text("display", display))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_conforms() {
        let all = [
            schedule("999999999", 0, false),
            schedule("999999993", 1, true),
            service("999999999", "x", false),
            service("999999993", "x", true),
            practitioner(0),
            practitioner(1),
            role(0),
            role(1),
            location(),
            organization(),
            capability(),
        ];
        for resource in all {
            let read = fhir::json::parse(
                &fhir::json::write(&resource),
                &fhir::json::Limits::default(),
            )
            .unwrap();
            assert!(!read.has_errors(), "{:?}", read.issues);
            let issues: Vec<_> = booking::careconnect::conformance()
                .check(&resource)
                .into_iter()
                .filter(fhir::Issue::is_error)
                .collect();
            assert!(
                issues.is_empty(),
                "{:?}: {issues:?}",
                resource.resource_type()
            );
        }
    }
}
