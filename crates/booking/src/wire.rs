//! What the wire may carry: interactions, headers, tokens, formats and queries. No HTTP library: the edge hands
//! in bytes and takes values or refusals.

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
