//! Metrics for Prometheus: counts of requests, and figures of the store, the diary, certificates and the process.
//!
//! Each request is counted when its answer is sent. A background task reads the database, at most every few seconds
//! ([`sample`]). Metrics hold no patient data, and only ASIDs of consumers that a tenant declared.
//!
//! To add a metric, count it where it happens, or read it in [`sample`]. `http::operators::admin` collects it into a
//! [`page::Page`], which writes the text; its name, kind and help stand in `families.txt`.

pub mod page;
pub mod requests;
pub mod sample;
pub mod text;

use requests::Requests;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// The server has its limit of requests under way.
    Full,
    /// A search, when only bookings still have room.
    Share,
    /// A search, when the processors are overloaded.
    Lag,
    /// The consumer exceeded its rate.
    Rate,
    /// The consumer has its limit of requests under way.
    UnderWay,
    /// Clients have too many unread answers.
    Untaken,
}

impl Shed {
    /// All reasons, in the order of their counters.
    pub const ALL: [Shed; 6] = [
        Shed::Full,
        Shed::Share,
        Shed::Lag,
        Shed::Rate,
        Shed::UnderWay,
        Shed::Untaken,
    ];

    /// Label value of `reason`.
    pub fn name(self) -> &'static str {
        match self {
            Shed::Full => "full",
            Shed::Share => "kept-for-bookings",
            Shed::Lag => "lag",
            Shed::Rate => "consumer-rate",
            Shed::UnderWay => "consumer-concurrency",
            Shed::Untaken => "answers-untaken",
        }
    }
}

/// The counters of a server.
pub struct Metrics {
    /// Start of the process, seconds since 1970.
    started: f64,
    /// Requests.
    pub requests: Requests,
    shed: [AtomicU64; Shed::ALL.len()],
    /// Connections of the API.
    pub connections: std::sync::Arc<listen::Gauges>,
    /// Spans given to the exporter.
    pub spans: AtomicU64,
    /// Spans dropped because the exporter was too slow.
    pub spans_dropped: AtomicU64,
    /// Spans that the collector did not take.
    pub spans_failed: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            started: crate::clock::now().as_millisecond() as f64 / 1e3,
            requests: Requests::default(),
            shed: std::array::from_fn(|_| AtomicU64::new(0)),
            connections: std::sync::Arc::default(),
            spans: AtomicU64::new(0),
            spans_dropped: AtomicU64::new(0),
            spans_failed: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// Counts a request that was shed.
    pub fn shed(&self, why: Shed) {
        self.shed[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}
