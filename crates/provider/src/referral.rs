//! Referral documents (111 reports): read from what arrives, judged, matched with bookings.
//!
//! Nothing here opens a socket or writes SQL. [`read::read`] turns the bytes of a message into an [`Arrived`]; [`judge::judge`]
//! decides from what is stored already whether its document is taken, was taken before, or goes into quarantine. A
//! message that was received whole is kept in every case (REF-PRO-06); whether its sender is told "OK" or a fault is
//! a second matter.
//!
//! A *case* is what shares one document id: the bookings that name it and the document that carries it (REF-PRO-03,
//! REF-PRO-04).

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
