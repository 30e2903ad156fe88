//! Reads a narrative, checked to be self-contained, and keeps it unchanged except for its line ends.

use super::{Reader, Start};
use crate::issue::Issue;
use crate::primitive::{Narrative, inherited};
use crate::tree::{Element, Value};
use crate::xml::{XHTML_NAMESPACE, line_ends};
use crate::xml_text::{entity, unknown_entity};
use quick_xml::events::Event;
use quick_xml::name::{QName, ResolveResult};
use smol_str::SmolStr;
use std::borrow::Cow;

impl Reader<'_> {
    /// The markup from its start tag to its end tag.
    pub(super) fn narrative(
        &mut self,
        mut element: Element,
        start: &Start,
    ) -> Result<Element, Issue> {
        let mut depth = 1_usize;
        while depth > 0 {
            let offset = self.offset();
            self.event_start = offset;
            match self.event()?.1 {
                Event::Start(_) => {
                    depth += 1;
                    if depth > self.limits.max_depth {
                        let most = self.limits.max_depth;
                        let message = format!("The narrative is nested deeper than {most} levels.");
                        return Err(self.too_long(offset, message));
                    }
                }
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(self.ends_early()),
                Event::DocType(_) | Event::PI(_) | Event::Decl(_) => {
                    let message = "Processing instructions and document types are not allowed.";
                    return Err(self.fail(offset, message));
                }
                Event::GeneralRef(name) if entity(&name).is_none() => {
                    let message = unknown_entity(&name);
                    return Err(self.fail(offset, format!("In the narrative, {message}")));
                }
                _ => {}
            }
        }
        let end = self.offset();
        let markup = self.text.get(start.offset..end).unwrap_or("");
        let markup = self.self_contained(markup);
        let markup = line_ends::from_xml(&markup);
        if let Err(fault) = Narrative::read(&markup) {
            let message = format!("{fault}; right would be a <div xmlns=\"{XHTML_NAMESPACE}\">.");
            self.structure("", start.pos, capitalised(&message));
        }
        element.set_value(Some(Value::Xhtml(SmolStr::new(markup))));
        Ok(element)
    }

    /// The markup with its own declaration of the XHTML namespace, if the message around it declares it.
    fn self_contained<'m>(&self, markup: &'m str) -> Cow<'m, str> {
        let inherited = inherited(markup);
        let of_xhtml = |prefix: &Option<String>| {
            let name = prefix
                .as_ref()
                .map_or("div".to_owned(), |p| format!("{p}:div"));
            match self.xml.resolver().resolve_element(QName(&name)).0 {
                ResolveResult::Bound(uri) => uri.as_ref() == XHTML_NAMESPACE,
                _ => false,
            }
        };
        if inherited.is_empty() || !inherited.iter().all(of_xhtml) {
            return Cow::Borrowed(markup);
        }
        let name = markup.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'));
        let (head, rest) = markup.split_at(name.unwrap_or(markup.len()));
        let mut out = head.to_owned();
        for prefix in inherited {
            let key = prefix.map_or("xmlns".to_owned(), |p| format!("xmlns:{p}"));
            out.push_str(&format!(" {key}=\"{XHTML_NAMESPACE}\""));
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}
