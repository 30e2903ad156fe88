//! Spellings in which a page, an address or a quoted message hides a character: `&#235;`, `&eacute;`, `%C3%AB`, `\u00eb`.
//! They are undone to be looked through.

/// Longest name or number of a character reference, characters: `thetasym` and the like are longer than any of these.
const MAX_REFERENCE: usize = 8;

/// The names of HTML for the letters from `À` to `ÿ`.
const LATIN: [&str; 64] = [
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];
/// Other names that stand in names and addresses.
const OTHERS: [(&str, char); 14] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("lsquo", '\u{2018}'),
    ("rsquo", '\u{2019}'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("Yuml", 'Ÿ'),
    ("commat", '@'),
];

/// The text with one layer of such spellings undone, fit to be shown as any foreign text.
pub(super) fn once(line: &[char]) -> Vec<char> {
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    while let Some(c) = line.get(at) {
        let rest = &line[at..];
        let (taken, plain) = match c {
            '&' => reference(rest),
            '%' => escapes(rest),
            '\\' => json(rest),
            // A space, in the query of an address.
            '+' => (1, vec![' ']),
            _ => (0, Vec::new()),
        };
        match taken {
            0 => {
                out.push(*c);
                at += 1;
            }
            _ => {
                out.extend(plain.into_iter().map(booking::foreign::visible));
                at += taken;
            }
        }
    }
    out
}

/// The bytes as text: UTF-8, else Latin-1 with the apostrophes of Windows.
pub(super) fn text_of(bytes: &[u8]) -> Vec<char> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().collect(),
        Err(_) => bytes.iter().map(|b| latin(*b)).collect(),
    }
}

/// The character of a byte in Latin-1, with the apostrophes of Windows.
pub(super) fn latin(byte: u8) -> char {
    match byte {
        0x91 | 0x92 => '\'',
        byte => char::from(byte),
    }
}

/// `&name;`, `&#235;` or `&#xEB;`; the semicolon may be missing after a number.
fn reference(rest: &[char]) -> (usize, Vec<char>) {
    let (head, radix) = match rest {
        ['&', '#', 'x' | 'X', ..] => (3, Some(16)),
        ['&', '#', ..] => (2, Some(10)),
        _ => (1, None),
    };
    let belongs = |c: &char| match radix {
        Some(radix) => c.is_digit(radix),
        None => c.is_ascii_alphanumeric(),
    };
    let letters = rest.iter().skip(head).take(MAX_REFERENCE);
    let body: String = letters.copied().take_while(belongs).collect();
    let end = head + body.len();
    let closed = rest.get(end) == Some(&';');
    let found = match radix {
        Some(radix) => u32::from_str_radix(&body, radix)
            .ok()
            .and_then(char::from_u32),
        None if closed => named(&body),
        None => None,
    };
    match found {
        Some(c) => (end + usize::from(closed), vec![c]),
        None => (0, Vec::new()),
    }
}

fn named(name: &str) -> Option<char> {
    let place = LATIN.iter().position(|n| *n == name);
    let latin = place.and_then(|at| u32::try_from(0xC0 + at).ok());
    let other = || OTHERS.iter().find(|(n, _)| *n == name);
    latin
        .and_then(char::from_u32)
        .or_else(|| other().map(|(_, c)| *c))
}

/// All the `%C3%AB` that stand here.
fn escapes(rest: &[char]) -> (usize, Vec<char>) {
    let byte = |escape: &[char]| match escape {
        ['%', a, b] => u8::try_from(a.to_digit(16)? * 16 + b.to_digit(16)?).ok(),
        _ => None,
    };
    let bytes: Vec<u8> = rest.chunks(3).map_while(byte).collect();
    (bytes.len() * 3, text_of(&bytes))
}

/// `\u00eb`, and the half pairs of what lies beyond.
fn json(rest: &[char]) -> (usize, Vec<char>) {
    let unit = |escape: &[char]| match escape {
        ['\\', 'u', digits @ ..] if digits.len() == 4 => {
            let text: String = digits.iter().collect();
            u16::from_str_radix(&text, 16).ok()
        }
        _ => None,
    };
    let units: Vec<u16> = rest.chunks(6).map_while(unit).collect();
    let text = char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or('?'));
    (units.len() * 6, text.collect())
}
