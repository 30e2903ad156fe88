//! SSP, the Spine Secure Proxy: forwards requests of Consumers to Providers (NAT-SSP-01..06).
//!
//! `GET /https://provider/service-root/Slot?…`: the Provider's URL follows the proxy's. The proxy checks, in this order:
//! method (405), the four SSP headers (400), client certificate, sender, receiver and endpoint (403), media type (415),
//! limits (429, 503). Then it streams both bodies. An unreachable Provider is 502, a late one 504. Errors are
//! OperationOutcomes in JSON or XML. It does not check tokens; the Provider does.
//!
//! Faults ([`crate::faults`], point `ssp`, `asid` is receiver or sender): `slow`, `offline`, `lost-answer`, `malformed`,
//! `status`. With `control` set, `/sandbox/faults` switches them.

mod check;
mod forward;
mod permits;
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
    /// TLS to Providers, with the proxy's certificate. Without it `https` Providers are unreachable.
    pub provider_tls: Option<Arc<ClientConfig>>,
    /// Time to connect to a Provider, else 502.
    pub connect_time: Duration,
    /// Time for a Provider to begin its answer, else 504.
    pub answer_time: Duration,
    /// Longest pause between two pieces of a body, in either direction.
    pub body_time: Duration,
    /// Largest request, bytes: a referral with 20 MB of encoded attachments fits.
    pub body_bytes: u64,
    /// Largest answer, bytes.
    pub answer_bytes: u64,
    /// Connections at once. Further ones wait in the listen queue.
    pub connections: usize,
    /// Connections at once per peer (client certificate, else address); 0: half.
    pub per_peer: usize,
    /// Requests under way; further ones are 503.
    pub under_way: usize,
    /// Requests of one sender under way; further ones are 429.
    pub per_sender: usize,
    /// Time for a request's head to arrive.
    pub head_time: Duration,
    /// Whether `/sandbox/faults` is served.
    pub control: bool,
    /// Told of each request.
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
