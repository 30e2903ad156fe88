//! The clock of this machine, as a moment that everything else can count with.
//!
//! A clock can be set to any year. Dates of HTTP and FHIR end with the year 9999, and what counts on from there fails; so the
//! moment ends before that, and a server is not started beyond it.

use jiff::Timestamp;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From 1 January 9990 on, in seconds: whatever is added to a moment before it still has a date.
const END: u64 = 253_086_768_000;

/// Now; a clock before 1970 or after [`END`] is taken for one of these.
pub fn now() -> Timestamp {
    of(SystemTime::now())
}

fn of(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = since.min(Duration::from_secs(END));
    let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
    // Within the range of the type, by the bounds above.
    Timestamp::new(seconds.cast_signed(), nanos.cast_signed()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Why no server can be started by this clock.
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
