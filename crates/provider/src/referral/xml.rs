//! Parses foreign XML, within bounds that are checked before a tree is made.

use super::reason::Reason;
use booking::bounded_xml::{self, Bounds, Fault};
use roxmltree::{Document, Node};

/// Bounds of one message or document. A 111 document has some thousand elements; a repeat caller's hundred documents still
/// fit.
pub const BOUNDS: Bounds = Bounds::nodes(200_000);

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

/// Parses a bounded tree. `what` names it in the reason. A tree over the bounds is refused for good.
pub(super) fn parse<'t>(text: &'t str, what: &str) -> Result<Document<'t>, Reason> {
    bounded_xml::parse(text, BOUNDS).map_err(|fault| {
        let said = format!("{what} {fault}.");
        match fault {
            Fault::Costly(..) => Reason::refused(said),
            Fault::Malformed(..) | Fault::DocType => Reason::invalid(said),
        }
    })
}

/// The first child element with this local name. The Standard does not print namespaces, and they differ in practice.
pub(super) fn child<'a, 't>(node: Node<'a, 't>, name: &str) -> Option<Node<'a, 't>> {
    children(node, name).next()
}

/// All child elements with this local name.
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

/// A non-empty attribute, trimmed.
pub(super) fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attribute(name)
        .map(str::trim)
        .filter(|v| !v.is_empty())
}

/// The first text in an element, trimmed; `None` if empty.
pub(super) fn content<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|t| !t.is_empty())
}
