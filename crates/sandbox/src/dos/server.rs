//! The sockets: listening, TLS, bounds on connections and time, drain at the end.

use super::edge::Edge;
use crate::faults::Faults;
use crate::watch::Observer;
use crate::world::World;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use jiff::tz::TimeZone;
use rustls::ServerConfig;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// Connections at once; a further one waits to be taken. A test site has tens of clients.
const CONNECTIONS: usize = 512;
/// A TLS handshake that takes longer is broken off: a real one takes milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time for a request's head to arrive; also how long an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Largest request head: SOAP clients send a few hundred bytes.
const HEAD_BYTES: usize = 32 << 10;
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 64;
/// Time for requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(5);
/// Wait after a failed accept: out of file descriptors, or reset before it was taken.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers until `stop` is ready, then lets requests under way finish, for five seconds at most.
pub async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    faults: Arc<Faults>,
    tls: Option<Arc<ServerConfig>>,
    stop: impl Future<Output = ()>,
) {
    serve_watched(listener, world, faults, tls, Observer::default(), stop).await;
}

/// As [`serve`]; the observer is told which services each answer holds.
pub async fn serve_watched(
    listener: TcpListener,
    world: Arc<World>,
    faults: Arc<Faults>,
    tls: Option<Arc<ServerConfig>>,
    observer: Observer,
    stop: impl Future<Output = ()>,
) {
    let zone = match TimeZone::get("Europe/London") {
        Ok(zone) => zone,
        Err(error) => return tracing::error!(%error, "the directory cannot start"),
    };
    let edge = Arc::new(Edge {
        world,
        faults,
        zone,
        tls: tls.is_some(),
        observer,
    });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let builder = Arc::new(builder());
    let acceptor = tls.map(TlsAcceptor::from);
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let permit = tokio::select! {
            permit = connections.clone().acquire_owned() => permit,
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (edge, acceptor, builder) = (edge.clone(), acceptor.clone(), builder.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            connection(edge, stream, acceptor, &builder, watcher).await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "some requests were still under way after {} seconds",
            DRAIN.as_secs()
        );
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(HEAD_TIME);
    builder
}

async fn connection(
    edge: Arc<Edge>,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
) {
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => serve_stream(edge, stream, builder, watcher).await,
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve_stream(edge, stream, builder, watcher).await,
            Ok(Err(error)) => tracing::info!(%error, "TLS handshake failed"),
            Err(_) => tracing::info!("TLS handshake timed out"),
        },
    }
}

async fn serve_stream<S>(
    edge: Arc<Edge>,
    stream: S,
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let edge = edge.clone();
        async move { edge.answer(request).await }
    });
    let served = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "connection ended");
    }
}
