//! Admission control: rate limits per consumer, and load shedding.
//!
//! Once all of a request is there, [`Admission::enter`] looks at what the whole server has under way: a body that does not
//! come takes no place. Searches are
//! turned away first: a search that is refused is repeated a second later, a booking that is refused is a patient
//! without an appointment. Once the caller is known, [`Admission::consumer`] looks at what that consumer may use. All
//! of it is atomics over tables of fixed size.

use crate::config::Limits;
use crate::diary::allowance::Allowance;
use crate::metrics::Shed;
use crate::metrics::page::Refused;
use crate::store::TenantKey;
use booking::ids::Asid;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Consumers counted apart in each table, over all tenants; those for which there is no place share one. A national
/// directory has a few hundred.
const PLACES: usize = 1_024;
/// Places that are looked at for one consumer.
const TRIES: usize = 16;
/// A place that was not used for this long may be given to another consumer.
const IDLE: Duration = Duration::from_secs(600);
/// Bits of an ASID: it has at most twelve digits.
const ASID_BITS: u32 = 40;
/// How often the delay of ready tasks is measured.
const MEASURE: Duration = Duration::from_millis(50);
/// Parts of the measured delay that one measurement replaces, so that one long task does not look like overload.
const SMOOTHING: u64 = 4;

/// Why and for how long a consumer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    /// Why.
    pub why: Shed,
    /// Seconds after which it may try again, at least 1.
    pub retry_after: u32,
}

/// What the whole server has under way, and each consumer.
pub struct Admission {
    started: Instant,
    under_way: Arc<AtomicUsize>,
    most: usize,
    searches_most: usize,
    lag_micros: AtomicU64,
    lag_most: u64,
    default: Allowance,
    /// Systems that a tenant declared.
    declared: Table,
    /// All others: where nothing is proven anybody can make up such systems, so they have no place among the declared.
    undeclared: Table,
}

/// Places of consumers.
struct Table {
    places: Box<[Place]>,
    others: Place,
}

#[derive(Default)]
struct Place {
    /// Tenant and ASID, plus one; zero: free.
    key: AtomicU64,
    /// Nanoseconds since the start at which the consumer's allowance is whole again.
    whole_at: AtomicU64,
    under_way: AtomicU32,
    refused: AtomicU64,
}

/// A request that was let in, counted until it is dropped.
pub struct Entered(Arc<AtomicUsize>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A consumer's request that was let in, counted until it is dropped.
pub struct OfConsumer<'a>(Option<&'a Place>);

impl Drop for OfConsumer<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Admission {
    /// With the bounds of the settings.
    pub fn new(limits: &Limits) -> Admission {
        Admission {
            started: Instant::now(),
            under_way: Arc::default(),
            most: limits.requests,
            // Rounded up, so that a server of one request still searches.
            searches_most: (limits.requests * usize::from(limits.searches_percent)).div_ceil(100),
            lag_micros: AtomicU64::new(0),
            lag_most: limits.search_delay_ms.saturating_mul(1_000),
            default: Allowance {
                per_second: limits.consumer_per_second,
                burst: limits.consumer_burst,
                under_way: match limits.consumer_requests {
                    // One consumer leaves room for another.
                    0 => u32::try_from(limits.requests.div_ceil(2)).unwrap_or(u32::MAX),
                    most => most,
                },
            },
            declared: Table::new(),
            undeclared: Table::new(),
        }
    }

    /// What a consumer may use that is not declared otherwise.
    pub fn default_allowance(&self) -> Allowance {
        self.default
    }

    /// Lets a request in, or says why not. `search`: it may wait, unlike a booking.
    pub fn enter(&self, search: bool) -> Result<Entered, Shed> {
        if search && self.lag_micros.load(Ordering::Relaxed) > self.lag_most {
            return Err(Shed::Lag);
        }
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        let entered = Entered(self.under_way.clone());
        match (before, search) {
            (before, _) if before >= self.most => Err(Shed::Full),
            (before, true) if before >= self.searches_most => Err(Shed::Share),
            _ => Ok(entered),
        }
    }

    /// The delay of ready tasks, as last measured.
    pub fn lag(&self) -> Duration {
        Duration::from_micros(self.lag_micros.load(Ordering::Relaxed))
    }

    /// Measures without end how long a task that is ready waits for a processor: work that is only computing is not
    /// seen by counting what is under way.
    pub async fn measure(&self) {
        loop {
            let due = Instant::now() + MEASURE;
            tokio::time::sleep_until(due.into()).await;
            // The timer itself counts in whole milliseconds.
            let late = due.elapsed().saturating_sub(Duration::from_millis(2));
            let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
            let known = self.lag_micros.load(Ordering::Relaxed);
            let next = known - known / SMOOTHING + late / SMOOTHING;
            self.lag_micros.store(next, Ordering::Relaxed);
        }
    }

    /// Lets a consumer's request in, or says why not and when to come again.
    pub fn consumer(
        &self,
        tenant: TenantKey,
        asid: &Asid,
        allowance: Allowance,
        declared: bool,
    ) -> Result<OfConsumer<'_>, TurnedAway> {
        if allowance.is_unlimited() {
            return Ok(OfConsumer(None));
        }
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let table = match declared {
            true => &self.declared,
            false => &self.undeclared,
        };
        let place = table.place(key(tenant, asid), now);
        let before = place.under_way.fetch_add(1, Ordering::Relaxed);
        let entered = OfConsumer(Some(place));
        let refuse = |why, retry_after| {
            place.refused.fetch_add(1, Ordering::Relaxed);
            Err(TurnedAway { why, retry_after })
        };
        if allowance.under_way > 0 && before >= allowance.under_way {
            return refuse(Shed::UnderWay, 1);
        }
        match take_one(&place.whole_at, allowance, now) {
            Ok(()) => Ok(entered),
            Err(wait) => refuse(
                Shed::Rate,
                u32::try_from(wait.div_ceil(1_000_000_000))
                    .unwrap_or(u32::MAX)
                    .max(1),
            ),
        }
    }

    /// Refusals by consumer: the declared ones by ASID, all others together.
    pub fn refused(&self) -> Vec<Refused> {
        let mut all = Vec::new();
        for place in &self.declared.places {
            let count = place.refused.load(Ordering::Relaxed);
            let key = place.key.load(Ordering::Relaxed);
            if count == 0 || key == 0 {
                continue;
            }
            let (tenant, asid) = parts(key);
            all.push(Refused {
                tenant: Some(tenant),
                asid: format!("{asid:012}"),
                count,
            });
        }
        let undeclared = self.undeclared.places.iter();
        let others = [&self.declared.others, &self.undeclared.others];
        let others = undeclared.chain(others);
        let count = others.map(|p| p.refused.load(Ordering::Relaxed)).sum();
        if count > 0 {
            all.push(Refused {
                tenant: None,
                asid: "other".to_owned(),
                count,
            });
        }
        all
    }
}

impl Table {
    fn new() -> Table {
        Table {
            places: (0..PLACES).map(|_| Place::default()).collect(),
            others: Place::default(),
        }
    }

    /// The place of a consumer; the one for all others when the table is full.
    fn place(&self, key: u64, now: u64) -> &Place {
        // Multiplying spreads neighbouring ASIDs over the table (the constant is 2^64 divided by the golden ratio).
        let first = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
        let mut idle = None;
        for n in 0..TRIES {
            let place = &self.places[(first + n) % PLACES];
            match place.key.load(Ordering::Relaxed) {
                0 => {
                    let taken =
                        place
                            .key
                            .compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed);
                    if taken.is_ok() || taken == Err(key) {
                        return place;
                    }
                }
                found if found == key => return place,
                found if idle.is_none() && place.is_idle(now) => idle = Some((place, found)),
                _ => {}
            }
        }
        let Some((place, found)) = idle else {
            return &self.others;
        };
        let taken = place
            .key
            .compare_exchange(found, key, Ordering::Relaxed, Ordering::Relaxed);
        match taken {
            Ok(_) => {
                // What the consumer before was refused is not this one's.
                place.refused.store(0, Ordering::Relaxed);
                place
            }
            Err(_) => &self.others,
        }
    }
}

impl Place {
    fn is_idle(&self, now: u64) -> bool {
        let idle = u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX);
        self.under_way.load(Ordering::Relaxed) == 0
            && self.whole_at.load(Ordering::Relaxed).saturating_add(idle) < now
    }
}

/// Tenant and ASID in one number that is never zero.
fn key(tenant: TenantKey, asid: &Asid) -> u64 {
    let number = asid.as_str().parse::<u64>().unwrap_or(0) & ((1 << ASID_BITS) - 1);
    let tenant = u64::try_from(tenant.number()).unwrap_or(0);
    (tenant.wrapping_shl(ASID_BITS) | number).wrapping_add(1)
}

fn parts(key: u64) -> (i64, u64) {
    let key = key.wrapping_sub(1);
    let tenant = i64::try_from(key >> ASID_BITS).unwrap_or(-1);
    (tenant, key & ((1 << ASID_BITS) - 1))
}

/// Takes one request from the allowance, or says in how many nanoseconds there is one. The allowance is kept as the
/// moment at which it is whole again: each request moves that on by one interval, at most a burst ahead of now.
fn take_one(whole_at: &AtomicU64, allowance: Allowance, now: u64) -> Result<(), u64> {
    let Some(interval) = 1_000_000_000_u64.checked_div(u64::from(allowance.per_second)) else {
        whole_at.store(now, Ordering::Relaxed);
        return Ok(());
    };
    let ahead = interval.saturating_mul(allowance.burst());
    let mut known = whole_at.load(Ordering::Relaxed);
    loop {
        let next = known.max(now).saturating_add(interval);
        let most = now.saturating_add(ahead);
        if next > most {
            return Err(next - most);
        }
        // Ends: whoever makes this fail has taken one, and there are only so many to take.
        match whole_at.compare_exchange_weak(known, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(other) => known = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn admission(requests: usize) -> Admission {
        Admission::new(&Limits {
            requests,
            ..Limits::default()
        })
    }

    #[test]
    fn an_allowance_is_a_burst_and_then_a_rate() {
        let allowance = Allowance {
            per_second: 10,
            burst: 3,
            under_way: 0,
        };
        let place = AtomicU64::new(0);
        let now = 100 * SECOND;
        for _ in 0..3 {
            assert_eq!(take_one(&place, allowance, now), Ok(()));
        }
        assert_eq!(take_one(&place, allowance, now), Err(SECOND / 10));
        assert_eq!(take_one(&place, allowance, now + SECOND / 10), Ok(()));
        assert!(take_one(&place, allowance, now + SECOND / 10).is_err());
        // Whole again, and not more than whole.
        for _ in 0..3 {
            assert_eq!(take_one(&place, allowance, now + 60 * SECOND), Ok(()));
        }
        assert!(take_one(&place, allowance, now + 60 * SECOND).is_err());
    }

    #[test]
    fn many_at_once_take_no_more_than_there_is() {
        let allowance = Allowance {
            per_second: 1,
            burst: 50,
            under_way: 0,
        };
        let place = AtomicU64::new(0);
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if take_one(&place, allowance, SECOND).is_ok() {
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(taken.load(Ordering::Relaxed), 50);
    }

    #[test]
    fn searches_are_turned_away_before_bookings() {
        let admission = admission(4);
        let held: Vec<_> = (0..3).map(|_| admission.enter(true).ok()).collect();
        assert!(held.iter().all(Option::is_some));
        assert_eq!(admission.enter(true).err(), Some(Shed::Share));
        let booking = admission.enter(false);
        assert!(booking.is_ok());
        assert_eq!(admission.enter(false).err(), Some(Shed::Full));
        drop((held, booking));
        assert!(admission.enter(true).is_ok());
        assert_eq!(admission.under_way.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn late_tasks_turn_searches_away_and_never_bookings() {
        let admission = admission(4);
        admission.lag_micros.store(60_000_000, Ordering::Relaxed);
        assert_eq!(admission.enter(true).err(), Some(Shed::Lag));
        assert!(admission.enter(false).is_ok());
    }

    #[test]
    fn more_consumers_than_places_share_one() {
        let admission = admission(4);
        let mut shared = 0;
        for n in 0..PLACES as u64 * 2 {
            let key = ((7 << ASID_BITS) | (918_999_000_000 + n)) + 1;
            let place = admission.undeclared.place(key, SECOND);
            let is_shared = std::ptr::eq(place, &admission.undeclared.others);
            shared += usize::from(is_shared);
            assert!(is_shared || parts(key) == (7, 918_999_000_000 + n));
        }
        assert!(shared >= PLACES, "{shared}");
        // Much later the places are free for others.
        let later = u64::try_from(IDLE.as_nanos()).unwrap() + 10 * SECOND;
        let place = admission
            .undeclared
            .place(((8 << ASID_BITS) | 1) + 1, later);
        assert!(!std::ptr::eq(place, &admission.undeclared.others));
    }

    /// Proves: NFR-01, D-67
    #[test]
    fn made_up_systems_take_no_place_of_a_declared_one() {
        let admission = admission(4);
        let allowance = Allowance {
            per_second: 1,
            burst: 1,
            under_way: 0,
        };
        let tenant = TenantKey::of_test(7);
        let asid = |n: u64| Asid::parse(&format!("{n:012}")).unwrap();
        for n in 0..PLACES as u64 * 2 {
            let _ = admission.consumer(tenant, &asid(n), allowance, false);
        }
        let declared = asid(918_999_000_011);
        let first = admission.consumer(tenant, &declared, allowance, true);
        assert!(first.is_ok());
        assert!(
            admission
                .consumer(tenant, &declared, allowance, true)
                .is_err()
        );
        let refused = admission.refused();
        assert!(
            refused
                .iter()
                .any(|r| r.asid == "918999000011" && r.count == 1)
        );
    }

    /// Proves: NFR-01, D-67
    #[test]
    fn one_consumer_leaves_room_for_another() {
        let admission = admission(4);
        let tenant = TenantKey::of_test(7);
        let asid = |text: &str| Asid::parse(text).unwrap();
        let enter = |who: &str| {
            let default = admission.default_allowance();
            admission.consumer(tenant, &asid(who), default, true)
        };
        let held = [enter("918999000011"), enter("918999000011")];
        assert!(held.iter().all(Result::is_ok));
        let third = enter("918999000011").err();
        assert_eq!(third.map(|t| t.why), Some(Shed::UnderWay));
        assert!(enter("918999000012").is_ok());
    }
}
