//! Loads the demonstration: two providers with clinics, and two consumers.

use super::apply::{self, ApplyError, Options};
use super::declaration::Declaration;
use super::declaration::read::{Faults, read};
use super::generate::london_date;
use crate::store::{Store, StoreError};
use jiff::Timestamp;

/// "Fernhill Urgent Care", FX101.
pub const FERNHILL: &str = include_str!("demo/fernhill.toml");
/// "Riverside GP Hub", FX202.
pub const RIVERSIDE: &str = include_str!("demo/riverside.toml");

/// Why the demonstration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The embedded files are wrong.
    #[error("the demonstration's own declaration is wrong: {0}")]
    Declaration(#[from] Faults),
    /// They could not be applied.
    #[error("the demonstration could not be put into the database: {0}")]
    Apply(#[from] ApplyError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The providers of the demonstration: ODS code, declaration, name of the file.
const PROVIDERS: [(&str, &str, &str); 2] = [
    ("FX101", FERNHILL, "demo/fernhill.toml"),
    ("FX202", RIVERSIDE, "demo/riverside.toml"),
];

/// The demonstration's declarations.
pub fn declarations(now: Timestamp) -> Result<Vec<Declaration>, Faults> {
    let today = london_date(now);
    PROVIDERS
        .iter()
        .map(|(_, text, file)| read(text, file, today))
        .collect()
}

/// Adds the demonstration's providers that are absent, and fills the days ahead. Existing ones stay as they are. Returns
/// the slots made.
pub async fn load(store: &Store, now: Timestamp) -> Result<u64, DemoError> {
    let known = store.tenants()?;
    let mut added = 0;
    for (ods, text, file) in PROVIDERS {
        // An existing provider is not even parsed, for a quick start.
        if known.iter().any(|t| t.ods.as_str() == ods) {
            continue;
        }
        let declaration = read(text, file, london_date(now))?;
        let options = Options {
            keep_bookings: false,
            actor: "demonstration seed".to_owned(),
        };
        let applied = apply::apply(store, &declaration, now, &options, &mut |_| {}).await?;
        added += applied.slots_added;
    }
    Ok(added + apply::top_up(store, now, &mut |_| {}).await?)
}
