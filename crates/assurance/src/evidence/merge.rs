//! Several runs as one record: a test that was run again replaces its earlier result, and the record says so.

use super::model::{Kind, Run};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A result that a newer one replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which side was tried.
    pub kind: Kind,
    /// What was tried.
    pub target: String,
    /// The test.
    pub test: String,
    /// How it had ended.
    pub verdict: String,
    /// When that run had started.
    pub run_started: Timestamp,
}

/// Joins the runs of one target, the newest result of each test counting; runs of other targets stand beside them.
/// The order of the tests is that of the first run that had them.
pub fn merge(mut runs: Vec<Run>) -> (Vec<Run>, Vec<Replaced>) {
    runs.sort_by_key(|run| run.started);
    let mut merged: Vec<(Run, Vec<Timestamp>)> = Vec::new();
    let mut replaced = Vec::new();
    for run in runs {
        let same = |(other, _): &&mut (Run, Vec<Timestamp>)| {
            other.kind == run.kind && other.target == run.target
        };
        match merged.iter_mut().find(same) {
            Some((into, starts)) => join(into, starts, run, &mut replaced),
            None => {
                let starts = vec![run.started; run.outcomes.len()];
                merged.push((run, starts));
            }
        }
    }
    (merged.into_iter().map(|(run, _)| run).collect(), replaced)
}

fn join(into: &mut Run, starts: &mut Vec<Timestamp>, newer: Run, replaced: &mut Vec<Replaced>) {
    // Results of one run never replace each other, even if a test gave two.
    let before = into.outcomes.len();
    let mut taken = vec![false; before];
    for outcome in newer.outcomes {
        let old = into
            .outcomes
            .iter()
            .take(before)
            .position(|o| o.id == outcome.id);
        let old = old.filter(|at| taken.get(*at) == Some(&false));
        let slot = old.and_then(|at| {
            Some((
                into.outcomes.get_mut(at)?,
                starts.get_mut(at)?,
                taken.get_mut(at)?,
            ))
        });
        match slot {
            Some((place, start, taken)) => {
                replaced.push(Replaced {
                    kind: into.kind,
                    target: into.target.clone(),
                    test: place.id.to_string(),
                    verdict: place.verdict.word().to_owned(),
                    run_started: *start,
                });
                (*place, *start, *taken) = (outcome, newer.started, true);
            }
            None => {
                into.outcomes.push(outcome);
                starts.push(newer.started);
            }
        }
    }
    into.finished = into.finished.max(newer.finished);
    into.tool_version = newer.tool_version;
    if newer.about != super::model::About::default() {
        into.about = newer.about;
    }
}
