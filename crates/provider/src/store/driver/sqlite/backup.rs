//! Backups while serving, their check, and the way back.

use super::connect::{self, Location};
use super::{fault, migrations, tally};
use crate::store::appointment::{AuditVerdict, BackupReport};
use crate::store::driver;
use crate::store::error::StoreError;
use crate::store::sql::group::snapshot;
use crate::store::sql::{audit, read};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Pages copied at once: 4 MB, a few milliseconds, after which other work on the disk gets its turn.
const PAGES: i32 = 1_000;
/// Pause between two copies.
const PAUSE: Duration = Duration::from_millis(1);
/// How often in all a copy waits for a lock before it gives up, [`LOCK_PAUSE`] each time.
const LOCK_TRIES: u32 = 300;
/// How long it waits each time.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Share of the readers' cache that a check gets: it passes over every page once.
const ALONE: usize = 8;
/// How long a restore waits to find out whether the database is in use.
const IN_USE: Duration = Duration::from_millis(200);

/// A file being made, removed again unless it is finished.
struct Partial {
    path: PathBuf,
}

impl Partial {
    /// Makes an empty file beside `target` that only this user can read: it will hold patient data.
    fn beside(target: &Path) -> Result<Partial, StoreError> {
        let directory = directory_of(target)?;
        let name = target
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let path = directory.join(format!(".{name}.{}.partial", Uuid::new_v4().simple()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(|e| fault::file(&path, &e))?;
        Ok(Partial { path })
    }

    fn sync(&self) -> Result<(), StoreError> {
        File::open(&self.path)
            .and_then(|f| f.sync_all())
            .map_err(|e| fault::file(&self.path, &e))
    }

    /// Gives the file its name; one that is there is not overwritten.
    fn publish(self, target: &Path) -> Result<(), StoreError> {
        self.sync()?;
        // A hard link fails if the name is taken, which a rename does not.
        match std::fs::hard_link(&self.path, target) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::Exists {
                    path: target.to_owned(),
                });
            }
            // A file system without hard links.
            Err(_) if target.exists() => {
                return Err(StoreError::Exists {
                    path: target.to_owned(),
                });
            }
            Err(_) => std::fs::rename(&self.path, target).map_err(|e| fault::file(target, &e))?,
        }
        sync_directory(target)
    }

    /// Puts the file in the place of another.
    fn replace(self, target: &Path) -> Result<(), StoreError> {
        self.sync()?;
        // A WAL of the file before must never be applied to this one, nor its trails compared with this one's.
        for suffix in ["-wal", "-shm", tally::SUFFIX] {
            let mut beside = target.as_os_str().to_owned();
            beside.push(suffix);
            match std::fs::remove_file(&beside) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(fault::file(Path::new(&beside), &error));
                }
                _ => {}
            }
        }
        std::fs::rename(&self.path, target).map_err(|e| fault::file(target, &e))?;
        sync_directory(target)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = std::fs::remove_file(&self.path);
        for suffix in ["-wal", "-shm", "-journal"] {
            let mut beside = self.path.as_os_str().to_owned();
            beside.push(suffix);
            let _ = std::fs::remove_file(beside);
        }
    }
}

fn directory_of(path: &Path) -> Result<&Path, StoreError> {
    let directory = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    };
    match directory.is_dir() {
        true => Ok(directory),
        false => Err(StoreError::MissingDirectory {
            path: directory.to_owned(),
        }),
    }
}

fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = directory_of(path)?;
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(|e| fault::file(directory, &e))
}

/// Copies a database as it is at this moment into a new file, checks the copy, and only then gives it its name.
/// Blocks; bookings go on meanwhile.
pub(in crate::store) fn backup(
    source: &driver::Connection,
    target: &Path,
) -> Result<BackupReport, StoreError> {
    directory_of(target)?;
    if target.exists() {
        return Err(StoreError::Exists {
            path: target.to_owned(),
        });
    }
    let partial = Partial::beside(target)?;
    // One read transaction around the copy: without it every write would make the copy start again.
    let expected = snapshot(source, |source| {
        let raw = source
            .as_sqlite()
            .ok_or_else(|| StoreError::unexpected("a copy of a file that is none"))?;
        let counts = counts(raw)?;
        copy(raw, &partial.path)?;
        Ok(counts)
    })?;
    let report = check(&partial.path)?;
    if (BackupReport {
        bytes: 0,
        ..report.clone()
    }) != expected
    {
        return Err(StoreError::Corrupt {
            what: "the copy does not hold as many rows as the original".to_owned(),
        });
    }
    partial.publish(target)?;
    Ok(report)
}

fn copy(source: &Connection, target: &Path) -> Result<(), StoreError> {
    let opening = |e: rusqlite::Error| fault::opening(target, &e);
    let mut copied =
        Connection::open_with_flags(target, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(opening)?;
    copied.pragma_update(None, "synchronous", "OFF")?;
    {
        let backup = Backup::new(source, &mut copied)?;
        let mut waits = 0;
        // Every round copies pages of a snapshot that does not grow, or uses up one of the waits.
        loop {
            match backup.step(PAGES)? {
                StepResult::Done => break,
                StepResult::More => std::thread::sleep(PAUSE),
                _ if waits < LOCK_TRIES => {
                    waits += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                _ => {
                    return Err(StoreError::busy(
                        "the database stayed locked while it was copied",
                    ));
                }
            }
        }
    }
    // One file without a WAL beside it, so that it can be carried about.
    let mode: String =
        copied.pragma_update_and_check(None, "journal_mode", "DELETE", |r| r.get(0))?;
    if mode != "delete" {
        return Err(StoreError::unexpected(
            "the copy could not be made a single file",
        ));
    }
    copied.close().map_err(|(_, e)| StoreError::from(e))
}

fn counts(c: &Connection) -> Result<BackupReport, StoreError> {
    let count = |table: &str| -> Result<u64, StoreError> {
        let n: i64 = c.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    };
    Ok(BackupReport {
        schema: c.pragma_query_value(None, "user_version", |r| r.get(0))?,
        tenants: count("tenant")?,
        slots: count("slot")?,
        appointments: count("appointment")?,
        versions: count("appointment_version")?,
        audit_rows: count("audit")?,
        bytes: 0,
    })
}

/// Checks a file: ours, a schema known here, sound pages and indices, every audit trail unbroken.
pub(in crate::store) fn check(path: &Path) -> Result<BackupReport, StoreError> {
    let bytes = std::fs::metadata(path)
        .map_err(|e| fault::file(path, &e))?
        .len();
    let file = connect::reader(&Location::File(path.to_owned()), ALONE)?;
    let c = file.raw();
    let schema = migrations::check(c, path, migrations::STEPS)?;
    if schema == 0 {
        return Err(StoreError::NotOurs {
            path: path.to_owned(),
            what: "it is empty".to_owned(),
        });
    }
    let sound: String = c
        .query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))
        .map_err(|e| fault::opening(path, &e))?;
    if sound != "ok" {
        return Err(StoreError::Corrupt { what: sound });
    }
    let report = BackupReport {
        bytes,
        ..counts(c)?
    };
    let file = driver::Connection::from(file);
    for tenant in read::tenants(&file)? {
        if let AuditVerdict::Broken { seq, what } = audit::verify(&file, tenant.key, &|_| {})? {
            return Err(StoreError::Corrupt {
                what: format!("audit trail of {}, row {seq}: {what}", tenant.ods),
            });
        }
    }
    Ok(report)
}

/// Puts a checked copy of a backup at `target`. What is there is replaced only if `force`, and never while a program
/// has it open.
pub(in crate::store) fn restore(
    from: &Path,
    target: &Path,
    force: bool,
) -> Result<BackupReport, StoreError> {
    let report = check(from)?;
    directory_of(target)?;
    let held = match target.exists() {
        false => None,
        true if !force => {
            return Err(StoreError::Exists {
                path: target.to_owned(),
            });
        }
        true => hold_unused(target)?,
    };
    let partial = Partial::beside(target)?;
    copy(
        connect::reader(&Location::File(from.to_owned()), ALONE)?.raw(),
        &partial.path,
    )?;
    partial.replace(target)?;
    drop(held);
    Ok(report)
}

/// Makes sure that nobody has a database open, and keeps it so while the connection lives. A file that is no
/// database, or a damaged one, has no users.
fn hold_unused(target: &Path) -> Result<Option<Connection>, StoreError> {
    let hold = || -> rusqlite::Result<Connection> {
        let c = Connection::open_with_flags(target, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        c.busy_timeout(IN_USE)?;
        // Leaving WAL mode needs the file for oneself.
        c.pragma_update(None, "journal_mode", "DELETE")?;
        c.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(c)
    };
    match hold().map_err(|e| fault::opening(target, &e)) {
        Ok(c) => Ok(Some(c)),
        Err(StoreError::NotOurs { .. } | StoreError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
