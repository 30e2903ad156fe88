//! Read: `GET [root]/Appointment/{id}` (CONS-CAN-02).

use super::{PlanError, Request, Setting};
use booking::ids::{ResourceId, VersionId};
use booking::wire::interaction::Interaction;
use http::Method;

/// Asks for the current version.
pub fn plan(setting: &Setting, id: &ResourceId) -> Result<Request, PlanError> {
    let tail = format!("Appointment/{}", id.as_str());
    setting.request(Interaction::Read, Method::GET, &tail, None)
}

/// Asks for one version.
pub fn version(
    setting: &Setting,
    id: &ResourceId,
    version: &VersionId,
) -> Result<Request, PlanError> {
    let tail = format!("Appointment/{}/_history/{}", id.as_str(), version.as_str());
    setting.request(Interaction::VersionRead, Method::GET, &tail, None)
}
