//! Book: `POST [root]/Appointment` (PROV-BOOK-01..13).

use crate::http::edge::answer::Answer;
use crate::http::edge::tenants::TenantView;
use crate::http::edge::{Caller, CheckedRequest, Edge, Failure, RequestContext, write_request};
use crate::http::interactions::read;
use crate::store::{Booking, Claimed, Conflict, DecideBooking, PlacedSlot, WriteError};
use booking::appointment::BookingRequest;
use booking::ids::ResourceId;
use booking::refusal::{Refusal, Situation};
use booking::rules::release::ConsumerFacts;
use booking::rules::{book, release};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// How often a booking starts again because the diary's declarations changed under it.
const TRIES: usize = 3;

/// Answers a booking: 201 with the stored appointment, or the reason why nothing was booked.
pub async fn run(
    edge: &Edge,
    ctx: &mut RequestContext,
    checked: CheckedRequest,
    caller: Caller,
) -> Result<Answer, Failure> {
    let mut intent = Some(edge.store.tenant(checked.tenant.key).announce());
    let parsed = checked.tree(edge.settings.limits.body_bytes)?;
    let mut request = BookingRequest::read_as(parsed, caller.standard)?;
    ctx.entry.consumer_faults = request
        .faults
        .iter()
        .map(|f| format!("{}: {}", f.expression, f.message))
        .collect();
    ctx.entry.document = request.document_id.clone();
    if !caller.facts.may_book {
        return Err(not_permitted(&release::Withheld::ConsumerMayNotBook, &caller.facts).into());
    }
    let id = ResourceId::parse(&Uuid::now_v7().to_string()).map_err(|e| {
        Refusal::new(Situation::Unexpected, "No id could be made.").log(e.to_string())
    })?;
    ctx.entry.appointment = Some(id.as_str().to_owned());
    // Made before the slot is looked at, so that the one writer need not: mostly it is stored.
    // Nothing behind this asks for the document as it was sent.
    let sent = std::mem::take(&mut request.document);
    let local = checked
        .tenant
        .catalogue
        .declared
        .provider
        .local_patient_identifiers;
    let local = (local && request.nhs_number.is_none()).then_some(id.as_str());
    let document = book::stored_document(sent, &id, ctx.now, local);
    let json = Bytes::from(fhir::json::write(&document));
    let request = Arc::new(request);
    let mut tenant = checked.tenant.clone();
    for _ in 0..TRIES {
        let booking = Booking {
            slot: request.slot.uuid(),
            id: id.clone(),
            json: json.clone(),
            nhs_number: request.nhs_number.clone(),
            document_id: request.document_id.clone(),
            declared: Some(tenant.version),
            claimed: match &caller.facts {
                facts if !facts.ods_believed => Claimed::Organization,
                facts if facts.asid.is_none() => Claimed::System,
                _ => Claimed::Nothing,
            },
            kind: caller.facts.kind.clone(),
            request: write_request(ctx, &checked, &caller, 201),
            decide: rule(&request, &tenant, &caller.facts, ctx.now),
        };
        drop(intent.take());
        match edge.store.tenant(tenant.key).book(booking).await {
            Ok(stored) => return Ok(read::of_stored(&checked, 201, stored)),
            // Nothing of it is recorded: this try refused nobody.
            Err(WriteError::DiaryChanged) => {
                tenant = match edge.tenants.find(&edge.store, &checked.matched.ods).await? {
                    Some(current) => current.view,
                    None => break,
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
    ctx.entry.appointment = None;
    Err(WriteError::DiaryChanged.into())
}

/// The rule of a booking: the claim fits the slot as it is, and a service of the slot permits the caller. Rules that were
/// read before the last change of the diary decide nothing ([`WriteError::DiaryChanged`]).
fn rule(
    request: &Arc<BookingRequest>,
    tenant: &Arc<TenantView>,
    facts: &ConsumerFacts,
    now: Timestamp,
) -> DecideBooking {
    let (request, tenant, facts) = (request.clone(), tenant.clone(), facts.clone());
    Box::new(move |placed, count| {
        let snapshot = placed.map(PlacedSlot::snapshot);
        book::check_claim(&request, snapshot.as_ref(), now)?;
        let Some(placed) = placed else {
            return Err(Refusal::from(&Conflict::SlotUnknown));
        };
        tenant
            .catalogue
            .service_for_booking(placed, &facts, now, count)
            .map_err(|withheld| not_permitted(&withheld, &facts))
    })
}

/// 403 for a slot that this consumer may not book (ERR-07).
fn not_permitted(withheld: &release::Withheld, who: &ConsumerFacts) -> Refusal {
    Refusal::new(
        Situation::NotPermitted,
        format!(
            "{} may not book this slot: {}",
            who.ods,
            withheld.sentence()
        ),
    )
}
