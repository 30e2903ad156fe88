//! Referral documents (111 reports): reads what arrives, decides what becomes of it, matches it with bookings.
//!
//! Opens no socket and writes no SQL. [`read::read`] turns the bytes of a message into an [`Arrived`]. [`judge::judge`]
//! compares it with what is stored: the document is taken, or a repeat, or goes into quarantine. A message that was
//! received whole is always kept (REF-PRO-06), whether its sender gets "OK" or a fault.
//!
//! A *case* is everything with one document id: the document and the bookings that name it (REF-PRO-03, REF-PRO-04).

pub mod answer;
pub mod appointment_url;
pub mod cda;
mod envelope;
mod fhir_document;
pub mod judge;
pub mod read;
pub mod reason;
pub mod recipient;
pub mod unpack;
mod xml;

pub use read::{Arrived, Document, Wire, Wrapper, read};
pub use reason::{Code, Reason};
pub use xml::BOUNDS;
