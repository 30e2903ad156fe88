//! The sockets: listening, TLS, HTTP/1.1 and HTTP/2, bounds on connections, drain at the end.

use super::admin;
use super::edge::Edge;
use super::itk;
use super::tls;
use super::trust::Peer;
use super::unreadable::{Answering, HEAD_BYTES, head_too_large, is_head_too_large};
use crate::config::Settings;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A TLS handshake that takes longer is broken off: a real one takes milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection that was just made may take to send its first request when the server stops.
const FIRST_REQUEST: Duration = Duration::from_millis(200);
/// Connections that are taken after the last one that was waited for; the listen queue holds as many.
const WAITING_MOST: usize = 1_024;
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 256;

/// A server that is bound but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    edge: Arc<Edge>,
    settings: Arc<Settings>,
    admin: Option<TcpListener>,
}

/// Tasks that go on beside the requests and end with the server.
#[derive(Default)]
struct Beside(Vec<JoinHandle<()>>);

impl Beside {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }
}

impl Drop for Beside {
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

    /// What goes on beside the requests: the operators' port, the looks at the server's health, the measure of delay.
    fn beside(&mut self) -> Beside {
        let mut beside = Beside::default();
        if let Some(listener) = self.admin.take() {
            beside.spawn(admin::serve(listener, self.edge.clone()));
        }
        let edge = self.edge.clone();
        beside.spawn(async move { edge.health.watch(&edge.store).await });
        let edge = self.edge.clone();
        beside.spawn(async move { edge.admission.measure().await });
        beside
    }

    /// The address in use.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready. Then it is not ready any more, goes on for `limits.drain_wait_seconds`, takes no
    /// more connections, and lets requests under way finish, for `limits.drain_seconds` at most.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        self.edge.health.first(&self.edge.store).await;
        let _beside = self.beside();
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
        let graceful = GracefulShutdown::new();
        let connections = Arc::new(Semaphore::new(self.settings.limits.connections));
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(self.settings.limits.header_seconds))
            .max_buf_size(HEAD_BYTES)
            .half_close(false);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            // Twice the limit is read, so that what is over it can be answered with words.
            .max_header_list_size(2 * HEAD_BYTES as u32)
            .keep_alive_interval(Duration::from_secs(30));
        let builder = Arc::new(builder);
        let acceptor = self.tls.clone().map(TlsAcceptor::from);
        let take = |stream, address, permit| {
            let (edge, settings) = (self.edge.clone(), self.settings.clone());
            let counted = self.edge.metrics.connection();
            let (acceptor, builder, watcher) =
                (acceptor.clone(), builder.clone(), graceful.watcher());
            tokio::spawn(async move {
                connection(
                    stream, address, acceptor, &builder, watcher, edge, &settings,
                )
                .await;
                drop((permit, counted));
            });
        };
        tokio::pin!(stop);
        loop {
            let permit = tokio::select! {
                permit = connections.clone().acquire_owned() => permit,
                () = &mut stop => break,
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors or a connection reset before it was taken: wait, do not spin.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            take(stream, address, permit);
        }
        // Connections that were made but not yet taken: closing the listener would reset them.
        for _ in 0..WAITING_MOST {
            let waiting = self.listener.accept().now_or_never();
            let (Some(Ok((stream, address))), Ok(permit)) =
                (waiting, connections.clone().try_acquire_owned())
            else {
                break;
            };
            take(stream, address, Ok(permit));
        }
        drop(self.listener);
        // What was just connected sends its request, which a shutdown would not wait for.
        tokio::time::sleep(FIRST_REQUEST).await;
        let drain = Duration::from_secs(self.settings.limits.drain_seconds);
        if tokio::time::timeout(drain, graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                "some requests were still under way after {} seconds",
                drain.as_secs()
            );
        }
    }
}

#[allow(clippy::too_many_arguments)]
async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    builder: &auto::Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
    edge: Arc<Edge>,
    settings: &Settings,
) {
    let _ = stream.set_nodelay(true);
    let outcome = match acceptor {
        None => {
            let peer = Peer {
                address,
                tls: false,
                is_ssp: false,
            };
            let stream = Answering::new(stream, edge.clone(), peer.clone());
            let service = service_fn(move |request| answer(edge.clone(), peer.clone(), request));
            let served = builder
                .serve_connection(TokioIo::new(stream), service)
                .into_owned();
            watcher.watch(served).await
        }
        Some(acceptor) => {
            let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::info!(%error, "TLS handshake failed"),
                Err(_) => return tracing::info!("TLS handshake timed out"),
            };
            let shown = stream.get_ref().1.peer_certificates();
            let is_ssp = tls::carries_name(shown, &settings.trust.ssp_names);
            let peer = Peer {
                address,
                tls: true,
                is_ssp,
            };
            let stream = Answering::new(stream, edge.clone(), peer.clone());
            let service = service_fn(move |request| answer(edge.clone(), peer.clone(), request));
            let served = builder
                .serve_connection(TokioIo::new(stream), service)
                .into_owned();
            watcher.watch(served).await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended");
    }
}

async fn answer(
    edge: Arc<Edge>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<super::answer::Body>, Infallible> {
    let path = request.uri().path();
    if admin::is_path(path) {
        let metrics = edge.settings.admin.metrics_on_api;
        return Ok(admin::answer(&edge, request.method(), path, metrics).await);
    }
    // HTTP/2 says by itself that a connection ends.
    let closing = request.version() <= Version::HTTP_11 && edge.health.is_stopping();
    let mut response = match itk::is_path(path) {
        // HTTP/1.1 has its own limit, and refuses by itself.
        _ if is_head_too_large(&request) => edge.refuse_head(&peer, &head_too_large()),
        true => itk::serve(&edge, peer, request).await,
        false => edge.serve(peer, request).await,
    };
    if closing {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(response)
}
