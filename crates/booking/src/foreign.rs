//! Makes text from outside safe for terminals, logs and pages (D-70).
//!
//! Control characters steer a terminal and forge lines. Direction marks and zero-width characters make a text read as
//! another. None of them is shown. Data for programs (an export, a stored message) is not text and stays unchanged.
//!
//! [`Foreign`] holds a text of another system for display. Formatting gives the clean text. The original has to be asked
//! for by name, to compare it or send it on.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::{self, Debug, Display, Write};

/// Text from outside. `Display` and `Debug` show it on one line, with nothing hidden. Its JSON is the original
/// ([`json_text`] makes JSON fit for a terminal).
///
/// It is no `str`, so nothing prints the original by mistake:
///
/// ```
/// let text = booking::foreign::Foreign::from("ready\r\nstate filed");
/// assert_eq!(format!("{text}"), "ready  state filed");
/// assert_eq!(format!("{text:?}"), "\"ready  state filed\"");
/// assert_eq!(text.as_received(), "ready\r\nstate filed");
/// ```
///
/// ```compile_fail,E0616
/// let text = booking::foreign::Foreign::from("ready\r\nstate filed");
/// println!("{}", text.0);
/// ```
///
/// ```compile_fail,E0308
/// fn print(_: &str) {}
/// print(&booking::foreign::Foreign::from("ready\r\nstate filed"));
/// ```
///
/// ```compile_fail,E0599
/// booking::foreign::Foreign::from("ready\r\nstate filed").as_str();
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Foreign(String);

impl Foreign {
    /// The original text, for comparing or sending on, never for showing.
    pub fn as_received(&self) -> &str {
        &self.0
    }

    /// True when it has nothing to read.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Foreign {
        Foreign(text.to_owned())
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Foreign {
        Foreign(text)
    }
}

impl PartialEq<str> for Foreign {
    fn eq(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl PartialEq<&str> for Foreign {
    fn eq(&self, text: &&str) -> bool {
        self.0 == *text
    }
}

impl Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Column widths apply.
        if f.width().is_some() || f.precision().is_some() {
            return f.pad(&visible_text(&self.0));
        }
        self.0.chars().try_for_each(|c| f.write_char(visible(c)))
    }
}

impl Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&visible_text(&self.0), f)
    }
}

/// A text from outside on one line, with nothing hidden.
pub fn visible_text(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The character to show for one from outside: a space for control characters, U+FFFD for invisible ones that change how
/// their neighbours read.
pub fn visible(c: char) -> char {
    match c {
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
        c if is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Several lines with text from outside: line feeds and tabs stay, the rest is as in [`visible`].
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t') || visible(c) == c;
    match text.chars().all(stays) {
        true => Cow::Borrowed(text),
        false => text
            .chars()
            .map(|c| if stays(c) { c } else { visible(c) })
            .collect(),
    }
}

/// An equal JSON text that is fit for a terminal: characters that are not shown become escapes. They only occur in strings.
pub fn json_text(json: &str) -> Cow<'_, str> {
    let stays = |c: char| c == '\n' || visible(c) == c;
    if json.chars().all(stays) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if stays(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// Unicode's format characters (direction, joining, zero width, tags) and noncharacters.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}'
            | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: D-70, NFR-01
    #[test]
    fn nothing_steers_a_terminal_or_forges_a_line() {
        let hostile = "a\u{1b}]0;x\u{7}\r\nstate filed\u{85}\u{9b}2J\u{2028}b\u{7f}";
        let shown = Foreign::from(hostile).to_string();
        assert_eq!(shown, "a ]0;x   state filed  2J b ");
        assert_eq!(
            Foreign::from("\u{202e}c\u{200b}\u{feff}").to_string(),
            "\u{fffd}c\u{fffd}\u{fffd}"
        );
        assert_eq!(
            format!("{:<4}|{:.2}", Foreign::from("a\n"), Foreign::from("xyz")),
            "a   |xy"
        );
        assert_eq!(visible_lines("a\tb\n\u{1b}c"), "a\tb\n c");
        let plain = "Zoë's clinic – 10:15 …";
        assert!(matches!(visible_lines(plain), Cow::Borrowed(same) if same == plain));
        assert_eq!(Foreign::from(plain).to_string(), plain);
    }

    /// Proves: D-70
    #[test]
    fn json_for_a_terminal_says_the_same() {
        let hostile = "a\u{1b}\t\u{9b}\u{202e}\u{e0041}\u{7f}\u{2028}é";
        let value = serde_json::json!({ "text": Foreign::from(hostile), "next": [1] });
        let plain = format!("{value:#}");
        let shown = json_text(&plain);
        assert!(
            shown.chars().all(|c| c == '\n' || visible(c) == c),
            "{shown:?}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
        let read: Foreign = serde_json::from_value(value["text"].clone()).unwrap();
        assert_eq!(read, hostile);
        assert!(matches!(json_text("{\n  \"é\": 1\n}"), Cow::Borrowed(_)));
    }
}
