//! What was seen and judged, within bounds; at the end one outcome a rule and one a scenario.

use crate::evidence::{Exchange, Finding, Severity};
use std::collections::HashSet;

use super::rules::{Rule, rules};

/// Most exchanges kept; a walk of all scenarios has about three hundred. Further ones are counted.
const MAX_KEPT: usize = 2000;
/// Most bytes of bodies kept.
const MAX_BYTES: usize = 64 << 20;
/// Most of the answer kept of one exchange: enough for a diary of a week; ten thousand slots are cut.
const MAX_ANSWER: usize = 256 << 10;
/// Most different findings of one rule; further ones would repeat them.
const MAX_FINDINGS: usize = 20;
/// Most exchanges shown with a rule that nothing breaks: one per operation tells enough (search, book, read, cancel).
const MAX_EXAMPLES: usize = 4;
/// Most exchanges shown with one scenario.
const MAX_OF_SCENARIO: usize = 60;

/// What one request came to under one rule.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub rule: Rule,
    pub findings: Vec<Finding>,
}

/// What was judged of one request, before its exchange is kept.
#[derive(Debug, Default)]
pub(super) struct Notes(pub Vec<Noted>);

impl Notes {
    /// Looks at the place of the request that a rule is about.
    pub fn of(&mut self, rule: Rule) -> Place<'_> {
        self.at(rule, rule.row().at)
    }

    /// Looks at another place of the request under a rule.
    pub fn at(&mut self, rule: Rule, at: impl Into<String>) -> Place<'_> {
        Place {
            notes: self,
            rule,
            at: at.into(),
        }
    }

    /// The rule was judged, and holds.
    pub fn holds(&mut self, rule: Rule) {
        self.note(rule, None);
    }

    /// The rule was judged, and holds or not: [`Notes::of`] in short. Gives what holds.
    pub fn judge(&mut self, rule: Rule, holds: bool, what: impl Into<String>) -> bool {
        self.of(rule).must(holds).or(what)
    }

    /// What a Provider takes otherwise, and the test kit's report shows as wrong: advice unless it holds.
    pub fn advise(
        &mut self,
        rule: Rule,
        holds: bool,
        right: &'static str,
        what: impl Into<String>,
    ) {
        self.of(rule).advise(holds).right(right).or(what);
    }

    /// What is worth knowing and no fault: a note unless it holds.
    pub fn remark(&mut self, rule: Rule, holds: bool, what: impl Into<String>) {
        self.of(rule).expects(Severity::Note, holds).or(what);
    }

    /// The rule was judged; this is wrong, if anything is.
    pub fn fault<W: Into<String>>(&mut self, rule: Rule, what: Option<W>) {
        let holds = what.is_none();
        self.judge(rule, holds, what.map_or_else(String::new, Into::into));
    }

    /// The rule was judged; this is what was found.
    pub fn note(&mut self, rule: Rule, finding: Option<Finding>) {
        match self.0.iter_mut().find(|n| n.rule == rule) {
            Some(noted) => noted.findings.extend(finding),
            None => self.0.push(Noted {
                rule,
                findings: finding.into_iter().collect(),
            }),
        }
    }

    /// All findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().flat_map(|n| &n.findings)
    }

    /// True if a rule is broken.
    pub fn has_error(&self) -> bool {
        self.findings().any(|f| f.severity == Severity::Error)
    }
}

/// A place of the request that is looked at under a rule.
#[must_use = "a place alone judges nothing"]
pub(super) struct Place<'n> {
    notes: &'n mut Notes,
    rule: Rule,
    at: String,
}

/// What has to hold at a place.
#[must_use = "it is noted by `or`"]
pub(super) struct Expectation<'n> {
    place: Place<'n>,
    severity: Severity,
    holds: bool,
    right: Option<&'static str>,
}

impl<'n> Place<'n> {
    /// What the Standard demands: else it is an error.
    pub fn must(self, holds: bool) -> Expectation<'n> {
        self.expects(Severity::Error, holds)
    }

    /// What the Standard recommends: else it is a warning.
    pub fn should(self, holds: bool) -> Expectation<'n> {
        self.expects(Severity::Warning, holds)
    }

    /// What a Provider takes otherwise, and the report of the published test kit shows as wrong then.
    pub fn advise(self, holds: bool) -> Expectation<'n> {
        self.expects(Severity::Advice, holds)
    }

    fn expects(self, severity: Severity, holds: bool) -> Expectation<'n> {
        Expectation {
            place: self,
            severity,
            holds,
            right: None,
        }
    }
}

impl Expectation<'_> {
    /// What would be right, where the rule's own row does not say it.
    pub fn right(mut self, right: &'static str) -> Self {
        self.right = Some(right);
        self
    }

    /// Notes that the rule was judged, with this finding unless it holds. Gives what holds.
    pub fn or(self, what: impl Into<String>) -> bool {
        let Place { notes, rule, at } = self.place;
        let row = rule.row();
        let finding = (!self.holds).then(|| Finding {
            severity: self.severity,
            ..Finding::error(&row.requirements, what)
                .at(at)
                .right(self.right.unwrap_or(row.right))
        });
        notes.note(rule, finding);
        self.holds
    }
}

/// What was seen of one rule.
#[derive(Debug, Default)]
pub(super) struct OfRule {
    pub judged: usize,
    pub broken: usize,
    pub findings: Vec<(Finding, Option<usize>)>,
    pub examples: Vec<(&'static str, usize)>,
    said: HashSet<String>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Ledger {
    exchanges: Vec<Exchange>,
    bytes: usize,
    /// Requests seen, kept or not.
    pub seen: usize,
    rules: Vec<OfRule>,
    scenarios: Vec<(&'static str, Vec<usize>)>,
}

impl Ledger {
    pub fn new() -> Ledger {
        Ledger {
            exchanges: Vec::new(),
            bytes: 0,
            seen: 0,
            rules: rules().iter().map(|_| OfRule::default()).collect(),
            scenarios: Vec::new(),
        }
    }

    /// Keeps an exchange, if there is room, and what was judged of it.
    pub fn keep(
        &mut self,
        exchange: Exchange,
        operation: &'static str,
        scenario: Option<&'static str>,
        notes: &Notes,
    ) {
        self.seen += 1;
        let place = self.store(exchange);
        if let (Some(place), Some(id)) = (place, scenario) {
            self.of_scenario(id, place);
        }
        for noted in &notes.0 {
            self.judged(noted, operation, place);
        }
    }

    /// A rule was judged by what did not happen, or was seen elsewhere: this is wrong, if anything is.
    pub fn late(&mut self, rule: Rule, fault: Option<&str>) {
        let mut notes = Notes::default();
        notes.fault(rule, fault);
        for noted in &notes.0 {
            self.judged(noted, "", None);
        }
    }

    fn store(&mut self, mut exchange: Exchange) -> Option<usize> {
        let answer = &exchange.response_body;
        if answer.bytes().len() > MAX_ANSWER {
            let cut = answer
                .bytes()
                .get(..MAX_ANSWER)
                .unwrap_or_default()
                .to_vec();
            let (length, coded) = (answer.length(), answer.coded().cloned());
            let body = crate::evidence::Body::part(cut, length);
            exchange.response_body = match coded {
                Some(c) => body.was_coded(&c.coding, c.length),
                None => body,
            };
        }
        let size = exchange.request_body.bytes().len() + exchange.response_body.bytes().len();
        if self.exchanges.len() >= MAX_KEPT || self.bytes + size > MAX_BYTES {
            return None;
        }
        self.bytes += size;
        self.exchanges.push(exchange);
        Some(self.exchanges.len() - 1)
    }

    fn of_scenario(&mut self, id: &'static str, place: usize) {
        let list = match self.scenarios.iter_mut().find(|(known, _)| *known == id) {
            Some((_, list)) => list,
            None => {
                self.scenarios.push((id, Vec::new()));
                match self.scenarios.last_mut() {
                    Some((_, list)) => list,
                    None => return,
                }
            }
        };
        if list.len() < MAX_OF_SCENARIO {
            list.push(place);
        }
    }

    fn judged(&mut self, noted: &Noted, operation: &'static str, place: Option<usize>) {
        let of = &mut self.rules[noted.rule as usize];
        of.judged += 1;
        if let Some(place) = place
            && of.examples.len() < MAX_EXAMPLES
            && !of.examples.iter().any(|(known, _)| *known == operation)
        {
            of.examples.push((operation, place));
        }
        of.broken += usize::from(noted.findings.iter().any(|f| f.severity == Severity::Error));
        for finding in &noted.findings {
            if of.findings.len() < MAX_FINDINGS
                && of
                    .said
                    .insert(format!("{} {}", finding.where_, finding.what))
            {
                of.findings.push((finding.clone(), place));
            }
        }
    }

    /// What was seen of a rule.
    pub fn of(&self, rule: Rule) -> &OfRule {
        &self.rules[rule as usize]
    }

    /// Findings of errors and warnings so far, over all rules.
    pub fn faults(&self) -> usize {
        let serious = |f: &&(Finding, Option<usize>)| f.0.severity > Severity::Advice;
        self.rules
            .iter()
            .map(|r| r.findings.iter().filter(serious).count())
            .sum()
    }

    /// The exchange at a place.
    pub fn exchange(&self, place: usize) -> Option<&Exchange> {
        self.exchanges.get(place)
    }

    /// The exchanges of a scenario.
    pub fn places(&self, id: &str) -> &[usize] {
        self.scenarios
            .iter()
            .find(|(known, _)| *known == id)
            .map_or(&[], |(_, list)| list)
    }

    /// Exchanges that were seen and not kept.
    pub fn dropped(&self) -> usize {
        self.seen.saturating_sub(self.exchanges.len())
    }
}
