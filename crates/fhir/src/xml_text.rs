//! The text, names and references that XML can hold, for the XML codec and for narrative in JSON.

use crate::codec::shown;
use smol_str::SmolStr;

/// Namespace of narrative markup.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
/// Common entities of HTML with their replacements: a message has no DTD to define them.
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

/// Longest reference read: `&#x0010FFFF;` with zeros to spare.
const MAX_REFERENCE: usize = 16;

/// True for a name without prefix that XML 1.0 allows.
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(starts) && chars.all(continues)
}

fn starts(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_')
        || matches!(
            u32::from(c),
            0xC0..=0xD6
                | 0xD8..=0xF6
                | 0xF8..=0x2FF
                | 0x370..=0x37D
                | 0x37F..=0x1FFF
                | 0x200C..=0x200D
                | 0x2070..=0x218F
                | 0x2C00..=0x2FEF
                | 0x3001..=0xD7FF
                | 0xF900..=0xFDCF
                | 0xFDF0..=0xFFFD
                | 0x1_0000..=0xE_FFFF
        )
}

fn continues(c: char) -> bool {
    starts(c)
        || matches!(c, '0'..='9' | '-' | '.' | '\u{b7}')
        || matches!(u32::from(c), 0x300..=0x36F | 0x203F..=0x2040)
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
            // A line end is one character in any spelling.
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

/// The character of a reference without `&` and `;`.
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
