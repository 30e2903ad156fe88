//! Declared things as FHIR resources, judged by the CareConnect profiles.

use super::store_fixture;
use booking::careconnect::conformance;
use fhir::Element;
use provider::diary::catalogue::Catalogue;
use provider::diary::{demo, render};

async fn catalogues() -> Vec<Catalogue> {
    let store = store_fixture::memory();
    let now = "2027-03-01T12:00:00Z".parse().unwrap();
    demo::load(&store, now).await.unwrap();
    let tenants = store.tenants().unwrap();
    tenants
        .iter()
        .map(|t| Catalogue::build(t, &store.tenant(t.key).declared().unwrap().1).unwrap())
        .collect()
}

fn references(resource: &Element, name: &str) -> Vec<String> {
    resource
        .all(name)
        .filter_map(|a| a.str_of("reference"))
        .map(str::to_owned)
        .collect()
}

/// Proves: RES-GEN-01, RES-HCS-01, RES-HCS-02, RES-LOC-01, RES-ORG-01, RES-SCH-01
#[tokio::test]
async fn every_declared_resource_conforms() {
    for catalogue in catalogues().await {
        let mut resources: Vec<Element> = Vec::new();
        resources.extend(
            catalogue
                .declared
                .organizations
                .iter()
                .map(render::organization),
        );
        resources.extend(catalogue.declared.locations.iter().map(render::location));
        resources.extend(
            catalogue
                .declared
                .practitioners
                .iter()
                .map(render::practitioner),
        );
        resources.extend(
            catalogue
                .declared
                .roles
                .iter()
                .map(render::practitioner_role),
        );
        resources.extend(
            catalogue
                .declared
                .services
                .iter()
                .map(render::healthcare_service),
        );
        for service in &catalogue.declared.services {
            resources.extend(
                catalogue
                    .schedules_of(&service.id)
                    .map(|s| render::schedule(s, &service.id)),
            );
        }
        for resource in resources {
            let kind = resource.resource_type().unwrap();
            let profile =
                format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1");
            assert_eq!(
                resource.at("meta.profile").unwrap().as_str(),
                Some(profile.as_str())
            );
            let issues = conformance().check(&resource);
            assert!(issues.is_empty(), "{kind}: {issues:?}");
        }
    }
}

/// Proves: RES-SCH-02, PROV-SLOT-16
#[tokio::test]
async fn a_schedule_names_the_service_that_was_searched_for() {
    for catalogue in catalogues().await {
        for service in &catalogue.declared.services {
            for schedule in catalogue.schedules_of(&service.id) {
                let actors = references(&render::schedule(schedule, &service.id), "actor");
                let of = |kind: &str| actors.iter().filter(|a| a.starts_with(kind)).count();
                assert_eq!(actors[0], format!("HealthcareService/{}", service.id));
                assert_eq!(of("HealthcareService/"), 1);
                assert!(
                    of("Practitioner/") <= 1 && of("PractitionerRole/") <= 1 && actors.len() <= 3
                );
                assert_eq!(of("Practitioner/"), of("PractitionerRole/"));
            }
        }
    }
}

/// Proves: RES-PRA-01, RES-ROL-01, RES-ROL-02, RES-PRA-02, PROV-SLOT-17
#[tokio::test]
async fn a_practitioners_role_profile_is_the_id_of_the_role() {
    const ROLE_PROFILE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";
    let catalogues = catalogues().await;
    let mut seen = 0;
    for catalogue in &catalogues {
        for schedule in catalogue
            .schedules
            .iter()
            .filter(|s| s.practitioner.is_some())
        {
            let practitioner = render::practitioner(catalogue.practitioner_of(schedule).unwrap());
            let role = render::practitioner_role(catalogue.role_of(schedule).unwrap());
            let profiles: Vec<_> = practitioner
                .all("identifier")
                .filter(|i| i.str_of("system") == Some(ROLE_PROFILE))
                .filter_map(|i| i.str_of("value"))
                .collect();
            assert_eq!(profiles, [role.str_of("id").unwrap()]);
            assert!(
                practitioner.at("name.family").is_some() && practitioner.at("gender").is_some()
            );
            assert!(role.at("code.coding.display").is_some());
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}
