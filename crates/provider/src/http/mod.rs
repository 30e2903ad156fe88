//! The Provider on HTTP: one file per interaction, named after the Standard's word for it.
//!
//! A request goes through [`edge`] (the order of checks of the Standard), which calls the interaction's file; the
//! answer leaves through [`answer`] (headers, format, compression). Routes are one table, [`routes`], from which
//! the CapabilityStatement is derived too.

pub mod admin;
mod admit;
pub mod answer;
pub mod base;
pub mod body;
pub mod book;
pub mod cancel;
pub mod capability;
pub mod context;
pub mod describe;
pub mod edge;
pub mod history;
pub mod itk;
pub mod limits;
pub mod log;
pub mod pieces;
pub mod read;
mod receiving;
pub mod rendered;
pub mod revocation;
pub mod routes;
pub mod search_appointments;
pub mod search_slots;
pub mod server;
mod strangers;
pub mod tenants;
pub mod tls;
pub mod trust;
mod unreadable;
pub mod untaken;

pub use admit::MOST_BODY_MEMORY;
pub use server::STREAMS;

#[cfg(test)]
mod finish_tests;
