//! Element tree to JSON text.

use crate::schema::{Kind, Schema, TypeDef};
use crate::tree::{Element, Value};

/// Writes a resource as compact JSON.
pub fn write(root: &Element) -> Vec<u8> {
    let mut out = Vec::with_capacity(4_096);
    write_into(root, &mut out);
    out
}

/// Writes a resource as compact JSON at the end of `out`.
pub fn write_into(root: &Element, out: &mut Vec<u8>) {
    let mut writer = Writer {
        out,
        schema: Schema::stu3(),
        indent: None,
    };
    writer.object(root, None);
}

/// Writes a resource as JSON with line breaks and two spaces of indent, for people.
pub fn write_pretty(root: &Element) -> Vec<u8> {
    let mut out = Vec::with_capacity(8_192);
    let mut writer = Writer {
        out: &mut out,
        schema: Schema::stu3(),
        indent: Some(0),
    };
    writer.object(root, None);
    out
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    schema: &'static Schema,
    indent: Option<usize>,
}

impl Writer<'_> {
    /// An object: `resourceType`, then each name once, where it first stands.
    fn object(&mut self, element: &Element, of: Option<&TypeDef>) {
        let of = match element.resource_type() {
            Some(name) => self.schema.resource(name),
            None => of,
        };
        self.open(b'{');
        let mut first = true;
        if let Some(name) = element.resource_type() {
            self.key("resourceType", &mut first);
            self.string(name);
        }
        let children = element.children();
        for (i, child) in children.iter().enumerate() {
            if children[..i]
                .iter()
                .any(|before| before.name() == child.name())
            {
                continue;
            }
            let single = !children[i + 1..]
                .iter()
                .any(|after| after.name() == child.name());
            self.member(&children[i..], child, single, of, &mut first);
        }
        self.close(b'}', first);
    }

    /// All elements of one name: the values, and a `_name` companion for what primitives carry besides.
    fn member(
        &mut self,
        rest: &[Element],
        head: &Element,
        single: bool,
        of: Option<&TypeDef>,
        first: &mut bool,
    ) {
        let name = head.name();
        let def = of.and_then(|t| t.element(name));
        let child_type = def.and_then(|d| self.schema.type_of(d));
        let listed = def.map_or(!single || head.is_listed(), |d| d.is_list()) || !single;
        let primitive = match child_type {
            Some(t) => t.kind == Kind::Primitive,
            None => def.is_none() && rest.iter().any(|e| e.name() == name && e.value().is_some()),
        };
        let same = || rest.iter().filter(|e| e.name() == name);
        if !primitive {
            self.key(name, first);
            self.values(listed, same(), |w, e| w.object(e, child_type));
            return;
        }
        if same().any(|e| e.value().is_some()) {
            self.key(name, first);
            self.values(listed, same(), |w, e| w.value(e.value()));
        }
        if same().any(|e| !e.children().is_empty()) {
            self.key(&format!("_{name}"), first);
            let element = self.schema.type_def("Extension");
            self.values(listed, same(), |w, e| match e.children().is_empty() {
                true => w.out.extend_from_slice(b"null"),
                // `id` and `extension` of a primitive are those of any element; Extension has both.
                false => w.object(e, element),
            });
        }
    }

    fn values<'e>(
        &mut self,
        listed: bool,
        elements: impl Iterator<Item = &'e Element>,
        mut one: impl FnMut(&mut Self, &'e Element),
    ) {
        if listed {
            self.open(b'[');
        }
        let mut first = true;
        for element in elements {
            if listed {
                self.separate(&mut first);
            }
            one(self, element);
        }
        if listed {
            self.close(b']', first);
        }
    }

    /// A primitive as it was read.
    fn value(&mut self, value: Option<&Value>) {
        match value {
            None => self.out.extend_from_slice(b"null"),
            Some(Value::Number(digits)) => self.out.extend_from_slice(digits.as_bytes()),
            Some(Value::Boolean(b)) => {
                self.out
                    .extend_from_slice(if *b { b"true" } else { b"false" })
            }
            Some(Value::String(s) | Value::Xhtml(s)) => self.string(s),
        }
    }

    fn key(&mut self, name: &str, first: &mut bool) {
        self.separate(first);
        self.string(name);
        self.out.push(b':');
        if self.indent.is_some() {
            self.out.push(b' ');
        }
    }

    fn separate(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push(b',');
        }
        self.line();
    }

    fn open(&mut self, mark: u8) {
        self.out.push(mark);
        if let Some(indent) = &mut self.indent {
            *indent += 1;
        }
    }

    fn close(&mut self, mark: u8, empty: bool) {
        if let Some(indent) = &mut self.indent {
            *indent -= 1;
        }
        if !empty {
            self.line();
        }
        self.out.push(mark);
    }

    fn line(&mut self) {
        if let Some(indent) = self.indent {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', indent * 2));
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let bytes = text.as_bytes();
        let mut plain = 0;
        for (i, b) in bytes.iter().enumerate() {
            let escape: &[u8] = match b {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0x08 => b"\\b",
                0x0c => b"\\f",
                0..0x20 => b"",
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[plain..i]);
            match escape.is_empty() {
                true => self.out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
                false => self.out.extend_from_slice(escape),
            }
            plain = i + 1;
        }
        self.out.extend_from_slice(&bytes[plain..]);
        self.out.push(b'"');
    }
}
