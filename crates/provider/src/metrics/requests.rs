//! Counts requests by tenant, interaction and outcome. The tables have a fixed size, so no caller can make them grow. A
//! request costs a few atomic additions.

use super::text::{Text, labels};
use crate::histogram::{Histogram, MICROS};
use crate::store::TenantKey;
use booking::refusal::Situation;
use booking::wire::interaction::Interaction;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Tenants with series of their own; those with a higher key share `other`. More would strain a Prometheus.
const TENANTS: usize = 256;
/// Index of requests without a known tenant: wrong path, or shed before the lookup.
const NO_TENANT: usize = TENANTS;
/// Index of the tenants beyond the table.
const OTHER_TENANTS: usize = TENANTS + 1;
/// The interactions, then referrals, then unknown requests.
const KINDS: usize = Interaction::ALL.len() + 2;
/// Status classes 1xx to 5xx, followed by the rows of the error table.
const CLASSES: usize = 5;
/// Number of outcomes.
const OUTCOMES: usize = CLASSES + Situation::ALL.len();

/// The kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// An interaction of the Standard.
    Interaction(Interaction),
    /// A referral was sent.
    Referral,
    /// Nothing that this server offers.
    Nothing,
}

impl RequestKind {
    const fn place(self) -> usize {
        match self {
            RequestKind::Interaction(interaction) => interaction as usize,
            RequestKind::Referral => KINDS - 2,
            RequestKind::Nothing => KINDS - 1,
        }
    }

    /// Label value in metrics, logs and traces.
    pub fn name(self) -> &'static str {
        match self {
            RequestKind::Interaction(interaction) => interaction.name(),
            RequestKind::Referral => "referral",
            RequestKind::Nothing => "none",
        }
    }

    fn all() -> impl Iterator<Item = RequestKind> {
        let interactions = Interaction::ALL.into_iter().map(RequestKind::Interaction);
        interactions.chain([RequestKind::Referral, RequestKind::Nothing])
    }
}

/// Whether a request was part of a trial (`test` in the declaration).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traffic {
    /// Real.
    #[default]
    Live,
    /// A tenant, service or consumer marked `test`.
    Test,
}

impl Traffic {
    const ALL: [Traffic; 2] = [Traffic::Live, Traffic::Test];

    /// The traffic of a `test` mark.
    pub fn of(test: bool) -> Traffic {
        match test {
            true => Traffic::Test,
            false => Traffic::Live,
        }
    }

    /// The value of the label `traffic`.
    pub fn name(self) -> &'static str {
        match self {
            Traffic::Live => "live",
            Traffic::Test => "test",
        }
    }
}

/// An answered request.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Its tenant, if it was known.
    pub tenant: Option<TenantKey>,
    /// The kind of request.
    pub asked: RequestKind,
    /// Part of a trial or not.
    pub traffic: Traffic,
    /// HTTP status.
    pub status: u16,
    /// Row of the error table, if a row refused it.
    pub refused: Option<Situation>,
    /// From the request's head to the answer's head.
    pub took: Duration,
    /// Bytes of the answer's body.
    pub bytes: u64,
}

/// Counters of one tenant.
struct Tenant {
    /// By traffic, then kind, then outcome.
    outcomes: [[[AtomicU64; OUTCOMES]; KINDS]; 2],
}

impl Tenant {
    fn new() -> Box<Tenant> {
        let row = || std::array::from_fn(|_| AtomicU64::new(0));
        Box::new(Tenant {
            outcomes: std::array::from_fn(|_| std::array::from_fn(|_| row())),
        })
    }
}

/// All counters of requests.
pub struct Requests {
    tenants: Box<[OnceLock<Box<Tenant>>]>,
    /// By traffic, then kind.
    took: [[Histogram; KINDS]; 2],
    received: [AtomicU64; KINDS],
    sent: [AtomicU64; KINDS],
    under_way: AtomicI64,
}

impl Default for Requests {
    fn default() -> Requests {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Requests {
            tenants: (0..TENANTS + 2).map(|_| OnceLock::new()).collect(),
            took: std::array::from_fn(|_| std::array::from_fn(|_| Histogram::new(MICROS))),
            received: zeros(),
            sent: zeros(),
            under_way: AtomicI64::new(0),
        }
    }
}

/// A request under way, counted until it is dropped.
pub struct UnderWay<'r>(&'r AtomicI64);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Requests {
    /// Counts a request as begun.
    pub fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }

    /// Counts the bytes of a received body.
    pub fn received(&self, asked: RequestKind, bytes: usize) {
        self.received[asked.place()].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts an answer.
    pub fn answered(&self, of: &Answered) {
        let (traffic, kind) = (of.traffic as usize, of.asked.place());
        let outcome = match of.refused {
            Some(situation) => CLASSES + situation as usize,
            None => usize::from(of.status / 100).clamp(1, CLASSES) - 1,
        };
        let place = match of.tenant.map(|key| usize::try_from(key.number())) {
            None => NO_TENANT,
            Some(Ok(key)) if key < TENANTS => key,
            Some(_) => OTHER_TENANTS,
        };
        let tenant = self.tenants[place].get_or_init(Tenant::new);
        tenant.outcomes[traffic][kind][outcome].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(of.took.as_micros()).unwrap_or(u64::MAX);
        self.took[traffic][kind].note(micros);
        self.sent[kind].fetch_add(of.bytes, Ordering::Relaxed);
    }

    /// Appends the series. `names` are the ODS codes of the tenants by key.
    pub fn write(&self, out: &mut Text, names: &HashMap<i64, String>) {
        out.head("uec_requests_total");
        for (place, tenant) in self.tenants.iter().enumerate() {
            let Some(tenant) = tenant.get() else { continue };
            let name = match place {
                NO_TENANT => "none".to_owned(),
                OTHER_TENANTS => "other".to_owned(),
                // A tenant that is gone needs a label of its own: no series may occur twice.
                key => match names.get(&(key as i64)) {
                    Some(name) => name.clone(),
                    None => format!("key-{key}"),
                },
            };
            write_tenant(out, &name, tenant);
        }
        self.write_durations(out);
        for (name, values) in [
            ("uec_request_body_bytes_total", &self.received),
            ("uec_response_body_bytes_total", &self.sent),
        ] {
            let by_kind = RequestKind::all().map(|asked| {
                let count = values[asked.place()].load(Ordering::Relaxed);
                (labels(&[("interaction", asked.name())]), count)
            });
            out.all(name, by_kind);
        }
        let under_way = self.under_way.load(Ordering::Relaxed).max(0);
        out.one("uec_requests_in_progress", under_way);
    }

    fn write_durations(&self, out: &mut Text) {
        const NAME: &str = "uec_request_duration_seconds";
        out.head(NAME);
        for traffic in Traffic::ALL {
            for asked in RequestKind::all() {
                let histogram = &self.took[traffic as usize][asked.place()];
                if histogram.count() > 0 {
                    let of = labels(&[("interaction", asked.name()), ("traffic", traffic.name())]);
                    histogram.write(out.raw(), NAME, &format!("{of},"), 1e6);
                }
            }
        }
    }
}

fn write_tenant(out: &mut Text, name: &str, tenant: &Tenant) {
    for traffic in Traffic::ALL {
        for asked in RequestKind::all() {
            let row = &tenant.outcomes[traffic as usize][asked.place()];
            for (outcome, count) in row.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count == 0 {
                    continue;
                }
                let (class, error) = outcome_labels(outcome);
                let of = labels(&[
                    ("tenant", name),
                    ("interaction", asked.name()),
                    ("status", class),
                    ("error", error),
                    ("traffic", traffic.name()),
                ]);
                out.value("uec_requests_total", &of, count);
            }
        }
    }
}

/// Status class and name of the row in the error table.
fn outcome_labels(outcome: usize) -> (&'static str, &'static str) {
    const NAMES: [&str; CLASSES] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let class = |status: u16| NAMES[usize::from(status / 100).clamp(1, CLASSES) - 1];
    let Some(situation) = outcome
        .checked_sub(CLASSES)
        .and_then(|n| Situation::ALL.get(n))
    else {
        return (NAMES[outcome.min(CLASSES - 1)], "");
    };
    let row = situation.row();
    (class(row.status), row.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_has_a_row_of_its_own() {
        for situation in Situation::ALL {
            let (class, error) = outcome_labels(CLASSES + *situation as usize);
            assert!(!error.is_empty(), "{situation:?}");
            assert!(
                class.starts_with(&situation.row().status.to_string()[..1]),
                "{situation:?}"
            );
        }
        assert_eq!(outcome_labels(1), ("2xx", ""));
    }

    #[test]
    fn places_do_not_overlap() {
        let places: Vec<usize> = RequestKind::all().map(RequestKind::place).collect();
        assert_eq!(places, (0..KINDS).collect::<Vec<_>>());
    }
}
