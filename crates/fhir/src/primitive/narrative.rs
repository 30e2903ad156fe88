//! `xhtml` of a narrative: well-formed, a `div` of basic formatting only, no script, nothing loaded from outside,
//! not blank (txt-1 and txt-2 of STU3).

use super::PrimitiveError;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Depth at which a narrative is refused; real ones stay under ten.
const MAX_DEPTH: usize = 64;

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Where a link may lead; no scheme means a place in the same message.
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
    "xmlns",
];

/// Checks the whole `<div …>…</div>` of a narrative.
pub fn check_narrative(text: &str) -> Result<(), PrimitiveError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut state = Narrative {
        depth: 0,
        roots: 0,
        content: false,
    };
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => state.take(&event)?,
            Err(_) => {
                return Err(PrimitiveError::new(
                    "the narrative is not well-formed XHTML",
                ));
            }
        }
    }
    match state {
        Narrative { depth: 1.., .. } => Err(PrimitiveError::new(
            "the narrative has an element that is not closed",
        )),
        Narrative {
            roots: 1,
            content: true,
            ..
        } => Ok(()),
        Narrative { roots: 1, .. } => Err(PrimitiveError::new(
            "the narrative is blank; leave it out or put text or an image in it (txt-2)",
        )),
        _ => Err(PrimitiveError::new(
            "the narrative must be one div element in the XHTML namespace",
        )),
    }
}

struct Narrative {
    depth: usize,
    roots: usize,
    content: bool,
}

impl Narrative {
    fn take(&mut self, event: &Event<'_>) -> Result<(), PrimitiveError> {
        match event {
            Event::Start(tag) => {
                self.open(tag)?;
                self.depth += 1;
                match self.depth > MAX_DEPTH {
                    true => Err(PrimitiveError::new(format!(
                        "the narrative is deeper than {MAX_DEPTH} elements"
                    ))),
                    false => Ok(()),
                }
            }
            Event::Empty(tag) => self.open(tag),
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Ok(())
            }
            Event::Text(text) => self.text(!text.trim().is_empty()),
            Event::CData(text) => self.text(!text.trim().is_empty()),
            Event::GeneralRef(name) => self.entity(name),
            Event::Comment(_) => Ok(()),
            _ => Err(PrimitiveError::new(
                "the narrative has a document type, declaration or processing instruction; only elements and text are allowed",
            )),
        }
    }

    fn text(&mut self, visible: bool) -> Result<(), PrimitiveError> {
        if visible && self.depth == 0 {
            return Err(PrimitiveError::new(
                "the narrative has text outside its div",
            ));
        }
        self.content |= visible;
        Ok(())
    }

    fn entity(&mut self, name: &str) -> Result<(), PrimitiveError> {
        let plain = name.strip_prefix('#').unwrap_or(name);
        match !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
            true => self.text(!matches!(name, "nbsp" | "#160" | "#xA0" | "#xa0")),
            false => Err(PrimitiveError::new(
                "the narrative has an entity that is not known",
            )),
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), PrimitiveError> {
        let name = tag.name();
        let name = name.as_ref();
        if self.depth == 0 {
            self.roots += 1;
            if name != "div" {
                return Err(PrimitiveError::new("the narrative must be a div element"));
            }
        }
        if !ELEMENTS.contains(&name) {
            return Err(PrimitiveError::new(
                "the narrative has an element beyond basic formatting, such as script, form or object (txt-1)",
            ));
        }
        self.content |= name == "img";
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| {
                PrimitiveError::new("the narrative has an attribute that is not well-formed")
            })?;
            check_attribute(attribute.key.as_ref(), &attribute.value)?;
        }
        Ok(())
    }
}

fn check_attribute(key: &str, value: &str) -> Result<(), PrimitiveError> {
    if !ATTRIBUTES.contains(&key) {
        return Err(PrimitiveError::new(
            "the narrative has an attribute beyond basic formatting, such as an event handler (txt-1)",
        ));
    }
    let good = match key {
        "xmlns" => value == XHTML,
        // Only pictures that travel with the message: contained, or in the address itself.
        "src" | "longdesc" => value.starts_with('#') || value.starts_with("data:image/"),
        "href" | "cite" => is_link(value),
        // A backslash or entity could hide a function's name.
        "style" => {
            let lower = value.to_ascii_lowercase();
            !["url(", "expression(", "@import", "script:", "\\", "&"]
                .iter()
                .any(|bad| lower.contains(bad))
        }
        _ => true,
    };
    match good {
        true => Ok(()),
        false => Err(PrimitiveError::new(
            "the narrative loads something from outside or holds script in an attribute (txt-1)",
        )),
    }
}

/// A reader may follow a link, so that it may lead outside; script and inline data may not hide in it.
fn is_link(value: &str) -> bool {
    let front = value.split(['/', '?', '#']).next().unwrap_or_default();
    match front.split_once(':') {
        Some((scheme, _)) => LINK_SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(scheme)),
        // An entity could stand for the colon.
        None => !front.contains('&'),
    }
}
