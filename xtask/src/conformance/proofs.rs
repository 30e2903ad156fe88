//! What proves an id: the `/// Proves:` lines above tests, and the table of the Provider suite, every test of which our own
//! Provider has to pass.

use std::collections::BTreeMap;

use super::catalogue::Catalogue;
use crate::finding::Finding;
use crate::workspace::Workspace;

/// What opens a line of proof.
const MARK: &str = "/// Proves:";

/// The table of the Provider suite, and the test that runs all of it.
const SUITE: &str = "crates/assurance/src/provider_suite/tests.toml";
const SUITE_TEST: &str = "uec::assure_own::our_own_provider_passes";
/// The part of the superseded version, and the test that runs it.
const VERSIONS: &str = "V";
const VERSIONS_TEST: &str =
    "uec::assure_own::our_own_provider_passes_for_a_consumer_of_the_superseded_version";

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
    /// Scans all Rust files. The suite's table also says what a finding is about; of its ids those count that are for it to
    /// prove.
    pub fn read(
        workspace: &Workspace,
        is_for_suite: impl Fn(&str) -> bool,
    ) -> Result<Proofs, String> {
        let mut proofs = of_suite(workspace.text(SUITE).unwrap_or_default());
        proofs.retain(|proof| is_for_suite(&proof.id));
        let mut stray = Vec::new();
        for source in workspace.rust()? {
            let (path, text) = (source.path.as_str(), source.text.as_str());
            let mut attached = Vec::new();
            for test in &source.tests {
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
            for line in marked_lines(text).filter(|line| !attached.contains(line)) {
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
        Ok(Proofs {
            proofs,
            stray,
            by_id,
        })
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

/// The ids of the suite's table. A test that is named like a published one proves that one too; one that is not tried proves
/// nothing. A text that cannot be read proves nothing either: the suite's own tests say what is wrong with it.
fn of_suite(text: &str) -> Vec<Proof> {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let tests = table.get("test").and_then(toml::Value::as_array);
    let mut proofs = Vec::new();
    for test in tests.into_iter().flatten() {
        let of = |key: &str| test.get(key).and_then(toml::Value::as_str);
        let (Some(name), None) = (of("name"), of("not-tried")) else {
            continue;
        };
        let runs = match of("part") {
            Some(VERSIONS) => VERSIONS_TEST,
            _ => SUITE_TEST,
        };
        let is_named = |line: &str| line.trim() == format!("name = \"{name}\"");
        let line = text.lines().position(is_named).map_or(1, |at| at + 1);
        let ids = test.get("requirements").and_then(toml::Value::as_array);
        let ids = ids.into_iter().flatten().filter_map(toml::Value::as_str);
        proofs.extend(ids.chain([name]).map(|id| Proof {
            id: id.to_owned(),
            test: format!("{runs} ({name})"),
            path: SUITE.to_owned(),
            line,
            ignored: false,
        }));
    }
    proofs
}

fn marked_lines(text: &str) -> impl Iterator<Item = usize> {
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| line.trim().starts_with(MARK))
        .map(|(_, number)| number)
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
        let proofs = Proofs::read(&workspace, |_| true).unwrap();
        assert_eq!(proofs.of("A-02"), ["booking::wire::token::holds"]);
        assert_eq!(proofs.of("A-03").len(), 1);
        assert!(proofs.of("A-04").is_empty() && proofs.of("A-05").is_empty());
        assert_eq!(proofs.stray.len(), 1);
        assert_eq!(proofs.stray[0].line, 6);
    }

    #[test]
    fn the_table_of_the_provider_suite_proves_what_its_tests_name() {
        let table = r#"
            [[test]]
            part = "B"
            name = "Book_A"
            requirements = ["A-01", "A-02"]
            [[test]]
            part = "B"
            name = "Book_B"
            requirements = ["A-03", "A-04"]
            [[test]]
            part = "B"
            name = "Book_C"
            requirements = ["A-05"]
            not-tried = "For this reason.""#;
        let workspace = Workspace::of_files(&[(SUITE, table)]);
        let proofs = Proofs::read(&workspace, |_| true).unwrap();
        for (test, ids) in [
            ("Book_A", ["A-01", "A-02", "Book_A"]),
            ("Book_B", ["A-03", "A-04", "Book_B"]),
        ] {
            let named = format!("{SUITE_TEST} ({test})");
            for id in ids {
                assert_eq!(proofs.of(id), std::slice::from_ref(&named));
            }
        }
        assert!(proofs.of("A-05").is_empty());
        assert_eq!(proofs.proofs[0].line, 4);
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
