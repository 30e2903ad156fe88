//! Read and version read: `GET [root]/Appointment/{id}[/_history/{vid}]` (PROV-READ-01..04).

use crate::http::edge::answer::{Answer, Content};
use crate::http::edge::{Caller, CheckedRequest, Edge, RequestContext, store_refusal};
use crate::store::{Conflict, StoredAppointment};
use booking::ids::{ResourceId, VersionId};
use booking::refusal::{Refusal, Situation};
use booking::wire::query;
use fhir::Element;
use jiff::Timestamp;
use uuid::Uuid;

/// Answers a read or version read; a cancelled appointment is readable like any other.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    request: &CheckedRequest,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    query::only_format(&request.query)?;
    may_read(caller)?;
    let id = path_id(request)?;
    ctx.entry.appointment = Some(id.as_str().to_owned());
    let wanted = &request.matched.version;
    let number = match wanted {
        None => None,
        // Versions are written here as plain numbers; anything else names none of them.
        Some(vid) => Some(version_number(vid).ok_or_else(|| unknown_version(id, vid))?),
    };
    let stored = shown(edge, request, caller, id, number)?;
    let stored = stored.ok_or_else(|| match wanted {
        None => unknown(id),
        Some(vid) => unknown_version(id, vid),
    })?;
    ctx.durable = true;
    ctx.entry.version = Some(stored.version);
    Ok(of_stored(request, 200, stored))
}

/// A version id as number, in the only spelling that is used (`1`, not `01`).
fn version_number(vid: &VersionId) -> Option<u32> {
    vid.as_str()
        .parse::<u32>()
        .ok()
        .filter(|n| n.to_string() == vid.as_str())
}

/// The answer that carries a stored version, with its headers.
pub fn of_stored(request: &CheckedRequest, status: u16, stored: StoredAppointment) -> Answer {
    let version = version_id(stored.version);
    let url = request.version_url(&stored.id, &version);
    Answer {
        status,
        content: Content::Json(stored.json.into()),
        version: Some((version, stored.last_updated)),
        location: (status == 201
            || matches!(
                request.matched.interaction,
                booking::wire::interaction::Interaction::Cancel
            ))
        .then(|| url.clone()),
        content_location: Some(url),
    }
}

/// A version number as id.
pub fn version_id(number: u32) -> VersionId {
    VersionId::from_number(number)
}

/// The path's id; the route table has put it there.
pub fn path_id(request: &CheckedRequest) -> Result<&ResourceId, Refusal> {
    request
        .matched
        .id
        .as_ref()
        .ok_or_else(|| Refusal::new(Situation::Unexpected, "The route has no id."))
}

/// 404 for an appointment that was never made here.
pub fn unknown(id: &ResourceId) -> Refusal {
    Refusal::from(&Conflict::AppointmentUnknown(id.clone()))
}

fn unknown_version(id: &ResourceId, vid: &VersionId) -> Refusal {
    Refusal::new(
        Situation::AppointmentUnknown,
        format!("Appointment `{id}` has no version `{vid}`."),
    )
}

/// A version of an appointment, or the current one, if there is such a one that the caller is shown.
pub fn shown(
    edge: &Edge,
    request: &CheckedRequest,
    caller: &Caller,
    id: &ResourceId,
    version: Option<u32>,
) -> Result<Option<StoredAppointment>, Refusal> {
    let tenant = edge.store.tenant(request.tenant.key);
    let found = tenant.appointment(id, version).map_err(store_refusal)?;
    Ok(found.filter(|stored| is_shown(request, caller, stored)))
}

/// Whether the caller is shown appointments of this one's service, or booked this one: a trial and the real thing do not
/// see each other's bookings. What somebody booked they can always cancel, also when the service was marked afterwards.
pub fn is_shown(request: &CheckedRequest, caller: &Caller, stored: &StoredAppointment) -> bool {
    let catalogue = &request.tenant.catalogue;
    !catalogue.has_trial()
        || stored.booked_by == caller.ssp.from
        || catalogue.shows(&stored.service, &caller.facts).is_ok()
}

/// Refuses a caller whose right to read was taken away (ERR-07).
pub fn may_read(caller: &Caller) -> Result<(), Refusal> {
    match caller.facts.may_read {
        true => Ok(()),
        false => Err(Refusal::new(
            Situation::NotPermitted,
            format!(
                "{} may not read appointments here, by a local rule of the provider.",
                caller.facts.ods
            ),
        )),
    }
}

/// A Bundle of appointments as of now, with nothing in it yet.
pub fn bundle(kind: &str, now: Timestamp) -> Element {
    let updated = fhir::primitive::format_instant(now);
    Element::resource("Bundle")
        .with(Element::text("id", Uuid::new_v4().to_string()))
        .with(Element::new("meta").with(Element::text("lastUpdated", updated)))
        .with(Element::text("type", kind))
}
