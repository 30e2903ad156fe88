//! The result as JUnit XML, which build servers show.

use super::markup::Markup;
use super::model::{Outcome, Run, Severity, Verdict};
use std::fmt::Write;
use std::time::Duration;

/// The runs as one JUnit file, a suite per run. What has to be declared counts as skipped: nothing was tried.
pub fn junit(runs: &[Run]) -> String {
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for counts in runs.iter().map(Run::counts) {
        tests += counts.passed + counts.failed + counts.skipped + counts.declared;
        failures += counts.failed;
        skipped += counts.skipped + counts.declared;
    }
    let mut out = Markup::default();
    out.constant("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.open(
        "testsuites",
        &[
            ("name", "uec assure"),
            ("tests", &tests.to_string()),
            ("failures", &failures.to_string()),
            ("errors", "0"),
            ("skipped", &skipped.to_string()),
        ],
    );
    for run in runs {
        suite(&mut out, run);
    }
    out.close("testsuites");
    out.finish()
}

fn suite(out: &mut Markup, run: &Run) {
    let counts = run.counts();
    let name = format!("{} {}", run.kind.word(), run.target);
    let took = run
        .finished
        .duration_since(run.started)
        .as_secs_f64()
        .max(0.0);
    out.open(
        "testsuite",
        &[
            ("name", &name),
            ("tests", &run.outcomes.len().to_string()),
            ("failures", &counts.failed.to_string()),
            ("errors", "0"),
            ("skipped", &(counts.skipped + counts.declared).to_string()),
            (
                "timestamp",
                &run.started.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            ),
            ("time", &format!("{took:.3}")),
        ],
    );
    if run.about.items().next().is_some() {
        out.within("properties", &[], |out| {
            for (name, value) in run.about.items() {
                let name = name.to_lowercase();
                out.empty("property", &[("name", &name), ("value", value)]);
            }
        });
    }
    let class = format!("assure.{}", run.kind.word().to_lowercase());
    for outcome in &run.outcomes {
        case(out, &class, outcome);
    }
    out.close("testsuite");
}

fn case(out: &mut Markup, class: &str, outcome: &Outcome) {
    let took: Duration = outcome.exchanges.iter().map(|e| e.took).sum();
    out.open(
        "testcase",
        &[
            ("classname", class),
            ("name", &outcome.id),
            ("time", &format!("{:.3}", took.as_secs_f64())),
        ],
    );
    match &outcome.verdict {
        Verdict::Passed => {}
        Verdict::Failed => {
            let first = outcome
                .findings
                .iter()
                .find(|f| f.severity == Severity::Error);
            let message = first.map_or(outcome.title.as_str(), |f| f.what.as_str());
            out.element(
                "failure",
                &[("message", message), ("type", "finding")],
                &findings(outcome),
            );
        }
        Verdict::Skipped(why) => {
            out.empty("skipped", &[("message", why)]);
        }
        Verdict::Declared(why) => {
            out.empty("skipped", &[("message", &format!("to be declared: {why}"))]);
        }
    }
    out.close("testcase");
}

fn findings(outcome: &Outcome) -> String {
    let mut text = format!("{}\n", outcome.title);
    for finding in &outcome.findings {
        let _ = write!(
            text,
            "{} [{}] {}",
            finding.severity.word(),
            finding.requirement.join(", "),
            finding.what
        );
        for (label, value) in [("where", &finding.where_), ("right", &finding.right)] {
            if !value.is_empty() {
                let _ = write!(text, "; {label}: {value}");
            }
        }
        text.push('\n');
    }
    text
}
