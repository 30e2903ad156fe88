//! Checks resources against the base rules of STU3 and the rules of profiles. Each finding has its path and position.
//!
//! Messages quote codes and system addresses, never what identifies a person: identifier values, names, contact
//! points, addresses, dates.

mod binding;
mod compiled;
mod element;
mod extension;
mod profile;
mod reference;
mod walk;

use crate::issue::Issue;
use crate::package::Package;
use crate::schema::Schema;
use crate::tree::Element;
use std::collections::HashMap;

pub use compiled::ExpressionFault;

/// Checking stops after so many findings: more would not help with a message this broken, and the answer stays small.
pub const MAX_ISSUES: usize = 1_000;

/// Checking stops at this nesting. The codecs refuse deeper messages, but a tree may be built deeper.
pub const MAX_DEPTH: usize = 100;

/// What to check besides the base rules.
#[derive(Clone, Debug)]
pub struct Options {
    /// Profile URL by resource type, applied to every resource of the type, whatever its `meta.profile` says.
    pub by_type: HashMap<String, String>,
    /// Report elements that STU3 does not define. The codecs report them too when they read a text.
    pub unknown_elements: bool,
    /// Report codes that their code system does not define, if its table is complete.
    pub undefined_codes: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            by_type: HashMap::new(),
            unknown_elements: true,
            undefined_codes: false,
        }
    }
}

impl Options {
    /// Every profile of the packages for its resource type. If several constrain one type, the first applies.
    pub fn all_of(packages: &[Package]) -> Options {
        let mut options = Options::default();
        let schema = Schema::stu3();
        for profile in packages.iter().flat_map(|p| &p.profiles) {
            if schema.resource(profile.type_name).is_some() {
                options
                    .by_type
                    .entry(profile.type_name.to_owned())
                    .or_insert_with(|| profile.url.to_owned());
            }
        }
        options
    }
}

/// Checks resources against STU3 and profiles. One checker, made once, serves all messages; it holds no state.
#[derive(Debug)]
pub struct Checker {
    compiled: compiled::Compiled,
}

impl Checker {
    /// A checker for the base types and the profiles of some packages. [`Checker::faults`] lists unreadable invariants.
    pub fn new(schema: &'static Schema, packages: &[Package]) -> Checker {
        Checker {
            compiled: compiled::Compiled::new(schema, packages),
        }
    }

    /// True for a profile or extension that the packages define.
    pub fn knows_profile(&self, url: &str) -> bool {
        self.compiled.profile(url).is_some()
    }

    /// Every finding of a resource, in the order of the message. All have stage `Conformance`.
    pub fn check(&self, root: &Element, options: &Options) -> Vec<Issue> {
        walk::Walk::new(&self.compiled, options, root).run()
    }

    /// Invariants that this checker cannot evaluate. A message to which they apply gets a warning for each.
    pub fn faults(&self) -> &[ExpressionFault] {
        &self.compiled.faults
    }
}
