//! The journal's file: who may read it, whose it is, and its tables.

use super::JournalError;
use booking::shared_file;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// `application_id` of these files: "UECJ".
const APPLICATION: i64 = 0x5545_434A;
/// The schema as numbered steps; a step that was released never changes.
const STEPS: &[&str] = &[
    include_str!("0001_initial.sql"),
    include_str!("0002_taken_up.sql"),
    include_str!("0003_not_sent.sql"),
];
/// How long to wait for another program that writes the same journal: its transactions take milliseconds.
const BUSY: Duration = Duration::from_secs(5);

pub(super) fn open(path: &Path, allow_shared: bool) -> Result<Connection, JournalError> {
    let unusable = |why: String| JournalError::Unusable {
        path: path.display().to_string(),
        why,
    };
    if !allow_shared {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(why) = shared_file::reason(path, &real, |at| std::fs::metadata(at)) {
            return Err(unusable(why));
        }
    }
    make_private(path).map_err(|e| unusable(e.to_string()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|e| unusable(e.to_string()))?;
    prepare(&mut connection, true).map_err(unusable)?;
    Ok(connection)
}

pub(super) fn memory() -> Result<Connection, JournalError> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&mut connection, false).map_err(JournalError::Failed)?;
    Ok(connection)
}

/// Makes the file readable by its owner only, before anything is written. SQLite gives the same rights to the files
/// beside it.
#[cfg(unix)]
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::fs::{OpenOptions, Permissions};
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let mode = std::fs::metadata(path)?.permissions().mode();
            match mode & 0o077 {
                0 => Ok(()),
                _ => std::fs::set_permissions(path, Permissions::from_mode(0o600)),
            }
        }
        Err(e) => Err(e),
    }
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map(|_| ())
}

fn prepare(connection: &mut Connection, file: bool) -> Result<(), String> {
    let text = |e: rusqlite::Error| e.to_string();
    connection.busy_timeout(BUSY).map_err(text)?;
    if file {
        let version = schema(connection)?;
        let newest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
        if version > newest {
            return Err(format!(
                "it was written by a newer version of this program (schema {version}, known here: {newest})"
            ));
        }
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(text)?;
    }
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(text)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(text)?;
    migrate(connection)
}

/// The number of the last step taken; 0 for an empty file.
fn schema(connection: &Connection) -> Result<i64, String> {
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |r| r.get::<_, i64>(0))
            .map_err(|e| e.to_string())
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
        .map_err(|e| e.to_string())?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let empty = tables == 0 && application == 0 && version == 0;
    if application != APPLICATION && !empty {
        return Err("it is an SQLite database of another program".to_owned());
    }
    Ok(version)
}

fn migrate(connection: &mut Connection) -> Result<(), String> {
    let text = |e: rusqlite::Error| e.to_string();
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(text)?;
    // Another process may have taken the steps while this one waited for the lock.
    let done = usize::try_from(schema(&transaction)?).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step).map_err(text)?;
    }
    let newest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    transaction
        .pragma_update(None, "application_id", APPLICATION)
        .map_err(text)?;
    transaction
        .pragma_update(None, "user_version", newest)
        .map_err(text)?;
    transaction.commit().map_err(text)
}
