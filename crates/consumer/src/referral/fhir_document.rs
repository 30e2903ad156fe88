//! Writes the referral as a FHIR document: a Composition, the DocumentReference that the booking announced, and the CDA in
//! a Binary.

use super::model::{Organisation, Referral};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use booking::systems;
use fhir::Element;
use jiff::Timestamp;
use uuid::Uuid;

/// Makes the Bundle. Its identifier is `tracking`, the same for every try.
pub(super) fn bundle(referral: &Referral, cda: &str, tracking: Uuid) -> Element {
    let urn = |name: &str| format!("urn:uuid:{}", part(referral, name));
    let mut bundle = Element::resource("Bundle")
        .with(Element::text("id", part(referral, "bundle").to_string()))
        .with(
            Element::new("identifier")
                .with(Element::text("system", systems::UUID))
                .with(Element::text("value", tracking.to_string())),
        )
        .with(Element::text("type", "document"));
    let resources = [
        ("composition", composition(referral)),
        ("patient", patient(referral)),
        ("author", organisation(&referral.author.organisation)),
        ("document", document(referral, cda)),
        ("binary", binary(cda)),
    ];
    for (name, resource) in resources {
        let mut resource = resource.named("resource");
        resource.push_front(Element::text("id", part(referral, name).to_string()));
        bundle.push(
            Element::new("entry")
                .in_list()
                .with(Element::text("fullUrl", urn(name)))
                .with(resource),
        );
    }
    bundle
}

/// Ids derived from the document's, so that a repeat is the same message.
fn part(referral: &Referral, name: &str) -> Uuid {
    Uuid::new_v5(&referral.document_id, name.as_bytes())
}

fn reference(referral: &Referral, element: &str, name: &str) -> Element {
    Element::new(element).with(Element::text(
        "reference",
        format!("urn:uuid:{}", part(referral, name)),
    ))
}

fn document_type() -> Element {
    Element::new("type").with(
        Element::new("coding")
            .in_list()
            .with(Element::text("system", systems::DOCUMENT_TYPE))
            .with(Element::text("code", systems::DOCUMENT_TYPE_CODE))
            .with(Element::text("display", systems::DOCUMENT_TYPE_DISPLAY)),
    )
}

fn identifier(system: &str, value: &str) -> Element {
    Element::new("identifier")
        .with(Element::text("system", system))
        .with(Element::text("value", value))
}

fn composition(referral: &Referral) -> Element {
    let section = Element::new("section")
        .in_list()
        .with(Element::text("title", systems::DOCUMENT_TYPE_DISPLAY))
        .with(reference(referral, "entry", "document").in_list());
    Element::resource("Composition")
        .with(identifier(systems::UUID, &referral.document_id.to_string()))
        .with(Element::text("status", "final"))
        .with(document_type())
        .with(reference(referral, "subject", "patient"))
        .with(Element::text("date", instant(referral.written_at)))
        .with(reference(referral, "author", "author").in_list())
        .with(Element::text("title", systems::DOCUMENT_TYPE_DISPLAY))
        .with(section)
}

/// Only the identity; the CDA has everything else.
fn patient(referral: &Referral) -> Element {
    let mut patient = Element::resource("Patient");
    if let Some(number) = &referral.patient.nhs_number {
        patient.push(identifier(systems::NHS_NUMBER, number.as_str()).in_list());
    }
    let mut name = Element::new("name")
        .in_list()
        .with(Element::text("family", &referral.patient.family));
    for given in &referral.patient.given {
        name.push(Element::text("given", given).in_list());
    }
    patient.with(name)
}

fn organisation(of: &Organisation) -> Element {
    Element::resource("Organization")
        .with(identifier(systems::ODS_ORGANIZATION, of.ods.as_str()).in_list())
        .with(Element::text("name", &of.name))
}

/// The document that the booking announced (REF-CON-02): same identifier, lower case (RES-GEN-05).
fn document(referral: &Referral, cda: &str) -> Element {
    let attachment = Element::new("attachment")
        .with(Element::text("contentType", systems::DOCUMENT_MEDIA_TYPE))
        .with(Element::text("language", "en"))
        .with(Element::text(
            "url",
            format!("urn:uuid:{}", part(referral, "binary")),
        ))
        .with(Element::number("size", cda.len().to_string()));
    let mut document = Element::resource("DocumentReference")
        .with(identifier(systems::UUID, &referral.document_id.to_string()).in_list());
    document.push(Element::text("status", "current"));
    document
        .with(document_type())
        .with(reference(referral, "subject", "patient"))
        .with(Element::text("indexed", instant(referral.written_at)))
        .with(Element::new("content").in_list().with(attachment))
}

fn binary(cda: &str) -> Element {
    Element::resource("Binary")
        .with(Element::text("contentType", systems::DOCUMENT_MEDIA_TYPE))
        .with(Element::text("content", STANDARD.encode(cda)))
}

fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}
