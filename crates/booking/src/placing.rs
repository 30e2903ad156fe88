//! Inserts elements in FHIR's order, which XML readers check (D-06), and completes a received Appointment.

use crate::overrides::Contained;
use fhir::{Element, Value};

/// Elements before `meta`.
pub(crate) const BEFORE_META: &[&str] = &["id"];
/// Elements before `language`.
pub(crate) const BEFORE_LANGUAGE: &[&str] = &["id", "meta", "implicitRules"];
/// Elements before a Patient's `identifier`.
pub(crate) const BEFORE_PATIENT_IDENTIFIER: &[&str] = &[
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "modifierExtension",
];
/// Elements before an Appointment's `created`.
pub(crate) const BEFORE_CREATED: &[&str] = &[
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "identifier",
    "status",
    "cancelationReason",
    "serviceCategory",
    "serviceType",
    "specialty",
    "appointmentType",
    "reason",
    "indication",
    "priority",
    "description",
    "supportingInformation",
    "start",
    "end",
    "minutesDuration",
    "slot",
];

/// Replaces the child of the same name, or inserts it after the last child that must precede it.
pub(crate) fn place(parent: &mut Element, child: Element, before: &[&str]) {
    if let Some(old) = parent.get_mut(child.name()) {
        *old = child;
        return;
    }
    let children = parent.children_mut();
    let at = children
        .iter()
        .rposition(|c| before.contains(&c.name()))
        .map_or(0, |i| i + 1);
    children.insert(at, child);
}

/// The child of a name, inserted in order if absent.
pub(crate) fn ensure<'a>(parent: &'a mut Element, name: &str, before: &[&str]) -> &'a mut Element {
    let children = parent.children_mut();
    let at = match children.iter().position(|c| c.name() == name) {
        Some(at) => at,
        None => {
            let at = children
                .iter()
                .rposition(|c| before.contains(&c.name()))
                .map_or(0, |i| i + 1);
            children.insert(at, Element::new(name));
            at
        }
    };
    &mut children[at]
}

/// Adds a resource's CareConnect profile to `meta.profile`. False: it is there already, or the type has none.
pub fn state_profile(resource: &mut Element) -> bool {
    let Some(profile) = resource.resource_type().and_then(crate::systems::profile) else {
        return false;
    };
    if resource
        .get("meta")
        .is_some_and(|m| m.all("profile").any(|p| p.as_str() == Some(profile)))
    {
        return false;
    }
    let meta = ensure(resource, "meta", BEFORE_META);
    let at = meta
        .children()
        .iter()
        .rposition(|c| {
            matches!(
                c.name(),
                "id" | "extension" | "versionId" | "lastUpdated" | "profile"
            )
        })
        .map_or(0, |i| i + 1);
    meta.children_mut()
        .insert(at, Element::text("profile", profile).in_list());
    true
}

/// Sets `meta.versionId` and `meta.lastUpdated`.
pub(crate) fn stamp(resource: &mut Element, version: u32, now: jiff::Timestamp) {
    let meta = ensure(resource, "meta", BEFORE_META);
    place(
        meta,
        Element::text("versionId", version.to_string()),
        &["id", "extension"],
    );
    place(
        meta,
        Element::text("lastUpdated", fhir::primitive::format_instant(now)),
        &["id", "extension", "versionId"],
    );
}

/// Adds what a Provider adds on receipt (RES-GEN-01, RES-APPT-03, RES-SLOT-04, D-48), and replaces the old reference
/// `Slot/<id>` by the local one (RES-APPT-09).
pub(crate) fn complete(root: &mut Element) {
    if matches!(root.str_of("language"), None | Some("en")) {
        place(root, Element::text("language", "en-GB"), BEFORE_LANGUAGE);
    }
    let slot_id = Contained::of(root)
        .slot
        .and_then(|(_, slot)| slot.str_of("id"))
        .map(str::to_owned);
    for child in root.children_mut() {
        match child.name() {
            "contained" => {
                state_profile(child);
                if child.resource_type() == Some("Slot") {
                    replace(child, "status", "free", "busy");
                }
            }
            "slot" => {
                if let Some(id) = &slot_id {
                    replace(child, "reference", &format!("Slot/{id}"), &format!("#{id}"));
                }
            }
            "participant" if child.get("status").is_none() => {
                child.push(Element::text("status", "accepted"));
            }
            _ => {}
        }
    }
}

fn replace(parent: &mut Element, name: &str, old: &str, new: &str) {
    if let Some(child) = parent.get_mut(name)
        && child.as_str() == Some(old)
    {
        child.set_value(Some(Value::String(new.into())));
    }
}
