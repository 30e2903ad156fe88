//! Base64 in foreign text: a request or the `Authorization` of one that is quoted back. What decodes to something that may
//! not be told is taken out whole.

use super::undone;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Shortest run of letters that is decoded: a user name and password of three letters each.
const MIN_RUN: usize = 8;
/// Letters that stand for whole bytes. A run that was cut in front may begin with any of them.
const QUANTUM: usize = 4;
/// Most bytes of a character that are missing at an end where a run was cut.
const MAX_PARTS: usize = 3;

const ENCODED: &str = "(encoded)";

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// The text without the runs of Base64 of which `tells` says that they may not be told.
pub(super) fn replaced(line: &[char], tells: impl Fn(&[char]) -> bool) -> Vec<char> {
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let letters = line[at..].iter().take_while(|c| is_letter(**c)).count();
        let run = &line[at..at + letters];
        match letters {
            0 => {
                out.push(line[at]);
                at += 1;
                continue;
            }
            MIN_RUN..
                if pieces(run).any(|piece| decoded(piece).iter().any(|plain| tells(plain))) =>
            {
                out.extend(ENCODED.chars());
                at += letters
                    + line[at + letters..]
                        .iter()
                        .take_while(|c| **c == '=')
                        .count();
            }
            _ => {
                out.extend_from_slice(run);
                at += letters;
            }
        }
    }
    out
}

/// The run, and the parts of a path, if it is one.
fn pieces(run: &[char]) -> impl Iterator<Item = &[char]> {
    let parts = run.split(|c| *c == '/').filter(|p| p.len() >= MIN_RUN);
    std::iter::once(run).chain(parts.filter(move |p| p.len() < run.len()))
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

/// What a run decodes to, from each of the places where a quantum may begin; nothing where that is no text.
fn decoded(run: &[char]) -> Vec<Vec<char>> {
    let bytes: Vec<u8> = run
        .iter()
        .map(|c| match c {
            '-' => b'+',
            '_' => b'/',
            c => u8::try_from(*c).unwrap_or(b'A'),
        })
        .collect();
    let from = |begin: usize| {
        let part = bytes.get(begin..)?;
        // One letter alone is not a byte.
        let whole = part.len() - usize::from(part.len() % QUANTUM == 1);
        let plain = STANDARD.decode(part.get(..whole)?).ok()?;
        Some([text_in(&plain), latin_in(&plain)])
    };
    let texts = (0..QUANTUM).filter_map(from).flatten();
    texts.flatten().collect()
}

/// The text of some bytes in Latin-1, where they can be meant as that: without control characters.
fn latin_in(bytes: &[u8]) -> Option<Vec<char>> {
    let text: Vec<char> = bytes.iter().map(|b| undone::latin(*b)).collect();
    let printable = |c: &char| !c.is_control() || c.is_ascii_whitespace();
    text.iter().all(printable).then_some(text)
}

/// The text of some bytes, of which a few at both ends may be parts of characters.
fn text_in(bytes: &[u8]) -> Option<Vec<char>> {
    (0..=MAX_PARTS).find_map(|skip| {
        let rest = bytes.get(skip..)?;
        let text = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(e) if rest.len() - e.valid_up_to() <= MAX_PARTS => {
                std::str::from_utf8(rest.get(..e.valid_up_to())?).ok()?
            }
            Err(_) => return None,
        };
        Some(text.chars().collect())
    })
}
