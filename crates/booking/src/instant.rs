//! Converts instants between FHIR text and time (RES-GEN-02, RES-GEN-03).

use fhir::primitive::Instant;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The instant of a FHIR `instant`, or of a `dateTime` with time and offset. `None`: less exact, or malformed.
pub fn parse(text: &str) -> Option<Timestamp> {
    // Most texts are no times; one byte rules them out.
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    Instant::parse(text).ok().map(|i| i.timestamp())
}

/// A dateTime in UTC, to the second: `2031-03-04T09:30:00+00:00`.
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// Europe/London from the compiled-in zone data; UTC if that lacks it.
pub fn london() -> TimeZone {
    TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC)
}
