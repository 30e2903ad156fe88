//! The codecs, the checker and the date rules of FHIR, tried through the public functions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod check_any_tree;
mod check_base;
mod check_dates;
mod check_invariants;
mod check_narrative;
mod check_package;
mod codec;
mod codec_hostile;
mod codec_roundtrip;
