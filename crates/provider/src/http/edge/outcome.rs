//! What is answered when something fails.

use super::routes::Unmatched;
use booking::refusal::{Refusal, Situation};
use fhir::Element;

/// A refusal with what the edge adds to it.
pub struct Failure {
    pub(super) refusal: Box<Refusal>,
    pub(super) allow: Option<String>,
    pub(super) root: Option<String>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure {
            refusal: Box::new(refusal),
            allow: None,
            root: None,
        }
    }
}

impl From<Unmatched> for Failure {
    fn from(unmatched: Unmatched) -> Failure {
        Failure {
            refusal: unmatched.refusal,
            allow: unmatched.allow,
            root: None,
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
