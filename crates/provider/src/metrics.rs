//! Metrics for Prometheus: counters of requests, and figures of the store, the diary, certificates and the process.
//!
//! A new metric is counted where it happens, or read in [`sample`]; `http::operators::admin` collects it into a
//! [`page::Page`], which writes the text.
//!
//! Each request is counted when its answer is sent. What must be read from the database is read beside the
//! requests, at most every few seconds ([`sample`]). No patient data, and of consumers only the ASIDs that a tenant
//! declared.

pub mod page;
pub mod requests;
pub mod sample;
pub mod text;

use requests::Requests;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was turned away before or instead of being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// As many requests under way as the server takes.
    Full,
    /// A search, while the rest is kept for bookings.
    Share,
    /// A search, because the processors do not keep up.
    Lag,
    /// The consumer sent more a second than it may.
    Rate,
    /// The consumer has more under way than it may.
    UnderWay,
    /// Too many answers are not taken by those who asked for them.
    Untaken,
}

impl Shed {
    /// All of them, in the order of their counters.
    pub const ALL: [Shed; 6] = [
        Shed::Full,
        Shed::Share,
        Shed::Lag,
        Shed::Rate,
        Shed::UnderWay,
        Shed::Untaken,
    ];

    /// The value of the label `reason`.
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

/// All counters of a server.
pub struct Metrics {
    /// When the process began, seconds since 1970.
    started: f64,
    /// Requests.
    pub requests: Requests,
    shed: [AtomicU64; Shed::ALL.len()],
    /// Connections of the API.
    pub connections: std::sync::Arc<listen::Gauges>,
    /// Spans handed to the exporter.
    pub spans: AtomicU64,
    /// Spans thrown away because the exporter did not keep up.
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
    /// Notes that a request was turned away.
    pub fn shed(&self, why: Shed) {
        self.shed[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}
