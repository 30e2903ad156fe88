//! The report for people: one page that needs nothing else, read on a telephone, on paper and by a screen reader.

mod details;
pub(crate) mod page;
pub(crate) mod rows;

use super::causes::{causes, remarks};
use super::folder::{FolderError, Record, write_whole};
use super::markup::Markup;
use super::model::{Run, Verdict};
use super::verdicts::{Mark, standings};
use booking::count::{counted, plural};
use std::path::Path;

/// Tests named with one cause; the table of tests has them all.
const TESTS_SHOWN: usize = 20;

/// The whole report.
pub(super) fn html(record: &Record) -> String {
    let mut out = Markup::default();
    page::start(
        &mut out,
        &title(&record.runs),
        Some(("scal", "Skip to the requirements")),
    );
    out.open("main", &[("id", "main")]);
    out.element("h1", &[], &title(&record.runs));
    summary(&mut out, record);
    failures(&mut out, &record.runs);
    advice(&mut out, &record.runs);
    page::filter(&mut out);
    rows::scal(&mut out, &record.runs, rows::Links::Here);
    rows::tests(&mut out, &record.runs);
    details::all(&mut out, &record.runs);
    rows::cited(&mut out, &record.runs);
    out.close("main");
    page::end(&mut out);
    out.finish()
}

/// The table to attach to the SCAL, as a page of its own.
pub fn scal_page(record: &Record) -> String {
    let mut out = Markup::default();
    page::start(
        &mut out,
        &format!("SCAL table. {}", title(&record.runs)),
        Some(("scal", "Skip to the table")),
    );
    out.open("main", &[("id", "main")]);
    out.element("h1", &[], "SCAL table");
    about(&mut out, record);
    page::filter(&mut out);
    rows::scal(&mut out, &record.runs, rows::Links::Nowhere);
    out.close("main");
    page::end(&mut out);
    out.finish()
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
    out.open("section", &[("aria-labelledby", "short")]);
    out.element("h2", &[("id", "short")], "In short");
    out.element("p", &[("class", "lead")], &verdict(&record.runs));
    about(out, record);
    if !record.replaced.is_empty() {
        out.open("details", &[]);
        let many = record.replaced.len();
        out.element(
            "summary",
            &[],
            &format!("{many} earlier results were replaced by newer runs"),
        );
        out.open("ul", &[]);
        for old in &record.replaced {
            let text = format!(
                "{}: was {} in the run of {}",
                old.test,
                old.verdict.to_lowercase(),
                page::time(old.run_started)
            );
            out.element("li", &[], &text);
        }
        out.close("ul").close("details");
    }
    out.close("section");
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
    let beside = details::places(runs)
        .filter(|(run, place, o)| o.verdict == Verdict::Failed && !shown.contains(&(*run, *place)))
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
        out.open("dl", &[]);
        let mut item = |name: &str, value: &str| {
            out.open("div", &[]);
            out.element("dt", &[], name)
                .element("dd", &[], value)
                .close("div");
        };
        for (name, value) in run.about.items() {
            item(name, value);
        }
        item(run.kind.word(), &run.target);
        item("Started", &page::time(run.started));
        item("Finished", &page::time(run.finished));
        item("Tool", &format!("uec {}", run.tool_version));
        item("Result", &run.headline());
        out.close("dl");
    }
    let note = match record.redacted {
        true => "Tokens and patient data were taken out of this report and its messages.",
        false => {
            "This report and its messages hold tokens and the data of test patients as they were sent. Make a redacted one before it leaves your organisation."
        }
    };
    out.element("p", &[("class", "note")], note);
}

/// The failures first: what a reader came for. Each cause once, with the tests that it fails.
fn failures(out: &mut Markup, runs: &[Run]) {
    let failed: Vec<_> = details::places(runs)
        .filter(|(_, _, o)| o.verdict == Verdict::Failed)
        .collect();
    let causes = causes(runs);
    out.open("section", &[("aria-labelledby", "failed")]);
    out.element("h2", &[("id", "failed")], "What failed, and what to change");
    if failed.is_empty() {
        out.element("p", &[], "No test failed.");
    }
    for cause in &causes {
        let Some(&(run, place)) = cause.tests.first() else {
            continue;
        };
        let Some(outcome) = runs.get(run).and_then(|r| r.outcomes.get(place)) else {
            continue;
        };
        out.open("article", &[("class", "failure")]);
        out.open("h3", &[]).prose(&cause.finding.what).close("h3");
        details::one(out, runs, (run, place), outcome, cause.finding);
        met(out, runs, &cause.tests, cause.times);
        details::reasons(out, runs, run, cause.finding, outcome);
        out.close("article");
    }
    // A test can also fail at its last step without a finding of its own.
    for (run, place, outcome) in failed {
        if crate::evidence::errors(outcome).next().is_none() {
            out.open("article", &[("class", "failure")]);
            out.element("h3", &[], &outcome.title);
            met(out, runs, &[(run, place)], 0);
            out.close("article");
        }
    }
    out.close("section");
}

/// What fails no test and is worth changing all the same.
fn advice(out: &mut Markup, runs: &[Run]) {
    let all = remarks(runs);
    if all.is_empty() {
        return;
    }
    out.open("section", &[("aria-labelledby", "advice")]);
    out.element(
        "h2",
        &[("id", "advice")],
        "What is worth changing, though no test fails for it",
    );
    out.element("p", &[], "A warning breaks a recommendation of the Standard. Advice is what every system on the other side has to take, and what the report of the published test kit shows as wrong.");
    for remark in &all {
        let Some(&(run, place)) = remark.tests.first() else {
            continue;
        };
        let Some(outcome) = runs.get(run).and_then(|r| r.outcomes.get(place)) else {
            continue;
        };
        out.open("article", &[("class", "advice")]);
        out.open("h3", &[])
            .text(remark.finding.severity.word())
            .text(": ")
            .prose(&remark.finding.what)
            .close("h3");
        details::one(out, runs, (run, place), outcome, remark.finding);
        met(out, runs, &remark.tests, remark.times);
        out.close("article");
    }
    out.close("section");
}

/// The tests that a cause fails.
fn met(out: &mut Markup, runs: &[Run], tests: &[(usize, usize)], times: usize) {
    out.open("p", &[]);
    out.element(
        "strong",
        &[],
        match tests.len() {
            1 => "Test",
            _ => "Tests",
        },
    );
    out.text(": ");
    for (n, (run, place)) in tests.iter().take(TESTS_SHOWN).enumerate() {
        let Some(outcome) = runs.get(*run).and_then(|r| r.outcomes.get(*place)) else {
            continue;
        };
        out.text(if n > 0 { ", " } else { "" });
        let target = format!("#{}", details::anchor(*run, *place));
        out.element("a", &[("href", &target)], &outcome.id);
    }
    if tests.len() > TESTS_SHOWN {
        out.text(&format!(" and {} more", tests.len() - TESTS_SHOWN));
    }
    if times > tests.len() {
        out.text(&format!(" ({times} findings)"));
    }
    out.close("p");
}
