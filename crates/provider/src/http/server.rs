//! The Provider's socket: what stands behind each connection that `listen` accepts, and what goes on beside the requests.

use super::edge::Edge;
use super::edge::unreadable::{Answering, HEAD_BYTES, head_too_large, is_head_too_large};
use super::interactions::itk;
use super::operators::admin;
use super::tls::{self, ServerTls};
use super::trust::Peer;
use crate::config::Settings;
use crate::revocation::PeerCertificate;
use booking::refusal::{Refusal, Situation};
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use listen::{Accepted, Limits};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Streams of one HTTP/2 connection at once. Each may hold an answer that its client does not take, about 12 KiB without
/// any token: so many on every connection have to fit into the memory that the files in `deploy/` give.
pub const STREAMS: u32 = 32;

/// A server that is bound but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<ServerTls>,
    edge: Arc<Edge>,
    settings: Arc<Settings>,
    admin: Option<TcpListener>,
}

/// Background tasks, which end with the server.
#[derive(Default)]
struct BackgroundTasks(Vec<JoinHandle<()>>);

impl BackgroundTasks {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }
}

impl Drop for BackgroundTasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Binds the port, so that a port in use is known before anything else is done. The error is a sentence.
pub async fn bind(listen: &str) -> Result<TcpListener, String> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "the address {listen} is in use by another program: stop it, or choose another port with --listen"
        ),
        std::io::ErrorKind::PermissionDenied => format!(
            "not allowed to listen on {listen}: ports below 1024 need a privilege; choose another with --listen"
        ),
        std::io::ErrorKind::InvalidInput => format!("--listen {listen}: write HOST:PORT, such as 127.0.0.1:8001"),
        _ => format!("cannot listen on {listen}: {error}"),
    })
}

impl Server {
    /// Puts listener, settings and edge together.
    pub fn new(
        listener: TcpListener,
        edge: Arc<Edge>,
        settings: Arc<Settings>,
    ) -> Result<Server, String> {
        let address = listener
            .local_addr()
            .map_err(|e| format!("cannot read the own address: {e}"))?;
        let tls = settings.tls.as_ref().map(tls::server_config).transpose()?;
        Ok(Server {
            listener,
            address,
            tls,
            edge,
            settings,
            admin: None,
        })
    }

    /// The same, with a port of the operators' own.
    #[must_use]
    pub fn with_admin(mut self, listener: TcpListener) -> Server {
        self.admin = Some(listener);
        self
    }

    /// Starts the operators' port, the health checks, the measuring of delay, and the watch over the revocation lists.
    fn background(&mut self) -> BackgroundTasks {
        let mut tasks = BackgroundTasks::default();
        if let Some(listener) = self.admin.take() {
            tasks.spawn(admin::serve(listener, self.edge.clone()));
        }
        let edge = self.edge.clone();
        tasks.spawn(async move { edge.health.watch(&edge.store).await });
        let edge = self.edge.clone();
        tasks.spawn(async move { edge.admission.measure().await });
        let edge = self.edge.clone();
        tasks.spawn(async move { edge.record_strangers().await });
        if let Some(lists) = self.tls.as_ref().and_then(|tls| tls.revocation.clone()) {
            self.edge.health.revokes(lists.clone());
            tasks.spawn(lists.watch());
        }
        tasks
    }

    /// The address in use.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready. Then it is not ready any more, goes on for `limits.drain_wait_seconds`, takes no
    /// more connections, and lets requests under way finish, for `limits.drain_seconds` at most.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        self.edge.health.first(&self.edge.store).await;
        let (address, gauges) = (self.address, self.edge.metrics.connections.clone());
        self.edge.health.serves(address, self.tls.is_some(), gauges);
        let _background = self.background();
        let (noticed, edge) = (
            Duration::from_secs(self.settings.limits.drain_wait_seconds),
            self.edge.clone(),
        );
        let stop = async move {
            stop.await;
            edge.health.stop();
            tracing::info!(seconds = noticed.as_secs(), "stopping: not ready any more");
            tokio::time::sleep(noticed).await;
        };
        let (edge, settings, tls) = (self.edge.clone(), self.settings.clone(), self.tls.clone());
        let (limits, gauges) = (limits(&settings), edge.metrics.connections.clone());
        listen::run(self.listener, limits, gauges, stop, |accepted| {
            connection(accepted, tls.clone(), edge.clone(), settings.clone())
        })
        .await;
        self.edge.record_counted(true).await;
    }
}

fn limits(settings: &Settings) -> Limits {
    let limits = &settings.limits;
    Limits {
        connections: limits.connections,
        per_peer: listen::per_peer(limits.connections, limits.connections_per_peer),
        head: Duration::from_secs(limits.header_seconds),
        idle: Duration::from_secs(limits.idle_seconds),
        write: Duration::from_secs(limits.write_seconds),
        head_bytes: HEAD_BYTES,
        http2: true,
        streams: STREAMS,
        drain: Duration::from_secs(limits.drain_seconds),
        ..Limits::default()
    }
}

async fn connection(
    accepted: Accepted,
    tls: Option<ServerTls>,
    edge: Arc<Edge>,
    settings: Arc<Settings>,
) {
    let lists = tls.as_ref().and_then(|tls| tls.revocation.clone());
    let lists = lists.map(|lists| (lists.generation(), lists));
    let Some(secured) = accepted.secure(tls.as_ref().map(|tls| &tls.config)).await else {
        return;
    };
    let shown = secured.certificates.as_deref();
    let peer = Peer {
        address: secured.address,
        tls: secured.tls,
        is_ssp: tls::carries_name(shown, &settings.trust.ssp_names),
    };
    let certificate =
        lists.map(|(generation, lists)| Arc::new(PeerCertificate::new(lists, generation, shown)));
    let stream = Answering::new(secured.stream, edge.clone(), peer.clone());
    let handler = move |request| answer(edge.clone(), peer.clone(), certificate.clone(), request);
    if let Err(error) = listen::http(stream, &secured.watch, handler).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(
    edge: Arc<Edge>,
    peer: Peer,
    certificate: Option<Arc<PeerCertificate>>,
    request: Request<Incoming>,
) -> Result<Response<super::edge::answer::Body>, Infallible> {
    let path = request.uri().path();
    if certificate.is_some_and(|certificate| !certificate.holds()) {
        return Ok(closed(edge.refuse_head(&peer, &revoked())));
    }
    if let Err(said) = listen::names_one_host(&request) {
        let refusal = Refusal::new(Situation::HeadUnreadable, said).location("http.Host");
        return Ok(closed(edge.refuse_head(&peer, &refusal)));
    }
    if admin::is_path(path) {
        let metrics = edge.settings.admin.metrics_on_api;
        let answer = admin::answer(&edge, request.method(), path, metrics);
        return Ok(Box::pin(answer).await);
    }
    // HTTP/2 says by itself that a connection ends.
    let closing = request.version() <= Version::HTTP_11 && edge.health.is_stopping();
    let response = match itk::is_path(path) {
        // HTTP/1.1 has its own limit, and refuses by itself.
        _ if is_head_too_large(&request) => edge.refuse_head(&peer, &head_too_large()),
        // Boxed, so that other requests do not carry its memory.
        true => Box::pin(itk::serve(&edge, peer, request)).await,
        false => edge.serve(peer, request).await,
    };
    Ok(match closing {
        true => closed(response),
        false => response,
    })
}

/// A response after which the connection ends. HTTP/2 has no such header, and hyper leaves it out.
fn closed(
    mut response: Response<super::edge::answer::Body>,
) -> Response<super::edge::answer::Body> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// 403 on a connection whose certificate was revoked since it was opened.
fn revoked() -> Refusal {
    Refusal::new(
        Situation::NotPermitted,
        "The client certificate of this connection was revoked.",
    )
}
