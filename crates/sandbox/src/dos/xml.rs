//! Writes XML, with or without the service's prefix, and escapes all text.

use std::fmt::Display;

/// The prefix of the service's namespace in answers.
const PREFIX: &str = "ns1:";

/// Writes the elements of one answer.
pub struct Writer {
    out: String,
    prefix: &'static str,
}

impl Writer {
    /// With `qualified`, elements are in the service's namespace.
    pub fn new(qualified: bool) -> Writer {
        Writer {
            out: String::with_capacity(8 << 10),
            prefix: if qualified { PREFIX } else { "" },
        }
    }

    /// Writes an element around the output of `inner`.
    pub fn element(&mut self, name: &str, inner: impl FnOnce(&mut Writer)) {
        self.out.push('<');
        self.out.push_str(self.prefix);
        self.out.push_str(name);
        self.out.push('>');
        inner(self);
        self.close(name);
    }

    /// Writes an element with text.
    pub fn text(&mut self, name: &str, text: impl Display) {
        let text = text.to_string();
        self.element(name, |w| w.out.push_str(&escaped(&text)));
    }

    /// Writes an element with text, if there is any.
    pub fn optional(&mut self, name: &str, text: Option<impl Display>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(self.prefix);
        self.out.push_str(name);
        self.out.push('>');
    }

    /// The SOAP envelope with everything written, in the operation's answer element, which is always in the namespace.
    pub fn envelope(self, answer: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <env:Envelope xmlns:env=\"{}\" xmlns:ns1=\"{}\"><env:Body>\
             <{PREFIX}{answer}>{}</{PREFIX}{answer}></env:Body></env:Envelope>\n",
            super::SOAP_12,
            super::NAMESPACE,
            self.out
        )
    }
}

/// Escapes text for an element or attribute. Drops characters that XML cannot hold.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
