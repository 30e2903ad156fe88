//! The schema, as numbered steps. The number of the last step taken is in `user_version`; `application_id` tells
//! our files from others.
//!
//! A process of the release before may have the file open while the steps are taken, all in one transaction that waits for
//! its writes and that its writes wait for: for as long as other programs are waited for, so a step does not pass over
//! large tables. It goes on afterwards, since a step only adds, as on PostgreSQL; when it is started again it refuses.

use super::{fault, shape};
use crate::store::driver::newest;
use crate::store::error::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `application_id` of our files: "UECB".
pub(super) const APPLICATION: i64 = 0x5545_4342;

/// The steps in order; step n takes the schema from n-1 to n. A step that was released never changes.
pub(in crate::store) const STEPS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_referrals.sql"),
    include_str!("migrations/0003_tracks.sql"),
    include_str!("migrations/0004_declared_held.sql"),
    include_str!("migrations/0005_claimed.sql"),
];

/// The newest schema known here.
pub(in crate::store) const NEWEST: i64 = STEPS.len() as i64;

/// What a file says about itself.
struct Marks {
    application: i64,
    schema: i64,
    tables: i64,
}

fn marks(connection: &Connection) -> rusqlite::Result<Marks> {
    // All from one moment: another process may be making the schema.
    let begun = connection.is_autocommit();
    if begun {
        connection.execute_batch("BEGIN")?;
    }
    let found = read_marks(connection);
    if begun {
        connection.execute_batch("COMMIT")?;
    }
    found
}

fn read_marks(connection: &Connection) -> rusqlite::Result<Marks> {
    Ok(Marks {
        tables: connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?,
        application: connection.pragma_query_value(None, "application_id", |r| r.get(0))?,
        schema: connection.pragma_query_value(None, "user_version", |r| r.get(0))?,
    })
}

/// What of the schema is not as the number of a file says.
pub(super) fn faults(connection: &Connection, path: &Path) -> Result<Vec<String>, StoreError> {
    let opening = |e: rusqlite::Error| fault::opening(path, &e);
    let moment = connection.unchecked_transaction().map_err(opening)?;
    let done = usize::try_from(check(&moment, path, STEPS)?).unwrap_or(0);
    shape::faults(&moment, done, STEPS).map_err(opening)
}

/// Refuses a file that is not ours or newer than these steps; returns its schema number, 0 for an empty file.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    steps: &[&str],
) -> Result<i64, StoreError> {
    let found = marks(connection).map_err(|e| fault::opening(path, &e))?;
    let empty = found.tables == 0 && found.application == 0 && found.schema == 0;
    if found.application != APPLICATION && !empty {
        return Err(StoreError::NotOurs {
            path: path.to_owned(),
            what: "it is an SQLite database of another program".to_owned(),
        });
    }
    if found.schema > newest(steps) {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found: found.schema,
            known: newest(steps),
        });
    }
    Ok(found.schema)
}

/// Takes the steps that are missing, all in one transaction. `whole`: a schema that needs none must lack nothing either.
pub(super) fn run(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
    whole: bool,
) -> Result<(), StoreError> {
    let opening = |e: rusqlite::Error| fault::opening(path, &e);
    {
        // Number and schema of one moment: another process may be making the schema.
        let moment = connection.transaction().map_err(opening)?;
        if check(&moment, path, steps)? == newest(steps) {
            return match whole {
                true => shape::check(&moment, path, steps.len(), steps),
                false => Ok(()),
            };
        }
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(opening)?;
    // Another process may have taken the steps while this one waited for the lock.
    let done = usize::try_from(check(&transaction, path, steps)?).unwrap_or(0);
    shape::check(&transaction, path, done, steps)?;
    take(&transaction, done, steps).map_err(opening)?;
    transaction.commit().map_err(opening)
}

/// Takes the steps after the first `done`, in the transaction that is open.
pub(super) fn take(connection: &Connection, done: usize, steps: &[&str]) -> rusqlite::Result<()> {
    for step in steps.iter().skip(done) {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", newest(steps))
}
