//! The report for people: one page that needs nothing else, read on a telephone, on paper and by a screen reader.

mod details;
pub(crate) mod page;
pub(crate) mod rows;

use super::causes::{Cause, causes, remarks};
use super::folder::{FolderError, Record, write_whole};
use super::markup::Markup;
use super::model::{Run, Verdict};
use super::verdicts::{Mark, standings};
use booking::count::{counted, plural};
use details::Placed;
use page::Frame;
use std::path::Path;

/// Tests named with one cause; the table of tests has them all.
const TESTS_SHOWN: usize = 20;

/// The whole report.
pub(super) fn html(record: &Record) -> String {
    let runs = &record.runs;
    let title = title(runs);
    let frame = Frame {
        title: &title,
        heading: &title,
        skip: ("scal", "Skip to the requirements"),
        images: false,
        remark: page::NO_PROOF,
    };
    page::page(&frame, |out| {
        summary(out, record);
        failures(out, runs);
        advice(out, runs);
        page::filter(out, Mark::words);
        rows::scal(out, runs, rows::Links::Here);
        rows::tests(out, runs);
        details::all(out, runs);
        rows::cited(out, runs);
    })
}

/// The table to attach to the SCAL, as a page of its own.
pub fn scal_page(record: &Record) -> String {
    let frame = Frame {
        title: &format!("SCAL table. {}", title(&record.runs)),
        heading: "SCAL table",
        skip: ("scal", "Skip to the table"),
        images: false,
        remark: page::NO_PROOF,
    };
    page::page(&frame, |out| {
        about(out, record);
        page::filter(out, Mark::words);
        rows::scal(out, &record.runs, rows::Links::Nowhere);
    })
}

/// Writes the SCAL table as CSV and as a page, side by side: `path` with the endings `.csv` and `.html`.
pub fn write_scal(record: &Record, path: &Path) -> Result<[std::path::PathBuf; 2], FolderError> {
    let (csv, page) = (path.with_extension("csv"), path.with_extension("html"));
    write_whole(&csv, super::table::csv(&record.runs).as_bytes())?;
    write_whole(&page, scal_page(record).as_bytes())?;
    Ok([csv, page])
}

fn title(runs: &[Run]) -> String {
    let sides: std::collections::BTreeSet<&str> = runs.iter().map(|run| run.kind.word()).collect();
    let sides = match sides.into_iter().collect::<Vec<_>>().as_slice() {
        [] => "no run".to_owned(),
        sides => sides.join(" and "),
    };
    let products: std::collections::BTreeSet<String> =
        runs.iter().filter_map(|run| run.about.name()).collect();
    match products.into_iter().collect::<Vec<_>>().as_slice() {
        [] => format!("Assurance report: {sides}"),
        products => format!("Assurance report: {} ({sides})", products.join(", ")),
    }
}

fn summary(out: &mut Markup, record: &Record) {
    out.section("short", "In short", |out| {
        out.element("p", &[("class", "lead")], &verdict(&record.runs));
        about(out, record);
        if record.replaced.is_empty() {
            return;
        }
        let many = record.replaced.len();
        let summary = format!("{many} earlier results were replaced by newer runs");
        out.folded(&summary, |out| {
            out.list(record.replaced.iter().map(|old| {
                let verdict = old.verdict.to_lowercase();
                let at = page::time(old.run_started);
                format!("{}: was {verdict} in the run of {at}", old.test)
            }));
        });
    });
}

/// The result in two sentences.
fn verdict(runs: &[Run]) -> String {
    let (mut passed, mut failed, mut other) = (0, 0, 0);
    let (mut scenarios, mut unwalked) = (0, 0);
    for run in runs {
        let counts = run.counts();
        passed += counts.passed;
        failed += counts.failed;
        other += counts.skipped + counts.declared;
        scenarios += run.scenarios().0;
        unwalked += run.scenarios().1;
    }
    let from = match causes(runs).len() {
        0 => String::new(),
        1 => ", from one cause".to_owned(),
        n => format!(", from {n} causes"),
    };
    let standings = standings(runs);
    let shown: std::collections::HashSet<(usize, usize)> = standings
        .iter()
        .flat_map(|s| &s.trials)
        .filter(|t| t.broke)
        .map(|t| (t.run, t.place))
        .collect();
    let beside = failed_tests(runs)
        .filter(|at| !shown.contains(&(at.run, at.place)))
        .count();
    let beside = match beside {
        0 => String::new(),
        1 => " 1 failed test is about what no row of the SCAL names.".to_owned(),
        n => format!(" {n} failed tests are about what no row of the SCAL names."),
    };
    let marked = |mark: Mark| standings.iter().filter(|s| s.mark == mark).count();
    let tests = match (passed, failed) {
        (0, 0) => "No test was run.".to_owned(),
        (1, 0) => "The one test that was run passed.".to_owned(),
        (0, 1) => "The one test that was run failed.".to_owned(),
        (_, 0) => format!("All {passed} tests that were run passed."),
        _ => format!(
            "{failed} of {} tests that were run failed{from}.",
            passed + failed
        ),
    };
    let not_run = match other {
        0 => String::new(),
        1 => " 1 was not run; it says why.".to_owned(),
        n => format!(" {n} were not run; each says why."),
    };
    let not_walked = match unwalked {
        0 => String::new(),
        n => format!(
            " {n} of {} {} not walked to {} end.",
            counted(scenarios, "scenario", "scenarios"),
            plural(n, "was", "were"),
            plural(n, "its", "their")
        ),
    };
    format!(
        "{tests}{not_run}{not_walked} Requirements of the SCAL: {} shown, {} failed, {} for the supplier to declare or attach, {} not tried; {} in all.{beside}",
        marked(Mark::Passed),
        marked(Mark::Failed),
        marked(Mark::Declared),
        marked(Mark::Untried),
        standings.len(),
    )
}

/// What was tried, when, and with what.
fn about(out: &mut Markup, record: &Record) {
    for run in &record.runs {
        let known = run
            .about
            .items()
            .map(|(name, value)| (name, value.to_owned()));
        let more = [
            (run.kind.word(), run.target.clone()),
            ("Started", page::time(run.started)),
            ("Finished", page::time(run.finished)),
            ("Tool", format!("uec {}", run.tool_version)),
            ("Result", run.headline()),
        ];
        out.facts(known.chain(more));
    }
    let note = match record.redacted {
        true => "Tokens and patient data were taken out of this report and its messages.",
        false => {
            "This report and its messages hold tokens and the data of test patients as they were sent. Make a redacted one before it leaves your organisation."
        }
    };
    out.element("p", &[("class", "note")], note);
}

fn failed_tests(runs: &[Run]) -> impl Iterator<Item = Placed<'_>> {
    details::places(runs).filter(|at| at.outcome.verdict == Verdict::Failed)
}

/// The failures first: what a reader came for. Each cause once, with the tests that it fails.
fn failures(out: &mut Markup, runs: &[Run]) {
    const FAILURE: [(&str, &str); 1] = [("class", "failure")];
    out.section("failed", "What failed, and what to change", |out| {
        if failed_tests(runs).next().is_none() {
            out.paragraph("No test failed.");
        }
        for cause in causes(runs) {
            let Some(at) = first(runs, &cause) else {
                continue;
            };
            out.within("article", &FAILURE, |out| {
                out.within("h3", &[], |out| {
                    out.prose(&cause.finding.what);
                });
                details::one(out, at, cause.finding);
                met(out, runs, &cause.tests, cause.times);
                details::reasons(out, at, cause.finding);
            });
        }
        // A test can also fail at its last step without a finding of its own.
        for at in failed_tests(runs) {
            if crate::evidence::errors(at.outcome).next().is_none() {
                out.within("article", &FAILURE, |out| {
                    out.element("h3", &[], &at.outcome.title);
                    met(out, runs, &[(at.run, at.place)], 0);
                });
            }
        }
    });
}

/// The test in which a cause was first found.
fn first<'a>(runs: &'a [Run], cause: &Cause) -> Option<Placed<'a>> {
    details::placed(runs, *cause.tests.first()?)
}

/// What fails no test and is worth changing all the same.
fn advice(out: &mut Markup, runs: &[Run]) {
    let all = remarks(runs);
    if all.is_empty() {
        return;
    }
    let heading = "What is worth changing, though no test fails for it";
    out.section("advice", heading, |out| {
        out.paragraph("A warning breaks a recommendation of the Standard. Advice is what every system on the other side has to take, and what the report of the published test kit shows as wrong.");
        for remark in &all {
            let Some(at) = first(runs, remark) else {
                continue;
            };
            out.within("article", &[("class", "advice")], |out| {
                out.within("h3", &[], |out| {
                    out.text(remark.finding.severity.word())
                        .text(": ")
                        .prose(&remark.finding.what);
                });
                details::one(out, at, remark.finding);
                met(out, runs, &remark.tests, remark.times);
            });
        }
    });
}

/// The tests that a cause fails.
fn met(out: &mut Markup, runs: &[Run], tests: &[(usize, usize)], times: usize) {
    out.labelled(plural(tests.len(), "Test", "Tests"), |out| {
        let shown = tests.iter().take(TESTS_SHOWN);
        for (n, at) in shown
            .filter_map(|at| details::placed(runs, *at))
            .enumerate()
        {
            out.text(if n > 0 { ", " } else { "" });
            out.link(&format!("#{}", at.anchor()), &at.outcome.id);
        }
        if tests.len() > TESTS_SHOWN {
            out.text(&format!(" and {} more", tests.len() - TESTS_SHOWN));
        }
        if times > tests.len() {
            out.text(&format!(" ({times} findings)"));
        }
    });
}
