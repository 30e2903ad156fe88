//! The state of one check of one message: position, rules that apply, findings.
//!
//! All levels share the stacks, so that a level costs no allocation.

use super::compiled::{Compiled, Node, Type};
use super::{MAX_ISSUES, Options};
use crate::issue::{Issue, IssueCode, Severity, Stage};
use crate::path::Scope;
use crate::tree::Element;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::ops::Range;

/// One step of the path to the current element.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub name: &'a str,
    pub index: Option<usize>,
}

pub(super) struct Walk<'a> {
    pub compiled: &'a Compiled,
    pub options: &'a Options,
    root: &'a Element,
    pub issues: Vec<Issue>,
    pub steps: Vec<Step<'a>>,
    /// Step at which the current resource starts.
    pub resource_at: usize,
    pub scope: Scope<'a>,
    /// Profile rules that apply at each level.
    pub nodes: Vec<&'a Node>,
    /// How many of each element were seen at each level.
    pub counts: Vec<u32>,
    /// Resources in the current container, by id. Of two with the same id the first counts.
    pub contained: HashMap<&'a str, &'a Element>,
    /// Local references seen in the current container.
    pub local: HashSet<&'a str>,
    /// True once excessive nesting was reported; it is reported once.
    pub too_deep: bool,
    /// Element ids seen in the current resource.
    pub ids: HashSet<&'a str>,
}

impl<'a> Walk<'a> {
    pub fn new(compiled: &'a Compiled, options: &'a Options, root: &'a Element) -> Walk<'a> {
        Walk {
            compiled,
            options,
            root,
            issues: Vec::new(),
            steps: Vec::with_capacity(16),
            resource_at: 0,
            scope: Scope {
                resource: root,
                container: root,
            },
            nodes: Vec::with_capacity(16),
            counts: Vec::with_capacity(256),
            contained: HashMap::new(),
            local: HashSet::new(),
            too_deep: false,
            ids: HashSet::new(),
        }
    }

    pub fn run(mut self) -> Vec<Issue> {
        let name = self.root.resource_type().unwrap_or_default();
        self.steps.push(Step { name, index: None });
        self.resource(self.root, false);
        self.issues
    }

    /// A resource, contained or not. Its step is already on the path.
    pub fn resource(&mut self, element: &'a Element, contained: bool) {
        let Some(name) = element.resource_type().filter(|n| !n.is_empty()) else {
            self.error(
                element,
                IssueCode::Structure,
                "a resource needs a resourceType",
                "",
            );
            return;
        };
        let Some(of) = self.compiled.resource(name) else {
            let message =
                "this resource type is not one that this program checks; it was left unchecked";
            self.add(
                element,
                Severity::Information,
                IssueCode::NotSupported,
                message,
                "",
            );
            return;
        };
        let (scope, at, ids) = (self.scope, self.resource_at, std::mem::take(&mut self.ids));
        self.scope.resource = element;
        self.resource_at = self.steps.len() - 1;
        let nodes = self.profiles(element, of);
        if contained {
            self.element(element, of, nodes.clone());
        } else {
            self.scope.container = element;
            let (local, contained) = (
                std::mem::take(&mut self.local),
                std::mem::take(&mut self.contained),
            );
            for child in element
                .children()
                .iter()
                .filter(|c| c.name() == "contained")
            {
                if let Some(id) = child.str_of("id") {
                    self.contained.entry(id).or_insert(child);
                }
            }
            self.element(element, of, nodes.clone());
            self.contained_are_used(element);
            (self.local, self.contained) = (local, contained);
        }
        self.nodes.truncate(nodes.start);
        (self.scope, self.resource_at, self.ids) = (scope, at, ids);
    }

    /// Pushes the rules of the profiles that apply to a resource on the stack.
    fn profiles(&mut self, element: &'a Element, of: &'a Type) -> Range<usize> {
        let start = self.nodes.len();
        let by_type = self
            .options
            .by_type
            .get(of.name)
            .and_then(|url| self.compiled.profile(url));
        self.nodes.extend(by_type.map(|p| &p.root));
        let Some(meta) = element.get("meta") else {
            return start..self.nodes.len();
        };
        for claimed in meta.children().iter().filter(|c| c.name() == "profile") {
            let Some(url) = claimed.as_str() else {
                continue;
            };
            match self.compiled.profile(url) {
                Some(profile) if profile.type_name == of.name => {
                    let node = &profile.root;
                    if !self.nodes[start..].iter().any(|n| std::ptr::eq(*n, node)) {
                        self.nodes.push(node);
                    }
                }
                Some(profile) => {
                    let message = format!(
                        "the profile is for {}, this is {}; state a profile for {}",
                        profile.type_name, of.name, of.name
                    );
                    self.error_below(
                        claimed,
                        &["meta", "profile"],
                        IssueCode::Value,
                        message,
                        profile.url,
                    );
                }
                None if is_base_profile(url) => {}
                None => {
                    let message = "this profile is not known here; it was left unchecked";
                    self.add_below(
                        claimed,
                        &["meta", "profile"],
                        Severity::Information,
                        IssueCode::NotSupported,
                        message,
                        "",
                    );
                }
            }
        }
        start..self.nodes.len()
    }

    /// An error at the current element.
    pub fn error(
        &mut self,
        element: &Element,
        code: IssueCode,
        message: impl Into<String>,
        rule: &str,
    ) {
        self.add_below(element, &[], Severity::Error, code, message, rule);
    }

    /// An error below the current element; `element` gives the position in the text.
    pub fn error_below(
        &mut self,
        element: &Element,
        below: &[&str],
        code: IssueCode,
        message: impl Into<String>,
        rule: &str,
    ) {
        self.add_below(element, below, Severity::Error, code, message, rule);
    }

    /// An issue at the current element.
    pub fn add(
        &mut self,
        element: &Element,
        severity: Severity,
        code: IssueCode,
        message: impl Into<String>,
        rule: &str,
    ) {
        self.add_below(element, &[], severity, code, message, rule);
    }

    /// An issue below the current element; `element` gives the position in the text.
    pub fn add_below(
        &mut self,
        element: &Element,
        below: &[&str],
        severity: Severity,
        code: IssueCode,
        message: impl Into<String>,
        rule: &str,
    ) {
        if self.is_full() {
            return;
        }
        if self.issues.len() + 1 == MAX_ISSUES {
            let message =
                format!("there are more than {MAX_ISSUES} findings; the rest was left out");
            let notice = Issue::error(Stage::Conformance, IssueCode::TooLong, message);
            self.issues.push(notice.severity(Severity::Information));
            return;
        }
        let mut expression = String::with_capacity(64);
        for (i, step) in self.steps.iter().enumerate() {
            if i > 0 {
                expression.push('.');
            }
            expression.push_str(step.name);
            if let Some(index) = step.index {
                // Writing to a String cannot fail.
                let _ = write!(expression, "[{index}]");
            }
        }
        for name in below {
            expression.push('.');
            expression.push_str(name);
        }
        let issue = Issue::error(Stage::Conformance, code, message)
            .severity(severity)
            .at(expression)
            .pos(element.pos())
            .rule(rule);
        self.issues.push(issue);
    }

    /// True when no more findings are kept.
    pub fn is_full(&self) -> bool {
        self.issues.len() >= MAX_ISSUES
    }
}

/// The base definitions, which are always checked.
fn is_base_profile(url: &str) -> bool {
    url.strip_prefix("http://hl7.org/fhir/StructureDefinition/")
        .is_some_and(|name| crate::schema::Schema::stu3().resource(name).is_some())
}
