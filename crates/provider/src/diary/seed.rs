//! The demonstration: two providers with clinics, and two consumers.

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

/// Why the demonstration could not be put in.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
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

/// The demonstration's declarations.
pub fn declarations(now: Timestamp) -> Result<Vec<Declaration>, Faults> {
    let today = london_date(now);
    Ok(vec![
        read(FERNHILL, "demo/fernhill.toml", today)?,
        read(RIVERSIDE, "demo/riverside.toml", today)?,
    ])
}

/// Puts the demonstration's providers in where they are not, and fills the days ahead; what is there stays as it is.
/// Returns how many slots were made.
pub async fn demo(store: &Store, now: Timestamp) -> Result<u64, SeedError> {
    let known = store.tenants()?;
    let mut added = 0;
    for declaration in declarations(now)? {
        if known.iter().any(|t| t.ods == declaration.provider.ods) {
            continue;
        }
        let options = Options {
            keep_bookings: false,
            actor: "demonstration seed".to_owned(),
        };
        let applied = apply::apply(store, &declaration, now, &options, &mut |_| {}).await?;
        added += applied.slots_added;
    }
    Ok(added + top_up_all(store, now).await?)
}

/// Makes the slots that the days ahead lack, for every provider; returns how many.
pub async fn top_up_all(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    apply::top_up(store, now, &mut |_| {}).await
}
