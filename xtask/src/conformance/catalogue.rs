//! The requirement rows of `docs/standard`: every table whose first column is `Id`, `Check` or `Test`.

use std::collections::BTreeSet;

use crate::workspace::Workspace;

/// Folder of the requirement catalogue.
pub const FOLDER: &str = "docs/standard/";
/// Groups whose tables have no column `Level`, because their heading gives it to all rows.
const MUST_PREFIXES: &[&str] = &["ERR-", "REP-"];
/// Columns that do not tell the rule.
const NO_RULE: &[&str] = &[
    "Id",
    "Check",
    "Test",
    "Level",
    "Source",
    "Base",
    "Class",
    "Consumer keeps",
    "Checked by",
    "OK",
];
/// Characters of a rule that the table of proofs shows.
const SHORT_RULE: usize = 110;

/// One row of the catalogue.
pub struct Row {
    /// The ids that the row defines, mostly one.
    pub ids: Vec<String>,
    /// MUST, SHOULD, MAY, MUST NOT, SHOULD NOT, or empty for decisions.
    pub level: String,
    /// The rule, clipped.
    pub rule: String,
    /// Path of the file.
    pub file: String,
    /// Line in the file, from 1.
    pub line: usize,
}

/// All rows.
pub struct Catalogue {
    rows: Vec<Row>,
    known: BTreeSet<String>,
}

impl Catalogue {
    /// Reads the tables of all files of the catalogue.
    pub fn read(workspace: &Workspace) -> Result<Catalogue, String> {
        let mut rows = Vec::new();
        for (path, text) in workspace
            .with_ending(".md")
            .filter(|(path, _)| path.starts_with(FOLDER))
        {
            read_tables(path, text, &mut rows);
        }
        if rows.is_empty() {
            return Err(format!("{FOLDER} holds no requirement tables"));
        }
        let known = rows
            .iter()
            .flat_map(|row| row.ids.iter().cloned())
            .collect();
        Ok(Catalogue { rows, known })
    }

    /// Whether an id is defined.
    pub fn knows(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    /// All rows, in the order of the catalogue.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }
}

fn read_tables(path: &str, text: &str, rows: &mut Vec<Row>) {
    let mut headers: Option<Vec<String>> = None;
    for (i, line) in text.lines().enumerate() {
        if !line.starts_with('|') {
            headers = None;
            continue;
        }
        let cells = split_cells(line);
        let Some(names) = &headers else {
            headers = Some(cells);
            continue;
        };
        let is_rule = cells
            .iter()
            .all(|cell| cell.chars().all(|c| matches!(c, '-' | ':')));
        let kind = names.first().map(String::as_str).unwrap_or("");
        if is_rule || !matches!(kind, "Id" | "Check" | "Test") {
            continue;
        }
        let ids = read_ids(cells.first().map(String::as_str).unwrap_or(""));
        if !ids.is_empty() {
            rows.push(make_row(path, i + 1, kind, names, &cells, ids));
        }
    }
}

fn make_row(
    path: &str,
    line: usize,
    kind: &str,
    names: &[String],
    cells: &[String],
    ids: Vec<String>,
) -> Row {
    let cell = |name: &str| {
        let column = names.iter().position(|n| n == name)?;
        cells.get(column).map(String::as_str)
    };
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| ids[0].starts_with(p));
    let real_test = kind == "Test" && cell("Class").is_some_and(|class| class.starts_with('R'));
    let level = match cell("Level") {
        Some(level) => level.to_owned(),
        None if real_test || starts(MUST_PREFIXES) => "MUST".to_owned(),
        None => String::new(),
    };
    let told = names
        .iter()
        .zip(cells)
        .filter(|(name, _)| !NO_RULE.contains(&name.as_str()));
    let parts: Vec<&str> = told
        .map(|(_, cell)| cell.as_str())
        .filter(|c| !c.is_empty())
        .collect();
    Row {
        ids,
        level,
        rule: clip(&parts.join(": ")),
        file: path.to_owned(),
        line,
    }
}

/// The cells of a table line; `\|` is no border and stays as it is.
fn split_cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|');
    let line = line.strip_suffix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in line.chars() {
        match (c, escaped, cells.last_mut()) {
            ('|', false, _) => cells.push(String::new()),
            (_, _, Some(cell)) => cell.push(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The ids of a first cell: `PROV-GEN-01`, `P11-P13`, `P14 (P18)`, `OPS-C2, C3`.
fn read_ids(cell: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let words = cell.split([',', ' ', '(', ')']).filter(|word| {
        word.chars().any(|c| c.is_ascii_alphanumeric()) && !matches!(*word, "none" | "TKW")
    });
    for word in words {
        let inherited = match ids.first().and_then(|first| first.strip_prefix("OPS-")) {
            Some(_) if !word.starts_with("OPS-") => "OPS-",
            _ => "",
        };
        let word = format!("{inherited}{word}");
        match read_range(&word) {
            Some(range) => ids.extend(range),
            None => ids.push(word),
        }
    }
    ids
}

/// `P11-P13` or `OPS-P1-P3` as the ids that it stands for.
fn read_range(word: &str) -> Option<Vec<String>> {
    let (first, last) = word.rsplit_once('-')?;
    let (prefix, first) = match first.rsplit_once('-') {
        Some((prefix, first)) => (format!("{prefix}-"), first),
        None => (String::new(), first),
    };
    let letter = first.chars().next().filter(char::is_ascii_uppercase)?;
    let from: u32 = first.strip_prefix(letter)?.parse().ok()?;
    let to: u32 = last.strip_prefix(letter)?.parse().ok()?;
    Some(
        (from..=to)
            .map(|n| format!("{prefix}{letter}{n}"))
            .collect(),
    )
}

/// Clips a rule at a word, without leaving a code span open.
fn clip(rule: &str) -> String {
    if rule.chars().count() <= SHORT_RULE {
        return rule.to_owned();
    }
    let clipped: String = rule.chars().take(SHORT_RULE).collect();
    let clipped = clipped
        .rsplit_once(' ')
        .map_or(clipped.as_str(), |(words, _)| words);
    let open = clipped.matches('`').count() % 2 == 1;
    let clipped = match clipped.rfind('`') {
        Some(tick) if open => &clipped[..tick],
        _ => clipped,
    };
    format!(
        "{} …",
        clipped.trim_end_matches([' ', ',', ';', ':', '(', '\\'])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_cells_are_read_as_ids() {
        assert_eq!(read_ids("PROV-GEN-01"), ["PROV-GEN-01"]);
        assert_eq!(read_ids("P14 (P18)"), ["P14", "P18"]);
        assert_eq!(read_ids("P11-P13"), ["P11", "P12", "P13"]);
        assert_eq!(read_ids("OPS-P1-P3"), ["OPS-P1", "OPS-P2", "OPS-P3"]);
        assert_eq!(read_ids("OPS-C2, C3"), ["OPS-C2", "OPS-C3"]);
        assert_eq!(read_ids("C31-C34 (TKW)").len(), 4);
        assert!(read_ids("(none)").is_empty() && read_ids("-").is_empty());
    }

    #[test]
    fn an_escaped_bar_is_no_border() {
        assert_eq!(split_cells(r"| a | `x\|y` | |"), ["a", r"`x\|y`", ""]);
    }

    #[test]
    fn rows_carry_level_and_party() {
        let text = "| Id | Level | Rule | Source |\n|---|---|---|---|\n| PROV-X-01 | SHOULD | Do. | a.md |\n\n\
                    | Id | Situation |\n|---|---|\n| ERR-99 | Bad |\n\n\
                    | Test | Request | Class |\n|---|---|---|\n| One_a, One_b | x | R (D-07) |\n| Two | y | S |\n";
        let catalogue =
            Catalogue::read(&Workspace::of_files(&[("docs/standard/a.md", text)])).unwrap();
        let rows: Vec<_> = catalogue
            .rows()
            .map(|r| (r.ids.join("+"), r.level.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                ("PROV-X-01".to_owned(), "SHOULD"),
                ("ERR-99".to_owned(), "MUST"),
                ("One_a+One_b".to_owned(), "MUST"),
                ("Two".to_owned(), "")
            ]
        );
        assert!(catalogue.knows("Two") && !catalogue.knows("Three"));
    }
}
