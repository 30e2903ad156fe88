//! Rules on Rust files: module docs, length, names, `unwrap`, SQL, files without a bound.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::rust_source::{Line, RustSource, is_test_path};
use crate::workspace::Workspace;

/// Longer files are two jobs in one room.
const MAX_LINES: usize = 600;
/// Tests are tables of cases and may be longer.
const MAX_TEST_LINES: usize = 1200;
/// More proven invariants than these are a habit, not exceptions.
const MAX_INVARIANTS: usize = 12;
/// What makes an `unwrap` or `expect` a proven invariant; a reason follows it on the same line.
const INVARIANT: &str = "// invariant: ";
/// The places that know a database: the Provider's data, and the Consumer's journal.
const STORES: [&str; 2] = ["crates/provider/src/store", "crates/consumer/src/journal"];
/// Tests that look into a database from outside.
const STORE_TESTS: [&str; 5] = [
    "xtask/",
    "tools/",
    "crates/testkit/",
    "crates/provider/tests/",
    "crates/consumer/tests/journal",
];
/// How SQL opens in a string; with the quote, so that prose is not taken for it.
const SQL: &[&str] = &[
    "\"SELECT ",
    "\"INSERT INTO ",
    "\"UPDATE ",
    "\"DELETE FROM ",
    "\"CREATE TABLE ",
    "\"PRAGMA ",
];
/// How a file is read whole, however long it is.
const UNBOUNDED: &[&str] = &[
    "fs::read(",
    "fs::read_to_string(",
    "pem_file_iter(",
    "from_pem_file(",
];
/// Macros that make text to be shown.
const FORMATS: [&str; 9] = [
    "format!(",
    "print!(",
    "println!(",
    "write!(",
    "writeln!(",
    "error!(",
    "warn!(",
    "info!(",
    "debug!(",
];
/// How text from outside is had as it came.
const AS_RECEIVED: &str = "as_received";
/// What only builds and tests the program reads files of the repository.
const OWN_FILES: [&str; 4] = ["xtask/", "tools/", "fuzz/", "crates/testkit/"];
/// Crates of databases.
const SQL_CRATES: &[&str] = &["rusqlite", "tokio_postgres", "deadpool_postgres", "sqlx"];
/// Module names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

/// Checks every Rust file.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    let test_files = files_for_tests_only(workspace)?;
    let mut invariants = Vec::new();
    for source in workspace.rust()? {
        let path = source.path.as_str();
        let is_test = is_test_path(path) || test_files.contains(path);
        opens_with_doc(source, &mut found);
        length(source, is_test, &mut found);
        name(path, &mut found);
        if !is_test {
            unwraps(source, &mut found, &mut invariants);
            sql(source, &mut found);
            unbounded(source, &mut found);
            shown_raw(source, &mut found);
        }
    }
    if invariants.len() > MAX_INVARIANTS {
        found.push(Finding::of(
            "crates",
            format!(
                "{} proven invariants ({}), at most {MAX_INVARIANTS} are allowed: return an error instead",
                invariants.len(),
                invariants.join(", ")
            ),
        ));
    }
    Ok(found)
}

/// Files that are reached only by `#[cfg(test)] mod name;`.
fn files_for_tests_only(workspace: &Workspace) -> Result<BTreeSet<String>, String> {
    let mut files = BTreeSet::new();
    for source in workspace.rust()? {
        let path = source.path.as_str();
        let folder = match path.rsplit_once('/') {
            Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder.to_owned(),
            _ => path.trim_end_matches(".rs").to_owned(),
        };
        for module in &source.test_modules {
            files.insert(format!("{folder}/{module}.rs"));
            files.insert(format!("{folder}/{module}/mod.rs"));
        }
    }
    Ok(files)
}

fn opens_with_doc(source: &RustSource, found: &mut Vec<Finding>) {
    if !source.text.starts_with("//!") {
        let message = "open the file with a `//!` doc that says what it is for";
        found.push(Finding::at(&source.path, 1, message));
    }
}

fn length(source: &RustSource, is_test: bool, found: &mut Vec<Finding>) {
    let lines = source.text.lines().count();
    let most = if is_test { MAX_TEST_LINES } else { MAX_LINES };
    if lines > most {
        let message = format!("{lines} lines, at most {most}: split the file by noun");
        found.push(Finding::at(&source.path, most + 1, message));
    }
}

fn name(path: &str, found: &mut Vec<Finding>) {
    if path.contains("/src/") && path.ends_with("/mod.rs") {
        let message = "a module stands in a file of its name beside its folder: rename it";
        found.push(Finding::of(path, message.to_owned()));
    }
    let empty = path
        .split('/')
        .map(|part| part.trim_end_matches(".rs"))
        .find(|part| EMPTY_NAMES.contains(part));
    if let Some(part) = empty {
        found.push(Finding::of(
            path,
            format!("`{part}` says nothing: name the module after what it holds"),
        ));
    }
}

fn unwraps(source: &RustSource, found: &mut Vec<Finding>, invariants: &mut Vec<String>) {
    let path = &source.path;
    for line in source.product_lines() {
        // A type's own method of that name (a parser's `self.expect(token)`) is no panic.
        let code = line.code.replace("self.expect(", "");
        let call = [".unwrap(", ".expect(", ".unwrap_err(", ".expect_err("]
            .into_iter()
            .find(|c| code.contains(c));
        let Some(call) = call else { continue };
        let reason = line.text.split_once(INVARIANT);
        if reason.is_some_and(|(_, reason)| !reason.trim().is_empty()) {
            invariants.push(format!("{path}:{}", line.number));
            continue;
        }
        let message = format!(
            "`{call}…)` outside tests: return an error, or prove it on the same line with `{INVARIANT}…`"
        );
        found.push(Finding::at(path, line.number, message));
    }
}

fn sql(source: &RustSource, found: &mut Vec<Finding>) {
    let path = &source.path;
    let mut known = STORES.iter().chain(&STORE_TESTS);
    if known.any(|place| path.starts_with(place)) {
        return;
    }
    let outside = format!(
        "outside {}: put the query into the store",
        STORES.join(" and ")
    );
    for line in source.product_lines() {
        let mut names = line.code.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(word) = names.find(|word| SQL_CRATES.contains(word)) {
            let message = format!("`{word}` {outside}");
            found.push(Finding::at(path, line.number, message));
        }
        if SQL.iter().any(|start| line.text.contains(start)) {
            let message = format!("SQL {outside}");
            found.push(Finding::at(path, line.number, message));
        }
    }
}

/// A file that a user names may be a device or of any length.
fn unbounded(source: &RustSource, found: &mut Vec<Finding>) {
    let path = &source.path;
    if OWN_FILES.iter().any(|place| path.starts_with(place)) {
        return;
    }
    for line in source.product_lines() {
        let Some(call) = UNBOUNDED.iter().find(|call| line.code.contains(**call)) else {
            continue;
        };
        let of_the_kernel = format!("{call}\"/proc/");
        if !line.text.contains(&of_the_kernel) {
            let message = format!(
                "`{call}…)` reads without a bound: use `booking::named_file`, or `pemfile`"
            );
            found.push(Finding::at(path, line.number, message));
        }
    }
}

/// Text from outside is formatted as `booking::foreign::Foreign`, which cleans it, not as it came.
fn shown_raw(source: &RustSource, found: &mut Vec<Finding>) {
    let path = &source.path;
    let lines: Vec<Line> = source.product_lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(call) = FORMATS.iter().find_map(|call| line.code.find(call)) else {
            continue;
        };
        // The arguments end with the bracket that the macro's name opens.
        let mut open = 0;
        let rest = lines[at + 1..].iter().map(|line| line.code);
        let rest = std::iter::once(&line.code[call..]).chain(rest);
        for (below, code) in rest.enumerate() {
            let ends = code.char_indices().find(|(_, c)| {
                open += i32::from(*c == '(') - i32::from(*c == ')');
                *c == ')' && open == 0
            });
            let arguments = ends.map_or(code, |(end, _)| &code[..end]);
            if arguments.contains(AS_RECEIVED) {
                found.push(Finding::at(
                    path,
                    line.number + below,
                    "text from outside is formatted as it came: format the `Foreign` itself",
                ));
            }
            if ends.is_some() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let found = findings(&Workspace::of_files(&[(path, text)])).unwrap();
        found.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_plain_file_passes() {
        assert!(
            messages(
                "crates/a/src/slot.rs",
                "//! Slots.\nfn a() -> &'static str { \".unwrap()\" }\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn unwrap_needs_a_test_or_a_proof() {
        let text = "//! A.\nfn a() { b().unwrap(); }\nfn c() { d().expect(\"x\"); // invariant: d is constant\n}\n\
                    #[cfg(test)]\nmod tests { fn e() { f().unwrap(); } }\n";
        let found = messages("crates/a/src/a.rs", text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/a.rs:2:"));
        assert!(messages("crates/a/tests/a.rs", "//! A.\nfn a() { b().unwrap(); }\n").is_empty());
    }

    #[test]
    fn docs_length_and_names_are_checked() {
        let long = format!("//! A.\n{}", "\n".repeat(MAX_LINES));
        assert_eq!(messages("crates/a/src/a.rs", &long).len(), 1);
        assert_eq!(messages("crates/a/tests/a.rs", &long).len(), 0);
        assert_eq!(messages("crates/a/src/util.rs", "fn a() {}\n").len(), 2);
    }

    #[test]
    fn sql_stays_in_the_store() {
        let text = "//! A.\nuse rusqlite::Connection;\nconst Q: &str = \"SELECT 1\";\n";
        assert_eq!(
            messages("crates/provider/src/diary/apply.rs", text).len(),
            2
        );
        assert!(messages("crates/provider/src/store/sql/read.rs", text).is_empty());
    }

    #[test]
    fn text_from_outside_is_not_formatted_as_it_came() {
        let text = "//! A.\nfn a() {\n    tracing::warn!(\n        name = f(x).as_received(),\n    );\n\
                    let b = x.as_received() == format!(\"{x}\"); c(format!(\"{y}\"), x.as_received());\n}\n\
                    fn d() { format!(\"{}\", x.as_received()) }\n";
        let found = messages("crates/a/src/a.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/a.rs:4:"), "{found:?}");
        assert!(found[1].starts_with("crates/a/src/a.rs:8:"), "{found:?}");
        assert!(messages("crates/a/tests/a.rs", text).is_empty());
    }

    #[test]
    fn a_file_is_read_within_a_bound() {
        let text = "//! A.\nfn a() { std::fs::read(b); fs::read_to_string(\"/proc/self/status\"); }\n\
                    fn b() { fs::read_to_string(\"/proc/self/status\"); }\n\
                    #[cfg(test)]\nmod tests { fn c() { fs::read(d); } }\n";
        let found = messages("crates/a/src/a.rs", text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/a/src/a.rs:2:"));
        assert!(messages("xtask/src/a.rs", text).is_empty());
    }
}
