//! Reads the children of a request's element by name.

use super::NAMESPACE;
use super::fault::DosFault;
use roxmltree::Node;

/// Namespace of `xsi:nil`, which marks an element without value (XML Schema part 1, 2.6.2).
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The children of an element.
pub struct Fields<'a, 'i> {
    found: Vec<(&'static str, Node<'a, 'i>)>,
}

impl<'a, 'i> Fields<'a, 'i> {
    /// Finds the children. Strict: each once, in the order of `names`, in the namespace, no others. Otherwise the first of
    /// each name counts and others are ignored, as in the live service.
    pub fn read(
        parent: Node<'a, 'i>,
        names: &[&'static str],
        strict: bool,
    ) -> Result<Fields<'a, 'i>, DosFault> {
        let of = parent.tag_name().name();
        if strict && has_text(parent) {
            return Err(DosFault::malformed(format_args!(
                "text between the elements of `{of}`"
            )));
        }
        let mut found: Vec<(&'static str, Node<'a, 'i>)> = Vec::with_capacity(names.len());
        let mut last = 0;
        for child in parent.children().filter(Node::is_element) {
            let tag = child.tag_name();
            let name = tag.name();
            let position = names.iter().position(|n| *n == name);
            if strict {
                check(of, name, tag.namespace(), position, last, names)?;
            }
            let Some(position) = position else { continue };
            if found.iter().any(|(n, _)| *n == name) {
                if strict {
                    return Err(DosFault::malformed(format_args!(
                        "`{name}` stands twice in `{of}`"
                    )));
                }
                continue;
            }
            last = last.max(position);
            if !is_nil(child) {
                found.push((names[position], child));
            }
        }
        Ok(Fields { found })
    }

    /// The child with this name; `None` also if it is nil.
    pub fn get(&self, name: &str) -> Option<Node<'a, 'i>> {
        self.found
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, node)| *node)
    }

    /// The text of a child; `None` if missing or empty.
    pub fn text(&self, name: &str) -> Result<Option<String>, DosFault> {
        self.get(name).map_or(Ok(None), text_of)
    }
}

fn check(
    of: &str,
    name: &str,
    namespace: Option<&str>,
    position: Option<usize>,
    last: usize,
    names: &[&'static str],
) -> Result<(), DosFault> {
    match (position, namespace == Some(NAMESPACE)) {
        (None, _) => Err(DosFault::malformed(format_args!(
            "`{of}` has no element `{name}`; it has {}",
            names.join(", ")
        ))),
        (Some(_), false) => Err(DosFault::malformed(format_args!(
            "`{name}` is not in the namespace {NAMESPACE}"
        ))),
        (Some(position), true) if position < last => Err(DosFault::malformed(format_args!(
            "`{name}` is out of order; the order is {}",
            names.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// The text of an element without children, trimmed; `None` if empty.
pub fn text_of(node: Node<'_, '_>) -> Result<Option<String>, DosFault> {
    let mut text = String::new();
    for child in node.children() {
        if child.is_element() {
            return Err(DosFault::malformed(format_args!(
                "`{}` holds a text, not elements",
                node.tag_name().name()
            )));
        }
        if child.is_text() {
            text.push_str(child.text().unwrap_or_default());
        }
    }
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn has_text(node: Node<'_, '_>) -> bool {
    node.children()
        .any(|c| c.is_text() && !c.text().unwrap_or_default().trim().is_empty())
}

fn is_nil(node: Node<'_, '_>) -> bool {
    matches!(
        node.attribute((XSI, "nil")).map(str::trim),
        Some("true" | "1")
    )
}
