//! The text of `docs/conformance.md`.

use std::fmt::Write as _;

use super::catalogue::{Catalogue, FOLDER, Row};
use super::exceptions::{Exceptions, FILE};
use super::proofs::Proofs;

/// Renders the page; the same input gives the same bytes.
pub fn render(catalogue: &Catalogue, proofs: &Proofs, exceptions: &Exceptions) -> String {
    let mut out = String::new();
    out.push_str("# Conformance\n\n");
    out.push_str(
        "Written by `cargo xtask conformance` from the [requirement catalogue](standard/README.md), the `Proves:` lines above the\n\
         tests, and [conformance-exceptions.toml](conformance-exceptions.toml). Do not edit: `cargo xtask tidy` compares.\n",
    );
    summary(&mut out, catalogue, proofs, exceptions);
    let mut file = "";
    for row in catalogue.bound_rows() {
        if row.file != file {
            file = &row.file;
            let name = file.strip_prefix(FOLDER).unwrap_or(file);
            let _ = write!(
                out,
                "\n## [{name}](standard/{name})\n\n| Id | Level | Rule | Proved by |\n|---|---|---|---|\n"
            );
        }
        for id in &row.ids {
            let proof = proof_cell(id, row, proofs, exceptions);
            let _ = writeln!(out, "| {id} | {} | {} | {proof} |", row.level, row.rule);
        }
    }
    out
}

fn summary(out: &mut String, catalogue: &Catalogue, proofs: &Proofs, exceptions: &Exceptions) {
    out.push_str(
        "\n| Level | Requirements | Proved by tests | Listed as exceptions |\n|---|---|---|---|\n",
    );
    for level in ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"] {
        let rows = catalogue.bound_rows().filter(|row| row.level == level);
        let ids: Vec<&String> = rows.flat_map(|row| &row.ids).collect();
        if ids.is_empty() {
            continue;
        }
        let proved = ids.iter().filter(|id| !proofs.of(id).is_empty()).count();
        let excepted = ids
            .iter()
            .filter(|id| exceptions.reason(id).is_some())
            .count();
        let _ = writeln!(out, "| {level} | {} | {proved} | {excepted} |", ids.len());
    }
}

fn proof_cell(id: &str, row: &Row, proofs: &Proofs, exceptions: &Exceptions) -> String {
    let tests = proofs.of(id);
    if !tests.is_empty() {
        let names: Vec<String> = tests.iter().map(|name| format!("`{name}`")).collect();
        return names.join("<br>");
    }
    match exceptions.reason(id) {
        Some(reason) => format!("exception: {}", reason.replace('|', "\\|")),
        None if row.level.starts_with("MUST") => format!("**open**: neither proved nor in {FILE}"),
        None => "no test".to_owned(),
    }
}
