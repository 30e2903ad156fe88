//! Query strings: bounded, decoded, with precise errors.

use super::headers::printable;
use crate::refusal::{Refusal, Situation};
use std::borrow::Cow;

/// Longest query string: ten times the longest that a consumer of the Standard builds.
pub const MAX_QUERY: usize = 8 * 1024;
/// Most parameters in one query.
pub const MAX_PARAMETERS: usize = 100;

/// Name and value, borrowed where they have no escapes.
pub type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Splits and decodes a raw query (`%41` and `+`, which means a space). Names and values come in the order
/// received; empty pieces (`a=1&&b=2`) are skipped. Malformed escapes, bytes that are not UTF-8, control
/// characters and queries over the bounds: ERR-01.
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
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
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

/// Reads (and version reads) take no parameter but `_format` (PROV-READ-03).
pub fn only_format(raw_query: &str) -> Result<(), Refusal> {
    for (name, _) in parameters(raw_query)? {
        if name != "_format" {
            let shown = printable(&name);
            return Err(refused(format!(
                "A read takes no parameter `{shown}`; only `_format` is possible."
            ))
            .location(format!("http.{shown}")));
        }
    }
    Ok(())
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
                out.push(high << 4 | low);
                i += 2;
            }
            _ => out.push(b),
        }
    }
    match String::from_utf8(out) {
        Ok(text) if text.chars().any(char::is_control) => Err("has a control character"),
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err("is not UTF-8"),
    }
}

fn hex(b: u8) -> Option<u8> {
    char::from(b)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// Appends `name=value` to a query, percent-encoding what RFC 3986 does not allow in a query, and `+`, `&`,
/// `=` and `#`. `:` and `,` stay, for the reader's sake.
pub(crate) fn append(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    encode(query, name);
    query.push('=');
    encode(query, value);
}

fn encode(query: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut plain = 0;
    for (at, b) in text.bytes().enumerate() {
        if !(b.is_ascii_alphanumeric() || b"-._~:,/".contains(&b)) {
            query.push_str(&text[plain..at]);
            query.push('%');
            query.push(char::from(HEX[usize::from(b >> 4)]));
            query.push(char::from(HEX[usize::from(b & 15)]));
            plain = at + 1;
        }
    }
    query.push_str(&text[plain..]);
}
