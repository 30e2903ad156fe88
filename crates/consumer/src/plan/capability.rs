//! Capability: `GET [root]/metadata` (CONS-SDS-03, D-50).

use super::{PlanError, Request, Setting};
use booking::wire::interaction::Interaction;
use http::Method;

/// Asks what the Provider serves, and which version of the Standard.
pub fn plan(setting: &Setting) -> Result<Request, PlanError> {
    setting.request(Interaction::Capability, Method::GET, "metadata", None)
}
