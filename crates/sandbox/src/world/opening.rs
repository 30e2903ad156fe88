//! Opening times in Europe/London, right on the two clock-change days.

use super::model::{Service, Session};
use super::written::{ClockTime, RotaDay};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// A service that closes so soon after the search is not offered: the patient must get there.
const CLOSING: SignedDuration = SignedDuration::from_mins(30);
/// Days after the search that sessions are looked at: the longest disposition is far shorter.
const MAX_DAYS: i32 = 40;

impl Service {
    /// True when a patient who is searched for at `now` and must be seen within `minutes` finds the service open.
    ///
    /// The service must be open at some time from the search to the end of the session time, and not close within
    /// half an hour of the search.
    pub fn open_within(
        &self,
        now: Timestamp,
        minutes: u32,
        bank_holidays: &[super::written::Day],
        zone: &TimeZone,
    ) -> bool {
        if self.open_all_hours {
            return true;
        }
        let end = now + session_time(minutes);
        let closing = now + CLOSING;
        self.intervals(now, end, bank_holidays, zone)
            .iter()
            .any(|(from, to)| *from <= end && *to > closing)
    }

    /// True when the service is open at a moment.
    pub fn is_open(
        &self,
        at: Timestamp,
        bank_holidays: &[super::written::Day],
        zone: &TimeZone,
    ) -> bool {
        self.open_all_hours
            || self
                .intervals(at, at, bank_holidays, zone)
                .iter()
                .any(|(from, to)| *from <= at && at < *to)
    }

    /// Open times of the days from the one before `from` to the one after `to`, in order, joined where they touch.
    fn intervals(
        &self,
        from: Timestamp,
        to: Timestamp,
        bank_holidays: &[super::written::Day],
        zone: &TimeZone,
    ) -> Vec<(Timestamp, Timestamp)> {
        let first = zone.to_datetime(from).date();
        let last = zone.to_datetime(to).date();
        let mut found = Vec::new();
        // From the day before: its last session may run past midnight. To the day after: closing at midnight may be
        // no closing.
        let Ok(mut day) = first.checked_sub(1.day()) else {
            return found;
        };
        for _ in 0..MAX_DAYS {
            let holiday = bank_holidays.iter().any(|d| d.0 == day);
            self.sessions_of(day, holiday, |open, close| {
                if let Some(interval) = interval(day, open, close, zone) {
                    found.push(interval);
                }
            });
            match day.checked_add(1.day()) {
                Ok(next) if day <= last => day = next,
                _ => break,
            }
        }
        joined(found)
    }

    /// The sessions that begin on a day.
    fn sessions_of(&self, day: Date, holiday: bool, mut each: impl FnMut(ClockTime, ClockTime)) {
        let mut specified = self.specified.iter().filter(|s| s.day.0 == day).peekable();
        if specified.peek().is_some() {
            for (from, to) in specified.filter_map(|s| s.from.zip(s.to)) {
                each(from, to);
            }
            return;
        }
        let rota = match holiday {
            true => RotaDay::BankHoliday,
            false => RotaDay::from(day.weekday()),
        };
        for Session { days, from, to } in &self.opening {
            if days.contains(&rota) {
                each(*from, *to);
            }
        }
    }
}

/// How long after the search a service must be open at the latest, for a disposition's minutes.
fn session_time(minutes: u32) -> SignedDuration {
    let session = match minutes {
        0 => 60,
        1..=30 => 30,
        31..=60 => minutes,
        _ => minutes - 60,
    };
    SignedDuration::from_mins(i64::from(session))
}

fn interval(
    day: Date,
    open: ClockTime,
    close: ClockTime,
    zone: &TimeZone,
) -> Option<(Timestamp, Timestamp)> {
    let close_day = match close > open {
        true => day,
        false => day.checked_add(1.day()).ok()?,
    };
    Some((instant(day, open, zone)?, instant(close_day, close, zone)?))
}

fn instant(day: Date, time: ClockTime, zone: &TimeZone) -> Option<Timestamp> {
    let civil = match time.on_clock() {
        Some(clock) => day.to_datetime(clock),
        None => day.checked_add(1.day()).ok()?.at(0, 0, 0, 0),
    };
    zone.to_timestamp(civil).ok()
}

fn joined(mut intervals: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    intervals.sort();
    let mut out: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in intervals {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::world::World;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    fn open(opening: &str, at: &str, minutes: u32) -> bool {
        let text = format!(
            "[dos]\nbank_holidays = [\"2026-12-25\"]\n\
             [[postcode]]\npostcode = \"LS99 9ZA\"\neasting = 1\nnorthing = 1\n\
             [[service]]\nid = 1\nname = \"x\"\nods = \"FX101\"\ntype = {{ id = 1, name = \"t\" }}\n\
             postcode = \"LS99 9ZA\"\n{opening}"
        );
        let world = World::parse(&text).unwrap();
        let at: Timestamp = at.parse().unwrap();
        let zone = TimeZone::get("Europe/London").unwrap();
        world.services[0].open_within(at, minutes, &world.settings.bank_holidays, &zone)
    }

    /// Proves: NAT-DOS-03
    #[test]
    fn a_service_must_be_open_within_the_session_time() {
        let day = "opening = [{ days = [\"mon\"], from = \"09:00\", to = \"17:00\" }]";
        // Monday 20 July 2026, in summer time: London is an hour ahead.
        assert!(open(day, "2026-07-20T08:00:00Z", 0));
        assert!(
            open(day, "2026-07-20T07:00:00Z", 0),
            "opens as the session time ends"
        );
        assert!(!open(day, "2026-07-20T06:59:00Z", 0));
        assert!(open(day, "2026-07-20T03:00:00Z", 360));
        assert!(
            !open(day, "2026-07-20T15:31:00Z", 0),
            "closes within half an hour"
        );
        assert!(open(day, "2026-07-20T15:29:00Z", 0));
        assert!(!open(day, "2026-07-21T08:00:00Z", 0), "Tuesday");
    }

    #[test]
    fn nights_bank_holidays_and_single_days() {
        let night = "opening = [{ days = [\"sat\"], from = \"20:00\", to = \"02:00\" }]";
        assert!(
            open(night, "2026-01-11T01:00:00Z", 0),
            "Sunday, one o'clock"
        );
        assert!(!open(night, "2026-01-11T01:31:00Z", 0));
        let round = "opening = [{ days = [\"fri\", \"sat\"], from = \"00:00\", to = \"24:00\" }]";
        assert!(
            open(round, "2026-01-09T23:50:00Z", 0),
            "midnight is no closing"
        );
        let week = "opening = [{ days = [\"fri\"], from = \"09:00\", to = \"17:00\" }, \
                    { days = [\"bank-holiday\"], from = \"12:00\", to = \"14:00\" }]";
        assert!(open(week, "2026-12-18T10:00:00Z", 0));
        assert!(!open(week, "2026-12-25T10:00:00Z", 0), "a bank holiday");
        assert!(open(week, "2026-12-25T12:00:00Z", 0));
        let shut = format!("{week}\nspecified = [{{ day = \"2026-12-18\", closed = true }}]");
        assert!(!open(&shut, "2026-12-18T10:00:00Z", 0));
    }

    /// On the last Sunday of October the hour from one to two is there twice.
    #[test]
    fn clock_change_days() {
        let day = "opening = [{ days = [\"sun\"], from = \"00:00\", to = \"03:00\" }]";
        assert!(open(day, "2026-10-25T02:15:00Z", 0));
        assert!(!open(day, "2026-10-25T02:45:00Z", 0));
        assert!(
            !open(day, "2026-03-29T01:45:00Z", 0),
            "that night is an hour shorter"
        );
    }
}
