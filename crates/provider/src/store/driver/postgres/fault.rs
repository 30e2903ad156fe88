//! PostgreSQL's codes as sentences.
//!
//! Only the primary message of a fault is told: its detail holds the values of the row, which are patient data.

use crate::store::driver::{Fault, Kind};
use crate::store::error::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// A fault, and whether the connection is of no more use.
pub(super) struct Seen {
    pub(super) fault: Fault,
    pub(super) lost: bool,
}

/// A connection that is gone, or so slow that it is given up.
pub(super) fn lost(what: impl Into<String>) -> Seen {
    Seen {
        fault: Fault {
            kind: Kind::Again,
            error: StoreError::Unreachable { what: what.into() },
        },
        lost: true,
    }
}

/// What a fault of a statement means.
pub(super) fn of(error: &Error) -> Seen {
    match error.as_db_error() {
        Some(told) => of_server(told),
        None if is_ours(error) => Seen {
            fault: Fault::last(StoreError::unexpected(error.to_string())),
            lost: false,
        },
        None => lost(in_full(error)),
    }
}

/// True for a value that does not fit its column: a fault of this program, the connection is as it was.
fn is_ours(error: &Error) -> bool {
    let said = error.to_string();
    ["error serializing", "error deserializing", "invalid column"]
        .iter()
        .any(|start| said.starts_with(start))
}

/// The error with what caused it.
pub(super) fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let (mut said, mut cause) = (error.to_string(), error.source());
    while let Some(inner) = cause {
        let inner_said = inner.to_string();
        if !said.contains(&inner_said) {
            said.push_str(": ");
            said.push_str(&inner_said);
        }
        cause = inner.source();
    }
    said
}

fn of_server(told: &DbError) -> Seen {
    let what = || format!("{} ({})", told.message(), told.code().code());
    let stays = |kind, error| Seen {
        fault: Fault { kind, error },
        lost: false,
    };
    let code = told.code();
    let class = code.code().get(..2).unwrap_or("");
    match code {
        &SqlState::UNIQUE_VIOLATION => {
            let which = told.constraint().unwrap_or("").to_owned();
            stays(Kind::Unique(which), StoreError::unexpected(what()))
        }
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => stays(
            Kind::Again,
            StoreError::busy("other transactions were in the way again and again"),
        ),
        // A statement prepared before a column was added; a fresh connection prepares it anew.
        &SqlState::FEATURE_NOT_SUPPORTED if told.message().contains("cached plan") => lost(what()),
        &SqlState::LOCK_NOT_AVAILABLE => stays(
            Kind::Final,
            StoreError::busy("another program is writing to it for longer than can be waited for"),
        ),
        &SqlState::QUERY_CANCELED => stays(
            Kind::Final,
            StoreError::busy("a statement took longer than can be waited for"),
        ),
        &SqlState::DISK_FULL => stays(Kind::Final, StoreError::Full),
        &SqlState::IO_ERROR => stays(Kind::Final, StoreError::Io { what: what() }),
        // The user of this program may not write here, or not any more.
        &SqlState::INSUFFICIENT_PRIVILEGE => {
            stays(Kind::Final, StoreError::ReadOnly { what: what() })
        }
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
            stays(Kind::Final, StoreError::Corrupt { what: what() })
        }
        // The primary has become a standby, or is going away: another connection may find another primary.
        &SqlState::READ_ONLY_SQL_TRANSACTION
        | &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | &SqlState::TOO_MANY_CONNECTIONS => lost(what()),
        _ if class == "08" || class == "53" => lost(what()),
        _ => stays(Kind::Final, StoreError::unexpected(what())),
    }
}

/// What a fault while connecting means.
pub(super) fn connecting(shown: &str, error: &Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        if let Some(what) = about_certificate(error) {
            return StoreError::Untrusted {
                place: shown.to_owned(),
                what,
            };
        }
        let what = in_full(error);
        // The library's words for an answer to `SHOW transaction_read_only`.
        return match what.contains("does not allow writes") {
            true => read_only(shown),
            false => StoreError::Unreachable {
                what: format!("{shown}: {what}"),
            },
        };
    };
    let class = told.code().code().get(..2).unwrap_or("");
    match told.code() {
        &SqlState::INVALID_CATALOG_NAME => StoreError::NoDatabase {
            place: shown.to_owned(),
        },
        _ if class == "28" || *told.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            StoreError::LoginRefused {
                place: shown.to_owned(),
                what: told.message().to_owned(),
            }
        }
        _ => StoreError::Unreachable {
            what: format!("{shown}: {} ({})", told.message(), told.code().code()),
        },
    }
}

/// A server that answers, and takes no writes.
pub(super) fn read_only(shown: &str) -> StoreError {
    StoreError::ReadOnly {
        what: format!(
            "{shown} is a standby, or default_transaction_read_only is set for it, its database or its user; name the \
             primary, or have that set to off"
        ),
    }
}

/// What is wrong with the server's certificate, if that is the cause.
fn about_certificate(error: &Error) -> Option<String> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let wrapped = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|e| e.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(why)) = wrapped {
            return Some(why.to_string());
        }
        cause = inner.source();
    }
    None
}
