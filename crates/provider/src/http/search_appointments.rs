//! A patient's appointments: `GET [root]/Appointment?…` (PROV-SRCH-01..04).

use super::answer::{Answer, Content};
use super::edge::{Caller, Demand, Edge, Exchange, store_refusal, stored_tree};
use super::read;
use crate::store::{StoreError, StoredAppointment};
use booking::patient_summary;
use booking::refusal::Refusal;
use booking::wire::appointment_query::AppointmentQuery;
use fhir::Element;
use uuid::Uuid;

/// Most appointments in one answer; a patient with more upcoming bookings at one provider is a fault elsewhere.
const MOST: usize = 200;

/// Answers with a searchset of shortened appointments.
pub async fn run(
    edge: &Edge,
    x: &mut Exchange,
    demand: &Demand,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let query = AppointmentQuery::parse(&demand.query, &edge.zone)?;
    read::may_read(caller)?;
    x.durable = true;
    let found = find(edge, demand, &query).map_err(store_refusal)?;
    let mut bundle = Element::resource("Bundle")
        .with(Element::text("id", Uuid::new_v4().to_string()))
        .with(Element::new("meta").with(Element::text(
            "lastUpdated",
            fhir::primitive::format_instant(x.now),
        )))
        .with(Element::text("type", "searchset"));
    let mut entries = Vec::new();
    for stored in found {
        let tree = stored_tree(&stored.json)?;
        if !query.covers(&tree, x.now) || !read::is_shown(edge, demand, caller, &stored.id)? {
            continue;
        }
        // A fullUrl never names a version (bdl-8, D-51); the identifier does.
        let url = format!("{}/Appointment/{}", demand.tenant.root, stored.id);
        let of_version = format!("{url}/_history/{}", stored.version);
        entries.push(
            Element::new("entry")
                .with(Element::text("fullUrl", url))
                .with(patient_summary::search_entry(&tree, &of_version).named("resource"))
                .with(Element::new("search").with(Element::text("mode", "match"))),
        );
    }
    x.entry.appointments_returned = Some(entries.len() as u32);
    bundle.push(Element::number("total", entries.len().to_string()));
    bundle.push(
        Element::new("link")
            .with(Element::text("relation", "self"))
            .with(Element::text(
                "url",
                format!("{}/Appointment?{}", demand.tenant.root, query.self_query),
            )),
    );
    bundle.children_mut().extend(entries);
    Ok(Answer::ok(Content::Tree(bundle)))
}

fn find(
    edge: &Edge,
    demand: &Demand,
    query: &AppointmentQuery,
) -> Result<Vec<StoredAppointment>, StoreError> {
    let tenant = demand.tenant.key;
    let by_id = |id: &booking::ids::ResourceId| -> Result<Vec<StoredAppointment>, StoreError> {
        let version = match &query.version {
            None => None,
            Some(vid) => match read::version_number(vid) {
                None => return Ok(Vec::new()),
                number => number,
            },
        };
        Ok(edge
            .store
            .appointment(tenant, id, version)?
            .into_iter()
            .collect())
    };
    match (&query.id, &query.nhs_number) {
        (Some(id), None) => by_id(id),
        (None, Some(number)) => edge.store.appointments_of(tenant, number, MOST),
        (Some(id), Some(number)) => {
            // Both: the appointment must be this patient's.
            let of_patient = edge.store.appointments_of(tenant, number, MOST)?;
            Ok(by_id(id)?
                .into_iter()
                .filter(|a| of_patient.iter().any(|b| b.id == a.id))
                .collect())
        }
        (None, None) => Ok(Vec::new()),
    }
}
