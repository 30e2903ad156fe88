//! A Provider that records what reaches it and answers as the query says, and a client that calls the SSP.

use super::*;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::CertificateDer;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A request that reached the Provider.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub version: http::Version,
    /// The client's certificate.
    pub shown: Option<CertificateDer<'static>>,
}

struct Shared {
    gate: Semaphore,
    seen: Mutex<Vec<Received>>,
    connections: AtomicUsize,
}

pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Upstream {
    pub async fn start(tls: Option<Arc<ServerConfig>>) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            gate: Semaphore::new(0),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let state = shared.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                state.connections.fetch_add(1, Ordering::SeqCst);
                let (state, tls) = (state.clone(), tls.clone());
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    match tls {
                        None => {
                            let service = service_fn(|r| answer(state.clone(), None, r));
                            let _ = builder
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        }
                        Some(tls) => {
                            let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await else {
                                return;
                            };
                            let shown = stream.get_ref().1.peer_certificates();
                            let shown =
                                shown.and_then(<[_]>::first).map(|c| c.clone().into_owned());
                            let service = service_fn(|r| answer(state.clone(), shown.clone(), r));
                            let _ = builder
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        }
                    }
                });
            }
        });
        Upstream { address, shared }
    }

    /// The service root.
    pub fn root(&self) -> String {
        format!("http://{}/STU3/1/FX101", self.address)
    }

    pub fn seen(&self) -> Vec<Received> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn last(&self) -> Received {
        self.seen().pop().expect("a request")
    }

    /// Lets so many of the requests with `wait` in their query go on.
    pub fn open(&self, requests: usize) {
        self.shared.gate.add_permits(requests);
    }

    /// Waits until so many requests have arrived.
    pub async fn arrived(&self, requests: usize) {
        testkit::until_async("the requests have arrived", || {
            self.seen().len() >= requests
        })
        .await;
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

/// A body fed by hand.
pub struct Fed(pub mpsc::Receiver<Bytes>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|b| b.map(|b| Ok(Frame::data(b))))
    }
}

pub fn fed() -> (mpsc::Sender<Bytes>, Body) {
    let (send, receive) = mpsc::channel(1);
    (send, Fed(receive).boxed_unsync())
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

async fn answer(
    shared: Arc<Shared>,
    shown: Option<CertificateDer<'static>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    let (parts, mut body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let mode = |name: &str| query.split('&').any(|p| p == name);
    if mode("echo") {
        // Each piece goes back as it comes.
        let (send, out) = fed();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(data) = frame.into_data() {
                    let _ = send.send(data).await;
                }
            }
        });
        return Ok(Response::new(out));
    }
    let body = body
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    shared.seen.lock().unwrap().push(Received {
        method: parts.method.to_string(),
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body,
        version: parts.version,
        shown,
    });
    if mode("close") {
        return Err(std::io::Error::other("no answer"));
    }
    if mode("hang") {
        tokio::time::sleep(Duration::from_secs(24 * 60 * 60)).await;
    }
    if mode("wait") {
        let open = shared.gate.acquire().await;
        open.map_err(std::io::Error::other)?.forget();
    }
    if mode("broken") {
        let (send, out) = fed();
        tokio::spawn(async move {
            let _ = send.send(Bytes::from_static(b"{\"resourceType\"")).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        });
        let mut response = Response::new(out);
        // More than is sent: the connection breaks off.
        let length = http::HeaderValue::from_static("1000");
        response.headers_mut().insert("content-length", length);
        return Ok(response);
    }
    if mode("huge") || mode("endless") {
        let (send, out) = fed();
        tokio::spawn(
            async move { while send.send(Bytes::from(vec![b' '; 64 << 10])).await.is_ok() {} },
        );
        return Ok(Response::new(out));
    }
    let status = query
        .split('&')
        .find_map(|p| p.strip_prefix("status="))
        .and_then(|s| s.parse().ok())
        .unwrap_or(200);
    let mut response = Response::new(full(&b"\x1f\x8b not really gzip \xff"[..]));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", "application/fhir+json;charset=utf-8"),
        ("content-encoding", "gzip"),
        ("etag", "W/\"1\""),
        (
            "location",
            "https://provider.example.nhs.uk/STU3/1/FX101/Appointment/1/_history/1",
        ),
        ("x-request-id", "answer-1"),
        ("connection", "x-private"),
        ("x-private", "hop"),
        ("x-odd", "kept"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    Ok(response)
}

pub type Caller = Client<HttpsConnector<HttpConnector>, Body>;

/// An HTTP client; with a TLS configuration it speaks HTTP/2 where it is offered.
pub fn caller(tls: Option<Arc<ClientConfig>>) -> Caller {
    let tls = tls.unwrap_or_else(|| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Arc::new(
            ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        )
    });
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(ClientConfig::clone(&tls))
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .build();
    Client::builder(TokioExecutor::new()).build(connector)
}

/// A request with the four headers from the Consumer to the Provider.
pub fn request(method: &str, url: &str, interaction: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(url)
        .header("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706")
        .header("Ssp-From", CONSUMER)
        .header("Ssp-To", PROVIDER)
        .header("Ssp-InteractionID", urn(interaction))
        .header("Authorization", "Bearer e30.e30.")
        .header("Content-Type", "application/fhir+json")
        .body(body)
        .unwrap()
}

/// Status, headers and whole body.
pub async fn taken(response: Response<Incoming>) -> (u16, HeaderMap, Bytes) {
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(|c| c.to_bytes())
        .unwrap_or_default();
    (parts.status.as_u16(), parts.headers, body)
}
