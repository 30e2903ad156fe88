//! Distinguished names: reading them (RFC 4514) and comparing them without regard to case and spacing.

/// Deepest name that is read; the tree has three levels.
const MAX_PARTS: usize = 16;

/// A name in comparable form, the leaf first. Empty: the root.
pub type Dn = Vec<String>;

/// Reads a name. `None`: it is not one (invalidDNSyntax).
pub fn parse(text: &str) -> Option<Dn> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let parts = split(text, |c| matches!(c, ',' | ';'));
    if parts.len() > MAX_PARTS {
        return None;
    }
    parts.iter().map(|part| rdn(part)).collect()
}

/// One part of a name: `type=value`, several joined with `+`, in comparable form.
fn rdn(text: &str) -> Option<String> {
    let mut pairs = Vec::new();
    for pair in split(text, |c| c == '+') {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if name.is_empty() || !name.bytes().all(legal) {
            return None;
        }
        pairs.push(format!("{name}={}", normal(&unescaped(value)?)));
    }
    pairs.sort();
    Some(pairs.join("+"))
}

/// Splits at separators that are neither escaped nor inside quotes.
fn split(text: &str, separator: impl Fn(char) -> bool) -> Vec<&str> {
    let (mut parts, mut from, mut escaped, mut quoted) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if separator(c) && !quoted => {
                parts.push(&text[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// The value behind RFC 4514's escapes and the quotes of RFC 2253. A `#` value is BER, which no name here has.
fn unescaped(value: &str) -> Option<String> {
    let value = value.trim_start();
    // A space at the end that is escaped belongs to the value.
    let trimmed = value.trim_end();
    let value = match trimmed.ends_with('\\') && trimmed.len() < value.len() {
        true => &value[..trimmed.len() + 1],
        false => trimmed,
    };
    if value.starts_with('#') {
        return None;
    }
    let value = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .unwrap_or(value);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let next = rest.next()?;
        match hex(next) {
            None => bytes.push(next),
            Some(high) => bytes.push(high << 4 | hex(rest.next()?)?),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(byte: u8) -> Option<u8> {
    // A single digit, so it fits.
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// A text in comparable form: lower case, each run of spaces as one, none at the ends (caseIgnoreMatch).
pub fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

/// A value as it stands in a name: special characters escaped.
pub fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let edge = c == ' ' && (at == 0 || at == last);
        if edge
            || matches!(c, ',' | ';' | '+' | '"' | '\\' | '<' | '>' | '=')
            || (at == 0 && c == '#')
        {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NAT-SDS-06
    #[test]
    fn names_compare_without_case_and_spacing() {
        let plain = parse("uniqueIdentifier=918999000011,ou=Services,o=nhs").unwrap();
        for same in [
            "UNIQUEIDENTIFIER=918999000011, OU=services, O=NHS",
            "uniqueIdentifier=\"918999000011\" ; ou = Services ; o = nhs",
            "uniqueIdentifier=91899900001\\31,ou=Services,o=nhs",
        ] {
            assert_eq!(parse(same).unwrap(), plain, "{same}");
        }
        assert_eq!(parse("").unwrap(), Vec::<String>::new());
        for bad in [
            "nonsense",
            "ou=a,,o=nhs",
            "=x",
            "ou=\\",
            "ou=\\zz\\4",
            "ou=#0401",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(
            parse(&format!("cn={},o=nhs", escaped(" a,b+c ")))
                .unwrap()
                .len(),
            2
        );
    }
}
