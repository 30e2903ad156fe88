//! Checks references, contained resources, and the addresses of Bundle entries.

use super::walk::Walk;
use crate::issue::IssueCode;
use crate::primitive::is_id;
use crate::tree::Element;

/// The target of a reference.
enum Target<'a> {
    /// `#id`
    Local(&'a str),
    /// `Type/id`
    Relative(&'a str),
    /// An address or URN.
    Absolute,
    /// None of these.
    Bad,
}

fn target(text: &str) -> Target<'_> {
    if let Some(id) = text.strip_prefix('#') {
        return Target::Local(id);
    }
    if text.starts_with("urn:") || text.contains("://") {
        return Target::Absolute;
    }
    let mut parts = text.split('/');
    let (of, id) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let version = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => true,
        (Some("_history"), Some(version), None) => is_id(version),
        _ => false,
    };
    let is_type = of.starts_with(|c: char| c.is_ascii_uppercase())
        && of.bytes().all(|b| b.is_ascii_alphabetic());
    match is_type && is_id(id) && version {
        true => Target::Relative(of),
        false => Target::Bad,
    }
}

impl<'a> Walk<'a> {
    /// The format of a Reference, and ref-1: a local one names a contained resource.
    pub(super) fn reference(&mut self, element: &'a Element) {
        let Some(reference) = element.get("reference") else {
            return;
        };
        let Some(text) = reference.as_str() else {
            return;
        };
        match target(text) {
            Target::Local(id) => {
                self.local.insert(id);
                // In a contained resource, `#` alone means its container.
                let inner = !std::ptr::eq(self.scope.resource, self.scope.container);
                if (!id.is_empty() || !inner) && self.contained_by_id(id).is_none() {
                    let message = "no contained resource has this id; right would be # and the id of one in contained";
                    self.error_below(
                        reference,
                        &["reference"],
                        IssueCode::NotFound,
                        message,
                        "ref-1",
                    );
                }
            }
            Target::Bad => {
                let message = "this is not a reference; right would be Type/id, #id of a contained resource, or a full address";
                self.error_below(reference, &["reference"], IssueCode::Value, message, "");
            }
            Target::Relative(_) | Target::Absolute => {}
        }
    }

    /// Checks that the target's resource type is allowed.
    pub(super) fn targets(&mut self, element: &'a Element, allowed: &[&str], profile: &str) {
        let Some(reference) = element.get("reference") else {
            return;
        };
        let found = match reference.as_str().map(target) {
            Some(Target::Relative(of)) => Some(of),
            Some(Target::Local(id)) => self.contained_by_id(id).and_then(Element::resource_type),
            _ => None,
        };
        let Some(of) = found.filter(|of| !allowed.contains(of)) else {
            return;
        };
        // A name that is no resource type could hold anything, so it is not quoted.
        let other = match self.compiled.resource(of) {
            Some(known) => known.name,
            None => "another type",
        };
        let right = allowed.join(", ");
        let message = format!("the reference points at {other}; right would be {right}");
        self.error_below(
            reference,
            &["reference"],
            IssueCode::Value,
            message,
            profile,
        );
    }

    fn contained_by_id(&self, id: &str) -> Option<&'a Element> {
        self.contained.get(id).copied()
    }

    /// One contained resource: its own rules, dom-1, dom-2, dom-4.
    pub(super) fn contained(&mut self, child: &'a Element) {
        if !std::ptr::eq(self.scope.resource, self.scope.container) {
            let message = "a contained resource cannot contain others; move this one up";
            self.error(child, IssueCode::Invariant, message, "dom-2");
            return;
        }
        match child.str_of("id") {
            None => {
                let message = "a contained resource needs an id, so that it can be referred to";
                self.error_below(child, &["id"], IssueCode::Required, message, "");
            }
            Some(id) => {
                if self
                    .contained_by_id(id)
                    .is_some_and(|first| !std::ptr::eq(first, child))
                {
                    let message =
                        "another contained resource has this id; ids in contained are unique";
                    self.error_below(child, &["id"], IssueCode::Value, message, "");
                }
            }
        }
        if let Some(text) = child.get("text") {
            let message = "a contained resource has no narrative; leave text out";
            self.error_below(text, &["text"], IssueCode::Invariant, message, "dom-1");
        }
        if let Some(meta) = child.get("meta") {
            for name in ["versionId", "lastUpdated"] {
                if let Some(found) = meta.get(name) {
                    let message = format!("a contained resource has no meta.{name}; leave it out");
                    self.error_below(
                        found,
                        &["meta", name],
                        IssueCode::Invariant,
                        message,
                        "dom-4",
                    );
                }
            }
        }
        self.resource(child, true);
    }

    /// dom-3: something in the resource refers to each contained resource.
    pub(super) fn contained_are_used(&mut self, container: &'a Element) {
        let contained = container
            .children()
            .iter()
            .filter(|c| c.name() == "contained");
        for (index, child) in contained.enumerate() {
            let Some(id) = child.str_of("id") else {
                continue;
            };
            if !self.local.contains(id) {
                self.steps.push(super::walk::Step {
                    name: "contained",
                    index: Some(index),
                });
                let message = "nothing in the resource refers to this contained resource; refer to it with # and its id, or leave it out";
                self.error(child, IssueCode::Invariant, message, "dom-3");
                self.steps.pop();
            }
        }
    }

    /// The id at the end of an entry's fullUrl has to be its resource's id.
    pub(super) fn full_urls(&mut self, bundle: &'a Element) {
        let entries = bundle.children().iter().filter(|c| c.name() == "entry");
        for (index, entry) in entries.enumerate() {
            let (Some(full_url), Some(resource)) = (entry.get("fullUrl"), entry.get("resource"))
            else {
                continue;
            };
            let (Some(url), Some(id)) = (full_url.as_str(), resource.str_of("id")) else {
                continue;
            };
            let same = url
                .strip_suffix(id)
                .is_some_and(|front| front.ends_with('/') || front.ends_with(':'));
            if !same && !url.starts_with("urn:") {
                self.steps.push(super::walk::Step {
                    name: "entry",
                    index: Some(index),
                });
                let message = "fullUrl does not end with the id of the resource; right would be base address, type and id";
                self.error_below(full_url, &["fullUrl"], IssueCode::Value, message, "");
                self.steps.pop();
            }
        }
    }
}
