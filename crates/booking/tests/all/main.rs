//! The rules, formats and messages of the Standard, tried through the public functions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod book;
mod cancel;
mod careconnect_profiles;
mod conformance;
mod formats;
mod headers;
mod messages;
mod queries;
mod refusals;
mod release;
mod token;
mod versions;
