//! Inserts elements in FHIR's order, which XML readers check (D-06), and completes a received Appointment.

use crate::overrides::{Contained, states_profile};
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
    insert(parent, child, before);
}

/// Inserts a child after the last one that must precede it: its index.
fn insert(parent: &mut Element, child: Element, before: &[&str]) -> usize {
    let children = parent.children_mut();
    let last = children.iter().rposition(|c| before.contains(&c.name()));
    let at = last.map_or(0, |i| i + 1);
    children.insert(at, child);
    at
}

/// The child of a name, inserted in order if absent.
pub(crate) fn ensure<'a>(parent: &'a mut Element, name: &str, before: &[&str]) -> &'a mut Element {
    let known = parent.children().iter().position(|c| c.name() == name);
    let at = known.unwrap_or_else(|| insert(parent, Element::new(name), before));
    &mut parent.children_mut()[at]
}

/// Adds a resource's CareConnect profile to `meta.profile`. False: it is there already, or the type has none.
pub fn state_profile(resource: &mut Element) -> bool {
    let Some(profile) = resource.resource_type().and_then(crate::systems::profile) else {
        return false;
    };
    if states_profile(resource, profile) {
        return false;
    }
    let meta = ensure(resource, "meta", BEFORE_META);
    let before = ["id", "extension", "versionId", "lastUpdated", "profile"];
    insert(meta, Element::text("profile", profile).in_list(), &before);
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
