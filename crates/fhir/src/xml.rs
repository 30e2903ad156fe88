//! XML codec: text to element tree and back, driven by the schema.

mod line_ends;
mod read;
mod write;

pub use read::parse;
pub use write::write;

pub use crate::codec::{Limits, Parsed};

/// Namespace of FHIR elements.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";
pub use crate::xml_text::XHTML_NAMESPACE;
