//! Checks the `xhtml` of a narrative, for both formats (D-59): it is one `div` that can stand in a message, with basic
//! formatting only, without script, and not blank (txt-1 and txt-2 of STU3).

use super::PrimitiveError;
use crate::xml_text::{XHTML_NAMESPACE, entity, is_allowed, is_name, unescape, unknown_entity};
use quick_xml::NsReader;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use std::ops::Range;

/// Deepest nesting of a narrative; real ones have less than ten levels.
const MAX_DEPTH: usize = 64;
/// Most attributes of one element, with namespace declarations.
const MAX_ATTRIBUTES: usize = 32;
/// Most namespace prefixes that a narrative inherits from the message.
const MAX_INHERITED: usize = 8;

/// Schemes allowed in links; no scheme means the same message.
const LINK_SCHEMES: &[&str] = &["http", "https", "mailto", "tel"];

/// Formatting elements of XHTML 1.0 chapters 7 to 11 and 15, links, images and style attributes (txt-1).
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
    "kbd",
    "address",
    "ins",
    "del",
    "bdo",
];

/// Attributes that only format or name.
const ATTRIBUTES: &[&str] = &[
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "colspan",
    "compact",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "size",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
];

/// Checks the whole `<div …>…</div>` of a narrative.
pub fn check_narrative(text: &str) -> Result<(), PrimitiveError> {
    let narrative = Narrative::read(text)?;
    match (narrative.breach, narrative.visible) {
        (Some(breach), _) => Err(PrimitiveError::new(breach)),
        (None, true) => Ok(()),
        (None, false) => Err(PrimitiveError::new(
            "the narrative is blank; leave it out or put text or an image in it (txt-2)",
        )),
    }
}

/// A narrative that can stand in a message.
#[derive(Default)]
pub(crate) struct Narrative {
    /// Range of its `div`; white space and comments around it are tolerated.
    pub(crate) root: Range<usize>,
    /// What exceeds basic formatting (txt-1).
    breach: Option<&'static str>,
    /// True when it has text or an image (txt-2).
    visible: bool,
    depth: usize,
    roots: usize,
}

impl Narrative {
    /// Reads markup: exactly one well-formed XHTML `div` that declares its own namespaces, and no entities except XML's
    /// five. Anything else cannot go into an XML message unchanged.
    pub(crate) fn read(markup: &str) -> Result<Narrative, PrimitiveError> {
        if markup.starts_with('\u{feff}') || !markup.chars().all(is_allowed) {
            return unfit("has a character that XML cannot write");
        }
        let mut narrative = Narrative::default();
        let mut xml = reader(markup);
        loop {
            let before = position(&xml);
            let Ok((namespace, event)) = xml.read_resolved_event() else {
                return unfit("is not well-formed XHTML");
            };
            let of_xhtml = match namespace {
                ResolveResult::Bound(uri) => uri.as_ref() == XHTML_NAMESPACE,
                ResolveResult::Unbound => false,
                ResolveResult::Unknown(_) => {
                    return unfit("has an element whose namespace prefix is not declared");
                }
            };
            match event {
                Event::Start(tag) => {
                    if narrative.depth == 0 {
                        narrative.root.start = before;
                    }
                    narrative.open(&tag, of_xhtml, xml.resolver())?;
                }
                Event::End(_) => {
                    narrative.depth = narrative.depth.saturating_sub(1);
                    if narrative.depth == 0 {
                        narrative.root.end = position(&xml);
                    }
                }
                Event::Eof => break,
                event => narrative.content(&event)?,
            }
        }
        match (narrative.depth, narrative.roots) {
            (1.., _) => unfit("has an element that is not closed"),
            (0, 1) => Ok(narrative),
            _ => unfit("must be one div element in the XHTML namespace"),
        }
    }

    fn content(&mut self, event: &Event<'_>) -> Result<(), PrimitiveError> {
        let outside = self.depth == 0;
        match event {
            Event::Text(text) if outside && text.bytes().all(|b| b.is_ascii_whitespace()) => Ok(()),
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) if outside => {
                unfit("has text outside its div")
            }
            Event::Text(text) if text.contains("]]>") => {
                unfit("has `]]>` in its text, which XML wants as `]]&gt;`")
            }
            Event::Text(text) => self.text(text),
            Event::CData(text) => self.text(text),
            Event::GeneralRef(name) => match entity(name) {
                Some(c) => self.text(c.encode_utf8(&mut [0; 4])),
                None => unfit(&format!(
                    "has what XML cannot read: {}",
                    unknown_entity(name)
                )),
            },
            Event::Comment(_) => Ok(()),
            _ => unfit(
                "has a document type, declaration or processing instruction; only elements and text are allowed",
            ),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), PrimitiveError> {
        self.visible |= !text.trim().is_empty();
        Ok(())
    }

    fn breach(&mut self, what: &'static str) {
        self.breach.get_or_insert(what);
    }

    fn open(
        &mut self,
        tag: &BytesStart<'_>,
        of_xhtml: bool,
        resolver: &NamespaceResolver,
    ) -> Result<(), PrimitiveError> {
        let local = tag.local_name();
        let local: &str = local.as_ref();
        if self.depth == 0 {
            self.roots += 1;
            if local != "div" || !of_xhtml {
                return unfit("must be one div element in the XHTML namespace");
            }
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.breach("the narrative is deeper than 64 elements");
        }
        if !of_xhtml || !ELEMENTS.contains(&local) {
            self.breach(
                "the narrative has an element beyond basic formatting, such as script, form or object (txt-1)",
            );
        }
        self.visible |= local == "img";
        if !is_qualified(tag.name().as_ref()) || !is_separated(tag.attributes_raw()) {
            return unfit("is not well-formed XHTML");
        }
        for (i, attribute) in tag.attributes().enumerate() {
            match attribute {
                Ok(attribute) if i < MAX_ATTRIBUTES => self.attribute(&attribute, resolver)?,
                Ok(_) => return unfit("has an element with more than 32 attributes"),
                Err(_) => return unfit("has an attribute that is not well-formed"),
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        attribute: &Attribute<'_>,
        resolver: &NamespaceResolver,
    ) -> Result<(), PrimitiveError> {
        let key: &str = attribute.key.as_ref();
        let value = match unescape(&attribute.value) {
            Ok(value) if is_qualified(key) => value,
            Ok(_) => return unfit("has an attribute that is not well-formed"),
            Err(reason) => return unfit(&format!("has what XML cannot read: {reason}")),
        };
        if key == "xmlns" || key.starts_with("xmlns:") {
            return Ok(());
        }
        let (namespace, _) = resolver.resolve_attribute(attribute.key);
        if matches!(namespace, ResolveResult::Unknown(_)) {
            return unfit("has an attribute whose namespace prefix is not declared");
        }
        if !ATTRIBUTES.contains(&key) {
            self.breach(
                "the narrative has an attribute beyond basic formatting, such as an event handler (txt-1)",
            );
        }
        if !is_harmless(key, &value) {
            self.breach(
                "the narrative loads something from outside other than an image over https, or holds script in an \
                 attribute (txt-1)",
            );
        }
        Ok(())
    }
}

/// Prefixes of elements (`None`: no prefix) that markup uses without declaring them; the message has to declare them.
/// Markup that is not XML has none.
pub(crate) fn inherited(markup: &str) -> Vec<Option<String>> {
    let mut found: Vec<Option<String>> = Vec::new();
    let mut xml = reader(markup);
    while let Ok((namespace, event)) = xml.read_resolved_event() {
        let prefix = match (namespace, &event) {
            (_, Event::Eof) => break,
            (ResolveResult::Unknown(prefix), Event::Start(_)) => Some(prefix),
            (ResolveResult::Unbound, Event::Start(tag)) if tag.name().prefix().is_none() => None,
            _ => continue,
        };
        if !found.contains(&prefix) {
            found.push(prefix);
        }
        if found.len() > MAX_INHERITED {
            return Vec::new();
        }
    }
    found
}

fn reader(markup: &str) -> NsReader<&[u8]> {
    let mut xml = NsReader::from_str(markup);
    let config = xml.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    xml
}

fn position(xml: &NsReader<&[u8]>) -> usize {
    usize::try_from(xml.buffer_position()).unwrap_or(usize::MAX)
}

fn unfit<T>(what: &str) -> Result<T, PrimitiveError> {
    Err(PrimitiveError::new(format!("the narrative {what}")))
}

/// A name with at most one prefix.
fn is_qualified(name: &str) -> bool {
    match name.split_once(':') {
        Some((prefix, local)) => is_name(prefix) && is_name(local),
        None => is_name(name),
    }
}

/// Whether white space precedes every attribute, which the reader does not check.
fn is_separated(attributes: &str) -> bool {
    let mut quote = None;
    let mut after_value = false;
    for b in attributes.bytes() {
        match quote {
            Some(open) if b == open => (quote, after_value) = (None, true),
            Some(_) => {}
            None if after_value && !b.is_ascii_whitespace() && b != b'/' => return false,
            None => {
                after_value = false;
                quote = matches!(b, b'"' | b'\'').then_some(b);
            }
        }
    }
    true
}

fn is_harmless(key: &str, value: &str) -> bool {
    match key {
        "src" => is_picture(value),
        "href" | "cite" | "longdesc" => is_link(value),
        // A backslash could hide the name of a function.
        "style" => {
            let lower = value.to_ascii_lowercase();
            !["url(", "expression(", "@import", "script:", "\\"]
                .iter()
                .any(|bad| lower.contains(bad))
        }
        _ => true,
    }
}

/// An image that is contained, inline, part of the message, or loaded over https.
fn is_picture(value: &str) -> bool {
    match scheme(value) {
        Some(scheme) => scheme.eq_ignore_ascii_case("https") || value.starts_with("data:image/"),
        None => true,
    }
}

/// A link may lead outside, since readers choose to follow it, but it may not hold script or inline data.
fn is_link(value: &str) -> bool {
    scheme(value).is_none_or(|scheme| LINK_SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(scheme)))
}

/// The text before the first colon, unless the colon is in a path, query or fragment.
fn scheme(value: &str) -> Option<&str> {
    let front = value.split(['/', '?', '#']).next().unwrap_or_default();
    Some(front.split_once(':')?.0)
}
