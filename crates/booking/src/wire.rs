//! Reads and writes what the wire carries: interactions, headers, tokens, formats, queries. Uses no HTTP library: the edge
//! passes bytes and gets values or refusals.

pub mod appointment_query;
mod audience;
pub mod format;
pub mod headers;
pub mod interaction;
pub mod minting;
mod provenance;
pub mod query;
pub mod slot_query;
mod strict_json;
pub mod time;
pub mod token;
pub mod url;
