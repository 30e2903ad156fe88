//! Base rules of one element: children, their number and types, values, invariants.

use super::MAX_DEPTH;
use super::compiled::{Def, Holds, Limit, Rule, Special, Type};
use super::walk::{Step, Walk};
use crate::article::with_article;
use crate::issue::{IssueCode, Severity};
use crate::primitive;
use crate::schema::{Kind, same_name};
use crate::tree::Element;
use std::ops::Range;

impl<'a> Walk<'a> {
    /// Checks an element of a type. `nodes` are the profile rules that apply to it.
    pub(super) fn element(&mut self, element: &'a Element, of: &'a Type, nodes: Range<usize>) {
        if self.is_full() {
            return;
        }
        if self.steps.len() > MAX_DEPTH {
            if !std::mem::replace(&mut self.too_deep, true) {
                let message = format!(
                    "the message is nested deeper than {MAX_DEPTH} levels; it was left unchecked from here"
                );
                self.error(element, IssueCode::TooLong, message, "");
            }
            return;
        }
        match of.kind {
            Kind::Primitive => self.primitive(element, of),
            _ => self.has_content(element, of),
        }
        // A primitive's children are id and extension only; most have none.
        if of.kind != Kind::Primitive || !element.children().is_empty() || !nodes.is_empty() {
            self.children(element, of, nodes.clone());
        }
        match of.special {
            Special::None => {}
            Special::Extension => self.extension_content(element),
            Special::Reference => self.reference(element),
            Special::Bundle => self.full_urls(element),
        }
        if !of.rules.is_empty() {
            self.invariants(element, &of.rules, "");
        }
        for i in nodes {
            let node = self.nodes[i];
            self.value_rules(element, of, node);
        }
    }

    /// The grammar of a primitive, and ele-1.
    fn primitive(&mut self, element: &'a Element, of: &'a Type) {
        match element.value() {
            Some(value) => {
                if let Some(wrong) = primitive::check(of.name, value) {
                    let rule = if of.name == "xhtml" { "txt-1" } else { "" };
                    self.error(element, IssueCode::Value, wrong, rule);
                }
            }
            None if element.children().iter().all(|c| c.name() == "id") => {
                let message = format!(
                    "the {} has neither value nor extension; give a value or leave it out",
                    of.name
                );
                self.error(element, IssueCode::Invariant, message, "ele-1");
            }
            None => {}
        }
    }

    /// A complex element has children and no value (ele-1).
    fn has_content(&mut self, element: &'a Element, of: &'a Type) {
        if element.value().is_some() {
            let message = format!("{} holds elements, not a value", of.name);
            self.error(element, IssueCode::Structure, message, "");
        } else if of.kind != Kind::Resource && element.children().iter().all(|c| c.name() == "id") {
            let message = format!("the {} is empty; fill it or leave it out", of.name);
            self.error(element, IssueCode::Invariant, message, "ele-1");
        }
    }

    fn children(&mut self, element: &'a Element, of: &'a Type, nodes: Range<usize>) {
        let base = self.counts.len();
        self.counts.resize(base + of.defs.len(), 0);
        let mut cursor = 0;
        let mut unknown: usize = 0;
        for child in element.children() {
            let Some(place) = find(&of.defs, child, cursor) else {
                if of.kind == Kind::Primitive && matches!(child.name(), "id" | "extension") {
                    self.child_of_primitive(child, unknown, nodes.clone());
                    unknown += usize::from(child.name() == "extension");
                } else {
                    self.unknown(child);
                }
                continue;
            };
            cursor = place;
            let def = &of.defs[place];
            let index = self.counts[base + place];
            self.counts[base + place] += 1;
            let index = (def.max != Some(1)).then_some(index as usize);
            self.child(
                child,
                def,
                Step {
                    name: def.name,
                    index,
                },
                nodes.clone(),
            );
        }
        for (place, limit) in of.limits.iter().enumerate() {
            let count = self.counts[base + place];
            let right = match limit {
                Limit::Plain { min, max } => (*min..=*max).contains(&count),
                Limit::Choice => false,
                Limit::Other => true,
            };
            if !right {
                self.cardinality(element, &of.defs, place, base);
            }
        }
        for i in nodes {
            let node = self.nodes[i];
            self.profile_cardinality(element, of, node, base);
        }
        self.counts.truncate(base);
    }

    /// One child with its definition.
    fn child(&mut self, child: &'a Element, def: &'a Def, step: Step<'a>, nodes: Range<usize>) {
        self.steps.push(step);
        let own = self.nodes_for(child, def, nodes);
        match def.holds {
            Holds::Type(place) => {
                let of = &self.compiled.types[place];
                if child.resource_type().is_some() {
                    let message =
                        format!("a resource stands where {} is right", with_article(of.name));
                    self.error(child, IssueCode::Structure, message, "");
                }
                if of.special == Special::Extension {
                    self.extension(child, def.name == "modifierExtension");
                }
                if def.name == "implicitRules" && child.value().is_some() {
                    let message = "rules that are not known: the content cannot be understood safely; leave it out";
                    self.error(child, IssueCode::NotSupported, message, "");
                }
                if self.options.undefined_codes && of.name == "Coding" {
                    self.undefined_code(child);
                }
                self.element(child, of, own.start..self.nodes.len());
                // A profile can only narrow a binding, so its own binding is enough.
                let narrowed = || self.nodes[own.clone()].iter().any(|n| n.binding.is_some());
                if let Some(bound) = def.binding.as_ref().filter(|_| !narrowed()) {
                    self.binding(child, of, bound, "");
                }
                if !def.targets.is_empty() {
                    self.targets(child, &def.targets, "");
                }
                if def.name == "id" && of.name == "string" {
                    self.element_id(child);
                }
            }
            Holds::Resource if def.name == "contained" => self.contained(child),
            Holds::Resource => self.resource(child, false),
        }
        if !def.rules.is_empty() {
            self.invariants(child, &def.rules, "");
        }
        self.nodes.truncate(own.start);
        self.steps.pop();
    }

    /// `id` and `extension` of a primitive, whose type lists no elements.
    fn child_of_primitive(&mut self, child: &'a Element, index: usize, nodes: Range<usize>) {
        if child.name() == "id" {
            self.steps.push(Step {
                name: "id",
                index: None,
            });
            self.element_id(child);
            self.steps.pop();
            return;
        }
        let Some(def) = self.compiled.extension_def() else {
            return;
        };
        self.child(
            child,
            def,
            Step {
                name: "extension",
                index: Some(index),
            },
            nodes,
        );
    }

    /// Element ids are unique within a resource.
    fn element_id(&mut self, id: &'a Element) {
        let Some(text) = id.as_str() else { return };
        if !self.ids.insert(text) {
            let message =
                "another element of the resource has this id; ids are unique within a resource";
            self.error(id, IssueCode::Value, message, "");
        }
    }

    fn unknown(&mut self, child: &'a Element) {
        if !can_be_written(child) {
            self.steps.push(Step {
                name: child.name(),
                index: None,
            });
            let message = "the text has a control character, U+FFFE or U+FFFF, which XML cannot write; leave it out";
            self.error(child, IssueCode::Value, message, "");
            self.steps.pop();
        }
        if !self.options.unknown_elements {
            return;
        }
        self.steps.push(Step {
            name: child.name(),
            index: None,
        });
        let message = "STU3 does not define this element here; it is kept and ignored";
        self.add(
            child,
            Severity::Information,
            IssueCode::Extension,
            message,
            "",
        );
        self.steps.pop();
    }

    /// Base cardinality of one element, or of all types of a choice together.
    fn cardinality(&mut self, element: &'a Element, defs: &'a [Def], place: usize, base: usize) {
        let def = &defs[place];
        let of_choice = || {
            defs[place..]
                .iter()
                .enumerate()
                .take_while(|(_, d)| d.leader == place)
        };
        let count: u32 = match def.choice {
            None => self.counts[base + place],
            Some(_) => of_choice()
                .map(|(i, _)| self.counts[base + place + i])
                .sum(),
        };
        if count < def.min {
            let name = def
                .choice
                .map_or_else(|| def.name.to_owned(), |choice| format!("{choice}[x]"));
            let message = match def.min {
                1 => format!("{name} is missing; it is required"),
                n => format!("{name} is there {count} times; at least {n} are required"),
            };
            self.error_below(
                element,
                &[def.choice.unwrap_or(def.name)],
                IssueCode::Required,
                message,
                "",
            );
        }
        let Some(max) = def.max.filter(|max| count > *max) else {
            return;
        };
        let (name, message) = match def.choice {
            None => (
                def.name,
                format!(
                    "{} is there {count} times; at most {max} is allowed",
                    def.name
                ),
            ),
            Some(choice) => {
                let given: Vec<&str> = of_choice()
                    .filter(|(i, _)| self.counts[base + place + i] > 0)
                    .map(|(_, d)| d.name)
                    .collect();
                (
                    choice,
                    format!(
                        "only one type of {choice}[x] is allowed, but there are {}",
                        given.join(", ")
                    ),
                )
            }
        };
        self.error_below(element, &[name], IssueCode::Structure, message, "");
    }

    /// Evaluates invariants. One that cannot be evaluated is reported, never taken as passed.
    pub(super) fn invariants(&mut self, element: &'a Element, rules: &'a [Rule], profile: &str) {
        for rule in rules {
            let outcome = match &rule.expression {
                Some(expression) => expression
                    .holds(element, self.scope)
                    .map_err(|e| e.to_string()),
                None => Err("its expression cannot be read".to_owned()),
            };
            if matches!(outcome, Ok(None | Some(true))) {
                continue;
            }
            let from = match profile {
                "" => String::new(),
                profile => format!(" of {profile}"),
            };
            match outcome {
                Ok(Some(false)) => {
                    let severity = if rule.warning {
                        Severity::Warning
                    } else {
                        Severity::Error
                    };
                    let message =
                        format!("rule {}{from} is broken: {}", rule.key, meaning(rule.key));
                    self.add(
                        element,
                        severity,
                        IssueCode::Invariant,
                        message.trim_end_matches(": "),
                        rule.key,
                    );
                }
                Ok(_) => {}
                Err(why) => {
                    let message = format!("rule {}{from} could not be checked: {why}", rule.key);
                    self.add(
                        element,
                        Severity::Warning,
                        IssueCode::NotSupported,
                        message,
                        rule.key,
                    );
                }
            }
        }
    }
}

/// Whether XML can write all text of an element that STU3 does not define.
fn can_be_written(element: &Element) -> bool {
    let mut open = vec![element];
    while let Some(element) = open.pop() {
        let fits = |text: &str| text.chars().all(crate::xml_text::is_allowed);
        if !element.as_str().is_none_or(fits) {
            return false;
        }
        open.extend(element.children());
    }
    true
}

fn find(defs: &[Def], child: &Element, cursor: usize) -> Option<usize> {
    let (hint, name) = (child.place_hint(), child.name());
    if defs.get(hint).is_some_and(|d| same_name(d.name, name)) {
        return Some(hint);
    }
    let (before, after) = defs.split_at(cursor.min(defs.len()));
    let at = |part: &[Def]| part.iter().position(|d| d.name == name);
    at(after).map(|i| i + before.len()).or_else(|| at(before))
}

/// What would be right, for common invariants; for others only their key is reported.
fn meaning(key: &str) -> &'static str {
    match key {
        "app-1" => "a participant needs a type or an actor",
        "app-2" => "give both start and end, or neither",
        "app-3" => "start and end may be left out only when status is proposed or cancelled",
        "att-1" => "an attachment with data needs its contentType",
        "bdl-1" => "total is for searchset and history only",
        "bdl-2" => "entry.search is for searchset only",
        "bdl-3" => "entry.request is for batch, transaction and history only",
        "bdl-4" => "entry.response is for batch-response and transaction-response only",
        "bdl-5" => "an entry needs a resource, a request or a response",
        "bdl-7" => "each fullUrl stands once, unless versions differ",
        "bdl-8" => "fullUrl cannot name a version",
        "bdl-9" => "a document needs an identifier with system and value",
        "cpt-2" => "a contact point with a value needs its system",
        "org-1" => "an organization needs an identifier or a name",
        "org-2" => "the address of an organization cannot have use home",
        "org-3" => "the telecom of an organization cannot have use home",
        "pat-1" => "a contact needs a name, telecom, address or organization",
        "per-1" => "start is not after end",
        "qty-3" => "a quantity with a code needs its system",
        "rng-2" => "low is not above high",
        _ => "",
    }
}
