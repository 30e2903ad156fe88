//! Requirements that no test proves, with the reason: `docs/conformance-exceptions.toml` for what no test of this program
//! can prove, `docs/conformance-open.toml` for what is not built yet.

use std::collections::BTreeMap;

use super::catalogue::Catalogue;
use super::proofs::Proofs;
use crate::finding::Finding;
use crate::workspace::Workspace;

/// What no test of this program can prove.
pub const FILE: &str = "docs/conformance-exceptions.toml";
/// What is still to be built or proved.
pub const OPEN_FILE: &str = "docs/conformance-open.toml";
/// A reason that is shorter than this gives none.
const SHORTEST_REASON: usize = 20;

/// Id → reason.
pub struct Exceptions {
    file: &'static str,
    reasons: BTreeMap<String, String>,
    lines: BTreeMap<String, usize>,
}

impl Exceptions {
    /// Reads one of the files; without it there are no entries.
    pub fn read(workspace: &Workspace, file: &'static str) -> Result<Exceptions, String> {
        let text = workspace.text(file).unwrap_or("");
        let reasons: BTreeMap<String, String> =
            toml::from_str(text).map_err(|e| format!("{file}: {e}"))?;
        let mut lines = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            let key = line
                .split('=')
                .next()
                .unwrap_or("")
                .trim()
                .trim_matches('"');
            if reasons.contains_key(key) {
                lines.insert(key.to_owned(), i + 1);
            }
        }
        Ok(Exceptions {
            file,
            reasons,
            lines,
        })
    }

    /// Why an id has no test.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.reasons.get(id).map(String::as_str)
    }

    /// Entries that are unknown, proved after all, or without a reason.
    pub fn findings(&self, catalogue: &Catalogue, proofs: &Proofs) -> Vec<Finding> {
        let mut found = Vec::new();
        for (id, reason) in &self.reasons {
            let line = self.lines.get(id).copied().unwrap_or(0);
            if !catalogue.rows().any(|row| row.ids.contains(id)) {
                found.push(Finding::at(
                    self.file,
                    line,
                    format!("`{id}` is not in the catalogue: correct or remove it"),
                ));
            } else if let Some(test) = proofs.of(id).first() {
                found.push(Finding::at(
                    self.file,
                    line,
                    format!("`{id}` is proved by {test}: remove it here"),
                ));
            }
            if reason.chars().count() < SHORTEST_REASON {
                found.push(Finding::at(
                    self.file,
                    line,
                    format!("`{id}`: say why no test proves it"),
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_unknown_proved_or_unreasoned_are_found() {
        let workspace = Workspace::of_files(&[
            (
                "docs/standard/a.md",
                "| Id | Level | Rule |\n|---|---|---|\n| PROV-X-01 | MUST | a |\n| PROV-X-02 | MUST | b |\n",
            ),
            (
                "crates/a/src/lib.rs",
                "/// Proves: PROV-X-01\n#[test]\nfn t() {}\n",
            ),
            (
                FILE,
                "PROV-X-01 = \"a reason that is long enough\"\n\nPROV-X-02 = \"short\"\nPROV-X-03 = \"a reason that is long enough\"\n",
            ),
        ]);
        let catalogue = Catalogue::read(&workspace).unwrap();
        let found = Exceptions::read(&workspace, FILE)
            .unwrap()
            .findings(&catalogue, &Proofs::read(&workspace, |_| true).unwrap());
        let places: Vec<usize> = found.iter().map(|f| f.line).collect();
        assert_eq!(places, [1, 3, 4]);
    }
}
