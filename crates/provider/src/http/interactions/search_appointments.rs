//! A patient's appointments: `GET [root]/Appointment?…` (PROV-SRCH-01..04).

use crate::http::edge::answer::{Answer, Content};
use crate::http::edge::{Caller, CheckedRequest, Edge, RequestContext, store_refusal, stored_tree};
use crate::http::interactions::read;
use crate::store::{
    AppointmentCursor, AppointmentFilter, AppointmentStatus, FoundAppointments, StoreError,
};
use booking::patient_summary;
use booking::refusal::{Refusal, Situation};
use booking::wire::appointment_query::{AppointmentQuery, MAX_ENTRIES};
use fhir::Element;
use jiff::{SignedDuration, Timestamp};

/// Milliseconds are stored.
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

/// Answers with a searchset of shortened appointments.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    request: &CheckedRequest,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let query = AppointmentQuery::parse(&request.query, &edge.zone)?;
    let after = match &query.after {
        None => None,
        Some(text) => Some(AppointmentCursor::parse(text).ok_or_else(unknown_place)?),
    };
    read::may_read(caller)?;
    ctx.durable = true;
    let found = find(edge, request, caller, (&query, after), ctx.now).map_err(store_refusal)?;
    let mut bundle = read::bundle("searchset", ctx.now);
    let mut entries = Vec::new();
    for stored in found.page {
        let tree = stored_tree(&stored.json)?;
        // A fullUrl never names a version (bdl-8, D-51); the identifier does.
        let url = format!("{}/Appointment/{}", request.tenant.root, stored.id);
        let of_version = format!("{url}/_history/{}", stored.version);
        entries.push(
            Element::new("entry")
                .with(Element::text("fullUrl", url))
                .with(patient_summary::search_entry(&tree, &of_version).named("resource"))
                .with(Element::new("search").with(Element::text("mode", "match"))),
        );
    }
    ctx.entry.appointments_returned = Some(entries.len() as u32);
    bundle.push(Element::number("total", found.total.to_string()));
    let link = |relation: &str, page: &str| {
        Element::new("link")
            .with(Element::text("relation", relation))
            .with(Element::text(
                "url",
                format!("{}/Appointment?{page}", request.tenant.root),
            ))
    };
    bundle.push(link("self", &query.page_query(query.after.as_deref())));
    if let Some(next) = found.next {
        bundle.push(link("next", &query.page_query(Some(&next.to_string()))));
    }
    bundle.children_mut().extend(entries);
    Ok(Answer::ok(Content::Tree(bundle)))
}

fn unknown_place() -> Refusal {
    Refusal::new(
        Situation::InvalidParameter,
        "The value of `_after` is not one of this server's links.",
    )
    .location("http._after")
}

fn find(
    edge: &Edge,
    request: &CheckedRequest,
    caller: &Caller,
    (query, after): (&AppointmentQuery, Option<AppointmentCursor>),
    now: Timestamp,
) -> Result<FoundAppointments, StoreError> {
    let tenant = request.tenant.key;
    let nothing = FoundAppointments {
        page: Vec::new(),
        total: 0,
        next: None,
    };
    // The states that are stored: another one that is asked for finds nothing.
    let stored = [AppointmentStatus::Booked, AppointmentStatus::Cancelled];
    let asked: Vec<AppointmentStatus> = stored
        .into_iter()
        .filter(|s| query.statuses.is_empty() || query.statuses.contains(&s.code()))
        .collect();
    if asked.is_empty() || (query.id.is_none() && query.nhs_number.is_none()) {
        return Ok(nothing);
    }
    let shown = request
        .tenant
        .catalogue
        .shown_to(&caller.facts, &caller.ssp.from);
    let named = query.id.as_ref().zip(query.version);
    let filter = AppointmentFilter {
        patient: query.nhs_number.as_ref(),
        id: query.id.as_ref(),
        status: match (named, asked.as_slice()) {
            (None, [only]) => Some(*only),
            _ => None,
        },
        version: query.version.filter(|_| named.is_none()),
        from: query.lower.map(|b| first_millisecond(b.at, !b.inclusive)),
        before: query.upper.map(|b| first_millisecond(b.at, b.inclusive)),
        ends_after: query.only_to_come().then_some(now),
        shown: shown.as_ref(),
    };
    let limit = query.count.unwrap_or(MAX_ENTRIES);
    let mut found = edge
        .store
        .tenant(tenant)
        .find_appointments(&filter, after, limit)?;
    if limit == 0 {
        // Only the number was asked for.
        found.next = None;
    }
    let Some((id, version)) = named.filter(|_| !found.page.is_empty()) else {
        return Ok(found);
    };
    let version = edge.store.tenant(tenant).appointment(id, Some(version))?;
    let page: Vec<_> = version
        .into_iter()
        .filter(|v| asked.contains(&v.status))
        .collect();
    Ok(FoundAppointments {
        total: page.len() as u64,
        page,
        next: None,
    })
}

/// The first whole millisecond that is not before a moment, or with `after`, that is after it.
fn first_millisecond(at: Timestamp, after: bool) -> Timestamp {
    let whole = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    match whole == at && !after {
        true => whole,
        false => whole.checked_add(MILLISECOND).unwrap_or(whole),
    }
}
