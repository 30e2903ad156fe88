//! Fuzz targets: whatever bytes come in, nothing panics, nothing takes long, and what was accepted
//! survives being written and read again.
//!
//! Each target is a function of bytes alone, without state, that panics when a promise is broken. The
//! runner of this package drives them on stable Rust (`cargo run -p fuzz --release -- --seconds 10`).
//! They fit cargo-fuzz and libFuzzer as they are:
//! `fuzz_target!(|data: &[u8]| { fuzz::json::run(data); });`. The returned [`Outcome`] tells inputs
//! that took different ways apart; libFuzzer, which counts covered edges, may drop it.

pub mod booking;
pub mod dictionary;
pub mod json;
pub mod mutate;
pub mod outcome;
pub mod random;
pub mod seeds;
pub mod slot_query;
mod span;
pub mod token;
pub mod xml;

pub use outcome::Outcome;

/// A target by its name.
pub struct Target {
    /// Name on the command line.
    pub name: &'static str,
    /// What is tried with the bytes.
    pub run: fn(&[u8]) -> Outcome,
    /// Inputs that lead deep into the code.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The lists of the dictionary that are mixed into the inputs.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "json",
        run: json::run,
        seeds: seeds::json,
        words: &["fhir", "json", "unicode"],
    },
    Target {
        name: "xml",
        run: xml::run,
        seeds: seeds::xml,
        words: &["fhir", "xml", "unicode"],
    },
    Target {
        name: "slot_query",
        run: slot_query::run,
        seeds: seeds::slot_query,
        words: &["query", "unicode"],
    },
    Target {
        name: "token",
        run: token::run,
        seeds: seeds::token,
        words: &["token", "json", "unicode"],
    },
    Target {
        name: "booking",
        run: booking::run,
        seeds: seeds::booking,
        words: &["fhir", "json", "xml", "unicode"],
    },
];
