//! Book: `POST [root]/Appointment` (PROV-BOOK-01..13).

use crate::http::edge::answer::Answer;
use crate::http::edge::tenants::TenantView;
use crate::http::edge::{Caller, CheckedRequest, Edge, RequestContext, store_refusal};
use crate::http::interactions::read;
use crate::store::{Accepted, Booking, Claimed, Conflict, PlacedSlot, WriteError};
use booking::appointment::BookingRequest;
use booking::ids::ResourceId;
use booking::refusal::{Refusal, Situation};
use booking::rules::{book, release};
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
) -> Result<Answer, Refusal> {
    let mut coming = Some(edge.store.tenant(checked.tenant.key).announce());
    let parsed = checked.tree(edge.settings.limits.body_bytes)?;
    let mut request = BookingRequest::read_as(parsed, caller.standard)?;
    ctx.entry.consumer_faults = request
        .faults
        .iter()
        .map(|f| format!("{}: {}", f.expression, f.message))
        .collect();
    ctx.entry.document = request.document_id.clone();
    if !caller.facts.may_book {
        return Err(not_permitted(
            &release::Withheld::ConsumerMayNotBook,
            &caller,
        ));
    }
    let id = ResourceId::parse(&Uuid::now_v7().to_string()).map_err(|e| {
        Refusal::new(Situation::Unexpected, "No id could be made.").log(e.to_string())
    })?;
    ctx.entry.appointment = Some(id.as_str().to_owned());
    // Made before the slot is looked at, so that the one writer need not: mostly it is stored.
    // Nothing behind this asks for the document as it was sent.
    let sent = std::mem::take(&mut request.document);
    let local = checked.tenant.catalogue.provider.local_patient_identifiers;
    let local = (local && request.nhs_number.is_none()).then_some(id.as_str());
    let document = book::stored_document(sent, &id, ctx.now, local);
    let document = fhir::json::write(&document);
    let attempt = Arc::new(Attempt {
        request,
        caller,
        document,
    });
    let mut tenant = checked.tenant.clone();
    for _ in 0..TRIES {
        let booking = transaction(ctx, &checked, &tenant, &attempt, &id);
        drop(coming.take());
        ctx.recorded = true;
        match edge.store.tenant(tenant.key).book(booking).await {
            Ok(stored) => return Ok(read::of_stored(&checked, 201, stored)),
            // Nothing of it is recorded: this try refused nobody.
            Err(WriteError::DiaryChanged) => {
                ctx.recorded = false;
                tenant = match edge.tenants.find(&edge.store, &checked.matched.ods).await? {
                    Some(current) => current.view,
                    None => break,
                };
            }
            Err(WriteError::Refused(refusal)) => return Err(refusal),
            Err(WriteError::Store(error)) => {
                ctx.recorded = false;
                return Err(store_refusal(error));
            }
        }
    }
    ctx.entry.appointment = None;
    Err(Refusal::new(
        Situation::Unavailable,
        "The diary is being changed at this moment; try again in a second.",
    ))
}

/// What a booking is tried with; a second try takes it again.
struct Attempt {
    request: BookingRequest,
    caller: Caller,
    /// The Appointment to be stored, as JSON.
    document: Vec<u8>,
}

/// What the store does in one transaction: it hands the slot as it is to the rules and writes what they decide. Rules
/// that were read before the last change of the diary decide nothing ([`WriteError::DiaryChanged`]).
fn transaction(
    ctx: &RequestContext,
    checked: &CheckedRequest,
    tenant: &Arc<TenantView>,
    attempt: &Arc<Attempt>,
    id: &ResourceId,
) -> Booking {
    let now = ctx.now;
    let (request, caller) = (&attempt.request, &attempt.caller);
    let (attempt, tenant) = (attempt.clone(), tenant.clone());
    Booking {
        slot: request.slot.uuid(),
        id: id.clone(),
        nhs_number: request.nhs_number.clone(),
        document_id: request.document_id.clone(),
        asid: caller.ssp.from.clone(),
        ods: caller.claims.organization.ods.clone(),
        declared: Some(tenant.version),
        claimed: match &caller.facts {
            facts if !facts.ods_believed => Claimed::Organization,
            facts if facts.asid.is_none() => Claimed::System,
            _ => Claimed::Nothing,
        },
        kind: caller.facts.kind.clone(),
        request_id: checked.request_id.clone(),
        at: now,
        received: Some(checked.body.clone()),
        entry: ctx.entry.clone(),
        decide: Box::new(move |placed, counts| {
            let snapshot = placed.map(PlacedSlot::snapshot);
            book::check_claim(&attempt.request, snapshot.as_ref(), now)?;
            let Some(placed) = placed else {
                return Err(Refusal::from(&Conflict::SlotUnknown));
            };
            let service = tenant
                .catalogue
                .service_for_booking(placed, &attempt.caller.facts, now, counts)
                .map_err(|withheld| not_permitted(&withheld, &attempt.caller))?;
            Ok(Accepted {
                document: attempt.document.clone(),
                service,
            })
        }),
    }
}

/// 403 for a slot that this consumer may not book (ERR-07).
fn not_permitted(withheld: &release::Withheld, caller: &Caller) -> Refusal {
    Refusal::new(
        Situation::NotPermitted,
        format!(
            "{} may not book this slot: {}",
            caller.facts.ods,
            withheld.sentence()
        ),
    )
}
