//! Answering a request as its scenario has it, by the rules of a Provider.

pub(super) mod book;
pub(super) mod search;
