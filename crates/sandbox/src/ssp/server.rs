//! Serves the proxy's sockets, and leads each request through it.

use super::Settings;
use super::check::{self, Peer, SspHeaders};
use super::forward::Forwarder;
use super::permits::{RequestPermit, RequestPermits};
use super::refusal::{Kind, Refusal};
use super::relay::{Body, whole};
use super::trace::{Key as LogKey, Line};
use crate::directory::Directory;
use crate::faults::{self, Fault, Faults, Key, Point};
use crate::watch::{Heard, Observation};
use http::header::HeaderMap;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use listen::{Accepted, Limits};
use rustls::ServerConfig;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Largest request head, bytes: a token of 16 KiB and its headers fit.
const HEAD_BYTES: usize = 64 << 10;
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 256;
/// Time for requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Answer to plain HTTP on the HTTPS port, as the Spine's servers give it.
const PLAIN_ON_TLS: &[u8] =
    b"HTTP/1.1 497 HTTP Request Sent to HTTPS Port\r\nConnection: close\r\n\
    Content-Type: text/plain\r\n\r\nThis port speaks HTTPS only: write https:// in the URL.\n";

/// Cut the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
struct Cut;

struct Proxy {
    directory: Arc<Directory>,
    faults: Arc<Faults>,
    settings: Arc<Settings>,
    forwarder: Forwarder,
    permits: Arc<RequestPermits>,
    log_key: LogKey,
}

/// Serves until `stop` is ready, then gives requests under way up to ten seconds.
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
        permits: RequestPermits::new(settings.under_way, settings.per_sender),
        directory,
        faults,
        forwarder,
        log_key: LogKey::new(),
        settings: settings.clone(),
    });
    let limits = Limits {
        connections: settings.connections,
        per_peer: listen::per_peer(settings.connections, settings.per_peer),
        head: settings.head_time,
        head_bytes: HEAD_BYTES,
        streams: STREAMS,
        drain: DRAIN,
        ..Limits::default()
    };
    listen::run(listener, limits, Arc::default(), stop, |accepted| {
        connection(proxy.clone(), accepted, tls.clone())
    })
    .await;
}

async fn connection(proxy: Arc<Proxy>, mut accepted: Accepted, tls: Option<Arc<ServerConfig>>) {
    if tls.is_some() {
        let head = proxy.settings.head_time;
        let refused = tokio::time::timeout(head, refuse_plain(&mut accepted.stream)).await;
        if refused.unwrap_or(true) {
            return;
        }
    }
    let Some(secured) = accepted.secure(tls.as_ref()).await else {
        return;
    };
    let leaf = secured.certificates.and_then(|all| all.into_iter().next());
    let peer = Arc::new(Peer {
        address: secured.address,
        tls: secured.tls,
        certificate: leaf,
    });
    let handler = move |request| {
        let (proxy, peer) = (proxy.clone(), peer.clone());
        async move { proxy.answer(&peer, request).await }
    };
    if let Err(error) = listen::http(secured.stream, &secured.watch, handler).await {
        tracing::debug!(%error, "connection ended");
    }
}

/// Answers plain HTTP on the HTTPS port. False: it is a TLS handshake.
async fn refuse_plain(stream: &mut TcpStream) -> bool {
    let mut first = [0u8; 1];
    // A TLS handshake starts with 0x16, a plain request with a letter.
    if !matches!(stream.peek(&mut first).await, Ok(1)) || !first[0].is_ascii_uppercase() {
        return false;
    }
    // Closing with unread bytes would reset the connection and lose the answer.
    let _ = stream.read(&mut [0u8; 4096]).await;
    let _ = stream.write_all(PLAIN_ON_TLS).await;
    let _ = stream.shutdown().await;
    true
}

impl Proxy {
    async fn answer(&self, peer: &Peer, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        if let Err(said) = listen::names_one_host(&request) {
            let refusal = Refusal::new(Kind::Host, said);
            return Ok(refuse(&refusal, &request.into_parts().0));
        }
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
                // A request that ended in a Provider's silence was reported before.
                if refusal.status() < 500 {
                    let seen = || Observation::SspRefused(Heard::of(&parts), refusal.status());
                    self.settings.observer.saw(seen);
                }
                Ok(refuse(&refusal, &parts))
            }
        }
    }

    /// Checks, faults, and forwarding. `None`: no answer at all.
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
        let permit = self.permits.take(ssp.from.as_str())?;
        let slow = self.fault(&ssp, |f| f.delay().is_some());
        let delay = slow.and_then(|f| f.delay()).unwrap_or_default();
        let fault = self.fault(&ssp, |f| f.delay().is_none());
        if let Some(refusal) = fault.as_ref().and_then(instead) {
            tokio::time::sleep(delay).await;
            return Err(refusal);
        }
        let heard = || Observation::SspPassed(Heard::of(parts));
        self.settings.observer.saw(heard);
        let answer = self
            .forwarder
            .send(peer, parts, body, passed.target)
            .await?;
        // A slow Provider has the request, but its answer is late, or too late.
        let patience = self.settings.answer_time;
        tokio::time::sleep(delay.min(patience)).await;
        if delay >= patience {
            self.forwarder.drain(answer).await;
            return Err(timed_out());
        }
        self.finish(fault, answer, permit).await
    }

    /// Handles the Provider's answer.
    async fn finish(
        &self,
        fault: Option<Fault>,
        answer: Response<Incoming>,
        permit: RequestPermit,
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
            _ => self.forwarder.back(answer, Some(permit)).map(Some),
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

/// The answer of a fault that replaces the Provider.
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
