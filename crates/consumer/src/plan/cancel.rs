//! Cancel: `PUT [root]/Appointment/{id}` with the document that was read, `status` changed and nothing else
//! (CONS-CAN-02).

use super::{PlanError, Request, Setting};
use booking::ids::ResourceId;
use booking::wire::interaction::Interaction;
use fhir::{Element, Value};
use http::Method;
use http::header::IF_MATCH;

/// Asks to cancel `read`, which is the Appointment as the Provider gave it under the ETag `etag`.
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

/// The same document with `status` `cancelled`; everything else stays, content that nobody here knows too.
pub fn cancelled(read: &Element) -> Element {
    let mut document = read.clone();
    match document.get_mut("status") {
        // The element keeps its own id and extensions.
        Some(status) => status.set_value(Some(Value::String("cancelled".into()))),
        None => document.push(Element::text("status", "cancelled")),
    }
    document
}
