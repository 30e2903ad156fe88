//! Rooms of a crate (the first part of a module's path) use each other in one direction: no room reaches itself through
//! another, so that each can be read and tried without those that stand upon it.

use crate::finding::Finding;
use crate::rust_source::is_test_path;
use crate::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};

/// Room → rooms that it names, each with the first file and line that does.
type Uses<'w> = BTreeMap<&'w str, BTreeMap<String, (&'w str, usize)>>;

/// Finds each use that leads back to where it stands.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut crates: BTreeMap<&str, Uses> = BTreeMap::new();
    for source in workspace.rust()? {
        let path = source.path.as_str();
        let Some((name, file)) = path
            .strip_prefix("crates/")
            .and_then(|p| p.split_once("/src/"))
        else {
            continue;
        };
        let room = file
            .split('/')
            .next()
            .unwrap_or(file)
            .trim_end_matches(".rs");
        if is_test_path(path) || matches!(room, "lib" | "main") {
            continue;
        }
        let uses = crates.entry(name).or_default().entry(room).or_default();
        for line in source.product_lines() {
            for named in rooms_named(line.code).filter(|named| *named != room) {
                let at = (path, line.number);
                uses.entry(named.to_owned()).or_insert(at);
            }
        }
    }
    let circles = crates.values().flat_map(circles);
    Ok(circles.collect())
}

/// The rooms that a line names from the crate's root.
fn rooms_named(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

fn circles(uses: &Uses) -> Vec<Finding> {
    let mut found = Vec::new();
    for (room, named) in uses {
        for (other, (path, line)) in named {
            if reaches(uses, other, room) {
                let message = format!(
                    "`{room}` uses `{other}`, which uses `{room}`, itself or through others: move what both need below them"
                );
                found.push(Finding::at(path, *line, message));
            }
        }
    }
    found
}

fn reaches(uses: &Uses, from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(room) = next.pop() {
        if room == to {
            return true;
        }
        if seen.insert(room) {
            next.extend(
                uses.get(room)
                    .into_iter()
                    .flat_map(BTreeMap::keys)
                    .map(String::as_str),
            );
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_that_leads_back_is_found_at_both_ends() {
        let workspace = Workspace::of_files(&[
            ("crates/a/src/lib.rs", "mod b;\nmod c;\nmod d;\n"),
            (
                "crates/a/src/b.rs",
                "//! B.\nuse crate::c::C;\nuse crate::d::D;\n",
            ),
            ("crates/a/src/c/mod.rs", "//! C.\nmod inner;\n"),
            (
                "crates/a/src/c/inner.rs",
                "//! I.\nfn f() { crate::b::g(); }\n",
            ),
            (
                "crates/a/src/d.rs",
                "//! D.\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
            ),
        ]);
        let found = findings(&workspace).unwrap();
        let places: Vec<String> = found.iter().map(Finding::to_string).collect();
        assert_eq!(places.len(), 2, "{places:?}");
        assert!(places.iter().any(|p| p.starts_with("crates/a/src/b.rs:2")));
        assert!(
            places
                .iter()
                .any(|p| p.starts_with("crates/a/src/c/inner.rs:2"))
        );
    }
}
