//! Splits FHIRPath text into words, literals and signs.

use super::PathError;
use smol_str::SmolStr;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(SmolStr),
    Text(SmolStr),
    Number(SmolStr),
    /// `%resource`, without the sign.
    Constant(SmolStr),
    /// `$this`, without the sign.
    Special(SmolStr),
    Sign(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SIGNS: &[&str] = &[
    "<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "=", "~", "<", ">", "|", "+",
    "-", "*", "/", "&",
];

pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, PathError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '\'' => quoted(rest)
                .ok_or_else(|| error(at, "a text is not closed or has an unknown escape"))?,
            '0'..='9' => number(rest),
            '%' => word(&rest[1..], 1, Token::Constant)
                .ok_or_else(|| error(at, "a name must follow %"))?,
            '$' => word(&rest[1..], 1, Token::Special)
                .ok_or_else(|| error(at, "a name must follow $"))?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                word(rest, 0, Token::Name).ok_or_else(|| error(at, "a name is needed"))?
            }
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(error(at, "this character has no meaning here")),
            },
        };
        out.push((at, token));
        at += length;
    }
    out.push((at, Token::End));
    Ok(out)
}

pub(super) fn error(at: usize, message: impl Into<String>) -> PathError {
    PathError::Syntax {
        at,
        message: message.into(),
    }
}

fn word(text: &str, before: usize, make: fn(SmolStr) -> Token) -> Option<(Token, usize)> {
    let length = text
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count();
    (length > 0).then(|| (make(SmolStr::new(&text[..length])), before + length))
}

fn number(text: &str) -> (Token, usize) {
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(text);
    // `1.not()` is a call, `1.5` a decimal.
    if text[length..].starts_with('.') {
        let fraction = digits(&text[length + 1..]);
        if fraction > 0 {
            length += 1 + fraction;
        }
    }
    (Token::Number(SmolStr::new(&text[..length])), length)
}

fn quoted(text: &str) -> Option<(Token, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((Token::Text(SmolStr::new(out)), at + 1)),
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                c @ ('\\' | '\'' | '"' | '/' | '`') => c,
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    None
}
