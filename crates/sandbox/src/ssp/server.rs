//! The sockets of the proxy, and the way of one request through it.

use super::Settings;
use super::check::{self, Peer, SspHeaders};
use super::forward::Forwarder;
use super::places::{Place, Places};
use super::refusal::{Kind, Refusal};
use super::relay::{Body, whole};
use super::trace::{Key as LogKey, Line};
use crate::directory::Directory;
use crate::faults::{self, Fault, Faults, Key, Point};
use crate::watch::{Heard, Seen};
use http::header::HeaderMap;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// A TLS handshake that takes longer is broken off: a real one takes milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Largest request head: a token of 16 KiB and its headers fit.
const HEAD_BYTES: usize = 64 << 10;
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 256;
/// Time for requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Answer to plain HTTP on the HTTPS port, as the Spine's servers give it.
const PLAIN_ON_TLS: &[u8] =
    b"HTTP/1.1 497 HTTP Request Sent to HTTPS Port\r\nConnection: close\r\n\
    Content-Type: text/plain\r\n\r\nThis port speaks HTTPS only: write https:// in the URL.\n";

/// The connection shall be cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
struct Cut;

struct Proxy {
    directory: Arc<Directory>,
    faults: Arc<Faults>,
    settings: Arc<Settings>,
    forwarder: Forwarder,
    places: Arc<Places>,
    log_key: LogKey,
}

/// Answers until `stop` is ready, then lets requests under way finish, for ten seconds at most.
pub async fn serve(
    listener: TcpListener,
    directory: Arc<Directory>,
    settings: Settings,
    faults: Arc<Faults>,
    tls: Option<Arc<ServerConfig>>,
    stop: impl Future<Output = ()>,
) {
    let settings = Arc::new(settings);
    let forwarder = match Forwarder::new(settings.clone()) {
        Ok(forwarder) => forwarder,
        Err(error) => return tracing::error!(%error, "the proxy cannot start"),
    };
    let proxy = Arc::new(Proxy {
        places: Places::new(settings.under_way, settings.per_sender),
        directory,
        faults,
        forwarder,
        log_key: LogKey::new(),
        settings: settings.clone(),
    });
    let connections = Arc::new(Semaphore::new(settings.connections));
    let builder = Arc::new(builder(&settings));
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
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or reset before it was taken: wait, do not spin.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (proxy, acceptor, builder) = (proxy.clone(), acceptor.clone(), builder.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            connection(proxy, stream, address, acceptor, &builder, watcher).await;
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

fn builder(settings: &Settings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_time)
        .max_buf_size(HEAD_BYTES)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        // HEAD_BYTES fits in 32 bits.
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(Duration::from_secs(30));
    builder
}

async fn connection(
    proxy: Arc<Proxy>,
    mut stream: TcpStream,
    address: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        let peer = Peer {
            address,
            tls: false,
            certificate: None,
        };
        return http(proxy, stream, peer, builder, watcher).await;
    };
    let accepted = tokio::time::timeout(HANDSHAKE, async {
        let mut first = [0u8; 1];
        // A TLS handshake starts with 0x16; a letter is the method of a plain request.
        if matches!(stream.peek(&mut first).await, Ok(1)) && first[0].is_ascii_uppercase() {
            // Closing with the request unread would reset the connection before the answer is seen.
            let _ = stream.read(&mut [0u8; 4096]).await;
            let _ = stream.write_all(PLAIN_ON_TLS).await;
            let _ = stream.shutdown().await;
            return None;
        }
        match acceptor.accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::info!(%error, "TLS handshake failed");
                None
            }
        }
    })
    .await;
    match accepted {
        Ok(Some(stream)) => {
            let certificate = stream
                .get_ref()
                .1
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|certificate| certificate.clone().into_owned());
            let peer = Peer {
                address,
                tls: true,
                certificate,
            };
            http(proxy, stream, peer, builder, watcher).await;
        }
        Ok(None) => {}
        Err(_) => tracing::info!("TLS handshake timed out"),
    }
}

async fn http<S>(
    proxy: Arc<Proxy>,
    stream: S,
    peer: Peer,
    builder: &auto::Builder<TokioExecutor>,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = Arc::new(peer);
    let service = service_fn(move |request| {
        let (proxy, peer) = (proxy.clone(), peer.clone());
        async move { proxy.answer(&peer, request).await }
    });
    let served = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "connection ended");
    }
}

impl Proxy {
    async fn answer(&self, peer: &Peer, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        if self.settings.control && faults::is_control(request.uri().path()) {
            let response = faults::control(&self.faults, request).await;
            return Ok(response.map(|body| body.map_err(|never| match never {}).boxed_unsync()));
        }
        if request.uri().path() == "/health/live" {
            return Ok(Response::new(whole("live\n".into())));
        }
        let mut line = Line::new(&self.log_key, request.headers());
        let (parts, body) = request.into_parts();
        match self.pass(peer, &parts, body, &mut line).await {
            Ok(Some(response)) => {
                line.done(response.status().as_u16(), "");
                Ok(response)
            }
            Ok(None) => {
                line.done(444, "the answer is lost on purpose");
                Err(Cut)
            }
            Err(refusal) => {
                let why = refusal.findings.first().map_or("", |(why, _)| why.as_str());
                line.done(refusal.status(), why);
                // What a Provider's silence led to was passed on before.
                if refusal.status() < 500 {
                    let seen = || Seen::SspRefused(Heard::of(&parts), refusal.status());
                    self.settings.observer.saw(seen);
                }
                Ok(refuse(&refusal, &parts))
            }
        }
    }

    /// Checks, faults, and the way to the Provider and back. `None`: no answer at all.
    async fn pass(
        &self,
        peer: &Peer,
        parts: &Parts,
        body: Incoming,
        line: &mut Line,
    ) -> Result<Option<Response<Body>>, Refusal> {
        check::method(&parts.method)?;
        let ssp = check::headers(parts)?;
        line.ssp(&ssp);
        let passed = check::rights(&self.directory, peer, &ssp, parts)?;
        let place = self.places.take(ssp.from.as_str())?;
        let slow = self.fault(&ssp, |f| f.delay().is_some());
        let delay = slow.and_then(|f| f.delay()).unwrap_or_default();
        let fault = self.fault(&ssp, |f| f.delay().is_none());
        if let Some(refusal) = fault.as_ref().and_then(instead) {
            tokio::time::sleep(delay).await;
            return Err(refusal);
        }
        let heard = || Seen::SspPassed(Heard::of(parts));
        self.settings.observer.saw(heard);
        let answer = self
            .forwarder
            .send(peer, parts, body, passed.target)
            .await?;
        // A slow Provider: it has the request, and its answer comes late or too late.
        let patience = self.settings.answer_time;
        tokio::time::sleep(delay.min(patience)).await;
        if delay >= patience {
            self.forwarder.drain(answer).await;
            return Err(timed_out());
        }
        self.finish(fault, answer, place).await
    }

    /// What becomes of the Provider's answer.
    async fn finish(
        &self,
        fault: Option<Fault>,
        answer: Response<Incoming>,
        place: Place,
    ) -> Result<Option<Response<Body>>, Refusal> {
        match fault {
            Some(Fault::LostAnswer { cut }) => {
                self.forwarder.drain(answer).await;
                match cut {
                    true => Ok(None),
                    false => Err(timed_out()),
                }
            }
            Some(Fault::Malformed) => Ok(Some(self.forwarder.mangled(answer).await)),
            _ => self.forwarder.back(answer, Some(place)).map(Some),
        }
    }

    fn fault(&self, ssp: &SspHeaders, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let key = Key {
            asid: Some(ssp.to.as_str()),
            other_asid: Some(ssp.from.as_str()),
            interaction: Some(&ssp.interaction),
            service: None,
        };
        self.faults.take_if(Point::Ssp, &key, wanted)
    }
}

/// What a fault answers in place of the Provider, which is not asked then.
fn instead(fault: &Fault) -> Option<Refusal> {
    match fault {
        Fault::Offline => Some(Refusal::new(
            Kind::Unreachable,
            "The Provider is offline or cannot be reached.",
        )),
        Fault::Status { status } => Some(Refusal::new(
            Kind::Injected(*status),
            "This status was asked for as a controlled fault.",
        )),
        _ => None,
    }
}

fn timed_out() -> Refusal {
    Refusal::new(Kind::TimedOut, "The Provider did not answer in time.")
}

fn refuse(refusal: &Refusal, parts: &Parts) -> Response<Body> {
    let query = parts.uri.query().unwrap_or_default();
    let headers: &HeaderMap = &parts.headers;
    refusal.response(query, headers)
}
