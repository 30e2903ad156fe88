//! A small XML writer for what is not FHIR (SOAP, CDA, ITK). It escapes all text and closes all elements.
//!
//! Characters that XML 1.0 cannot hold become U+FFFD: their place stays visible, and what is written can be read.

use std::fmt::{Display, Write as _};

/// XML being written.
pub struct XmlWriter {
    out: String,
    prefix: &'static str,
    open: Vec<&'static str>,
}

impl XmlWriter {
    /// Elements whose names get this prefix, such as `w:`, to be put into a document.
    pub fn fragment(prefix: &'static str) -> XmlWriter {
        XmlWriter {
            out: String::with_capacity(2 << 10),
            prefix,
            open: Vec::new(),
        }
    }

    /// Begins with the XML declaration.
    pub fn document() -> XmlWriter {
        let mut xml = XmlWriter::fragment("");
        xml.embed("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        xml
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "<{}{name}", self.prefix);
        for (key, value) in attributes {
            let _ = write!(self.out, " {key}=\"{}\"", escaped(value));
        }
        self.out.push_str(end);
    }

    fn close(&mut self, name: &str) {
        let _ = write!(self.out, "</{}{name}>", self.prefix);
    }

    /// Opens an element.
    pub fn start(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, ">");
        self.open.push(name);
    }

    /// Closes the innermost open element.
    pub fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            self.close(name);
        }
    }

    /// An element with what `inner` writes.
    pub fn element(&mut self, name: &str, inner: impl FnOnce(&mut XmlWriter)) {
        self.tag(name, &[], ">");
        inner(self);
        self.close(name);
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes, "/>");
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.tag(name, attributes, ">");
        self.out.push_str(&escaped(text));
        self.close(name);
    }

    /// An element with a value and no attributes.
    pub fn value(&mut self, name: &str, value: impl Display) {
        self.text(name, &[], &value.to_string());
    }

    /// The same, when there is a value.
    pub fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// Adds markup from this writer.
    pub fn embed(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// Closes all open elements and returns the text.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }
}

/// Text for elements and attributes alike.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
