//! Text that came from outside, fit for a terminal, a log and a page (D-70).
//!
//! Control characters steer a terminal and forge lines; characters of direction and without width make a text read as
//! another one. Neither is shown. Data for programs (an export, a stored message) is not text and goes out as it is.

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// Text from outside. Its `Display` puts it on one line that shows what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign<'a>(pub &'a str);

impl Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Widths of columns are kept.
        if f.width().is_some() || f.precision().is_some() {
            let shown: String = self.0.chars().map(visible).collect();
            return f.pad(&shown);
        }
        self.0.chars().try_for_each(|c| f.write_char(visible(c)))
    }
}

/// The character to show for a character from outside: a space for what breaks or steers a line, U+FFFD for what is not
/// seen and changes how its neighbours read.
pub fn visible(c: char) -> char {
    match c {
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
        c if is_unseen(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// A text of several lines, some of it from outside: line feeds and tabs stay, everything else as in [`visible`].
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

/// Format characters of Unicode (direction, joining, no width, tags) and characters that are none.
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
        let shown = Foreign(hostile).to_string();
        assert_eq!(shown, "a ]0;x   state filed  2J b ");
        assert_eq!(
            Foreign("\u{202e}c\u{200b}\u{feff}").to_string(),
            "\u{fffd}c\u{fffd}\u{fffd}"
        );
        assert_eq!(
            format!("{:<4}|{:.2}", Foreign("a\n"), Foreign("xyz")),
            "a   |xy"
        );
        assert_eq!(visible_lines("a\tb\n\u{1b}c"), "a\tb\n c");
        let plain = "Zoë's clinic – 10:15 …";
        assert!(matches!(visible_lines(plain), Cow::Borrowed(same) if same == plain));
        assert_eq!(Foreign(plain).to_string(), plain);
    }
}
