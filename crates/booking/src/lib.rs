//! The NHS UEC Booking Standard without I/O: identifiers, refusals, the wire format, Appointments, and the rules of booking
//! and cancelling.
//!
//! Everything is pure: clock, stored state and request are arguments; the result is a value or a [`refusal::Refusal`]. No
//! HTTP, no SQL. Requirement ids in comments (`PROV-…`, `RES-…`, `NAT-…`, `D-…`) are those of the requirement catalogue.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // They panic when the stream is broken.

pub mod appointment;
pub mod bounded_xml;
pub mod careconnect;
pub mod count;
pub mod foreign;
pub mod ids;
pub mod instant;
pub mod named_file;
pub mod nearest;
mod overrides;
pub mod patient_summary;
mod placing;
pub mod postcode;
pub mod refusal;
pub mod rules;
pub mod shared_file;
pub mod situation;
pub mod slot;
pub mod systems;
pub mod version;
pub mod wire;
pub mod wrong_value;
pub mod xml_writer;

pub use placing::state_profile;
