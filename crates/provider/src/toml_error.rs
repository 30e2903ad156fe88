//! Reads TOML with errors that name the file, the line, the key and the nearest valid key.

use booking::wrong_value;
use serde::de::DeserializeOwned;

/// Reads `text` as `T`. The error is one sentence for the author of the file.
pub fn read<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let place = match error.span() {
            Some(span) => {
                let before = &text[..span.start.min(text.len())];
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
                format!("{file}, line {line}, column {column}")
            }
            None => file.to_owned(),
        };
        let message = error.message().trim();
        match nearest_in(message) {
            Some(key) => format!("{place}: {message}; did you mean `{key}`?"),
            None => {
                let plain = wrong_value::plain(message);
                format!("{place}: {}", plain.as_deref().unwrap_or(message))
            }
        }
    })
}

/// The expected name nearest to `x` in serde's "unknown field `x`, expected one of `a`, `b`".
fn nearest_in(message: &str) -> Option<&str> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted)
}

/// The candidate with the smallest edit distance, if near enough for a typing error.
pub fn nearest<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|c| (distance(wrong, c), c))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, c)| *d <= 1 + c.len() / 3)
        .map(|(_, c)| c)
}

/// Levenshtein distance, over at most 64 characters of each word (keys are shorter).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
