//! Places of whole pieces inside a text that may be broken: JSON values and members, XML elements, numbers.

use std::ops::Range;

/// Furthest that the end of a piece is looked for: pieces of real messages are smaller, and inputs may be large.
const MAX_PIECE: usize = 16 * 1024;

/// The first byte of a kind at or behind `from`.
fn find(bytes: &[u8], from: usize, is: impl Fn(u8) -> bool) -> Option<usize> {
    let mut tail = bytes.get(from..)?.iter().take(MAX_PIECE);
    Some(from + tail.position(|b| is(*b))?)
}

/// The JSON value that begins at or behind `from`.
pub(crate) fn json_value(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let opens = |b| {
        matches!(
            b,
            b'"' | b'{' | b'[' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n'
        )
    };
    let start = find(bytes, from, opens)?;
    Some(start..end_of_value(bytes, start)?)
}

/// The JSON member (`"name": value`) whose name begins at or behind `from`.
pub(crate) fn json_member(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    // A string without a colon behind it is a value: a few tries reach the next member.
    for _ in 0..8 {
        let start = find(bytes, at, |b| b == b'"')?;
        let name_end = end_of_string(bytes, start)?;
        if bytes.get(name_end) == Some(&b':') {
            return Some(start..end_of_value(bytes, name_end + 1)?);
        }
        at = name_end;
    }
    None
}

fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    for _ in 0..MAX_PIECE {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn end_of_value(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut depth = 0_usize;
    for _ in 0..MAX_PIECE {
        match bytes.get(at)? {
            b'"' => at = end_of_string(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            b',' | b':' | b' ' | b'\n' => {
                at += 1;
                continue;
            }
            _ => {
                let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
                let length = bytes.get(at..)?.iter().take_while(|b| plain(b)).count();
                at += length.max(1);
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The XML element whose tag begins at or behind `from`.
pub(crate) fn xml_element(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let opens = |w: &[u8]| matches!(w, [b'<', c] if c.is_ascii_alphabetic());
    let start = from
        + bytes
            .get(from..)?
            .windows(2)
            .take(MAX_PIECE)
            .position(opens)?;
    let mut at = start;
    let mut depth = 0_usize;
    for _ in 0..MAX_PIECE {
        let open = find(bytes, at, |b| b == b'<')?;
        let end = find(bytes, open, |b| b == b'>')? + 1;
        let tag = bytes.get(open..end)?;
        match tag {
            [b'<', b'/', ..] => depth = depth.checked_sub(1)?,
            [.., b'/', b'>'] | [b'<', b'!' | b'?', ..] => {}
            _ => depth += 1,
        }
        if depth == 0 {
            return Some(start..end);
        }
        at = end;
    }
    None
}

/// The run of digits at or behind `from`.
pub(crate) fn number(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let start = find(bytes, from, |b| b.is_ascii_digit())?;
    let length = bytes
        .get(start..)?
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    Some(start..start + length)
}

/// The piece between two quotes at or behind `from`.
pub(crate) fn quoted(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let start = find(bytes, from, |b| b == b'"')? + 1;
    Some(start..find(bytes, start, |b| b == b'"')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, range: Option<Range<usize>>) -> &str {
        text.get(range.unwrap()).unwrap()
    }

    #[test]
    fn whole_pieces_are_found() {
        let json = r#"{"a":[1,{"b":"x\"]"}],"c":-1.5e3,"d":"e"}"#;
        let member = |from| text(json, json_member(json.as_bytes(), from));
        assert_eq!(member(1), r#""a":[1,{"b":"x\"]"}]"#);
        assert_eq!(member(14), r#""c":-1.5e3"#);
        assert_eq!(text(json, json_value(json.as_bytes(), 0)), json);
        assert_eq!(text(json, json_value(json.as_bytes(), 26)), "-1.5e3");
        let xml = "<a><b c=\"1\"/><d>12</d></a>";
        assert_eq!(text(xml, xml_element(xml.as_bytes(), 0)), xml);
        assert_eq!(text(xml, xml_element(xml.as_bytes(), 1)), "<b c=\"1\"/>");
        assert_eq!(text(xml, number(xml.as_bytes(), 11)), "12");
        assert_eq!(text(xml, quoted(xml.as_bytes(), 0)), "1");
    }

    #[test]
    fn broken_texts_have_no_pieces() {
        for broken in ["", "\"", "{\"a\":", "<a><b>", "<", "]", "\"a\\"] {
            for from in 0..=broken.len() + 1 {
                let bytes = broken.as_bytes();
                for found in [
                    json_value(bytes, from),
                    json_member(bytes, from),
                    xml_element(bytes, from),
                ] {
                    assert!(found.is_none_or(|range| range.end <= bytes.len() + 1));
                }
            }
        }
    }
}
