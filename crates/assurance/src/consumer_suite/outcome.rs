//! The run as evidence: one outcome a scenario, one a rule, and what only the supplier can declare.

use crate::evidence::{Exchange, Finding, Id, Kind, Outcome, Run, Severity, Verdict};
use booking::count::{counted, plural};
use jiff::Timestamp;

use super::ledger::Ledger;
use super::rules::{RuleRow, rules};
use super::scenario::{Play, Scenario};
use super::state::State;

/// Builds the run.
pub(super) fn run(state: &mut State, started: Timestamp) -> Run {
    state.unfinished();
    let target = match &state.target {
        Some(asid) => format!("Consumer {asid}"),
        None => "Consumer (no request seen)".to_owned(),
    };
    let mut run = Run::started(Kind::Consumer, target);
    run.started = started;
    run.outcomes
        .extend(state.chosen.iter().map(|s| of_scenario(state, s)));
    run.outcomes
        .extend(rules().iter().map(|row| of_rule(&state.ledger, row)));
    run.outcomes.push(declared());
    if state.ledger.dropped() > 0 {
        let what = format!(
            "{} exchanges beyond the bound were judged but not kept",
            state.ledger.dropped()
        );
        if let Some(first) = run.outcomes.first_mut() {
            first.findings.push(Finding::note(&["ASR-06"], what));
        }
    }
    run.finished = Timestamp::now();
    run
}

fn ids(names: &[&'static str]) -> Vec<Id> {
    names.iter().map(|name| Id::Borrowed(name)).collect()
}

/// Collects exchanges once each, and says where they are.
#[derive(Default)]
struct Shelf {
    places: Vec<usize>,
    exchanges: Vec<Exchange>,
}

impl Shelf {
    fn put(&mut self, ledger: &Ledger, place: usize) -> Option<usize> {
        if let Some(at) = self.places.iter().position(|p| *p == place) {
            return Some(at);
        }
        self.exchanges.push(ledger.exchange(place)?.clone());
        self.places.push(place);
        Some(self.places.len() - 1)
    }
}

fn of_scenario(state: &State, scenario: &'static Scenario) -> Outcome {
    let tally = state.tallies.get(scenario.id).copied().unwrap_or_default();
    let mut shelf = Shelf::default();
    for place in state.ledger.places(scenario.id) {
        shelf.put(&state.ledger, *place);
    }
    let mut findings: Vec<Finding> = Vec::new();
    for (_, finding, place) in state
        .national
        .trespasses
        .iter()
        .filter(|(id, _, _)| *id == scenario.id)
    {
        let mut finding = finding.clone();
        finding.exchange = place.and_then(|p| shelf.put(&state.ledger, p));
        findings.push(finding);
    }
    let left = scenario.left(&tally);
    let abandoned = match scenario.play {
        Play::BookEmpty(_) | Play::BookHangs => tally.unanswered > 0 && tally.recovered == 0,
        Play::CancelEmpty(_) | Play::CancelHangs => {
            tally.unanswered_cancels > 0 && tally.recovered_cancels == 0
        }
        Play::CancelMeetsChange(_) => tally.conflicts > 0 && tally.reads_after_conflict == 0,
        _ => false,
    };
    if let (true, Some(left)) = (abandoned, left) {
        let what = format!("It was left in the middle; what should have followed: {left}");
        findings.push(
            Finding::error(&scenario.requirements, what)
                .at("request")
                .right(scenario.right),
        );
    }
    let failed = findings.iter().any(|f| f.severity == Severity::Error);
    let verdict = match left {
        _ if failed => Verdict::Failed,
        Some(left) if state.tallies.contains_key(scenario.id) => Verdict::Skipped(format!(
            "not walked to its end; left to do: {left} (service {})",
            scenario.id
        )),
        Some(left) => Verdict::Skipped(format!(
            "not walked; begin so: {left} (service {})",
            scenario.id
        )),
        None => Verdict::Passed,
    };
    Outcome {
        id: Id::Owned(format!("Scenario_{}", scenario.id)),
        title: format!("{}: {} {}", scenario.name, scenario.task, scenario.right),
        requirements: ids(&scenario.requirements),
        verdict,
        findings,
        exchanges: shelf.exchanges,
    }
}

fn of_rule(ledger: &Ledger, row: &'static RuleRow) -> Outcome {
    let of = ledger.of(row.rule);
    let mut shelf = Shelf::default();
    let mut findings: Vec<Finding> = Vec::new();
    for (finding, place) in &of.findings {
        let mut finding = finding.clone();
        finding.exchange = place.and_then(|p| shelf.put(ledger, p));
        findings.push(finding);
    }
    if of.broken > 0 {
        let what = format!(
            "{} of {} {} this rule",
            of.broken,
            counted(of.judged, "request", "requests"),
            plural(of.broken, "breaks", "break")
        );
        findings.push(Finding::note(&row.requirements, what));
    } else {
        for (_, place) in &of.examples {
            shelf.put(ledger, *place);
        }
    }
    let mut outcome = Outcome::tried(
        row.id,
        row.title,
        &row.requirements,
        findings,
        shelf.exchanges,
    );
    if of.judged == 0 {
        outcome.verdict = Verdict::Skipped(format!(
            "nothing was seen that this rule is about; it needs {}",
            row.needs
        ));
    }
    outcome
}

/// C31 is a declaration.
fn declared() -> Outcome {
    Outcome {
        id: Id::Borrowed("Declaration_C31"),
        title: "The obligations of the service model have been read and understood".to_owned(),
        requirements: ids(&["C31"]),
        verdict: Verdict::Declared("attach the signed declaration".to_owned()),
        findings: Vec::new(),
        exchanges: Vec::new(),
    }
}
