//! The state of the log, shared by the log's writer, metrics and readiness.
//!
//! A log that cannot be written never stops a request. Its lines are lost and counted, and the server is not ready until a
//! line is written again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A line that takes longer to write is stuck: nobody reads the pipe, or the disk hangs.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// The state of the log.
#[derive(Debug)]
pub struct LogState {
    lost: AtomicU64,
    failing: AtomicBool,
    begun: Instant,
    /// When the current line was begun, in milliseconds since `begun` plus one; 0: no line is being written.
    writing_since: AtomicU64,
}

impl Default for LogState {
    fn default() -> LogState {
        LogState {
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            begun: Instant::now(),
            writing_since: AtomicU64::new(0),
        }
    }
}

impl LogState {
    /// Records that a line is being written.
    pub fn writing(&self) {
        self.writing_since.store(self.now(), Ordering::Relaxed);
    }

    /// Records whether the line was written.
    pub fn wrote(&self, whole: bool) {
        self.writing_since.store(0, Ordering::Relaxed);
        self.failing.store(!whole, Ordering::Relaxed);
    }

    /// Counts a lost line.
    pub fn lost_line(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines lost since the process began.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// True when the last line failed or has been stuck for some seconds.
    pub fn is_failing(&self) -> bool {
        let since = self.writing_since.load(Ordering::Relaxed);
        let stuck = u64::try_from(STUCK_AFTER.as_millis()).unwrap_or(u64::MAX);
        self.failing.load(Ordering::Relaxed)
            || since != 0 && self.now().saturating_sub(since) > stuck
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).map_or(u64::MAX, |ms| ms.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_fails_shows_until_one_succeeds() {
        let state = LogState::default();
        assert!(!state.is_failing());
        state.writing();
        state.wrote(false);
        state.lost_line();
        assert!(state.is_failing());
        state.writing();
        state.wrote(true);
        assert!(!state.is_failing());
        assert_eq!(state.lost(), 1);
    }
}
