//! SQLite's result codes as sentences.

use crate::store::driver::{Fault, Kind};
use crate::store::error::StoreError;
use rusqlite::ffi::ErrorCode;
use std::path::Path;

/// A fault of a database that is open.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let what = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::busy(
                "another program is writing to it for longer than can be waited for",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt { what }
            }
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { what },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StoreError::Io { what },
            _ => StoreError::Unexpected { what },
        }
    }
}

/// A statement that failed.
impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault {
            kind: match is_unique(&error) {
                true => Kind::Unique(error.to_string()),
                false => Kind::Final,
            },
            error: error.into(),
        }
    }
}

/// A fault while a database is opened, with its path.
pub(super) fn opening(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, what) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        Some(ErrorCode::NotADatabase) => StoreError::NotOurs {
            path,
            what: "it is not an SQLite file at all".to_owned(),
        },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { what },
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::Permission { path, what }
        }
        Some(ErrorCode::SystemIoFailure) => StoreError::Io { what },
        _ => StoreError::Unexpected { what },
    }
}

/// A fault of the operating system on a path.
pub(super) fn file(path: &Path, error: &std::io::Error) -> StoreError {
    let path = path.to_owned();
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::Permission {
                path,
                what: error.to_string(),
            }
        }
        std::io::ErrorKind::AlreadyExists => StoreError::Exists { path },
        std::io::ErrorKind::NotFound => StoreError::Missing { path },
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Io {
            what: format!("{}: {error}", path.display()),
        },
    }
}

/// True when an error says that a unique index refused the row.
fn is_unique(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|e| {
        e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            || e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
    })
}
