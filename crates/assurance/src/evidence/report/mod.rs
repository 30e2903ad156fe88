//! The report for people: one page that needs nothing else, read on a telephone, on paper and by a screen reader.

mod details;
pub(crate) mod page;
pub(crate) mod rows;

use super::folder::{FolderError, Record, write_whole};
use super::markup::Markup;
use super::model::{Run, Verdict};
use super::standing::{Mark, standings};
use std::path::Path;

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
    match sides.into_iter().collect::<Vec<_>>().as_slice() {
        [] => "Assurance report: no run".to_owned(),
        [side] => format!("Assurance report: {side}"),
        sides => format!("Assurance report: {}", sides.join(" and ")),
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
    for counts in runs.iter().map(Run::counts) {
        passed += counts.passed;
        failed += counts.failed;
        other += counts.skipped + counts.declared;
    }
    let standings = standings(runs);
    let marked = |mark: Mark| standings.iter().filter(|s| s.mark == mark).count();
    let tests = match (passed, failed) {
        (0, 0) => "No test was run.".to_owned(),
        (1, 0) => "The one test that was run passed.".to_owned(),
        (0, 1) => "The one test that was run failed.".to_owned(),
        (_, 0) => format!("All {passed} tests that were run passed."),
        _ => format!(
            "{failed} of {} tests that were run failed.",
            passed + failed
        ),
    };
    let not_run = match other {
        0 => String::new(),
        1 => " 1 was not run; it says why.".to_owned(),
        n => format!(" {n} were not run; each says why."),
    };
    format!(
        "{tests}{not_run} Requirements of the SCAL: {} shown, {} failed, {} for the supplier to declare or attach, {} not tried; {} in all.",
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
        let counts = run.counts();
        out.open("dl", &[]);
        let mut item = |name: &str, value: &str| {
            out.open("div", &[]);
            out.element("dt", &[], name)
                .element("dd", &[], value)
                .close("div");
        };
        item(run.kind.word(), &run.target);
        item("Started", &page::time(run.started));
        item("Finished", &page::time(run.finished));
        item("Tool", &format!("uec {}", run.tool_version));
        item(
            "Tests",
            &format!(
                "{} passed, {} failed, {} skipped, {} to declare",
                counts.passed, counts.failed, counts.skipped, counts.declared
            ),
        );
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

/// The failures first: what a reader came for.
fn failures(out: &mut Markup, runs: &[Run]) {
    let failed: Vec<_> = details::places(runs)
        .filter(|(_, _, o)| o.verdict == Verdict::Failed)
        .collect();
    out.open("section", &[("aria-labelledby", "failed")]);
    out.element("h2", &[("id", "failed")], "What failed, and what to change");
    if failed.is_empty() {
        out.element("p", &[], "No test failed.");
    }
    for (run, place, outcome) in failed {
        out.open("article", &[("class", "failure")]);
        out.open("h3", &[]);
        let target = format!("#{}", details::anchor(run, place));
        out.element("a", &[("href", &target)], &outcome.title);
        out.close("h3");
        details::findings(out, runs, (run, place), outcome);
        details::reasons(out, runs, (run, place), outcome);
        out.close("article");
    }
    out.close("section");
}
