//! Judging a request of a consumer, part by part. Every judgement is noted under a rule of the table in `rules.rs`.

pub(super) mod body;
pub(super) mod cancel;
pub(super) mod head;
pub(super) mod patient;
pub(super) mod query;
pub(super) mod token;
