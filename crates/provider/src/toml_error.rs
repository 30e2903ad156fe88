//! Reads TOML with errors that name the file, the line, the key and the nearest valid key.

pub use booking::nearest::nearest;
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
