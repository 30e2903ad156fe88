//! Whether the log of this process can be written: shared between the log's writer, the metrics and the readiness.
//!
//! A log that cannot be written never stops a request. Its lines are lost and counted, and the server says that it is not
//! ready until a line can be written again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A line that takes longer than this to write is stuck: nobody reads the pipe, or the disk hangs.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// The state of the log.
#[derive(Debug)]
pub struct LogState {
    lost: AtomicU64,
    failing: AtomicBool,
    begun: Instant,
    /// Milliseconds since `begun`, plus one, at which the line being written was begun; 0 when none is.
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
    /// Notes that a line is being written from now on.
    pub fn writing(&self) {
        self.writing_since.store(self.now(), Ordering::Relaxed);
    }

    /// Notes whether the line that was being written was written.
    pub fn wrote(&self, whole: bool) {
        self.writing_since.store(0, Ordering::Relaxed);
        self.failing.store(!whole, Ordering::Relaxed);
    }

    /// Notes a line that was lost.
    pub fn lost_line(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines lost since the process began.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// True when the last line could not be written, or has been stuck for some seconds.
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
