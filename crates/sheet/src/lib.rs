//! Reads TOML that people write. Every mistake is told at once, with its line, its key and the nearest valid key.
//!
//! [`read`] reads a file of settings. [`Sheet`] reads a file of many tables, `[section]` and `[[section]]`, and takes what
//! its caller finds wrong between them.

use booking::nearest::nearest;
use booking::wrong_value;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// Most mistakes told at once: more would not be read.
const MAX_FAULTS: usize = 50;

/// What is wrong with a file: a sentence with its place for each mistake, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Faults(pub Vec<String>);

/// Reads a whole file. `file` is its name for messages.
pub fn read<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, Faults> {
    let mut sheet = Sheet::open(text, file, text.len())?;
    let root = std::mem::take(&mut sheet.root);
    let value = sheet.value("", 0..0, root);
    value.ok_or_else(|| sheet.faults())
}

/// A file under examination: what was not read yet, where things stand, and the mistakes found.
pub struct Sheet<'a> {
    text: &'a str,
    file: &'a str,
    root: DeTable<'a>,
    sections: Vec<Section>,
    found: Vec<(usize, String)>,
}

/// A section that was read.
struct Section {
    name: &'static str,
    /// As it is written in the file, with its brackets.
    header: String,
    tables: Vec<Place>,
}

/// Where a table and its keys stand.
struct Place {
    start: usize,
    keys: Vec<(String, usize)>,
}

impl<'a> Sheet<'a> {
    /// Parses a file of at most so many bytes. `file` is its name for messages.
    pub fn open(text: &'a str, file: &'a str, max_bytes: usize) -> Result<Sheet<'a>, Faults> {
        let mut sheet = Sheet {
            text,
            file,
            root: DeTable::new(),
            sections: Vec::new(),
            found: Vec::new(),
        };
        if text.len() > max_bytes {
            let size = text.len();
            let what = format!("the file has {size} bytes; at most {max_bytes} are read");
            sheet.note(0, what);
        } else {
            let (root, errors) = DeTable::parse_recoverable(text);
            for error in &errors {
                sheet.note(start(error).unwrap_or(0), error.message().trim().to_owned());
            }
            sheet.root = root.into_inner();
            sheet.fill(&|_| None);
        }
        sheet.clean()?;
        Ok(sheet)
    }

    /// Replaces texts for which there is something else, and writes dates without quotes as texts.
    pub fn fill(&mut self, other: &dyn Fn(&str) -> Option<String>) {
        for (_, value) in self.root.iter_mut() {
            fill(value, other);
        }
    }

    /// Reads `[section]`; `None` when it is absent or wrong.
    pub fn single<T: DeserializeOwned>(&mut self, section: &'static str) -> Option<T> {
        self.begin(section, format!("[{section}]"));
        let value = self.root.remove(section)?;
        if value.get_ref().is_array() {
            let what = format!("write it once and with one bracket, [{section}]");
            self.note(value.span().start, what);
            return None;
        }
        self.item(value)
    }

    /// Reads `[section]`, which has to be there; `what` says what it tells.
    pub fn required<T: DeserializeOwned>(
        &mut self,
        section: &'static str,
        what: &str,
    ) -> Option<T> {
        if !self.root.contains_key(section) {
            self.note(0, format!("the table [{section}] is missing: {what}"));
        }
        self.single(section)
    }

    /// Reads every `[[section]]`, if there are at most `most`.
    pub fn items<T: DeserializeOwned>(&mut self, section: &'static str, most: usize) -> Vec<T> {
        self.begin(section, format!("[[{section}]]"));
        let Some(value) = self.root.remove(section) else {
            return Vec::new();
        };
        let at = value.span().start;
        let what = match value.into_inner() {
            DeValue::Array(all) if all.len() <= most => {
                return all.into_iter().filter_map(|v| self.item(v)).collect();
            }
            DeValue::Array(all) => {
                let count = all.len();
                format!("[[{section}]]: there are {count}, at most {most} are allowed")
            }
            _ => format!("write it with two brackets, [[{section}]]: there may be several"),
        };
        self.note(at, what);
        Vec::new()
    }

    /// Notes the tables that were not read: there are no such tables.
    pub fn no_others(&mut self) {
        let known: Vec<&str> = self.sections.iter().map(|s| s.name).collect();
        for (name, _) in std::mem::take(&mut self.root) {
            let (at, name) = (name.span().start, name.into_inner());
            let hint = meant_or_all(&name, &known);
            self.note(at, format!("there is no table `{name}`; {hint}"));
        }
    }

    fn begin(&mut self, name: &'static str, header: String) {
        self.sections.push(Section {
            name,
            header,
            tables: Vec::new(),
        });
    }

    /// Reads one table of the section that was begun last.
    fn item<T: DeserializeOwned>(&mut self, value: Spanned<DeValue<'_>>) -> Option<T> {
        let span = value.span();
        let section = self.sections.last_mut()?;
        let header = section.header.clone();
        let DeValue::Table(table) = value.into_inner() else {
            self.note(span.start, format!("{header} is not a table"));
            return None;
        };
        let keys = table.keys();
        section.tables.push(Place {
            start: span.start,
            keys: keys
                .map(|key| (key.get_ref().to_string(), key.span().start))
                .collect(),
        });
        self.value(&header, span, table)
    }

    /// Reads one value. Each wrong key is noted and taken out, then the rest is tried again, so that one reading finds all
    /// mistakes. This ends, since every round takes a key out.
    fn value<T: DeserializeOwned>(
        &mut self,
        header: &str,
        span: Range<usize>,
        mut table: DeTable<'_>,
    ) -> Option<T> {
        let mut excused: Vec<String> = Vec::new();
        while self.found.len() < MAX_FAULTS {
            let again = Spanned::new(span.clone(), DeValue::Table(table.clone()));
            let error = match T::deserialize(ValueDeserializer::from(again)) {
                Ok(value) => return excused.is_empty().then_some(value),
                Err(error) => error,
            };
            let message = error.message().trim();
            let at = start(&error).unwrap_or(span.start);
            let missing = missing(message);
            let key = match missing {
                Some(_) if at == span.start => None,
                _ => take(&mut table, at),
            };
            // A key that was wrong, or meant by a wrong one, is not told again as a missing one.
            if !missing.is_some_and(|missing| excused.iter().any(|key| key == missing)) {
                self.tell(at, header, key.as_deref(), &readable(message));
            }
            let key = key?;
            excused.extend(meant(message).map(str::to_owned));
            excused.extend(key.rsplit('.').next().map(str::to_owned));
        }
        None
    }

    /// The table of a section with this index, for what its caller finds wrong with it.
    pub fn table(&mut self, section: &'static str, index: usize) -> Table<'_, 'a> {
        Table {
            sheet: self,
            section,
            index,
        }
    }

    /// Notes a mistake in a key of the `index`th table of a section; without that key, it is at its header.
    pub fn fault(&mut self, section: &str, index: usize, key: &str, message: impl AsRef<str>) {
        let at = self.offset(section, index, key);
        let section = self.sections.iter().find(|s| s.name == section);
        let header = section.map_or_else(String::new, |s| s.header.clone());
        self.tell(at, &header, Some(key), message.as_ref());
    }

    /// Notes each value of a key that another table of the section has already.
    pub fn unique<T: Display>(
        &mut self,
        section: &'static str,
        key: &str,
        values: impl IntoIterator<Item = T>,
    ) {
        let mut seen = HashSet::new();
        for (index, value) in values.into_iter().enumerate() {
            let value = value.to_string();
            let what = format!("`{value}` is already the {key} of another one");
            if !seen.insert(value) {
                self.fault(section, index, key, what);
            }
        }
    }

    /// The line, from 1, of a key of the `index`th table of a section.
    pub fn line(&self, section: &str, index: usize, key: &str) -> usize {
        self.position(self.offset(section, index, key)).0
    }

    fn place(&self, section: &str, index: usize) -> Option<&Place> {
        let section = self.sections.iter().find(|s| s.name == section)?;
        section.tables.get(index)
    }

    fn offset(&self, section: &str, index: usize, key: &str) -> usize {
        let place = self.place(section, index);
        place.map_or(0, |p| p.offset(key).unwrap_or(p.start))
    }

    fn tell(&mut self, at: usize, header: &str, key: Option<&str>, message: &str) {
        self.note(
            at,
            match (header, key) {
                ("", None) => message.to_owned(),
                ("", Some(key)) => format!("`{key}`: {message}"),
                (header, None) => format!("{header}: {message}"),
                (header, Some(key)) => format!("{header}, `{key}`: {message}"),
            },
        );
    }

    fn note(&mut self, at: usize, message: String) {
        if self.found.len() < MAX_FAULTS {
            self.found.push((at, message));
        }
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }

    /// An error when something was found.
    pub fn clean(&self) -> Result<(), Faults> {
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(self.faults()),
        }
    }

    /// Everything found.
    pub fn faults(&self) -> Faults {
        let mut found: Vec<&(usize, String)> = self.found.iter().collect();
        found.sort_by_key(|(at, _)| *at);
        let placed = found.into_iter().map(|(at, message)| {
            let (line, column) = self.position(*at);
            format!("{}, line {line}, column {column}: {message}", self.file)
        });
        Faults(placed.collect())
    }
}

/// One table of a section, for what its caller finds wrong with it.
pub struct Table<'s, 'a> {
    sheet: &'s mut Sheet<'a>,
    section: &'static str,
    index: usize,
}

impl Table<'_, '_> {
    /// Notes a mistake in a key; without that key, it is at the table's header.
    pub fn fault(&mut self, key: &str, message: impl AsRef<str>) {
        self.sheet.fault(self.section, self.index, key, message);
    }

    /// Whether the key is written in the file.
    pub fn has(&self, key: &str) -> bool {
        let place = self.sheet.place(self.section, self.index);
        place.is_some_and(|place| place.offset(key).is_some())
    }
}

impl Place {
    fn offset(&self, key: &str) -> Option<usize> {
        self.keys.iter().find(|(k, _)| k == key).map(|(_, at)| *at)
    }
}

/// The parser limits the depth, so this ends.
fn fill(value: &mut Spanned<DeValue<'_>>, other: &dyn Fn(&str) -> Option<String>) {
    match value.get_mut() {
        DeValue::Datetime(moment) => {
            let text = Cow::Owned(moment.to_string());
            *value.get_mut() = DeValue::String(text);
        }
        DeValue::String(text) => {
            if let Some(new) = other(text) {
                *text = Cow::Owned(new);
            }
        }
        DeValue::Array(array) => array.iter_mut().for_each(|v| fill(v, other)),
        DeValue::Table(table) => table.iter_mut().for_each(|(_, v)| fill(v, other)),
        _ => {}
    }
}

fn start(error: &Error) -> Option<usize> {
    error.span().map(|span| span.start)
}

/// Takes out the innermost key that stands at an offset or holds what stands there, and returns the keys that lead to it.
fn take(table: &mut DeTable<'_>, at: usize) -> Option<String> {
    for (key, value) in table.iter_mut() {
        if let Some(below) = take_below(value.get_mut(), at) {
            return Some(format!("{}.{below}", key.get_ref()));
        }
    }
    let within = |span: Range<usize>| span.start <= at && at < span.end.max(span.start + 1);
    let mut entries = table.iter();
    let (key, _) = entries.find(|(key, value)| within(key.span()) || within(value.span()))?;
    let key = key.get_ref().to_string();
    table.remove(key.as_str());
    Some(key)
}

fn take_below(value: &mut DeValue<'_>, at: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => take(table, at),
        DeValue::Array(array) => array
            .iter_mut()
            .find_map(|value| take_below(value.get_mut(), at)),
        _ => None,
    }
}

/// The names in the parser's sentence: the wrong one, then the valid ones.
fn names(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// The key that the parser misses.
fn missing(message: &str) -> Option<&str> {
    let key = message.strip_prefix("missing field `")?;
    key.strip_suffix('`')
}

/// The key that an unknown one was probably meant to be.
fn meant(message: &str) -> Option<&str> {
    let mut names = names(message.strip_prefix("unknown field")?);
    nearest(names.next()?, names)
}

/// The parser's sentence in words of the file's author, with the nearest valid name.
fn readable(message: &str) -> String {
    let what = match message {
        _ if message.starts_with("unknown field") => "there is no key",
        _ if message.starts_with("unknown variant") => "there is no value",
        _ => {
            return match missing(message) {
                Some(key) => format!("the key `{key}` is missing"),
                None => wrong_value::plain(message).unwrap_or_else(|| message.to_owned()),
            };
        }
    };
    let mut names = names(message);
    let wrong = names.next().unwrap_or_default();
    let valid: Vec<&str> = names.collect();
    format!("{what} `{wrong}`; {}", meant_or_all(wrong, &valid))
}

/// The name that was probably meant, or all that there are.
fn meant_or_all(wrong: &str, valid: &[&str]) -> String {
    match nearest(wrong, valid.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", valid.join(", ")),
    }
}
