//! The tables of the report: a row per SCAL requirement, per test, and per id of the catalogue.

use super::details::{anchor, mark_of, places};
use super::{Markup, page};
use crate::evidence::model::{Run, Severity};
use crate::evidence::verdicts::{self, Mark, Standing, Trial, once, standings};

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
pub(crate) fn table(
    out: &mut Markup,
    class: &str,
    caption: &str,
    columns: &[&str],
    rows: impl FnOnce(&mut Markup),
) {
    out.within("table", &[("role", "table"), ("class", class)], |out| {
        out.element("caption", &[], caption);
        out.within("thead", &[("role", "rowgroup")], |out| {
            out.within("tr", &[("role", "row")], |out| {
                for column in columns {
                    out.element("th", &[("scope", "col"), ("role", "columnheader")], column);
                }
            });
        });
        out.within("tbody", &[("role", "rowgroup")], rows);
    });
}

/// A row that the filter shows or hides.
pub(crate) fn row(out: &mut Markup, verdict: Mark, cells: impl FnOnce(&mut Markup)) {
    let attributes = [("role", "row"), ("data-verdict", verdict.key())];
    out.within("tr", &attributes, cells);
}

/// The first cell of a row, which names it.
pub(crate) fn head_cell(out: &mut Markup, content: impl FnOnce(&mut Markup)) {
    out.within("th", &[("scope", "row"), ("role", "rowheader")], content);
}

/// A cell of the column that is labelled so.
pub(crate) fn cell(out: &mut Markup, label: &str, content: impl FnOnce(&mut Markup)) {
    out.within("td", &[("role", "cell"), ("data-label", label)], content);
}

/// A cell with text alone.
pub(crate) fn text_cell(out: &mut Markup, label: &str, text: &str) {
    cell(out, label, |out| {
        out.text(text);
    });
}

/// A cell with a verdict.
pub(crate) fn mark_cell(out: &mut Markup, label: &str, mark: Mark, words: &str) {
    cell(out, label, |out| page::mark(out, mark, words));
}

/// The SCAL rows.
pub(super) fn scal(out: &mut Markup, runs: &[Run], links: Links) {
    const COLUMNS: [&str; 5] = [
        "Requirement",
        "Verdict",
        "What is asked, and why",
        "How it was tried",
        "What to do",
    ];
    let caption = "Each requirement, how it was tried and how it stands";
    out.section("scal", "Requirements of the SCAL", |out| {
        table(out, "scal", caption, &COLUMNS, |out| {
            for standing in standings(runs) {
                row(out, standing.mark, |out| scal_row(out, &standing, links));
            }
        });
    });
}

fn scal_row(out: &mut Markup, standing: &Standing, links: Links) {
    let (asked, mark) = (standing.row, standing.mark);
    head_cell(out, |out| {
        out.text(&asked.id)
            .text(" ")
            .element("small", &[], asked.level.word());
    });
    mark_cell(out, "Verdict", mark, mark.words());
    cell(out, "Asked", |out| {
        out.paragraph(&asked.text).paragraph(&asked.why);
    });
    cell(out, "How it was tried", |out| trials(out, standing, links));
    cell(out, "What to do", |out| {
        if mark == Mark::Failed {
            found(out, standing, links);
            out.paragraph(&asked.change);
        }
        if mark == Mark::Untried {
            out.paragraph(&to_try(standing));
        }
        if let Some(what) = &asked.attach {
            out.paragraph(&match mark {
                Mark::Declared => format!("Declare or attach: {what}"),
                _ => format!("Also attach: {what}"),
            });
        }
    });
}

/// How a row that was not tried can be.
fn to_try(standing: &Standing) -> String {
    let open = standing.trials.iter().filter(|t| t.outcome.is_unwalked());
    let scenarios: Vec<&str> = open.map(|t| t.outcome.id.as_ref()).collect();
    if scenarios.is_empty() {
        return "Run the tests that try it, or declare why it does not apply.".to_owned();
    }
    let shown: Vec<&str> = scenarios.iter().take(TRIALS_SHOWN).copied().collect();
    let more = match scenarios.len() > TRIALS_SHOWN {
        true => " and others",
        false => "",
    };
    format!(
        "Walk {}{more}: no scenario that tries it was walked.",
        shown.join(", ")
    )
}

/// What broke the row, each finding with a link to its test and messages.
fn found(out: &mut Markup, standing: &Standing, links: Links) {
    // Each cause once: the tests that met it are in the cell beside.
    let errors = standing.findings();
    let errors = once(errors.filter(|(_, f)| f.severity == Severity::Error));
    out.within("ul", &[], |out| {
        for (trial, finding) in errors.iter().take(FINDINGS_QUOTED) {
            out.within("li", &[], |out| test(out, trial, links, &finding.what));
        }
        let more = errors.len().saturating_sub(FINDINGS_QUOTED);
        if more > 0 {
            out.element("li", &[], &format!("and {more} more"));
        }
    });
}

/// Words about a test, which lead to it where it is on the same page.
fn test(out: &mut Markup, trial: &Trial, links: Links, words: &str) {
    match links {
        Links::Here => out.link(&format!("#{}", anchor(trial.run, trial.place)), words),
        Links::Nowhere => out.text(words),
    };
}

fn trials(out: &mut Markup, standing: &Standing, links: Links) {
    if standing.trials.is_empty() {
        out.paragraph(match standing.row.attach {
            Some(_) => "Not over the wire.",
            None => "No test of this run tries it.",
        });
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
    out.folded(&counted(rest, broke.len()), |out| {
        trial_list(out, rest, links);
    });
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
    out.within("ul", &[], |out| {
        for trial in trials {
            out.within("li", &[], |out| {
                test(out, trial, links, &trial.outcome.id);
                out.text(": ").text(&trial.outcome.word().to_lowercase());
            });
        }
    });
}

/// The tests.
pub(super) fn tests(out: &mut Markup, runs: &[Run]) {
    const COLUMNS: [&str; 5] = [
        "Test",
        "Verdict",
        "What it tries",
        "Requirements",
        "Messages",
    ];
    let caption = "Each test in the order it ran";
    out.section("tests", "Tests", |out| {
        table(out, "tests", caption, &COLUMNS, |out| {
            for at in places(runs) {
                let outcome = at.outcome;
                let mark = mark_of(&outcome.verdict);
                row(out, mark, |out| {
                    head_cell(out, |out| {
                        out.link(&format!("#{}", at.anchor()), &outcome.id);
                    });
                    mark_cell(out, "Verdict", mark, outcome.word());
                    cell(out, "Tries", |out| {
                        out.text(&outcome.title);
                        if let Some(why) = outcome.verdict.why() {
                            out.paragraph(why);
                        }
                    });
                    text_cell(out, "Requirements", &outcome.requirements.join(", "));
                    text_cell(out, "Messages", &outcome.exchanges.len().to_string());
                });
            }
        });
    });
}

/// Every id of the catalogue that was tried.
pub(super) fn cited(out: &mut Markup, runs: &[Run]) {
    let caption = "Ids of the SCAL and of the requirement catalogue";
    out.section("cited", "Every requirement id that was tried", |out| {
        table(out, "cited", caption, &["Id", "Verdict", "Tests"], |out| {
            for cited in verdicts::cited(runs) {
                row(out, cited.mark, |out| {
                    head_cell(out, |out| {
                        out.text(cited.id);
                    });
                    mark_cell(out, "Verdict", cited.mark, cited.mark.words());
                    text_cell(out, "Tests", &cited.tests.to_string());
                });
            }
        });
    });
}
