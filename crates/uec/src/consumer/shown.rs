//! What is printed: tables for people, JSON for scripts.

use crate::print;
use consumer::journey::Shown;
use consumer::obstacle::Obstacle;
use consumer::slots::{FreeSlot, day_and_time};
use serde_json::{Value, json};

/// Widest column; longer texts are cut.
const MAX_WIDTH: usize = 44;

/// Prints a value as JSON.
pub fn json(value: &Value) {
    print(&format!("{value:#}\n"));
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

/// Prints rows under their heads, columns aligned; a column that is empty in every row is left out.
pub fn table(heads: &[&str], rows: &[Vec<String>]) {
    let cell = |row: &[String], i: usize| -> String {
        let text = row.get(i).map_or("", String::as_str);
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        match clean.chars().count() > MAX_WIDTH {
            true => clean.chars().take(MAX_WIDTH - 1).collect::<String>() + "…",
            false => clean,
        }
    };
    let used: Vec<usize> = (0..heads.len())
        .filter(|i| rows.iter().any(|row| !cell(row, *i).is_empty()))
        .collect();
    let widths: Vec<usize> = used
        .iter()
        .map(|i| {
            let cells = rows.iter().map(|row| cell(row, *i).chars().count());
            cells.max().unwrap_or(0).max(heads[*i].chars().count())
        })
        .collect();
    let line = |texts: Vec<String>| {
        let padded: Vec<String> = texts
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{text:<width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut out = line(used.iter().map(|i| heads[*i].to_owned()).collect());
    for row in rows {
        out.push_str(&line(used.iter().map(|i| cell(row, *i)).collect()));
    }
    print(&out);
}

/// Where the service stands in [`SLOT_HEADS`].
const SERVICE_COLUMN: usize = 6;
/// The columns of a slot.
const SLOT_HEADS: [&str; 8] = [
    "START", "MIN", "HOW", "WHERE", "WITH", "ROLE", "SERVICE", "SLOT",
];

/// The service's name, when all slots have the same.
pub fn same_for_all(all: &[&Shown]) -> Option<String> {
    let first = all.first()?.slot.service.clone();
    let same = all.iter().all(|s| s.slot.service == first);
    first.filter(|_| same)
}

/// Prints slots as a table; what is the same for all of them is left to the lines above it.
pub fn slots(all: &[&Shown]) {
    let mut rows: Vec<Vec<String>> = all.iter().map(|s| slot_row(s)).collect();
    if same_for_all(all).is_some() {
        for row in &mut rows {
            row[SERVICE_COLUMN].clear();
        }
    }
    table(&SLOT_HEADS, &rows);
}

/// A slot as a row.
fn slot_row(shown: &Shown) -> Vec<String> {
    let slot = &shown.slot;
    let late = match shown.inside_timeframe {
        Some(false) => " late",
        _ => "",
    };
    let place = slot.place.as_ref();
    let clinician = slot.clinician.as_ref();
    let with = clinician.and_then(|c| match (&c.name, &c.gender) {
        (Some(name), Some(gender)) => Some(format!("{name} ({gender})")),
        (Some(name), None) => Some(name.clone()),
        (None, gender) => gender.clone(),
    });
    vec![
        format!("{}{late}", day_and_time(slot.start)),
        slot.minutes().to_string(),
        slot.channel_shown().to_owned(),
        place
            .and_then(|p| p.name.clone().or_else(|| p.address.clone()))
            .unwrap_or_default(),
        with.unwrap_or_default(),
        clinician.and_then(|c| c.role.clone()).unwrap_or_default(),
        slot.service.clone().unwrap_or_default(),
        slot.id.clone(),
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
        print(&format!("{line}\n"));
    }
}
