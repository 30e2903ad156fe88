//! `instant`: a moment with seconds and offset, with its text.

use super::{DateTime, Precision, PrimitiveError};
use jiff::Timestamp;
use smol_str::SmolStr;

/// A FHIR instant: the moment and its original text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    text: SmolStr,
    timestamp: Timestamp,
}

impl Instant {
    /// Reads an instant. It needs a full date, seconds and any offset.
    pub fn parse(text: &str) -> Result<Instant, PrimitiveError> {
        Instant::check(text).map(|timestamp| Instant {
            text: SmolStr::new(text),
            timestamp,
        })
    }

    /// The moment of an instant, without keeping its text.
    pub(crate) fn check(text: &str) -> Result<Timestamp, PrimitiveError> {
        let it = DateTime::parse(text)?;
        match it.precision() {
            Precision::Year | Precision::Month | Precision::Day => Err(PrimitiveError::new(
                "an instant has a time; right would be YYYY-MM-DDThh:mm:ss.sss+zz:zz",
            )),
            Precision::Minute => Err(PrimitiveError::new(
                "the instant lacks its seconds; right would be YYYY-MM-DDThh:mm:ss.sss+zz:zz",
            )),
            Precision::Second | Precision::Fraction(_) => it.moment().ok_or_else(|| {
                PrimitiveError::new(
                    "the instant lacks its offset; right would be Z, +00:00 or +01:00 at the end",
                )
            }),
        }
    }

    /// The original text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The moment.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// Formats a moment as a FHIR instant in UTC, `YYYY-MM-DDThh:mm:ss.sss+00:00`. Finer digits are cut off, not rounded.
pub fn format_instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}
