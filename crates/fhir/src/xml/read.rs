//! Reads XML text into an element tree. Reports every structural fault with its path and position. Only unsafe XML, or text
//! over a limit, stops the reading.

mod events;
mod narrative;
mod text;

use super::FHIR_NAMESPACE;
use crate::codec::{FEW, Findings, Limits, MAX_RESOURCES_DEEP, Parsed, Path, shown, text_of};
use crate::issue::{Issue, Pos};
use crate::schema::{ElementDef, JsonKind, Kind, Schema, TypeDef};
use crate::tree::{Element, Value};
use events::{Namespace, Next};
use quick_xml::NsReader;
use smol_str::SmolStr;
use std::collections::HashMap;
use text::{Places, illegal_character, is_number};

/// Reads one resource. The error says where the text stops being safe XML or exceeds a limit; all other faults are in
/// [`Parsed::issues`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Issue> {
    let text = text_of(bytes, limits)?;
    let mut xml = NsReader::from_str(text);
    let config = xml.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut reader = Reader {
        xml,
        text,
        places: Places::new(text),
        event_start: 0,
        schema: Schema::stu3(),
        limits,
        path: Path::default(),
        elements: 0,
        resources: 0,
        findings: Findings::new(limits),
    };
    if let Some(offset) = illegal_character(text) {
        return Err(reader.fail(
            offset,
            "Here stands a control character, which XML does not allow.",
        ));
    }
    let root = reader.document()?;
    Ok(Parsed {
        root,
        issues: reader.findings.into_issues(),
    })
}

struct Reader<'a> {
    xml: NsReader<&'a [u8]>,
    text: &'a str,
    places: Places<'a>,
    event_start: usize,
    schema: &'static Schema,
    limits: &'a Limits,
    path: Path,
    elements: usize,
    /// Open resources.
    resources: usize,
    findings: Findings,
}

/// The start of an element.
struct Start {
    name: SmolStr,
    attributes: Vec<(SmolStr, SmolStr)>,
    namespace: Namespace,
    offset: usize,
    pos: Pos,
}

/// Attributes that become children: `id` and `url`.
const FHIR_ATTRIBUTES: usize = 2;

/// The parent of child elements.
#[derive(Clone, Copy)]
struct Owner {
    of: Option<&'static TypeDef>,
    /// True in a primitive, which may hold only `extension`.
    primitive: bool,
}

impl Owner {
    fn element(self, name: &str) -> Option<&'static ElementDef> {
        let allowed = !self.primitive || name == "extension";
        self.of.filter(|_| allowed).and_then(|t| t.element(name))
    }

    /// Whether an element other than a resource has this as an attribute. A child of the same name could not be written.
    fn has_attribute(self, name: &str) -> bool {
        let extension = !self.primitive && self.of.is_some_and(|t| t.name == "Extension");
        name == "id" || (name == "url" && extension)
    }
}

impl Reader<'_> {
    fn structure(&mut self, name: &str, pos: Pos, message: impl Into<String>) {
        self.findings.structure(self.path.text(name), pos, message);
    }

    fn empty(&mut self, name: &str, pos: Pos, message: impl Into<String>) {
        self.findings.empty(self.path.text(name), pos, message);
    }

    fn document(&mut self) -> Result<Element, Issue> {
        let Next::Start(start) = self.next()? else {
            return Err(self.fail(0, "The text has no element; a FHIR resource is expected."));
        };
        self.path.push(&start.name, None);
        let mut root = Element::default().at_pos(start.pos);
        self.resource(&mut root, start)?;
        self.path.pop();
        let offset = self.offset();
        match self.next()? {
            Next::Document => Ok(root),
            _ => {
                let message =
                    "More text follows the end of the resource; one resource is expected.";
                Err(self.fail(offset, message))
            }
        }
    }

    /// A resource after its start tag, to its end tag.
    fn resource(&mut self, element: &mut Element, start: Start) -> Result<(), Issue> {
        if self.resources >= MAX_RESOURCES_DEEP {
            let message =
                format!("More than {MAX_RESOURCES_DEEP} resources are inside one another.");
            return Err(self.too_long(start.offset, message));
        }
        if start.namespace != Namespace::Fhir {
            let message = format!(
                "`{}` must be in the namespace {FHIR_NAMESPACE}.",
                shown(&start.name)
            );
            self.structure("", start.pos, message);
        }
        let of = self.schema.resource(&start.name);
        if of.is_none() && self.schema.is_resource_type(&start.name) {
            let note = format!(
                "Of {} only the outer form is read; its elements are kept and ignored.",
                start.name
            );
            self.findings.unchecked(self.path.text(""), start.pos, note);
        } else if of.is_none() {
            let message = format!("`{}` is not a resource type of STU3.", shown(&start.name));
            self.structure("", start.pos, message);
        }
        for (name, _) in &start.attributes {
            self.refuse_attribute("A resource", name, start.pos);
        }
        *element = std::mem::take(element).with_resource_type(&start.name);
        self.resources += 1;
        self.children(
            element,
            Owner {
                of,
                primitive: false,
            },
        )?;
        self.resources -= 1;
        Ok(())
    }

    /// Skips attributes of other namespaces, such as `xsi:schemaLocation`; refuses all others.
    fn refuse_attribute(&mut self, holder: &str, name: &str, pos: Pos) {
        if name.contains(':') {
            let note = format!(
                "The attribute `{}` is not FHIR's; it is ignored.",
                shown(name)
            );
            self.findings.undefined(self.path.text(""), pos, note);
        } else {
            self.structure(
                "",
                pos,
                format!("{holder} has no attribute `{}`.", shown(name)),
            );
        }
    }

    /// Child elements to the end tag of their parent.
    fn children(&mut self, parent: &mut Element, owner: Owner) -> Result<(), Issue> {
        let mut last: Option<&'static ElementDef> = None;
        let mut counts = Counts::default();
        loop {
            let start = match self.next()? {
                Next::Start(start) => start,
                Next::End => return Ok(()),
                Next::Document => return Err(self.ends_early()),
            };
            let def = owner.element(&start.name);
            let index = counts.next(&start.name);
            // Former attributes are first.
            let mut first = parent.children().iter().take(FHIR_ATTRIBUTES);
            let repeated = index > 0 || first.any(|c| c.name() == start.name);
            if repeated && parent.resource_type().is_none() && owner.has_attribute(&start.name) {
                let message = format!(
                    "`{}` of an element is an attribute in XML, and stands once.",
                    start.name
                );
                self.structure(&start.name, start.pos, message);
            }
            match def {
                Some(def) => {
                    self.check_order(def, last, start.pos);
                    last = Some(last.filter(|l| l.order > def.order).unwrap_or(def));
                }
                None if start
                    .name
                    .strip_prefix('_')
                    .is_some_and(|n| owner.element(n).is_some()) =>
                {
                    // JSON could not tell it from the companion of a primitive.
                    let message = format!("No element of FHIR is named `{}`.", start.name);
                    self.structure(&start.name, start.pos, message);
                }
                None if owner.of.is_some() => {
                    let note = format!(
                        "`{}` is not defined in STU3 for this element; it is kept and ignored.",
                        shown(&start.name)
                    );
                    self.findings
                        .undefined(self.path.text(&start.name), start.pos, note);
                }
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

    /// One element after its start tag, to its end tag.
    fn element(
        &mut self,
        start: Start,
        def: Option<&'static ElementDef>,
    ) -> Result<Element, Issue> {
        let mut element = match def {
            Some(def) => Element::known(def.name),
            None => Element::new(&start.name),
        }
        .at_pos(start.pos);
        let of = def.and_then(|d| self.schema.type_of(d));
        let markup = of.and_then(TypeDef::json_kind) == Some(JsonKind::Xhtml);
        if markup || (def.is_none() && start.namespace == Namespace::Xhtml) {
            return self.narrative(element, &start);
        }
        if start.namespace != Namespace::Fhir && def.is_some() {
            let message = format!(
                "`{}` must be in the namespace {FHIR_NAMESPACE}.",
                start.name
            );
            self.structure("", start.pos, message);
            element.mark_malformed();
        }
        if def.is_some() && of.is_none() {
            return self.held_resource(element, &start);
        }
        let pos = element.pos();
        self.attributes(&mut element, start, of);
        // A primitive has only `extension` children, as the type Extension lists them.
        let owner = match of {
            Some(t) if t.kind == Kind::Primitive => Owner {
                of: self.schema.type_def("Extension"),
                primitive: true,
            },
            other => Owner {
                of: other,
                primitive: false,
            },
        };
        self.children(&mut element, owner)?;
        if of.is_some() && element.value().is_none() && element.children().is_empty() {
            self.empty("", pos, "An element must not be empty: leave it out.");
        }
        Ok(element)
    }

    /// `contained` and `resource`: exactly one resource inside.
    fn held_resource(&mut self, element: Element, holder: &Start) -> Result<Element, Issue> {
        for (name, _) in &holder.attributes {
            self.refuse_attribute(&format!("`{}`", holder.name), name, holder.pos);
        }
        let mut held: Option<Element> = None;
        loop {
            match self.next()? {
                Next::Start(start) => {
                    let pos = start.pos;
                    let mut resource = element.clone();
                    self.resource(&mut resource, start)?;
                    if held.is_some() {
                        let message = format!("`{}` holds exactly one resource.", holder.name);
                        self.structure("", pos, message);
                    }
                    held.get_or_insert(resource);
                }
                Next::End => break,
                Next::Document => return Err(self.ends_early()),
            }
        }
        Ok(held.unwrap_or_else(|| {
            let message = format!(
                "`{}` holds exactly one resource; here is none.",
                holder.name
            );
            self.structure("", holder.pos, message);
            element
        }))
    }

    /// `id`, `url` and `value`.
    fn attributes(&mut self, element: &mut Element, start: Start, of: Option<&'static TypeDef>) {
        let at = start.pos;
        for (name, value) in start.attributes {
            let known = match name.as_str() {
                "id" => true,
                "url" => of.is_none_or(|t| t.name == "Extension"),
                "value" => of.is_none_or(|t| t.kind == Kind::Primitive),
                _ => false,
            };
            if !known {
                self.refuse_attribute(&format!("`{}`", shown(&start.name)), &name, at);
                continue;
            }
            if value.is_empty() && of.is_some() {
                self.empty("", at, format!("`{name}` must not be empty: leave it out."));
            }
            match name.as_str() {
                "value" => element.set_value(Some(self.typed(value, of, at))),
                _ => element.push(
                    Element::new(&name)
                        .with_value(Value::String(value))
                        .at_pos(at),
                ),
            }
        }
    }

    /// The value with its JSON type. A bad value is reported and kept as text.
    fn typed(&mut self, value: SmolStr, of: Option<&'static TypeDef>, pos: Pos) -> Value {
        match of.and_then(TypeDef::json_kind) {
            Some(JsonKind::Boolean) => match value.as_str() {
                "true" => return Value::Boolean(true),
                "false" => return Value::Boolean(false),
                _ => self.structure("", pos, "A boolean is written true or false."),
            },
            Some(JsonKind::Number) => match is_number(&value) {
                true => return Value::Number(value),
                false => self.structure("", pos, "A number is expected here."),
            },
            _ => {}
        }
        Value::String(value)
    }
}

/// Number of children of each name so far.
#[derive(Default)]
struct Counts {
    few: Vec<(SmolStr, usize)>,
    /// Many names are hashed, so that time stays linear in the text.
    many: HashMap<SmolStr, usize>,
}

impl Counts {
    /// The index of the next child of this name.
    fn next(&mut self, name: &SmolStr) -> usize {
        if self.many.is_empty() {
            // The current name is mostly the last one.
            if let Some((_, n)) = self.few.iter_mut().rev().find(|(known, _)| known == name) {
                *n += 1;
                return *n - 1;
            }
            self.few.push((name.clone(), 1));
            if self.few.len() > FEW {
                self.many = self.few.drain(..).collect();
            }
            return 0;
        }
        let n = self.many.entry(name.clone()).or_insert(0);
        *n += 1;
        *n - 1
    }
}
