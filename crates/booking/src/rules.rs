//! The rules of booking and cancelling: stored state and a request are the input, a document or a refusal the output.

pub mod book;
pub mod cancel;
pub mod difference;
pub mod release;
