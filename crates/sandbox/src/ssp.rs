//! SSP, the Spine Secure Proxy: passes requests of Consumers on to Providers (NAT-SSP-01..06).
//!
//! `GET /https://provider/service-root/Slot?…`: the URL of the Provider stands behind the proxy's own. Checks, in
//! this order: method (405), the four SSP headers (400), client certificate, sender, receiver and endpoint (403),
//! media type (415), places (429, 503). Then bodies stream both ways. A Provider that cannot be reached is 502, one
//! that does not answer in time 504; errors are OperationOutcomes in JSON or XML. A missing token is not the
//! proxy's concern: the Provider refuses it.
//!
//! Faults ([`crate::faults`], point `ssp`; `asid`: receiver or sender): `slow`, `offline`, `lost-answer`,
//! `malformed`, `status`. With `control` set, `/sandbox/faults` switches them.

mod check;
mod forward;
mod places;
mod refusal;
mod relay;
mod server;
mod target;
mod trace;

pub use server::serve;

use crate::watch::Observer;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the proxy.
#[derive(Clone, Debug)]
pub struct Settings {
    /// TLS to Providers, with the proxy's own certificate. Without, `https` Providers cannot be reached.
    pub provider_tls: Option<Arc<ClientConfig>>,
    /// Time to connect to a Provider; longer: 502.
    pub connect_time: Duration,
    /// Time for a Provider to begin its answer; longer: 504.
    pub answer_time: Duration,
    /// Longest pause between two pieces of a body, in both directions.
    pub body_time: Duration,
    /// Largest request: a referral with 20 MB of attachments, encoded, fits.
    pub body_bytes: u64,
    /// Largest answer.
    pub answer_bytes: u64,
    /// Connections at once; a further one waits to be taken.
    pub connections: usize,
    /// Connections at once of one peer (a client certificate, else an address); 0: half.
    pub per_peer: usize,
    /// Requests under way at once; a further one is 503.
    pub under_way: usize,
    /// Requests of one sender under way at once; a further one is 429.
    pub per_sender: usize,
    /// Time for a request's head to arrive.
    pub head_time: Duration,
    /// `/sandbox/faults` is served.
    pub control: bool,
    /// Who is told what passes.
    pub observer: Observer,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            provider_tls: None,
            connect_time: Duration::from_secs(5),
            answer_time: Duration::from_secs(30),
            body_time: Duration::from_secs(30),
            body_bytes: 40 << 20,
            answer_bytes: 40 << 20,
            connections: 1024,
            per_peer: 0,
            under_way: 512,
            per_sender: 256,
            head_time: Duration::from_secs(10),
            control: true,
            observer: Observer::default(),
        }
    }
}
