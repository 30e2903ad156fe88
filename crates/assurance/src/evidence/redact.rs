//! Taking tokens and patient data out of evidence, so that it can leave the organisation.
//!
//! What a message says about a person is found by its place (names, addresses, contact points, NHS numbers, reasons) in
//! JSON, XML and queries. The values found are then looked for in all free text of the same runs, so that an error
//! message that repeats a surname is cleaned as well. A body that cannot be read and may be about a person goes whole.

mod address;
mod json;
mod node;
mod text;
mod xml;

use super::body::Body;
use super::model::{Exchange, Headers, Run, Verdict};
use node::{Kind, Node};
use text::Known;

/// Stands where something about a person was.
const REMOVED: &str = "[removed]";
/// Stands where an NHS number was.
const NUMBER_REMOVED: &str = "[NHS number removed]";
/// Stands where a token was.
const TOKEN_REMOVED: &str = "[token removed]";

/// Headers whose value lets the bearer in.
const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
];
/// Words of which one occurs in every message about a person, in JSON and XML, FHIR and CDA, however early it ends.
const ABOUT_PEOPLE: [&str; 12] = [
    "address",
    "appointment",
    "birth",
    "family",
    "given",
    "hl7",
    "nhs",
    "participant",
    "patient",
    "person",
    "resourcetype",
    "telecom",
];

/// Whether evidence is redacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// Everything stays as it was.
    #[default]
    Off,
    /// Tokens and patient data are taken out.
    On,
}

impl Redaction {
    /// The runs as they may be written.
    pub fn apply(self, mut runs: Vec<Run>) -> Vec<Run> {
        if self == Redaction::Off {
            return runs;
        }
        let mut known = Known::default();
        for exchange in exchanges(&mut runs) {
            learn(exchange, &mut known);
        }
        for run in &mut runs {
            run.target = address::redact(&run.target, &known);
            for outcome in &mut run.outcomes {
                clean(&mut outcome.title, &known);
                if let Verdict::Skipped(why) | Verdict::Declared(why) = &mut outcome.verdict {
                    clean(why, &known);
                }
                for finding in &mut outcome.findings {
                    for part in [&mut finding.what, &mut finding.where_, &mut finding.right] {
                        clean(part, &known);
                    }
                }
            }
        }
        exchanges(&mut runs).for_each(|exchange| redact(exchange, &known));
        runs
    }
}

/// A content without tokens and patient data, by itself. What cannot be read goes whole.
pub(crate) fn redacted(bytes: Vec<u8>) -> Vec<u8> {
    let body = Body::new(bytes);
    let mut known = Known::default();
    learn_from(&body, &mut known);
    redact_body(&body, &known).bytes().to_vec()
}

fn exchanges(runs: &mut [Run]) -> impl Iterator<Item = &mut Exchange> {
    runs.iter_mut()
        .flat_map(|run| &mut run.outcomes)
        .flat_map(|outcome| &mut outcome.exchanges)
}

fn clean(text: &mut String, known: &Known) {
    *text = text::scrub(text, known);
}

/// Collects what is said about people.
fn learn(exchange: &Exchange, known: &mut Known) {
    address::learn(&exchange.url, known);
    learn_from(&exchange.request_body, known);
    learn_from(&exchange.response_body, known);
}

fn learn_from(body: &Body, known: &mut Known) {
    if let Some((_, tree)) = body.text().and_then(parse) {
        node::about_people(&tree, &mut |leaf| known.add(&leaf.text));
    }
}

fn redact(exchange: &mut Exchange, known: &Known) {
    exchange.url = address::redact(&exchange.url, known);
    clean(&mut exchange.purpose, known);
    if let Some(why) = &mut exchange.broken {
        clean(why, known);
    }
    for headers in [
        &mut exchange.request_headers,
        &mut exchange.response_headers,
    ] {
        redact_headers(headers, known);
    }
    for body in [&mut exchange.request_body, &mut exchange.response_body] {
        if !body.bytes().is_empty() {
            *body = redact_body(body, known);
        }
    }
}

fn redact_headers(headers: &mut Headers, known: &Known) {
    for (name, value) in headers {
        if SECRET_HEADERS
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret))
        {
            let scheme = value
                .split_whitespace()
                .next()
                .filter(|s| s.eq_ignore_ascii_case("bearer"));
            *value = match scheme {
                Some(scheme) => format!("{scheme} {TOKEN_REMOVED}"),
                None => TOKEN_REMOVED.to_owned(),
            };
        } else if name.to_ascii_lowercase().contains("location")
            || name.eq_ignore_ascii_case("referer")
        {
            *value = address::redact(value, known);
        } else {
            clean(value, known);
        }
    }
}

fn redact_body(body: &Body, known: &Known) -> Body {
    let gone = |why: &str| {
        body.rewritten(format!("[{} bytes removed: {why}]", body.length()).into_bytes())
    };
    let Some(text) = body.text() else {
        return gone("not text");
    };
    let redacted = match parse(text) {
        Some((kind, tree)) => {
            let changes = node::changes(&tree, known, kind);
            // Keys, comments and what else is no value: numbers and tokens go from there, too.
            let redacted = text::scrub_marks(&node::replace(text, changes));
            // What was taken out is looked for once more: better no body than a name in it.
            if !parse(&redacted).is_some_and(|(_, tree)| node::is_clean(&tree)) {
                return gone("it could not be cleaned value by value");
            }
            redacted
        }
        None => {
            if may_be_about_a_person(text) {
                return gone("it is neither JSON nor XML, and may be about a person");
            }
            text::scrub(text, known)
        }
    };
    match redacted == text {
        true => body.clone(),
        false => body.rewritten(redacted.into_bytes()),
    }
}

/// Broken JSON and XML always may be; a page or a plain sentence (a gateway's error) if it has one of the words.
fn may_be_about_a_person(text: &str) -> bool {
    let lower = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_lowercase();
    let page = lower.starts_with("<html") || lower.starts_with("<!doctype html");
    let structured = lower.starts_with(['{', '[', '<']) && !page;
    structured || ABOUT_PEOPLE.iter().any(|word| lower.contains(word))
}

/// Reads a body as JSON or XML.
fn parse(text: &str) -> Option<(Kind, Node)> {
    match text.trim_start().chars().next()? {
        '<' | '\u{feff}' => xml::parse(text).map(|tree| (Kind::Xml, tree)),
        _ => json::parse(text).map(|tree| (Kind::Json, tree)),
    }
}
