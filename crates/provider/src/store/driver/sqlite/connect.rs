//! Connections: how each is opened and what it is allowed to use.

use super::checkpoint::CheckpointRequest;
use super::fault;
use super::files::Files;
use super::migrations;
use super::tally::{self, Tally};
use crate::store::Options;
use crate::store::error::StoreError;
use booking::shared_file;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a connection waits for another program's lock before it gives up: a group commits in milliseconds, a
/// batch of a diary change in tenths of a second.
const BUSY: Duration = Duration::from_secs(2);
/// Pause before the next try of what SQLite does not wait for itself.
const AGAIN: Duration = Duration::from_millis(10);
/// Page cache of the writer in KiB: the inner pages of every index of ten million slots and the recent leaves.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// Page cache of all readers of the pool in KiB; the operating system's file cache stands behind it.
const READERS_CACHE_KIB: i64 = 48 * 1024;
/// WAL pages after which the writer checkpoints by itself, 512 MB: only when the thread that does it cannot keep up.
const CHECKPOINT_PAGES: i64 = 128_000;
/// Bytes to which the WAL file is cut after a checkpoint.
const WAL_BYTES: i64 = 128 << 20;
/// Prepared statements kept per connection; there are fewer in this program.
const STATEMENTS: usize = 96;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Location {
    /// A file.
    File(PathBuf),
    /// Memory of this process, under a name of its own.
    Memory(String),
}

impl Location {
    /// Reads `sqlite:PATH` or `sqlite::memory:`.
    pub(in crate::store) fn parse(url: &str) -> Result<Location, StoreError> {
        let wrong = |why: &str| StoreError::Address {
            given: url.to_owned(),
            why: why.to_owned(),
        };
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err(wrong(
                "write sqlite:PATH, such as sqlite:/var/lib/uec/provider.db, or postgres://USER@HOST/DATABASE",
            ));
        };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        match rest {
            "" => Err(wrong("the path is missing; write sqlite:PATH")),
            ":memory:" => Ok(Location::Memory(format!("/uec-{}", Uuid::new_v4()))),
            path => Ok(Location::File(PathBuf::from(path))),
        }
    }

    /// The path for messages.
    pub(in crate::store) fn shown(&self) -> PathBuf {
        match self {
            Location::File(path) => path.clone(),
            Location::Memory(_) => PathBuf::from(":memory:"),
        }
    }

    pub(super) fn open(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match self {
            Location::File(path) => Connection::open_with_flags(path, flags),
            // The memdb VFS shares a database of this name between the connections of one process.
            Location::Memory(name) => Connection::open_with_flags(
                format!("file:{name}?vfs=memdb"),
                flags | OpenFlags::SQLITE_OPEN_URI,
            ),
        };
        let connection = opened.map_err(|e| fault::opening(&self.shown(), &e))?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A plan is made once, not again for every value of a parameter: all of them fit every value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }
}

/// Opens the writer's connection: makes the file if it may, checks whose it is, brings the schema up to date.
pub(in crate::store) fn writer(
    place: &Location,
    options: &Options,
    steps: &[&str],
    requested: CheckpointRequest,
) -> Result<super::Connection, StoreError> {
    if let Location::File(path) = place {
        if !options.allow_shared_files {
            not_shared(path)?;
        }
        check_path(path, options.create)?;
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, options.create);
    let mut connection = place.open(flags)?;
    let shown = place.shown();
    if options.serving {
        not_read_only(&connection, &shown)?;
    }
    migrations::check(&connection, &shown, steps)?;
    if matches!(place, Location::File(_)) {
        into_wal(&connection).map_err(|e| fault::opening(&shown, &e))?;
    }
    prepare_writer(place, &connection).map_err(|e| fault::opening(&shown, &e))?;
    migrations::run(&mut connection, &shown, steps, options.serving)?;
    if let Some(pages) = options.max_pages {
        // Answers with the limit now in force, which is why this is a query.
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    let mut writer = super::Connection::new(connection, Some(requested));
    if let (Location::File(path), true) = (place, options.serving) {
        try_to_write(&writer.raw, &shown)?;
        writer.files = Some(Arc::new(Files::of(path)?));
        for lost in tally::lost(Some(&writer.raw), path)? {
            tracing::error!(
                %lost,
                "bookings that were acknowledged are not in the database: its WAL was lost, cut or damaged, or an older copy was \
                 put in its place"
            );
        }
        writer.tally = match Tally::open(path) {
            // What is read is served all the same.
            Err(error @ StoreError::Full) => {
                tracing::warn!(%error, "the ends of the audit trails are not noted beside the database");
                None
            }
            opened => Some(opened?),
        };
    }
    Ok(writer)
}

/// Refuses a file that others may write, before anything is made or read.
fn not_shared(path: &Path) -> Result<(), StoreError> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match shared_file::reason(path, &real, |at| std::fs::metadata(at)) {
        None => Ok(()),
        Some(why) => Err(StoreError::Shared { why }),
    }
}

/// SQLite opens a file that it may not write to read, and says nothing.
pub(super) fn not_read_only(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match connection.is_readonly(rusqlite::MAIN_DB) {
        Ok(false) => Ok(()),
        Ok(true) => Err(StoreError::Permission {
            path: path.to_owned(),
            what: "it can be opened to read, and not to write".to_owned(),
        }),
        Err(error) => Err(fault::opening(path, &error)),
    }
}

/// Writes and syncs a page without changing it. A program that waits for its lock, or for space, may start: both can pass.
fn try_to_write(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match written(connection).map_err(|e| fault::opening(path, &e)) {
        Err(error @ (StoreError::Locked { .. } | StoreError::Full)) => {
            tracing::warn!(%error, "the database cannot be written yet");
            Ok(())
        }
        outcome => outcome,
    }
}

/// A transaction that writes the mark that the file has.
pub(super) fn written(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = write_mark(connection).and_then(|()| connection.execute_batch("COMMIT"));
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

/// Writes the mark that the file has into it again.
pub(super) fn write_mark(connection: &Connection) -> rusqlite::Result<()> {
    let mark: i64 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    connection.pragma_update(None, "application_id", mark)
}

/// SQLite does not wait when two programs that read a new file both want its first lock: each would wait for the other.
fn into_wal(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < until =>
            {
                std::thread::sleep(AGAIN);
            }
            outcome => return outcome,
        }
    }
}

fn prepare_writer(place: &Location, connection: &Connection) -> rusqlite::Result<()> {
    if matches!(place, Location::File(_)) {
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
}

/// Opens a connection that can only read, one of `of` that share what cache there is.
pub(in crate::store) fn reader(
    place: &Location,
    of: usize,
) -> Result<super::Connection, StoreError> {
    let flags = match place {
        Location::File(_) => OpenFlags::SQLITE_OPEN_READ_ONLY,
        // A read-only open of a memdb database is refused; query_only below does the same.
        Location::Memory(_) => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let connection = place.open(flags)?;
    let cache = READERS_CACHE_KIB / i64::try_from(of.max(1)).unwrap_or(READERS_CACHE_KIB);
    let prepare = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", -cache)
    };
    prepare().map_err(|e| fault::opening(&place.shown(), &e))?;
    Ok(super::Connection::new(connection, None))
}

/// Opens a connection that reads nothing but whether something changed.
pub(super) fn watcher(place: &Location) -> Result<Connection, StoreError> {
    let flags = match place {
        Location::File(_) => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Location::Memory(_) => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    place.open(flags)
}

/// Opens a connection that copies the WAL back. It reads the WAL and writes the file, so it needs no cache.
pub(super) fn checkpointer(place: &Location) -> Result<Connection, StoreError> {
    let connection = place.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(|e| fault::opening(&place.shown(), &e))?;
    Ok(connection)
}

/// Says what is wrong with a path before SQLite says only that it cannot open it.
pub(super) fn check_path(path: &Path, create: bool) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    };
    if !directory.is_dir() {
        return Err(StoreError::MissingDirectory {
            path: directory.to_owned(),
        });
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(StoreError::NotOurs {
            path: path.to_owned(),
            what: "it is a directory".to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && create => make_file(path),
        Err(error) => Err(fault::file(path, &error)),
    }
}

/// Makes an empty file that only this user can read, since it will hold patient data; SQLite gives the files beside
/// it the same rights.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        // Another process was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(fault::file(path, &error)),
    }
}
