//! DoS, the Directory of Services: its SOAP 1.2 web service, version 1.5 (NAT-DOS-01..11).
//!
//! `POST /app/api/webservices` takes CheckCapacitySummary and ServiceDetailsById; `GET /app/api/webservices?wsdl`
//! answers their description; `GET /` says in plain text how to call it; `/sandbox/faults` switches faults. Answers
//! come from a [`crate::world::World`].
//!
//! Faults ([`crate::faults`], point `dos`; `interaction`: the operation): `slow`, `offline`, `malformed`, `status`,
//! `soap-fault`, and per service of an answer `no-endpoint` and `two-endpoints`.

mod answer;
mod case;
mod edge;
mod envelope;
mod fault;
mod fields;
mod search;
mod server;
mod service;
mod wsdl;
mod xml;

pub use edge::{MAX_BODY, PATH};
pub use fault::DosFault;
pub use server::{serve, serve_watched};

/// The service's namespace, and the start of its SOAPActions.
pub const NAMESPACE: &str = "https://nww.pathwaysdos.nhs.uk/app/api/webservices";
/// The version that is spoken (NAT-DOS-01).
pub const VERSION: &str = "1.5";
/// Namespace of SOAP 1.2.
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Namespace of SOAP 1.1, which is refused.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
