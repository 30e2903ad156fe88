//! Checks extensions: their url, their value or extensions, and the definition of a known one.

use super::walk::Walk;
use crate::issue::{IssueCode, Severity};
use crate::tree::Element;

impl<'a> Walk<'a> {
    /// An extension before its content: pushes the rules of its definition on the stack.
    pub(super) fn extension(&mut self, element: &'a Element, modifier: bool) {
        let Some(url) = element.str_of("url") else {
            return;
        };
        let Some(definition) = self.compiled.profile(url) else {
            self.unknown_extension(element, url, modifier);
            return;
        };
        if definition.modifier != modifier {
            let (is, right) = match definition.modifier {
                true => ("a modifier extension", "modifierExtension"),
                false => ("not a modifier extension", "extension"),
            };
            let message = format!("{url} is {is}; right would be under {right}");
            self.error(element, IssueCode::Extension, message, url);
        }
        if !definition.contexts.is_empty() && !definition.contexts.iter().any(|c| self.stands_on(c))
        {
            let message = format!(
                "{url} cannot stand here; right would be on {}",
                definition.contexts.join(", ")
            );
            self.error(element, IssueCode::Extension, message, url);
        }
        self.nodes.push(&definition.root);
    }

    fn unknown_extension(&mut self, element: &'a Element, url: &str, modifier: bool) {
        // The parts of a complex extension have short names from its definition.
        let part = !url.contains(':');
        match (modifier, part) {
            (true, _) => {
                let message = "a modifier extension that is not known: the content cannot be understood safely; leave it out";
                self.error(element, IssueCode::Extension, message, "");
            }
            (false, true) => {}
            (false, false) => {
                let message = "this extension is not known here; it was kept and ignored";
                self.add(
                    element,
                    Severity::Information,
                    IssueCode::Extension,
                    message,
                    "",
                );
            }
        }
    }

    /// True when the current extension is on the element that a context names: `Patient`, `Patient.identifier`. A context
    /// that is a data type is not checked.
    fn stands_on(&self, context: &str) -> bool {
        if self
            .compiled
            .resource(context.split('.').next().unwrap_or_default())
            .is_none()
        {
            return true;
        }
        let Some((_, on)) = self.steps[self.resource_at..].split_last() else {
            return false;
        };
        let mut names = on.iter().map(|step| step.name);
        let mut wanted = context.split('.');
        let resource = self.scope.resource.resource_type().unwrap_or_default();
        // The first step is `contained` or `resource` for a resource inside another.
        let first = names.next().map(|_| resource);
        wanted.next() == first && names.eq(wanted)
    }

    /// ext-1: either a value or extensions.
    pub(super) fn extension_content(&mut self, element: &'a Element) {
        let value = element
            .children()
            .iter()
            .any(|c| c.name().starts_with("value"));
        let nested = element.children().iter().any(|c| c.name() == "extension");
        let message = match (value, nested) {
            (true, true) => "an extension has a value or extensions, not both",
            (false, false) => "an extension needs a value or extensions",
            _ => return,
        };
        self.error(element, IssueCode::Invariant, message, "ext-1");
    }
}
