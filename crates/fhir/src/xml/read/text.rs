//! Characters of XML: positions, references, numbers.

use crate::codec::MAX_NUMBER;
use crate::issue::Pos;
use crate::xml_text::is_allowed;

/// Line and column of ascending byte offsets.
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

/// Offset of the first character that XML 1.0 forbids.
pub(super) fn illegal_character(text: &str) -> Option<usize> {
    // Most texts have none: one pass without branches, and a second one only on suspicion.
    let suspect = |b: &u8| (*b < 0x20) & !matches!(*b, b'\t' | b'\n' | b'\r') | (*b == 0xEF);
    let any = text
        .as_bytes()
        .chunks(64)
        .any(|c| c.iter().fold(false, |a, b| a | suspect(b)));
    any.then(|| text.find(|c| !is_allowed(c))).flatten()
}

/// True for a number in JSON's grammar.
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
