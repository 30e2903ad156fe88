//! XML text to element tree. No document type, no entities but XML's five, no processing instructions: what could
//! reach outside or grow is refused.

use super::{FHIR_NAMESPACE, XHTML_NAMESPACE};
use crate::codec::{Limits, Parsed, Path, shown};
use crate::issue::{Issue, IssueCode, Pos, Severity, Stage};
use crate::schema::{ElementDef, JsonKind, Kind, Schema, TypeDef};
use crate::tree::{Element, Value};
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use smol_str::SmolStr;

/// Reads one resource. The error is the place where the text stops being safe XML or goes over a limit; everything
/// else that is wrong is in [`Parsed::issues`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Issue> {
    if bytes.len() > limits.max_bytes {
        return Err(fatal(
            IssueCode::TooLong,
            format!(
                "The text has {} bytes; at most {} are read.",
                bytes.len(),
                limits.max_bytes
            ),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let pos = Places::new(&bytes[..e.valid_up_to()]).at(e.valid_up_to());
        fatal(IssueCode::Invalid, "The text is not UTF-8 here.".to_owned()).pos(pos)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut xml = NsReader::from_str(text);
    let config = xml.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut reader = Reader {
        xml,
        text,
        places: Places::new(text.as_bytes()),
        schema: Schema::stu3(),
        limits,
        path: Path::default(),
        elements: 0,
        issues: Vec::new(),
    };
    let root = reader.document()?;
    Ok(Parsed {
        root,
        issues: reader.issues,
    })
}

fn fatal(code: IssueCode, message: String) -> Issue {
    Issue::error(Stage::Syntax, code, message).severity(Severity::Fatal)
}

/// Line and column of byte offsets that only grow.
struct Places<'a> {
    bytes: &'a [u8],
    offset: usize,
    pos: Pos,
}

impl<'a> Places<'a> {
    fn new(bytes: &'a [u8]) -> Places<'a> {
        Places {
            bytes,
            offset: 0,
            pos: Pos { line: 1, column: 1 },
        }
    }

    fn at(&mut self, offset: usize) -> Pos {
        let offset = offset.min(self.bytes.len());
        for b in self.bytes.get(self.offset..offset).unwrap_or(&[]) {
            match b {
                b'\n' => {
                    self.pos.line += 1;
                    self.pos.column = 1;
                }
                b if b & 0xC0 == 0x80 => {}
                _ => self.pos.column += 1,
            }
        }
        self.offset = self.offset.max(offset);
        self.pos
    }
}

struct Reader<'a> {
    xml: NsReader<&'a [u8]>,
    text: &'a str,
    places: Places<'a>,
    schema: &'static Schema,
    limits: &'a Limits,
    path: Path,
    elements: usize,
    issues: Vec<Issue>,
}

/// The start of an element.
struct Start {
    name: SmolStr,
    attributes: Vec<(SmolStr, SmolStr)>,
    namespace: Namespace,
    offset: usize,
    pos: Pos,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespace {
    Fhir,
    Xhtml,
    Other,
}

/// What stands next.
enum Next {
    Start(Start),
    End,
    Document,
}

impl<'a> Reader<'a> {
    fn offset(&self) -> usize {
        usize::try_from(self.xml.buffer_position())
            .unwrap_or(usize::MAX)
            .min(self.text.len())
    }

    fn fail(&mut self, offset: usize, message: impl Into<String>) -> Issue {
        let pos = self.places.at(offset);
        fatal(IssueCode::Invalid, message.into()).pos(pos)
    }

    fn structure(&mut self, name: &str, pos: Pos, message: String) {
        if self.issues.len() < self.limits.max_issues {
            let at = self.path.text(name);
            self.issues.push(
                Issue::error(Stage::Structure, IssueCode::Structure, message)
                    .at(at)
                    .pos(pos),
            );
        }
    }

    fn document(&mut self) -> Result<Element, Issue> {
        let start = match self.next()? {
            Next::Start(start) => start,
            _ => return Err(self.fail(0, "The text has no element; a FHIR resource is expected.")),
        };
        if start.namespace != Namespace::Fhir {
            let message = format!("The root element must be in the namespace {FHIR_NAMESPACE}.");
            self.structure("", start.pos, message);
        }
        self.path.push(&start.name, None);
        let root = self.resource(Element::default().at_pos(start.pos), start)?;
        self.path.pop();
        match self.next()? {
            Next::Document => Ok(root),
            _ => {
                let offset = self.offset();
                Err(self.fail(
                    offset,
                    "More text follows the end of the resource; one resource is expected.",
                ))
            }
        }
    }

    /// The next start or end tag; text between elements is a fault.
    fn next(&mut self) -> Result<Next, Issue> {
        loop {
            let offset = self.offset();
            let event = self.xml.read_resolved_event().map_err(|e| e.to_string());
            let (namespace, event) = match event {
                Ok((ResolveResult::Bound(ns), event)) => (of_uri(ns.as_ref()), event),
                Ok((_, event)) => (Namespace::Other, event),
                Err(reason) => {
                    return Err(self.fail(offset, format!("The XML is not well formed: {reason}.")));
                }
            };
            match event {
                Event::Start(tag) => {
                    let tag = tag.into_owned();
                    return self.start(&tag, namespace, offset).map(Next::Start);
                }
                Event::End(_) => return Ok(Next::End),
                Event::Eof => return Ok(Next::Document),
                Event::Comment(_) => {}
                Event::Text(text) if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok);
                    let utf8 = encoding.is_none_or(|e| e.eq_ignore_ascii_case("utf-8"));
                    if !utf8 {
                        return Err(self.fail(
                            offset,
                            "The declaration names another encoding; FHIR is UTF-8.",
                        ));
                    }
                }
                Event::DocType(_) => {
                    return Err(self.fail(
                        offset,
                        "A document type (DOCTYPE) is not allowed in FHIR messages.",
                    ));
                }
                Event::PI(_) => {
                    return Err(self.fail(offset, "Processing instructions are not allowed."));
                }
                Event::GeneralRef(_) | Event::Text(_) | Event::CData(_) | Event::Empty(_) => {
                    let pos = self.places.at(offset);
                    let message = "Text stands between elements; FHIR writes values in the attribute `value`.".to_owned();
                    self.structure("", pos, message);
                }
            }
        }
    }

    fn start(
        &mut self,
        tag: &BytesStart<'_>,
        namespace: Namespace,
        offset: usize,
    ) -> Result<Start, Issue> {
        self.elements += 1;
        if self.elements > self.limits.max_elements || self.path.depth() > self.limits.max_depth {
            let (most, deep) = (self.limits.max_elements, self.limits.max_depth);
            let mut issue = self.fail(
                offset,
                format!("More than {most} elements, or deeper than {deep} levels."),
            );
            issue.code = IssueCode::TooLong;
            return Err(issue);
        }
        let name = SmolStr::new(tag.local_name().as_ref());
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(e) => {
                    return Err(self.fail(
                        offset,
                        format!("An attribute of <{}> is malformed: {e}.", shown(&name)),
                    ));
                }
            };
            let key = attribute.key.as_ref().to_owned();
            if key == "xmlns" || key.starts_with("xmlns:") {
                continue;
            }
            match unescape(&attribute.value) {
                Ok(value) => attributes.push((SmolStr::new(key), value)),
                Err(reason) => {
                    return Err(self.fail(
                        offset,
                        format!(
                            "In the attribute `{}` of <{}>: {reason}",
                            shown(&key),
                            shown(&name)
                        ),
                    ));
                }
            }
        }
        let pos = self.places.at(offset);
        Ok(Start {
            name,
            attributes,
            namespace,
            offset,
            pos,
        })
    }

    /// A resource after its start tag, up to its end tag.
    fn resource(&mut self, element: Element, start: Start) -> Result<Element, Issue> {
        let of = self.schema.resource(&start.name);
        if of.is_none() {
            let message = format!(
                "`{}` is not a resource type in use here.",
                shown(&start.name)
            );
            self.structure("", start.pos, message);
        }
        for (name, _) in &start.attributes {
            let message = format!("A resource has no attribute `{}`.", shown(name));
            self.structure("", start.pos, message);
        }
        self.children(element.with_resource_type(&start.name), of)
    }

    /// Child elements up to the end tag of their parent.
    fn children(
        &mut self,
        mut parent: Element,
        of: Option<&'static TypeDef>,
    ) -> Result<Element, Issue> {
        let mut last: Option<&'static ElementDef> = None;
        let mut counts: Vec<(SmolStr, usize)> = Vec::with_capacity(8);
        loop {
            let start = match self.next()? {
                Next::Start(start) => start,
                Next::End => return Ok(parent),
                Next::Document => {
                    let offset = self.offset();
                    return Err(self.fail(offset, "The text ends before every element is closed."));
                }
            };
            let def = of.and_then(|t| t.element(&start.name));
            let index = match counts.iter_mut().find(|(name, _)| *name == start.name) {
                Some((_, n)) => {
                    *n += 1;
                    *n - 1
                }
                None => {
                    counts.push((start.name.clone(), 1));
                    0
                }
            };
            match def {
                Some(def) => {
                    self.check_order(def, last, start.pos);
                    last = Some(last.filter(|l| l.order > def.order).unwrap_or(def));
                }
                None if of.is_some() => self.note_unknown(&start),
                None => {}
            }
            let listed = def.is_some_and(ElementDef::is_list);
            self.path
                .push(&start.name, (listed || index > 0).then_some(index));
            let child = self.element(start, def)?;
            self.path.pop();
            parent.push(if listed { child.in_list() } else { child });
        }
    }

    fn check_order(&mut self, def: &ElementDef, last: Option<&'static ElementDef>, pos: Pos) {
        if let Some(last) = last.filter(|l| l.order > def.order) {
            let message = format!(
                "`{}` stands after `{}`, but in FHIR it comes before it: elements have a fixed order in XML.",
                def.name, last.name
            );
            self.structure(def.name, pos, message);
        }
    }

    fn note_unknown(&mut self, start: &Start) {
        if self.issues.len() < self.limits.max_issues {
            let at = self.path.text(&start.name);
            let note = format!(
                "`{}` is not defined in STU3 for this element; it is kept and ignored.",
                shown(&start.name)
            );
            self.issues.push(
                Issue::error(Stage::Structure, IssueCode::Extension, note)
                    .severity(Severity::Information)
                    .at(at)
                    .pos(start.pos),
            );
        }
    }

    /// One element after its start tag, up to its end tag.
    fn element(
        &mut self,
        start: Start,
        def: Option<&'static ElementDef>,
    ) -> Result<Element, Issue> {
        let element = Element::new(&start.name).at_pos(start.pos);
        let of = def.and_then(|d| self.schema.type_of(d));
        if of.and_then(TypeDef::json_kind) == Some(JsonKind::Xhtml)
            || start.namespace == Namespace::Xhtml
        {
            return self.markup(element, &start);
        }
        if start.namespace != Namespace::Fhir && def.is_some() {
            let message = format!(
                "`{}` must be in the namespace {FHIR_NAMESPACE}.",
                start.name
            );
            self.structure("", start.pos, message);
        }
        if def.is_some() && of.is_none() {
            return self.held_resource(element, &start);
        }
        let element = self.attributes(element, start, of);
        // The children of a primitive are `extension` only, as Extension has them.
        let inside = match of {
            Some(t) if t.kind == Kind::Primitive => self.schema.type_def("Extension"),
            other => other,
        };
        let pos = element.pos();
        let element = self.children(element, inside)?;
        if of.is_some() && element.value().is_none() && element.children().is_empty() {
            self.structure(
                "",
                pos,
                "An element must not be empty: leave it out.".to_owned(),
            );
        }
        Ok(element)
    }

    /// `contained` and `resource`: exactly one resource inside.
    fn held_resource(&mut self, element: Element, holder: &Start) -> Result<Element, Issue> {
        let mut held = None;
        loop {
            match self.next()? {
                Next::Start(start) if held.is_none() => {
                    held = Some(self.resource(element.clone(), start)?)
                }
                Next::Start(start) => {
                    let pos = start.pos;
                    self.structure(
                        "",
                        pos,
                        format!("`{}` holds exactly one resource.", holder.name),
                    );
                    self.resource(element.clone(), start)?;
                }
                Next::End => break,
                Next::Document => {
                    let offset = self.offset();
                    return Err(self.fail(offset, "The text ends before every element is closed."));
                }
            }
        }
        match held {
            Some(held) => Ok(held),
            None => {
                self.structure(
                    "",
                    holder.pos,
                    format!(
                        "`{}` holds exactly one resource; here is none.",
                        holder.name
                    ),
                );
                Ok(element)
            }
        }
    }

    /// `id`, `url` and `value`.
    fn attributes(
        &mut self,
        mut element: Element,
        start: Start,
        of: Option<&'static TypeDef>,
    ) -> Element {
        for (name, value) in start.attributes {
            match name.as_str() {
                "id" => element.push(Element::text("id", &value).at_pos(start.pos)),
                "url" if of.is_none_or(|t| t.name == "Extension") => {
                    element.push(Element::text("url", &value).at_pos(start.pos));
                }
                "value" if of.is_none_or(|t| t.kind == Kind::Primitive) => {
                    if value.is_empty() {
                        self.structure(
                            "",
                            start.pos,
                            "`value` must not be empty: leave the element out.".to_owned(),
                        );
                    }
                    element.set_value(Some(self.typed(value, of, start.pos)));
                }
                other => {
                    let message = format!("`{}` has no attribute `{}`.", start.name, shown(other));
                    self.structure("", start.pos, message);
                }
            }
        }
        element
    }

    /// The value as JSON would type it. What does not fit stays text; the checker names it.
    fn typed(&mut self, value: SmolStr, of: Option<&'static TypeDef>, pos: Pos) -> Value {
        match of.and_then(TypeDef::json_kind) {
            Some(JsonKind::Boolean) => match value.as_str() {
                "true" => return Value::Boolean(true),
                "false" => return Value::Boolean(false),
                _ => self.structure("", pos, "A boolean is written true or false.".to_owned()),
            },
            Some(JsonKind::Number) => match is_number(&value) {
                true => return Value::Number(value),
                false => self.structure("", pos, "A number is expected here.".to_owned()),
            },
            _ => {}
        }
        Value::String(value)
    }

    /// Narrative: the markup from its start tag to its end tag, as it stands.
    fn markup(&mut self, element: Element, start: &Start) -> Result<Element, Issue> {
        if start.namespace != Namespace::Xhtml {
            let message = format!("Narrative must be in the namespace {XHTML_NAMESPACE}.");
            self.structure("", start.pos, message);
        }
        let mut depth = 1_usize;
        while depth > 0 {
            let offset = self.offset();
            let event = self.xml.read_event().map_err(|e| e.to_string());
            match event {
                Err(reason) => {
                    return Err(self.fail(offset, format!("The XML is not well formed: {reason}.")));
                }
                Ok(Event::Start(_)) => {
                    depth += 1;
                    if depth > self.limits.max_depth {
                        return Err(self.fail(offset, "The narrative is nested too deep."));
                    }
                }
                Ok(Event::End(_)) => depth -= 1,
                Ok(Event::Eof) => {
                    return Err(self.fail(offset, "The text ends inside the narrative."));
                }
                Ok(Event::DocType(_) | Event::PI(_)) => {
                    return Err(self.fail(offset, "Processing instructions are not allowed."));
                }
                Ok(Event::GeneralRef(name)) => {
                    let name = name.to_string();
                    if unescape(&format!("&{name};")).is_err() {
                        return Err(self.fail(
                            offset,
                            format!("The entity &{}; is not one of XML's five.", shown(&name)),
                        ));
                    }
                }
                Ok(_) => {}
            }
        }
        let end = self.offset();
        let markup = self.text.get(start.offset..end).unwrap_or("").trim();
        Ok(element.with_value(Value::Xhtml(SmolStr::new(markup))))
    }
}

fn of_uri(uri: &str) -> Namespace {
    match uri {
        FHIR_NAMESPACE => Namespace::Fhir,
        XHTML_NAMESPACE => Namespace::Xhtml,
        _ => Namespace::Other,
    }
}

/// Resolves character references and XML's five entities; white space in an attribute becomes a space.
fn unescape(raw: &str) -> Result<SmolStr, String> {
    if !raw
        .bytes()
        .any(|b| matches!(b, b'&' | b'<' | b'\n' | b'\r' | b'\t'))
    {
        return Ok(SmolStr::new(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        if c != '&' {
            out.push(if matches!(c, '\n' | '\r' | '\t') {
                ' '
            } else {
                c
            });
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = rest
            .find(';')
            .filter(|e| *e <= 12)
            .ok_or("`&` must be written &amp;.")?;
        let name = &rest[1..end];
        out.push(
            entity(name)
                .ok_or_else(|| format!("the entity &{}; is not one of XML's five.", shown(name)))?,
        );
        rest = &rest[end + 1..];
    }
    Ok(SmolStr::new(out))
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).filter(|c| matches!(c, '\t' | '\n' | '\r') || *c >= ' ')
        }
    }
}

/// A number as JSON writes it, so that it can be written as JSON.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (
            &unsigned[..at],
            Some(unsigned[at + 1..].trim_start_matches(['+', '-'])),
        ),
        None => (unsigned, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let no_leading_zero = whole.len() == 1 || !whole.starts_with('0');
    text.len() <= 64
        && digits(whole)
        && no_leading_zero
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
