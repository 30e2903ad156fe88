//! Log lines of requests and refusals: ids of systems and messages, never of patients.

use crate::audit::Fault;
use crate::http::edge::RequestContext;
use crate::metrics::requests::RequestKind;
use booking::ids::{OdsCode, RequestId};
use booking::refusal::Refusal;
use booking::wire::interaction::Interaction;
use std::time::Duration;

/// One line a request, without patient data: the path is logged by interaction, not as it was sent.
pub fn request(ctx: &RequestContext, asked: RequestKind, status: u16, took: Duration) {
    let (interaction, tenant) = (asked.name(), tenant(ctx));
    let asid = ctx.entry.asid_from.as_deref().unwrap_or("-");
    let organisation = ctx.entry.ods.as_deref().unwrap_or("-");
    let trace = ctx.entry.trace_id.as_deref().unwrap_or("-");
    let request = ctx.entry.request_id.as_ref().map_or("-", RequestId::as_str);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(status, interaction, tenant, asid, organisation, trace, request, id = %ctx.response_id, micros, "request");
}

/// One line an error, naming the system and organisation that sent the request (PROV-ERR-03). Expressions name
/// elements, never their values.
pub fn refusal(ctx: &RequestContext, refusal: &Refusal) {
    let asid = ctx.entry.asid_from.as_deref().unwrap_or("-");
    let organisation = ctx.entry.ods.as_deref().unwrap_or("-");
    let trace = ctx.entry.trace_id.as_deref().unwrap_or("-");
    let request = ctx.entry.request_id.as_ref().map_or("-", RequestId::as_str);
    let fault = Fault::of(refusal).code();
    let interaction = ctx.entry.interaction.map_or("none", Interaction::name);
    let tenant = tenant(ctx);
    let first = refusal.findings.first();
    let at = first
        .and_then(|f| f.expression.as_deref().or(f.location.as_deref()))
        .map_or("-", place);
    let (error, status, id) = (
        refusal.situation.row().name(),
        refusal.status(),
        ctx.response_id,
    );
    if status >= 500 {
        tracing::error!(error, status, interaction, tenant, asid, organisation, trace, request, fault, at, %id, why = refusal.log, "refused");
    } else {
        tracing::info!(error, status, interaction, tenant, asid, organisation, trace, request, fault, at, %id, "refused");
    }
}

fn tenant(ctx: &RequestContext) -> &str {
    ctx.ods.as_ref().map_or("-", OdsCode::as_str)
}

/// Where a fault is, when its name is one that we know: a name that a sender made up may hold a patient's number.
fn place(at: &str) -> &str {
    let letters = |text: &str| {
        !text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphabetic())
    };
    let is_known = match at.strip_prefix("http.") {
        Some(name) => PLACES.iter().any(|known| known.eq_ignore_ascii_case(name)),
        // A path of elements: letters, each with its number.
        None => at.split('.').all(|step| {
            let (name, number) = step.split_once('[').unwrap_or((step, "0]"));
            let digits = number.strip_suffix(']').unwrap_or("");
            let counts = digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
            letters(name) && counts
        }),
    };
    if is_known { at } else { "other" }
}

/// Parameters and headers of the Standard.
const PLACES: &[&str] = &[
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Host",
    "If-Match",
    "Ssp-From",
    "Ssp-InteractionID",
    "Ssp-To",
    "Ssp-TraceID",
    "X-Request-ID",
    "_after",
    "_count",
    "_format",
    "_id",
    "_include",
    "_include:recurse",
    "_revinclude",
    "Appointment.participant.actor",
    "Appointment.participant.actor:Patient.identifier",
    "end",
    "identifier",
    "participant.actor:Patient.identifier",
    "patient",
    "patient.identifier",
    "patient:Patient.identifier",
    "schedule",
    "schedule.actor",
    "schedule.actor:healthcareservice",
    "schedule.actor:healthcareservice.identifier",
    "service",
    "start",
    "status",
    "version",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NFR-01, D-70
    #[test]
    fn only_names_that_are_known_are_logged() {
        for known in [
            "http.start",
            "http.ssp-from",
            "Appointment.contained[0].telecom[12].rank",
        ] {
            assert_eq!(place(known), known);
        }
        for made_up in [
            "http.patient=9990123454",
            "http.9990123454",
            "http.Testwell",
            "Appointment.x9990123454",
            "Appointment.contained[9990123454]",
            "9990123454",
            "",
        ] {
            assert_eq!(place(made_up), "other", "{made_up}");
        }
    }
}
