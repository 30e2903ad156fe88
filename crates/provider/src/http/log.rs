//! Log lines of requests and refusals: ids of systems and messages, never of patients.

use super::edge::Exchange;
use crate::audit::Fault;
use crate::metrics::requests::Asked;
use booking::ids::{OdsCode, RequestId};
use booking::refusal::Refusal;
use booking::wire::interaction::Interaction;
use std::time::Duration;

/// One line a request, without patient data: the path is logged by interaction, not as it was sent.
pub fn request(x: &Exchange, asked: Asked, status: u16, took: Duration) {
    let (interaction, tenant) = (asked.name(), tenant(x));
    let asid = x.entry.asid_from.as_deref().unwrap_or("-");
    let organisation = x.entry.ods.as_deref().unwrap_or("-");
    let trace = x.entry.trace_id.as_deref().unwrap_or("-");
    let request = x.entry.request_id.as_ref().map_or("-", RequestId::as_str);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(status, interaction, tenant, asid, organisation, trace, request, id = %x.response_id, micros, "request");
}

/// One line an error, naming the system and organisation that sent the request (PROV-ERR-03). Expressions name
/// elements, never their values.
pub fn refusal(x: &Exchange, refusal: &Refusal) {
    let asid = x.entry.asid_from.as_deref().unwrap_or("-");
    let organisation = x.entry.ods.as_deref().unwrap_or("-");
    let trace = x.entry.trace_id.as_deref().unwrap_or("-");
    let request = x.entry.request_id.as_ref().map_or("-", RequestId::as_str);
    let fault = Fault::of(refusal).code();
    let interaction = x.entry.interaction.map_or("none", Interaction::name);
    let tenant = tenant(x);
    let first = refusal.findings.first();
    let at = first
        .and_then(|f| f.expression.as_deref().or(f.location.as_deref()))
        .unwrap_or("-");
    let (error, status, id) = (refusal.situation.row().id, refusal.status(), x.response_id);
    if status >= 500 {
        tracing::error!(error, status, interaction, tenant, asid, organisation, trace, request, fault, at, %id, why = refusal.log, "refused");
    } else {
        tracing::info!(error, status, interaction, tenant, asid, organisation, trace, request, fault, at, %id, "refused");
    }
}

fn tenant(x: &Exchange) -> &str {
    x.ods.as_ref().map_or("-", OdsCode::as_str)
}
