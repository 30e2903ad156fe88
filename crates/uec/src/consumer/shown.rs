//! What is printed: tables for people, JSON for scripts.

use crate::output;
use crate::print;
use booking::foreign::{Foreign, visible_text};
use consumer::journal::MAX_ROWS;
use consumer::journey::Shown;
use consumer::obstacle::Obstacle;
use consumer::slots::{FreeSlot, day_and_time};
use serde_json::{Value, json};
use std::fmt::Display;

/// Widest column; longer texts are cut.
const MAX_WIDTH: usize = 44;
/// Width of a line of the lists of services and slots: that of an ordinary terminal.
pub const WIDTH: usize = 80;
/// Narrowest column that a text is cut to.
const MIN_WIDTH: usize = 5;

/// Prints a value as JSON.
pub fn json(value: &Value) {
    output::print_value(value);
}

/// An obstacle for scripts.
pub fn obstacle(obstacle: &Obstacle) -> Value {
    let log: serde_json::Map<String, Value> = obstacle
        .log
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    json!({
        "kind": obstacle.kind.name(),
        "plain": obstacle.plain,
        "next": obstacle.next,
        "retry_safe": obstacle.retry_safe,
        "log": log,
    })
}

/// Prints rows under their heads, columns aligned, within [`WIDTH`]: the columns that `may_shrink` names get narrower, the
/// widest first. A column that is empty in every row is left out.
fn fitted(heads: &[&str], rows: &[Vec<String>], may_shrink: &[&str]) {
    print(&lines(heads, rows, may_shrink));
}

fn lines(heads: &[&str], rows: &[Vec<String>], may_shrink: &[&str]) -> String {
    let cell = |row: &[String], i: usize| row.get(i).cloned().unwrap_or_default();
    let used: Vec<usize> = (0..heads.len())
        .filter(|i| rows.iter().any(|row| !cell(row, *i).is_empty()))
        .collect();
    let mut widths: Vec<usize> = used
        .iter()
        .map(|i| {
            let cells = rows.iter().map(|row| cell(row, *i).chars().count());
            let longest = cells.max().unwrap_or(0).min(MAX_WIDTH);
            longest.max(heads[*i].chars().count())
        })
        .collect();
    let flexible: Vec<usize> = (0..used.len())
        .filter(|at| may_shrink.contains(&heads[used[*at]]))
        .collect();
    shrink(&mut widths, &flexible);
    let line = |texts: Vec<String>| {
        let padded: Vec<String> = texts
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{:<width$}", cut(text, *width)))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut out = line(used.iter().map(|i| heads[*i].to_owned()).collect());
    for row in rows {
        out.push_str(&line(used.iter().map(|i| cell(row, *i)).collect()));
    }
    out
}

/// Makes the widest of some columns narrower until the line fits.
fn shrink(widths: &mut [usize], flexible: &[usize]) {
    loop {
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let widest = flexible.iter().copied().max_by_key(|at| widths[*at]);
        match widest {
            Some(at) if total > WIDTH && widths[at] > MIN_WIDTH => widths[at] -= 1,
            _ => return,
        }
    }
}

/// Prints what something is called and the thing itself, on one line.
pub fn row(head: &str, width: usize, text: impl Display) {
    let text = visible_text(&text.to_string());
    print(&format!("{head:<width$} {text}\n"));
}

fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => {
            text.chars()
                .take(width.saturating_sub(1))
                .collect::<String>()
                + "…"
        }
        false => text.to_owned(),
    }
}

/// Prints a text on lines that fit: the first after `head`, the others after `indent`.
pub fn wrapped(head: &str, text: impl Display, indent: &str) {
    let mut line = head.to_owned();
    let mut out = String::new();
    for word in text.to_string().split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        let length = |line: &str| line.chars().count();
        if length(line.trim_end()) + 1 + rest.len() > WIDTH && !line.trim().is_empty() {
            out.push_str(line.trim_end());
            out.push('\n');
            line = indent.to_owned();
        }
        // A word that is longer than a line is broken.
        while length(&line) + rest.len() > WIDTH {
            let fits = WIDTH - length(&line);
            line.extend(rest.drain(..fits));
            out.push_str(&line);
            out.push('\n');
            line = indent.to_owned();
        }
        line.extend(rest);
        line.push(' ');
    }
    out.push_str(line.trim_end());
    print(&format!("{out}\n"));
}

/// Where the service stands in [`SLOT_HEADS`].
const SERVICE_COLUMN: usize = 7;
/// The columns of a slot. Its id is for scripts; people name it by its number.
const SLOT_HEADS: [&str; 8] = [
    "#", "START", "MIN", "HOW", "WHERE", "WITH", "ROLE", "SERVICE",
];
/// Those that may be cut.
const SLOT_TEXTS: [&str; 5] = ["HOW", "WHERE", "WITH", "ROLE", "SERVICE"];

/// The service's name, when all slots have the same.
pub fn same_for_all(all: &[&Shown]) -> Option<Foreign> {
    let first = all.first()?.slot.service.clone();
    let same = all.iter().all(|s| s.slot.service == first);
    first.filter(|_| same)
}

/// Prints slots as a table; what is the same for all of them is left to the lines above it. Rows get numbers where those
/// are kept ([`super::rows::keep`]): a number of another list would name another slot.
pub fn slots(all: &[&Shown], numbered: bool) {
    let row = |(s, n): (&&Shown, usize)| slot_row(s, numbered.then_some(n));
    let mut rows: Vec<Vec<String>> = all.iter().zip(1..).map(row).collect();
    if same_for_all(all).is_some() {
        for row in &mut rows {
            row[SERVICE_COLUMN].clear();
        }
    }
    fitted(&SLOT_HEADS, &rows, &SLOT_TEXTS);
}

/// A slot as a row. A number that is not kept is not shown.
fn slot_row(shown: &Shown, number: Option<usize>) -> Vec<String> {
    let slot = &shown.slot;
    let late = match shown.inside_timeframe {
        Some(false) => " late",
        _ => "",
    };
    let place = slot.place.as_ref();
    let clinician = slot.clinician.as_ref();
    let with = clinician.and_then(|c| match (&c.name, &c.gender) {
        (Some(name), Some(gender)) => Some(format!("{name} ({gender})")),
        (Some(name), None) => Some(name.to_string()),
        (None, gender) => gender.as_ref().map(Foreign::to_string),
    });
    let text = |text: Option<&Foreign>| text.map(Foreign::to_string).unwrap_or_default();
    let number = number.filter(|n| *n <= MAX_ROWS);
    vec![
        number.map(|n| n.to_string()).unwrap_or_default(),
        format!("{}{late}", day_and_time(slot.start)),
        slot.minutes().to_string(),
        slot.channel_shown(),
        text(place.and_then(|p| p.name.as_ref().or(p.address.as_ref()))),
        with.unwrap_or_default(),
        text(clinician.and_then(|c| c.role.as_ref())),
        text(slot.service.as_ref()),
    ]
}

/// Prints the addresses that the slots of a list are at, once each: they are too long for a column.
pub fn addresses<'a>(slots: impl Iterator<Item = &'a FreeSlot>) {
    let mut seen: Vec<String> = Vec::new();
    for place in slots.filter_map(|s| s.place.as_ref()) {
        let line = match (&place.name, &place.address) {
            (Some(name), Some(address)) => format!("{name}: {address}"),
            _ => continue,
        };
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    for line in seen {
        wrapped("", &line, "  ");
    }
}
