//! The text of `docs/conformance.md`.

use std::fmt::Write as _;

use super::catalogue::{Catalogue, FOLDER};
use super::exceptions::Exceptions;
use super::proofs::Proofs;

/// Renders the page; the same input gives the same bytes.
pub fn render(
    catalogue: &Catalogue,
    proofs: &Proofs,
    exceptions: &Exceptions,
    open: &Exceptions,
) -> String {
    let mut out = String::new();
    out.push_str("# Conformance\n\n");
    out.push_str(
        "Written by `cargo xtask conformance` from the [requirement catalogue](standard/README.md), the `Proves:` lines above the\n\
         tests, [conformance-exceptions.toml](conformance-exceptions.toml) (what no test of this program can prove) and\n\
         [conformance-open.toml](conformance-open.toml) (what is not built yet). Do not edit: `cargo xtask tidy` compares.\n\
         Every id of the catalogue is here: proved by tests, an exception with its reason, or open. A decision (D-) is open\n\
         when no test cites it by its id; the rules that it settles are proved under their own ids.\n",
    );
    summary(&mut out, catalogue, proofs, exceptions);
    let mut file = "";
    for row in catalogue.rows() {
        if row.file != file {
            file = &row.file;
            let name = file.strip_prefix(FOLDER).unwrap_or(file);
            let _ = write!(
                out,
                "\n## [{name}](standard/{name})\n\n| Id | Level | Rule | Proved by |\n|---|---|---|---|\n"
            );
        }
        for id in &row.ids {
            let proof = proof_cell(id, proofs, exceptions, open);
            let _ = writeln!(out, "| {id} | {} | {} | {proof} |", row.level, row.rule);
        }
    }
    out
}

fn summary(out: &mut String, catalogue: &Catalogue, proofs: &Proofs, exceptions: &Exceptions) {
    out.push_str(
        "\n| Level | Rows | Proved by tests | Exceptions | Open |\n|---|---|---|---|---|\n",
    );
    for (level, shown) in LEVELS {
        let rows = catalogue.rows().filter(|row| in_level(&row.level, level));
        let ids: Vec<&String> = rows.flat_map(|row| &row.ids).collect();
        if ids.is_empty() {
            continue;
        }
        let proved = ids.iter().filter(|id| !proofs.of(id).is_empty()).count();
        let excepted = ids
            .iter()
            .filter(|id| exceptions.reason(id).is_some())
            .count();
        let open = ids.len() - proved - excepted;
        let _ = writeln!(
            out,
            "| {shown} | {} | {proved} | {excepted} | {open} |",
            ids.len()
        );
    }
}

/// Levels of the catalogue and how the summary names them; the last takes every other.
const LEVELS: [(&str, &str); 6] = [
    ("MUST", "MUST"),
    ("MUST NOT", "MUST NOT"),
    ("SHOULD", "SHOULD"),
    ("SHOULD NOT", "SHOULD NOT"),
    ("MAY", "MAY"),
    (
        "",
        "other: decisions, mixed levels, tests that a simulator scripts",
    ),
];

fn in_level(of_row: &str, level: &str) -> bool {
    match level {
        "" => !LEVELS
            .iter()
            .any(|(known, _)| !known.is_empty() && *known == of_row),
        known => known == of_row,
    }
}

fn proof_cell(id: &str, proofs: &Proofs, exceptions: &Exceptions, open: &Exceptions) -> String {
    let tests = proofs.of(id);
    if !tests.is_empty() {
        let names: Vec<String> = tests.iter().map(|name| format!("`{name}`")).collect();
        return names.join("<br>");
    }
    match (exceptions.reason(id), open.reason(id)) {
        (Some(reason), _) => format!("exception: {}", reason.replace('|', "\\|")),
        (_, Some(reason)) => format!("**open**: {}", reason.replace('|', "\\|")),
        _ => "**open**".to_owned(),
    }
}
