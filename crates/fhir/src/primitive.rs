//! The primitive types of FHIR STU3: their grammar, and the time types as values.
//!
//! Messages of this module never quote a refused value: it may identify a patient.

pub mod date_time;
pub mod instant;
mod narrative;

pub use date_time::{DateTime, Precision};
pub use instant::{Instant, format_instant};
pub use narrative::check_narrative;
pub(crate) use narrative::{Narrative, inherited};

use crate::article::with_article;
use crate::tree::Value;

/// STU3 data types, string: "strings SHALL NOT exceed 1MB in size".
pub const MAX_STRING_BYTES: usize = 1024 * 1024;

/// STU3 data types, id: up to 64 characters.
pub const MAX_ID_CHARS: usize = 64;

/// What is wrong with a primitive value and what would be right. Never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PrimitiveError {
    message: String,
}

impl PrimitiveError {
    pub(crate) fn new(message: impl Into<String>) -> PrimitiveError {
        PrimitiveError {
            message: message.into(),
        }
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Checks a value against the grammar of a primitive type. Returns what is wrong and what would be right, without the
/// value. `None`: it is right, or the type is not primitive.
pub fn check(type_name: &str, value: &Value) -> Option<String> {
    let text = value.as_str();
    // The most frequent types come first.
    let wanted = match type_name {
        "string" | "markdown" => return check_string(text),
        "uri" => return check_uri(text),
        "code" => (!is_code(text)).then_some(
            "a code: at least one character, no space at either end, single spaces within",
        ),
        "boolean" => return check_boolean(value),
        "integer" | "unsignedInt" | "positiveInt" => return check_integer(type_name, text),
        "decimal" => (!is_decimal(text)).then_some("a number like -12.50, without + or exponent"),
        "id" => (!is_id(text)).then_some("an id: 1 to 64 letters, digits, hyphens and full stops"),
        "oid" => (!is_oid(text)).then_some("an OID as URI, such as urn:oid:1.2.36.1"),
        "uuid" => (!is_uuid_uri(text))
            .then_some("a UUID as URI, such as urn:uuid: and 8-4-4-4-12 hexadecimal digits"),
        "base64Binary" => {
            (!is_base64(text)).then_some("base64: groups of four of A-Z a-z 0-9 + /, padded with =")
        }
        "instant" => return Instant::check(text).err().map(|e| e.message),
        "dateTime" => return DateTime::check_element(text).err().map(|e| e.message),
        "date" => return DateTime::check_date(text).err().map(|e| e.message),
        "time" => return check_time(text),
        "xhtml" => return check_narrative(text).err().map(|e| e.message),
        _ => None,
    };
    wanted.map(|w| match text.is_empty() {
        true => format!("the {type_name} is empty; leave the element out or give {w}"),
        false => format!(
            "this is not {}; right would be {w}",
            with_article(type_name)
        ),
    })
}

fn check_boolean(value: &Value) -> Option<String> {
    match value {
        Value::Boolean(_) => None,
        other if matches!(other.as_str(), "true" | "false") => None,
        _ => Some("this is not a boolean; right would be true or false".to_owned()),
    }
}

/// Digits without leading zero, after an optional minus.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
}

/// 32 bits, as STU3 says of integer, unsignedInt (from 0) and positiveInt (from 1).
fn check_integer(type_name: &str, text: &str) -> Option<String> {
    let least = match type_name {
        "unsignedInt" => 0,
        "positiveInt" => 1,
        _ => i32::MIN,
    };
    match is_whole(text).then(|| text.parse::<i32>()) {
        Some(Ok(n)) if n >= least => None,
        Some(Ok(_)) => Some(format!(
            "this {type_name} is too small; it must be {least} or more"
        )),
        Some(Err(_)) => Some(format!(
            "this {type_name} does not fit 32 bits; it must be from {least} to {}",
            i32::MAX
        )),
        None => Some(format!(
            "this is not {}; right would be a whole number from {least} to {}, without +, leading zeros or decimals",
            with_article(type_name),
            i32::MAX
        )),
    }
}

fn is_decimal(text: &str) -> bool {
    match text.split_once('.') {
        Some((whole, fraction)) => {
            is_whole(whole) && !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit())
        }
        None => is_whole(text),
    }
}

/// No control characters but tab, line feed and carriage return; not empty; at most 1 MB.
fn check_string(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(
            "the text is empty; leave the element out or give at least one character".to_owned(),
        );
    }
    if text.len() > MAX_STRING_BYTES {
        return Some(format!(
            "the text is longer than {MAX_STRING_BYTES} bytes, the most that FHIR allows"
        ));
    }
    // Each of these is one byte in UTF-8.
    if text
        .bytes()
        .any(|b| (b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')) || b == 0x7f)
    {
        let message =
            "the text has a control character; only tab, line feed and carriage return are allowed";
        return Some(message.to_owned());
    }
    check_noncharacters(text)
}

/// XML cannot write the noncharacters U+FFFE and U+FFFF.
fn check_noncharacters(text: &str) -> Option<String> {
    text.contains(['\u{fffe}', '\u{ffff}']).then(|| {
        "the text has U+FFFE or U+FFFF, which are no characters; leave them out".to_owned()
    })
}

fn check_uri(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("urn:uuid:") {
        return (!is_uuid(rest))
            .then(|| "after urn:uuid: there must be 8-4-4-4-12 hexadecimal digits".to_owned());
    }
    if text.starts_with("urn:oid:") {
        return (!is_oid(text))
            .then(|| "after urn:oid: there must be an OID, such as 1.2.36.1".to_owned());
    }
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"');
    if !text.is_empty() && text.bytes().all(plain) {
        return None;
    }
    let refused = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"');
    match text {
        "" => Some("the uri is empty; leave the element out or give an address".to_owned()),
        t if t.contains(refused) => Some(
            "the uri has a space, control character or one of < > \"; write it percent-encoded, such as %20".to_owned(),
        ),
        t => check_noncharacters(t),
    }
}

/// STU3 code: `[^\s]+([\s]?[^\s]+)*`.
pub(crate) fn is_code(text: &str) -> bool {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        return true;
    }
    let mut after_space = true;
    for c in text.chars() {
        let space = c.is_whitespace();
        if (space && after_space) || c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') {
            return false;
        }
        after_space = space;
    }
    !after_space
}

/// STU3 id: `[A-Za-z0-9\-\.]{1,64}`.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

/// STU3 oid: `urn:oid:[0-2](\.[1-9]\d*)+`, with 0 allowed as an arc because real OIDs have it.
fn is_oid(text: &str) -> bool {
    let Some(oid) = text.strip_prefix("urn:oid:") else {
        return false;
    };
    let mut arcs = oid.split('.');
    matches!(arcs.next(), Some("0" | "1" | "2"))
        && oid.contains('.')
        && arcs.all(|arc| is_whole(arc) && !arc.starts_with('-'))
}

fn is_uuid_uri(text: &str) -> bool {
    text.strip_prefix("urn:uuid:").is_some_and(is_uuid)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_base64(text: &str) -> bool {
    let mut count = 0usize;
    let mut padding = 0usize;
    for b in text.bytes() {
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        count += 1;
    }
    count > 0 && count.is_multiple_of(4) && padding <= 2
}

/// STU3 time: `hh:mm:ss` with an optional fraction, no zone, 24:00 not allowed.
fn check_time(text: &str) -> Option<String> {
    let wanted = "right would be hh:mm:ss from 00:00:00 to 23:59:59, without zone";
    match date_time::Clock::parse(text) {
        Ok((_, "")) => None,
        Ok(_) => Some(format!(
            "this time has something after the seconds; {wanted}"
        )),
        Err(e) => Some(format!("{}; {wanted}", e.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(type_name: &str, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(
                check(type_name, &Value::String((*text).into())),
                None,
                "{type_name} {text:?}"
            );
        }
        for text in bad {
            let said = check(type_name, &Value::String((*text).into()));
            let said = said.unwrap_or_else(|| panic!("{type_name} {text:?} was accepted"));
            assert!(
                text.len() < 10 || !said.contains(text),
                "{said:?} quotes the value"
            );
        }
    }

    #[test]
    fn grammar_of_numbers() {
        ok(
            "integer",
            &["0", "-1", "2147483647", "-2147483648"],
            &["", "01", "+1", "1.0", "9999999999", "-", "1e3"],
        );
        ok("unsignedInt", &["0", "7"], &["-1", "00"]);
        ok(
            "positiveInt",
            &["1", "2147483647"],
            &["0", "-1", "4294967296"],
        );
        ok(
            "decimal",
            &["0", "-0.50", "12.000"],
            &["", ".5", "5.", "+1", "1e3", "00.1", "1,0"],
        );
        ok("boolean", &["true", "false"], &["True", "1", "yes", ""]);
    }

    #[test]
    fn grammar_of_strings() {
        ok(
            "string",
            &["a", "two\nlines", " x "],
            &["", "bell\u{7}", "del\u{7f}"],
        );
        ok(
            "code",
            &["a", "a b", "In-person"],
            &["", " a", "a ", "a  b", "\u{1}"],
        );
        ok(
            "id",
            &["a", "A-9.z", &"x".repeat(64)],
            &["", "a_b", "a/b", &"x".repeat(65)],
        );
        let long = "x".repeat(MAX_STRING_BYTES + 1);
        assert!(check("string", &Value::String(long.into())).is_some_and(|m| m.contains("longer")));
    }

    #[test]
    fn grammar_of_uris_and_binary() {
        ok(
            "uri",
            &["http://x/y?z#w", "#a", "Patient/1", "urn:oid:2.16.840.1"],
            &["", "a b", "a<b", "urn:uuid:12", "urn:oid:3.1"],
        );
        ok(
            "uuid",
            &["urn:uuid:0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01"],
            &["0b6f4a52-6f3e-4c55-8f6f-6f2f0a7c9d01", "urn:uuid:x"],
        );
        ok(
            "oid",
            &["urn:oid:1.2.36", "urn:oid:2.0.1"],
            &["1.2.3", "urn:oid:1", "urn:oid:1..2", "urn:oid:1.02"],
        );
        ok(
            "base64Binary",
            &["AAAA", "QQ==", "QUE=", "AA\n AA"],
            &["", "A", "=AAA", "Q===", "QQ==QQ==", "!AAA"],
        );
        ok(
            "time",
            &["00:00:00", "23:59:59.5"],
            &[
                "24:00:00",
                "12:00",
                "12:60:00",
                "12:00:60",
                "12:00:00Z",
                "12:00:00.",
            ],
        );
    }
}
