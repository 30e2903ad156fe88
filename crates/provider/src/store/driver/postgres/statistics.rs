//! Statistics for tables that are still empty, so that the first plans are already the right ones.
//!
//! The planner assumes two hundred different values in every column of a table that was never analysed. Every index begins
//! with the tenant, so that any of them, read for the whole tenant, then looks as good as the one that was made for the
//! question, and a join becomes quadratic. The server analyses by itself about once a minute; until then thousands of
//! bookings can be made. Therefore rows of one made-up tenant are written, analysed and removed before anybody uses the
//! tables: what the planner learned from them stays until it learns from real rows.
//!
//! Promise: tables in which there is any row are left as they are.

use crate::store::driver::{Connection, Fault};
use crate::store::error::StoreError;

/// Writes the rows, analyses them, removes them.
const SQL: &str = include_str!("first_statistics.sql");
/// Every table that leads with the tenant and is empty at first.
const TABLES: &[&str] = &[
    "tenant",
    "declared",
    "schedule",
    "label",
    "slot",
    "slot_removed",
    "slot_day",
    "appointment",
    "appointment_version",
    "document_link",
    "audit",
    "referral",
    "referral_message",
];
/// How long the tables are waited for: whoever has them already writes to them.
const LOCK_MILLIS: u64 = 500;

/// Gives empty tables their first statistics, in a transaction of its own. That the server would do without them a little
/// later is no reason to fail.
pub(super) fn begin_with(c: &Connection) -> Result<(), StoreError> {
    c.begin()?;
    let outcome = c
        .batch(&format!(
            "SET LOCAL lock_timeout = {LOCK_MILLIS}; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
            TABLES.join(", ")
        ))
        .and_then(|()| fill(c));
    match outcome {
        Ok(()) => Ok(c.commit()?),
        Err(fault) if c.is_dead() => Err(fault.error),
        Err(fault) => {
            tracing::warn!(error = %fault.error, "the empty tables were not analysed");
            Ok(c.rollback()?)
        }
    }
}

/// The same in the transaction that is open, in which nobody else can see the tables.
pub(super) fn fill(c: &Connection) -> Result<(), Fault> {
    let any: Vec<String> = TABLES
        .iter()
        .map(|table| format!("EXISTS (SELECT FROM {table})"))
        .collect();
    let used = c.number(&format!("SELECT ({})::int::bigint", any.join(" OR ")), &[])?;
    match used {
        0 => c.batch(&SQL.replace("{tables}", &TABLES.join(", "))),
        _ => Ok(()),
    }
}
