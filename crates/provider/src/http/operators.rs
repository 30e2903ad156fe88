//! What operators and tools ask: health, metrics, and the description of the API.

pub mod admin;
pub mod describe;
