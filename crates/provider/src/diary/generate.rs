//! Makes slots from templates, their exceptions and sessions, for given London dates. Pure.
//!
//! A clinic is real time between two readings of the London clock, cut into slots from its start.
//! - In spring, skipped times do not exist: a clinic that starts or ends in the skipped hour does so where the clock jumps.
//!   00:00–04:00 has three real hours, 01:10–01:50 has none.
//! - In autumn, an hour repeats: 00:00–04:00 has five real hours, and the repeated hour has slots of its own. A clinic that
//!   starts or ends within that hour does so at its first showing.
//!
//! So consecutive clinics never overlap, and every slot has its full length. When a clinic is declared,
//! `declaration::warn::days` warns of these effects; `slots` lists a repeated hour with its time zone.

use super::declaration::{ClockTime, Exception, Session, Template};
use crate::store::Channel;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Disambiguation, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::sync::{Arc, LazyLock};

/// Shortest slot.
pub const MIN_SLOT_MINUTES: u16 = 1;
/// Longest slot: a working day, for diaries that book a place rather than a time.
pub const MAX_SLOT_MINUTES: u16 = 12 * 60;

static LONDON: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC));

/// Europe/London.
pub fn london() -> &'static TimeZone {
    &LONDON
}

/// The date in London.
pub fn london_date(at: Timestamp) -> Date {
    LONDON.to_datetime(at).date()
}

/// When a day begins in London.
pub fn day_start(day: Date) -> Timestamp {
    moment(day.to_datetime(jiff::civil::Time::midnight()))
}

/// One clinic on one day, in London wall time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clinic {
    /// Beginning.
    pub from: DateTime,
    /// End.
    pub to: DateTime,
}

impl Clinic {
    /// Makes a clinic from a date and two times. An end at or before the start is on the next day.
    pub fn on(day: Date, from: ClockTime, to: ClockTime) -> Option<Clinic> {
        let midnight = day.to_datetime(jiff::civil::Time::midnight());
        let last = match to > from {
            true => i64::from(to.minutes()),
            false => i64::from(to.minutes()) + 24 * 60,
        };
        Some(Clinic {
            from: midnight
                .checked_add(i64::from(from.minutes()).minutes())
                .ok()?,
            to: midnight.checked_add(last.minutes()).ok()?,
        })
    }

    /// Start and end as moments.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        (moment(self.from), moment(self.to))
    }
}

/// The moment at which London's clock shows a time: the first of two, or the jump if the clock skips the time.
fn moment(shown: DateTime) -> Timestamp {
    let ambiguous = LONDON.to_ambiguous_timestamp(shown);
    let in_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let Ok(found) = ambiguous.disambiguate(Disambiguation::Compatible) else {
        return Timestamp::MAX;
    };
    if !in_gap {
        return found;
    }
    // `Compatible` adds the offset into the gap to the jump, so the gap's first minute gives the jump itself, which
    // `preceding` would miss.
    LONDON
        .preceding(
            found
                .checked_add(SignedDuration::from_secs(1))
                .unwrap_or(found),
        )
        .next()
        .map_or(found, |transition| transition.timestamp())
}

/// A slot that the declaration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// How the patient is seen.
    pub channel: Option<Channel>,
    /// Begins held back.
    pub held: bool,
    /// The template or session.
    pub template: Arc<str>,
}

/// The clinics of a template in `first..=last`, with the day on which each begins.
pub fn clinics(template: &Template, first: Date, last: Date) -> Vec<(Date, Clinic)> {
    let first = template.valid_from.map_or(first, |d| d.max(first));
    let last = template.valid_to.map_or(last, |d| d.min(last));
    let mut found = Vec::new();
    let mut day = first;
    while day <= last {
        found.extend(clinic_on(template, day).map(|clinic| (day, clinic)));
        match day.tomorrow() {
            Ok(next) => day = next,
            Err(_) => break,
        }
    }
    found
}

/// Whether a day is within `valid_from` and `valid_to`.
pub(super) fn is_valid(template: &Template, day: Date) -> bool {
    template.valid_from.is_none_or(|from| from <= day)
        && template.valid_to.is_none_or(|to| day <= to)
}

/// The clinic of a template on a day, if any. Of several exceptions for a day the last one counts; off the template's
/// weekdays, the last extra one.
pub(super) fn clinic_on(template: &Template, day: Date) -> Option<Clinic> {
    hours(template, day, &template.exceptions, &[])
}

/// Like [`clinic_on`], as if one exception did not exist.
pub(super) fn clinic_without(template: &Template, exception: usize, day: Date) -> Option<Clinic> {
    let before = template.exceptions.get(..exception).unwrap_or_default();
    let after = template.exceptions.get(exception + 1..).unwrap_or_default();
    hours(template, day, before, after)
}

fn hours(
    template: &Template,
    day: Date,
    exceptions: &[Exception],
    further: &[Exception],
) -> Option<Clinic> {
    if !is_valid(template, day) {
        return None;
    }
    let own = template.weekdays.contains(&day.weekday());
    let all = exceptions.iter().chain(further).rev();
    let mut exceptions = all.filter(|e| e.covers(day));
    let exception = exceptions.find(|e| own || e.extra || e.closed);
    match exception {
        None if !own => None,
        Some(Exception { closed: true, .. }) => None,
        Some(e) => Clinic::on(
            day,
            e.from.unwrap_or(template.from),
            e.to.unwrap_or(template.to),
        ),
        None => Clinic::on(day, template.from, template.to),
    }
}

/// The slots of a template for the London dates `first..=last`, `capacity` of them at each time.
pub fn template_slots(template: &Template, first: Date, last: Date) -> Vec<Wanted> {
    let id: Arc<str> = Arc::from(template.id.as_str());
    clinics(template, first, last)
        .iter()
        .flat_map(|(_, clinic)| cut(clinic, template.slot_minutes))
        .flat_map(|slot| std::iter::repeat_n(slot, usize::from(template.capacity)))
        .map(|(start, end)| Wanted {
            start,
            end,
            channel: template.channel,
            held: template.held,
            template: id.clone(),
        })
        .collect()
}

/// The slots of a one-off session, if its day is in `first..=last`.
pub fn session_slots(session: &Session, first: Date, last: Date) -> Vec<Wanted> {
    if session.date < first || session.date > last {
        return Vec::new();
    }
    let id: Arc<str> = Arc::from(session.id.as_str());
    Clinic::on(session.date, session.from, session.to)
        .iter()
        .flat_map(|clinic| cut(clinic, session.slot_minutes))
        .flat_map(|slot| std::iter::repeat_n(slot, usize::from(session.capacity)))
        .map(|(start, end)| Wanted {
            start,
            end,
            channel: session.channel,
            held: session.held,
            template: id.clone(),
        })
        .collect()
}

/// Cuts a clinic into slots of full length and drops the remainder.
pub(super) fn cut(clinic: &Clinic, minutes: u16) -> Vec<(Timestamp, Timestamp)> {
    let minutes = minutes.clamp(MIN_SLOT_MINUTES, MAX_SLOT_MINUTES);
    let length = SignedDuration::from_mins(i64::from(minutes));
    let (mut start, close) = clinic.span();
    let mut slots = Vec::new();
    while let Ok(end) = start.checked_add(length) {
        if end > close {
            break;
        }
        slots.push((start, end));
        start = end;
    }
    slots
}
