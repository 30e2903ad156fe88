//! A file as the source or the target of a copy.

use super::connect::{self, Location};
use super::{fault, migrations};
use crate::store::error::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};

/// Page cache of each side in KiB. What a copy reads or writes goes by once; what it changes in between spills to disk.
const CACHE_KIB: i64 = 32 * 1024;

/// A file that is being filled, in one transaction that nobody else sees anything of.
pub(in crate::store) struct Target {
    path: PathBuf,
    /// Made for this copy, so removed when there is none.
    made: bool,
}

impl Target {
    /// Removes the file that was made for a copy that did not come about. The connection must be closed.
    pub(in crate::store) fn clear_away(self) {
        if self.made
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the empty file stays");
        }
    }

    /// Makes the file's entry in its directory durable.
    pub(in crate::store) fn sync_name(&self) -> Result<(), StoreError> {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(|e| fault::file(directory, &e))
    }
}

fn path_of(place: &Location) -> Result<&Path, StoreError> {
    match place {
        Location::File(path) => Ok(path),
        Location::Memory(_) => Err(StoreError::Address {
            given: "sqlite::memory:".to_owned(),
            why: "it is gone when the program ends; name a file".to_owned(),
        }),
    }
}

/// Opens a file to read all of it as of one moment, in a transaction that has begun; nothing is written to it. Held:
/// the file is locked against every other program until the connection is closed, which fails as locked while another
/// one has it open at all. Returns the number of its schema too.
pub(in crate::store) fn source(
    place: &Location,
    held: bool,
) -> Result<(super::Connection, i64), StoreError> {
    let path = path_of(place)?;
    std::fs::metadata(path).map_err(|e| fault::file(path, &e))?;
    let connection = place.open(match held {
        true => OpenFlags::SQLITE_OPEN_READ_WRITE,
        false => OpenFlags::SQLITE_OPEN_READ_ONLY,
    })?;
    let begin = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // What is sorted is too much for memory.
        connection.pragma_update(None, "temp_store", "FILE")?;
        if !held {
            connection.pragma_update(None, "query_only", true)?;
            return connection.execute_batch("BEGIN");
        }
        // Said before the first read: the file is locked for this connection alone, also in WAL mode, where every
        // connection keeps a share of the lock for as long as it is open.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // A WAL that is there stays as it is.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        connection.pragma_update(None, "query_only", true)
    };
    begin().map_err(|e| fault::opening(path, &e))?;
    let schema = migrations::check(&connection, path, migrations::STEPS)?;
    Ok((super::Connection::new(connection, None), schema))
}

/// Opens a file to fill it, for this connection alone, in a transaction that has begun and has the newest schema. Until
/// the commit the file is empty for whoever opens it after a crash: the journal beside it takes everything back.
pub(in crate::store) fn target(
    place: &Location,
) -> Result<(super::Connection, Target), StoreError> {
    let path = path_of(place)?;
    let made = !path.exists();
    connect::check_path(path, true)?;
    if made {
        // What was noted of a file that is gone says nothing of this one.
        let _ = std::fs::remove_file(super::files::beside(path, super::tally::SUFFIX));
    }
    let target = Target {
        path: path.to_owned(),
        made,
    };
    match begin_target(place, path) {
        Ok(connection) => Ok((super::Connection::new(connection, None), target)),
        Err(error) => {
            target.clear_away();
            Err(error)
        }
    }
}

fn begin_target(place: &Location, path: &Path) -> Result<Connection, StoreError> {
    let connection = place.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let opening = |e: rusqlite::Error| fault::opening(path, &e);
    connection
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .map_err(opening)?;
    // Whose file it is, before anything about it is changed.
    migrations::check(&connection, path, migrations::STEPS)?;
    let begin = || -> rusqlite::Result<()> {
        // New pages go straight into the file; a WAL would take everything twice.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "temp_store", "FILE")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.execute_batch("BEGIN EXCLUSIVE")
    };
    begin().map_err(opening)?;
    let done =
        usize::try_from(migrations::check(&connection, path, migrations::STEPS)?).unwrap_or(0);
    migrations::take(&connection, done, migrations::STEPS).map_err(opening)?;
    Ok(connection)
}

/// The newest schema known here.
pub(in crate::store) const NEWEST: i64 = migrations::NEWEST;
