//! Capability: `GET [root]/metadata` (PROV-META-01..03, RES-CAP-01..06), derived from the route table.

use crate::http::edge::answer::{Answer, Content};
use crate::http::edge::routes::ROUTES;
use booking::version::StandardVersion;
use fhir::Element;

/// Version of the FHIR NHS Booking API that is served to whoever is not declared otherwise (RES-CAP-06).
pub const API_VERSION: &str = StandardVersion::Current.api();

/// The ten profiles in the order in which the Standard lists them (RES-CAP-02).
const PROFILES: [&str; 10] = [
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

/// `_include` values that a slot search takes (RES-CAP-05).
const INCLUDES: [&str; 6] = [
    "Slot.schedule",
    "Schedule:actor:Practitioner",
    "Schedule:actor:PractitionerRole",
    "Schedule:actor:HealthcareService",
    "HealthcareService.providedBy",
    "HealthcareService:location",
];

/// Transaction integrity, as the statement's documentation tells it (PROV-META-02).
const INTEGRITY: &str = "A booking or cancellation is one atomic transaction. Send a new X-Request-ID with every \
     create and update and the same one with a retry: a repeat of a successful request is answered 409 and changes \
     nothing; its Location names the appointment. Updates need If-Match with the version read: missing 412, not \
     current 409. Every version of an appointment is kept and readable.";

/// Answers with the statement of one tenant.
pub fn run(publisher: &str) -> Answer {
    Answer::ok(Content::Tree(statement(publisher)))
}

/// The CapabilityStatement.
pub fn statement(publisher: &str) -> Element {
    let mut root = Element::resource("CapabilityStatement")
        .with(Element::text("version", API_VERSION))
        .with(Element::text("name", "UEC Booking Provider"))
        .with(Element::text("status", "active"))
        .with(Element::text("date", "2026-11-21"))
        .with(Element::text("publisher", publisher))
        .with(Element::text(
            "description",
            format!(
                "Provider of the NHS Booking Standard (FHIR STU3 3.0.1, CareConnect profiles): {}; for consumers that \
                 are declared so also {}, which is superseded.",
                named(StandardVersion::Current),
                named(StandardVersion::Superseded),
            ),
        ))
        .with(Element::text("kind", "capability"))
        .with(
            Element::new("software")
                .with(Element::text("name", "uec"))
                .with(Element::text("version", env!("CARGO_PKG_VERSION"))),
        )
        .with(Element::text("fhirVersion", "3.0.1"))
        .with(Element::text("acceptUnknown", "both"))
        .with(Element::text("format", "application/fhir+json"))
        .with(Element::text("format", "application/fhir+xml"));
    for profile in PROFILES {
        let url =
            format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{profile}-1");
        root.push(Element::new("profile").with(Element::text("reference", url)));
    }
    root.with(
        Element::new("rest")
            .with(Element::text("mode", "server"))
            .with(Element::text(
                "documentation",
                format!("{INTEGRITY} {}", versions()),
            ))
            .with(appointment())
            .with(slot()),
    )
}

/// A version of the Standard with that of its API.
fn named(version: StandardVersion) -> String {
    let (api, standard) = (version.api(), version.standard());
    format!("FHIR NHS Booking API {api} of version {standard} of the Standard")
}

/// The versions that are served, and what differs (VER-08).
fn versions() -> String {
    format!(
        "Two versions are served: {}, and {} for consumers that the Provider has declared so. For these X-Request-ID on \
         writes and telecom.rank are optional (the first telephone counts as rank 1), the scope \
         patient/appointment.write covers reads, DocumentReference and Slot need not be contained, and there may be \
         participants beside the patient. Answers are the same.",
        named(StandardVersion::Current),
        named(StandardVersion::Superseded),
    )
}

fn appointment() -> Element {
    resource("Appointment")
        .with(Element::text("versioning", "versioned-update"))
        .with(Element::boolean("readHistory", true))
        .with(Element::boolean("updateCreate", false))
        .with(search_param(
            "identifier",
            "token",
            Some("The patient's NHS number"),
        ))
        .with(search_param("_id", "token", Some("The appointment's id")))
        .with(search_param(
            "version",
            "token",
            Some("The appointment's version, with _id"),
        ))
}

fn slot() -> Element {
    let mut slot = resource("Slot");
    for include in INCLUDES {
        slot.push(Element::text("searchInclude", include));
    }
    slot.with(search_param(
        "service",
        "token",
        Some(
            "Directory of Services id of the service; also spelt schedule.actor:healthcareservice",
        ),
    ))
    .with(search_param("status", "token", None))
    .with(search_param("start", "date", None))
}

/// Type and interactions of a resource, as routed.
fn resource(name: &str) -> Element {
    let mut resource = Element::new("resource").with(Element::text("type", name));
    for code in ROUTES
        .iter()
        .filter_map(|r| r.stated)
        .filter(|(t, _)| *t == name)
        .map(|(_, code)| code)
    {
        resource.push(Element::new("interaction").with(Element::text("code", code)));
    }
    resource
}

fn search_param(name: &str, kind: &str, documentation: Option<&str>) -> Element {
    let mut param = Element::new("searchParam")
        .with(Element::text("name", name))
        .with(Element::text("type", kind));
    if let Some(text) = documentation {
        param.push(Element::text("documentation", text));
    }
    param
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Proves: RES-CAP-01, RES-CAP-02, RES-CAP-03, RES-CAP-04, RES-CAP-05, RES-CAP-06, PROV-META-01, PROV-META-02
    #[test]
    fn statement_has_what_the_simulator_counts() {
        let s = statement("Fernhill Urgent Care");
        for name in [
            "publisher",
            "fhirVersion",
            "kind",
            "status",
            "date",
            "acceptUnknown",
            "description",
        ] {
            assert!(s.str_of(name).is_some(), "{name}");
        }
        assert_eq!(s.str_of("fhirVersion"), Some("3.0.1"));
        let profiles: BTreeSet<_> = s
            .all("profile")
            .filter_map(|p| p.str_of("reference"))
            .collect();
        assert_eq!(profiles.len(), 10);
        let rest: Vec<_> = s.all("rest").collect();
        assert_eq!(rest.len(), 1);
        let resources: Vec<_> = rest[0].all("resource").collect();
        assert_eq!(resources.len(), 2);
        let codes = |r: &Element| -> Vec<String> {
            r.all("interaction")
                .filter_map(|i| i.str_of("code"))
                .map(str::to_owned)
                .collect()
        };
        let appointment = codes(resources[0]);
        for code in ["read", "create", "search-type", "vread", "update"] {
            assert!(appointment.iter().any(|c| c == code), "{code}");
        }
        assert_eq!(codes(resources[1]), ["search-type"]);
        assert_eq!(resources[0].count("searchParam"), 3);
        assert!(
            resources[0]
                .all("searchParam")
                .all(|p| p.get("documentation").is_some())
        );
        assert_eq!(resources[1].count("searchParam"), 3);
        assert_eq!(resources[1].count("searchInclude"), 6);
        assert_eq!(resources[0].str_of("updateCreate"), Some("false"));
        assert_eq!(s.str_of("version"), Some(API_VERSION));
    }

    /// Proves: NFR-09, VER-08, PROV-META-02
    #[test]
    fn both_versions_of_api_and_standard_are_named() {
        let s = statement("Fernhill Urgent Care");
        assert_eq!(s.str_of("version"), Some("2.0.4"));
        let documentation = s.at("rest.documentation").and_then(Element::as_str);
        for text in [s.str_of("description"), documentation] {
            let text = text.expect("a text");
            for version in ["2.0.4", "1.0.0", "2.0.1-beta", "0.1.17"] {
                assert!(text.contains(version), "{version}: {text}");
            }
        }
        for differs in ["X-Request-ID", "telecom.rank", "patient/appointment.write"] {
            assert!(documentation.is_some_and(|d| d.contains(differs)));
        }
    }
}
