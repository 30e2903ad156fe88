//! Cancel: `PUT [root]/Appointment/{id}` (PROV-CAN-01..11).

use crate::http::edge::answer::Answer;
use crate::http::edge::{
    Caller, CheckedRequest, Edge, Failure, RequestContext, stored_tree, write_request,
};
use crate::http::interactions::read;
use crate::store::{Cancellation, Conflict, StoredAppointment};
use booking::appointment::check_update;
use booking::refusal::{Refusal, Situation};
use booking::rules::cancel;
use booking::wire::headers::IfMatch;

/// Answers a cancellation: 200 with the new version, or the reason why nothing changed.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    checked: CheckedRequest,
    caller: Caller,
    if_match: &IfMatch,
) -> Result<Answer, Failure> {
    let intent = edge.store.tenant(checked.tenant.key).announce();
    let id = read::path_id(&checked)?.clone();
    ctx.entry.appointment = Some(id.as_str().to_owned());
    let parsed = checked.tree(edge.settings.limits.body_bytes)?;
    let submitted = cancel::read(parsed, &id)?;
    let current = read::shown(edge, &checked, &caller, &id, None)?;
    let expected = expected_version(if_match, &current.ok_or_else(|| read::unknown(&id))?)?;
    let submitted = check_update(submitted)?;
    if !caller.facts.may_cancel {
        return Err(Refusal::new(
            Situation::NotPermitted,
            format!(
                "{} may not cancel appointments here, by a local rule of the provider.",
                caller.facts.ods
            ),
        )
        .into());
    }
    let now = ctx.now;
    let change = Cancellation {
        id,
        expected,
        request: write_request(ctx, &checked, &caller, 200),
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
    drop(intent);
    let stored = edge.store.tenant(checked.tenant.key).cancel(change).await?;
    Ok(read::of_stored(&checked, 200, stored))
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
