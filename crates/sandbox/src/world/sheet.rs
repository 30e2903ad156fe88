//! Reading TOML so that every mistake names its line, its key and the nearest valid key, and all are told at once.

use booking::nearest::nearest;
use booking::wrong_value;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

/// Largest file: the directory of a whole region has a few megabytes.
pub const MAX_BYTES: usize = 8 << 20;
/// Most things of one kind.
pub const MAX_ITEMS: usize = 20_000;
/// Most mistakes told at once: more would not be read.
const MAX_FAULTS: usize = 50;
/// Deepest nesting of values that is gone through; the file's own format has three levels.
const MAX_DEPTH: usize = 16;

/// A file under examination: its text, where things stand in it, and the mistakes found.
pub struct Sheet<'a> {
    text: &'a str,
    file: &'a str,
    places: HashMap<&'static str, Vec<Place>>,
    found: Vec<(usize, String)>,
}

/// Where the keys of a table stand.
struct Place {
    start: usize,
    keys: Vec<(String, usize)>,
}

impl<'a> Sheet<'a> {
    /// A sheet without mistakes so far; `file` is its name for messages.
    pub fn new(text: &'a str, file: &'a str) -> Sheet<'a> {
        Sheet {
            text,
            file,
            places: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Parses the file into its tables, or notes why it is no TOML.
    pub fn tables(&mut self) -> Option<DeTable<'a>> {
        if self.text.len() > MAX_BYTES {
            let size = self.text.len();
            self.note(
                0,
                format!("the file has {size} bytes; at most {MAX_BYTES} are read"),
            );
            return None;
        }
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.note(start(error), error.message().trim().to_owned());
        }
        errors.is_empty().then(|| root.into_inner())
    }

    /// Notes tables that do not exist.
    pub fn known(&mut self, root: &DeTable<'_>, sections: &[&'static str]) {
        for key in root.keys() {
            let name: &str = key.get_ref();
            if sections.contains(&name) {
                continue;
            }
            let hint = match nearest(name, sections.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", sections.join(", ")),
            };
            self.note(
                key.span().start,
                format!("there is no table `{name}`; {hint}"),
            );
        }
    }

    /// Reads `[section]`; its default when it is not there.
    pub fn single<T: DeserializeOwned + Default>(
        &mut self,
        root: &mut DeTable<'_>,
        section: &'static str,
    ) -> T {
        match root.remove(section) {
            None => T::default(),
            Some(value) if value.get_ref().is_array() => {
                let what = format!("write it once and with one bracket, [{section}]");
                self.note(value.span().start, what);
                T::default()
            }
            Some(value) => self.item(section, value).unwrap_or_default(),
        }
    }

    /// Reads every `[[section]]`.
    pub fn items<T: DeserializeOwned>(
        &mut self,
        root: &mut DeTable<'_>,
        section: &'static str,
    ) -> Vec<T> {
        let Some(value) = root.remove(section) else {
            return Vec::new();
        };
        let at = value.span().start;
        let DeValue::Array(array) = value.into_inner() else {
            self.note(
                at,
                format!("write it with two brackets, [[{section}]]: there may be several"),
            );
            return Vec::new();
        };
        if array.len() > MAX_ITEMS {
            let what = format!(
                "[[{section}]]: there are {}, at most {MAX_ITEMS} are allowed",
                array.len()
            );
            self.note(at, what);
            return Vec::new();
        }
        array
            .into_iter()
            .filter_map(|value| self.item(section, value))
            .collect()
    }

    /// Reads one table. Each wrong key is told and taken out, then the rest is tried again, so that one reading tells
    /// all mistakes; this ends, since every round takes a key out.
    fn item<T: DeserializeOwned>(
        &mut self,
        section: &'static str,
        value: Spanned<DeValue<'_>>,
    ) -> Option<T> {
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            self.note(span.start, format!("[[{section}]] is not a table"));
            return None;
        };
        self.place(section, span.start, &table);
        let mut excused: Vec<String> = Vec::new();
        loop {
            let again = Spanned::new(span.clone(), DeValue::Table(table.clone()));
            let error = match T::deserialize(ValueDeserializer::from(again)) {
                Ok(value) => return excused.is_empty().then_some(value),
                Err(error) => error,
            };
            let message = error.message().trim();
            // What was told about a wrong key is not told again as a missing one.
            if excused
                .iter()
                .any(|key| message == format!("missing field `{key}`"))
            {
                return None;
            }
            let at = error.span().map_or(span.start, |s| s.start);
            let guilty = owner(&table, at);
            let shown = guilty.as_deref();
            self.tell(at, section, shown, readable(message));
            let key = guilty?;
            table.remove(key.as_str());
            excused.extend(meant(message));
            excused.push(key);
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

    /// Notes a mistake in a key of the `index`th thing of a section; without that key, it is at its header.
    pub fn fault(&mut self, section: &'static str, index: usize, key: &str, message: String) {
        let at = self.offset(section, index, key);
        self.tell(at, section, Some(key), message);
    }

    /// The line, from 1, of a key of the `index`th thing of a section.
    pub fn line(&self, section: &'static str, index: usize, key: &str) -> usize {
        self.position(self.offset(section, index, key)).0
    }

    fn offset(&self, section: &'static str, index: usize, key: &str) -> usize {
        let place = self.places.get(section).and_then(|p| p.get(index));
        place.map_or(0, |place| {
            let found = place.keys.iter().find(|(k, _)| k == key);
            found.map_or(place.start, |(_, at)| *at)
        })
    }

    fn tell(&mut self, at: usize, section: &str, key: Option<&str>, message: String) {
        let brackets = match section {
            "dos" => "[dos]".to_owned(),
            other => format!("[[{other}]]"),
        };
        match key {
            Some(key) => self.note(at, format!("{brackets}, `{key}`: {message}")),
            None => self.note(at, format!("{brackets}: {message}")),
        }
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

    /// Nothing found so far.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Everything found, one sentence a line, in the order of the file.
    pub fn faults(mut self) -> String {
        self.found.sort_by_key(|(at, _)| *at);
        let lines: Vec<String> = self
            .found
            .iter()
            .map(|(at, message)| {
                let (line, column) = self.position(*at);
                format!("{}, line {line}, column {column}: {message}", self.file)
            })
            .collect();
        lines.join("\n")
    }
}

/// Puts `replace`d text in place of every string, and text in place of every date or time without quotes.
pub fn fill(table: &mut DeTable<'_>, replace: &dyn Fn(&str) -> Option<String>) {
    for (_, value) in table.iter_mut() {
        fill_value(value, replace, 0);
    }
}

fn fill_value(
    value: &mut Spanned<DeValue<'_>>,
    replace: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) {
    if depth > MAX_DEPTH {
        return;
    }
    match value.get_mut() {
        DeValue::Datetime(moment) => {
            let text = Cow::Owned(moment.to_string());
            *value.get_mut() = DeValue::String(text);
        }
        DeValue::String(text) => {
            if let Some(new) = replace(text) {
                *text = Cow::Owned(new);
            }
        }
        DeValue::Array(array) => array
            .iter_mut()
            .for_each(|v| fill_value(v, replace, depth + 1)),
        DeValue::Table(table) => table
            .iter_mut()
            .for_each(|(_, v)| fill_value(v, replace, depth + 1)),
        _ => {}
    }
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |s| s.start)
}

/// The key of a table in whose text an offset lies.
fn owner(table: &DeTable<'_>, at: usize) -> Option<String> {
    let within = |span: Range<usize>| span.start <= at && at < span.end.max(span.start + 1);
    table
        .iter()
        .find(|(key, value)| within(key.span()) || within(value.span()) || below(value, at))
        .map(|(key, _)| key.get_ref().to_string())
}

/// True when the offset lies in one of the tables below, `[[service.endpoint]]`: their spans are not inside that of
/// the array that holds them.
fn below(value: &Spanned<DeValue<'_>>, at: usize) -> bool {
    let within = |span: Range<usize>| span.start <= at && at < span.end.max(span.start + 1);
    match value.get_ref() {
        DeValue::Array(array) => array.iter().any(|v| within(v.span()) || below(v, at)),
        DeValue::Table(table) => table
            .iter()
            .any(|(k, v)| within(k.span()) || within(v.span()) || below(v, at)),
        _ => false,
    }
}

/// The key that an unknown one was probably meant to be.
fn meant(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted
        .next()
        .filter(|_| message.starts_with("unknown field"))?;
    nearest(wrong, quoted).map(str::to_owned)
}

/// The parser's sentence with the nearest valid key, in words of the file's author.
fn readable(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    for (kind, what) in [
        ("unknown field", "there is no key"),
        ("unknown variant", "there is no value"),
    ] {
        if message.starts_with(kind) {
            let wrong = quoted.next().unwrap_or("");
            let valid: Vec<&str> = quoted.collect();
            return match nearest(wrong, valid.iter().copied()) {
                Some(near) => format!("{what} `{wrong}`; did you mean `{near}`?"),
                None => format!("{what} `{wrong}`; there are {}", valid.join(", ")),
            };
        }
    }
    if message.starts_with("missing field") {
        return format!("the key `{}` is missing", quoted.next().unwrap_or(""));
    }
    wrong_value::plain(message).unwrap_or_else(|| message.to_owned())
}
