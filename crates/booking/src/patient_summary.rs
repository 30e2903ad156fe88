//! Renders the short form of an Appointment for a search by patient (PROV-SRCH-03).

use crate::systems;
use fhir::Element;

/// The searchset entry: `id`, `meta`, `status`, `start`, `end`, `created`, the participant's NHS number and status, and
/// `identifier` with the Appointment's URL. `url` is absolute and names the version (D-51).
///
/// For a patient without NHS number (found by `_id`) it has the Provider's local identifier.
pub fn search_entry(stored: &Element, url: &str) -> Element {
    let mut out = Element::resource("Appointment");
    let copy = |out: &mut Element, name: &str| out.children_mut().extend(stored.get(name).cloned());
    copy(&mut out, "id");
    copy(&mut out, "meta");
    out.push(
        Element::new("identifier")
            .in_list()
            .with(Element::text("system", systems::URI))
            .with(Element::text("value", url)),
    );
    for name in ["status", "start", "end", "created"] {
        copy(&mut out, name);
    }
    let patient = stored
        .all("contained")
        .find(|c| c.resource_type() == Some("Patient"));
    let identifier = patient.and_then(|p| {
        let nhs = |e: &&Element| e.str_of("system") == Some(systems::NHS_NUMBER);
        p.all("identifier")
            .find(nhs)
            .or_else(|| p.get("identifier"))
    });
    // Only the patient is shown: other participants must not get the patient's number (VER-06).
    let reference = patient
        .and_then(|p| p.str_of("id"))
        .map(|id| format!("#{id}"));
    let is_patient = |p: &&Element| {
        let actor = p.at("actor.reference").and_then(Element::as_str);
        actor == reference.as_deref() || stored.count("participant") == 1
    };
    for participant in stored.all("participant").filter(is_patient) {
        let mut shown = Element::new("participant").in_list();
        if let Some(identifier) = identifier {
            shown.push(Element::new("actor").with(short(identifier)));
        }
        shown
            .children_mut()
            .extend(participant.get("status").cloned());
        out.push(shown);
    }
    out
}

fn short(identifier: &Element) -> Element {
    let mut out = Element::new("identifier");
    for name in ["use", "system", "value"] {
        out.children_mut().extend(identifier.get(name).cloned());
    }
    out
}
