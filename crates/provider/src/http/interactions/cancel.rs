//! Cancel: `PUT [root]/Appointment/{id}` (PROV-CAN-01..11).

use crate::http::edge::answer::Answer;
use crate::http::edge::{Caller, CheckedRequest, Edge, RequestContext, store_refusal, stored_tree};
use crate::http::interactions::read;
use crate::store::{Cancellation, Conflict, StoredAppointment, WriteError};
use booking::appointment::check_update;
use booking::refusal::{Refusal, Situation};
use booking::rules::cancel;
use booking::wire::headers::IfMatch;

/// Answers a cancellation: 200 with the new version, or the reason why nothing changed.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    request: CheckedRequest,
    caller: Caller,
) -> Result<Answer, Refusal> {
    let coming = edge.store.tenant(request.tenant.key).announce();
    let id = read::path_id(&request)?.clone();
    ctx.entry.appointment = Some(id.as_str().to_owned());
    let parsed = request.tree(edge.settings.limits.body_bytes)?;
    let readable = cancel::read(parsed, &id)?;
    read::shown(edge, &request, &caller, &id)?;
    let current = edge
        .store
        .tenant(request.tenant.key)
        .appointment(&id, None)
        .map_err(store_refusal)?
        .ok_or_else(|| read::unknown(&id))?;
    let expected = expected_version(&request.if_match, &current)?;
    let submitted = check_update(readable)?;
    if !caller.facts.may_cancel {
        return Err(Refusal::new(
            Situation::NotPermitted,
            format!(
                "{} may not cancel appointments here, by a local rule of the provider.",
                caller.facts.ods
            ),
        ));
    }
    let now = ctx.now;
    ctx.recorded = true;
    let change = Cancellation {
        id: id.clone(),
        expected,
        asid: caller.ssp.from.clone(),
        ods: caller.claims.organization.ods.clone(),
        request_id: request.request_id.clone(),
        at: now,
        received: Some(request.body.clone()),
        entry: ctx.entry.clone(),
        decide: Box::new(move |stored: &StoredAppointment| {
            let tree = stored_tree(&stored.json)?;
            cancel::check_cancel(&tree, &submitted, now)?;
            Ok(fhir::json::write(&cancel::cancelled_document(
                &tree,
                stored.version + 1,
                stored.next_at(now),
            )))
        }),
    };
    drop(coming);
    match edge.store.tenant(request.tenant.key).cancel(change).await {
        Ok(stored) => Ok(read::of_stored(&request, 200, stored)),
        Err(WriteError::Refused(refusal)) => Err(refusal),
        Err(WriteError::Store(error)) => {
            ctx.recorded = false;
            Err(store_refusal(error))
        }
        // What is declared has no part in a cancellation.
        Err(WriteError::DiaryChanged) => {
            ctx.recorded = false;
            Err(Refusal::new(Situation::Unexpected, "An unexpected fault."))
        }
    }
}

/// Step 7: `If-Match` is there (412) and names the current version (409); both come before any look at
/// differences (PROV-CAN-03, PROV-CAN-04). The transaction compares the version again.
fn expected_version(if_match: &IfMatch, current: &StoredAppointment) -> Result<u32, Refusal> {
    let given = match if_match {
        IfMatch::Missing => {
            return Err(Refusal::new(
                Situation::VersionMissing,
                "The header If-Match is missing: read the appointment and send its ETag.",
            )
            .location("http.If-Match"));
        }
        IfMatch::Version(given) | IfMatch::Malformed(given) => given,
    };
    let is_current = matches!(if_match, IfMatch::Version(v) if *v == current.version.to_string());
    match is_current {
        true => Ok(current.version),
        false => Err(conflict(given, current)),
    }
}

/// 409 that names both versions (ERR-12).
pub fn conflict(given: &str, current: &StoredAppointment) -> Refusal {
    let given: String = given
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(64)
        .collect();
    let current = current.version;
    Refusal::from(&Conflict::OtherVersion { given, current })
}
