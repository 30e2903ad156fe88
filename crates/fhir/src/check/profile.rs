//! Checks the rules of profiles: cardinality, slices, fixed values, types, bindings, targets.

use super::compiled::{Def, Node, Type};
use super::walk::Walk;
use crate::article::with_article;
use crate::issue::{IssueCode, Severity};
use crate::package::SlicingRules;
use crate::tree::Element;
use std::ops::Range;

impl Node {
    /// True when the rules are for elements of this name.
    fn is_for(&self, name: &str, choice: Option<&str>) -> bool {
        self.name == name || (choice.is_some() && self.choice == choice)
    }

    /// True when an element belongs to this slice.
    fn marks(&self, element: &Element) -> bool {
        !self.marks.is_empty()
            && self
                .marks
                .iter()
                .all(|(path, value)| has(element, path, value))
    }

    /// The marks of the slice, for messages.
    fn described(&self) -> String {
        let marks: Vec<String> = self
            .marks
            .iter()
            .map(|(path, value)| format!("{} `{value}`", path.join(".")))
            .collect();
        marks.join(" and ")
    }
}

/// True when any element at the path has the value.
fn has(element: &Element, path: &[&str], value: &str) -> bool {
    match path.split_first() {
        None => element.as_str() == Some(value),
        Some((step, rest)) => element
            .children()
            .iter()
            .any(|c| c.name() == *step && has(c, rest, value)),
    }
}

impl<'a> Walk<'a> {
    /// Pushes the rules for a child on the stack: those for its name, and those of its slice.
    pub(super) fn nodes_for(
        &mut self,
        child: &'a Element,
        def: &'a Def,
        parents: Range<usize>,
    ) -> Range<usize> {
        let start = self.nodes.len();
        for i in parents {
            let parent = self.nodes[i];
            for node in &parent.children {
                if node.is_for(def.name, def.choice) && (node.slice.is_none() || node.marks(child))
                {
                    self.nodes.push(node);
                }
            }
        }
        start..self.nodes.len()
    }

    /// Checks the number of each element and slice in an element.
    pub(super) fn profile_cardinality(
        &mut self,
        element: &'a Element,
        of: &'a Type,
        parent: &'a Node,
        base: usize,
    ) {
        for node in &parent.children {
            if node.slice.is_some() {
                let members = element
                    .children()
                    .iter()
                    .filter(|c| c.name() == node.name && node.marks(c))
                    .count();
                self.profile_count(element, node, members as u32, 0, None);
            } else {
                let found;
                let known = node.within.and_then(|at| self.compiled.types.get(at));
                let places = match known {
                    Some(within) if std::ptr::eq(within, of) => &node.places,
                    _ => {
                        let fits = |i: &usize| node.is_for(of.defs[*i].name, of.defs[*i].choice);
                        found = (0..of.defs.len()).filter(fits).collect();
                        &found
                    }
                };
                let defs = || places.iter().map(|i| &of.defs[*i]);
                let count = places.iter().map(|i| self.counts[base + i]).sum();
                let min = defs().map(|d| d.min).min().unwrap_or(0);
                let max = defs().find_map(|d| d.max);
                self.profile_count(element, node, count, min, max);
            }
            if let Some(rules) = node.slicing {
                self.outside_of_slices(element, parent, node, rules);
            }
        }
    }

    /// Reports a number that the base rules have not reported.
    fn profile_count(
        &mut self,
        element: &'a Element,
        node: &'a Node,
        count: u32,
        base_min: u32,
        base_max: Option<u32>,
    ) {
        let few = count < node.min && count >= base_min;
        let many = node
            .max
            .filter(|max| count > *max && base_max.is_none_or(|base| count <= base));
        if !few && many.is_none() {
            return;
        }
        let name = match node.slice {
            Some(_) => format!("{} with {}", node.name, node.described()),
            None => node.name.to_owned(),
        };
        let below = [node.choice.unwrap_or(node.name)];
        if few {
            let message = match node.min {
                1 => format!("{name} is missing; the profile requires it"),
                n => format!("{name} is there {count} times; the profile requires at least {n}"),
            };
            self.error_below(element, &below, IssueCode::Required, message, node.profile);
        }
        let Some(max) = many else {
            return;
        };
        let message = match max {
            0 => format!("{name} is not allowed by the profile; leave it out"),
            n => format!("{name} is there {count} times; the profile allows at most {n}"),
        };
        self.error_below(element, &below, IssueCode::Structure, message, node.profile);
    }

    fn outside_of_slices(
        &mut self,
        element: &'a Element,
        parent: &'a Node,
        node: &'a Node,
        rules: SlicingRules,
    ) {
        if rules == SlicingRules::Open {
            return;
        }
        let mut outside = false;
        for (index, child) in element
            .children()
            .iter()
            .filter(|c| c.name() == node.name)
            .enumerate()
        {
            let sliced = parent
                .children
                .iter()
                .any(|n| n.name == node.name && n.slice.is_some() && n.marks(child));
            let (severity, message) = match (rules, sliced) {
                (SlicingRules::Closed, false) => (
                    Severity::Error,
                    "the profile allows none but its own kinds here",
                ),
                (SlicingRules::OpenAtEnd, true) if outside => (
                    Severity::Warning,
                    "the profile wants its own kinds first and others after them",
                ),
                _ => {
                    outside |= !sliced;
                    continue;
                }
            };
            self.steps.push(super::walk::Step {
                name: node.name,
                index: Some(index),
            });
            self.add(child, severity, IssueCode::Structure, message, node.profile);
            self.steps.pop();
        }
    }

    /// Checks a profile's rules for the element itself.
    pub(super) fn value_rules(&mut self, element: &'a Element, of: &'a Type, node: &'a Node) {
        if let Some(fixed) = node.fixed
            && element.as_str().is_some_and(|value| value != fixed)
        {
            let message = format!("the profile fixes this value; right would be `{fixed}`");
            self.error(element, IssueCode::Value, message, node.profile);
        }
        if !node.types.is_empty() && !node.types.contains(&of.name) {
            let message = format!(
                "{} is not allowed by the profile; right would be {}",
                with_article(of.name),
                node.types.join(", ")
            );
            self.error(element, IssueCode::Value, message, node.profile);
        }
        if let Some(bound) = &node.binding {
            self.binding(element, of, bound, node.profile);
        }
        if !node.targets.is_empty() {
            self.targets(element, &node.targets, node.profile);
        }
        if !node.rules.is_empty() {
            self.invariants(element, &node.rules, node.profile);
        }
    }
}
