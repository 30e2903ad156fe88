//! The SCAL table in words: one line per row, and the same as CSV.

use super::model::Run;
use super::verdicts::{Mark, Standing, once, standings};
use serde::Serialize;

/// Most tests named in one cell; a row with more says how many.
const TESTS_NAMED: usize = 12;
/// Most findings quoted in one cell; the report has them all.
const FINDINGS_QUOTED: usize = 5;

/// One line of the table to attach.
#[derive(Debug, PartialEq, Serialize)]
pub struct Line {
    /// Provider or Consumer.
    pub side: &'static str,
    /// The SCAL's number.
    pub requirement: &'static str,
    /// MUST, SHOULD, MAY.
    pub level: &'static str,
    /// How it stands.
    pub verdict: Mark,
    /// What is asked.
    pub asked: &'static str,
    /// Which tests tried it, and how each ended.
    pub tried: String,
    /// What was found.
    pub found: String,
    /// What to change, if it failed.
    pub change: &'static str,
    /// What only the supplier can attach.
    pub attach: &'static str,
    /// Ids of the catalogue.
    pub catalogue: String,
    /// Checks of the published test kit.
    pub checks: String,
}

/// The table of these runs.
pub fn lines(runs: &[Run]) -> Vec<Line> {
    standings(runs).iter().map(line).collect()
}

fn line(standing: &Standing) -> Line {
    let row = standing.row;
    Line {
        side: row.kind.word(),
        requirement: &row.id,
        level: row.level.word(),
        verdict: standing.mark,
        asked: &row.text,
        tried: tried(standing),
        found: found(standing),
        change: if standing.mark == Mark::Failed {
            &row.change
        } else {
            ""
        },
        attach: row.attach.as_deref().unwrap_or(""),
        catalogue: row.catalogue.join(" "),
        checks: row.checks.join(" "),
    }
}

fn tried(standing: &Standing) -> String {
    // What broke it comes first: it must not fall behind the bound.
    let mut trials: Vec<_> = standing.trials.iter().collect();
    trials.sort_by_key(|trial| !trial.broke);
    let mut names: Vec<String> = trials
        .iter()
        .take(TESTS_NAMED)
        .map(|trial| {
            format!(
                "{} ({})",
                trial.outcome.id,
                trial.outcome.word().to_lowercase()
            )
        })
        .collect();
    if trials.len() > TESTS_NAMED {
        names.push(format!("and {} more", trials.len() - TESTS_NAMED));
    }
    names.join(", ")
}

fn found(standing: &Standing) -> String {
    let all = once(standing.findings());
    let quote = |f: &super::Finding| match f.where_.as_str() {
        "" => f.what.clone(),
        place => format!("{} ({place})", f.what),
    };
    let mut quoted: Vec<String> = all
        .iter()
        .take(FINDINGS_QUOTED)
        .map(|(_, f)| quote(f))
        .collect();
    if all.len() > FINDINGS_QUOTED {
        quoted.push(format!("and {} more", all.len() - FINDINGS_QUOTED));
    }
    quoted.join("; ")
}

/// The table as CSV (RFC 4180), with the mark by which spreadsheets recognise UTF-8.
pub fn csv(runs: &[Run]) -> String {
    const HEAD: [&str; 11] = [
        "Side",
        "Requirement",
        "Level",
        "Verdict",
        "What is asked",
        "How it was tried",
        "What was found",
        "What to change",
        "To attach",
        "Catalogue",
        "Test kit checks",
    ];
    let mut out = String::from("\u{feff}");
    record(&mut out, &HEAD);
    for line in lines(runs) {
        record(
            &mut out,
            &[
                line.side,
                line.requirement,
                line.level,
                line.verdict.words(),
                line.asked,
                &line.tried,
                &line.found,
                line.change,
                line.attach,
                &line.catalogue,
                &line.checks,
            ],
        );
    }
    out
}

pub(crate) fn record(out: &mut String, cells: &[&str]) {
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        out.push('"');
        // A spreadsheet would run a cell that begins so as a formula; findings quote what a stranger sent.
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
            out.push('\'');
        }
        for c in cell.chars().filter(|c| *c != '\0') {
            if c == '"' {
                out.push('"');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push_str("\r\n");
}
