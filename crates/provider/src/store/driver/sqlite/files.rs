//! Whether the files that are open are still the ones at their paths.
//!
//! SQLite goes on with an open file that was removed or replaced: every commit succeeds, and is gone when the process ends.
//! So the identities (device and inode) of the database, its WAL and its index are noted when they are open, and compared
//! with the paths before a group begins and again after its commit, before anything of it is acknowledged. A look is
//! three `stat` calls, a few microseconds beside a sync.

use super::fault;
use crate::store::error::StoreError;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The WAL, beside the database.
pub(super) const WAL: &str = "-wal";
/// The index of the WAL, which all processes share.
const INDEX: &str = "-shm";

/// Which file stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(file: &Metadata) -> Identity {
        use std::os::unix::fs::MetadataExt;
        Identity {
            device: file.dev(),
            inode: file.ino(),
        }
    }

    /// Where files have no such numbers, only that there is one is seen.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Identity {
        Identity {
            device: 0,
            inode: 0,
        }
    }
}

/// The files of an open database.
#[derive(Debug)]
pub(in crate::store) struct Files {
    database: PathBuf,
    known: [(PathBuf, Identity); 3],
}

impl Files {
    /// Notes the files of a database that is open and has been written to, so that all of them exist.
    pub(super) fn of(path: &Path) -> Result<Files, StoreError> {
        let look = |path: PathBuf| {
            let seen = std::fs::metadata(&path).map_err(|e| fault::file(&path, &e))?;
            Ok::<_, StoreError>((path, Identity::of(&seen)))
        };
        Ok(Files {
            database: path.to_owned(),
            known: [
                look(path.to_owned())?,
                look(beside(path, WAL))?,
                look(beside(path, INDEX))?,
            ],
        })
    }

    /// Refuses when a file is not the one that was opened.
    pub(in crate::store) fn check(&self) -> Result<(), StoreError> {
        let moved = self.known.iter().find(|(path, known)| {
            // A path that cannot be looked at is no path to the file either.
            !std::fs::metadata(path).is_ok_and(|seen| Identity::of(&seen) == *known)
        });
        match moved {
            None => Ok(()),
            Some((path, _)) => Err(StoreError::Moved {
                path: path.clone(),
                advice: self.advice(path),
            }),
        }
    }

    fn advice(&self, path: &Path) -> String {
        let process = std::process::id();
        match path == self.database {
            true => format!(
                "what was stored before is in the open file until process {process} ends: copy that file first (find it with \
                 `ls -l /proc/{process}/fd`), then stop the process and put the copy in place"
            ),
            false => format!(
                "what was stored before is copied into the database file when process {process} is stopped with SIGTERM, not \
                 with SIGKILL; then start it again"
            ),
        }
    }
}

/// A file beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
