//! Converts single values of declarations from text and to text.
//!
//! A bad value is refused where it is read, so that the error names its line.

use crate::store::Channel;
use booking::ids::{Asid, OdsCode, ResourceId, ServiceId};
use booking::version::StandardVersion;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use uuid::Uuid;

/// Longest name or address line, characters: more does not fit a call handler's screen.
const MAX_TEXT: usize = 200;
/// Most members of one list in a declaration, such as services of a schedule or organisations of a rule.
const MAX_LIST: usize = 1_000;
/// Minutes of a day as the clock shows them.
const DAY: u16 = 24 * 60;

/// A value that a declaration writes as text.
pub(super) trait Written: Sized {
    /// Reads it; the error says what is wrong and what would be right.
    fn read(text: &str) -> Result<Self, String>;
    /// Writes it.
    fn write(&self) -> String;
}

macro_rules! written_as_parsed {
    ($($name:ty),+) => { $(
        impl Written for $name {
            fn read(text: &str) -> Result<Self, String> {
                <$name>::parse(text).map_err(|e| e.to_string())
            }
            fn write(&self) -> String {
                self.as_str().to_owned()
            }
        }
    )+ };
}
written_as_parsed!(OdsCode, Asid, ServiceId);

impl Written for StandardVersion {
    fn read(text: &str) -> Result<StandardVersion, String> {
        StandardVersion::parse(text).map_err(|e| e.to_string())
    }
    fn write(&self) -> String {
        self.api().to_owned()
    }
}

/// An id: legal as a FHIR id, since it becomes one.
impl Written for String {
    fn read(text: &str) -> Result<String, String> {
        ResourceId::parse(text)
            .map(|id| id.as_str().to_owned())
            .map_err(|e| e.to_string())
    }
    fn write(&self) -> String {
        self.clone()
    }
}

impl Written for Uuid {
    fn read(text: &str) -> Result<Uuid, String> {
        match booking::ids::is_uuid(text) {
            true => Uuid::try_parse(text).map_err(|e| e.to_string()),
            false => {
                Err("is not a UUID; it looks like 0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01".to_owned())
            }
        }
    }
    fn write(&self) -> String {
        self.as_hyphenated().to_string()
    }
}

impl Written for Date {
    fn read(text: &str) -> Result<Date, String> {
        let shaped = text.len() == 10;
        text.parse()
            .ok()
            .filter(|_| shaped)
            .ok_or_else(|| format!("`{text}` is not a date; write it like 2027-03-28"))
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Written for Timestamp {
    fn read(text: &str) -> Result<Timestamp, String> {
        text.parse().map_err(|_| {
            format!(
                "`{text}` is not a moment; write date, time and offset, like 2027-03-29T09:10:00+01:00"
            )
        })
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

impl Written for Weekday {
    fn read(text: &str) -> Result<Weekday, String> {
        WEEKDAYS
            .iter()
            .find(|(short, long, _)| text == *short || text == *long)
            .map(|(_, _, day)| *day)
            .ok_or_else(|| {
                format!("`{text}` is not a weekday; weekdays are mon, tue, wed, thu, fri, sat, sun")
            })
    }
    fn write(&self) -> String {
        WEEKDAYS
            .iter()
            .find(|(_, _, day)| day == self)
            .map_or(String::new(), |(short, _, _)| (*short).to_owned())
    }
}

const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("mon", "monday", Weekday::Monday),
    ("tue", "tuesday", Weekday::Tuesday),
    ("wed", "wednesday", Weekday::Wednesday),
    ("thu", "thursday", Weekday::Thursday),
    ("fri", "friday", Weekday::Friday),
    ("sat", "saturday", Weekday::Saturday),
    ("sun", "sunday", Weekday::Sunday),
];

impl Written for Channel {
    fn read(text: &str) -> Result<Channel, String> {
        Channel::ALL
            .into_iter()
            .find(|c| c.code().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                format!("`{text}` is not a channel; channels are in-person, telephone, video")
            })
    }
    fn write(&self) -> String {
        self.code().to_ascii_lowercase()
    }
}

/// A time of day as the clock on the wall shows it, from 00:00 to 24:00, in whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockTime(u16);

impl ClockTime {
    /// Minutes since midnight, at most 1440.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Written for ClockTime {
    fn read(text: &str) -> Result<ClockTime, String> {
        let wrong = || {
            format!(
                "`{text}` is not a time of day; write it like 08:30 (24:00 is the end of the day)"
            )
        };
        let mut parts = text.split(':');
        let mut part = || -> Option<u16> {
            let digits = parts.next()?;
            (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse().ok())?
        };
        let (hour, minute, second) = (part(), part(), part());
        let whole = text.len() == 5 || (text.len() == 8 && second.is_some());
        match (hour, minute, second) {
            (Some(_), Some(_), Some(1..)) => {
                Err(format!("`{text}` has seconds; times are whole minutes"))
            }
            (Some(h), Some(m), _) if whole && m < 60 && h * 60 + m <= DAY => {
                Ok(ClockTime(h * 60 + m))
            }
            _ => Err(wrong()),
        }
    }
    fn write(&self) -> String {
        self.to_string()
    }
}

/// A length of time in whole minutes, written like `30m`, `48h`, `2d` or `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minutes(pub u32);

/// Longest length of time in a rule: a year, which is also the longest horizon.
const MAX_MINUTES: u32 = 366 * 24 * 60;

impl Written for Minutes {
    fn read(text: &str) -> Result<Minutes, String> {
        let wrong = || {
            format!(
                "`{text}` is not a length of time; write it like 30m, 48h, 2d or 1h30m, at most 366d"
            )
        };
        let (mut total, mut number) = (0_u32, String::new());
        for c in text.chars() {
            if c.is_ascii_digit() && number.len() < 7 {
                number.push(c);
                continue;
            }
            let unit = match c {
                'd' => 24 * 60,
                'h' => 60,
                'm' => 1,
                _ => return Err(wrong()),
            };
            let count: u32 = number.parse().map_err(|_| wrong())?;
            total = count
                .checked_mul(unit)
                .and_then(|m| total.checked_add(m))
                .filter(|m| *m <= MAX_MINUTES)
                .ok_or_else(wrong)?;
            number.clear();
        }
        match number.is_empty() && !text.is_empty() {
            true => Ok(Minutes(total)),
            false => Err(wrong()),
        }
    }
    fn write(&self) -> String {
        match (self.0 / 60, self.0 % 60) {
            (0, minutes) => format!("{minutes}m"),
            (hours, 0) => format!("{hours}h"),
            (hours, minutes) => format!("{hours}h{minutes}m"),
        }
    }
}

/// A name, a line of an address, a telephone number: not empty, one line, bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub String);

impl Written for Text {
    fn read(text: &str) -> Result<Text, String> {
        let text = text.trim();
        if text.is_empty() {
            Err("is empty; leave the key out, or write what it is".to_owned())
        } else if text.chars().count() > MAX_TEXT {
            Err(format!("is longer than {MAX_TEXT} characters"))
        } else if text.chars().any(char::is_control) {
            Err("has a line break or another control character; write it on one line".to_owned())
        } else {
            Ok(Text(text.to_owned()))
        }
    }
    fn write(&self) -> String {
        self.0.clone()
    }
}

/// A value in its written form, for serde.
struct As<T>(T);

impl<T: Written> Serialize for As<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.write())
    }
}

impl<'de, T: Written> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<As<T>, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<T: Written> Visitor<'_> for Reader<T> {
            type Value = As<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<As<T>, E> {
                T::read(text).map(As).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Reader(PhantomData))
    }
}

/// `#[serde(with = "one")]`: a value in its written form.
pub(super) mod one {
    use super::*;

    pub fn serialize<T: Written, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        As(value).serialize(serializer)
    }

    pub fn deserialize<'de, T: Written, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        As::deserialize(deserializer).map(|v| v.0)
    }
}

/// `#[serde(with = "option")]`: a value that may be absent.
pub(super) mod option {
    use super::*;

    pub fn serialize<T: Written, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(As).serialize(serializer)
    }

    pub fn deserialize<'de, T: Written, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Option::<As<T>>::deserialize(deserializer).map(|v| v.map(|v| v.0))
    }
}

/// `#[serde(with = "list")]`: one value, or a list of them.
pub(super) mod list {
    use super::*;

    pub fn serialize<T: Written, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(As))
    }

    pub fn deserialize<'de, T: Written, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Written> Visitor<'de> for Reader<T> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or a list of such texts")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
                T::read(text).map(|v| vec![v]).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
                let mut values = Vec::new();
                while let Some(As(value)) = sequence.next_element()? {
                    if values.len() == MAX_LIST {
                        return Err(A::Error::custom(format!(
                            "has more than {MAX_LIST} members"
                        )));
                    }
                    values.push(value);
                }
                Ok(values)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// `#[serde(with = "text")]`: a [`Text`] kept as a plain string.
pub(super) mod text {
    use super::*;

    pub fn serialize<S: Serializer>(value: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        As::<Text>::deserialize(deserializer).map(|v| v.0.0)
    }
}

/// `#[serde(with = "text_option")]`: a [`Text`] that may be absent.
pub(super) mod text_option {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<String>, s: S) -> Result<S::Ok, S::Error> {
        value.serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
        Option::<As<Text>>::deserialize(d).map(|v| v.map(|v| v.0.0))
    }
}

/// `#[serde(with = "text_list")]`: one [`Text`], or a list of them.
pub(super) mod text_list {
    use super::*;

    pub fn serialize<S: Serializer>(values: &[String], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
        list::deserialize::<Text, D>(d).map(|v| v.into_iter().map(|t| t.0).collect())
    }
}
