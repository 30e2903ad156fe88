//! Forwards a request and its answer unchanged, except for what belongs to one connection (NAT-SSP-05).

use super::Settings;
use super::check::Peer;
use super::refusal::{Kind, Refusal};
use super::relay::{Body, Broken, Progress, Relay};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Idle connections kept per Provider.
const IDLE_PER_HOST: usize = 32;
/// How long idle connections are kept. Most servers keep them longer, so that few are found closed.
const IDLE: Duration = Duration::from_secs(20);

/// Hop-by-hop headers (RFC 9110, section 7.6.1). The proxy itself answers `Expect`.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

type Guard = Option<super::permits::RequestPermit>;

/// The HTTP client of the proxy.
#[derive(Clone)]
pub struct Forwarder {
    client: Client<HttpsConnector<HttpConnector>, Relay<()>>,
    settings: Arc<Settings>,
}

impl Forwarder {
    /// A client with the settings' time-outs and certificate.
    pub fn new(settings: Arc<Settings>) -> Result<Forwarder, String> {
        let tls = match &settings.provider_tls {
            Some(tls) => ClientConfig::clone(tls),
            None => no_trust()?,
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.connect_time));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Forwarder { client, settings })
    }

    /// Forwards the request and waits for the head of the answer.
    pub async fn send(
        &self,
        peer: &Peer,
        parts: &Parts,
        body: Incoming,
        target: Uri,
    ) -> Result<Response<Incoming>, Refusal> {
        let settings = &self.settings;
        let announced = http_body::Body::size_hint(&body).lower();
        if announced > settings.body_bytes {
            return Err(too_large(settings.body_bytes));
        }
        let progress = Progress::new();
        let body = Relay::new(
            body,
            settings.body_bytes,
            settings.body_time,
            progress.clone(),
            (),
        );
        let request = outgoing(peer, parts, body, target);
        let sent = self.client.request(request);
        tokio::pin!(sent);
        // The Provider's time starts with the last piece of the request sent to it.
        let answered = loop {
            let until = progress.last() + settings.answer_time;
            tokio::select! {
                answered = &mut sent => break answered,
                () = tokio::time::sleep_until(until.into()) => {
                    if progress.last() + settings.answer_time <= Instant::now() {
                        let waited = settings.answer_time.as_secs();
                        return Err(Refusal::new(
                            Kind::TimedOut,
                            format!("The Provider did not answer within {waited} seconds."),
                        ));
                    }
                }
            }
        };
        let error = match answered {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        Err(match progress.broken() {
            Some(Broken::TooLarge) => too_large(settings.body_bytes),
            Some(Broken::TooSlow) => Refusal::new(Kind::TooSlow, "The body stopped arriving."),
            Some(Broken::Off) => Refusal::new(Kind::Broken, "The body broke off before its end."),
            None => {
                tracing::warn!(error = %causes(&error), "provider not reached");
                match error.is_connect() {
                    true => Refusal::new(
                        Kind::Unreachable,
                        "The Provider is offline or cannot be reached.",
                    ),
                    false => Refusal::new(
                        Kind::Unreachable,
                        "The Provider closed the connection without an answer.",
                    ),
                }
            }
        })
    }

    /// The answer for the consumer: status, headers and body unchanged.
    pub fn back(
        &self,
        response: Response<Incoming>,
        guard: Guard,
    ) -> Result<Response<Body>, Refusal> {
        let settings = &self.settings;
        let (mut parts, body) = response.into_parts();
        if http_body::Body::size_hint(&body).lower() > settings.answer_bytes {
            return Err(Refusal::new(
                Kind::Unreachable,
                format!(
                    "The Provider's answer is larger than {} bytes.",
                    settings.answer_bytes
                ),
            ));
        }
        strip(&mut parts.headers);
        parts.version = Version::HTTP_11;
        // Extensions belong to the connection to the Provider.
        parts.extensions.clear();
        let body = Relay::new(
            body,
            settings.answer_bytes,
            settings.body_time,
            Progress::new(),
            guard,
        );
        Ok(Response::from_parts(parts, body.boxed_unsync()))
    }

    /// Reads and discards the whole answer, so that the Provider is done.
    pub async fn drain(&self, response: Response<Incoming>) {
        let settings = &self.settings;
        let mut body = Relay::new(
            response.into_body(),
            settings.answer_bytes,
            settings.body_time,
            Progress::new(),
            (),
        );
        while let Some(Ok(_)) = body.frame().await {}
    }

    /// The answer with a truncated body.
    pub async fn mangled(&self, response: Response<Incoming>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        self.drain(Response::new(body)).await;
        strip(&mut parts.headers);
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_ENCODING);
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let xml = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.contains("xml"));
        let rest: &'static [u8] = match xml {
            true => b"<Bundle xmlns=\"http://hl7.org/fhir\"><ty",
            false => b"{\"resourceType\":\"Bundle\",\"ty",
        };
        Response::from_parts(parts, super::relay::whole(Bytes::from_static(rest)))
    }
}

/// The request for the Provider.
fn outgoing(peer: &Peer, parts: &Parts, body: Relay<()>, target: Uri) -> Request<Relay<()>> {
    let mut headers = parts.headers.clone();
    strip(&mut headers);
    // HTTP/2 keeps the consumer's host elsewhere; the client writes the Provider's.
    let asked = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .map(str::to_owned)
        .or_else(|| parts.uri.authority().map(ToString::to_string));
    headers.remove(header::HOST);
    if let Some(forwarded) = forwarded(peer, asked.as_deref()) {
        headers.append(header::FORWARDED, forwarded);
    }
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    request
}

/// RFC 7239: the caller, its protocol, and the host it called.
fn forwarded(peer: &Peer, host: Option<&str>) -> Option<HeaderValue> {
    let client = match peer.address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]\""),
    };
    let proto = if peer.tls { "https" } else { "http" };
    let host = host
        .filter(|h| {
            h.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
        })
        .map(|h| format!(";host=\"{h}\""))
        .unwrap_or_default();
    HeaderValue::from_str(&format!("for={client};proto={proto}{host}")).ok()
}

/// Removes hop-by-hop headers and those that `Connection` names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// TLS that trusts nobody: `https` Providers are unreachable without certificates.
fn no_trust() -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("tls: {e}"))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn too_large(limit: u64) -> Refusal {
    Refusal::new(
        Kind::TooLarge,
        format!("The body is larger than {limit} bytes."),
    )
}

/// An error with its causes, for the log.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // A chain of causes is short; the bound guards against a loop.
    for _ in 0..8 {
        let Some(next) = cause else { break };
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
