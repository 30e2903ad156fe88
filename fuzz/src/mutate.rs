//! Changes to an input: bytes, words of the dictionary, whole JSON members and XML elements, and now and then
//! size or depth far beyond what is usual.

use std::ops::Range;

use crate::random::Random;
use crate::span;

/// Largest input made. The promise on time holds for inputs under 1 MiB, which is also the codecs' bound.
pub const MAX_INPUT: usize = 1024 * 1024 - 1;
/// Most changes to one input: more of them leave nothing that can be read.
const MAX_CHANGES: usize = 5;
/// One input in so many is blown up; they take long, and most faults need no size.
const ONE_LARGE_IN: usize = 400;
/// Deepest nesting that is put into an input at a stroke, some way beyond the codecs' bound and any stack's taste.
const MAX_DEPTH: usize = 20_000;
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "255",
    "256",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "0.000000000000000000000000000001",
    "1e9999",
    "-0",
    "9999",
    "24",
    "60",
];

/// Changes `input`, sometimes with pieces of `other`.
pub fn mutate(random: &mut Random, input: &[u8], other: &[u8], words: &[Vec<String>]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(MAX_CHANGES) {
        change(random, &mut bytes, other, words);
        bytes.truncate(MAX_INPUT);
    }
    if random.once_in(ONE_LARGE_IN) {
        blow_up(random, &mut bytes);
        bytes.truncate(MAX_INPUT);
    }
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], words: &[Vec<String>]) {
    let at = random.below(bytes.len() + 1);
    match random.below(18) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.below(256) as u8;
            }
        }
        2 => replace(bytes, stretch(random, bytes.len()), &[]),
        3 => {
            let copied = bytes
                .get(stretch(random, bytes.len()))
                .unwrap_or(&[])
                .to_vec();
            insert(bytes, at, &copied);
        }
        4 | 5 => insert(bytes, at, word(random, words).as_bytes()),
        6 | 7 => {
            if let Some(place) = span::quoted(bytes, at) {
                replace(bytes, place, word(random, words).as_bytes());
            }
        }
        8 => {
            if let Some(place) = span::quoted(bytes, at) {
                let inside = place.start + random.below(place.len() + 1);
                insert(bytes, inside, word(random, words).as_bytes());
            }
        }
        9 => {
            if let Some(place) = span::number(bytes, at) {
                let number = random.pick(NUMBERS).copied().unwrap_or("0");
                replace(bytes, place, number.as_bytes());
            }
        }
        10 => {
            let from_other = other.get(stretch(random, other.len())).unwrap_or(&[]);
            insert(bytes, at, from_other);
        }
        11 => {
            // The head of one and the tail of the other.
            bytes.truncate(at);
            let from = random.below(other.len() + 1);
            bytes.extend_from_slice(other.get(from..).unwrap_or(&[]));
        }
        _ => change_piece(random, bytes, at, other),
    }
}

/// Changes a whole JSON value, JSON member or XML element.
fn change_piece(random: &mut Random, bytes: &mut Vec<u8>, at: usize, other: &[u8]) {
    let find = match random.below(3) {
        0 => span::json_member,
        1 => span::json_value,
        _ => span::xml_element,
    };
    let Some(place) = find(bytes, at) else { return };
    let piece = bytes.get(place.clone()).unwrap_or(&[]).to_vec();
    let comma: &[u8] = if piece.starts_with(b"<") { b"" } else { b"," };
    match random.below(6) {
        0 => {
            let copy = [comma, &piece].concat();
            insert(bytes, place.end, &copy);
        }
        1 => {
            let end = place.end + usize::from(bytes.get(place.end) == Some(&b','));
            replace(bytes, place.start..end, &[]);
        }
        2 => {
            let foreign = find(other, random.below(other.len() + 1));
            let foreign = foreign.and_then(|f| other.get(f)).unwrap_or(b"null");
            replace(bytes, place, foreign);
        }
        3 => {
            let elsewhere = random.below(bytes.len() + 1);
            if let Some(target) = find(bytes, elsewhere) {
                let copy = [comma, &piece].concat();
                insert(bytes, target.end, &copy);
            }
        }
        4 => {
            // The same name with half of the pair: a primitive's companion, or the other way round.
            let swapped = match piece.strip_prefix(b"\"_") {
                Some(rest) => [b"\"".as_slice(), rest].concat(),
                None => [
                    b"\"_".as_slice(),
                    piece.strip_prefix(b"\"").unwrap_or(&piece),
                ]
                .concat(),
            };
            replace(bytes, place, &swapped);
        }
        _ => {
            let wraps: [(&[u8], &[u8]); 4] = [
                (b"[", b"]"),
                (b"{\"a\":", b"}"),
                (b"<a>", b"</a>"),
                (b"\"", b"\""),
            ];
            if let Some((before, after)) = random.pick(&wraps) {
                let wrapped = [before, piece.as_slice(), after].concat();
                replace(bytes, place, &wrapped);
            }
        }
    }
}

/// Repeats a piece very often, or nests very deeply.
fn blow_up(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let find = match random.below(4) {
        0 => span::json_member,
        1 => span::json_value,
        2 => span::xml_element,
        _ => span::quoted,
    };
    let place = find(bytes, at).unwrap_or_else(|| stretch(random, bytes.len()));
    let piece = bytes.get(place.clone()).unwrap_or(&[]).to_vec();
    if random.once_in(4) {
        let opening: [&[u8]; 5] = [
            b"[",
            b"{\"a\":",
            b"<a>",
            b"{\"extension\":[",
            b"<extension>",
        ];
        let nest = random.pick(&opening).copied().unwrap_or(b"[");
        let times = random.below(MAX_DEPTH);
        insert(bytes, place.start, &nest.repeat(times));
        return;
    }
    let mut repeated = piece;
    if !repeated.starts_with(b"<") && random.once_in(2) {
        repeated.push(b',');
    }
    let room = MAX_INPUT.saturating_sub(bytes.len()) / repeated.len().max(1);
    let times = random.below(room + 1);
    insert(bytes, place.start, &repeated.repeat(times));
}

fn word<'a>(random: &mut Random, words: &'a [Vec<String>]) -> &'a str {
    let list = random.pick(words);
    let word = list.and_then(|list| random.pick(list));
    word.map_or("", String::as_str)
}

/// A short stretch of `length` bytes, now and then a long one.
fn stretch(random: &mut Random, length: usize) -> Range<usize> {
    let start = random.below(length + 1);
    let most = if random.once_in(8) { 4096 } else { 32 };
    let end = (start + random.below(most)).min(length);
    start..end
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    replace(bytes, at..at, piece);
}

fn replace(bytes: &mut Vec<u8>, place: Range<usize>, piece: &[u8]) {
    let start = place.start.min(bytes.len());
    let end = place.end.clamp(start, bytes.len());
    bytes.splice(start..end, piece.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TARGETS;

    #[test]
    fn a_seed_gives_the_same_inputs_and_all_within_bounds() {
        let (mut a, mut b) = (Random::new(3), Random::new(3));
        for target in TARGETS {
            let words = crate::dictionary::lists(target.words);
            for seed in (target.seeds)() {
                for _ in 0..200 {
                    let input = mutate(&mut a, &seed, &seed, &words);
                    assert!(input.len() <= MAX_INPUT);
                    assert!(input == mutate(&mut b, &seed, &seed, &words));
                }
            }
        }
        assert!(mutate(&mut a, &[], &[], &[]).len() <= MAX_INPUT);
    }
}
