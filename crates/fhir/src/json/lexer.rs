//! JSON tokens with their positions. Strict (RFC 8259), bounded, never panics.

use crate::codec::{MAX_NUMBER, fatal};
use crate::issue::{Issue, IssueCode, Pos};
use smol_str::SmolStr;
use std::borrow::Cow;

pub(super) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
    /// Continuation bytes between `line_start` and `counted`, so that columns count characters. They are counted only when
    /// a position is needed, each byte once.
    continuation: usize,
    counted: usize,
    /// True for ASCII text, the usual case, where bytes need no counting.
    ascii: bool,
}

/// A position to return to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    at: usize,
    line: u32,
    line_start: usize,
    continuation: usize,
    counted: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        Lexer {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line: 1,
            line_start: 0,
            continuation: 0,
            counted: 0,
            ascii: text.is_ascii(),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            line: self.line,
            line_start: self.line_start,
            continuation: self.continuation,
            counted: self.counted,
        }
    }

    pub(super) fn reset(&mut self, mark: Mark) {
        self.at = mark.at;
        self.line = mark.line;
        self.line_start = mark.line_start;
        self.continuation = mark.continuation;
        self.counted = mark.counted;
    }

    pub(super) fn pos(&mut self) -> Pos {
        if !self.ascii {
            let uncounted = self.bytes.get(self.counted..self.at).unwrap_or(&[]);
            self.continuation += uncounted.iter().filter(|b| **b & 0xC0 == 0x80).count();
            self.counted = self.counted.max(self.at);
        }
        let column = self.at.saturating_sub(self.line_start + self.continuation) + 1;
        Pos {
            line: self.line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn fail(&mut self, message: impl Into<String>) -> Issue {
        fatal(IssueCode::Invalid, message).pos(self.pos())
    }

    fn unexpected(&mut self, wanted: &str) -> Issue {
        match self.bytes.get(self.at) {
            None => self.fail(format!("The text ends here, but {wanted} is expected.")),
            Some(b) if b.is_ascii_graphic() => self.fail(format!(
                "`{}` stands here, but {wanted} is expected.",
                char::from(*b)
            )),
            Some(_) => self.fail(format!(
                "An unexpected character stands here; {wanted} is expected."
            )),
        }
    }

    /// The next byte that is not white space, without consuming it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b) = self.bytes.get(self.at) {
            match b {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                    self.continuation = 0;
                    self.counted = self.at;
                }
                other => return Some(*other),
            }
        }
        None
    }

    /// Consumes a punctuation mark.
    pub(super) fn take(&mut self, wanted: u8) -> Result<(), Issue> {
        match self.peek() {
            Some(b) if b == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.unexpected(&format!("`{}`", char::from(wanted)))),
        }
    }

    /// After a member. True: another one follows. False: the closing mark follows, and is consumed.
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Issue> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                match self.peek() {
                    Some(b) if b == close => Err(self.unexpected("another member after the comma")),
                    _ => Ok(true),
                }
            }
            Some(b) if b == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.unexpected(&format!("`,` or `{}`", char::from(close)))),
        }
    }

    /// True when the object or array is empty; its closing mark is consumed.
    pub(super) fn closes(&mut self, close: u8) -> bool {
        if self.peek() == Some(close) {
            self.at += 1;
            return true;
        }
        false
    }

    pub(super) fn at_end(&mut self) -> Result<(), Issue> {
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                Err(self
                    .fail("More text follows the end of the resource; one resource is expected."))
            }
        }
    }

    /// A string, from its opening quote; borrowed unless it has escapes.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, Issue> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a string in double quotes"));
        }
        let open = self.mark();
        self.at += 1;
        let start = self.at;
        self.at = end_of_plain(self.bytes, self.at);
        match self.bytes.get(self.at) {
            Some(b'"') => {
                let text = self.text.get(start..self.at).unwrap_or("");
                self.at += 1;
                Ok(Cow::Borrowed(text))
            }
            Some(b'\\') => self.escaped(start, open).map(Cow::Owned),
            _ => Err(self.broken_string(open)),
        }
    }

    /// The rest of a string with escapes.
    fn escaped(&mut self, start: usize, open: Mark) -> Result<String, Issue> {
        let mut out = self.text.get(start..self.at).unwrap_or("").to_owned();
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let c = self.escape()?;
                    out.push(c);
                }
                Some(b) if *b >= 0x20 => {
                    let plain = self.at;
                    self.at = end_of_plain(self.bytes, self.at);
                    out.push_str(self.text.get(plain..self.at).unwrap_or(""));
                }
                _ => return Err(self.broken_string(open)),
            }
        }
    }

    /// The fault of a string that has no end, or a control character at the current position.
    fn broken_string(&mut self, open: Mark) -> Issue {
        match self.bytes.get(self.at) {
            None => {
                self.reset(open);
                self.fail("The string that starts here has no closing quote.")
            }
            Some(b'\n' | b'\r') => self.fail(
                "A line break stands inside a string: the closing quote is missing, or write \\n.",
            ),
            Some(_) => self.fail(
                "A control character stands inside a string: write it as \\u and four digits.",
            ),
        }
    }

    fn escape(&mut self) -> Result<char, Issue> {
        let c = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                return Err(self.fail(
                    "This escape is not JSON; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u.",
                ));
            }
        };
        self.at += 2;
        Ok(c)
    }

    fn unicode(&mut self) -> Result<char, Issue> {
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                    return Err(
                        self.fail("Half of a surrogate pair stands alone before this place.")
                    );
                }
                let second = self.hex4()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(
                        self.fail("Half of a surrogate pair stands alone before this place.")
                    );
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code)
            .ok_or_else(|| self.fail("Half of a surrogate pair stands alone before this place."))
    }

    /// `\uXXXX` at the current position.
    fn hex4(&mut self) -> Result<u32, Issue> {
        let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or(&[]);
        let legal = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        let code = std::str::from_utf8(digits)
            .ok()
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        match (legal, code) {
            (true, Some(code)) => {
                self.at += 6;
                Ok(code)
            }
            _ => Err(self.fail("\\u needs four hexadecimal digits.")),
        }
    }

    /// A number as written (RFC 8259: no leading zeros, no plus sign, digits on both sides of the point).
    pub(super) fn number(&mut self) -> Result<SmolStr, Issue> {
        let start = self.at;
        let mut at = self.at + usize::from(self.bytes.get(self.at) == Some(&b'-'));
        let digits = |from: usize| {
            self.bytes
                .get(from..)
                .unwrap_or(&[])
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let whole = digits(at);
        let leading_zero = whole > 1 && self.bytes.get(at) == Some(&b'0');
        at += whole;
        let mut legal = whole > 0 && !leading_zero;
        if self.bytes.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            legal &= fraction > 0;
            at += 1 + fraction;
        }
        if matches!(self.bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at + 1 + sign);
            legal &= exponent > 0;
            at += 1 + sign + exponent;
        }
        if !legal {
            return Err(self.fail(
                "This is not a JSON number: no leading zeros, digits on both sides of the point.",
            ));
        }
        if at - start > MAX_NUMBER {
            return Err(self.fail(format!(
                "This number has more than {MAX_NUMBER} characters."
            )));
        }
        self.at = at;
        Ok(SmolStr::new(self.text.get(start..at).unwrap_or("")))
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &str) -> Result<(), Issue> {
        if self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()))
        {
            self.at += word.len();
            return Ok(());
        }
        Err(self.unexpected("a value"))
    }

    pub(super) fn bad_value(&mut self) -> Issue {
        self.unexpected("a value")
    }
}

/// Index of the first quote, backslash or control character from `at` on, or the end of the text. Reads eight bytes at a
/// time.
pub fn end_of_plain(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let found = below(word, 0x20)
            | below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1);
        if found != 0 {
            // The lowest mark is exact; higher ones may come from a borrow.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or(&[]);
    let stop = |b: &u8| *b < 0x20 || matches!(*b, b'"' | b'\\');
    at + rest.iter().position(stop).unwrap_or(rest.len())
}
