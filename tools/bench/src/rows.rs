//! The rows of the table, one file each.

mod booking;
mod codec;
mod growth;
mod race;
mod search;
mod startup;

use crate::Setting;
use crate::place::Place;
use crate::report::Measure;
use std::future::Future;
use std::pin::Pin;

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<Measure>, String>> + 'a>>;

/// One row.
pub struct Row {
    /// What it is chosen by.
    pub name: &'static str,
    /// What it measures.
    pub what: &'static str,
    /// Measures it.
    pub run: Run,
}

/// How a row is measured.
pub enum Run {
    /// Without a store.
    Alone(for<'a> fn(&'a Setting) -> Measuring<'a>),
    /// On each store.
    On(for<'a> fn(&'a Setting, &'a Place) -> Measuring<'a>),
}

/// All rows, in the order of the page.
const ROWS: &[Row] = &[
    Row {
        name: "search",
        what: "slot search against a bare server of the same HTTP library",
        run: Run::On(|s, p| Box::pin(search::run(s, p))),
    },
    Row {
        name: "booking",
        what: "booking against the commit ceiling of the same disk",
        run: Run::On(|s, p| Box::pin(booking::run(s, p))),
    },
    Row {
        name: "growth",
        what: "slot search with few and with millions of slots in the database",
        run: Run::On(|s, p| Box::pin(growth::run(s, p))),
    },
    Row {
        name: "race",
        what: "one slot, 10,000 clients",
        run: Run::On(|s, p| Box::pin(race::run(s, p))),
    },
    Row {
        name: "startup",
        what: "from start to ready, on an existing database",
        run: Run::On(|s, p| Box::pin(startup::run(s, p))),
    },
    Row {
        name: "codec",
        what: "an Appointment decoded, checked and encoded",
        run: Run::Alone(|s| Box::pin(codec::run(s))),
    },
];

/// The rows of these names; all when there is no name.
pub fn choose(names: &[String]) -> Result<Vec<&'static Row>, String> {
    let known: Vec<&str> = ROWS.iter().map(|r| r.name).collect();
    if let Some(unknown) = names.iter().find(|n| !known.contains(&n.as_str())) {
        return Err(format!(
            "no row `{unknown}`; there are: {}",
            known.join(", ")
        ));
    }
    let chosen = |row: &&Row| names.is_empty() || names.iter().any(|n| n == row.name);
    Ok(ROWS.iter().filter(chosen).collect())
}

/// The middle one of some figures.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
