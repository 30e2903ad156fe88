//! JSON as a tree that knows where its values stand. The usual readers do not say where.

use super::node::{DEEPEST, Node};

/// Reads a whole JSON text; none if it is not JSON, or nested too deep.
pub(super) fn parse(text: &str) -> Option<Node> {
    let mut reader = Reader { text, at: 0 };
    let mut root = Node::default();
    reader.value("", &mut root, DEEPEST)?;
    reader.space();
    (reader.at == text.len()).then_some(root)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn eat(&mut self, c: char) -> Option<()> {
        self.space();
        self.rest().starts_with(c).then(|| self.at += c.len_utf8())
    }

    /// Reads a value under this name into a parent. Arrays put each of their members there.
    fn value(&mut self, name: &str, parent: &mut Node, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        self.space();
        match self.rest().chars().next()? {
            '{' => {
                let mut node = Node::named(name);
                self.object(&mut node, depth)?;
                parent.children.push(node);
            }
            '[' => self.array(name, parent, depth)?,
            '"' => {
                let (text, range) = self.string()?;
                parent.children.push(Node::value(name, text, range));
            }
            _ => {
                let length = self
                    .rest()
                    .find([',', '}', ']', ' ', '\t', '\n', '\r'])
                    .unwrap_or(self.rest().len());
                let text = self.rest().get(..length)?.to_owned();
                serde_json::from_str::<serde_json::Value>(&text).ok()?;
                let range = self.at..self.at + length;
                self.at = range.end;
                parent.children.push(Node::value(name, text, range));
            }
        }
        Some(())
    }

    fn object(&mut self, node: &mut Node, depth: usize) -> Option<()> {
        self.eat('{')?;
        if self.eat('}').is_some() {
            return Some(());
        }
        loop {
            self.space();
            let (name, _) = self.string()?;
            self.eat(':')?;
            // The extensions of a simple value stand under its name with an underscore.
            let name = name.strip_prefix('_').unwrap_or(&name).to_owned();
            self.value(&name, node, depth)?;
            if self.eat(',').is_none() {
                return self.eat('}');
            }
        }
    }

    fn array(&mut self, name: &str, parent: &mut Node, depth: usize) -> Option<()> {
        self.eat('[')?;
        if self.eat(']').is_some() {
            return Some(());
        }
        loop {
            self.value(name, parent, depth)?;
            if self.eat(',').is_none() {
                return self.eat(']');
            }
        }
    }

    fn string(&mut self) -> Option<(String, std::ops::Range<usize>)> {
        let rest = self.rest();
        let mut escaped = false;
        let inner = rest.strip_prefix('"')?;
        let close = inner.char_indices().find(|(_, c)| match (*c, escaped) {
            (_, true) => {
                escaped = false;
                false
            }
            ('\\', _) => {
                escaped = true;
                false
            }
            (c, _) => c == '"',
        });
        let end = close?.0 + 2;
        let text = serde_json::from_str(rest.get(..end)?).ok()?;
        let range = self.at..self.at + end;
        self.at = range.end;
        Some((text, range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_nothing_else_is_read() {
        for good in [
            "{}",
            "[]",
            " {\"a\":[1,{\"b\":\"\\\"x\\\\\"},null,true,-1.5e3]} ",
            "\"x\"",
        ] {
            assert!(parse(good).is_some(), "{good}");
        }
        let deep = "[".repeat(200_000);
        for bad in [
            "",
            "{",
            "{\"a\"}",
            "[1,]",
            "{\"a\":01}",
            "\"\\q\"",
            "{} x",
            "\"\n\"",
            deep.as_str(),
        ] {
            assert!(parse(bad).is_none(), "{:.20}", bad);
        }
    }
}
