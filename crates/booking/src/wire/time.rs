//! Reads dates and times in search criteria (PROV-SLOT-03..06, D-10, D-19).

use crate::refusal::{Refusal, Situation};
use fhir::primitive::{DateTime, Precision};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// One end of a time window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The instant.
    pub at: Timestamp,
    /// Whether the instant itself is in the window.
    pub inclusive: bool,
}

/// Whether an instant is between two bounds. An absent bound does not limit.
pub(crate) fn within(at: Timestamp, lower: Option<Bound>, upper: Option<Bound>) -> bool {
    lower.is_none_or(|b| at > b.at || (b.inclusive && at == b.at))
        && upper.is_none_or(|b| at < b.at || (b.inclusive && at == b.at))
}

/// A lower bound alone is past only when it is older than this: consumers send `ge` with the time of building the request,
/// which is past on arrival.
pub const LOWER_BOUND_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Longest value read: prefix, date, time, nine digits of fraction and offset, with some spare.
const MAX_VALUE: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Ge,
    Gt,
    Le,
    Lt,
    Eq,
}

/// The instants that a value covers: one instant, or `[first, end)` if it is less exact than a second.
struct Meaning {
    first: Timestamp,
    end: Option<Timestamp>,
}

/// The bounds of all `start` values.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    pub lower: Option<Bound>,
    pub upper: Option<Bound>,
    /// End of the latest lower bound given alone: the end of the day for `ge` with a date.
    latest: Option<Timestamp>,
}

impl Bounds {
    /// Adds the value of one `start` parameter. All have to hold.
    pub fn add(&mut self, name: &str, value: &str, zone: &TimeZone) -> Result<(), Refusal> {
        let refused = |fault: &str| {
            Refusal::new(
                Situation::InvalidParameter,
                format!("The value of `{name}` {fault}."),
            )
            .location(format!("http.{name}"))
        };
        if value.len() > MAX_VALUE {
            return Err(refused("is too long for a date or time"));
        }
        let (prefix, rest) = prefix(value).map_err(|p| {
            refused(&format!(
                "starts with `{p}`; the prefixes are ge, gt, le, lt and eq"
            ))
        })?;
        let meaning = read(rest, zone, matches!(prefix, Prefix::Le | Prefix::Lt)).ok_or_else(|| {
            refused("is no date or time; write it as ge2031-03-04T08:15:00Z or ge2031-03-04, `+` as %2B")
        })?;
        let first = Bound {
            at: meaning.first,
            inclusive: true,
        };
        let last = match meaning.end {
            Some(end) => Bound {
                at: end,
                inclusive: false,
            },
            None => first,
        };
        match prefix {
            Prefix::Ge => self.raise(first),
            Prefix::Gt => self.raise(after(last)),
            Prefix::Le => self.drop(last),
            Prefix::Lt => self.drop(Bound {
                at: first.at,
                inclusive: false,
            }),
            Prefix::Eq => {
                self.raise(first);
                self.drop(last);
            }
        }
        self.latest = self.latest.max(Some(last.at));
        Ok(())
    }

    /// Whether the whole window is past (PROV-SLOT-06). With an upper bound, all bounds are. A lower bound alone is past
    /// when its value is, a date with its whole day, after a grace.
    pub fn all_past(&self, now: Timestamp) -> bool {
        match (self.lower, self.upper) {
            (None, None) => false,
            (lower, Some(upper)) => upper.at < now && lower.is_none_or(|lower| lower.at < now),
            (Some(_), None) => self
                .latest
                .is_some_and(|at| at.as_duration() + LOWER_BOUND_GRACE < now.as_duration()),
        }
    }

    fn raise(&mut self, bound: Bound) {
        match self.lower {
            Some(old) if old.at > bound.at || (old.at == bound.at && !old.inclusive) => {}
            _ => self.lower = Some(bound),
        }
    }

    fn drop(&mut self, bound: Bound) {
        match self.upper {
            Some(old) if old.at < bound.at || (old.at == bound.at && !old.inclusive) => {}
            _ => self.upper = Some(bound),
        }
    }
}

/// The lower bound that starts where an upper bound ends.
fn after(last: Bound) -> Bound {
    Bound {
        at: last.at,
        inclusive: !last.inclusive,
    }
}

fn prefix(value: &str) -> Result<(Prefix, &str), &str> {
    let Some((head, rest)) = value.split_at_checked(2) else {
        return Ok((Prefix::Eq, value));
    };
    let prefix = match head {
        "ge" => Prefix::Ge,
        "gt" => Prefix::Gt,
        "le" => Prefix::Le,
        "lt" => Prefix::Lt,
        "eq" => Prefix::Eq,
        "ne" | "sa" | "eb" | "ap" => return Err(head),
        _ => return Ok((Prefix::Eq, value)),
    };
    Ok((prefix, rest))
}

/// Reads a FHIR date or dateTime of any precision. Accepts `t` and `z` (RFC 3339), and a space for `+`. Without offset it
/// is local time. If the clock shows it twice, a lower bound means the first and an upper bound the second, so that no slot
/// is lost.
fn read(text: &str, zone: &TimeZone, upper: bool) -> Option<Meaning> {
    let mended: String = text
        .char_indices()
        .map(|(i, c)| match c {
            ' ' if i > 10 => '+',
            't' | 'z' if i >= 10 => c.to_ascii_uppercase(),
            c => c,
        })
        .collect();
    let value = DateTime::parse(&mended).ok()?;
    let (first, end) = value.range(zone);
    let nanoseconds = match value.precision() {
        Precision::Year | Precision::Month | Precision::Day | Precision::Minute => {
            return Some(Meaning {
                first,
                end: Some(end),
            });
        }
        Precision::Second => 1_000_000_000,
        Precision::Fraction(digits) => 10_i64.pow(9_u32.saturating_sub(u32::from(digits))),
    };
    let last = end
        .checked_sub(SignedDuration::from_nanos(nanoseconds))
        .ok()?;
    Some(Meaning {
        first: if upper { last } else { first },
        end: None,
    })
}

/// An instant in UTC for search criteria, without an empty fraction.
pub(crate) fn text(at: Timestamp) -> String {
    // jiff writes RFC 3339 with `Z` and only the needed digits.
    at.to_string()
}
