//! Values as people write them in a world file: clock times, days, ages, weekdays.

use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Days of a month, as the directory counts ages (CheckCapacitySummary search logic).
pub const DAYS_PER_MONTH: f64 = 30.4375;
/// Days of a year.
pub const DAYS_PER_YEAR: f64 = 365.25;
/// Oldest age that the directory knows (NAT-DOS-03).
pub const MAX_YEARS: u32 = 129;

/// A time of day in minutes after midnight; 24:00 is the end of the day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u16);

impl ClockTime {
    /// Minutes after midnight, 0 to 1440.
    pub fn minutes(self) -> u16 {
        self.0
    }

    /// Hour, 0 to 24.
    pub fn hour(self) -> u16 {
        self.0 / 60
    }

    /// Minute of the hour.
    pub fn minute(self) -> u16 {
        self.0 % 60
    }

    /// The time on a clock; 24:00 has none, since it is on the next day.
    pub fn on_clock(self) -> Option<Time> {
        let hour = i8::try_from(self.hour()).ok()?;
        let minute = i8::try_from(self.minute()).ok()?;
        Time::new(hour, minute, 0, 0).ok()
    }
}

impl TryFrom<String> for ClockTime {
    type Error = String;

    fn try_from(text: String) -> Result<ClockTime, String> {
        let wrong = || format!("`{text}` is not a time; write it like \"08:30\"");
        let (hour, rest) = text.split_once(':').ok_or_else(wrong)?;
        // A time without quotes may carry seconds.
        let minute = rest.strip_suffix(":00").unwrap_or(rest);
        let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !two(hour) || !two(minute) {
            return Err(wrong());
        }
        let (Ok(hour), Ok(minute)) = (hour.parse::<u16>(), minute.parse::<u16>()) else {
            return Err(wrong());
        };
        match (hour, minute) {
            (0..=23, 0..=59) | (24, 0) => Ok(ClockTime(hour * 60 + minute)),
            _ => Err(wrong()),
        }
    }
}

impl From<ClockTime> for String {
    fn from(time: ClockTime) -> String {
        time.to_string()
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour(), self.minute())
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub Date);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Day, String> {
        Date::from_str(&text)
            .map(Day)
            .map_err(|_| format!("`{text}` is not a day; write it like \"2026-12-25\""))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.0.to_string()
    }
}

/// A day of the rota: a weekday, or what holds on bank holidays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RotaDay {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
    /// Every bank holiday, whatever its weekday.
    BankHoliday,
}

impl RotaDay {
    /// The seven weekdays, Monday first, and the bank holiday.
    pub const ALL: [RotaDay; 8] = [
        RotaDay::Mon,
        RotaDay::Tue,
        RotaDay::Wed,
        RotaDay::Thu,
        RotaDay::Fri,
        RotaDay::Sat,
        RotaDay::Sun,
        RotaDay::BankHoliday,
    ];

    /// The name in DoS answers.
    pub fn dos_name(self) -> &'static str {
        match self {
            RotaDay::Mon => "Monday",
            RotaDay::Tue => "Tuesday",
            RotaDay::Wed => "Wednesday",
            RotaDay::Thu => "Thursday",
            RotaDay::Fri => "Friday",
            RotaDay::Sat => "Saturday",
            RotaDay::Sun => "Sunday",
            RotaDay::BankHoliday => "BankHoliday",
        }
    }

    /// The day after; a session of a bank holiday that runs past midnight stays one of the bank holiday.
    pub fn next(self) -> RotaDay {
        match self {
            RotaDay::Mon => RotaDay::Tue,
            RotaDay::Tue => RotaDay::Wed,
            RotaDay::Wed => RotaDay::Thu,
            RotaDay::Thu => RotaDay::Fri,
            RotaDay::Fri => RotaDay::Sat,
            RotaDay::Sat => RotaDay::Sun,
            RotaDay::Sun => RotaDay::Mon,
            RotaDay::BankHoliday => RotaDay::BankHoliday,
        }
    }
}

impl From<Weekday> for RotaDay {
    fn from(day: Weekday) -> RotaDay {
        match day {
            Weekday::Monday => RotaDay::Mon,
            Weekday::Tuesday => RotaDay::Tue,
            Weekday::Wednesday => RotaDay::Wed,
            Weekday::Thursday => RotaDay::Thu,
            Weekday::Friday => RotaDay::Fri,
            Weekday::Saturday => RotaDay::Sat,
            Weekday::Sunday => RotaDay::Sun,
        }
    }
}

/// An age: `"5 years"`, `"18 months"`, `"10 days"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age {
    number: u32,
    unit: AgeUnit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AgeUnit {
    Days,
    Months,
    Years,
}

impl Age {
    /// Days of life on which somebody reaches the age.
    pub fn first_day(self) -> f64 {
        f64::from(self.number) * self.unit.days()
    }

    /// The last day of life at the age: somebody is "5 years" old until the sixth birthday.
    pub fn last_day(self) -> f64 {
        match self.unit {
            AgeUnit::Days => self.first_day(),
            _ => f64::from(self.number + 1) * self.unit.days() - 1.0,
        }
    }
}

impl AgeUnit {
    fn days(self) -> f64 {
        match self {
            AgeUnit::Days => 1.0,
            AgeUnit::Months => DAYS_PER_MONTH,
            AgeUnit::Years => DAYS_PER_YEAR,
        }
    }
}

impl TryFrom<String> for Age {
    type Error = String;

    fn try_from(text: String) -> Result<Age, String> {
        let wrong = || {
            format!(
                "`{text}` is not an age; write it like \"5 years\", \"18 months\" or \"10 days\""
            )
        };
        let (number, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let number: u32 = number.parse().map_err(|_| wrong())?;
        let unit = match unit.trim() {
            "day" | "days" => AgeUnit::Days,
            "month" | "months" => AgeUnit::Months,
            "year" | "years" => AgeUnit::Years,
            _ => return Err(wrong()),
        };
        let age = Age { number, unit };
        if f64::from(number) * unit.days() > f64::from(MAX_YEARS) * DAYS_PER_YEAR {
            return Err(format!("`{text}` is older than {MAX_YEARS} years"));
        }
        Ok(age)
    }
}

impl From<Age> for String {
    fn from(age: Age) -> String {
        let unit = match age.unit {
            AgeUnit::Days => "days",
            AgeUnit::Months => "months",
            AgeUnit::Years => "years",
        };
        format!("{} {unit}", age.number)
    }
}

/// A postcode without spaces and in capitals, for comparing.
pub fn plain_postcode(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_times() {
        let minutes = |text: &str| ClockTime::try_from(text.to_owned()).map(ClockTime::minutes);
        assert_eq!(minutes("08:30"), Ok(510));
        assert_eq!(minutes("08:30:00"), Ok(510));
        assert_eq!(minutes("24:00"), Ok(1440));
        for wrong in ["8:30", "24:01", "25:00", "noon", "08:60", "+8:00"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }

    /// Proves: NAT-DOS-03
    #[test]
    fn ages_are_counted_as_the_directory_counts_them() {
        let age = |text: &str| Age::try_from(text.to_owned()).unwrap();
        assert_eq!(age("2 years").first_day(), 730.5);
        assert_eq!(age("5 years").last_day(), 6.0 * 365.25 - 1.0);
        assert_eq!(age("1 month").first_day(), 30.4375);
        assert_eq!(age("31 days").last_day(), 31.0);
        assert!(Age::try_from("130 years".to_owned()).is_err());
        assert!(Age::try_from("five years".to_owned()).is_err());
    }
}
