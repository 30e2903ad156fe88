//! Cancel: `PUT [root]/Appointment/{id}` with the document as read, except `status` (CONS-CAN-02).

use super::{PlanError, Request, Setting};
use booking::ids::ResourceId;
use booking::wire::interaction::Interaction;
use fhir::{Element, Value};
use http::Method;
use http::header::IF_MATCH;

/// Builds the cancellation of `read`, the Appointment that the Provider gave under the ETag `etag`.
pub fn plan(
    setting: &Setting,
    id: &ResourceId,
    read: &Element,
    etag: &str,
) -> Result<Request, PlanError> {
    let tail = format!("Appointment/{}", id.as_str());
    let mut request = setting.request(
        Interaction::Cancel,
        Method::PUT,
        &tail,
        Some(cancelled(read)),
    )?;
    request
        .headers
        .insert(IF_MATCH, super::header("If-Match", etag)?);
    Ok(request)
}

/// The same document with `status` `cancelled`; all else stays, even unknown content. A contained resource without profile
/// gets one: the message rules require it, and no Provider compares `meta` (PROV-CAN-02).
pub fn cancelled(read: &Element) -> Element {
    let mut document = read.clone();
    match document.get_mut("status") {
        // The element keeps its own id and extensions.
        Some(status) => status.set_value(Some(Value::String("cancelled".into()))),
        None => document.push(Element::text("status", "cancelled")),
    }
    for child in document.children_mut() {
        if child.name() == "contained" {
            booking::state_profile(child);
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: CONS-CAN-02
    #[test]
    fn a_contained_resource_states_its_profile_and_nothing_else_changes() {
        let slot = Element::resource("Slot").with(Element::text("id", "s-1"));
        let read = Element::resource("Appointment")
            .with(slot.named("contained").in_list())
            .with(Element::text("status", "booked"))
            .with(Element::text("unknown", "kept"));
        let sent = cancelled(&read);
        let profile = sent.at("contained.meta.profile").and_then(Element::as_str);
        assert_eq!(profile, booking::systems::profile("Slot"));
        assert_eq!(sent.str_of("status"), Some("cancelled"));
        assert_eq!(sent.str_of("unknown"), Some("kept"));
        assert_eq!(cancelled(&sent), sent, "once is enough");
    }
}
