//! How far each audit trail was acknowledged, noted beside the database: a WAL that was lost, cut or damaged is silent.
//!
//! SQLite takes of a WAL what it can read, and begins without one when there is none. So after each commit the number of
//! the last row of each trail that grew is written into a small file, sixteen bytes at the tenant's place, without a sync: it
//! may be behind after a crash of the machine, and is never ahead of what was synced. When the database ends before it,
//! acknowledged rows are gone. Signed anchors tell more, and to others; this needs no setting and knows the last row.

use super::fault;
use super::files::beside;
use crate::store::error::StoreError;
use rusqlite::Connection;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The file, beside the database.
pub(super) const SUFFIX: &str = "-tally";
/// Bytes of a tenant's entry: the number of the row, and the same again under a mask.
const ENTRY: usize = 16;
/// Tells an entry from one that was half written.
const MASK: u64 = 0x5545_4342_7461_6C79;
/// Tenants that have a place; a file has some dozens.
const TENANTS: usize = 65_536;

/// The open file.
pub(super) struct Tally {
    file: File,
}

impl Tally {
    /// Opens or makes the file, which only this user can read.
    pub(super) fn open(database: &Path) -> Result<Tally, StoreError> {
        let path = beside(database, SUFFIX);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|e| fault::file(&path, &e))?;
        Ok(Tally { file })
    }

    /// Notes the last row of a trail. One that cannot be noted leaves the one before, which is less and not wrong.
    pub(super) fn note(&self, tenant: i64, row: i64) {
        let Some(at) = place(tenant) else { return };
        let row = row.cast_unsigned();
        let mut entry = [0; ENTRY];
        entry[..8].copy_from_slice(&row.to_be_bytes());
        entry[8..].copy_from_slice(&(row ^ MASK).to_be_bytes());
        #[cfg(unix)]
        let noted = std::os::unix::fs::FileExt::write_all_at(&self.file, &entry, at);
        #[cfg(not(unix))]
        let noted: std::io::Result<()> = Ok(drop((at, entry)));
        if let Err(error) = noted {
            tracing::debug!(%error, "the end of a trail was not noted beside the database");
        }
    }
}

fn place(tenant: i64) -> Option<u64> {
    let number = usize::try_from(tenant).ok().filter(|n| *n < TENANTS)?;
    u64::try_from(number * ENTRY).ok()
}

/// What was acknowledged and is not in the database, a sentence for each provider. No connection: the file is empty.
pub(super) fn lost(
    connection: Option<&Connection>,
    database: &Path,
) -> Result<Vec<String>, StoreError> {
    let mut bytes = Vec::new();
    match File::open(beside(database, SUFFIX)) {
        Ok(file) => {
            let most = u64::try_from(TENANTS * ENTRY).unwrap_or(u64::MAX);
            let read = file.take(most).read_to_end(&mut bytes);
            read.map_err(|e| fault::file(database, &e))?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault::file(database, &error)),
    }
    let mut lost = Vec::new();
    for (tenant, entry) in bytes.chunks_exact(ENTRY).enumerate() {
        let number = |at: usize| {
            entry[at..at + 8]
                .iter()
                .fold(0, |n, b| n << 8 | u64::from(*b))
        };
        let noted = number(0);
        if noted == 0 || number(8) != noted ^ MASK {
            continue;
        }
        let found = match connection {
            Some(connection) => {
                end(connection, tenant).map_err(|e| fault::opening(database, &e))?
            }
            None => None,
        };
        match found {
            None => lost.push(format!(
                "a provider whose audit trail had {noted} rows is missing"
            )),
            Some((ods, last)) if last.cast_unsigned() < noted => lost.push(format!(
                "the audit trail of {ods} ends at row {last}, and rows to {noted} were acknowledged"
            )),
            Some(_) => {}
        }
    }
    Ok(lost)
}

/// A provider and the last row of its trail.
fn end(connection: &Connection, tenant: usize) -> rusqlite::Result<Option<(String, i64)>> {
    let found = connection.query_row(
        "SELECT t.ods, coalesce(h.seq, 0) FROM tenant t LEFT JOIN audit_head h ON h.tenant = t.key WHERE t.key = ?1",
        [i64::try_from(tenant).unwrap_or(0)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    match found {
        Ok(found) => Ok(Some(found)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}
