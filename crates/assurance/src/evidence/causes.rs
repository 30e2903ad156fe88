//! What failed, by cause: a fault that several tests meet is told once, with the tests that it fails.

use super::model::{Exchange, Finding, Outcome, Run, Severity, Verdict};

/// One fault, and the tests that it fails.
#[derive(Debug)]
pub struct Cause<'a> {
    /// The finding as it was first made.
    pub finding: &'a Finding,
    /// Run and place of each test that met it; the first is where the finding was made.
    pub tests: Vec<(usize, usize)>,
    /// How often it was found, over all tests.
    pub times: usize,
}

impl Cause<'_> {
    /// Names of the tests that met it.
    pub fn names<'r>(&self, runs: &'r [Run]) -> Vec<&'r str> {
        let outcome = |(run, place): &(usize, usize)| runs.get(*run)?.outcomes.get(*place);
        self.tests
            .iter()
            .filter_map(outcome)
            .map(|o| o.id.as_ref())
            .collect()
    }
}

/// The causes of all failures, in the order in which they were met.
pub fn causes(runs: &[Run]) -> Vec<Cause<'_>> {
    grouped(runs, |outcome, finding| {
        outcome.verdict == Verdict::Failed && finding.severity == Severity::Error
    })
}

/// What fails no test and is worth changing: warnings and advice, each once.
pub fn remarks(runs: &[Run]) -> Vec<Cause<'_>> {
    grouped(runs, |_, finding| {
        matches!(finding.severity, Severity::Warning | Severity::Advice)
    })
}

fn grouped(runs: &[Run], wanted: fn(&Outcome, &Finding) -> bool) -> Vec<Cause<'_>> {
    let mut all: Vec<Cause> = Vec::new();
    let mut places = std::collections::HashMap::<String, usize>::new();
    for (run, of_run) in runs.iter().enumerate() {
        for (place, outcome) in of_run.outcomes.iter().enumerate() {
            for finding in outcome.findings.iter().filter(|f| wanted(outcome, f)) {
                let key = format!("{run} {}", key(outcome, finding));
                let at = *places.entry(key).or_insert_with(|| {
                    all.push(Cause {
                        finding,
                        tests: Vec::new(),
                        times: 0,
                    });
                    all.len() - 1
                });
                let Some(cause) = all.get_mut(at) else {
                    continue;
                };
                cause.times += 1;
                if cause.tests.last() != Some(&(run, place)) {
                    cause.tests.push((run, place));
                }
            }
        }
    }
    all
}

/// The findings that fail a test.
pub fn errors(outcome: &Outcome) -> impl Iterator<Item = &Finding> {
    let all = outcome.findings.iter();
    all.filter(|f| f.severity == Severity::Error)
}

/// By this two findings have one cause: the same thing was wrong at the same place of the answer to the same kind of
/// request. What the request was for, and what changes from one message to the next, does not count.
pub fn key(outcome: &Outcome, finding: &Finding) -> String {
    let exchange = finding.exchange.and_then(|i| outcome.exchanges.get(i));
    format!(
        "{} {} | {} | {}",
        exchange.map_or("", |e| e.method.as_str()),
        exchange.map_or("", kind_of),
        finding.where_,
        stem(&finding.what),
    )
}

/// The resource that a request is about.
fn kind_of(exchange: &Exchange) -> &str {
    let path = exchange.url.split('?').next().unwrap_or_default();
    let kinds = ["Appointment", "Slot", "metadata"];
    let of = |part: &str| kinds.into_iter().find(|k| *k == part);
    path.split('/').find_map(of).unwrap_or("")
}

/// A sentence without the purpose of the request, what the server said, and ids.
fn stem(what: &str) -> String {
    let mut out = String::with_capacity(what.len());
    let mut depth = 0_usize;
    for c in what.chars() {
        match c {
            '“' | '(' => depth += 1,
            '”' | ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    let word = |w: &str| match w.len() >= 8 && w.bytes().any(|b| b.is_ascii_digit()) {
        true => "…".to_owned(),
        false => w.to_owned(),
    };
    out.split_whitespace()
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Body, Kind};

    fn failed(id: &'static str, purpose: &str, status: u16) -> Outcome {
        let what = format!("The request “{purpose}” was answered with {status} (at 01a1fd7a-0786)");
        let exchange = Exchange::sent(
            "PUT",
            "https://p.test/STU3/1/X/Appointment/1",
            Vec::new(),
            Body::default(),
        );
        let finding = Finding::error(&["P31"], what).at("status").in_exchange(0);
        Outcome::tried(id, "t", &["P31"], vec![finding], vec![exchange])
    }

    /// Proves: ASR-06
    #[test]
    fn one_cause_is_one_entry_however_many_tests_meet_it() {
        let mut run = Run::started(Kind::Provider, "p");
        run.outcomes = vec![
            failed("A", "cancel", 500),
            failed("B", "cancel with the stored body", 500),
            failed("C", "cancel", 403),
        ];
        let runs = [run];
        let all = causes(&runs);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].names(&runs), ["A", "B"]);
        assert_eq!(all[1].names(&runs), ["C"]);
    }
}
