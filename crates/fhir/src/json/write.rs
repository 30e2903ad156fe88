//! Writes an element tree as JSON text.

use super::lexer::end_of_plain;
use crate::codec::FEW;
use crate::schema::{ElementDef, Kind, Schema, TypeDef};
use crate::tree::{Element, Value};
use std::collections::HashMap;

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

/// Writes a resource as JSON for people, with line breaks and an indent of two spaces.
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
    /// An object: `resourceType`, then each name once, at its first occurrence.
    fn object(&mut self, element: &Element, of: Option<&TypeDef>) {
        let of = match element.resource_type() {
            Some(name) => self.schema.resource(name),
            None => of,
        };
        self.open(b'{');
        let mut first = true;
        if let Some(name) = element.resource_type() {
            self.key("", "resourceType", &mut first);
            self.string(name);
        }
        let children = element.children();
        match children.len() > FEW {
            true => self.many_members(children, of, &mut first),
            false => self.few_members(children, of, &mut first),
        }
        self.close(b'}', first);
    }

    /// Elements of one name are nearly always adjacent: one look at the following ones tells.
    fn few_members(&mut self, children: &[Element], of: Option<&TypeDef>, first: &mut bool) {
        let mut scattered = false;
        let (mut before, mut rest): (&[Element], _) = (&[], children);
        while let Some(head) = rest.first() {
            let same = |e: &&Element| e.name() == head.name();
            let run = rest.iter().take_while(same).count();
            let (group, after) = rest.split_at(run);
            let written = scattered && before.iter().any(|e| e.name() == head.name());
            if !written && after.iter().any(|e| e.name() == head.name()) {
                scattered = true;
                self.member(head, rest.iter().filter(same), of, first);
            } else if !written {
                self.member(head, group.iter(), of, first);
            }
            before = children.get(..before.len() + run).unwrap_or(children);
            rest = after;
        }
    }

    /// Groups by hash, so that time stays linear in the number of children.
    fn many_members(&mut self, children: &[Element], of: Option<&TypeDef>, first: &mut bool) {
        let mut groups: Vec<Vec<&Element>> = Vec::new();
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for child in children {
            let at = *by_name.entry(child.name()).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.push(child),
                None => groups.push(vec![child]),
            }
        }
        for group in &groups {
            if let Some(head) = group.first() {
                self.member(head, group.iter().copied(), of, first);
            }
        }
    }

    /// All elements of one name: the values, and a `_name` companion for the rest of primitives.
    fn member<'e>(
        &mut self,
        head: &Element,
        same: impl Iterator<Item = &'e Element> + Clone,
        of: Option<&TypeDef>,
        first: &mut bool,
    ) {
        let name = head.name();
        let def = of.and_then(|t| t.def_of(head));
        let child_type = def.and_then(|d| self.schema.type_of(d));
        let several = || same.clone().nth(1).is_some();
        let listed = def.map_or_else(|| head.is_listed(), ElementDef::is_list) || several();
        let primitive = child_type.is_some_and(|t| t.kind == Kind::Primitive);
        let has_value = |e: &Element| e.value().is_some();
        if !primitive {
            self.key("", name, first);
            self.values(listed, same.clone(), |w, e| {
                match (e.value(), e.children().is_empty()) {
                    // Without a definition, the content decides.
                    (Some(value), _) => w.value(Some(value)),
                    (None, true) if def.is_none() && e.resource_type().is_none() => w.value(None),
                    _ => w.object(e, child_type),
                }
            });
            if def.is_some()
                || !same
                    .clone()
                    .any(|e| has_value(e) && !e.children().is_empty())
            {
                return;
            }
        } else if same.clone().any(has_value) {
            self.key("", name, first);
            self.values(listed, same.clone(), |w, e| w.value(e.value()));
        }
        if same.clone().any(|e| !e.children().is_empty()) {
            self.key("_", name, first);
            // A primitive has `id` and `extension` like any element; the type Extension lists both.
            let element = self.schema.type_def("Extension");
            self.values(listed, same, |w, e| match e.children().is_empty() {
                true => w.value(None),
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

    fn key(&mut self, prefix: &str, name: &str, first: &mut bool) {
        self.separate(first);
        self.out.push(b'"');
        self.out.extend_from_slice(prefix.as_bytes());
        self.escaped(name);
        self.out.extend_from_slice(b"\":");
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
        self.escaped(text);
        self.out.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut plain = 0;
        loop {
            let at = end_of_plain(bytes, plain);
            self.out
                .extend_from_slice(bytes.get(plain..at).unwrap_or(&[]));
            let Some(b) = bytes.get(at) else { return };
            match b {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                0x08 => self.out.extend_from_slice(b"\\b"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                control => self
                    .out
                    .extend_from_slice(format!("\\u{control:04x}").as_bytes()),
            }
            plain = at + 1;
        }
    }
}
