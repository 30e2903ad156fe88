//! XML of strangers: bounded before a tree is made of it.

use super::reason::Reason;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use roxmltree::{Document, Node, ParsingOptions};

/// Deepest nesting. A CDA with nested sections and tables has about 40 levels.
const MAX_DEPTH: usize = 200;
/// Most elements, texts and comments: a tree of these takes some 200 MB, a real document has some thousand.
const MAX_NODES: u32 = 2_000_000;
/// Most attributes of one element; duplicates among them are looked for pair by pair.
const MAX_ATTRIBUTES: usize = 256;

/// The text of a message: UTF-8, with or without byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Reason> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Reason::invalid("The XML is not UTF-8, which is the only encoding read."))?;
    match declared_encoding(text) {
        Some(other)
            if !["utf-8", "utf8", "us-ascii", "ascii"]
                .contains(&other.to_ascii_lowercase().as_str()) =>
        {
            Err(Reason::invalid(
                "The XML declares another encoding than UTF-8.",
            ))
        }
        _ => Ok(text),
    }
}

fn declared_encoding(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split("?>").next()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    rest[1..].split(quote).next()
}

/// Reads a bounded tree. `what` names it in the reason.
pub(super) fn parse<'t>(text: &'t str, what: &str) -> Result<Document<'t>, Reason> {
    bounded(text, what)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| {
        let at = error.pos();
        Reason::invalid(format!(
            "{what} is not well-formed XML (line {}, column {}).",
            at.row, at.col
        ))
    })
}

/// One pass without a tree, so that nothing deep, wide or self-expanding is built.
fn bounded(text: &str, what: &str) -> Result<(), Reason> {
    let broken = || Reason::invalid(format!("{what} is not well-formed XML."));
    let mut reader = Reader::from_str(text);
    let (mut depth, mut nodes) = (0_usize, 0_u32);
    // Ends with the text: every event takes at least one character of it.
    loop {
        match reader.read_event() {
            Err(_) => return Err(broken()),
            Ok(Event::Eof) => return if depth == 0 { Ok(()) } else { Err(broken()) },
            Ok(Event::DocType(_)) => {
                return Err(Reason::invalid(format!(
                    "{what} has a DOCTYPE, which is never read."
                )));
            }
            Ok(Event::Start(start)) => {
                attributes(&start, what)?;
                depth += 1;
            }
            Ok(Event::Empty(start)) => attributes(&start, what)?,
            Ok(Event::End(_)) => depth = depth.checked_sub(1).ok_or_else(broken)?,
            Ok(_) => {}
        }
        nodes = nodes.saturating_add(1);
        if depth > MAX_DEPTH || nodes > MAX_NODES {
            return Err(Reason::invalid(format!(
                "{what} is nested more than {MAX_DEPTH} levels deep or has more than {MAX_NODES} nodes."
            )));
        }
    }
}

fn attributes(start: &BytesStart<'_>, what: &str) -> Result<(), Reason> {
    match start
        .attributes()
        .with_checks(false)
        .take(MAX_ATTRIBUTES + 1)
        .count()
    {
        n if n > MAX_ATTRIBUTES => Err(Reason::invalid(format!(
            "{what} has an element with more than {MAX_ATTRIBUTES} attributes."
        ))),
        _ => Ok(()),
    }
}

/// The first child element of this local name; namespaces are not printed in the Standard and differ in practice.
pub(super) fn child<'a, 't>(node: Node<'a, 't>, name: &str) -> Option<Node<'a, 't>> {
    children(node, name).next()
}

/// All child elements of this local name.
pub(super) fn children<'a, 't>(
    node: Node<'a, 't>,
    name: &str,
) -> impl Iterator<Item = Node<'a, 't>> {
    node.children()
        .filter(move |n| n.is_element() && n.tag_name().name() == name)
}

/// The element at the end of a path of local names.
pub(super) fn at<'a, 't>(node: Node<'a, 't>, path: &[&str]) -> Option<Node<'a, 't>> {
    path.iter().try_fold(node, |n, name| child(n, name))
}

/// An attribute that says something, without white space around it.
pub(super) fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attribute(name)
        .map(str::trim)
        .filter(|v| !v.is_empty())
}

/// All text directly in an element.
pub(super) fn content<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|t| !t.is_empty())
}
