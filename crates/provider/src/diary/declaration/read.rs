//! Reads a declaration file. Reports all faults at once, each with its line, its key and the nearest valid key.

use super::{
    Closure, Consumer, Declaration, ImportedSlot, Location, Organization, Practitioner, Provider,
    Release, Role, Schedule, Service, Session, Template,
};
use crate::toml_error::nearest;
use booking::wrong_value;
use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// Largest file, bytes. The largest diary with imported slots takes a few megabytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Most things of one kind in a file. A large provider has some hundred.
pub const MAX_ITEMS: usize = 5_000;
/// Most imported slots in a file: a busy year of ten diaries.
pub const MAX_IMPORTED: usize = 100_000;
/// Most faults reported at once.
const MAX_FAULTS: usize = 50;

const PROVIDER: &str = "provider";
const SECTIONS: [&str; 13] = [
    PROVIDER,
    "organization",
    "location",
    "practitioner",
    "role",
    "release",
    "service",
    "schedule",
    "template",
    "session",
    "closure",
    "slot",
    "consumer",
];

/// A mistake in a declaration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The table, such as `template`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The key that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, line {}, column {}: ",
            self.file, self.line, self.column
        )?;
        match (&self.section, &self.key) {
            (Some(section), Some(key)) => write!(f, "{section}, `{key}`: ")?,
            (Some(section), None) => write!(f, "{section}: ")?,
            (None, _) => {}
        }
        f.write_str(&self.message)
    }
}

/// All mistakes found in a file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Reads and checks a file. `file` is its name for messages. The search for overlapping clinics begins at `today`.
pub fn read(text: &str, file: &str, today: Date) -> Result<Declaration, Faults> {
    let mut sheet = Sheet::new(text, file);
    if text.len() > MAX_BYTES {
        let size = text.len();
        sheet.push(
            0,
            None,
            None,
            format!("the file has {size} bytes; at most {MAX_BYTES} are read"),
        );
        return Err(sheet.faults());
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        sheet.push(start(&error), None, None, error.message().trim().to_owned());
    }
    if !sheet.found.is_empty() {
        return Err(sheet.faults());
    }
    let declaration = sections(root.into_inner(), &mut sheet);
    match declaration {
        Some(declaration) if sheet.found.is_empty() => {
            super::check::check(&declaration, today, &mut sheet);
            match sheet.found.is_empty() {
                true => Ok(declaration),
                false => Err(sheet.faults()),
            }
        }
        _ => Err(sheet.faults()),
    }
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |s| s.start)
}

fn sections(mut root: DeTable<'_>, sheet: &mut Sheet<'_>) -> Option<Declaration> {
    for key in root.keys() {
        let name: &str = key.get_ref();
        if !SECTIONS.contains(&name) {
            let hint = match nearest(name, SECTIONS.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", SECTIONS.join(", ")),
            };
            sheet.push(
                key.span().start,
                None,
                None,
                format!("there is no table `{name}`; {hint}"),
            );
        }
    }
    let provider = match root.remove(PROVIDER) {
        Some(value) => item::<Provider>(PROVIDER, value, sheet),
        None => {
            let what =
                "the table [provider] is missing: it names the provider's ods, asid and name";
            sheet.push(0, None, None, what.to_owned());
            None
        }
    };
    let root = &mut root;
    let declaration = Declaration {
        organizations: items::<Organization>("organization", root, sheet),
        locations: items::<Location>("location", root, sheet),
        practitioners: items::<Practitioner>("practitioner", root, sheet),
        roles: items::<Role>("role", root, sheet),
        releases: items::<Release>("release", root, sheet),
        services: items::<Service>("service", root, sheet),
        schedules: items::<Schedule>("schedule", root, sheet),
        templates: items::<Template>("template", root, sheet),
        sessions: items::<Session>("session", root, sheet),
        closures: items::<Closure>("closure", root, sheet),
        slots: items::<ImportedSlot>("slot", root, sheet),
        consumers: items::<Consumer>("consumer", root, sheet),
        provider: provider?,
    };
    Some(declaration)
}

fn items<T: DeserializeOwned>(
    section: &'static str,
    root: &mut DeTable<'_>,
    sheet: &mut Sheet<'_>,
) -> Vec<T> {
    let Some(value) = root.remove(section) else {
        return Vec::new();
    };
    let at = value.span().start;
    let most = if section == "slot" {
        MAX_IMPORTED
    } else {
        MAX_ITEMS
    };
    let DeValue::Array(array) = value.into_inner() else {
        let what = format!("write it with two brackets, [[{section}]]: there may be several");
        sheet.push(at, Some(section), None, what);
        return Vec::new();
    };
    if array.len() > most {
        let what = format!("there are {}, at most {most} are allowed", array.len());
        sheet.push(at, Some(section), None, what);
        return Vec::new();
    }
    array
        .into_iter()
        .filter_map(|value| item(section, value, sheet))
        .collect()
}

/// Reads one table. After each bad key it removes the key and tries again, so that one pass reports all faults. Each round
/// removes a key, so the loop ends.
fn item<T: DeserializeOwned>(
    section: &'static str,
    value: Spanned<DeValue<'_>>,
    sheet: &mut Sheet<'_>,
) -> Option<T> {
    let span = value.span();
    let DeValue::Table(mut table) = value.into_inner() else {
        let what = match section {
            PROVIDER => {
                "write it once and with one bracket, [provider]: a file is about one provider"
            }
            _ => "is not a table",
        };
        sheet.push(span.start, Some(section), None, what.to_owned());
        return None;
    };
    for (_, value) in table.iter_mut() {
        dates_as_text(value);
    }
    sheet.place(section, span.start, &table);
    let mut excused: Vec<String> = Vec::new();
    loop {
        let again = Spanned::new(span.clone(), DeValue::Table(table.clone()));
        let error = match T::deserialize(ValueDeserializer::from(again)) {
            Ok(value) => return excused.is_empty().then_some(value),
            Err(error) => error,
        };
        let message = error.message().trim();
        // A bad key, once reported, is not also reported as missing.
        if excused
            .iter()
            .any(|key| message == format!("missing field `{key}`"))
        {
            return None;
        }
        let missing = message.starts_with("missing field");
        let guilty = error
            .span()
            .filter(|_| !missing)
            .and_then(|s| owner(&table, s.start));
        let at = match missing {
            true => span.start,
            false => start(&error),
        };
        sheet.push(at, Some(section), guilty.as_deref(), readable(message));
        let key = guilty?;
        table.remove(key.as_str());
        excused.extend(meant(message));
        excused.push(key);
    }
}

/// The key at an offset of a table's text.
fn owner(table: &DeTable<'_>, at: usize) -> Option<String> {
    let within =
        |span: std::ops::Range<usize>| span.start <= at && at < span.end.max(span.start + 1);
    table
        .iter()
        .find(|(key, value)| within(key.span()) || within(value.span()))
        .or_else(|| {
            // A sub-table's span begins at its own header, so the last key before the offset is the one.
            table
                .iter()
                .filter(|(_, value)| value.get_ref().is_table() || value.get_ref().is_array())
                .filter(|(key, _)| key.span().start <= at)
                .max_by_key(|(key, _)| key.span().start)
        })
        .map(|(key, _)| key.get_ref().to_string())
}

/// Dates and times may be written with or without quotes.
fn dates_as_text(value: &mut Spanned<DeValue<'_>>) {
    match value.get_mut() {
        DeValue::Datetime(moment) => {
            let text = Cow::Owned(moment.to_string());
            *value.get_mut() = DeValue::String(text);
        }
        DeValue::Array(array) => array.iter_mut().for_each(dates_as_text),
        DeValue::Table(table) => table.iter_mut().for_each(|(_, v)| dates_as_text(v)),
        _ => {}
    }
}

/// The nearest valid key, from the parser's message.
fn meant(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted
        .next()
        .filter(|_| message.starts_with("unknown field"))?;
    nearest(wrong, quoted).map(str::to_owned)
}

/// The parser's message with the nearest valid key.
fn readable(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let wrong = quoted.next().unwrap_or("");
        let valid: Vec<&str> = quoted.collect();
        return match nearest(wrong, valid.iter().copied()) {
            Some(near) => format!("there is no key `{wrong}`; did you mean `{near}`?"),
            None => format!("there is no key `{wrong}`; there are {}", valid.join(", ")),
        };
    }
    if message.starts_with("unknown variant") {
        let wrong = quoted.next().unwrap_or("");
        let valid: Vec<&str> = quoted.collect();
        return match nearest(wrong, valid.iter().copied()) {
            Some(near) => format!("`{wrong}` is not a value; did you mean `{near}`?"),
            None => format!("`{wrong}` is not a value; values are {}", valid.join(", ")),
        };
    }
    if message.starts_with("missing field") {
        return format!("the key `{}` is missing", quoted.next().unwrap_or(""));
    }
    wrong_value::plain(message).unwrap_or_else(|| message.to_owned())
}

/// The offsets of a table's keys in the text.
#[derive(Default)]
struct Place {
    start: usize,
    keys: Vec<(String, usize)>,
}

/// A file being checked: its text, its offsets, and the faults found.
pub struct Sheet<'a> {
    text: &'a str,
    file: &'a str,
    places: HashMap<&'static str, Vec<Place>>,
    found: Vec<(usize, Fault)>,
}

impl<'a> Sheet<'a> {
    fn new(text: &'a str, file: &'a str) -> Sheet<'a> {
        Sheet {
            text,
            file,
            places: HashMap::new(),
            found: Vec::new(),
        }
    }

    fn place(&mut self, section: &'static str, start: usize, table: &DeTable<'_>) {
        let keys = table
            .iter()
            .map(|(key, _)| (key.get_ref().to_string(), key.span().start))
            .collect();
        self.places
            .entry(section)
            .or_default()
            .push(Place { start, keys });
    }

    /// Whether the `index`th thing of a section has a key.
    pub fn has(&self, section: &str, index: usize, key: &str) -> bool {
        let place = self.places.get(section).and_then(|p| p.get(index));
        place.is_some_and(|place| place.keys.iter().any(|(k, _)| k == key))
    }

    /// Records a fault at a key of the `index`th thing of a section, or at the thing's header if the key is absent.
    pub fn fault(&mut self, section: &'static str, index: usize, key: &str, message: String) {
        let place = self.places.get(section).and_then(|p| p.get(index));
        let at = place.map_or(0, |place| {
            place
                .keys
                .iter()
                .find(|(k, _)| k == key)
                .map_or(place.start, |(_, at)| *at)
        });
        self.push(at, Some(section), Some(key), message);
    }

    fn push(&mut self, at: usize, section: Option<&str>, key: Option<&str>, message: String) {
        if self.found.len() == MAX_FAULTS {
            return;
        }
        let before = self.text.get(..at).unwrap_or(self.text);
        let fault = Fault {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1,
            section: section.map(|s| match s {
                PROVIDER => "[provider]".to_owned(),
                other => format!("[[{other}]]"),
            }),
            key: key.map(str::to_owned),
            message,
        };
        self.found.push((at, fault));
    }

    fn faults(mut self) -> Faults {
        self.found.sort_by_key(|(at, _)| *at);
        Faults(self.found.into_iter().map(|(_, fault)| fault).collect())
    }
}
