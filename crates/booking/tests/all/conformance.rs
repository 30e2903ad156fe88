//! The profiles with the overrides, as `uec validate` and the assurance use them.

use super::messages;
use super::messages::{booking, parse, published_form};
use booking::careconnect::conformance;
use fhir::{Element, Issue};
use serde_json::json;

fn errors(issues: &[Issue]) -> Vec<String> {
    issues
        .iter()
        .filter(|i| i.is_error())
        .map(ToString::to_string)
        .collect()
}

/// Proves: RES-APPT-02, PROV-GEN-14
#[test]
fn the_profiles_load_and_good_messages_have_no_error() {
    assert_eq!(conformance().fault(), None);
    for mut message in [booking(), published_form()] {
        for status in ["booked", "cancelled"] {
            message["status"] = json!(status);
            message["id"] = json!("a-1");
            let issues = conformance().check(&parse(&message).root);
            assert_eq!(errors(&issues), Vec::<String>::new());
        }
    }
}

/// Proves: RES-APPT-05, RES-PAT-04, ERR-17
#[test]
fn profiles_and_overrides_are_both_applied_and_name_a_place_once() {
    let mut message = booking();
    message["status"] = json!("nonsense");
    message["contained"][1]["name"] = json!([]);
    message["contained"][1]
        .as_object_mut()
        .unwrap()
        .remove("name");
    message["minutesDuration"] = json!(-5);
    let issues = conformance().check(&parse(&message).root);
    let at = |path: &str| {
        issues
            .iter()
            .filter(|i| i.is_error() && i.expression == path)
            .count()
    };
    assert_eq!(at("Appointment.status"), 1, "{issues:?}");
    assert_eq!(at("Appointment.contained[1].name"), 1, "{issues:?}");
    assert!(at("Appointment.minutesDuration") >= 1, "{issues:?}");
}

/// Proves: RES-GEN-01
#[test]
fn other_resources_are_checked_against_their_profiles() {
    let slot = messages::slot();
    assert_eq!(
        errors(&conformance().check(&parse(&slot).root)),
        Vec::<String>::new()
    );
    let empty = Element::resource("Slot");
    let found = errors(&conformance().check(&empty));
    assert!(found.iter().any(|e| e.contains("Slot.start")), "{found:?}");
}
