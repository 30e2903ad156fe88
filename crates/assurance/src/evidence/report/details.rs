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

/// An outcome, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Placed<'a> {
    pub run: usize,
    pub place: usize,
    pub of_run: &'a Run,
    pub outcome: &'a Outcome,
}

impl Placed<'_> {
    /// The anchor of the test.
    pub fn anchor(&self) -> String {
        anchor(self.run, self.place)
    }

    fn message_anchor(&self, exchange: usize) -> String {
        format!("{}-m{}", self.anchor(), exchange + 1)
    }

    /// The folder of its messages.
    fn folder(&self) -> String {
        message::folder(self.run, self.of_run.kind, self.place, &self.outcome.id)
    }
}

/// The outcome of a run at its place.
pub(super) fn placed(runs: &[Run], (run, place): (usize, usize)) -> Option<Placed<'_>> {
    let of_run = runs.get(run)?;
    let outcome = of_run.outcomes.get(place)?;
    Some(Placed {
        run,
        place,
        of_run,
        outcome,
    })
}

/// Every outcome.
pub(super) fn places(runs: &[Run]) -> impl Iterator<Item = Placed<'_>> {
    let of_run = |(run, of_run): (usize, &Run)| (0..of_run.outcomes.len()).map(move |p| (run, p));
    let all = runs.iter().enumerate().flat_map(of_run);
    all.filter_map(|at| placed(runs, at))
}

/// The anchor of a test.
pub(super) fn anchor(run: usize, place: usize) -> String {
    format!("t{}-{}", run + 1, place + 1)
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
    out.section("details", "The tests in full", |out| {
        for at in places(runs) {
            out.within("article", &[("id", &at.anchor())], |out| test(out, at));
        }
    });
}

fn test(out: &mut Markup, at: Placed) {
    let outcome = at.outcome;
    out.element("h3", &[], &format!("{}: {}", outcome.id, outcome.title));
    out.within("p", &[], |out| {
        page::mark(out, mark_of(&outcome.verdict), outcome.word());
        if let Some(why) = outcome.verdict.why() {
            out.text(" ").text(why);
        }
    });
    if !outcome.requirements.is_empty() {
        out.paragraph(&format!("Tries {}.", outcome.requirements.join(", ")));
    }
    findings(out, at);
    messages(out, at);
}

/// What was found in one test.
fn findings(out: &mut Markup, at: Placed) {
    if at.outcome.findings.is_empty() {
        if at.outcome.verdict == Verdict::Failed {
            out.paragraph("The test failed without a finding; its messages follow.");
        }
        return;
    }
    out.within("ul", &[], |out| {
        for finding in &at.outcome.findings {
            out.within("li", &[], |out| {
                out.labelled(finding.severity.word(), |out| {
                    out.prose(&finding.what);
                });
                one(out, at, finding);
            });
        }
    });
}

/// Where it is, what would be right, and the message: what stands below a finding's own sentence.
pub(super) fn one(out: &mut Markup, at: Placed, finding: &Finding) {
    if !finding.where_.is_empty() {
        out.labelled("Where", |out| {
            out.element("code", &[], &finding.where_);
        });
    }
    if !finding.right.is_empty() {
        out.labelled("Right would be", |out| {
            out.prose(&finding.right);
        });
    }
    out.within("p", &[], |out| {
        if !finding.requirement.is_empty() {
            let ids = finding.requirement.join(", ");
            out.text(&format!("Requirements: {ids}. "));
        }
        let exchange = finding.exchange;
        if let Some(i) = exchange.filter(|i| *i < at.outcome.exchanges.len()) {
            let words = format!("Message {} of this test", i + 1);
            out.link(&format!("#{}", at.message_anchor(i)), &words);
            out.text(" (");
            file_links(out, at, i);
            out.text(")");
        }
    });
}

/// Links to the two files of an exchange.
fn file_links(out: &mut Markup, at: Placed, exchange: usize) {
    for (half, before) in [(Half::Request, ""), (Half::Response, ", ")] {
        let words = format!("file of {} {}", half.word(), exchange + 1);
        out.text(before)
            .link(&message::file(&at.folder(), exchange, half), &words);
    }
}

/// Why it matters and what to change, from the rows that the finding (or else the test) is about.
pub(super) fn reasons(out: &mut Markup, at: Placed, finding: &Finding) {
    let kind = at.of_run.kind;
    let mut rows = rows_of(kind, &finding.requirement);
    if rows.is_empty() {
        rows = rows_of(kind, &at.outcome.requirements);
    }
    for row in rows {
        out.labelled(&format!("Why {} matters", row.id), |out| {
            out.text(&row.why);
        });
        out.labelled("What to change", |out| {
            out.text(&row.change);
        });
    }
}

fn messages(out: &mut Markup, at: Placed) {
    for (i, exchange) in at.outcome.exchanges.iter().enumerate() {
        out.within("details", &[("id", &at.message_anchor(i))], |out| {
            out.element("summary", &[], &headline(i, exchange));
            if out.len() < INLINE_BYTES {
                half(out, exchange, Half::Request);
                half(out, exchange, Half::Response);
            } else {
                out.paragraph("The report is long: this message is in its files only.");
            }
            out.within("p", &[], |out| file_links(out, at, i));
        });
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

fn half(out: &mut Markup, exchange: &Exchange, half: Half) {
    let body = half.body(exchange);
    out.within("pre", &[], |out| {
        out.text(&message::head(exchange, half));
        if !body.is_empty() {
            out.text("\n").text(&shown(body));
        }
    });
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
