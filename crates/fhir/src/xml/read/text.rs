//! Characters of XML: places, references, numbers.

use crate::codec::{MAX_NUMBER, shown};
use crate::issue::Pos;
use smol_str::SmolStr;

/// Entities of HTML that people write most, and what to write instead: a message has no DTD that could define them.
const HTML_ENTITIES: [(&str, u32); 24] = [
    ("nbsp", 160),
    ("pound", 163),
    ("copy", 169),
    ("reg", 174),
    ("deg", 176),
    ("plusmn", 177),
    ("micro", 181),
    ("middot", 183),
    ("frac12", 189),
    ("eacute", 233),
    ("times", 215),
    ("ndash", 8211),
    ("mdash", 8212),
    ("lsquo", 8216),
    ("rsquo", 8217),
    ("ldquo", 8220),
    ("rdquo", 8221),
    ("bull", 8226),
    ("hellip", 8230),
    ("euro", 8364),
    ("trade", 8482),
    ("rarr", 8594),
    ("le", 8804),
    ("ge", 8805),
];
/// Longest reference that is looked at: `&#x0010FFFF;` with zeros to spare.
const MAX_REFERENCE: usize = 16;

/// Line and column of byte offsets that only grow.
pub(super) struct Places<'a> {
    bytes: &'a [u8],
    offset: usize,
    pos: Pos,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Places<'a> {
        Places {
            bytes: text.as_bytes(),
            offset: 0,
            pos: Pos { line: 1, column: 1 },
        }
    }

    pub(super) fn at(&mut self, offset: usize) -> Pos {
        let offset = offset.min(self.bytes.len());
        for b in self.bytes.get(self.offset..offset).unwrap_or(&[]) {
            match b {
                b'\n' => {
                    self.pos.line = self.pos.line.saturating_add(1);
                    self.pos.column = 1;
                }
                b if b & 0xC0 == 0x80 => {}
                _ => self.pos.column = self.pos.column.saturating_add(1),
            }
        }
        self.offset = self.offset.max(offset);
        self.pos
    }
}

/// Where the first character stands that XML 1.0 does not allow at all.
pub(super) fn illegal_character(text: &str) -> Option<usize> {
    // The usual text has none: one pass without branches, and a second one only if there may be one.
    let suspect = |b: &u8| (*b < 0x20) & !matches!(*b, b'\t' | b'\n' | b'\r') | (*b == 0xEF);
    let any = text
        .as_bytes()
        .chunks(64)
        .any(|c| c.iter().fold(false, |a, b| a | suspect(b)));
    any.then(|| text.find(|c| !is_allowed(c))).flatten()
}

/// `Char` of XML 1.0.
pub(crate) fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Resolves character references and XML's five entities; white space in an attribute becomes a space.
pub(crate) fn unescape(raw: &str) -> Result<SmolStr, String> {
    let special = |b: u8| matches!(b, b'&' | b'<' | b'\n' | b'\r' | b'\t');
    if !raw.bytes().any(special) {
        return Ok(SmolStr::new(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.bytes().position(special) {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        rest = match from.as_bytes() {
            [b'<', ..] => return Err("`<` must be written &lt;.".to_owned()),
            [b'&', ..] => {
                let end = from.bytes().take(MAX_REFERENCE).position(|b| b == b';');
                let name = end
                    .and_then(|end| from.get(1..end))
                    .ok_or("`&` must be written &amp;.")?;
                out.push(entity(name).ok_or_else(|| unknown_entity(name))?);
                from.get(name.len() + 2..).unwrap_or("")
            }
            // A line end is one character, however it is written.
            [b'\r', b'\n', ..] => {
                out.push(' ');
                from.get(2..).unwrap_or("")
            }
            _ => {
                out.push(' ');
                from.get(1..).unwrap_or("")
            }
        };
    }
    out.push_str(rest);
    Ok(SmolStr::new(out))
}

pub(crate) fn unknown_entity(name: &str) -> String {
    if name.starts_with('#') {
        return format!("&{}; is no character that XML can hold.", shown(name));
    }
    let instead = match HTML_ENTITIES.iter().find(|(known, _)| *known == name) {
        Some((_, code)) => format!("; write &#{code}; or the character itself"),
        None => String::new(),
    };
    format!(
        "the entity &{}; is not one of XML's five{instead}.",
        shown(name)
    )
}

/// The character of a reference, `&` and `;` cut off.
pub(crate) fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let (digits, radix) = match digits.strip_prefix('x') {
                Some(hex) => (hex, 16),
                None => (digits, 10),
            };
            if !digits.chars().all(|c| c.is_digit(radix)) {
                return None;
            }
            let code = u32::from_str_radix(digits, radix).ok()?;
            char::from_u32(code).filter(|c| is_allowed(*c))
        }
    }
}

/// A number as JSON writes it, so that it can be written as JSON.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let no_leading_zero = whole.len() == 1 || !whole.starts_with('0');
    text.len() <= MAX_NUMBER
        && digits(whole)
        && no_leading_zero
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
