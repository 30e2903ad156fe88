//! The map of ARCHITECTURE.md is true: the row of a crate names every folder of its modules, and no folder that is gone.

use crate::finding::Finding;
use crate::workspace::Workspace;
use std::collections::BTreeSet;

const MAP: &str = "ARCHITECTURE.md";

/// Compares the rows of the crates with their folders.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let map = workspace
        .text(MAP)
        .ok_or_else(|| format!("{MAP} is missing"))?;
    let mut found = Vec::new();
    let mut mapped = BTreeSet::new();
    for (row, number) in map.lines().zip(1..) {
        let Some(name) = crate_of(row) else {
            continue;
        };
        mapped.insert(name);
        let named: BTreeSet<&str> = row.split('`').skip(1).step_by(2).collect();
        let folders = folders(workspace, name);
        for folder in folders.iter().filter(|f| !f.contains('/')) {
            if !named.iter().any(|n| n.trim_end_matches('/') == *folder) {
                found.push(Finding::at(
                    MAP,
                    number,
                    format!("the row of {name} does not name `{folder}/`: say what it holds"),
                ));
            }
        }
        for gone in named.iter().filter_map(|n| n.strip_suffix('/')) {
            let is_there = folders.iter().any(|f| f.rsplit('/').next() == Some(gone))
                || workspace.exists(&format!("crates/{name}/{gone}"));
            if !is_there {
                found.push(Finding::at(
                    MAP,
                    number,
                    format!("{name} has no folder `{gone}/`: take it off the map"),
                ));
            }
        }
    }
    for (path, _) in workspace.with_ending("/Cargo.toml") {
        let name = path
            .strip_prefix("crates/")
            .and_then(|p| p.strip_suffix("/Cargo.toml"));
        if let Some(name) = name.filter(|n| !mapped.contains(n)) {
            found.push(Finding::of(MAP, format!("no row for crates/{name}")));
        }
    }
    Ok(found)
}

/// The crate of a row of the map.
fn crate_of(row: &str) -> Option<&str> {
    row.strip_prefix("| `crates/")?.split('`').next()
}

/// Folders of the crate's modules, from `src` on: `store`, `store/sql`, …
fn folders<'w>(workspace: &'w Workspace, name: &str) -> BTreeSet<&'w str> {
    let source = format!("crates/{name}/src/");
    let files = workspace.files().map(|(path, _)| path);
    let within = files.filter_map(|path| path.strip_prefix(&source));
    within
        .flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_word_and_a_word_without_a_folder() {
        let map = "| `crates/a` | `store/` (`sql/`), `gone/` | |\n";
        let workspace = Workspace::of_files(&[
            (MAP, map),
            ("crates/a/Cargo.toml", ""),
            ("crates/b/Cargo.toml", ""),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/store/sql/find.rs", ""),
            ("crates/a/src/http/mod.rs", ""),
        ]);
        let found: Vec<String> = findings(&workspace)
            .unwrap()
            .iter()
            .map(Finding::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md:1: the row of a does not name `http/`: say what it holds",
                "ARCHITECTURE.md:1: a has no folder `gone/`: take it off the map",
                "ARCHITECTURE.md: no row for crates/b",
            ]
        );
    }
}
