//! What is answered when something fails.

use crate::store::WriteError;
use booking::refusal::{Refusal, Situation};
use fhir::Element;

/// A refusal with what the edge has to know of it.
#[derive(Debug)]
pub struct Failure {
    /// What is answered.
    pub refusal: Box<Refusal>,
    /// For the `Allow` header of a 405.
    pub(super) allow: Option<String>,
    /// Its audit row is stored already, in the transaction that refused.
    pub(in crate::http) recorded: bool,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure {
            refusal: Box::new(refusal),
            allow: None,
            recorded: false,
        }
    }
}

impl Failure {
    /// A refusal whose audit row is stored already.
    pub(in crate::http) fn recorded(refusal: Refusal) -> Failure {
        Failure {
            recorded: true,
            ..refusal.into()
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Failure {
        match error {
            WriteError::Refused(refusal) => Failure::recorded(refusal),
            WriteError::Store(error) => store_refusal(error).into(),
            WriteError::DiaryChanged => Refusal::new(
                Situation::Unavailable,
                "The diary is being changed at this moment; try again in a second.",
            )
            .into(),
        }
    }
}

/// A stored resource as a tree. One that cannot be read is our fault: 500 (PROV-GEN-16).
pub fn stored_tree(json: &[u8]) -> Result<Element, Refusal> {
    let unreadable = |what: String| {
        Refusal::new(
            Situation::Unexpected,
            "A stored resource cannot be represented.",
        )
        .log(what)
    };
    let parsed = fhir::json::parse(json, &fhir::Limits::unbounded())
        .map_err(|issue| unreadable(issue.to_string()))?;
    Ok(parsed.root)
}

/// What a failing store means to the caller; the reason goes to the log only.
pub fn store_refusal(error: crate::store::StoreError) -> Refusal {
    Refusal::from(&error)
}
