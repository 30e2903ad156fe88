//! Assurance: a simulated consumer and a simulated provider that try every requirement over the wire, and the evidence.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

pub mod consumer_suite;
pub mod evidence;
pub mod plan;
pub mod provider_suite;
pub mod requirements;
mod rows;
