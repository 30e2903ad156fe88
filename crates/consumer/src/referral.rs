//! The referral: writes, wraps and sends a clinical document (CDA, 111 report) to the chosen service.
//!
//! The order is (REF-CON-06): make a document id, book the appointment with it, fill in [`Referral::appointment`], send the
//! document. [`rules::may_send`] decides whether it may be sent. [`Message`] wraps it for the service's endpoint.
//! [`Sender`] sends it, retries with the same tracking id, and turns the answer into plain words.

mod answer;
mod appointment_url;
mod cda;
mod endpoint;
mod failure;
mod fhir_document;
mod itk;
mod model;
pub mod rules;
mod send;

pub use answer::{Answer, Fault};
pub use appointment_url::{AppointmentUrl, NotAppointmentUrl};
pub use cda::write as write_cda;
pub use endpoint::{DosEndpoint, Endpoint, Wrapping, endpoints};
pub use failure::{ReferralFailure, Why};
pub use model::{
    Appointment, Author, Disposition, Encounter, Gender, Organisation, Patient, Referral,
    Replacement, Section,
};
pub use send::{Message, Receipt, Retries, Sender};
