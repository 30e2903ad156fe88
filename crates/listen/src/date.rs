//! Checks that the clock shows a date that HTTP can write. Before all else on an HTTP/1.1 connection hyper writes the date,
//! and panics if it cannot.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 1 January 10000 in seconds since 1970, the first date that HTTP cannot write (RFC 9110, 5.6.7).
const END: u64 = 253_402_300_800;

/// True from 1970 to the end of 9999.
pub(crate) fn can_be_written() -> bool {
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
