//! Free text: tokens, NHS numbers, telephone numbers, postcodes, and what is known about people from elsewhere.

use super::{NUMBER_REMOVED, REMOVED, TOKEN_REMOVED};
use booking::ids::check_digit;
use booking::postcode::is_postcode;
use std::collections::BTreeSet;

/// Shortest value that is looked for in free text: shorter ones are initials and would hit every other word.
const SHORTEST: usize = 3;
/// Most values looked for: every value is sought in every text.
const MOST_KNOWN: usize = 5_000;
/// Longest telephone number with its spaces. The search starts anew at every character: without a bound a long row of
/// digits and spaces would keep it busy for hours.
const TELEPHONE_LONGEST: usize = 24;
/// Longest first half of a postcode: `EC1A`.
const OUTWARD_LONGEST: usize = 4;
/// Length of its second half: `1BB`.
const INWARD: usize = 3;
/// Words of the field that also are given names in test data; taking them out would make a report unreadable.
const COMMON: [&str; 12] = [
    "appointment",
    "bundle",
    "home",
    "http",
    "https",
    "mobile",
    "patient",
    "phone",
    "schedule",
    "slot",
    "test",
    "unknown",
];

/// What the messages say about people.
#[derive(Default)]
pub(super) struct Known {
    /// Lower case.
    values: BTreeSet<String>,
}

impl Known {
    /// Remembers a value that was found at a place about a person.
    pub fn add(&mut self, value: &str) {
        let value = value.trim().to_ascii_lowercase();
        let short = value.chars().count() < SHORTEST;
        if !short && !COMMON.contains(&value.as_str()) && self.values.len() < MOST_KNOWN {
            self.values.insert(value);
        }
    }
}

/// Text without anything about people and without tokens.
pub(super) fn scrub(text: &str, known: &Known) -> String {
    let mut text = scrub_marks(text);
    text = scan(&text, REMOVED, |rest, before| {
        telephone(rest, before).or_else(|| postcode(rest, before))
    });
    let mut lower = text.to_ascii_lowercase();
    // Longest first, so that a whole address goes before the street in it.
    let mut values: Vec<_> = known
        .values
        .iter()
        .filter(|value| lower.contains(value.as_str()))
        .collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        text = without(&text, &lower, value);
        lower = text.to_ascii_lowercase();
    }
    text
}

/// Text without tokens and NHS numbers.
pub(super) fn scrub_marks(text: &str) -> String {
    let text = scan(text, TOKEN_REMOVED, token);
    scan(&text, NUMBER_REMOVED, nhs_number)
}

/// Replaces every match: `find` is given the rest of the text and the character before it, and says how many bytes match.
fn scan(text: &str, mark: &str, find: impl Fn(&str, Option<char>) -> Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        let length = find(rest, before).filter(|length| *length > 0);
        let (taken, left) = rest.split_at(length.unwrap_or(next.len_utf8()));
        out.push_str(if length.is_some() { mark } else { taken });
        before = taken.chars().next_back();
        rest = left;
    }
    out
}

fn without(text: &str, lower: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, found) in lower.match_indices(value) {
        let end = at + found.len();
        let (head, tail) = (lower.get(..at), lower.get(end..));
        let bounded = !head.is_some_and(|s| s.ends_with(char::is_alphanumeric))
            && !tail.is_some_and(|s| s.starts_with(char::is_alphanumeric));
        // The lower-case copy has the same places: only ASCII letters were changed.
        if let (true, Some(between)) = (bounded, text.get(done..at)) {
            out.push_str(between);
            out.push_str(REMOVED);
            done = end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// A JSON Web Token: its first part is the base64 of `{"`.
fn token(rest: &str, before: Option<char>) -> Option<usize> {
    if !rest.starts_with("eyJ") || before.is_some_and(is_token_char) {
        return None;
    }
    let end = rest
        .find(|c: char| !is_token_char(c) && c != '.')
        .unwrap_or(rest.len());
    rest.get(..end)
        .filter(|token| token.contains('.'))
        .map(str::len)
}

/// Ten digits with a right check digit, in one piece or as 3-3-4.
fn nhs_number(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_ascii_digit()) {
        return None;
    }
    let mut digits = Vec::with_capacity(10);
    let mut length = 0;
    let mut separated = false;
    for c in rest.chars() {
        match c.to_digit(10) {
            Some(_) if digits.len() == 10 => return None,
            Some(_) => digits.push(c as u8),
            None if digits.len() == 10 => break,
            None if matches!(c, ' ' | '-' | '\u{a0}')
                && matches!(digits.len(), 3 | 6)
                && !separated =>
            {
                separated = true;
                length += c.len_utf8();
                continue;
            }
            None => return None,
        }
        separated = false;
        length += 1;
    }
    // The end of a UUID: a group of digits between a hyphen and a letter.
    let next = rest.get(length..).and_then(|rest| rest.chars().next());
    if before == Some('-') && next.is_some_and(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let check = digits.get(9)? - b'0';
    (check_digit(digits.get(..9)?) == Some(check)).then_some(length)
}

/// A telephone number of the United Kingdom: `0` or `+44`, then nine or ten digits with spaces.
fn telephone(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
        return None;
    }
    let (start, after) = match rest.strip_prefix("+44") {
        Some(after) => (3, after),
        None => (1, rest.strip_prefix('0')?),
    };
    let (mut digits, mut length, mut end) = (0, start, 0);
    for c in after.chars().take(TELEPHONE_LONGEST) {
        match c {
            '0'..='9' => {
                digits += 1;
                length += 1;
                end = length;
            }
            ' ' => length += 1,
            c if c.is_ascii_alphabetic() && end == length => return None,
            _ => break,
        }
    }
    matches!(digits, 9 | 10).then_some(end)
}

/// A postcode with its space. Without the space too many codes look like one.
fn postcode(rest: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let space = rest
        .bytes()
        .take(OUTWARD_LONGEST + 1)
        .position(|b| b == b' ')?;
    let (outward, second) = (rest.get(..space)?, rest.get(space + 1..)?);
    let of_second = match outward {
        "BFPO" => second.bytes().take_while(u8::is_ascii_digit).count(),
        _ => INWARD,
    };
    let length = space + 1 + of_second;
    let code = rest.get(..length)?;
    let fits = is_postcode(code) && !code.contains(char::is_lowercase);
    let ends = !rest.get(length..)?.starts_with(char::is_alphanumeric);
    (fits && ends).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(text: &str) -> String {
        let mut known = Known::default();
        known.add("Marlowe");
        known.add("Al");
        scrub(text, &known)
    }

    #[test]
    fn people_and_tokens_leave_free_text() {
        let cases = [
            ("number 9990123454 end", "number [NHS number removed] end"),
            ("999 012 3454", "[NHS number removed]"),
            ("999-012-3454.", "[NHS number removed]."),
            ("9990123455 is no NHS number", "9990123455 is no NHS number"),
            ("918999000011 is an ASID", "918999000011 is an ASID"),
            (
                "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.",
                "Bearer [token removed]",
            ),
            ("call 01632 960 123 now", "call [removed] now"),
            ("call +44 7700 900123", "call [removed]"),
            ("at EC1A 1BB, here", "at [removed], here"),
            ("GIR 0AA, BFPO 57.", "[removed], [removed]."),
            (
                "patient MARLOWE, not Marlowes; Al",
                "patient [removed], not Marlowes; Al",
            ),
            ("2030-01-01T09:00:00.000Z", "2030-01-01T09:00:00.000Z"),
            ("é 9990123454 é", "é [NHS number removed] é"),
        ];
        for (text, wanted) in cases {
            assert_eq!(scrubbed(text), wanted);
        }
    }
}
