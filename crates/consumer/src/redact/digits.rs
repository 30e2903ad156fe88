//! Numbers in foreign text: NHS numbers of anybody, NHS and telephone numbers of the patients at hand, however their
//! digits are grouped.

use booking::ids::NhsNumber;
use std::collections::VecDeque;
use std::ops::Range;

/// Most numbers of patients that are remembered; the oldest go first.
const MAX_NUMBERS: usize = 1_000;
/// Longest number that is looked for, digits: a telephone number with `0044`.
const MAX_DIGITS: usize = 15;
/// Digits of an NHS number.
const NHS_DIGITS: usize = 10;
/// Most characters between two groups of one number, such as `) `.
const MAX_GAP: usize = 3;
/// Fewest digits of a telephone number that is remembered.
const MIN_TELEPHONE: usize = 6;

const NHS_NUMBER: &str = "(NHS number)";
const TELEPHONE: &str = "(telephone)";

/// What is known of the patients at hand: digits alone, and what stands in their place.
#[derive(Default)]
pub(super) struct Numbers(VecDeque<(String, &'static str)>);

/// Digits without anything between them.
struct Group {
    at: Range<usize>,
    /// Follows the group before closely enough to belong to it.
    joined: bool,
}

impl Numbers {
    /// Remembers a patient's number.
    pub(super) fn patient(&mut self, number: &str) {
        let digits = digits(number);
        if digits.len() == NHS_DIGITS {
            self.add(digits, NHS_NUMBER);
        }
    }

    /// Remembers a telephone number in its national and international forms.
    pub(super) fn telephone(&mut self, value: &str) {
        let all = digits(&value.replace("(0)", ""));
        let bare = all
            .strip_prefix("0044")
            .or_else(|| all.strip_prefix("44"))
            .or_else(|| all.strip_prefix('0'))
            .unwrap_or(&all)
            .to_owned();
        if bare.len() < MIN_TELEPHONE {
            return;
        }
        for front in ["0", "44", "440", "0044", "00440"] {
            self.add(format!("{front}{bare}"), TELEPHONE);
        }
    }

    fn add(&mut self, digits: String, mask: &'static str) {
        if digits.len() > MAX_DIGITS || self.0.iter().any(|(known, _)| *known == digits) {
            return;
        }
        if self.0.len() >= MAX_NUMBERS {
            self.0.pop_front();
        }
        self.0.push_back((digits, mask));
    }

    /// The text with every such number replaced.
    pub(super) fn replaced(&self, line: &[char]) -> Vec<char> {
        let groups = groups(line);
        let mut out = Vec::with_capacity(line.len());
        let (mut copied, mut first) = (0, 0);
        while first < groups.len() {
            let Some((last, mask)) = self.number_at(line, &groups, first) else {
                first += 1;
                continue;
            };
            let mut begin = groups[first].at.start;
            // The plus belongs to the number.
            if begin > copied && line[begin - 1] == '+' {
                begin -= 1;
            }
            out.extend_from_slice(&line[copied..begin]);
            out.extend(mask.chars());
            copied = groups[last].at.end;
            first = last + 1;
        }
        out.extend_from_slice(&line[copied..]);
        out
    }

    /// The last group of the number that begins with a group, and what stands in its place.
    fn number_at(
        &self,
        line: &[char],
        groups: &[Group],
        first: usize,
    ) -> Option<(usize, &'static str)> {
        let mut digits = String::with_capacity(MAX_DIGITS);
        let mut found = None;
        for (last, group) in groups.iter().enumerate().skip(first) {
            if last > first && !group.joined {
                break;
            }
            if digits.len() + group.at.len() > MAX_DIGITS {
                break;
            }
            digits.extend(&line[group.at.clone()]);
            let known = self.0.iter().find(|(known, _)| *known == digits);
            found = match known {
                Some((_, mask)) => Some((last, *mask)),
                None if is_nhs_number(line, groups, first, last, &digits) => {
                    Some((last, NHS_NUMBER))
                }
                None => found,
            };
        }
        found
    }
}

/// Whether the groups are an NHS number: in one piece, or in pieces that are no date and no part of another id.
fn is_nhs_number(line: &[char], groups: &[Group], first: usize, last: usize, digits: &str) -> bool {
    if digits.len() != NHS_DIGITS || NhsNumber::parse(digits).is_err() {
        return false;
    }
    let lengths: Vec<usize> = groups[first..=last].iter().map(|g| g.at.len()).collect();
    if matches!(lengths.as_slice(), [_] | [3, 3, 4]) {
        return true;
    }
    let is_word = |at: Option<usize>| {
        at.and_then(|at| line.get(at))
            .is_some_and(|c| c.is_alphanumeric())
    };
    let alone = !is_word(groups[first].at.start.checked_sub(1))
        && !is_word(Some(groups[last].at.end))
        && !groups[first].joined
        && groups.get(last + 1).is_none_or(|next| !next.joined);
    alone && !matches!(lengths.as_slice(), [4, 2, ..])
}

/// All groups of digits. The two digits of an escape such as `%20` are none.
fn groups(line: &[char]) -> Vec<Group> {
    let mut found: Vec<Group> = Vec::new();
    let (mut at, mut gap, mut separate) = (0, 0, true);
    while let Some(c) = line.get(at) {
        if let Some(['%', a, b]) = line.get(at..at + 3)
            && a.is_ascii_hexdigit()
            && b.is_ascii_hexdigit()
        {
            gap += 1;
            // Only an escaped space or dash may stand within a number.
            separate |= !matches!(
                (a, b.to_ascii_uppercase()),
                ('2', '0' | 'D' | 'E' | '8' | '9')
            );
            at += 3;
        } else if c.is_ascii_digit() {
            let mut end = at;
            while line.get(end).is_some_and(char::is_ascii_digit) {
                end += 1;
            }
            found.push(Group {
                at: at..end,
                joined: !separate && gap <= MAX_GAP,
            });
            (at, gap, separate) = (end, 0, false);
        } else {
            gap += 1;
            separate |= !is_separator(*c);
            at += 1;
        }
    }
    found
}

/// What people put between the digits of one number.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '_' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{00b7}'
        )
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
