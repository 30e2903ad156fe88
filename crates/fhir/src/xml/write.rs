//! Writes an element tree as XML text: elements in STU3's order, unknown ones last.

use super::line_ends;
use super::{FHIR_NAMESPACE, XHTML_NAMESPACE};
use crate::primitive::Narrative;
use crate::schema::{Kind, Schema, TypeDef};
use crate::tree::{Element, Value};
use crate::xml_text::is_allowed;
use crate::xml_text::is_name;

/// Writes a resource as XML with its declaration.
pub fn write(root: &Element) -> Vec<u8> {
    let mut out = Vec::with_capacity(8_192);
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let mut writer = Writer {
        out: &mut out,
        schema: Schema::stu3(),
    };
    writer.resource(root, true);
    out
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    schema: &'static Schema,
}

impl Writer<'_> {
    fn resource(&mut self, element: &Element, root: bool) {
        let name = element
            .resource_type()
            .filter(|t| is_name(t))
            .unwrap_or("Resource");
        self.out.push(b'<');
        self.raw(name);
        if root {
            self.attribute("xmlns", FHIR_NAMESPACE);
        }
        let of = self.schema.resource(name);
        self.body(element, name, of);
    }

    /// An element other than a resource.
    fn element(&mut self, element: &Element, of: Option<&TypeDef>) {
        let name = element.name();
        if element.resource_type().is_some() {
            self.out.push(b'<');
            self.raw(name);
            self.out.push(b'>');
            self.resource(element, false);
            self.close(name);
            return;
        }
        if let Some(Value::Xhtml(markup)) = element.value() {
            self.narrative(markup);
            return;
        }
        self.out.push(b'<');
        self.raw(name);
        for attribute in element.children().iter().filter(|c| is_attribute(c, of)) {
            self.attribute(attribute.name(), attribute.as_str().unwrap_or(""));
        }
        if let Some(value) = element.value() {
            self.attribute("value", value.as_str());
        }
        self.body(element, name, of);
    }

    /// Writes markup as it is, except white space that a reader would change. Markup that XML cannot hold is refused on
    /// reading; if a tree has it anyway, it becomes text.
    fn narrative(&mut self, markup: &str) {
        let div = Narrative::read(markup).ok();
        if let Some(div) = div.and_then(|narrative| markup.get(narrative.root)) {
            self.raw(&line_ends::to_xml(div));
            return;
        }
        self.raw("<div xmlns=\"");
        self.raw(XHTML_NAMESPACE);
        self.raw("\">");
        self.escaped(markup);
        self.raw("</div>");
    }

    /// The children in order, and the end tag. Skips names that XML cannot write, which only unknown JSON members have.
    fn body(&mut self, element: &Element, name: &str, of: Option<&TypeDef>) {
        let is_resource = element.resource_type().is_some();
        let own = |c: &&Element| is_name(c.name()) && (is_resource || !is_attribute(c, of));
        let mut children: Vec<(&Element, u32, Option<&TypeDef>)> = element
            .children()
            .iter()
            .filter(own)
            .map(|child| {
                // A primitive's extensions are in the type Extension, like those of any element.
                let owner = of
                    .filter(|t| t.kind != Kind::Primitive)
                    .or_else(|| self.schema.type_def("Extension"));
                let def = owner.and_then(|t| t.element(child.name()));
                let order = def.map_or(u32::MAX, |d| d.order);
                (child, order, def.and_then(|d| self.schema.type_of(d)))
            })
            .collect();
        if children.is_empty() {
            self.out.extend_from_slice(b"/>");
            return;
        }
        self.out.push(b'>');
        children.sort_by_key(|(_, order, _)| *order);
        for (child, _, child_type) in children {
            self.element(child, child_type);
        }
        self.close(name);
    }

    fn close(&mut self, name: &str) {
        self.out.extend_from_slice(b"</");
        self.raw(name);
        self.out.push(b'>');
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(b' ');
        self.raw(name);
        self.out.extend_from_slice(b"=\"");
        self.escaped(value);
        self.out.push(b'"');
    }

    fn escaped(&mut self, text: &str) {
        let mut rest = text;
        // 0xEF begins the two characters above the control characters that XML cannot write.
        let special = |b: u8| b < 0x20 || matches!(b, b'&' | b'<' | b'>' | b'"' | 0xEF);
        while let Some(at) = rest.bytes().position(special) {
            let (plain, from) = rest.split_at(at);
            self.raw(plain);
            let Some(c) = from.chars().next() else { return };
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                // Readers normalise attribute values; only references survive.
                '\n' => self.raw("&#10;"),
                '\r' => self.raw("&#13;"),
                '\t' => self.raw("&#9;"),
                c if is_allowed(c) => self.raw(c.encode_utf8(&mut [0; 4])),
                // XML 1.0 cannot write the others.
                _ => self.raw("\u{fffd}"),
            }
            rest = from.get(c.len_utf8()..).unwrap_or("");
        }
        self.raw(rest);
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// `id` of anything but a resource, and `url` of an extension, are attributes in XML.
fn is_attribute(child: &Element, of: Option<&TypeDef>) -> bool {
    let plain = child.children().is_empty() && child.value().is_some();
    match child.name() {
        "id" => plain,
        "url" => plain && of.is_some_and(|t| t.name == "Extension"),
        _ => false,
    }
}
