//! Accepts connections, does the TLS handshake, and drains the connections when the server stops.

use crate::peers::Peers;
use crate::stream::Stream;
use crate::{ConnectionWatch, Ended, Gauges, Limits};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

/// When the server stops, a new connection has this long to send its first request.
const FIRST_REQUEST: Duration = Duration::from_millis(200);
/// Most connections taken from the listen queue after the stop; at least as many as the queue holds.
const WAITING_MOST: usize = 1_024;
/// Wait after a failed accept (out of file descriptors, or a connection reset before it was taken).
const PAUSE: Duration = Duration::from_millis(50);

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub limits: Limits,
    pub gauges: Arc<Gauges>,
    /// Becomes true when the server stops.
    pub stopping: watch::Sender<bool>,
    peers: Arc<Peers>,
}

impl ServerState {
    pub fn new(limits: Limits, gauges: Arc<Gauges>) -> ServerState {
        ServerState {
            limits,
            gauges,
            stopping: watch::Sender::new(false),
            peers: Arc::default(),
        }
    }
}

/// An accepted connection that holds its place.
#[derive(Debug)]
pub struct Accepted {
    /// The other end.
    pub address: SocketAddr,
    /// Its bytes, before any TLS.
    pub stream: TcpStream,
    watch: ConnectionWatch,
}

/// A connection that is ready for its first request.
#[derive(Debug)]
pub struct Secured {
    /// The other end.
    pub address: SocketAddr,
    /// The peer's certificates, the leaf first, verified as the TLS configuration says.
    pub certificates: Option<Vec<CertificateDer<'static>>>,
    /// True over TLS.
    pub tls: bool,
    /// Its bytes.
    pub stream: Stream,
    /// The watch over the connection, for [`crate::http`] or a server of another protocol.
    pub watch: ConnectionWatch,
}

impl Accepted {
    /// Does the TLS handshake, if there is a configuration. Returns `None`, logged and counted, when the handshake fails or
    /// the holder of the certificate has reached the limit.
    pub async fn secure(self, tls: Option<&Arc<ServerConfig>>) -> Option<Secured> {
        let Accepted {
            address,
            stream,
            watch,
        } = self;
        let server = watch.server();
        let Some(tls) = tls else {
            return Some(Secured {
                address,
                certificates: None,
                tls: false,
                stream: Stream::new(Either::Left(stream), watch.clone()),
                watch,
            });
        };
        let handshake = TlsAcceptor::from(tls.clone()).accept(stream);
        let stream = match tokio::time::timeout(watch.head_left(), handshake).await {
            Ok(Ok(stream)) => stream,
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "it took too long".to_owned(),
                };
                if !watch.is_probe() {
                    server.gauges.end(Ended::Handshake);
                    tracing::info!(peer = %address.ip(), "TLS handshake failed: {why}");
                }
                return None;
            }
        };
        let certificates: Option<Vec<CertificateDer<'static>>> = stream
            .get_ref()
            .1
            .peer_certificates()
            .map(|all| all.iter().map(|c| c.clone().into_owned()).collect());
        if let Some(leaf) = certificates.as_deref().and_then(<[_]>::first) {
            // A client with a certificate counts by the certificate: clients behind one proxy do not share a limit.
            let Some(counted) = server.peers.certificate(leaf, server.limits.per_peer) else {
                server.gauges.end(Ended::Peer);
                tracing::warn!(peer = %address.ip(), "refused: the holder of this certificate has as many connections as it may");
                return None;
            };
            watch.counts_as(counted);
        }
        Some(Secured {
            address,
            certificates,
            tls: true,
            stream: Stream::new(Either::Right(Box::new(stream)), watch.clone()),
            watch,
        })
    }
}

/// Accepts connections until `stop` is ready, and gives each to `serve`. Then it takes those in the listen queue, tells all
/// connections that the server stops, and waits at most [`Limits::drain`] for them.
pub async fn run<S, F>(
    listener: TcpListener,
    limits: Limits,
    gauges: Arc<Gauges>,
    stop: impl Future<Output = ()>,
    serve: S,
) where
    S: Fn(Accepted) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let server = Arc::new(ServerState::new(limits, gauges));
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        while tasks.try_join_next().is_some() {}
        let permit = tokio::select! {
            permit = places.clone().acquire_owned() => permit,
            () = &mut stop => break,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, address)) => {
                if let Some(accepted) = take(&server, stream, address, permit) {
                    tasks.spawn(serve(accepted));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // Closing the listener would reset the connections in the listen queue.
    for _ in 0..WAITING_MOST {
        let waiting = tokio::select! {
            biased;
            waiting = listener.accept() => waiting,
            () = std::future::ready(()) => break,
        };
        let (Ok((stream, address)), Ok(permit)) = (waiting, places.clone().try_acquire_owned())
        else {
            break;
        };
        if let Some(accepted) = take(&server, stream, address, permit) {
            tasks.spawn(serve(accepted));
        }
    }
    drop(listener);
    while tasks.try_join_next().is_some() {}
    if !tasks.is_empty() {
        // A new connection may still be sending its first request; closing would not wait for that.
        tokio::time::sleep(FIRST_REQUEST).await;
    }
    server.stopping.send_replace(true);
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(server.limits.drain, all)
        .await
        .is_err()
    {
        let open = server.gauges.open();
        let seconds = server.limits.drain.as_secs();
        tracing::warn!("{open} connections were still open after {seconds} seconds");
    }
}

/// Gives a connection its place. `None`: its peer has reached the limit.
fn take(
    server: &Arc<ServerState>,
    stream: TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
) -> Option<Accepted> {
    let gauges = &server.gauges;
    let peer = match gauges.is_probe(address) {
        true => None,
        false => {
            let Some(counted) = server.peers.address(address.ip(), server.limits.per_peer) else {
                gauges.end(Ended::Peer);
                tracing::debug!(peer = %address.ip(), "refused: this peer has as many connections as it may");
                return None;
            };
            Some(counted)
        }
    };
    // Send small answers at once.
    let _ = stream.set_nodelay(true);
    Some(Accepted {
        address,
        stream,
        watch: ConnectionWatch::new(server.clone(), peer, permit),
    })
}
