//! A small writer of HTML and XML. What it writes is well-formed XML in either case, whatever text it is given.

use std::borrow::Cow;

/// Attribute names and values of one element.
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a str)];

/// The text being written.
#[derive(Default)]
pub(crate) struct Markup {
    out: String,
}

impl Markup {
    /// Opens an element.
    pub fn open(&mut self, tag: &str, attributes: Attributes) -> &mut Markup {
        self.start(tag, attributes);
        self.out.push('>');
        self
    }

    /// Closes an element.
    pub fn close(&mut self, tag: &str) -> &mut Markup {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push_str(">\n");
        self
    }

    /// An element with what `content` writes into it.
    pub fn within(
        &mut self,
        tag: &str,
        attributes: Attributes,
        content: impl FnOnce(&mut Markup),
    ) -> &mut Markup {
        self.open(tag, attributes);
        content(self);
        self.close(tag)
    }

    /// A paragraph of text.
    pub fn paragraph(&mut self, text: &str) -> &mut Markup {
        self.element("p", &[], text)
    }

    /// A paragraph that begins with a word in bold and a colon.
    pub fn labelled(&mut self, label: &str, content: impl FnOnce(&mut Markup)) -> &mut Markup {
        self.within("p", &[], |out| {
            out.element("strong", &[], label).text(": ");
            content(out);
        })
    }

    /// A link.
    pub fn link(&mut self, to: &str, words: &str) -> &mut Markup {
        self.element("a", &[("href", to)], words)
    }

    /// A list of texts.
    pub fn list<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) -> &mut Markup {
        self.within("ul", &[], |out| {
            for item in items {
                out.element("li", &[], item.as_ref());
            }
        })
    }

    /// Names and what they stand for.
    pub fn facts<'t>(&mut self, items: impl IntoIterator<Item = (&'t str, String)>) {
        self.within("dl", &[], |out| {
            for (name, value) in items {
                out.within("div", &[], |out| {
                    out.element("dt", &[], name).element("dd", &[], &value);
                });
            }
        });
    }

    /// Something that is shown when its summary is clicked.
    pub fn folded(&mut self, summary: &str, content: impl FnOnce(&mut Markup)) -> &mut Markup {
        self.within("details", &[], |out| {
            out.element("summary", &[], summary);
            content(out);
        })
    }

    /// A section of a page under its heading.
    pub fn section(&mut self, id: &str, heading: &str, content: impl FnOnce(&mut Markup)) {
        self.within("section", &[("aria-labelledby", id)], |out| {
            out.element("h2", &[("id", id)], heading);
            content(out);
        });
    }

    /// An element with text alone.
    pub fn element(&mut self, tag: &str, attributes: Attributes, text: &str) -> &mut Markup {
        self.open(tag, attributes).text(text);
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
        self
    }

    /// An element without content.
    pub fn empty(&mut self, tag: &str, attributes: Attributes) -> &mut Markup {
        self.start(tag, attributes);
        self.out.push_str(" />");
        self
    }

    /// Text, escaped.
    pub fn text(&mut self, text: &str) -> &mut Markup {
        self.out.push_str(&escape(text));
        self
    }

    /// Text, escaped; what stands between backticks is set as code.
    pub fn prose(&mut self, text: &str) -> &mut Markup {
        let mut pieces = text.split('`').peekable();
        let mut code = false;
        while let Some(piece) = pieces.next() {
            // A backtick without its partner is a character like any other.
            match (code, pieces.peek().is_some()) {
                (true, true) => self.element("code", &[], piece),
                (true, false) => self.text("`").text(piece),
                (false, _) => self.text(piece),
            };
            code = !code;
        }
        self
    }

    /// Constant markup of this program. It takes only literals, so that nothing received can come this way.
    pub fn constant(&mut self, markup: &'static str) -> &mut Markup {
        self.out.push_str(markup);
        self
    }

    /// The number of bytes written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.out
    }

    fn start(&mut self, tag: &str, attributes: Attributes) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.out.push_str(&escape(value));
            self.out.push('"');
        }
    }
}

/// Escapes what is markup, and makes visible what a page or an XML file may not hold: control characters, and marks
/// that turn the direction of the text and so could make it read as what it is not.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && !is_hidden(c);
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => {}
            c if is_hidden(c) => out.push_str(&format!("[U+{:04X}]", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_hidden(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    let direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // XML 1.0 has no place for these two.
    control || direction || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_hidden_characters_are_text() {
        let hostile = "<script>alert('1')</script>&\"\u{0}\u{202e}\u{ffff}\r\n";
        assert_eq!(
            escape(hostile),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;[U+0000][U+202E][U+FFFF]\n"
        );
        assert!(matches!(escape("plain é text"), Cow::Borrowed(_)));
    }

    #[test]
    fn backticks_make_code_in_pairs_only() {
        let of = |text: &str| {
            let mut out = Markup::default();
            out.prose(text);
            out.finish()
        };
        assert_eq!(of("say `a < b` here"), "say <code>a &lt; b</code> here");
        assert_eq!(of("one ` alone"), "one ` alone");
        assert_eq!(of("`a` and `"), "<code>a</code> and `");
    }
}
