//! What proves an id: the `/// Proves:` lines above tests, and the table of the Provider suite, every test of which our own
//! Provider has to pass.

use std::collections::BTreeMap;

use super::catalogue::Catalogue;
use crate::finding::Finding;
use crate::workspace::Workspace;

/// What opens a line of proof.
const MARK: &str = "/// Proves:";

/// Where the tests of the Provider suite stand, how an entry of the table begins, and the test that runs all of them.
const SUITE: &str = "crates/assurance/src/provider_suite/";
const ENTRY: &str = "Test::new(";
/// What stands before the ids of an entry.
const IDS: &str = ".of(";
const SUITE_TEST: &str = "uec::assure_own::our_own_provider_passes";
/// The tests of the superseded version, and the test that runs these.
const VERSIONS: &str = "versions.rs";
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
        let mut proofs = Vec::new();
        let mut stray = Vec::new();
        for source in workspace.rust()? {
            let (path, text) = (source.path.as_str(), source.text.as_str());
            if path.starts_with(SUITE) {
                proofs.extend(of_suite(path, text).filter(|proof| is_for_suite(&proof.id)));
            }
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

/// The entries of the suite's table: the name, and a list of ids, which may be a constant of the same file. A test that is
/// named like a published one proves that one too.
fn of_suite<'t>(path: &'t str, text: &'t str) -> impl Iterator<Item = Proof> + 't {
    let runs = match path.ends_with(VERSIONS) {
        true => VERSIONS_TEST,
        false => SUITE_TEST,
    };
    let entries = text.match_indices(ENTRY).filter_map(move |(at, _)| {
        let entry = text.get(at + ENTRY.len()..)?;
        let name = entry.trim_start().strip_prefix('"')?.split('"').next()?;
        let entry = entry.split(ENTRY).next()?;
        let list = listed(entry.split_once(IDS)?.1, text)?;
        let line = text.get(..at)?.lines().count().max(1);
        let ids = list.split('"').skip(1).step_by(2).chain([name]);
        Some(ids.map(move |id| Proof {
            id: id.to_owned(),
            test: format!("{runs} ({name})"),
            path: path.to_owned(),
            line,
            ignored: false,
        }))
    });
    entries.flatten()
}

/// What stands between the brackets of a list, or of the list that a constant names.
fn listed<'t>(list: &'t str, text: &'t str) -> Option<&'t str> {
    let list = match list.starts_with('&') {
        true => list,
        false => {
            let name = list.split(')').next()?;
            text.split_once(&format!("const {name}: Ids = "))?.1
        }
    };
    list.strip_prefix("&[")?.split(']').next()
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
            const TWO: Ids = &["A-03", "A-04"];
            const T: &[Test] = &[
                Test::new("Book_A", |t| bad(t, &["A-05"])).tries("A title").of(&["A-01", "A-02"]),
                Test::new("Book_B", run).tries("A title").of(TWO),
            ];"#;
        let workspace = Workspace::of_files(&[("crates/assurance/src/provider_suite/a.rs", table)]);
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
