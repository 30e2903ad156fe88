//! Searches slots, and finds the next free times of several services (CONS-SLOT-01..10, CONS-DOS-02).

use super::capability::PATIENCE;
use super::{Consultation, Target, faults, success, timeframe};
use crate::journal::{ShownSlot, StepId};
use crate::obstacle::Obstacle;
use crate::plan::{Route, search_slots};
use crate::slots::{FreeSlot, SearchPages, SlotList, next_tail, page_key};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use search_slots::Window;

/// Most pages of one search: a thousand slots of a Provider with fifty per page.
const MAX_PAGES: usize = 20;
/// Most parallel searches for a list of services. A list has about ten services; more at once would burden the SSP for
/// little gain.
const AT_ONCE: usize = 6;
/// Most services in one lookup.
const MAX_SERVICES: usize = 50;
/// Default span of a search, hours: that of the Standard's own tests.
const DEFAULT_HOURS: i64 = 72;

/// The criteria of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotSearch {
    /// When the wanted slots start.
    pub window: Window,
}

impl SlotSearch {
    /// The next three days.
    pub fn soon() -> SlotSearch {
        SlotSearch::hours(DEFAULT_HOURS)
    }

    /// The next hours.
    pub fn hours(hours: i64) -> SlotSearch {
        let from = Timestamp::now();
        let until = SignedDuration::try_from_hours(hours.max(1))
            .and_then(|span| from.checked_add(span).ok())
            .unwrap_or(from);
        SlotSearch {
            window: Window { from, until },
        }
    }

    /// From now until well after a slot that was taken.
    pub(super) fn around(start: Timestamp) -> SlotSearch {
        let mut search = SlotSearch::soon();
        let behind = start.checked_add(SignedDuration::from_hours(24));
        search.window.until = search.window.until.max(behind.unwrap_or(start));
        search
    }
}

/// A free slot with its relation to the encounter's timeframe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The slot.
    #[serde(flatten)]
    pub slot: FreeSlot,
    /// Whether it is within the timeframe; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_timeframe: Option<bool>,
}

/// The next free time of a service.
#[derive(Clone, Debug)]
pub struct NextFree {
    /// The service.
    pub target: Target,
    /// The number of free slots in the requested time, the first of them, and the number outside it; or why that is
    /// unknown. One service's obstacle does not affect the others.
    pub found: Result<(usize, Option<FreeSlot>, usize), Obstacle>,
}

impl Consultation {
    /// The free slots of a service. No slots is no obstacle: the list is empty and may say why (CONS-SLOT-08).
    pub async fn slots(&self, target: &Target, search: SlotSearch) -> Result<SlotList, Obstacle> {
        let step = self.begin("slots", Some(&target.service)).await?;
        let capability = tokio::time::timeout(PATIENCE, self.capability(target));
        let (found, _) = tokio::join!(self.gather(target, search, step), capability);
        let mut list = match found {
            Ok(list) => list,
            Err(obstacle) => return self.ended(step, obstacle).await,
        };
        let outside = list.slots.iter().filter(|s| !search.window.has(s.start));
        list.outside_asked_time = outside.count();
        let shown = list.slots.iter().map(|s| ShownSlot {
            id: s.id.clone(),
            start: s.start,
            inside: timeframe::inside(&self.encounter, s.start),
        });
        let kept = self.journal().shown(step, shown.collect()).await;
        if let Err(error) = kept {
            tracing::error!(%error, "the slots shown could not be kept in the journal");
        }
        for fault in &list.faults {
            tracing::warn!(service = %target.service, asid = %target.asid, fault, "fault in the Provider's answer");
        }
        let detail = json!({
            "from": search.window.from.to_string(),
            "until": search.window.until.to_string(),
            "slots": list.slots.len(),
            "outside_asked_time": list.outside_asked_time,
            "unreadable": list.unreadable,
            "cut_off": list.cut_off,
            "remarks": list.remarks,
            "provider_faults": list.faults,
        });
        if list.slots.is_empty() && list.unreadable.count() > 0 {
            let obstacle = faults::slots_unreadable(&list.unreadable, target);
            let mut detail = detail;
            detail["obstacle"] = faults::detail(&obstacle);
            self.end(step, "obstacle", detail).await;
            return Err(obstacle);
        }
        let outcome = if list.slots.is_empty() {
            "none"
        } else {
            "shown"
        };
        self.end(step, outcome, detail).await;
        Ok(list)
    }

    /// The slots of a list for a user of this encounter.
    pub fn shown(&self, list: &SlotList) -> Vec<Shown> {
        let of = |slot: &FreeSlot| Shown {
            inside_timeframe: timeframe::inside(&self.encounter, slot.start),
            slot: slot.clone(),
        };
        list.slots.iter().map(of).collect()
    }

    async fn gather(
        &self,
        target: &Target,
        search: SlotSearch,
        step: StepId,
    ) -> Result<SlotList, Obstacle> {
        let route = self.journey.route(&target.asid, &target.slots_root);
        let mut request = self.journey.plan(&route, |s| {
            search_slots::plan(s, &target.service, search.window)
        })?;
        let mut gathering = SearchPages::new();
        let mut asked = HashSet::from([page_key(&request.url)]);
        for page in 1.. {
            let delivery = self.journey.send(&request, step).await;
            let answer = match success(delivery, faults::Stage::Search, target) {
                Ok(answer) => answer,
                Err(obstacle) if page == 1 => return Err(obstacle),
                // The pages so far are useful, and the list says that there were more.
                Err(_) => {
                    gathering.cut_off("a further page could not be read");
                    break;
                }
            };
            let Some(bundle) = &answer.resource else {
                let obstacle = faults::malformed(&answer, faults::Stage::Search, target);
                if page == 1 {
                    return Err(obstacle);
                }
                gathering.cut_off("a further page could not be read");
                break;
            };
            answer.fault.iter().for_each(|f| gathering.fault(f.clone()));
            if let Err(fault) = gathering.add(bundle) {
                if page == 1 {
                    return Err(faults::unexpected(
                        &answer,
                        &fault,
                        faults::Stage::Search,
                        target,
                    ));
                }
                gathering.cut_off(&fault);
                break;
            }
            match self.following(bundle, &route) {
                Ok(None) => break,
                Ok(Some(_)) if page >= MAX_PAGES => {
                    gathering.cut_off("there are more pages than are read");
                    break;
                }
                Ok(Some(tail)) => {
                    let planned = self.journey.plan(&route, |s| search_slots::page(s, &tail));
                    let Ok(following) = planned else {
                        gathering.cut_off("the link to the next page is no address");
                        break;
                    };
                    request = following;
                    if !asked.insert(page_key(&request.url)) {
                        gathering
                            .cut_off("the link to the next page leads back to one that was read");
                        break;
                    }
                }
                Err(fault) => {
                    gathering.cut_off(&fault);
                    break;
                }
            }
        }
        Ok(gathering.finish())
    }

    fn following(&self, bundle: &fhir::Element, route: &Route) -> Result<Option<String>, String> {
        next_tail(bundle, &route.root, self.journey.ssp())
    }

    /// The next free times of several services, searched in parallel (CONS-DOS-02), in the given order.
    pub async fn next_free(&self, targets: &[Target], search: SlotSearch) -> Vec<NextFree> {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        for (at, target) in targets.iter().take(MAX_SERVICES).cloned().enumerate() {
            let (consultation, permits) = (self.clone(), permits.clone());
            under_way.spawn(async move {
                // The semaphore is never closed.
                let _permit = permits.acquire_owned().await;
                let found = consultation.slots(&target, search).await;
                let found = found.map(|list| {
                    let count = list.slots.len() - list.outside_asked_time;
                    let mut asked = list
                        .slots
                        .into_iter()
                        .filter(|s| search.window.has(s.start));
                    (count, asked.next(), list.outside_asked_time)
                });
                (at, NextFree { target, found })
            });
        }
        let mut found: Vec<(usize, NextFree)> = Vec::with_capacity(targets.len());
        while let Some(done) = under_way.join_next().await {
            match done {
                Ok(one) => found.push(one),
                Err(error) => tracing::error!(%error, "a look-up of free times ended badly"),
            }
        }
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, next)| next).collect()
    }
}
