//! Reads the next start tag, end tag or end of the text. Refuses whatever could refer outside or expand.

use super::{Reader, Start};
use crate::codec::{MAX_NAME, fatal, shown};
use crate::issue::{Issue, IssueCode};
use crate::xml::{FHIR_NAMESPACE, XHTML_NAMESPACE};
use crate::xml_text::is_name;
use crate::xml_text::{entity, unescape, unknown_entity};
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::name::ResolveResult;
use smol_str::SmolStr;

/// Most attributes of one element, with namespace declarations. FHIR has at most three.
pub(super) const MAX_ATTRIBUTES: usize = 32;
/// Longest sentence of the XML parser to pass on, characters.
const MAX_REASON: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Fhir,
    Xhtml,
    Other,
}

/// The next item.
pub(super) enum Next {
    Start(Start),
    End,
    Document,
}

impl<'a> Reader<'a> {
    pub(super) fn offset(&self) -> usize {
        usize::try_from(self.xml.buffer_position())
            .unwrap_or(usize::MAX)
            .min(self.text.len())
    }

    pub(super) fn fail(&mut self, offset: usize, message: impl Into<String>) -> Issue {
        fatal(IssueCode::Invalid, message).pos(self.places.at(offset))
    }

    pub(super) fn too_long(&mut self, offset: usize, message: String) -> Issue {
        fatal(IssueCode::TooLong, message).pos(self.places.at(offset))
    }

    pub(super) fn ends_early(&mut self) -> Issue {
        let offset = self.text.len();
        self.fail(offset, "The text ends before every element is closed.")
    }

    /// The next event and its namespace. The error says where the text is not XML.
    pub(super) fn event(&mut self) -> Result<(Namespace, Event<'a>), Issue> {
        let reason = match self.xml.read_resolved_event() {
            Ok((ResolveResult::Bound(uri), event)) => return Ok((of_uri(uri.as_ref()), event)),
            Ok((ResolveResult::Unbound, event)) => return Ok((Namespace::Other, event)),
            Ok((ResolveResult::Unknown(prefix), _)) => {
                format!("the namespace prefix `{}` is not declared", shown(&prefix))
            }
            Err(e) => e.to_string().chars().take(MAX_REASON).collect(),
        };
        let offset = usize::try_from(self.xml.error_position())
            .unwrap_or(0)
            .max(self.event_start);
        Err(self.fail(offset, format!("The XML is not well formed: {reason}.")))
    }

    /// The next start or end tag; text between elements is a fault.
    pub(super) fn next(&mut self) -> Result<Next, Issue> {
        loop {
            let offset = self.offset();
            self.event_start = offset;
            let (namespace, event) = self.event()?;
            match event {
                Event::Start(tag) => return self.start(&tag, namespace, offset).map(Next::Start),
                Event::End(_) => return Ok(Next::End),
                Event::Eof => return Ok(Next::Document),
                Event::Comment(_) => {}
                Event::Text(text) if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
                Event::Decl(declaration) => self.declaration(&declaration, offset)?,
                Event::DocType(_) => {
                    let message = "A document type (DOCTYPE) is not allowed in FHIR messages.";
                    return Err(self.fail(offset, message));
                }
                Event::PI(_) => {
                    return Err(self.fail(offset, "Processing instructions are not allowed."));
                }
                Event::GeneralRef(name) if entity(&name).is_none() => {
                    let message = unknown_entity(&name);
                    return Err(self.fail(offset, format!("In the text, {message}")));
                }
                Event::GeneralRef(_) | Event::Text(_) | Event::CData(_) | Event::Empty(_) => {
                    let pos = self.places.at(offset);
                    let message = "Text stands between elements; FHIR writes values in the attribute `value`.";
                    self.structure("", pos, message);
                }
            }
        }
    }

    fn declaration(&mut self, declaration: &BytesDecl<'_>, offset: usize) -> Result<(), Issue> {
        if offset > 0 {
            let message = "The XML declaration may stand only at the very start.";
            return Err(self.fail(offset, message));
        }
        if declaration.version().ok().as_deref() != Some("1.0") {
            return Err(self.fail(offset, "The declaration must name XML version 1.0."));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
            _ => Err(self.fail(
                offset,
                "The declaration names another encoding; FHIR is UTF-8.",
            )),
        }
    }

    fn start(
        &mut self,
        tag: &BytesStart<'_>,
        namespace: Namespace,
        offset: usize,
    ) -> Result<Start, Issue> {
        self.elements += 1;
        let (most, deepest) = (self.limits.max_elements, self.limits.max_depth);
        if self.elements > most {
            return Err(self.too_long(offset, format!("The text has more than {most} elements.")));
        }
        if self.path.depth() > deepest {
            let message = format!("The text is nested deeper than {deepest} levels.");
            return Err(self.too_long(offset, message));
        }
        let local = tag.local_name();
        let name: &str = local.as_ref();
        if name.len() > MAX_NAME {
            return Err(self.too_long(offset, format!("A name has more than {MAX_NAME} bytes.")));
        }
        if !is_name(name) {
            return Err(self.fail(offset, format!("`{}` is not a name in XML.", shown(name))));
        }
        let mut start = Start {
            name: SmolStr::new(name),
            attributes: Vec::new(),
            namespace,
            offset,
            pos: self.places.at(offset),
        };
        for (i, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(|e| {
                let message = format!("An attribute of <{}> is malformed: {e}.", start.name);
                self.fail(offset, message)
            })?;
            let key: &str = attribute.key.as_ref();
            if i >= MAX_ATTRIBUTES || key.len() > MAX_NAME {
                let message = format!(
                    "<{}> has more than {MAX_ATTRIBUTES} attributes, or one with an overlong name.",
                    start.name
                );
                return Err(self.too_long(offset, message));
            }
            let value = unescape(&attribute.value).map_err(|reason| {
                let message = format!("In the attribute `{key}` of <{}>, {reason}", start.name);
                self.fail(offset, message)
            })?;
            if key != "xmlns" && !key.starts_with("xmlns:") {
                start.attributes.push((SmolStr::new(key), value));
            }
        }
        Ok(start)
    }
}

fn of_uri(uri: &str) -> Namespace {
    match uri {
        FHIR_NAMESPACE => Namespace::Fhir,
        XHTML_NAMESPACE => Namespace::Xhtml,
        _ => Namespace::Other,
    }
}
