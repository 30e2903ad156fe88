//! The referral: a clinical document (CDA, 111 report) written, wrapped and sent to the service that was chosen.
//!
//! In order (REF-CON-06): a document id is made, the appointment is booked with it, then [`Referral::appointment`] is
//! filled in and the document is sent. [`rules::may_send`] says whether it may be; [`Message`] wraps it as the
//! service's endpoint wants it; [`Sender`] sends it, again with the same tracking id when the line fails, and reads
//! the answer into plain words.

mod answer;
mod appointment_url;
mod cda;
mod endpoint;
mod fhir_document;
mod itk;
mod model;
pub mod rules;
mod send;
mod unsent;
mod xml;

pub use answer::{Answer, Fault};
pub use appointment_url::{AppointmentUrl, NotAppointmentUrl};
pub use cda::write as write_cda;
pub use endpoint::{DosEndpoint, Endpoint, Wrapping, endpoints};
pub use model::{
    Appointment, Author, Disposition, Encounter, Gender, Organisation, Patient, Referral,
    Replacement, Section,
};
pub use send::{Message, Receipt, Retries, Sender};
pub use unsent::{Unsent, Why};
