//! Each test in full: what was found, why it matters, and the messages.

use super::{Markup, page};
use crate::evidence::body::Body;
use crate::evidence::message::{self, Half};
use crate::evidence::model::{Exchange, Finding, Outcome, Run, Verdict};
use crate::evidence::verdicts::Mark;
use crate::requirements::rows_of;

/// Characters of a body shown in the report; the file has the rest.
const BODY_SHOWN: usize = 3_000;
/// Bytes of report after which messages are linked only: browsers on telephones slow down beyond a few MB.
const INLINE_BYTES: usize = 4 * 1024 * 1024;
/// Longest JSON body that is laid out for reading.
const LAID_OUT_BYTES: usize = 64 * 1024;

/// Every outcome with its run and its place in it.
pub(super) fn places(runs: &[Run]) -> impl Iterator<Item = (usize, usize, &Outcome)> {
    runs.iter().enumerate().flat_map(|(run, of_run)| {
        of_run
            .outcomes
            .iter()
            .enumerate()
            .map(move |(place, outcome)| (run, place, outcome))
    })
}

/// The anchor of a test.
pub(super) fn anchor(run: usize, place: usize) -> String {
    format!("t{}-{}", run + 1, place + 1)
}

fn message_anchor(run: usize, place: usize, exchange: usize) -> String {
    format!("{}-m{}", anchor(run, place), exchange + 1)
}

/// A test's verdict as one of the four signs.
pub(super) fn mark_of(verdict: &Verdict) -> Mark {
    match verdict {
        Verdict::Passed => Mark::Passed,
        Verdict::Failed => Mark::Failed,
        Verdict::Skipped(_) => Mark::Untried,
        Verdict::Declared(_) => Mark::Declared,
    }
}

/// Every test.
pub(super) fn all(out: &mut Markup, runs: &[Run]) {
    out.open("section", &[("aria-labelledby", "details")]);
    out.element("h2", &[("id", "details")], "The tests in full");
    for (run, place, outcome) in places(runs) {
        out.open("article", &[("id", &anchor(run, place))]);
        out.open("h3", &[])
            .text(&outcome.id)
            .text(": ")
            .text(&outcome.title)
            .close("h3");
        out.open("p", &[]);
        page::mark(out, mark_of(&outcome.verdict), outcome.word());
        if let Some(why) = outcome.verdict.why() {
            out.text(" ").text(why);
        }
        out.close("p");
        if !outcome.requirements.is_empty() {
            out.element(
                "p",
                &[],
                &format!("Tries {}.", outcome.requirements.join(", ")),
            );
        }
        findings(out, runs, (run, place), outcome);
        messages(out, runs, (run, place), outcome);
        out.close("article");
    }
    out.close("section");
}

/// What was found in one test.
pub(super) fn findings(out: &mut Markup, runs: &[Run], at: (usize, usize), outcome: &Outcome) {
    if outcome.findings.is_empty() {
        if outcome.verdict == Verdict::Failed {
            out.element(
                "p",
                &[],
                "The test failed without a finding; its messages follow.",
            );
        }
        return;
    }
    out.open("ul", &[]);
    for finding in &outcome.findings {
        out.open("li", &[]);
        out.open("p", &[]);
        out.element("strong", &[], finding.severity.word())
            .text(": ")
            .prose(&finding.what);
        out.close("p");
        one(out, runs, at, outcome, finding);
        out.close("li");
    }
    out.close("ul");
}

/// Where it is, what would be right, and the message: what stands below a finding's own sentence.
pub(super) fn one(
    out: &mut Markup,
    runs: &[Run],
    (run, place): (usize, usize),
    outcome: &Outcome,
    finding: &Finding,
) {
    if !finding.where_.is_empty() {
        out.open("p", &[]);
        out.element("strong", &[], "Where")
            .text(": ")
            .element("code", &[], &finding.where_);
        out.close("p");
    }
    if !finding.right.is_empty() {
        out.open("p", &[]);
        out.element("strong", &[], "Right would be")
            .text(": ")
            .prose(&finding.right);
        out.close("p");
    }
    out.open("p", &[]);
    if !finding.requirement.is_empty() {
        out.text("Requirements: ")
            .text(&finding.requirement.join(", "))
            .text(". ");
    }
    let exchange = finding
        .exchange
        .and_then(|i| Some((i, outcome.exchanges.get(i)?)));
    if let (Some((i, _)), Some(folder)) = (exchange, message::folder_of(runs, run, place)) {
        let words = format!("Message {} of this test", i + 1);
        out.element(
            "a",
            &[("href", &format!("#{}", message_anchor(run, place, i)))],
            &words,
        );
        out.text(" (");
        for (n, half) in [Half::Request, Half::Response].into_iter().enumerate() {
            out.text(if n > 0 { ", " } else { "" });
            file_link(out, &folder, i, half);
        }
        out.text(")");
    }
    out.close("p");
}

fn file_link(out: &mut Markup, folder: &str, exchange: usize, half: Half) {
    let words = format!("file of {} {}", half.word(), exchange + 1);
    out.element(
        "a",
        &[("href", &message::file(folder, exchange, half))],
        &words,
    );
}

/// Why it matters and what to change, from the rows that the finding (or else the test) is about.
pub(super) fn reasons(
    out: &mut Markup,
    runs: &[Run],
    run: usize,
    finding: &Finding,
    outcome: &Outcome,
) {
    let Some(kind) = runs.get(run).map(|run| run.kind) else {
        return;
    };
    let mut rows = rows_of(kind, &finding.requirement);
    if rows.is_empty() {
        rows = rows_of(kind, &outcome.requirements);
    }
    for row in rows {
        out.open("p", &[]);
        out.element("strong", &[], &format!("Why {} matters", row.id))
            .text(": ")
            .text(row.why);
        out.close("p");
        out.open("p", &[]);
        out.element("strong", &[], "What to change")
            .text(": ")
            .text(row.change);
        out.close("p");
    }
}

fn messages(out: &mut Markup, runs: &[Run], (run, place): (usize, usize), outcome: &Outcome) {
    let Some(folder) = message::folder_of(runs, run, place) else {
        return;
    };
    for (i, exchange) in outcome.exchanges.iter().enumerate() {
        out.open("details", &[("id", &message_anchor(run, place, i))]);
        out.element("summary", &[], &headline(i, exchange));
        if out.len() < INLINE_BYTES {
            half(out, exchange, Half::Request, &exchange.request_body);
            half(out, exchange, Half::Response, &exchange.response_body);
        } else {
            out.element(
                "p",
                &[],
                "The report is long: this message is in its files only.",
            );
        }
        out.open("p", &[]);
        file_link(out, &folder, i, Half::Request);
        out.text(", ");
        file_link(out, &folder, i, Half::Response);
        out.close("p").close("details");
    }
}

fn headline(i: usize, exchange: &Exchange) -> String {
    let answer = match (exchange.status, &exchange.broken) {
        (Some(status), None) => format!("answered {status}"),
        (Some(status), Some(why)) => format!("answered {status}, not whole: {why}"),
        (None, Some(why)) => format!("no answer: {why}"),
        (None, None) => "no answer".to_owned(),
    };
    let purpose = match exchange.purpose.as_str() {
        "" => exchange.method.clone(),
        purpose => format!("{purpose}: {}", exchange.method),
    };
    format!(
        "Message {}: {purpose}, {answer} after {:.0} ms",
        i + 1,
        exchange.took.as_secs_f64() * 1000.0
    )
}

fn half(out: &mut Markup, exchange: &Exchange, half: Half, body: &Body) {
    out.open("pre", &[]);
    out.text(&message::head(exchange, half));
    if !body.is_empty() {
        out.text("\n").text(&shown(body));
    }
    out.close("pre");
}

/// The start of a body, laid out for reading if it is JSON.
fn shown(body: &Body) -> String {
    let Some(text) = body.text() else {
        return format!("({} bytes that are not text)", body.length());
    };
    let laid_out = (text.len() <= LAID_OUT_BYTES)
        .then(|| serde_json::from_str::<serde_json::Value>(text).ok())
        .flatten()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = laid_out.as_deref().unwrap_or(text);
    match text.char_indices().nth(BODY_SHOWN) {
        Some((end, _)) => {
            format!(
                "{}\n(the file has all {} bytes)",
                text.get(..end).unwrap_or_default(),
                body.length()
            )
        }
        None => text.to_owned(),
    }
}
