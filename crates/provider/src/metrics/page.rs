//! Renders the metrics page that Prometheus scrapes.

use super::sample::Sample;
use super::text::{Kind, Text, label};
use super::{Metrics, Shed};
use crate::anchor::state::{AnchorState, Sink};
use crate::store::{Gauges, Load, Waiting};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
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
            out.one(
                "uec_sample_age_seconds",
                Kind::Gauge,
                "Age of the figures of slots, bookings and referrals.",
                age.as_secs_f64(),
            );
        }
        self.process(&mut out);
        out.finish()
    }

    fn revocation_lists(&self, out: &mut Text) {
        const AGE: &str = "uec_tls_revocation_list_age_seconds";
        const EXPIRY: &str = "uec_tls_revocation_list_expiry_seconds";
        if self.revocation_lists.is_empty() {
            return;
        }
        // Two files may have the same name, and a file may hold several lists.
        let labels = |n: usize, file: &str| {
            format!(
                "{},{}",
                label("list", &(n + 1).to_string()),
                label("file", file)
            )
        };
        out.head(
            AGE,
            Kind::Gauge,
            "Seconds since a revocation list of client certificates was made.",
        );
        for (n, (file, age, _)) in self.revocation_lists.iter().enumerate() {
            out.value(AGE, &labels(n, file), age);
        }
        out.head(
            EXPIRY,
            Kind::Gauge,
            "Seconds until a revocation list should have been replaced by a newer one; negative afterwards.",
        );
        for (n, (file, _, expiry)) in self.revocation_lists.iter().enumerate() {
            out.value(EXPIRY, &labels(n, file), expiry);
        }
    }

    fn refusals(&self, out: &mut Text) {
        const SHED: &str = "uec_requests_shed_total";
        out.head(
            SHED,
            Kind::Counter,
            "Requests turned away for load or limits, by reason.",
        );
        for why in Shed::ALL {
            let count = self.metrics.shed[why as usize].load(Ordering::Relaxed);
            out.value(SHED, &label("reason", why.name()), count);
        }
        const LIMITED: &str = "uec_consumer_limited_total";
        out.head(
            LIMITED,
            Kind::Counter,
            "Requests refused by a consumer's own limits; only declared consumers by name.",
        );
        for refused in &self.refused {
            let labels = format!(
                "{},{}",
                label("tenant", &refused.tenant(&self.names)),
                label("asid", &refused.asid)
            );
            out.value(LIMITED, &labels, refused.count);
        }
        out.one(
            "uec_task_delay_seconds",
            Kind::Gauge,
            "How long a task that was ready had to wait for a processor, last measured.",
            self.lag.as_secs_f64(),
        );
    }

    fn store(&self, out: &mut Text) {
        let (g, load) = (self.gauges, self.load);
        const COMMITS: &str = "uec_store_commits_total";
        out.head(COMMITS, Kind::Counter, "Groups of writes, by result.");
        for (result, count) in [("stored", &g.commits), ("failed", &g.failures)] {
            out.value(
                COMMITS,
                &label("result", result),
                count.load(Ordering::Relaxed),
            );
        }
        out.one(
            "uec_store_failed_writes_total",
            Kind::Counter,
            "Writes that the database failed, in groups of either result.",
            g.failed_writes.load(Ordering::Relaxed) as f64,
        );
        for (name, help, histogram, unit) in [
            (
                "uec_store_batch_jobs",
                "Writes of one group; a group of late audit rows alone has none.",
                &g.jobs,
                1.0,
            ),
            (
                "uec_store_commit_duration_seconds",
                "From the begin of a group to the end of its commit.",
                &g.took,
                1e6,
            ),
        ] {
            out.head(name, Kind::Histogram, help);
            histogram.write(out.raw(), name, "", unit);
        }
        const BUSY: &str = "uec_store_busy_total";
        out.head(
            BUSY,
            Kind::Counter,
            "Work refused because too much waited, by what was waited for.",
        );
        for (what, count) in [
            ("queue", &g.queue_refusals),
            ("readers", &g.reader_refusals),
        ] {
            out.value(BUSY, &label("what", what), count.load(Ordering::Relaxed));
        }
        for (name, help, value) in [
            (
                "uec_store_queue_depth",
                "Writes waiting or being done.",
                load.queued,
            ),
            (
                "uec_store_queue_capacity",
                "Most writes that may wait.",
                load.queue_most,
            ),
            (
                "uec_store_readers_in_use",
                "Reading connections in use.",
                load.readers_in_use,
            ),
            (
                "uec_store_readers_capacity",
                "Most reading connections.",
                load.readers_most,
            ),
        ] {
            out.one(name, Kind::Gauge, help, value as f64);
        }
    }

    fn audit(&self, out: &mut Text) {
        out.one(
            "uec_audit_rows_waiting",
            Kind::Gauge,
            "Audit rows of searches not yet written.",
            self.load.audit_waiting as f64,
        );
        out.one(
            "uec_audit_lag_seconds",
            Kind::Gauge,
            "Age of the oldest of them; the promise is one second.",
            self.load.audit_oldest.as_secs_f64(),
        );
        const ANCHORS: &str = "uec_audit_anchors_total";
        out.head(
            ANCHORS,
            Kind::Counter,
            "Signed heads of audit trails, by where they went and whether they arrived.",
        );
        for to in Sink::ALL {
            let (written, failed) = self.trail.counts(to);
            for (result, count) in [("written", written), ("failed", failed)] {
                let labels = format!("{},{}", label("to", to.name()), label("result", result));
                out.value(ANCHORS, &labels, count);
            }
        }
        if let Some(age) = self.trail.age() {
            out.one(
                "uec_audit_anchor_age_seconds",
                Kind::Gauge,
                "Since the heads of all trails were last signed and kept, or since the start.",
                age as f64,
            );
        }
        out.one(
            "uec_audit_trails_lost",
            Kind::Gauge,
            "Providers whose trail is not the one that was signed.",
            self.trail.losses().len() as f64,
        );
    }

    fn process(&self, out: &mut Text) {
        let m = self.metrics;
        let spans = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed) as f64;
        for (name, kind, help, value) in [
            (
                "uec_ready",
                Kind::Gauge,
                "1 while /health/ready says ready.",
                f64::from(u8::from(self.ready)),
            ),
            (
                "uec_health_checks_total",
                Kind::Counter,
                "Checks of its own health that the server has finished.",
                self.looks as f64,
            ),
            (
                "uec_log_lines_lost_total",
                Kind::Counter,
                "Lines of the log that could not be written.",
                self.log_lines_lost as f64,
            ),
            (
                "uec_connections_open",
                Kind::Gauge,
                "Connections of the API.",
                m.connections.open() as f64,
            ),
            (
                "uec_answers_untaken_bytes",
                Kind::Gauge,
                "Memory of answers that were not taken yet.",
                self.untaken as f64,
            ),
            (
                "uec_telemetry_spans_total",
                Kind::Counter,
                "Spans handed to the exporter.",
                spans(&m.spans),
            ),
            (
                "uec_telemetry_spans_dropped_total",
                Kind::Counter,
                "Spans thrown away because the exporter did not keep up.",
                spans(&m.spans_dropped),
            ),
            (
                "uec_telemetry_spans_failed_total",
                Kind::Counter,
                "Spans that the collector did not take.",
                spans(&m.spans_failed),
            ),
            (
                "process_start_time_seconds",
                Kind::Gauge,
                "Start of the process, seconds since 1970.",
                m.started,
            ),
        ] {
            out.one(name, kind, help, value);
        }
        const ENDED: &str = "uec_connections_ended_total";
        out.head(
            ENDED,
            Kind::Counter,
            "Connections that this server ended or did not take, by reason.",
        );
        for why in listen::Ended::ALL {
            let count = m.connections.ended(why);
            out.value(ENDED, &label("reason", why.name()), count);
        }
        const CERTIFICATE: &str = "uec_tls_certificate_expiry_seconds";
        if !self.certificates.is_empty() {
            out.head(
                CERTIFICATE,
                Kind::Gauge,
                "Seconds until a certificate in use expires; negative afterwards.",
            );
        }
        for (which, seconds) in &self.certificates {
            out.value(CERTIFICATE, &label("certificate", which), seconds);
        }
        self.revocation_lists(out);
        out.head(
            "uec_build_info",
            Kind::Gauge,
            "The program, as labels of a constant.",
        );
        out.value(
            "uec_build_info",
            &label("version", env!("CARGO_PKG_VERSION")),
            1,
        );
    }
}

fn diary(out: &mut Text, sample: &Sample) {
    let traffic = |test| super::requests::Traffic::of(test).name();
    const FREE: &str = "uec_slots_free";
    out.head(
        FREE,
        Kind::Gauge,
        "Free slots not held back that start within the time named, by service.",
    );
    for tenant in &sample.tenants {
        for service in &tenant.services {
            for (within, free) in [("24h", service.free_day), ("7d", service.free_week)] {
                let labels = format!(
                    "{},{},{},{}",
                    label("tenant", &tenant.ods),
                    label("service", &service.service),
                    label("within", within),
                    label("traffic", traffic(service.test))
                );
                out.value(FREE, &labels, free);
            }
        }
    }
    const LIVE: &str = "uec_bookings_live";
    out.head(
        LIVE,
        Kind::Gauge,
        "Bookings not cancelled, from today on, by service.",
    );
    for tenant in &sample.tenants {
        for service in &tenant.services {
            let labels = format!(
                "{},{},{}",
                label("tenant", &tenant.ods),
                label("service", &service.service),
                label("traffic", traffic(service.test))
            );
            out.value(LIVE, &labels, service.bookings);
        }
    }
    let waiting: Vec<(&str, Waiting)> = sample
        .tenants
        .iter()
        .map(|t| (t.ods.as_str(), t.waiting))
        .chain([("none", sample.unassigned)])
        .collect();
    for (name, help, of) in [
        (
            "uec_referrals_unmatched",
            "Referrals of the last three months that have no booking.",
            (|w: &Waiting| w.unmatched) as fn(&Waiting) -> u64,
        ),
        (
            "uec_referrals_quarantined",
            "Referrals of the last three months that are kept aside.",
            |w: &Waiting| w.quarantined,
        ),
    ] {
        out.head(name, Kind::Gauge, help);
        for (tenant, waiting) in &waiting {
            out.value(name, &label("tenant", tenant), of(waiting));
        }
    }
}
