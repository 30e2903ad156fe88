//! Judging a cancellation (CONS-CAN-02, CONS-CAN-03, ASR-21).

use fhir::Element;
use std::collections::BTreeMap;

use crate::consumer_suite::asked::Asked;
use crate::consumer_suite::ledger::Notes;
use crate::consumer_suite::rules::Rule;
use crate::consumer_suite::state::{Stored, clipped};

/// Differing paths that are named.
const SHOWN: usize = 5;

/// Judges a cancellation against what was stored and read.
pub(crate) fn judge(stored: &Stored, asked: &Asked, body: &Element, notes: &mut Notes) {
    let version = stored.version();
    if_match(asked, version, notes);
    let fresh = stored
        .read
        .as_ref()
        .is_some_and(|(read, _)| *read == version);
    let what = "The appointment is cancelled without having been read";
    notes.judge(Rule::CancelRead, stored.read.is_some(), what);
    if stored.changed {
        let what = "After the cancellation met another version the appointment was not read again";
        notes.judge(Rule::RereadsConflict, fresh, what);
    }
    let live = stored
        .current()
        .is_some_and(|(document, _)| document.str_of("status") == Some("booked"));
    let what = "The appointment is cancelled already";
    notes.judge(Rule::CancelOwn, live, what);
    let status = body.str_of("status").unwrap_or("missing");
    if status != "cancelled" {
        let what = format!("status is {}", clipped(status));
        notes.judge(Rule::CancelBody, false, what);
    }
    let base = match &stored.read {
        Some((_, read)) => Some(read),
        None => stored.current().map(|(document, _)| document),
    };
    if let Some(base) = base {
        let changed = differences(base, body);
        let more = if changed.len() > SHOWN {
            ", and others"
        } else {
            ""
        };
        let shown: Vec<&str> = changed.iter().take(SHOWN).map(String::as_str).collect();
        let what = format!(
            "The body is not the appointment that was read: {}{more}",
            shown.join(", ")
        );
        notes
            .at(Rule::CancelBody, changed.first().map_or("", String::as_str))
            .must(changed.is_empty())
            .or(what);
    }
}

fn if_match(asked: &Asked, version: u32, notes: &mut Notes) {
    let Some(value) = asked.header("if-match") else {
        let what = "The header If-Match is missing";
        notes.judge(Rule::IfMatch, false, what);
        return;
    };
    let inner = value
        .trim()
        .strip_prefix("W/\"")
        .and_then(|v| v.strip_suffix('"'));
    let what = match inner {
        None => format!(
            "If-Match is `{}`, which is not the weak form",
            clipped(value)
        ),
        Some(_) => format!(
            "If-Match is `{}`; the last version is {version}",
            clipped(value)
        ),
    };
    notes.judge(
        Rule::IfMatch,
        inner == Some(version.to_string().as_str()),
        what,
    );
}

/// The paths at which two versions differ, `status`, `meta`, `text` and the order of lists apart; never a value.
fn differences(read: &Element, sent: &Element) -> Vec<String> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten(read, "Appointment", &mut before);
    flatten(sent, "Appointment", &mut after);
    let mut paths: Vec<String> = Vec::new();
    for key in before.keys().chain(after.keys()) {
        if before.get(key) != after.get(key) && !paths.contains(&key.0) {
            paths.push(key.0.clone());
        }
    }
    paths
}

/// Every leaf with its path and value, and how often it stands.
fn flatten(element: &Element, path: &str, out: &mut BTreeMap<(String, String), usize>) {
    if let Some(text) = element.as_str() {
        let value = match booking::instant::parse(text) {
            Some(at) => at.to_string(),
            None => text.to_owned(),
        };
        *out.entry((path.to_owned(), value)).or_default() += 1;
    }
    for child in element.children() {
        let at_root = path == "Appointment";
        if matches!(child.name(), "meta" | "text") || (at_root && child.name() == "status") {
            continue;
        }
        let step = match child.resource_type() {
            Some(kind) => format!("{path}.contained.ofType({kind})"),
            None => format!("{path}.{}", child.name()),
        };
        flatten(child, &step, out);
    }
}
