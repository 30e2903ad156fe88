//! When a service is open, as the DoS prints it.

use super::soap::{below, child, shown_of, text, text_of};
use booking::foreign::Foreign;
use jiff::civil::{Date, Time};
use roxmltree::Node;
use std::fmt;

/// Most sessions that are read: a week with several sessions a day, and a year of special days.
const MAX_SPANS: usize = 400;

/// A weekly session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSpan {
    /// Day it begins, as the DoS calls it (`Monday`, `BankHoliday`).
    pub from_day: Foreign,
    /// When.
    pub from: Time,
    /// Day it ends.
    pub to_day: Foreign,
    /// When.
    pub to: Time,
}

/// A particular day with hours of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDay {
    /// Which.
    pub day: Date,
    /// From.
    pub from: Time,
    /// To.
    pub to: Time,
}

/// Opening times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Day and night.
    pub always: bool,
    /// Weekly sessions.
    pub weekly: Vec<OpenSpan>,
    /// Particular days; on these the weekly sessions do not hold.
    pub days: Vec<OpenDay>,
}

/// For the user, on one line.
impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.always {
            return f.write_str("day and night");
        }
        if self.weekly.is_empty() && self.days.is_empty() {
            return f.write_str("not known");
        }
        let clock = |t: &Time| t.strftime("%H:%M").to_string();
        let weekly = self.weekly.iter().map(|s| match s.from_day == s.to_day {
            true => format!("{} {}–{}", s.from_day, clock(&s.from), clock(&s.to)),
            false => {
                format!(
                    "{} {}–{} {}",
                    s.from_day,
                    clock(&s.from),
                    s.to_day,
                    clock(&s.to)
                )
            }
        });
        let days = self.days.iter().map(|d| {
            format!(
                "{} {}–{}",
                d.day.strftime("%-d %B %Y"),
                clock(&d.from),
                clock(&d.to)
            )
        });
        f.write_str(&weekly.chain(days).collect::<Vec<_>>().join(", "))
    }
}

impl Opening {
    /// Reads what a service's element says of it. What cannot be understood is left out: it is information only.
    pub(super) fn read(service: Node<'_, '_>) -> Opening {
        let weekly = below(service, "serviceCareItemRotaSession").filter_map(span);
        let days = below(service, "openTimeSpecified")
            .filter_map(text)
            .filter_map(|t| day(&t));
        Opening {
            always: text_of(service, "openAllHours").is_some_and(|t| {
                matches!(t.to_ascii_lowercase().as_str(), "true" | "1" | "y" | "yes")
            }),
            weekly: weekly.take(MAX_SPANS).collect(),
            days: days.take(MAX_SPANS).collect(),
        }
    }
}

fn span(session: Node<'_, '_>) -> Option<OpenSpan> {
    let status = text_of(session, "status");
    if status.is_some_and(|s| !s.eq_ignore_ascii_case("open")) {
        return None;
    }
    let time = |name: &str| {
        let node = child(session, name)?;
        let hours: i8 = text_of(node, "hours")?.parse().ok()?;
        let minutes: i8 = text_of(node, "minutes")?.parse().ok()?;
        Time::new(hours % 24, minutes, 0, 0).ok()
    };
    let from_day = shown_of(session, "startDayOfWeek")?;
    Some(OpenSpan {
        to_day: shown_of(session, "endDayOfWeek").unwrap_or_else(|| from_day.clone()),
        from_day,
        from: time("startTime")?,
        to: time("endTime")?,
    })
}

/// `25-12-2030-10:00-14:00`
fn day(text: &str) -> Option<OpenDay> {
    let (date, hours) = text.split_at_checked(10)?;
    let (from, to) = hours.strip_prefix('-')?.split_once('-')?;
    Some(OpenDay {
        day: Date::strptime("%d-%m-%Y", date).ok()?,
        from: Time::strptime("%H:%M", from).ok()?,
        to: Time::strptime("%H:%M", to).ok()?,
    })
}
