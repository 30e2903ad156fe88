//! How each row of the SCAL stands after the runs: shown, broken, to be declared, or not tried.

use super::cause_key;
use super::model::{Finding, Id, Kind, Outcome, Run, Severity, Verdict};
use crate::requirements::{Row, rows, rows_of};
use serde::Serialize;

/// The verdict on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// At least one test shows it, and none breaks it.
    Passed,
    /// At least one test breaks it.
    Failed,
    /// Only the supplier can show it: no test tries it.
    Declared,
    /// There are tests, and none of them was run to its end.
    Untried,
}

impl Mark {
    /// The words shown to a reader.
    pub fn words(self) -> &'static str {
        match self {
            Mark::Passed => "Passed",
            Mark::Failed => "Failed",
            Mark::Declared => "To declare",
            Mark::Untried => "Not tried",
        }
    }

    /// The key of the filter, and the class of the badge.
    pub fn key(self) -> &'static str {
        match self {
            Mark::Passed => "passed",
            Mark::Failed => "failed",
            Mark::Declared => "declared",
            Mark::Untried => "untried",
        }
    }
}

/// A test that tried a row.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// Index of the run.
    pub run: usize,
    /// Index of the outcome in the run.
    pub place: usize,
    /// The outcome.
    pub outcome: &'a Outcome,
    /// True if this test broke the row.
    pub broke: bool,
}

/// How one row stands.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The row.
    pub row: &'static Row,
    /// The verdict.
    pub mark: Mark,
    /// The tests that tried it.
    pub trials: Vec<Trial<'a>>,
}

impl<'a> Standing<'a> {
    /// The findings that break the row, or that are about it.
    pub fn findings(&self) -> impl Iterator<Item = (Trial<'a>, &'a Finding)> {
        self.trials.iter().flat_map(|trial| {
            let about =
                |f: &&Finding| is_about(self.row, f) || (trial.broke && orphan(self.row.kind, f));
            trial
                .outcome
                .findings
                .iter()
                .filter(about)
                .map(|finding| (*trial, finding))
        })
    }
}

/// Of findings with one cause the first.
pub(super) fn once<'a>(
    findings: impl Iterator<Item = (Trial<'a>, &'a Finding)>,
) -> Vec<(Trial<'a>, &'a Finding)> {
    let mut causes = std::collections::HashSet::new();
    findings
        .filter(|(trial, f)| causes.insert(cause_key(trial.outcome, f)))
        .collect()
}

/// Every row of the sides that were tried.
pub fn standings(runs: &[Run]) -> Vec<Standing<'_>> {
    let mut all = Vec::new();
    for kind in [Kind::Provider, Kind::Consumer] {
        if runs.iter().any(|run| run.kind == kind) {
            all.extend(rows(kind).map(|row| standing(row, runs)));
        }
    }
    all
}

fn standing<'a>(row: &'static Row, runs: &'a [Run]) -> Standing<'a> {
    let mut trials = Vec::new();
    for (run, of_run) in runs
        .iter()
        .enumerate()
        .filter(|(_, run)| run.kind == row.kind)
    {
        for (place, outcome) in of_run.outcomes.iter().enumerate() {
            let broke = breaks(row, outcome);
            if broke || touches(row, &outcome.requirements) {
                trials.push(Trial {
                    run,
                    place,
                    outcome,
                    broke,
                });
            }
        }
    }
    let any = |wanted: fn(&Verdict) -> bool| trials.iter().any(|t| wanted(&t.outcome.verdict));
    let mark = if trials.iter().any(|trial| trial.broke) {
        Mark::Failed
    } else if any(|v| *v == Verdict::Passed) {
        Mark::Passed
    } else if any(|v| matches!(v, Verdict::Declared(_)))
        || (row.attach.is_some() && trials.is_empty())
    {
        Mark::Declared
    } else {
        Mark::Untried
    };
    Standing { row, mark, trials }
}

fn touches(row: &Row, ids: &[Id]) -> bool {
    rows_of(row.kind, ids)
        .iter()
        .any(|other| other.id == row.id)
}

fn is_about(row: &Row, finding: &Finding) -> bool {
    touches(row, &finding.requirement)
}

/// An error that names no row at all.
fn orphan(kind: Kind, finding: &Finding) -> bool {
    finding.severity == Severity::Error && rows_of(kind, &finding.requirement).is_empty()
}

/// A failed test breaks the rows that its errors are about. If none of them is about any row, it breaks all the rows
/// that it tried: a failure may not vanish from the table.
fn breaks(row: &Row, outcome: &Outcome) -> bool {
    if outcome.verdict != Verdict::Failed {
        return false;
    }
    let errors = || {
        outcome
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
    };
    if errors().any(|f| is_about(row, f)) {
        return true;
    }
    errors().all(|f| orphan(row.kind, f)) && touches(row, &outcome.requirements)
}

/// How one id of the catalogue stands: broken by an error that names it, otherwise shown by a passed test.
#[derive(Debug)]
pub struct Cited<'a> {
    /// The id.
    pub id: &'a str,
    /// The verdict.
    pub mark: Mark,
    /// How many tests try it.
    pub tests: usize,
}

/// Every id that a test or a finding names, sorted.
pub fn cited(runs: &[Run]) -> Vec<Cited<'_>> {
    let mut ids = std::collections::BTreeMap::<&str, (bool, bool, bool, usize)>::new();
    for outcome in runs.iter().flat_map(|run| &run.outcomes) {
        for id in &outcome.requirements {
            let (_, passed, declared, tests) = ids.entry(id).or_default();
            *passed |= outcome.verdict == Verdict::Passed;
            *declared |= matches!(outcome.verdict, Verdict::Declared(_));
            *tests += 1;
        }
        for finding in outcome
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
        {
            for id in &finding.requirement {
                ids.entry(id).or_default().0 |= outcome.verdict == Verdict::Failed;
            }
        }
    }
    let mark = |(broken, passed, declared, _): (bool, bool, bool, usize)| match () {
        () if broken => Mark::Failed,
        () if passed => Mark::Passed,
        () if declared => Mark::Declared,
        () => Mark::Untried,
    };
    ids.into_iter()
        .map(|(id, seen)| Cited {
            id,
            mark: mark(seen),
            tests: seen.3,
        })
        .collect()
}
