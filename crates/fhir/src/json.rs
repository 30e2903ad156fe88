//! JSON codec: text to element tree and back, driven by the schema.

mod lexer;
mod read;
mod write;

pub use lexer::end_of_plain;
pub use read::parse;
pub use write::{write, write_into, write_pretty};

pub use crate::codec::{Limits, Parsed};
