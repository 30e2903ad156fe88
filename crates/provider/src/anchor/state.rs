//! The state of a running server's anchors, for readiness and metrics.

use super::compare::Loss;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A destination of anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// The log.
    Log,
    /// The folder.
    Folder,
    /// The HTTP address.
    Http,
}

impl Sink {
    /// All destinations, in the order of their counters.
    pub const ALL: [Sink; 3] = [Sink::Log, Sink::Folder, Sink::Http];

    /// The value of the label `to`.
    pub fn name(self) -> &'static str {
        match self {
            Sink::Log => "log",
            Sink::Folder => "folder",
            Sink::Http => "http",
        }
    }
}

/// Counters and losses.
#[derive(Debug, Default)]
pub struct AnchorState {
    written: [AtomicU64; Sink::ALL.len()],
    failed: [AtomicU64; Sink::ALL.len()],
    /// When all heads were last read and stored, or the start; seconds since 1970. 0: nothing is signed.
    last: AtomicI64,
    losses: Mutex<Vec<Loss>>,
}

impl AnchorState {
    /// Counts heads that a destination took.
    pub fn wrote(&self, to: Sink, heads: usize) {
        self.written[to as usize].fetch_add(heads as u64, Ordering::Relaxed);
    }

    /// Counts heads that a destination did not take.
    pub fn failed(&self, to: Sink, heads: usize) {
        self.failed[to as usize].fetch_add(heads as u64, Ordering::Relaxed);
    }

    /// Heads that a destination took, and those that it did not.
    pub fn counts(&self, to: Sink) -> (u64, u64) {
        let of = |counters: &[AtomicU64; 3]| counters[to as usize].load(Ordering::Relaxed);
        (of(&self.written), of(&self.failed))
    }

    /// Records a round without a failure, or that signing begins.
    pub(super) fn done(&self, now: jiff::Timestamp) {
        self.last.store(now.as_second(), Ordering::Relaxed);
    }

    /// Seconds since the last round without a failure, or since the start. It grows while a folder hangs. `None`: nothing
    /// is signed.
    pub fn age(&self) -> Option<i64> {
        match self.last.load(Ordering::Relaxed) {
            0 => None,
            last => Some((crate::clock::now().as_second() - last).max(0)),
        }
    }

    pub(super) fn set_losses(&self, losses: Vec<Loss>) {
        *self.losses.lock().unwrap_or_else(PoisonError::into_inner) = losses;
    }

    /// Signed rows that are missing from the database.
    pub fn losses(&self) -> Vec<Loss> {
        self.losses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
