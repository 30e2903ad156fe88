//! XML as the same tree.

use super::node::{DEEPEST, Node};
use booking::bounded_xml::{self, Bounds};
use roxmltree::NodeType;

/// Most elements and texts of a message that is kept as evidence; a diary of some weeks has tens of thousands.
const BOUNDS: Bounds = Bounds::nodes(500_000);

/// Reads a whole document; none if it is not well-formed, has a document type, is nested too deep or too costly.
pub(super) fn parse(text: &str) -> Option<Node> {
    let document = bounded_xml::parse(text, BOUNDS).ok()?;
    let mut root = Node::default();
    for child in document.root().children() {
        read(child, text, &mut root, DEEPEST)?;
    }
    Some(root)
}

fn read(from: roxmltree::Node, source: &str, parent: &mut Node, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match from.node_type() {
        NodeType::Element => {
            let mut node = Node::named(from.tag_name().name());
            for attribute in from.attributes() {
                let name = format!("@{}", attribute.name());
                let value = Node::value(&name, attribute.value(), attribute.range_value());
                match name.as_str() {
                    "@value" => node.leaf = value.leaf,
                    _ => node.children.push(value),
                }
            }
            for child in from.children() {
                read(child, source, &mut node, depth)?;
            }
            take_text(&mut node);
            parent.children.push(node);
        }
        NodeType::Text => {
            let text = from.text().unwrap_or_default();
            if !text.trim().is_empty() {
                parent
                    .children
                    .push(Node::value("#text", text, from.range()));
            }
        }
        NodeType::Comment => {
            // Between the marks of the comment, so that it stays one.
            let range = from.range();
            let (start, end) = (range.start + 4, range.end.checked_sub(3)?);
            let text = source.get(start..end)?;
            parent
                .children
                .push(Node::value("#comment", text, start..end));
        }
        NodeType::Root | NodeType::PI => {}
    }
    Some(())
}

/// An element with text alone holds it as its value.
fn take_text(node: &mut Node) {
    let texts = node
        .children
        .iter()
        .filter(|child| child.name == "#text")
        .count();
    let elements = node
        .children
        .iter()
        .any(|child| !child.name.starts_with(['#', '@']));
    if node.leaf.is_none() && texts == 1 && !elements {
        let at = node.children.iter().position(|child| child.name == "#text");
        node.leaf = at.and_then(|at| node.children.remove(at).leaf);
    }
}
