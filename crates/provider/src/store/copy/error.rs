//! Why a copy did not come about. In all cases but one the target is as it was.

use crate::store::error::StoreError;

/// Why nothing was copied, as a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// One of the databases failed, or cannot be opened.
    #[error("{}", told(.place, .error))]
    Store {
        /// Which of them.
        place: String,
        /// What happened.
        error: StoreError,
    },
    /// The two are one.
    #[error("{place} is named as source and as target: name another place to copy to")]
    Same {
        /// The place.
        place: String,
    },
    /// A provider may be at work in the source.
    #[error(
        "{place} is in use ({by}): what is booked while it is copied would be lost. Stop every provider and command that \
         has it open, then copy; or add --while-running for a rehearsal whose result is not put into service"
    )]
    SourceInUse {
        /// The source.
        place: String,
        /// Who uses it.
        by: String,
    },
    /// A program works on the target.
    #[error("{place} is in use ({by}): stop every program that has it open, then copy")]
    TargetInUse {
        /// The target.
        place: String,
        /// Who uses it.
        by: String,
    },
    /// The source was made by an earlier release.
    #[error(
        "{place} was made by an earlier release (schema {found}, this one copies schema {known}): bring it up to date \
         first by opening it once with this release, for example with `uec provider audit verify --database …`"
    )]
    Older {
        /// The source.
        place: String,
        /// Number of its schema.
        found: i64,
        /// Number of the schema that can be copied.
        known: i64,
    },
    /// The source was never used.
    #[error("{place} is empty: there is nothing to copy; check the address after --from")]
    Empty {
        /// The source.
        place: String,
    },
    /// The target holds data.
    #[error(
        "{place} holds data already (table {table}): a copy is made into an empty database only; make a new one, or name \
         a file that is not there yet"
    )]
    Occupied {
        /// The target.
        place: String,
        /// The first table with rows.
        table: &'static str,
    },
    /// A table or column is not what this release makes.
    #[error(
        "{place} is not as this release makes it ({what}): a copy could not be whole, so none was made"
    )]
    Unknown {
        /// Which database.
        place: String,
        /// What is odd.
        what: String,
    },
    /// The audit trail of the source does not verify.
    #[error(
        "{place}: the audit trail of {provider} is broken at row {seq} ({what}): nothing was copied, since the copy could \
         not be told from a falsified one; find out what happened with `uec provider audit verify` and a backup"
    )]
    Broken {
        /// The source.
        place: String,
        /// ODS code.
        provider: String,
        /// Number of the row.
        seq: i64,
        /// What does not fit.
        what: String,
    },
    /// A row cannot be stored in the target.
    #[error("a row of {table} cannot be stored in the target: {what}; nothing was copied")]
    Unfit {
        /// The table.
        table: &'static str,
        /// Why.
        what: String,
    },
    /// What was written is not what was read.
    #[error("the copy was given up, because it does not verify: {what}; the target is as it was")]
    Differs {
        /// What differs.
        what: String,
    },
    /// It was to stop.
    #[error("stopped before the end: nothing was copied, the target is as it was")]
    Stopped,
    /// The answer to the last step was lost.
    #[error(
        "the copy is whole, but {place} did not say whether it was stored ({error}): run the same command again; if it \
         then says that the target holds data, the copy is there"
    )]
    Doubtful {
        /// The target.
        place: String,
        /// What happened.
        error: StoreError,
    },
}

impl CopyError {
    pub(super) fn at(place: &str, error: impl Into<StoreError>) -> CopyError {
        CopyError::Store {
            place: place.to_owned(),
            error: error.into(),
        }
    }

    /// True when the command was given wrongly.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            CopyError::Same { .. }
                | CopyError::Store {
                    error: StoreError::Address { .. },
                    ..
                }
        )
    }
}

fn told(place: &str, error: &StoreError) -> String {
    let said = error.to_string();
    match said.contains(place) || matches!(error, StoreError::Address { .. }) {
        true => said,
        false => format!("{place}: {said}"),
    }
}
