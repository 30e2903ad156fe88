//! `date` and `dateTime` with their precision, and the span of time that they cover.

use super::PrimitiveError;
use jiff::civil::{self, Date};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// xs:dateTime allows offsets up to 14 hours either side of UTC.
const MAX_OFFSET_HOURS: i32 = 14;

/// Digits kept of a fraction of a second. Further ones are dropped (jiff counts nanoseconds).
const FRACTION_DIGITS: usize = 9;

/// The written precision of a dateTime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2031`
    Year,
    /// `2031-03`
    Month,
    /// `2031-03-04`
    Day,
    /// `2031-03-04T09:30`, in search parameters only
    Minute,
    /// `2031-03-04T09:30:15`
    Second,
    /// `2031-03-04T09:30:15.250`, with this many digits (1 to 9)
    Fraction(u8),
}

/// A time of day as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    time: civil::Time,
    precision: Precision,
}

/// A FHIR date or dateTime: a real calendar date with its written precision.
///
/// Leap seconds (`:60`) and `24:00` are refused: the STU3 grammar ends at 59 seconds and 23 hours, and no NHS system uses
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// First day of the span.
    date: Date,
    time: civil::Time,
    precision: Precision,
    offset: Option<Offset>,
}

impl DateTime {
    /// Reads a date or dateTime of a search parameter: any precision from year to fraction, with or without offset.
    /// [`DateTime::check_element`] has the narrower grammar of message elements.
    pub fn parse(text: &str) -> Result<DateTime, PrimitiveError> {
        let (date, precision, rest) = parse_date(text)?;
        let Some(rest) = rest.strip_prefix('T') else {
            return match rest {
                "" => Ok(DateTime {
                    date,
                    time: civil::Time::midnight(),
                    precision,
                    offset: None,
                }),
                _ => Err(PrimitiveError::new(
                    "after the date there must be nothing, or T and a time",
                )),
            };
        };
        if precision != Precision::Day {
            return Err(PrimitiveError::new(
                "a time needs a whole date before it: YYYY-MM-DDThh:mm:ss+zz:zz",
            ));
        }
        let (clock, zone) = Clock::parse_lenient(rest)?;
        let offset = match zone {
            "" => None,
            _ => Some(parse_offset(zone)?),
        };
        Ok(DateTime {
            date,
            time: clock.time,
            precision: clock.precision,
            offset,
        })
    }

    /// The grammar of a `dateTime` element: like [`DateTime::parse`], but a time needs seconds and offset.
    pub fn check_element(text: &str) -> Result<DateTime, PrimitiveError> {
        let it = DateTime::parse(text)?;
        match (it.precision, it.offset) {
            (Precision::Minute, _) => Err(PrimitiveError::new(
                "the time lacks its seconds; right would be YYYY-MM-DDThh:mm:ss+zz:zz",
            )),
            (Precision::Second | Precision::Fraction(_), None) => Err(PrimitiveError::new(
                "the time lacks its offset; right would be Z, +00:00 or +01:00 at the end",
            )),
            _ => Ok(it),
        }
    }

    /// The grammar of a `date` element: year, month or day, no time.
    pub fn check_date(text: &str) -> Result<DateTime, PrimitiveError> {
        if text.contains('T') {
            return Err(PrimitiveError::new(
                "a date has no time; right would be YYYY, YYYY-MM or YYYY-MM-DD",
            ));
        }
        DateTime::parse(text)
    }

    /// The written precision.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// True when an offset was written.
    pub fn has_offset(&self) -> bool {
        self.offset.is_some()
    }

    /// The day, or the first day of the month or year.
    pub fn date(&self) -> Date {
        self.date
    }

    /// The span that the value covers: start inclusive, end exclusive. `2031-03` is the whole month, `…T09:30:15` the whole
    /// second.
    ///
    /// Without offset it is local time in `zone`. A local time that a clock change skips counts as the first moment after
    /// the gap, and a span wholly inside the gap is empty there. A repeated local time covers both showings: its span
    /// starts at the first and ends with the second. A day may have 23 or 25 hours.
    pub fn range(&self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let first = self.date.to_datetime(self.time);
        let after = self.after(first);
        match self.offset {
            Some(offset) => (fixed(first, offset), fixed(after, offset)),
            None => {
                let (start, end) = (earliest(first, zone), span_end(first, after, zone));
                (start, end.max(start))
            }
        }
    }

    /// The first local time after the span.
    fn after(&self, first: civil::DateTime) -> civil::DateTime {
        let span = jiff::Span::new();
        let next = match self.precision {
            Precision::Year => first.checked_add(span.years(1)),
            Precision::Month => first.checked_add(span.months(1)),
            Precision::Day => first.checked_add(span.days(1)),
            Precision::Minute => first.checked_add(span.minutes(1)),
            Precision::Second => first.checked_add(span.seconds(1)),
            Precision::Fraction(digits) => {
                let digits = usize::from(digits).min(FRACTION_DIGITS);
                first.checked_add(span.nanoseconds(10_i64.pow((FRACTION_DIGITS - digits) as u32)))
            }
        };
        // Only the last moment of year 9999 has no successor.
        next.unwrap_or(civil::DateTime::MAX)
    }
}

/// A local time at a fixed offset. The last hours of year 9999 exceed jiff's range.
fn fixed(local: civil::DateTime, offset: Offset) -> Timestamp {
    offset.to_timestamp(local).unwrap_or(Timestamp::MAX)
}

/// The first moment at which the clocks in `zone` show `local` or later.
fn earliest(local: civil::DateTime, zone: &TimeZone) -> Timestamp {
    use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
    match zone.to_ambiguous_timestamp(local).offset() {
        Unambiguous { offset } => fixed(local, offset),
        Fold { before, .. } => fixed(local, before),
        // With the offset before the gap, the time lies after the change; the first moment is the change itself.
        Gap { before, .. } => {
            let inside = fixed(local, before);
            // `preceding` excludes the given moment, which may be the change itself.
            let just_after = inside
                .checked_add(SignedDuration::from_nanos(1))
                .unwrap_or(inside);
            zone.preceding(just_after)
                .next()
                .map_or(inside, |change| change.timestamp())
        }
    }
}

/// The end of the last showing of the span's local times.
fn span_end(first: civil::DateTime, after: civil::DateTime, zone: &TimeZone) -> Timestamp {
    use jiff::tz::AmbiguousOffset::{Fold, Gap, Unambiguous};
    let last = after
        .checked_sub(jiff::Span::new().nanoseconds(1))
        .unwrap_or(first);
    match zone.to_ambiguous_timestamp(last).offset() {
        Fold { after: offset, .. } => fixed(after, offset),
        Unambiguous { offset } => fixed(after, offset),
        Gap { .. } => earliest(last, zone),
    }
}

/// Splits a leading date from `text`: the date, its precision, and the rest.
fn parse_date(text: &str) -> Result<(Date, Precision, &str), PrimitiveError> {
    let wanted =
        || PrimitiveError::new("this is not a date; right would be YYYY, YYYY-MM or YYYY-MM-DD");
    let (year, rest) = digits(text, 4).ok_or_else(wanted)?;
    let year = i16::try_from(year).map_err(|_| wanted())?;
    if year == 0 {
        return Err(PrimitiveError::new(
            "there is no year 0000; right would be a year from 0001",
        ));
    }
    let Some(rest) = rest.strip_prefix('-') else {
        return Ok((civil::date(year, 1, 1), Precision::Year, rest));
    };
    let (month, rest) = digits(rest, 2).ok_or_else(wanted)?;
    if !(1..=12).contains(&month) {
        return Err(PrimitiveError::new(
            "there is no such month; right would be 01 to 12",
        ));
    }
    let month = month as i8;
    let Some(rest) = rest.strip_prefix('-') else {
        return Ok((civil::date(year, month, 1), Precision::Month, rest));
    };
    let (day, rest) = digits(rest, 2).ok_or_else(wanted)?;
    let date = Date::new(year, month, day as i8).map_err(|_| {
        let last = civil::date(year, month, 1).days_in_month();
        PrimitiveError::new(format!(
            "there is no such day in that month; right would be 01 to {last}"
        ))
    })?;
    Ok((date, Precision::Day, rest))
}

/// Splits exactly `count` leading digits (at most four, so the number fits).
fn digits(text: &str, count: usize) -> Option<(i32, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    head.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    Some((head.parse().ok()?, rest))
}

impl Clock {
    /// Splits a leading `hh:mm:ss` with optional fraction from `text`.
    pub(crate) fn parse(text: &str) -> Result<(Clock, &str), PrimitiveError> {
        match Clock::parse_lenient(text)? {
            (clock, _) if clock.precision == Precision::Minute => {
                Err(PrimitiveError::new("the time lacks its seconds"))
            }
            done => Ok(done),
        }
    }

    /// Like [`Clock::parse`], but seconds are optional.
    fn parse_lenient(text: &str) -> Result<(Clock, &str), PrimitiveError> {
        let wanted = || PrimitiveError::new("this is not a time; right would be hh:mm:ss");
        let (hour, rest) = digits(text, 2).ok_or_else(wanted)?;
        let (minute, rest) = rest
            .strip_prefix(':')
            .and_then(|r| digits(r, 2))
            .ok_or_else(wanted)?;
        if hour > 23 || minute > 59 {
            return Err(PrimitiveError::new(
                "there is no such time of day; right would be 00:00 to 23:59",
            ));
        }
        let (hour, minute) = (hour as i8, minute as i8);
        let Some(rest) = rest.strip_prefix(':') else {
            let time = civil::time(hour, minute, 0, 0);
            return Ok((
                Clock {
                    time,
                    precision: Precision::Minute,
                },
                rest,
            ));
        };
        let (second, rest) = digits(rest, 2).ok_or_else(wanted)?;
        if second > 59 {
            return Err(PrimitiveError::new(
                "seconds go from 00 to 59; leap seconds are not accepted",
            ));
        }
        let (nanoseconds, precision, rest) = fraction(rest)?;
        Ok((
            Clock {
                time: civil::time(hour, minute, second as i8, nanoseconds),
                precision,
            },
            rest,
        ))
    }
}

/// Splits a leading `.123`: nanoseconds, precision, and the rest.
fn fraction(text: &str) -> Result<(i32, Precision, &str), PrimitiveError> {
    let Some(rest) = text.strip_prefix('.') else {
        return Ok((0, Precision::Second, text));
    };
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return Err(PrimitiveError::new(
            "after the full stop there must be the fraction of the second",
        ));
    }
    let kept = count.min(FRACTION_DIGITS);
    let value = rest
        .bytes()
        .take(kept)
        .fold(0_i32, |n, b| n * 10 + i32::from(b - b'0'));
    let scale = 10_i32.pow((FRACTION_DIGITS - kept) as u32);
    Ok((
        value * scale,
        Precision::Fraction(kept as u8),
        &rest[count..],
    ))
}

/// `Z`, `+01:00` or `-05:30`, and nothing after it.
pub(crate) fn parse_offset(text: &str) -> Result<Offset, PrimitiveError> {
    let wanted =
        || PrimitiveError::new("this is not an offset; right would be Z, +00:00 or +01:00");
    if text == "Z" {
        return Ok(Offset::UTC);
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(wanted()),
    };
    let (hours, rest) = digits(&text[1..], 2).ok_or_else(wanted)?;
    let (minutes, rest) = rest
        .strip_prefix(':')
        .and_then(|r| digits(r, 2))
        .ok_or_else(wanted)?;
    if !rest.is_empty() {
        return Err(wanted());
    }
    if hours > MAX_OFFSET_HOURS || minutes > 59 || (hours == MAX_OFFSET_HOURS && minutes > 0) {
        return Err(PrimitiveError::new(
            "there is no such offset; right would be -14:00 to +14:00",
        ));
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map_err(|_| wanted())
}

impl DateTime {
    /// The exact moment, if the text has seconds and offset.
    pub(crate) fn moment(&self) -> Option<Timestamp> {
        let offset = self.offset?;
        (self.precision >= Precision::Second)
            .then(|| fixed(self.date.to_datetime(self.time), offset))
    }
}
