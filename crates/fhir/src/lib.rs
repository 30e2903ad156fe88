//! FHIR STU3 (3.0.x): a lossless element tree, JSON and XML codecs and a profile checker driven by generated tables, and
//! primitive types with their grammar.
//!
//! The crate does no I/O and knows nothing of the NHS; callers supply profiles as data.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

pub mod article;
pub mod check;
mod code_system;
mod codec;
pub mod issue;
pub mod json;
pub mod package;
pub mod path;
pub mod primitive;
pub mod schema;
pub mod tree;
pub mod xml;
mod xml_text;

pub use check::{Checker, Options};
pub use codec::{Limits, Parsed};
pub use issue::{Issue, IssueCode, Pos, Severity, Stage};
pub use package::Package;
pub use tree::{Element, Value};
