//! A histogram of atomics: recording a value takes no lock and never waits.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds for durations of requests and commits, microseconds: from a search in memory to a queue's time-out. They
/// include the Standard's limit for commands, 100 ms.
pub const MICROS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];
/// Upper bounds for the jobs of one commit. A group has at most 256.
pub const JOBS: &[u64] = &[0, 1, 2, 4, 8, 16, 32, 64, 128, 256];
/// Buckets of a histogram; no list of bounds above is longer.
const ROOM: usize = 16;

/// Counts of values by size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: [AtomicU64; ROOM],
    sum: AtomicU64,
}

impl Histogram {
    /// An empty histogram. `bounds` ascend; larger values have a bucket of their own.
    pub fn new(bounds: &'static [u64]) -> Histogram {
        Histogram {
            bounds: &bounds[..bounds.len().min(ROOM - 1)],
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
        }
    }

    /// Records a value.
    pub fn note(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Number of recorded values.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|c| c.load(Ordering::Relaxed)).sum()
    }

    /// Appends the series of this histogram. `labels` is empty or `a="b",`; values are divided by `unit`.
    pub fn write(&self, out: &mut String, name: &str, labels: &str, unit: f64) {
        let mut total = 0;
        // Writing into a String cannot fail.
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            total += count.load(Ordering::Relaxed);
            let le = *bound as f64 / unit;
            let _ = writeln!(out, "{name}_bucket{{{labels}le=\"{le}\"}} {total}");
        }
        total += self.counts[self.bounds.len()].load(Ordering::Relaxed);
        let _ = writeln!(out, "{name}_bucket{{{labels}le=\"+Inf\"}} {total}");
        let braces = match labels.trim_end_matches(',') {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        let sum = self.sum.load(Ordering::Relaxed) as f64 / unit;
        let _ = writeln!(out, "{name}_sum{braces} {sum}");
        let _ = writeln!(out, "{name}_count{braces} {total}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_all() {
        let histogram = Histogram::new(JOBS);
        for value in [0, 1, 1, 3, 256, 1_000] {
            histogram.note(value);
        }
        let mut out = String::new();
        histogram.write(&mut out, "jobs", "a=\"b\",", 1.0);
        for line in [
            "jobs_bucket{a=\"b\",le=\"0\"} 1",
            "jobs_bucket{a=\"b\",le=\"1\"} 3",
            "jobs_bucket{a=\"b\",le=\"4\"} 4",
            "jobs_bucket{a=\"b\",le=\"256\"} 5",
            "jobs_bucket{a=\"b\",le=\"+Inf\"} 6",
            "jobs_sum{a=\"b\"} 1261",
            "jobs_count{a=\"b\"} 6",
        ] {
            assert!(out.lines().any(|l| l == line), "{line} in\n{out}");
        }
    }

    #[test]
    fn durations_are_written_in_seconds() {
        let histogram = Histogram::new(MICROS);
        histogram.note(1_500);
        let mut out = String::new();
        histogram.write(&mut out, "d", "", 1e6);
        assert!(out.contains("d_bucket{le=\"0.0025\"} 1\n"), "{out}");
        assert!(out.contains("d_sum 0.0015\nd_count 1\n"), "{out}");
    }
}
