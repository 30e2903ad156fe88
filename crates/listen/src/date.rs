//! Whether the clock shows a date that HTTP can write. Hyper writes one before it does anything on a connection of HTTP/1.1, and
//! panics when there is none.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From 1 January 10000 on, in seconds: HTTP has no dates any more (RFC 9110, 5.6.7).
const END: u64 = 253_402_300_800;

/// True from 1970 to the end of 9999.
pub(crate) fn is_there() -> bool {
    is_one(SystemTime::now())
}

fn is_one(at: SystemTime) -> bool {
    let since = at.duration_since(UNIX_EPOCH).ok();
    since.is_some_and(|since| since < Duration::from_secs(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_begin_and_end() {
        let (second, end) = (Duration::from_secs(1), Duration::from_secs(END));
        assert!(is_one(UNIX_EPOCH) && is_one(UNIX_EPOCH + end - second));
        assert!(!is_one(UNIX_EPOCH - second) && !is_one(UNIX_EPOCH + end));
    }
}
