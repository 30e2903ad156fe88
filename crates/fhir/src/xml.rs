//! XML codec: text to element tree and back, steered by the schema.

mod line_ends;
mod name;
mod read;
mod write;

pub(crate) use name::is_name;
pub use read::parse;
pub(crate) use read::{entity, is_allowed, unescape, unknown_entity};
pub use write::write;

pub use crate::codec::{Limits, Parsed};

/// Namespace of FHIR elements.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";
/// Namespace of narrative markup.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
