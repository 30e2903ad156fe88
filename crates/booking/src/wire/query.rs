//! Splits and decodes query strings, with bounds and precise errors.

use super::headers::printable;
use crate::refusal::{Finding, Refusal, Situation};
use std::borrow::Cow;

/// Longest query string, bytes: ten times the longest of a consumer that follows the Standard.
pub const MAX_QUERY: usize = 8 * 1024;
/// Most parameters in one query.
pub const MAX_PARAMETERS: usize = 100;

/// Name and value, borrowed if they have no escapes.
pub type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Splits and decodes a raw query (`%41`, and `+` for a space), in order of arrival. Empty pieces (`a=1&&b=2`) are skipped.
/// Malformed escapes, invalid UTF-8, control characters and queries over the bounds: ERR-01.
pub fn parameters(raw_query: &str) -> Result<Vec<Parameter<'_>>, Refusal> {
    if raw_query.len() > MAX_QUERY {
        return Err(refused(format!(
            "The query has {} bytes; at most {MAX_QUERY} are read.",
            raw_query.len()
        )));
    }
    let mut out = Vec::with_capacity(12);
    for piece in raw_query.split('&').filter(|p| !p.is_empty()) {
        if out.len() == MAX_PARAMETERS {
            return Err(refused(format!(
                "The query has more than {MAX_PARAMETERS} parameters."
            )));
        }
        // Names are short; a search optimised for long texts takes longer.
        let equals = piece.bytes().position(|b| b == b'=');
        let (name, value) = equals.map_or((piece, ""), |at| (&piece[..at], &piece[at + 1..]));
        let name = decode(name).map_err(|fault| {
            refused(format!("The parameter name `{}` {fault}.", printable(name)))
        })?;
        let value = decode(value).map_err(|fault| {
            let shown = printable(&name);
            refused(format!("The value of the parameter `{shown}` {fault}."))
                .location(format!("http.{shown}"))
        })?;
        out.push((name, value));
    }
    Ok(out)
}

/// Checks that a read or version read has no parameter but `_format` (PROV-READ-03).
pub fn only_format(raw_query: &str) -> Result<(), Refusal> {
    let others = parameters(raw_query)?.into_iter().map(|(name, _)| name);
    let findings: Vec<Finding> = others
        .filter(|name| name != "_format")
        .map(|name| {
            let shown = printable(&name);
            let fault = format!("A read takes no parameter `{shown}`; only `_format` is possible.");
            Finding::error(fault).location(format!("http.{shown}"))
        })
        .collect();
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Refusal::of(Situation::InvalidParameter, findings)),
    }
}

/// Refuses what would widen a search if ignored (PROV-SLOT-11, D-07): a known name with a modifier (`status:not`), and a
/// name of `criteria` followed by letters, digits, `_` or `-` (`startX`). `names` are the known names in any case. All
/// other unknown parameters are ignored.
pub(crate) fn refuse_unsupported(
    name: &str,
    names: &[&str],
    criteria: &[&str],
) -> Result<(), Refusal> {
    let refuse = |fault: &str, known: &str, rest: &str| {
        let shown = printable(name);
        let sentence = format!("There is no search parameter `{shown}`{fault} `{known}`{rest}.");
        Err(refused(sentence).location(format!("http.{shown}")))
    };
    let modified = |known: &&str| {
        let parts = name.split_at_checked(known.len());
        parts.is_some_and(|(head, tail)| head.eq_ignore_ascii_case(known) && tail.starts_with(':'))
    };
    let misspelt = |known: &&str| {
        let tail = name.strip_prefix(known).filter(|tail| !tail.is_empty());
        let inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        tail.is_some_and(|tail| tail.chars().all(inside))
    };
    if let Some(known) = names.iter().chain(criteria).copied().find(modified) {
        return refuse(":", known, " takes no modifier here");
    }
    match criteria.iter().copied().find(misspelt) {
        Some(known) => refuse("; it is spelt", known, ""),
        None => Ok(()),
    }
}

fn refused(diagnostics: String) -> Refusal {
    Refusal::new(Situation::InvalidParameter, diagnostics)
}

/// Decodes one name or value.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    let bytes = text.as_bytes();
    if bytes
        .iter()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b'+'))
    {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut controls = false;
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        i += 1;
        match b {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = (
                    bytes.get(i).and_then(|b| hex(*b)),
                    bytes.get(i + 1).and_then(|b| hex(*b)),
                );
                let (Some(high), Some(low)) = digits else {
                    return Err("has a `%` that two hexadecimal digits do not follow");
                };
                let byte = high << 4 | low;
                controls |= !byte.is_ascii_graphic() && byte != b' ';
                out.push(byte);
                i += 2;
            }
            _ => {
                controls |= !b.is_ascii_graphic();
                out.push(b);
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) if controls && text.chars().any(char::is_control) => {
            Err("has a control character")
        }
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err("is not UTF-8"),
    }
}

fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// Appends `name=value` to a query. Percent-encodes what RFC 3986 does not allow, and `+`, `&`, `=`, `#`. `:` and `,` stay
/// readable.
pub(crate) fn append(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    encode(query, name);
    query.push('=');
    encode(query, value);
}

/// Bytes that need no encoding.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut b = 0;
    while b < 128 {
        plain[b] = (b as u8).is_ascii_alphanumeric()
            || matches!(b as u8, b'-' | b'.' | b'_' | b'~' | b':' | b',' | b'/');
        b += 1;
    }
    plain
};

fn encode(query: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut plain = 0;
    for (at, b) in text.bytes().enumerate() {
        if !PLAIN[usize::from(b)] {
            query.push_str(&text[plain..at]);
            query.push('%');
            query.push(char::from(HEX[usize::from(b >> 4)]));
            query.push(char::from(HEX[usize::from(b & 15)]));
            plain = at + 1;
        }
    }
    query.push_str(&text[plain..]);
}
