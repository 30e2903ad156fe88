//! Renders the metrics page that Prometheus scrapes.

use super::requests::Traffic;
use super::sample::Sample;
use super::text::{Text, labels};
use super::{Metrics, Shed};
use crate::anchor::state::{AnchorState, Sink};
use crate::store::{Gauges, Load};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Count of a consumer's refused requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Key of the tenant; `None` for consumers that no tenant declares.
    pub tenant: Option<i64>,
    /// ASID, or `other`.
    pub asid: String,
    /// Number of refusals.
    pub count: u64,
}

impl Refused {
    /// The tenant's name in `names`.
    fn tenant(&self, names: &HashMap<i64, String>) -> String {
        let Some(key) = self.tenant else {
            return "other".to_owned();
        };
        // A tenant without a name needs a label of its own: no series may occur twice.
        let name = names.get(&key).cloned();
        name.unwrap_or_else(|| format!("key-{key}"))
    }
}

/// The inputs of the page.
pub struct Page<'p> {
    /// Counters of the server.
    pub metrics: &'p Metrics,
    /// ODS codes of tenants by key.
    pub names: HashMap<i64, String>,
    /// Counters of the store.
    pub gauges: &'p Gauges,
    /// Queues and use of the store.
    pub load: Load,
    /// Figures from the database, with their age.
    pub sample: Option<(Duration, &'p Sample)>,
    /// Bytes of answers that clients have not read yet.
    pub untaken: u64,
    /// Refused requests by consumer. Undeclared consumers count as `other`.
    pub refused: Vec<Refused>,
    /// Whether `/health/ready` says ready.
    pub ready: bool,
    /// Anchors of the audit trail.
    pub trail: &'p AnchorState,
    /// Finished health checks since the start.
    pub looks: u64,
    /// Log lines that could not be written.
    pub log_lines_lost: u64,
    /// Last measured delay of a ready task.
    pub lag: Duration,
    /// Certificates with the seconds until they expire.
    pub certificates: Vec<(&'static str, i64)>,
    /// Revocation lists: file, age in seconds, seconds until its successor is due.
    pub revocation_lists: Vec<(String, i64, i64)>,
}

impl Page<'_> {
    /// Renders the page.
    pub fn write(&self) -> String {
        let mut out = Text::default();
        self.metrics.requests.write(&mut out, &self.names);
        self.refusals(&mut out);
        self.store(&mut out);
        self.audit(&mut out);
        if let Some((age, sample)) = self.sample {
            diary(&mut out, sample);
            out.one("uec_sample_age_seconds", age.as_secs_f64());
        }
        self.process(&mut out);
        self.certificates(&mut out);
        out.finish()
    }

    fn refusals(&self, out: &mut Text) {
        let shed = Shed::ALL.map(|why| {
            let count = &self.metrics.shed[why as usize];
            (labels(&[("reason", why.name())]), read(count))
        });
        out.all("uec_requests_shed_total", shed);
        let limited = self.refused.iter().map(|refused| {
            let tenant = refused.tenant(&self.names);
            let of = labels(&[("tenant", &tenant), ("asid", &refused.asid)]);
            (of, refused.count)
        });
        out.all("uec_consumer_limited_total", limited);
        out.one("uec_task_delay_seconds", self.lag.as_secs_f64());
    }

    fn store(&self, out: &mut Text) {
        let (g, load) = (self.gauges, self.load);
        let commits = [("stored", &g.commits), ("failed", &g.failures)];
        out.all("uec_store_commits_total", by("result", commits));
        out.one("uec_store_failed_writes_total", read(&g.failed_writes));
        for (name, histogram, unit) in [
            ("uec_store_batch_jobs", &g.jobs, 1.0),
            ("uec_store_commit_duration_seconds", &g.took, 1e6),
        ] {
            out.head(name);
            histogram.write(out.raw(), name, "", unit);
        }
        let busy = [
            ("queue", &g.queue_refusals),
            ("readers", &g.reader_refusals),
        ];
        out.all("uec_store_busy_total", by("what", busy));
        out.one("uec_store_queue_depth", load.queued);
        out.one("uec_store_queue_capacity", load.queue_most);
        out.one("uec_store_readers_in_use", load.readers_in_use);
        out.one("uec_store_readers_capacity", load.readers_most);
    }

    fn audit(&self, out: &mut Text) {
        out.one("uec_audit_rows_waiting", self.load.audit_waiting);
        out.one(
            "uec_audit_lag_seconds",
            self.load.audit_oldest.as_secs_f64(),
        );
        let anchors = Sink::ALL.into_iter().flat_map(|to| {
            let (written, failed) = self.trail.counts(to);
            let of = |result| labels(&[("to", to.name()), ("result", result)]);
            [(of("written"), written), (of("failed"), failed)]
        });
        out.all("uec_audit_anchors_total", anchors);
        if let Some(age) = self.trail.age() {
            out.one("uec_audit_anchor_age_seconds", age);
        }
        out.one("uec_audit_trails_lost", self.trail.losses().len());
    }

    fn process(&self, out: &mut Text) {
        let m = self.metrics;
        out.one("uec_ready", u8::from(self.ready));
        out.one("uec_health_checks_total", self.looks);
        out.one("uec_log_lines_lost_total", self.log_lines_lost);
        out.one("uec_connections_open", m.connections.open());
        out.one("uec_answers_untaken_bytes", self.untaken);
        out.one("uec_telemetry_spans_total", read(&m.spans));
        out.one("uec_telemetry_spans_dropped_total", read(&m.spans_dropped));
        out.one("uec_telemetry_spans_failed_total", read(&m.spans_failed));
        out.one("process_start_time_seconds", m.started);
        let ended = listen::Ended::ALL
            .map(|why| (labels(&[("reason", why.name())]), m.connections.ended(why)));
        out.all("uec_connections_ended_total", ended);
        let version = labels(&[("version", env!("CARGO_PKG_VERSION"))]);
        out.all("uec_build_info", [(version, 1)]);
    }

    fn certificates(&self, out: &mut Text) {
        if !self.certificates.is_empty() {
            let expiry = self.certificates.iter();
            let expiry = expiry.map(|(which, left)| (labels(&[("certificate", which)]), left));
            out.all("uec_tls_certificate_expiry_seconds", expiry);
        }
        if self.revocation_lists.is_empty() {
            return;
        }
        // Two files may have the same name, and a file may hold several lists.
        let lists = self.revocation_lists.iter().zip(1..);
        let lists = lists.map(|((file, age, expiry), n)| {
            let of = labels(&[("list", &i32::to_string(&n)), ("file", file)]);
            (of, (age, expiry))
        });
        let ages = lists.clone().map(|(of, (age, _))| (of, age));
        out.all("uec_tls_revocation_list_age_seconds", ages);
        let expiries = lists.map(|(of, (_, expiry))| (of, expiry));
        out.all("uec_tls_revocation_list_expiry_seconds", expiries);
    }
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Counts by the values of a label.
fn by<const N: usize>(label: &str, counts: [(&str, &AtomicU64); N]) -> [(String, u64); N] {
    counts.map(|(value, count)| (labels(&[(label, value)]), read(count)))
}

fn diary(out: &mut Text, sample: &Sample) {
    let services = sample.tenants.iter().flat_map(|tenant| {
        let of_tenant = |service| (tenant.ods.as_str(), service);
        tenant.services.iter().map(of_tenant)
    });
    let free = services.clone().flat_map(|(tenant, service)| {
        [("24h", service.free_day), ("7d", service.free_week)].map(|(within, free)| {
            let of = labels(&[
                ("tenant", tenant),
                ("service", &service.service),
                ("within", within),
                ("traffic", Traffic::of(service.test).name()),
            ]);
            (of, free)
        })
    });
    out.all("uec_slots_free", free);
    let live = services.map(|(tenant, service)| {
        let of = labels(&[
            ("tenant", tenant),
            ("service", &service.service),
            ("traffic", Traffic::of(service.test).name()),
        ]);
        (of, service.bookings)
    });
    out.all("uec_bookings_live", live);
    let tenants = sample.tenants.iter().map(|t| (t.ods.as_str(), t.waiting));
    let waiting = tenants.chain([("none", sample.unassigned)]);
    let waiting = waiting.map(|(tenant, waiting)| (labels(&[("tenant", tenant)]), waiting));
    let unmatched = waiting.clone().map(|(of, waiting)| (of, waiting.unmatched));
    out.all("uec_referrals_unmatched", unmatched);
    let aside = waiting.map(|(of, waiting)| (of, waiting.quarantined));
    out.all("uec_referrals_quarantined", aside);
}
