//! Formats times in the user's local time (CONS-SLOT-09).

use booking::instant::london;
use jiff::Timestamp;

/// `Tue 4 Mar 2031`
pub fn day(at: Timestamp) -> String {
    at.to_zoned(london()).strftime("%a %-d %b %Y").to_string()
}

/// `09:30`. In the repeated hour of autumn, with the zone: `01:30 BST`.
pub fn time(at: Timestamp) -> String {
    let zone = london();
    let local = at.to_zoned(zone.clone());
    let twice = zone.to_ambiguous_zoned(local.datetime()).is_ambiguous();
    let format = if twice { "%H:%M %Z" } else { "%H:%M" };
    local.strftime(format).to_string()
}

/// `Tue 4 Mar 2031 09:30`. In the repeated hour of autumn, with the zone.
pub fn day_and_time(at: Timestamp) -> String {
    format!("{} {}", day(at), time(at))
}

/// A duration: `25 minutes`, `3 hours`, `2 hours 5 minutes`, `3 days 1 hour`.
pub fn span(minutes: i64) -> String {
    let unit = |n: i64, name: &str| (n != 0).then(|| counted(n, name));
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts: Vec<String> = [unit(days, "day"), unit(hours, "hour"), unit(rest, "minute")]
        .into_iter()
        .flatten()
        .take(2)
        .collect();
    match parts.is_empty() {
        true => "less than a minute".to_owned(),
        false => parts.join(" "),
    }
}

/// A number and its noun, such as `1 slot` or `2 slots`.
pub fn counted(n: impl TryInto<i64>, name: &str) -> String {
    let n = n.try_into().unwrap_or(i64::MAX);
    match n {
        1 => format!("1 {name}"),
        n => format!("{n} {name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: CONS-SLOT-09
    /// Summer time, winter time and the hour that comes twice.
    #[test]
    fn any_offset_becomes_local_time() {
        let shown = |text: &str| day_and_time(text.parse().unwrap());
        assert_eq!(shown("2031-07-04T09:30:00Z"), "Fri 4 Jul 2031 10:30");
        assert_eq!(shown("2031-01-06T11:30:00+02:00"), "Mon 6 Jan 2031 09:30");
        assert_eq!(shown("2031-10-26T00:30:00Z"), "Sun 26 Oct 2031 01:30 BST");
        assert_eq!(shown("2031-10-26T01:30:00Z"), "Sun 26 Oct 2031 01:30 GMT");
        assert_eq!(span(125), "2 hours 5 minutes");
        assert_eq!(span(0), "less than a minute");
    }
}
