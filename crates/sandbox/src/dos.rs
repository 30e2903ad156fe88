//! DoS, the Directory of Services: its SOAP 1.2 web service, version 1.5 (NAT-DOS-01..11).
//!
//! `POST /app/api/webservices` accepts CheckCapacitySummary and ServiceDetailsById. `GET /app/api/webservices?wsdl` returns
//! their WSDL, `GET /` a help text. `/sandbox/faults` switches faults. Answers come from a [`crate::world::World`].
//!
//! Faults ([`crate::faults`], point `dos`, `interaction` is the operation): `slow`, `offline`, `malformed`, `status`,
//! `soap-fault`, and per service of an answer `no-endpoint` and `two-endpoints`.

mod answer;
mod call;
mod case;
mod edge;
mod envelope;
mod fault;
mod fields;
mod search;
mod server;
mod wsdl;

pub use edge::{MAX_BODY, PATH};
pub use fault::DosFault;
pub use server::{serve, serve_watched};

/// The service's namespace and prefix of its SOAPActions.
pub const NAMESPACE: &str = "https://nww.pathwaysdos.nhs.uk/app/api/webservices";
/// The supported version (NAT-DOS-01).
pub const VERSION: &str = "1.5";
/// Namespace of SOAP 1.2.
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Namespace of SOAP 1.1, which is refused.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
