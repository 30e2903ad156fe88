//! The `/// Proves:` lines above tests.

use std::collections::BTreeMap;

use super::catalogue::Catalogue;
use crate::finding::Finding;
use crate::rust_source::RustSource;
use crate::workspace::Workspace;

/// What opens a line of proof.
const MARK: &str = "/// Proves:";

/// One cited id: where, and which test cites it.
struct Proof {
    id: String,
    test: String,
    path: String,
    line: usize,
    ignored: bool,
}

/// All proofs, and the lines that look like one but belong to no test.
pub struct Proofs {
    proofs: Vec<Proof>,
    stray: Vec<Finding>,
    by_id: BTreeMap<String, Vec<String>>,
}

impl Proofs {
    /// Scans all Rust files.
    pub fn read(workspace: &Workspace) -> Proofs {
        let mut proofs = Vec::new();
        let mut stray = Vec::new();
        for (path, text) in workspace.with_ending(".rs") {
            let marked: Vec<usize> = marked_lines(text);
            if marked.is_empty() {
                continue;
            }
            let mut attached = Vec::new();
            for test in RustSource::read(text, true).tests() {
                for (line, above) in &test.above {
                    let Some(list) = above.strip_prefix(MARK) else {
                        continue;
                    };
                    attached.push(*line);
                    for id in list.split(',').map(str::trim).filter(|id| !id.is_empty()) {
                        proofs.push(Proof {
                            id: id.trim_end_matches('.').to_owned(),
                            test: format!("{}::{}", module_of(path), test.name),
                            path: path.to_owned(),
                            line: *line,
                            ignored: test.ignored,
                        });
                    }
                }
            }
            for line in marked.into_iter().filter(|line| !attached.contains(line)) {
                stray.push(Finding::at(
                    path,
                    line,
                    "`Proves:` stands above no test: move it to the attributes of one",
                ));
            }
        }
        let mut by_id: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for proof in proofs.iter().filter(|proof| !proof.ignored) {
            by_id
                .entry(proof.id.clone())
                .or_default()
                .push(proof.test.clone());
        }
        for tests in by_id.values_mut() {
            tests.sort();
            tests.dedup();
        }
        Proofs {
            proofs,
            stray,
            by_id,
        }
    }

    /// The tests that prove an id, sorted. Tests that are ignored prove nothing.
    pub fn of(&self, id: &str) -> &[String] {
        self.by_id.get(id).map(Vec::as_slice).unwrap_or(&[])
    }

    /// Stray lines and unknown ids.
    pub fn findings(&self, catalogue: &Catalogue) -> Vec<Finding> {
        let unknown = self
            .proofs
            .iter()
            .filter(|proof| !catalogue.knows(&proof.id))
            .map(|proof| {
                let message = format!(
                    "`{}` is no id of docs/standard: correct it (ids one by one, with commas)",
                    proof.id
                );
                Finding::at(&proof.path, proof.line, message)
            });
        self.stray.iter().cloned().chain(unknown).collect()
    }
}

fn marked_lines(text: &str) -> Vec<usize> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| line.trim().starts_with(MARK))
        .map(|(i, _)| i + 1)
        .collect()
}

/// `crates/booking/src/wire/token.rs` as `booking::wire::token`, `crates/uec/tests/all/a.rs` as `uec::a`.
fn module_of(path: &str) -> String {
    let path = path.strip_prefix("crates/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let parts: Vec<&str> = path
        .split('/')
        .enumerate()
        .filter(|(i, part)| {
            *i == 0 || !matches!(*part, "src" | "tests" | "all" | "lib" | "mod" | "main")
        })
        .map(|(_, part)| part)
        .collect();
    parts.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_read_from_tests_only() {
        let text = [
            "/// Proves: A-01, A-02\n/// Proves: A-03\n#[test]\nfn holds() {}\n\n",
            "/// Proves: A-04\nfn no_test() {}\n\n",
            "/// Proves: A-05\n#[test]\n#[ignore]\nfn later() {}\n",
        ]
        .concat();
        let workspace = Workspace::of_files(&[("crates/booking/src/wire/token.rs", &text)]);
        let proofs = Proofs::read(&workspace);
        assert_eq!(proofs.of("A-02"), ["booking::wire::token::holds"]);
        assert_eq!(proofs.of("A-03").len(), 1);
        assert!(proofs.of("A-04").is_empty() && proofs.of("A-05").is_empty());
        assert_eq!(proofs.stray.len(), 1);
        assert_eq!(proofs.stray[0].line, 6);
    }

    #[test]
    fn modules_are_named_as_rust_names_them() {
        assert_eq!(module_of("crates/fhir/src/lib.rs"), "fhir");
        assert_eq!(
            module_of("crates/uec/tests/all/provider_book.rs"),
            "uec::provider_book"
        );
        assert_eq!(module_of("xtask/src/tidy/edges.rs"), "xtask::tidy::edges");
    }
}
