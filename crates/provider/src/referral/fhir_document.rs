//! Reads a referral in a FHIR document: a Bundle with a Composition, and the CDA in a Binary or DocumentReference.

use super::envelope::{kept, standing_alone};
use super::read::{Document, MAX_DOCUMENT, Wire, Wrapper};
use super::reason::Reason;
use super::unpack;
use booking::systems;
use fhir::Element;

/// Most elements of a Bundle. A document with its references has some hundred.
const MAX_ELEMENTS: usize = 100_000;

/// Reads the Bundle and takes the CDA out.
pub(super) fn read(wire: Wire, body: &[u8], wrapper: &mut Wrapper) -> Result<Document, Reason> {
    let limits = fhir::Limits {
        max_bytes: MAX_DOCUMENT,
        max_elements: MAX_ELEMENTS,
        ..fhir::Limits::default()
    };
    let parsed = match wire {
        Wire::FhirXml => fhir::xml::parse(body, &limits),
        _ => fhir::json::parse(body, &limits),
    };
    let parsed = parsed.map_err(|issue| {
        Reason::invalid(format!("The FHIR document cannot be read ({}).", issue.pos))
    })?;
    let bundle = &parsed.root;
    let tracking = bundle.at("identifier.value").and_then(Element::as_str);
    wrapper.tracking = tracking.and_then(kept);
    // Like the tracking id of an envelope: it identifies a repeat, and people see it (D-69).
    if tracking.is_some() && wrapper.tracking.is_none() {
        return Err(Reason::invalid(
            "The identifier of the Bundle is empty, too long, or holds a control character.",
        ));
    }
    if bundle.resource_type() != Some("Bundle") || bundle.str_of("type") != Some("document") {
        return Err(Reason::invalid(
            "The resource is not a Bundle of type document.",
        ));
    }
    let resources: Vec<&Element> = bundle
        .all("entry")
        .filter_map(|entry| entry.get("resource"))
        .collect();
    match resources.first().and_then(|r| r.resource_type()) {
        Some("Composition") => {}
        _ => {
            return Err(Reason::invalid(
                "The first entry of the document is not a Composition.",
            ));
        }
    }
    let document = standing_alone(unpack::base64(std::iter::once(carried(&resources)?))?)?;
    agree(&resources, &document)?;
    Ok(document)
}

/// The only CDA in the Bundle, as base64.
fn carried<'b>(resources: &[&'b Element]) -> Result<&'b str, Reason> {
    let binaries = resources
        .iter()
        .filter(|r| r.resource_type() == Some("Binary"))
        .filter(|r| is_cda(r.str_of("contentType")))
        .filter_map(|r| r.str_of("content"));
    let attached = resources
        .iter()
        .filter(|r| r.resource_type() == Some("DocumentReference"))
        .flat_map(|r| r.all("content"))
        .filter_map(|content| content.get("attachment"))
        .filter(|a| is_cda(a.str_of("contentType")))
        .filter_map(|a| a.str_of("data"));
    let mut all = binaries.chain(attached);
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Reason::invalid(
            "The document carries no CDA: put it into a Binary with contentType application/hl7-v3+xml.",
        )),
        (Some(_), Some(_)) => Err(Reason::invalid("The document carries more than one CDA.")),
    }
}

fn is_cda(media_type: Option<&str>) -> bool {
    let essence = media_type
        .and_then(|m| m.split(';').next())
        .unwrap_or("")
        .trim();
    [systems::DOCUMENT_MEDIA_TYPE, "text/xml", "application/xml"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// Checks that the Bundle and the CDA agree (REF-CON-02).
fn agree(resources: &[&Element], document: &Document) -> Result<(), Reason> {
    let said = resources
        .iter()
        .filter(|r| r.resource_type() == Some("DocumentReference"))
        .filter_map(|r| {
            r.get("masterIdentifier")
                .or_else(|| r.get("identifier"))?
                .str_of("value")
        });
    for id in said {
        let id = id.strip_prefix("urn:uuid:").unwrap_or(id);
        if !id.eq_ignore_ascii_case(&document.facts.id) {
            return Err(Reason::invalid(
                "The DocumentReference's identifier is not the id of the CDA.",
            ));
        }
    }
    Ok(())
}
