//! A look at a database from outside: nothing is made, changed or brought up to date.

use super::connect::{self, Location};
use super::files::{WAL, beside};
use super::{fault, migrations, tally};
use crate::store::error::StoreError;
use crate::store::gauges::Inspection;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// How long the look waits for another program's lock.
const WAIT: Duration = Duration::from_secs(2);

/// Looks at a database file; `pages`: every page too, which takes about a second per gigabyte.
pub(in crate::store) fn inspect(place: &Location, pages: bool) -> Result<Inspection, StoreError> {
    let Location::File(path) = place else {
        return Err(StoreError::Address {
            given: "sqlite::memory:".to_owned(),
            why: "a database in memory cannot be looked at from outside".to_owned(),
        });
    };
    let bytes = std::fs::metadata(path)
        .map_err(|e| fault::file(path, &e))?
        .len();
    let reader = connect::reader(place, 1)?;
    let schema = migrations::check(reader.raw(), path, migrations::STEPS)?;
    let damage = match pages {
        true => quick_check(reader.raw())?,
        false => None,
    };
    Ok(Inspection {
        file: Some(path.clone()),
        schema,
        newest: migrations::NEWEST,
        bytes,
        wal_bytes: std::fs::metadata(beside(path, WAL)).map_or(0, |f| f.len()),
        pages_checked: pages,
        damage,
        // An empty file has no tables to ask.
        lost: tally::lost((schema > 0).then(|| reader.raw()), path)?,
        schema_faults: migrations::faults(reader.raw(), path)?,
        unwritable: writable(path).err().map(|e| e.to_string()),
        server: None,
    })
}

fn quick_check(connection: &Connection) -> Result<Option<String>, StoreError> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    Ok((said != "ok").then_some(said))
}

/// Writes and syncs a page without changing it.
fn writable(path: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|e| fault::opening(path, &e))?;
    connection.busy_timeout(WAIT)?;
    connect::not_read_only(&connection, path)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .and_then(|()| connect::written(&connection))
        .map_err(|e| fault::opening(path, &e))
}
