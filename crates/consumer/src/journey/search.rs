//! Slot search and the next free times of several services (CONS-SLOT-01..10, CONS-DOS-02).

use super::capability::PATIENCE;
use super::{Consultation, Target, faults, success, timeframe};
use crate::journal::{ShownSlot, StepId};
use crate::obstacle::Obstacle;
use crate::plan::{Route, search_slots};
use crate::slots::{FreeSlot, Gathering, SlotList, next_tail, page_key};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use search_slots::Window;

/// Most pages of one search: with them a Provider that pages by fifty shows a thousand slots.
const MAX_PAGES: usize = 20;
/// Searches under way at once in a look-up for a list of services. More would be a burst at the SSP for little gain:
/// a list that is shown to a user has about ten services.
const AT_ONCE: usize = 6;
/// Most services of one look-up.
const MAX_SERVICES: usize = 50;
/// Span of a search when the caller names none: that of the Standard's own tests.
const DEFAULT_HOURS: i64 = 72;

/// The criteria of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotSearch {
    /// When the wanted slots start.
    pub window: Window,
}

impl SlotSearch {
    /// From now on for three days.
    pub fn soon() -> SlotSearch {
        SlotSearch::hours(DEFAULT_HOURS)
    }

    /// From now on for some hours.
    pub fn hours(hours: i64) -> SlotSearch {
        let from = Timestamp::now();
        let until = SignedDuration::try_from_hours(hours.max(1))
            .and_then(|span| from.checked_add(span).ok())
            .unwrap_or(from);
        SlotSearch {
            window: Window { from, until },
        }
    }

    /// From now until well behind a slot that went.
    pub(super) fn around(start: Timestamp) -> SlotSearch {
        let mut search = SlotSearch::soon();
        let behind = start.checked_add(SignedDuration::from_hours(24));
        search.window.until = search.window.until.max(behind.unwrap_or(start));
        search
    }
}

/// A free slot with how it lies to the encounter's timeframe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The slot.
    #[serde(flatten)]
    pub slot: FreeSlot,
    /// Within the timeframe, or not; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside_timeframe: Option<bool>,
}

/// The next free time of a service.
#[derive(Clone, Debug)]
pub struct NextFree {
    /// The service.
    pub target: Target,
    /// How many slots are free in the time that was asked for, the first of them, and how many are free outside it; or why
    /// that is not known. One service's obstacle leaves the others alone.
    pub found: Result<(usize, Option<FreeSlot>, usize), Obstacle>,
}

impl Consultation {
    /// The free slots of a service. None at all is no obstacle: the list is empty and may say why (CONS-SLOT-08).
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

    /// The slots of a list as a user of this encounter sees them.
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
        let mut gathering = Gathering::new();
        let mut asked = HashSet::from([page_key(&request.url)]);
        for page in 1.. {
            let delivery = self.journey.send(&request, step).await;
            let answer = match success(delivery, faults::Stage::Search, target) {
                Ok(answer) => answer,
                Err(obstacle) if page == 1 => return Err(obstacle),
                // What came so far is of use; that there was more is said.
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

    /// The next free times of several services, looked up side by side (CONS-DOS-02), in the order given.
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
