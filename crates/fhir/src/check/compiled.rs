//! Prepares schema and profiles for checking: names become indexes, invariants are parsed.

use crate::code_system::{self, CodeSystem};
use crate::package::{ElementRules, Package, SlicingRules};
use crate::path::{Expression, PathError};
use crate::schema::{Invariant, Kind, Schema, Strength, ValueSet};
use std::collections::HashMap;

/// Invariants that this checker decides without FHIRPath.
const BUILT_IN: &[&str] = &[
    "ele-1", "ext-1", "dom-1", "dom-2", "dom-3", "dom-4", "ref-1", "txt-1", "txt-2",
];

/// An invariant that cannot be parsed.
#[derive(Clone, Debug)]
pub struct ExpressionFault {
    /// Key of the invariant.
    pub key: &'static str,
    /// Its FHIRPath.
    pub expression: &'static str,
    /// Why it cannot be parsed.
    pub error: PathError,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub key: &'static str,
    pub warning: bool,
    /// `None` if it cannot be parsed.
    pub expression: Option<Expression>,
}

#[derive(Debug)]
pub(super) struct Bound {
    pub strength: Strength,
    pub url: &'static str,
    pub set: ValueSet,
}

/// The content of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A value of a type, an index into [`Compiled::types`].
    Type(usize),
    /// Any resource.
    Resource,
}

#[derive(Debug)]
pub(super) struct Def {
    pub name: &'static str,
    /// Index of the first element of the same choice, else its own.
    pub leader: usize,
    pub choice: Option<&'static str>,
    pub min: u32,
    pub max: Option<u32>,
    pub holds: Holds,
    pub binding: Option<Bound>,
    pub targets: Vec<&'static str>,
    pub rules: Vec<Rule>,
}

/// Data types with checks of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    None,
    Extension,
    Reference,
    Bundle,
}

#[derive(Debug)]
pub(super) struct Type {
    pub name: &'static str,
    pub kind: Kind,
    pub special: Special,
    pub defs: Vec<Def>,
    /// The numbers of `defs`, in the same order, packed: every element of the type needs them.
    pub limits: Vec<Limit>,
    pub rules: Vec<Rule>,
}

/// How often an element may occur.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// Between these numbers.
    Plain { min: u32, max: u32 },
    /// The first of a choice; its numbers apply to all of them together.
    Choice,
    /// Another of a choice.
    Other,
}

/// Rules of a profile for one element or slice.
#[derive(Debug)]
pub(super) struct Node {
    /// URL of the profile with these rules.
    pub profile: &'static str,
    pub name: &'static str,
    /// `value` of `value[x]`.
    pub choice: Option<&'static str>,
    pub slice: Option<&'static str>,
    /// Type of the parent element, an index into [`Compiled::types`], if known.
    pub within: Option<usize>,
    /// Indexes of the elements for these rules in that type.
    pub places: Vec<usize>,
    pub min: u32,
    pub max: Option<u32>,
    pub fixed: Option<&'static str>,
    pub types: Vec<&'static str>,
    pub targets: Vec<&'static str>,
    pub binding: Option<Bound>,
    pub rules: Vec<Rule>,
    pub slicing: Option<SlicingRules>,
    /// For a slice, the path and value that identify its elements.
    pub marks: Vec<(Vec<&'static str>, &'static str)>,
    pub children: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct CompiledProfile {
    pub url: &'static str,
    pub type_name: &'static str,
    pub contexts: Vec<&'static str>,
    pub modifier: bool,
    pub root: Node,
}

#[derive(Debug)]
pub(super) struct Compiled {
    pub types: Vec<Type>,
    resources: HashMap<&'static str, usize>,
    profiles: Vec<CompiledProfile>,
    by_url: HashMap<&'static str, usize>,
    /// Complete code systems, by URL.
    pub code_systems: HashMap<&'static str, CodeSystem>,
    pub faults: Vec<ExpressionFault>,
}

impl Compiled {
    pub fn new(schema: &'static Schema, packages: &[Package]) -> Compiled {
        let mut sets: HashMap<&'static str, ValueSet> = HashMap::new();
        for package in packages {
            sets.extend(
                package
                    .value_sets
                    .iter()
                    .map(|(url, set)| (*url, set.clone())),
            );
        }
        let mut maker = Maker {
            schema,
            sets,
            faults: Vec::new(),
        };
        let places: HashMap<&'static str, usize> = schema
            .types()
            .iter()
            .enumerate()
            .map(|(i, t)| (t.name, i))
            .collect();
        let types = schema
            .types()
            .iter()
            .map(|t| maker.base_type(t, &places))
            .collect::<Vec<_>>();
        let mut profiles = Vec::new();
        for profile in packages.iter().flat_map(|p| &p.profiles) {
            profiles.push(CompiledProfile {
                url: profile.url,
                type_name: profile.type_name,
                contexts: profile.contexts.clone(),
                modifier: profile.modifier,
                root: maker.node(
                    &types,
                    &profile.root,
                    (None, places.get(profile.type_name).copied()),
                    profile.url,
                    &[],
                ),
            });
        }
        let mut code_systems = code_system::stu3();
        let more = packages.iter().flat_map(|p| &p.code_systems);
        code_systems.extend(more.map(|s| (s.url, s.clone())));
        Compiled {
            code_systems,
            resources: types
                .iter()
                .enumerate()
                .filter(|(_, t)| t.kind == Kind::Resource)
                .map(|(i, t)| (t.name, i))
                .collect(),
            by_url: profiles
                .iter()
                .enumerate()
                .map(|(i, p)| (p.url, i))
                .collect(),
            faults: maker.faults,
            types,
            profiles,
        }
    }

    pub fn resource(&self, name: &str) -> Option<&Type> {
        self.resources.get(name).map(|i| &self.types[*i])
    }

    /// The definition of `extension` for primitives, whose types list no elements.
    pub fn extension_def(&self) -> Option<&Def> {
        let extension = self
            .types
            .iter()
            .find(|t| t.special == Special::Extension)?;
        extension.defs.iter().find(|d| d.name == "extension")
    }

    pub fn profile(&self, url: &str) -> Option<&CompiledProfile> {
        self.by_url.get(url).map(|i| &self.profiles[*i])
    }
}

struct Maker {
    schema: &'static Schema,
    sets: HashMap<&'static str, ValueSet>,
    faults: Vec<ExpressionFault>,
}

impl Maker {
    fn rules(&mut self, invariants: &[Invariant]) -> Vec<Rule> {
        let mut rules = Vec::new();
        for invariant in invariants.iter().filter(|i| !BUILT_IN.contains(&i.key)) {
            let expression = match Expression::parse(invariant.expression) {
                Ok(expression) => Some(expression),
                Err(error) => {
                    let (key, expression) = (invariant.key, invariant.expression);
                    self.faults.push(ExpressionFault {
                        key,
                        expression,
                        error,
                    });
                    None
                }
            };
            rules.push(Rule {
                key: invariant.key,
                warning: invariant.warning,
                expression,
            });
        }
        rules
    }

    /// A binding that can be checked: not preferred, not example, with a value set that is listed.
    fn bound(&self, binding: Option<crate::schema::Binding>) -> Option<Bound> {
        let binding = binding?;
        if matches!(binding.strength, Strength::Preferred | Strength::Example) {
            return None;
        }
        let set = self
            .sets
            .get(binding.value_set)
            .or_else(|| self.schema.value_set(binding.value_set))?;
        set.listed.then(|| Bound {
            strength: binding.strength,
            url: binding.value_set,
            set: set.clone(),
        })
    }

    fn base_type(
        &mut self,
        base: &'static crate::schema::TypeDef,
        places: &HashMap<&'static str, usize>,
    ) -> Type {
        let mut defs: Vec<Def> = Vec::with_capacity(base.elements.len());
        for (place, element) in base.elements.iter().enumerate() {
            let leader = match defs.last() {
                Some(last) if element.choice.is_some() && last.choice == element.choice => {
                    last.leader
                }
                _ => place,
            };
            defs.push(Def {
                name: element.name,
                leader,
                choice: element.choice,
                min: element.min,
                max: element.max,
                holds: places
                    .get(element.type_name)
                    .map_or(Holds::Resource, |i| Holds::Type(*i)),
                binding: self.bound(element.binding),
                targets: element
                    .targets
                    .iter()
                    .copied()
                    .filter(|t| !matches!(*t, "Any" | "Resource"))
                    .collect(),
                rules: self.rules(&element.invariants),
            });
        }
        let limit = |(place, def): (usize, &Def)| match def.choice {
            None => Limit::Plain {
                min: def.min,
                max: def.max.unwrap_or(u32::MAX),
            },
            Some(_) if def.leader == place => Limit::Choice,
            Some(_) => Limit::Other,
        };
        Type {
            limits: defs.iter().enumerate().map(limit).collect(),
            name: base.name,
            kind: base.kind,
            special: match base.name {
                "Extension" => Special::Extension,
                "Reference" => Special::Reference,
                "Bundle" => Special::Bundle,
                _ => Special::None,
            },
            defs,
            rules: self.rules(&base.invariants),
        }
    }

    /// `within` and `own` are the types of the parent and of the element itself, if known.
    fn node(
        &mut self,
        types: &[Type],
        rules: &ElementRules,
        (within, own): (Option<usize>, Option<usize>),
        profile: &'static str,
        discriminators: &[&'static str],
    ) -> Node {
        let children = rules
            .children
            .iter()
            .map(|child| {
                let sliced = rules
                    .children
                    .iter()
                    .find(|c| c.name == child.name && c.slice.is_none());
                let by = match (child.slice, sliced.and_then(|s| s.slicing.as_ref())) {
                    (None, _) => &[][..],
                    (Some(_), Some(slicing)) => &slicing.discriminators,
                    (Some(_), None) => &["url"][..],
                };
                let of_child = match places_of(types, own, child.name).as_slice() {
                    [one] => own.and_then(|t| match types[t].defs[*one].holds {
                        Holds::Type(place) => Some(place),
                        Holds::Resource => None,
                    }),
                    _ => None,
                };
                self.node(types, child, (own, of_child), profile, by)
            })
            .collect();
        Node {
            profile,
            name: rules.name,
            choice: rules.name.strip_suffix("[x]"),
            within,
            places: places_of(types, within, rules.name),
            slice: rules.slice,
            min: rules.min.unwrap_or(0),
            max: rules.max.flatten(),
            fixed: rules.fixed,
            types: rules.types.clone(),
            targets: rules.targets.clone(),
            binding: self.bound(rules.binding),
            rules: self.rules(&rules.invariants),
            slicing: rules.slicing.as_ref().map(|s| s.rules),
            marks: discriminators
                .iter()
                .filter_map(|path| mark(rules, path))
                .collect(),
            children,
        }
    }
}

/// Indexes in a type of the elements of a name, which may be `value[x]`.
fn places_of(types: &[Type], within: Option<usize>, name: &str) -> Vec<usize> {
    let choice = name.strip_suffix("[x]");
    let Some(of) = within.and_then(|place| types.get(place)) else {
        return Vec::new();
    };
    let fits = |def: &Def| def.name == name || (choice.is_some() && def.choice == choice);
    (0..of.defs.len())
        .filter(|place| fits(&of.defs[*place]))
        .collect()
}

/// The value of a slice at a discriminator's path.
fn mark(rules: &ElementRules, path: &'static str) -> Option<(Vec<&'static str>, &'static str)> {
    if path == "url"
        && let Some(url) = rules.profiles.first()
    {
        return Some((vec!["url"], url));
    }
    let steps: Vec<&'static str> = path.split('.').collect();
    let mut at = rules;
    for step in &steps {
        at = at
            .children
            .iter()
            .find(|c| c.name == *step && c.fixed.is_some())
            .or_else(|| at.children.iter().find(|c| c.name == *step))?;
    }
    Some((steps, at.fixed?))
}
