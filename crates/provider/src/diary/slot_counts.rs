//! Counts a diary's slots by state, for staff and metrics. Free slots of closed days count separately.

use super::catalogue::Catalogue;
use super::generate::{day_start, london_date};
use super::slots::{Selection, SlotsError, catalogue, resolve};
use crate::store::{SlotCounts, SlotFilter, Store, StoreError};
use booking::ids::{OdsCode, ServiceId};
use jiff::Timestamp;
use serde::Serialize;

/// Slots of a selection, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DiaryCounts {
    /// Free and offered.
    pub free: u64,
    /// Free and not held back, but on a closed day, so not offered (D-87).
    pub closed: u64,
    /// Free and held back.
    pub held: u64,
    /// Busy.
    pub busy: u64,
    /// Busy-unavailable, busy-tentative or entered in error.
    pub other: u64,
    /// All of them.
    pub total: u64,
}

/// Counts the slots of a selection.
pub fn count(
    store: &Store,
    ods: &OdsCode,
    selection: &Selection,
    now: Timestamp,
) -> Result<DiaryCounts, SlotsError> {
    let catalogue = catalogue(store, ods)?;
    let filter = resolve(store, &catalogue, selection, now)?;
    let SlotCounts {
        free,
        held,
        busy,
        other,
    } = store.tenant(catalogue.tenant.key).count_slots(&filter)?;
    let closed = count_closed(store, &catalogue, &filter, selection.service.as_ref())?;
    Ok(DiaryCounts {
        // A booking may fall between the two counts.
        free: free.saturating_sub(closed),
        closed,
        held,
        busy,
        other,
        total: free + held + busy + other,
    })
}

/// Counts free slots of a filter, not held back, that start on a closed day of one service, or of all services of their
/// diary.
pub(crate) fn count_closed(
    store: &Store,
    catalogue: &Catalogue,
    filter: &SlotFilter,
    service: Option<&ServiceId>,
) -> Result<u64, StoreError> {
    let tenant = catalogue.tenant.key;
    if catalogue.declared.closures.is_empty() {
        return Ok(0);
    }
    // A closure may be open-ended; the slots limit the days.
    let Some((first, last)) = store.tenant(tenant).slot_span(filter)? else {
        return Ok(0);
    };
    let (first, last) = (london_date(first), london_date(last));
    let mut closed = 0;
    for key in &filter.schedules {
        let Some(diary) = catalogue.schedule_of_key(*key) else {
            continue;
        };
        let services = service.map_or(&diary.services[..], std::slice::from_ref);
        for (from, to) in
            catalogue
                .closures()
                .spans_of_diary(services, diary.location.as_deref(), first, last)
        {
            let (from, to) = (day_start(from), day_start(to));
            let narrowed = SlotFilter {
                schedules: vec![*key],
                from: Some(filter.from.map_or(from, |f| f.max(from))),
                to: Some(filter.to.map_or(to, |t| t.min(to))),
                ..filter.clone()
            };
            closed += store.tenant(tenant).count_slots(&narrowed)?.free;
        }
    }
    Ok(closed)
}
