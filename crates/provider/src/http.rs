//! The Provider on HTTP: one file per interaction, named after the Standard's word for it.
//!
//! A request goes through [`edge`] (the order of checks of the Standard), which calls the interaction's file; the
//! answer leaves through [`edge::answer`] (headers, format, compression). Routes are one table, [`edge::routes`], from which
//! the CapabilityStatement is derived too.

pub mod admission;
pub mod edge;
pub mod interactions;
pub mod operators;
pub mod server;
pub mod tls;
pub mod trust;

pub use admission::admit::MOST_BODY_MEMORY;
pub use server::STREAMS;
