//! Reads figures from the database for metrics: free slots, live bookings, waiting referrals.
//!
//! A background task reads them, one at a time and at most every [`FRESH`], however often somebody scrapes.

use crate::diary::catalogue::Catalogue;
use crate::diary::slot_counts::count_closed;
use crate::store::{ScheduleKey, SlotFilter, Store, StoreError, TenantKey, Waiting, london_day};
use booking::slot::SlotStatus;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sample younger than this is not renewed.
pub const FRESH: Duration = Duration::from_secs(15);
/// An older sample is not shown: no figure is better than a wrong one.
pub const STALE: Duration = Duration::from_secs(300);
/// How long the first scrape waits for the first sample.
const FIRST_WITHIN: Duration = Duration::from_secs(2);
/// Services with series of their own, over all tenants. Further ones count in their tenant's `other`.
const SERVICES: usize = 2_000;
/// Referrals older than three months do not count as waiting; only the list shows them.
const REFERRALS_SINCE_DAYS: i64 = 92;

/// The diary of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSample {
    /// DoS service id, or `other`.
    pub service: String,
    /// True when the service or its tenant is marked `test`.
    pub test: bool,
    /// Free slots that start within 24 hours.
    pub free_day: u64,
    /// Free slots that start within 7 days.
    pub free_week: u64,
    /// Live bookings from today on.
    pub bookings: u64,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSample {
    /// ODS code.
    pub ods: String,
    /// Key in the store.
    pub key: i64,
    /// Its services.
    pub services: Vec<ServiceSample>,
    /// Referrals that wait for its staff.
    pub waiting: Waiting,
}

/// All figures at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// By ODS code.
    pub tenants: Vec<TenantSample>,
    /// Messages without a tenant.
    pub unassigned: Waiting,
}

/// Keeps the last sample and renews it.
#[derive(Default)]
pub struct Sampler {
    last: Mutex<Option<(Instant, Arc<Sample>)>>,
    /// When reading failed; cleared by the next success.
    failed: Mutex<Option<Instant>>,
    busy: AtomicBool,
}

impl Sampler {
    /// The last sample and its age, unless it is too old. Starts the reading of a new one if it is no longer fresh.
    pub async fn current(self: &Arc<Sampler>, store: &Store) -> Option<(Duration, Arc<Sample>)> {
        let known = self.known();
        if known.as_ref().is_some_and(|(age, _)| *age < FRESH) || self.has_just_failed() {
            return known;
        }
        let reading = self.refresh(store);
        if known.is_none()
            && let Some(reading) = reading
        {
            let _ = tokio::time::timeout(FIRST_WITHIN, reading).await;
            return self.known();
        }
        known
    }

    fn known(&self) -> Option<(Duration, Arc<Sample>)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, sample) = last.as_ref()?;
        Some((at.elapsed(), sample.clone())).filter(|(age, _)| *age < STALE)
    }

    fn has_just_failed(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < FRESH)
    }

    /// Records the result of a reading; logs the first failure and its end.
    fn note(&self, read: Result<Sample, StoreError>) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(sample) => {
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some((Instant::now(), Arc::new(sample)));
                if failed.take().is_some() {
                    tracing::info!("figures for metrics are read again");
                }
            }
            Err(error) => {
                if failed.replace(Instant::now()).is_none() {
                    tracing::warn!(%error, "figures for metrics could not be read");
                }
            }
        }
    }

    /// Starts a reading, unless one is under way.
    fn refresh(self: &Arc<Sampler>, store: &Store) -> Option<tokio::task::JoinHandle<()>> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (sampler, store) = (self.clone(), store.clone());
        Some(tokio::task::spawn_blocking(move || {
            // Also freed on a panic.
            let _busy = Busy(&sampler.busy);
            sampler.note(take(&store, crate::clock::now()));
        }))
    }
}

struct Busy<'b>(&'b AtomicBool);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Reads all figures.
pub fn take(store: &Store, now: Timestamp) -> Result<Sample, StoreError> {
    let since = now
        .checked_sub(SignedDuration::from_hours(24 * REFERRALS_SINCE_DAYS))
        .unwrap_or(now);
    let mut sample = Sample {
        unassigned: store.referrals_waiting(None, since)?,
        ..Sample::default()
    };
    let mut room = SERVICES;
    for row in store.tenants()? {
        let (_, declared) = store.tenant(row.key).declared()?;
        let catalogue = Catalogue::build(&row, &declared)?;
        let services = services(store, row.key, &catalogue, now)?;
        let services = folded(services, room);
        room = room.saturating_sub(services.len());
        sample.tenants.push(TenantSample {
            ods: row.ods.as_str().to_owned(),
            key: row.key.number(),
            services,
            waiting: store.referrals_waiting(Some(row.key), since)?,
        });
    }
    Ok(sample)
}

fn services(
    store: &Store,
    tenant: TenantKey,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Vec<ServiceSample>, StoreError> {
    let mut free: HashMap<ScheduleKey, (u64, u64)> = HashMap::new();
    for schedule in &catalogue.schedules {
        free.insert(
            schedule.key,
            free_slots(store, catalogue, schedule.key, now)?,
        );
    }
    let live: HashMap<_, _> = store
        .tenant(tenant)
        .live_by_service(london_day(now))?
        .into_iter()
        .collect();
    let services = catalogue.declared.services.iter().map(|service| {
        let of = catalogue
            .schedules_of(&service.id)
            .filter_map(|s| free.get(&s.key));
        let (free_day, free_week) = of.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        ServiceSample {
            service: service.id.as_str().to_owned(),
            test: catalogue.is_test_service(&service.id),
            free_day,
            free_week,
            bookings: live.get(&service.id).copied().unwrap_or(0),
        }
    });
    Ok(services.collect())
}

/// Free slots on offer in a diary, within 24 hours and within 7 days.
fn free_slots(
    store: &Store,
    catalogue: &Catalogue,
    schedule: ScheduleKey,
    now: Timestamp,
) -> Result<(u64, u64), StoreError> {
    let hours = |n: i64| now.checked_add(SignedDuration::from_hours(n)).ok();
    let count = |from, to| -> Result<u64, StoreError> {
        let filter = SlotFilter {
            schedules: vec![schedule],
            from,
            to,
            status: Some(SlotStatus::Free),
            held: Some(false),
            ..SlotFilter::default()
        };
        let free = store
            .tenant(catalogue.tenant.key)
            .count_slots(&filter)?
            .free;
        let closed = count_closed(store, catalogue, &filter, None)?;
        Ok(free.saturating_sub(closed))
    };
    let day = count(Some(now), hours(24))?;
    Ok((day, day + count(hours(24), hours(24 * 7))?))
}

/// At most `room` services; the others become two sums, one live and one test.
fn folded(mut services: Vec<ServiceSample>, room: usize) -> Vec<ServiceSample> {
    if services.len() <= room {
        return services;
    }
    let rest = services.split_off(room);
    for test in [false, true] {
        let of = rest.iter().filter(|s| s.test == test);
        let sum = of.fold(None, |sum: Option<ServiceSample>, s| {
            let mut sum = sum.unwrap_or_else(|| ServiceSample {
                service: "other".to_owned(),
                test,
                free_day: 0,
                free_week: 0,
                bookings: 0,
            });
            sum.free_day += s.free_day;
            sum.free_week += s.free_week;
            sum.bookings += s.bookings;
            Some(sum)
        });
        services.extend(sum);
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_summed() {
        let one = |service: &str, test| ServiceSample {
            service: service.to_owned(),
            test,
            free_day: 1,
            free_week: 2,
            bookings: 3,
        };
        let all = vec![
            one("1", false),
            one("2", false),
            one("3", true),
            one("4", false),
        ];
        assert_eq!(folded(all.clone(), 4), all);
        let some = folded(all, 1);
        assert_eq!(some.len(), 3);
        assert_eq!((some[1].service.as_str(), some[1].free_week), ("other", 4));
        assert_eq!((some[2].test, some[2].bookings), (true, 3));
    }
}
