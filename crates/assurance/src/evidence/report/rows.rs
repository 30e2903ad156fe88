//! The tables of the report: a row per SCAL requirement, per test, and per id of the catalogue.

use super::details::{anchor, mark_of, places};
use super::{Markup, page};
use crate::evidence::cause_key;
use crate::evidence::model::{Run, Severity};
use crate::evidence::verdicts::{self, Mark, Standing, Trial, standings};

/// Whether the tests named in the table are on the same page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Here,
    Nowhere,
}

/// Tests listed openly in one row of the SCAL; a longer list is folded.
const TRIALS_SHOWN: usize = 6;
/// Findings quoted in one row; the tests have them all.
const FINDINGS_QUOTED: usize = 3;

/// A table whose cells are stacked on a narrow screen. The roles keep it a table there, too.
pub(crate) fn table(out: &mut Markup, class: &str, caption: &str, columns: &[&str]) {
    out.open("table", &[("role", "table"), ("class", class)]);
    out.element("caption", &[], caption);
    out.open("thead", &[("role", "rowgroup")])
        .open("tr", &[("role", "row")]);
    for column in columns {
        out.element("th", &[("scope", "col"), ("role", "columnheader")], column);
    }
    out.close("tr")
        .close("thead")
        .open("tbody", &[("role", "rowgroup")]);
}

pub(crate) fn end(out: &mut Markup) {
    out.close("tbody").close("table");
}

pub(crate) fn row(out: &mut Markup, verdict: Mark) {
    out.open("tr", &[("role", "row"), ("data-verdict", verdict.key())]);
}

pub(crate) fn head_cell(out: &mut Markup) -> &mut Markup {
    out.open("th", &[("scope", "row"), ("role", "rowheader")])
}

pub(crate) fn cell<'a>(out: &'a mut Markup, label: &str) -> &'a mut Markup {
    out.open("td", &[("role", "cell"), ("data-label", label)])
}

/// The SCAL rows.
pub(super) fn scal(out: &mut Markup, runs: &[Run], links: Links) {
    out.open("section", &[("aria-labelledby", "scal")]);
    out.element("h2", &[("id", "scal")], "Requirements of the SCAL");
    table(
        out,
        "scal",
        "Each requirement, how it was tried and how it stands",
        &[
            "Requirement",
            "Verdict",
            "What is asked, and why",
            "How it was tried",
            "What to do",
        ],
    );
    for standing in standings(runs) {
        scal_row(out, &standing, links);
    }
    end(out);
    out.close("section");
}

fn scal_row(out: &mut Markup, standing: &Standing, links: Links) {
    let asked = standing.row;
    row(out, standing.mark);
    head_cell(out)
        .text(asked.id)
        .text(" ")
        .element("small", &[], asked.level.word());
    out.close("th");
    cell(out, "Verdict");
    page::mark(out, standing.mark, standing.mark.words());
    out.close("td");
    cell(out, "Asked")
        .element("p", &[], asked.text)
        .element("p", &[], asked.why);
    out.close("td");
    cell(out, "How it was tried");
    trials(out, standing, links);
    out.close("td");
    cell(out, "What to do");
    if standing.mark == Mark::Failed {
        found(out, standing, links);
        out.element("p", &[], asked.change);
    }
    if standing.mark == Mark::Untried {
        out.element("p", &[], &to_try(standing));
    }
    match (asked.attach, standing.mark) {
        (Some(what), Mark::Declared) => {
            out.element("p", &[], &format!("Declare or attach: {what}"));
        }
        (Some(what), _) => {
            out.element("p", &[], &format!("Also attach: {what}"));
        }
        (None, _) => {}
    }
    out.close("td").close("tr");
}

/// How a row that was not tried can be.
fn to_try(standing: &Standing) -> String {
    let open = standing.trials.iter().filter(|t| t.outcome.is_unwalked());
    let scenarios: Vec<&str> = open.map(|t| t.outcome.id.as_ref()).collect();
    match scenarios.as_slice() {
        [] => "Run the tests that try it, or declare why it does not apply.".to_owned(),
        all => {
            let shown: Vec<&str> = all.iter().take(TRIALS_SHOWN).copied().collect();
            let more = if all.len() > TRIALS_SHOWN {
                " and others"
            } else {
                ""
            };
            format!(
                "Walk {}{more}: no scenario that tries it was walked.",
                shown.join(", ")
            )
        }
    }
}

/// What broke the row, each finding with a link to its test and messages.
fn found(out: &mut Markup, standing: &Standing, links: Links) {
    // Each cause once: the tests that met it are in the cell beside.
    let mut causes = std::collections::HashSet::new();
    let errors: Vec<_> = standing
        .findings()
        .filter(|(_, f)| f.severity == Severity::Error)
        .filter(|(trial, f)| causes.insert(cause_key(trial.outcome, f)))
        .collect();
    out.open("ul", &[]);
    for (trial, finding) in errors.iter().take(FINDINGS_QUOTED) {
        out.open("li", &[]);
        match links {
            Links::Here => {
                let target = format!("#{}", anchor(trial.run, trial.place));
                out.element("a", &[("href", &target)], &finding.what);
            }
            Links::Nowhere => {
                out.text(&finding.what);
            }
        }
        out.close("li");
    }
    let more = errors.len().saturating_sub(FINDINGS_QUOTED);
    if more > 0 {
        out.element("li", &[], &format!("and {more} more"));
    }
    out.close("ul");
}

fn trials(out: &mut Markup, standing: &Standing, links: Links) {
    if standing.trials.is_empty() {
        let words = match standing.row.attach {
            Some(_) => "Not over the wire.",
            None => "No test of this run tries it.",
        };
        out.element("p", &[], words);
        return;
    }
    let mut of: Vec<&Trial> = standing.trials.iter().collect();
    if of.len() <= TRIALS_SHOWN {
        return trial_list(out, &of, links);
    }
    // What broke the row is seen at once; the rest is a click away.
    of.sort_by_key(|trial| !trial.broke);
    let (broke, rest) = of.split_at(of.iter().take_while(|t| t.broke).count());
    if !broke.is_empty() {
        trial_list(out, broke, links);
    }
    out.open("details", &[]);
    out.element("summary", &[], &counted(rest, broke.len()));
    trial_list(out, rest, links);
    out.close("details");
}

/// "33 tests passed, 2 skipped".
fn counted(trials: &[&Trial], before: usize) -> String {
    let mut words = std::collections::BTreeMap::<&str, usize>::new();
    for trial in trials {
        *words.entry(trial.outcome.word()).or_default() += 1;
    }
    let parts: Vec<String> = words
        .iter()
        .map(|(word, n)| format!("{n} {}", word.to_lowercase()))
        .collect();
    let more = if before > 0 { "more " } else { "" };
    format!("{} {more}tests: {}", trials.len(), parts.join(", "))
}

fn trial_list(out: &mut Markup, trials: &[&Trial], links: Links) {
    out.open("ul", &[]);
    for trial in trials {
        out.open("li", &[]);
        match links {
            Links::Here => {
                let target = format!("#{}", anchor(trial.run, trial.place));
                out.element("a", &[("href", &target)], &trial.outcome.id);
            }
            Links::Nowhere => {
                out.text(&trial.outcome.id);
            }
        }
        out.text(": ").text(&trial.outcome.word().to_lowercase());
        out.close("li");
    }
    out.close("ul");
}

/// The tests.
pub(super) fn tests(out: &mut Markup, runs: &[Run]) {
    out.open("section", &[("aria-labelledby", "tests")]);
    out.element("h2", &[("id", "tests")], "Tests");
    table(
        out,
        "tests",
        "Each test in the order it ran",
        &[
            "Test",
            "Verdict",
            "What it tries",
            "Requirements",
            "Messages",
        ],
    );
    for (run, place, outcome) in places(runs) {
        row(out, mark_of(&outcome.verdict));
        head_cell(out);
        let target = format!("#{}", anchor(run, place));
        out.element("a", &[("href", &target)], &outcome.id);
        out.close("th");
        cell(out, "Verdict");
        page::mark(out, mark_of(&outcome.verdict), outcome.word());
        out.close("td");
        cell(out, "Tries").text(&outcome.title);
        if let Some(why) = outcome.verdict.why() {
            out.element("p", &[], why);
        }
        out.close("td");
        cell(out, "Requirements").text(&outcome.requirements.join(", "));
        out.close("td");
        cell(out, "Messages").text(&outcome.exchanges.len().to_string());
        out.close("td").close("tr");
    }
    end(out);
    out.close("section");
}

/// Every id of the catalogue that was tried.
pub(super) fn cited(out: &mut Markup, runs: &[Run]) {
    out.open("section", &[("aria-labelledby", "cited")]);
    out.element(
        "h2",
        &[("id", "cited")],
        "Every requirement id that was tried",
    );
    table(
        out,
        "cited",
        "Ids of the SCAL and of the requirement catalogue",
        &["Id", "Verdict", "Tests"],
    );
    for cited in verdicts::cited(runs) {
        row(out, cited.mark);
        head_cell(out).text(cited.id);
        out.close("th");
        cell(out, "Verdict");
        page::mark(out, cited.mark, cited.mark.words());
        out.close("td");
        cell(out, "Tests").text(&cited.tests.to_string());
        out.close("td").close("tr");
    }
    end(out);
    out.close("section");
}
