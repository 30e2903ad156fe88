//! The resources that the simulator answers with, besides Appointments (RES-SLOT, RES-SCH, RES-HCS, RES-LOC, RES-ORG,
//! RES-PRA, RES-ROL, RES-CAP). All but the slots stand in `resources.json`. Everybody and every place is invented.

use booking::systems;
use fhir::Element;
use fhir::primitive::format_instant;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::diary::{CHANNELS, Slot, schedule_id};

const TEXT: &str = include_str!("resources.json");

/// The resources by their names. A test reads the same text, so that it is never empty.
static RESOURCES: LazyLock<HashMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(TEXT).unwrap_or_default());

/// A resource of `resources.json`, for a service. Those whose names begin with `bare-` name no people and no place.
pub(super) fn made(name: &str, service: &str) -> Element {
    let text = RESOURCES.get(name).map(Value::to_string);
    let text = text.unwrap_or_default().replace("{service}", service);
    let text = text.replace("{version}", env!("CARGO_PKG_VERSION"));
    let read = fhir::json::parse(text.as_bytes(), &fhir::Limits::default());
    // A test reads every one of them.
    read.map_or_else(|_| Element::resource(name), |parsed| parsed.root)
}

/// A Slot: written by hand, as there may be ten thousand of them.
pub(super) fn slot(slot: &Slot, service: &str) -> Element {
    let channel = CHANNELS[slot.schedule % CHANNELS.len()];
    let channel = Element::new("extension")
        .in_list()
        .with(Element::text("url", systems::DELIVERY_CHANNEL))
        .with(Element::text("valueCode", channel));
    let identifier = Element::new("identifier")
        .in_list()
        .with(Element::text("system", systems::UUID))
        .with(Element::text("value", &slot.id));
    let profile = systems::profile("Slot").unwrap_or_default();
    // Relative, as consumers' checkers want it (PROV-SLOT-16).
    let schedule = format!("Schedule/{}", schedule_id(service, slot.schedule));
    let status = if slot.free { "free" } else { "busy" };
    Element::resource("Slot")
        .with(Element::text("id", &slot.id))
        .with(Element::new("meta").with(Element::text("profile", profile).in_list()))
        .with(channel)
        .with(identifier)
        .with(Element::new("schedule").with(Element::text("reference", schedule)))
        .with(Element::text("status", status))
        .with(Element::text("start", format_instant(slot.start)))
        .with(Element::text("end", format_instant(slot.end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_conforms() {
        let names: HashMap<String, Value> = serde_json::from_str(TEXT).unwrap();
        assert_eq!(names.len(), 13);
        for name in names.keys() {
            let resource = made(name, "999999999");
            let written = fhir::json::write(&resource);
            let read = fhir::json::parse(&written, &fhir::Limits::default()).unwrap();
            assert!(!read.has_errors(), "{:?}", read.issues);
            let mut issues = booking::careconnect::conformance().check(&resource);
            issues.retain(fhir::Issue::is_error);
            assert!(issues.is_empty(), "{name}: {issues:?}");
        }
    }
}
