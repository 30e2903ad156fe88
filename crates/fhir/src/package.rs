//! Profile packages: profiles, extension definitions and their value sets.
//!
//! A package is a generated text table with one fact per line, its fields separated by tabs:
//!
//! | line | fields |
//! |---|---|
//! | `P` | url, type, contexts (comma), `m` for a modifier extension |
//! | `E` | path, min, max, fixed value, types, profiles, targets (comma each), binding strength, value set |
//! | `D` | path, slicing rules, discriminators (comma) |
//! | `I` | path, key, `error` or `warning`, FHIRPath |
//! | `V` `C` `U` | value set url; system and its codes (space); "cannot be listed" |
//! | `S` | complete code system: url, `i` if the case of codes does not matter, codes (space) |
//!
//! A path omits the type's name (`identifier:nhsNumber.system`). An empty field means the base rule.

use crate::code_system::CodeSystem;
use crate::schema::{Binding, Invariant, Strength, ValueSet};
use std::collections::HashMap;

/// Why a table cannot be read as a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("profile package, line {line}: {message}")]
pub struct PackageError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Where elements outside all slices are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlicingRules {
    /// Anywhere.
    Open,
    /// After the slices only.
    OpenAtEnd,
    /// Not at all.
    Closed,
}

/// How a list is divided into slices.
#[derive(Clone, Debug)]
pub struct Slicing {
    /// Which elements outside the slices the list may have.
    pub rules: SlicingRules,
    /// Paths whose fixed value identifies a slice; `url` for extensions.
    pub discriminators: Vec<&'static str>,
}

/// The rules of a profile for one element, or for one slice of it.
#[derive(Clone, Debug, Default)]
pub struct ElementRules {
    /// Element name; `value[x]` for any type of a choice.
    pub name: &'static str,
    /// The slice, if the rules are for one.
    pub slice: Option<&'static str>,
    /// Least number.
    pub min: Option<u32>,
    /// Greatest number; `Some(None)` is `*`.
    pub max: Option<Option<u32>>,
    /// The only value allowed.
    pub fixed: Option<&'static str>,
    /// Types that a choice is narrowed to; empty for no change.
    pub types: Vec<&'static str>,
    /// Extension definitions or data type profiles for it.
    pub profiles: Vec<&'static str>,
    /// Resource types that a Reference is narrowed to.
    pub targets: Vec<&'static str>,
    /// Value set.
    pub binding: Option<Binding>,
    /// Rules in FHIRPath.
    pub invariants: Vec<Invariant>,
    /// How the list is sliced. The slices are siblings of this element.
    pub slicing: Option<Slicing>,
    /// Rules for its child elements.
    pub children: Vec<ElementRules>,
}

/// One profile or extension definition.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Canonical URL.
    pub url: &'static str,
    /// The constrained type; `Extension` for an extension definition.
    pub type_name: &'static str,
    /// Where the extension is allowed (`Patient.identifier`); empty for anywhere.
    pub contexts: Vec<&'static str>,
    /// True for a modifier extension.
    pub modifier: bool,
    /// Rules, from the type's root.
    pub root: ElementRules,
}

/// A set of profiles that belong together.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Profiles and extension definitions.
    pub profiles: Vec<Profile>,
    /// Value sets by URL.
    pub value_sets: HashMap<&'static str, ValueSet>,
    /// Complete code systems.
    pub code_systems: Vec<CodeSystem>,
}

impl Package {
    /// Reads a table, which is embedded in the program: the package borrows its texts.
    pub fn parse(table: &'static str) -> Result<Package, PackageError> {
        let mut package = Package::default();
        let mut set = "";
        for (number, line) in table.lines().enumerate() {
            let fields: Vec<&'static str> = line.split('\t').collect();
            package
                .line(&fields, &mut set)
                .map_err(|message| PackageError {
                    line: number + 1,
                    message: message.to_owned(),
                })?;
        }
        Ok(package)
    }

    /// The profile of a URL.
    pub fn profile(&self, url: &str) -> Option<&Profile> {
        self.profiles.iter().find(|p| p.url == url)
    }

    fn line(
        &mut self,
        fields: &[&'static str],
        set: &mut &'static str,
    ) -> Result<(), &'static str> {
        let field = |i: usize| fields.get(i).copied().unwrap_or("");
        match field(0) {
            "" => Ok(()),
            comment if comment.starts_with('#') => Ok(()),
            "P" => {
                self.profiles.push(Profile {
                    url: field(1),
                    type_name: field(2),
                    contexts: split(field(3)),
                    modifier: field(4) == "m",
                    root: ElementRules::default(),
                });
                Ok(())
            }
            "E" => element(self.at(field(1))?, &field),
            "D" => {
                let rules = match field(2) {
                    "closed" => SlicingRules::Closed,
                    "openAtEnd" => SlicingRules::OpenAtEnd,
                    "open" => SlicingRules::Open,
                    _ => return Err("slicing rules are open, openAtEnd or closed"),
                };
                self.at(field(1))?.slicing = Some(Slicing {
                    rules,
                    discriminators: split(field(3)),
                });
                Ok(())
            }
            "I" => {
                let rule = Invariant {
                    key: field(2),
                    warning: field(3) == "warning",
                    expression: field(4),
                };
                self.at(field(1))?.invariants.push(rule);
                Ok(())
            }
            "V" | "C" | "U" => self.value_set(field(0), field(1), field(2), set),
            "S" => {
                let system = CodeSystem::read(field(1), field(2), field(3));
                self.code_systems.push(system);
                Ok(())
            }
            _ => Err("the first field is none of P, E, D, I, V, C, U and S"),
        }
    }

    fn value_set(
        &mut self,
        kind: &str,
        first: &'static str,
        codes: &'static str,
        set: &mut &'static str,
    ) -> Result<(), &'static str> {
        if kind == "V" {
            *set = first;
            self.value_sets.insert(
                first,
                ValueSet {
                    systems: Vec::new(),
                    listed: true,
                },
            );
            return Ok(());
        }
        let open = self
            .value_sets
            .get_mut(*set)
            .ok_or("codes stand before any value set")?;
        match kind {
            "C" => open.systems.push((first, codes.split(' ').collect())),
            _ => open.listed = false,
        }
        Ok(())
    }

    /// The rules at a path of the last profile, made if absent.
    fn at(&mut self, path: &'static str) -> Result<&mut ElementRules, &'static str> {
        let mut rules = &mut self
            .profiles
            .last_mut()
            .ok_or("an element stands before any profile")?
            .root;
        for step in path.split('.').filter(|s| !s.is_empty()) {
            let (name, slice) = match step.split_once(':') {
                Some((name, slice)) => (name, Some(slice)),
                None => (step, None),
            };
            let known = rules
                .children
                .iter()
                .position(|c| c.name == name && c.slice == slice);
            let index = known.unwrap_or_else(|| {
                rules.children.push(ElementRules {
                    name,
                    slice,
                    ..ElementRules::default()
                });
                rules.children.len() - 1
            });
            rules = &mut rules.children[index];
        }
        Ok(rules)
    }
}

fn element(
    rules: &mut ElementRules,
    field: &impl Fn(usize) -> &'static str,
) -> Result<(), &'static str> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| "min and max are numbers");
    if !field(2).is_empty() {
        rules.min = Some(number(field(2))?);
    }
    rules.max = match field(3) {
        "" => None,
        "*" => Some(None),
        text => Some(Some(number(text)?)),
    };
    rules.fixed = Some(field(4)).filter(|f| !f.is_empty());
    rules.types = split(field(5));
    rules.profiles = split(field(6));
    rules.targets = split(field(7));
    rules.binding = match field(8) {
        "" => None,
        code => {
            let strength = Strength::parse(code).ok_or("the binding strength is not known")?;
            Some(Binding {
                strength,
                value_set: field(9),
            })
        }
    };
    Ok(())
}

fn split(list: &'static str) -> Vec<&'static str> {
    list.split(',').filter(|s| !s.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_becomes_a_tree() {
        let package = Package::parse(
            "# comment\nP\thttp://x/P\tPatient\nD\tidentifier\topenAtEnd\tsystem\nE\tidentifier:a\t1\t1\n\
             E\tidentifier:a.system\t1\t\thttp://x/id\nV\thttp://x/V\nC\thttp://x/S\ta b\n",
        )
        .unwrap();
        let root = &package.profile("http://x/P").unwrap().root;
        assert_eq!(root.children.len(), 2);
        assert_eq!(root.children[1].slice, Some("a"));
        assert_eq!(root.children[1].max, Some(Some(1)));
        assert_eq!(root.children[1].children[0].fixed, Some("http://x/id"));
        assert!(package.value_sets["http://x/V"].contains(Some("http://x/S"), "b"));
    }

    #[test]
    fn a_bad_line_is_named() {
        for (table, line) in [
            ("X\n", 1),
            ("#\nE\ta\n", 2),
            ("P\tu\tt\nE\ta\tx\n", 2),
            ("C\ts\tc\n", 1),
        ] {
            assert_eq!(Package::parse(table).unwrap_err().line, line, "{table:?}");
        }
    }
}
