//! House rules. Every finding names file, line and what to do.
//!
//! A new rule is a function `fn(&Workspace) -> Result<Vec<Finding>, String>` in a file of `tidy/`,
//! and one line in [`RULES`].

mod circles;
mod citations;
mod edges;
mod licences;
mod links;
mod manifests;
mod map;
mod sources;
mod words;

use crate::conformance;
use crate::finding::Finding;
use crate::workspace::Workspace;

type Rule = fn(&Workspace) -> Result<Vec<Finding>, String>;

/// All rules, in the order in which they run.
const RULES: &[(&str, Rule)] = &[
    ("source files", sources::findings),
    ("manifests", manifests::findings),
    ("words and paths", words::findings),
    ("cited requirements", citations::findings),
    ("links", links::findings),
    ("map", map::findings),
    ("conformance", conformance::findings),
    ("crate edges", edges::findings),
    ("circles between rooms", circles::findings),
    ("licences", licences::findings),
];

/// Runs all rules and prints what they find.
pub fn run(workspace: &Workspace) -> Result<(), String> {
    let mut found = Vec::new();
    for (name, rule) in RULES {
        found.extend(rule(workspace).map_err(|e| format!("tidy, {name}: {e}"))?);
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        println!("tidy: {} rules hold", RULES.len());
        return Ok(());
    }
    let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
    Err(format!(
        "{}\n\ntidy: {} findings",
        lines.join("\n"),
        found.len()
    ))
}
