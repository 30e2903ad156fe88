//! Requirement ids that code, tests and documents cite have to exist in `docs/standard`, and there once.

use crate::conformance::catalogue::{Catalogue, FOLDER};
use crate::finding::Finding;
use crate::workspace::Workspace;
use std::collections::BTreeMap;

/// Prefixes of ids, and how many more parts follow before the number (`PROV-SLOT-07`: one).
const FAMILIES: &[(&str, usize)] = &[
    ("PROV", 1),
    ("RES", 1),
    ("CONS", 1),
    ("NAT", 1),
    ("REF", 1),
    ("REP", 1),
    ("ERR", 0),
    ("AUD", 0),
    ("DAT", 0),
    ("NFR", 0),
    ("ASR", 0),
    ("DEP", 0),
    ("D", 0),
];
/// Text in which ids are cited.
const ENDINGS: &[&str] = &[".rs", ".md", ".toml"];

/// The checks' own tests make up ids.
const OWN_FOLDER: &str = "xtask/";

/// Checks every citation outside the catalogue itself, and that the catalogue gives each id once.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let catalogue = Catalogue::read(workspace)?;
    let mut found = given_twice(&catalogue);
    let files = workspace.files().filter(|(path, _)| {
        !path.starts_with(FOLDER)
            && !path.starts_with(OWN_FOLDER)
            && ENDINGS.iter().any(|ending| path.ends_with(ending))
    });
    for (path, text) in files {
        for (i, line) in text.lines().enumerate() {
            for id in cited(line).filter(|id| !catalogue.knows(id)) {
                found.push(Finding::at(
                    path,
                    i + 1,
                    format!("`{id}` is no id of {FOLDER}: correct it"),
                ));
            }
        }
    }
    Ok(found)
}

fn given_twice(catalogue: &Catalogue) -> Vec<Finding> {
    let mut first = BTreeMap::new();
    let mut found = Vec::new();
    for row in catalogue.rows() {
        for id in row.ids.iter().filter(|id| is_id(id)) {
            if let Some(line) = first.insert(id, row.line) {
                let twice = format!("`{id}` was given in line {line} already: give each id once");
                found.push(Finding::at(&row.file, row.line, twice));
            }
        }
    }
    found
}

/// The words of a line that have the shape of an id.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .filter(|word| is_id(word))
}

fn is_id(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let Some((number, names)) = parts.split_last() else {
        return false;
    };
    let two_digits = number.len() == 2 && number.chars().all(|c| c.is_ascii_digit());
    let family = names
        .first()
        .and_then(|first| FAMILIES.iter().find(|(name, _)| name == first));
    let upper = names
        .iter()
        .all(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase()));
    two_digits && upper && family.is_some_and(|(_, more)| names.len() == more + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_other_words() {
        let line = "(PROV-SLOT-07, ERR-15) D-20; NAT-JWT-01..12 RES-* UTF-8 X-01 ERR-1 D-2031 PROV-07 a-D-20";
        let found: Vec<&str> = cited(line).collect();
        assert_eq!(found, ["PROV-SLOT-07", "ERR-15", "D-20", "NAT-JWT-01"]);
    }

    #[test]
    fn an_id_that_is_given_twice_is_a_finding() {
        let rows = "| Id | Level |\n|---|---|\n| D-01 | |\n| D-02 | |\n| D-01 | |\n";
        let found = findings(&Workspace::of_files(&[("docs/standard/a.md", rows)])).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 5);
    }

    #[test]
    fn an_unknown_id_is_a_finding() {
        let workspace = Workspace::of_files(&[
            (
                "docs/standard/a.md",
                "| Id | Level |\n|---|---|\n| ERR-01 | MUST |\n",
            ),
            ("crates/a/src/lib.rs", "//! ERR-01\n//! ERR-99\n"),
        ]);
        let found = findings(&workspace).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
    }
}
