//! Renders declared things as FHIR resources (RES-SCH, RES-HCS, RES-LOC, RES-ORG, RES-PRA, RES-ROL).

use super::catalogue::{Location, Organization, Practitioner, Role, Schedule, Service};
use super::declaration::Address;
use booking::ids::ServiceId;
use booking::systems::{DOS_SERVICE, ODS_ORGANIZATION, ODS_SITE, SDS_ROLE_PROFILE, SDS_USER};
use fhir::Element;

const PROFILE: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-";
const JOB_ROLE: &str = "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1";
const ORGANIZATION_TYPE: &str = "http://hl7.org/fhir/organization-type";

/// `Schedule`, with the searched service as its only HealthcareService actor (RES-SCH-01, RES-SCH-02).
pub fn schedule(schedule: &Schedule, service: &ServiceId) -> Element {
    let actor = |kind: &str, id: &str| reference("actor", kind, id).in_list();
    let mut resource = resource("Schedule", &schedule.id)
        .with(identifier(
            &schedule.identifier_system,
            &schedule.identifier,
        ))
        .with(actor("HealthcareService", service.as_str()));
    if let Some(id) = &schedule.practitioner {
        resource.push(actor("Practitioner", id));
    }
    if let Some(id) = &schedule.role {
        resource.push(actor("PractitionerRole", id));
    }
    if let Some(id) = &schedule.location {
        resource.push(actor("Location", id));
    }
    resource
}

/// `HealthcareService` (RES-HCS-01 to RES-HCS-05, D-34).
pub fn healthcare_service(service: &Service) -> Element {
    let mut resource = resource("HealthcareService", service.id.as_str())
        .with(identifier(DOS_SERVICE, service.id.as_str()));
    if let Some(id) = &service.provided_by {
        resource.push(reference("providedBy", "Organization", id));
    }
    if let Some(id) = &service.location {
        resource.push(reference("location", "Location", id).in_list());
    }
    resource.with(Element::text("name", &service.name))
}

/// `Location` (RES-LOC-01).
pub fn location(location: &Location) -> Element {
    let mut resource = resource("Location", &location.id);
    if let Some(site) = &location.site {
        resource.push(identifier(ODS_SITE, site.as_str()));
    }
    resource.push(Element::text("name", &location.name));
    if let Some(phone) = &location.phone {
        resource.push(telecom(phone));
    }
    resource.push(address(&location.address));
    if let Some(id) = &location.organization {
        resource.push(reference("managingOrganization", "Organization", id));
    }
    resource
}

/// `Organization` (RES-ORG-01).
pub fn organization(organization: &Organization) -> Element {
    let mut resource = resource("Organization", &organization.id);
    if let Some(ods) = &organization.ods {
        resource.push(identifier(ODS_ORGANIZATION, ods.as_str()));
    }
    let kind = coding(ORGANIZATION_TYPE, "prov", "Healthcare Provider");
    resource.push(Element::new("type").in_list().with(kind));
    resource.push(Element::text("name", &organization.name));
    if let Some(phone) = &organization.phone {
        resource.push(telecom(phone));
    }
    if let Some(place) = &organization.address {
        resource.push(address(place).in_list());
    }
    resource
}

/// `Practitioner` (RES-PRA-01, RES-PRA-02).
pub fn practitioner(practitioner: &Practitioner) -> Element {
    let mut resource = resource("Practitioner", &practitioner.id)
        .with(identifier(SDS_ROLE_PROFILE, &practitioner.role_profile));
    if let Some(user) = &practitioner.user {
        resource.push(identifier(SDS_USER, user));
    }
    let mut name = Element::new("name")
        .in_list()
        .with(Element::text("use", "official"))
        .with(Element::text("family", &practitioner.family));
    for given in &practitioner.given {
        name.push(Element::text("given", given).in_list());
    }
    if let Some(prefix) = &practitioner.prefix {
        name.push(Element::text("prefix", prefix).in_list());
    }
    resource.push(name);
    if let Some(gender) = practitioner.gender {
        resource.push(Element::text("gender", gender.code()));
    }
    resource
}

/// `PractitionerRole` (RES-ROL-01, RES-ROL-02).
pub fn practitioner_role(role: &Role) -> Element {
    let mut resource = resource("PractitionerRole", &role.id).with(reference(
        "practitioner",
        "Practitioner",
        &role.practitioner,
    ));
    if let Some(id) = &role.organization {
        resource.push(reference("organization", "Organization", id));
    }
    if let (Some(code), Some(display)) = (&role.code, &role.display) {
        let code = Element::new("code")
            .in_list()
            .with(coding(JOB_ROLE, code, display));
        resource.push(code);
    }
    resource
}

fn resource(kind: &str, id: &str) -> Element {
    let profile = Element::text("profile", format!("{PROFILE}{kind}-1")).in_list();
    Element::resource(kind)
        .with(Element::text("id", id))
        .with(Element::new("meta").with(profile))
}

fn identifier(system: &str, value: &str) -> Element {
    Element::new("identifier")
        .in_list()
        .with(Element::text("system", system))
        .with(Element::text("value", value))
}

/// A relative reference: the Standard's checkers compare references as text (PROV-SLOT-16).
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

fn telecom(phone: &str) -> Element {
    Element::new("telecom")
        .in_list()
        .with(Element::text("system", "phone"))
        .with(Element::text("value", phone))
        .with(Element::text("use", "work"))
}

fn address(address: &Address) -> Element {
    let mut element = Element::new("address").with(Element::text("use", "work"));
    for line in &address.lines {
        element.push(Element::text("line", line).in_list());
    }
    for (name, value) in [("city", &address.city), ("district", &address.district)] {
        if let Some(value) = value {
            element.push(Element::text(name, value));
        }
    }
    element.with(Element::text("postalCode", &address.postcode))
}
