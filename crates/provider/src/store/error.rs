//! What can go wrong with the store, each as a sentence that says what to do.

use super::conflict::Conflict;
use booking::refusal::Refusal;
use std::path::PathBuf;

/// A fault of the store itself. The sentences are for operators and logs; callers of the API see less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database address is not one that can be opened.
    #[error("the database address `{given}` cannot be used: {why}")]
    Address {
        /// As given.
        given: String,
        /// What would be right.
        why: String,
    },
    /// The directory of the database file does not exist.
    #[error("the directory {} does not exist: create it, or choose another path for the database", .path.display())]
    MissingDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// There is no file and none was to be created.
    #[error("there is no database at {}: check the path, or start the provider once to create it", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refuses access.
    #[error("no permission to read and write {}: the file and its directory must be writable by the user that runs \
             this program ({what})", .path.display())]
    Permission {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        what: String,
    },
    /// The file is something else.
    #[error("{} is not a database of this program ({what}): nothing was changed; choose another path", .path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The file was written by a newer version of this program.
    #[error("{} was written by a newer version of this program (schema {found}, this one knows {known}): nothing was \
             changed; install that version or a later one, or restore an older backup", .path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Schema number in the file.
        found: i64,
        /// Newest schema number known here.
        known: i64,
    },
    /// Another program holds the database.
    #[error("{} is locked by another program: close what has it open and try again", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may write the file, or put another in its place.
    #[error("the database is not safe from other users: {why}")]
    Shared {
        /// Which file, its mode, and what to do.
        why: String,
    },
    /// A file that must not be overwritten is there.
    #[error("{} exists and is not overwritten: remove it, or choose another path", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The disk, or the space allowed to the database, is full.
    #[error(
        "no space is left for the database: free space on its disk; nothing of this change was stored"
    )]
    Full,
    /// The database is there, and takes no writes.
    #[error("the database takes no writes ({what}): nothing of this change was stored")]
    ReadOnly {
        /// What was seen.
        what: String,
    },
    /// The schema is not what its number says, or lacks what invariants stand on.
    #[error(
        "the schema of {} is not what this program makes: {what}. Nothing was changed. Restore the latest good backup, or copy \
         the data into a new database with `uec provider copy`, which makes the schema anew and proves what it copied",
        .path.display()
    )]
    Schema {
        /// The file or address.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file that is open is not the one at its path any more.
    #[error("{} was removed or replaced while it is in use: nothing more is stored or acknowledged; {advice}", .path.display())]
    Moved {
        /// The file.
        path: PathBuf,
        /// How what was stored before can be saved.
        advice: String,
    },
    /// The file is damaged.
    #[error(
        "the database is damaged ({what}): stop the program, keep what is there, and restore the latest good backup"
    )]
    Corrupt {
        /// What was seen.
        what: String,
    },
    /// Reading or writing the disk failed.
    #[error("the disk under the database failed: {what}")]
    Io {
        /// What was seen.
        what: String,
    },
    /// The database server cannot be reached, or the connection to it was lost.
    #[error("the database server cannot be reached: {what}")]
    Unreachable {
        /// What was seen.
        what: String,
    },
    /// The server knows no such database.
    #[error(
        "there is no database at {place}: make it (CREATE DATABASE), owned by the user of this program"
    )]
    NoDatabase {
        /// The address, without password.
        place: String,
    },
    /// The server does not let the user in.
    #[error(
        "the database server does not let this program in at {place}: check user, password and pg_hba.conf ({what})"
    )]
    LoginRefused {
        /// The address, without password.
        place: String,
        /// The server's words.
        what: String,
    },
    /// The server's certificate is not believed.
    #[error(
        "the certificate of the database server at {place} is not believed: check sslrootcert, and that the address \
             names the host as the certificate does ({what})"
    )]
    Untrusted {
        /// The address, without password.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// What was asked for is not to be had with this database.
    #[error("{what}")]
    Unsupported {
        /// What to do instead.
        what: String,
    },
    /// Too much work is waiting; nothing was done.
    #[error("the database is busy: {what}")]
    Busy {
        /// What was waited for.
        what: String,
    },
    /// The store was closed; nothing was done.
    #[error("the store is closed: the program is stopping")]
    Closed,
    /// The change does not fit what is stored, for example because someone else changed it first.
    #[error("{what}")]
    Conflict {
        /// What does not fit.
        what: String,
    },
    /// A fault of this program.
    #[error("an unexpected fault of the store: {what}")]
    Unexpected {
        /// What was seen.
        what: String,
    },
}

impl StoreError {
    /// True when the same call may succeed a little later without anyone doing anything to the request.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            StoreError::Busy { .. }
                | StoreError::Unreachable { .. }
                | StoreError::Closed
                | StoreError::Full
                // A file system that fell back to read-only is mounted again; storage over a network comes back.
                | StoreError::Io { .. }
                | StoreError::ReadOnly { .. }
                | StoreError::Moved { .. }
                | StoreError::Locked { .. }
                // A password, a certificate or the rights of the server are being changed: nothing was done.
                | StoreError::LoginRefused { .. }
                | StoreError::Untrusted { .. }
                | StoreError::NoDatabase { .. }
        )
    }

    pub(crate) fn busy(what: &str) -> StoreError {
        StoreError::Busy {
            what: what.to_owned(),
        }
    }

    pub(crate) fn no_backup() -> StoreError {
        StoreError::Unsupported {
            what: "a PostgreSQL database is backed up with PostgreSQL's own tools: pg_basebackup with an archive of the \
                   WAL for a copy that can be brought to any moment (point-in-time recovery), or pg_dump --format=custom \
                   and pg_restore for one moment; afterwards `uec provider audit verify` checks the audit trails"
                .to_owned(),
        }
    }

    pub(crate) fn unexpected(what: impl Into<String>) -> StoreError {
        StoreError::Unexpected { what: what.into() }
    }
}

/// Why a write did not happen. In every case nothing of it was stored, except the audit row of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A rule refused it.
    #[error("{0}")]
    Refused(Refusal),
    /// What is declared was changed since the rule was read: nobody is refused, and it is asked again by the rule of now.
    #[error("the declarations were changed meanwhile")]
    DiaryChanged,
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl From<Conflict> for WriteError {
    fn from(conflict: Conflict) -> WriteError {
        WriteError::Refused(Refusal::from(&conflict))
    }
}

impl From<Refusal> for WriteError {
    fn from(refusal: Refusal) -> WriteError {
        WriteError::Refused(refusal)
    }
}
