//! SDS, the Spine Directory Service: an LDAP v3 directory of systems and endpoints (NAT-SDS-01..06).
//!
//! Anonymous simple bind; search with every scope and kind of filter; who am I; compare. Nothing can be written.
//! LDAPS when a TLS configuration is given, mutual when that demands client certificates; no StartTLS.
//!
//! Faults ([`crate::faults`], point `sds`): `slow`, `unreachable`, `no-object`, `two-objects`, `gp-connect-too`,
//! for everybody or one ASID. The query for the endpoint is told apart by its interaction: a rule with
//! `interaction = "read:slot"` meets it alone. An `unreachable` without selectors cuts connections as they come.

mod dn;
mod filter;
mod schema;
mod search;
mod session;
mod tree;

pub use filter::MAX_TERMS;
pub use session::MAX_MESSAGE;
pub use tree::SERVICES;

use crate::directory::Directory;
use crate::faults::{Fault, Faults, Key, Point};
use crate::watch::Observer;
use listen::{Accepted, Limits};
use rustls::ServerConfig;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Limits of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most entries of one answer or page.
    pub size_limit: usize,
    /// Longest search.
    pub time_limit: Duration,
    /// Connections at once; a further one waits to be taken.
    pub connections: usize,
    /// Connections at once of one peer (a client certificate, else an address); 0: half.
    pub per_peer: usize,
    /// From the accepted connection, the TLS handshake included, its first message begins within so long.
    pub head_time: Duration,
    /// A connection without a request is ended after so long.
    pub idle_time: Duration,
    /// From its first byte a message arrives within so long.
    pub message_time: Duration,
    /// A client takes an answer within so long.
    pub write_time: Duration,
    /// Who is told what is searched for.
    pub observer: Observer,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            size_limit: 500,
            time_limit: Duration::from_secs(30),
            connections: 256,
            per_peer: 0,
            head_time: Duration::from_secs(15),
            idle_time: Duration::from_secs(300),
            message_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            observer: Observer::default(),
        }
    }
}

/// What all connections share.
pub(crate) struct Service {
    directory: Arc<Directory>,
    tree: tree::Tree,
    faults: Arc<Faults>,
    settings: Settings,
}

/// Answers until `stop` is ready; then clients are told, and have five seconds to go.
pub async fn serve(
    listener: TcpListener,
    directory: Arc<Directory>,
    settings: Settings,
    faults: Arc<Faults>,
    tls: Option<Arc<ServerConfig>>,
    stop: impl Future<Output = ()>,
) {
    let limits = Limits {
        connections: settings.connections,
        per_peer: listen::per_peer(settings.connections, settings.per_peer),
        head: settings.head_time,
        write: settings.write_time,
        ..Limits::default()
    };
    let service = Arc::new(Service {
        tree: tree::Tree::new(&directory),
        directory,
        faults,
        settings,
    });
    listen::run(listener, limits, Arc::default(), stop, |accepted| {
        connection(service.clone(), accepted, tls.clone())
    })
    .await;
}

async fn connection(service: Arc<Service>, accepted: Accepted, tls: Option<Arc<ServerConfig>>) {
    // No selectors are known yet, so that only a rule without any can match.
    let cut = |fault: &Fault| *fault == Fault::Unreachable;
    if service
        .faults
        .take_if(Point::Sds, &Key::default(), cut)
        .is_some()
    {
        return;
    }
    if let Some(secured) = accepted.secure(tls.as_ref()).await {
        session::serve(service, secured.stream, &secured.watch).await;
    }
}
