//! The rules of booking and cancelling: stored state and a request go in, a new document or a refusal comes out.

pub mod book;
pub mod cancel;
pub mod difference;
pub mod release;
