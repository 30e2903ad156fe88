//! Reads the machine's clock as a moment that is safe to compute with.
//!
//! A clock can show any year, but HTTP and FHIR dates end with 9999. So the moment stops before that year, and no server
//! starts beyond it.

use jiff::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 1 January 9990, seconds since 1970. Sums with earlier moments still have a date.
const END: u64 = 253_086_768_000;

/// The current moment, limited to 1970 up to [`END`].
pub fn now() -> Timestamp {
    of(SystemTime::now())
}

fn of(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = since.min(Duration::from_secs(END));
    let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
    // The bounds above are within the range of the type.
    Timestamp::new(seconds.cast_signed(), nanos.cast_signed()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Why this clock allows no server to start.
pub fn unusable() -> Option<String> {
    judged(SystemTime::now())
}

fn judged(at: SystemTime) -> Option<String> {
    let since = at.duration_since(UNIX_EPOCH).ok();
    match since.is_some_and(|since| since.as_secs() < END) {
        true => None,
        false => Some(
            "the clock of this machine is before the year 1970 or after 9989, where messages have no dates: set it right, keep \
             it so with NTP, and start again"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_clock_has_a_moment_that_can_be_counted_with() {
        let century = Duration::from_secs(100 * 366 * 24 * 60 * 60);
        let last = Timestamp::from_second(END.cast_signed()).unwrap_or_default();
        assert_eq!(last.to_string(), "9990-01-01T00:00:00Z");
        for (at, taken) in [
            (UNIX_EPOCH - century, Timestamp::UNIX_EPOCH),
            (UNIX_EPOCH + century * 81, last),
            (UNIX_EPOCH + century * 8_000, last),
        ] {
            assert_eq!(of(at), taken);
            assert!(judged(at).is_some());
        }
        let now = SystemTime::now();
        assert_eq!(Some(of(now)), Timestamp::try_from(now).ok());
        assert_eq!(judged(now), None);
    }
}
