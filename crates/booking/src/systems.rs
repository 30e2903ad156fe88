//! Identifier systems, profiles and codes of the Standard (`resources.md` section 1).

/// Identifier system of UUIDs: Slots and DocumentReferences.
pub const UUID: &str = "https://tools.ietf.org/html/rfc4122";
/// Identifier system of NHS numbers.
pub const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// Identifier system of ODS organisation codes.
pub const ODS_ORGANIZATION: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
/// Identifier system of ODS site codes.
pub const ODS_SITE: &str = "https://fhir.nhs.uk/Id/ods-site-code";
/// Identifier system of SDS users.
pub const SDS_USER: &str = "https://fhir.nhs.uk/Id/sds-user-id";
/// Identifier system of SDS role profiles.
pub const SDS_ROLE_PROFILE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";
/// Identifier system of directory (DoS) services (D-34).
pub const DOS_SERVICE: &str = "https://fhir.nhs.uk/Id/dos-service-id";
/// Identifier system of URLs.
pub const URI: &str = "urn:ietf:rfc:3986";
/// Identifier system of local patient identifiers, if the Provider gives them (D-17).
pub const LOCAL_PATIENT: &str = "urn:uec:local-patient";

/// Extension of a Patient's NHS number identifier.
pub const NHS_NUMBER_VERIFICATION: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1";
/// Code system of that extension.
pub const NHS_NUMBER_VERIFICATION_CODES: &str =
    "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1";
/// Delivery channel extension of Slots and Appointments.
pub const DELIVERY_CHANNEL: &str =
    "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DeliveryChannel-1";
/// The GP Connect form of it, which is also read.
pub const DELIVERY_CHANNEL_GPC: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-DeliveryChannel-2";

/// System of the document type.
pub const DOCUMENT_TYPE: &str = "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17";
/// Code of the document type.
pub const DOCUMENT_TYPE_CODE: &str = "POCD_MT200001GB02";
/// Display of the document type.
pub const DOCUMENT_TYPE_DISPLAY: &str = "Integrated Urgent Care Report";
/// Media type of the referral document.
pub const DOCUMENT_MEDIA_TYPE: &str = "application/hl7-v3+xml";

/// The CareConnect profile of a resource type that the Standard uses.
pub fn profile(resource_type: &str) -> Option<&'static str> {
    macro_rules! p {
        ($name:literal) => {
            concat!(
                "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-",
                $name,
                "-1"
            )
        };
    }
    Some(match resource_type {
        "Appointment" => p!("Appointment"),
        "DocumentReference" => p!("DocumentReference"),
        "HealthcareService" => p!("HealthcareService"),
        "Location" => p!("Location"),
        "Organization" => p!("Organization"),
        "Patient" => p!("Patient"),
        "Practitioner" => p!("Practitioner"),
        "PractitionerRole" => p!("PractitionerRole"),
        "Schedule" => p!("Schedule"),
        "Slot" => p!("Slot"),
        _ => return None,
    })
}
