//! Narrative: kept as it stands, once it is sure that it can stand alone.

use super::events::Namespace;
use super::text::{entity, illegal_character, unknown_entity};
use super::{Reader, Start};
use crate::issue::Issue;
use crate::tree::{Element, Value};
use crate::xml::XHTML_NAMESPACE;
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use smol_str::SmolStr;

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
        if start.namespace != Namespace::Xhtml || !stands_alone(markup) {
            let message = format!("Narrative must be a <div xmlns=\"{XHTML_NAMESPACE}\">.");
            self.structure("", start.pos, message);
        }
        element.set_value(Some(Value::Xhtml(SmolStr::new(markup))));
        Ok(element)
    }
}

/// True for exactly one well-formed element that declares the namespace of XHTML itself and has no
/// entities but XML's five: what can be put into an XML message as it is.
pub(in crate::xml) fn stands_alone(markup: &str) -> bool {
    if illegal_character(markup).is_some() {
        return false;
    }
    let mut xml = NsReader::from_str(markup);
    xml.config_mut().expand_empty_elements = true;
    xml.config_mut().check_comments = true;
    let (mut depth, mut roots) = (0_usize, 0_usize);
    loop {
        let Ok((namespace, event)) = xml.read_resolved_event() else {
            return false;
        };
        let bound = match namespace {
            ResolveResult::Bound(uri) => uri.as_ref() == XHTML_NAMESPACE,
            ResolveResult::Unbound => false,
            ResolveResult::Unknown(_) => return false,
        };
        match event {
            Event::Start(tag) => {
                let sound = |a: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
                    a.is_ok_and(|a| super::text::unescape(&a.value).is_ok())
                };
                if !tag
                    .attributes()
                    .take(super::events::MAX_ATTRIBUTES + 1)
                    .all(sound)
                    || tag
                        .attributes()
                        .with_checks(false)
                        .nth(super::events::MAX_ATTRIBUTES)
                        .is_some()
                {
                    return false;
                }
                if depth == 0 {
                    roots += 1;
                    if roots > 1 || !bound || AsRef::<str>::as_ref(&tag.name()) != "div" {
                        return false;
                    }
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => return depth == 0 && roots == 1,
            Event::DocType(_) | Event::PI(_) | Event::Decl(_) => return false,
            Event::GeneralRef(name) if depth == 0 || entity(&name).is_none() => return false,
            Event::Text(_) | Event::CData(_) | Event::Comment(_) if depth == 0 => return false,
            _ => {}
        }
    }
}
