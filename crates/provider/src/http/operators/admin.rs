//! What operators ask: `/health/live`, `/health/ready`, `/metrics`, on the API's port or on one of their own.
//!
//! The port of their own speaks plain HTTP/1.1 without tokens and belongs on an inner network. The API's port answers
//! `/health/…` always and `/metrics` only when told to: what a provider's services are doing is not for everybody who can
//! reach its API.

use crate::http::edge::Edge;
use crate::http::edge::answer::Body;
use crate::metrics::page::Page;
use crate::metrics::text::MEDIA_TYPE;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use listen::{Accepted, Limits};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;

const TEXT: &str = "text/plain;charset=utf-8";

/// True for the paths of this file.
pub fn is_path(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

/// A scraper, some probes, a person: all behind one address at times, which still does not take every place.
fn limits() -> Limits {
    Limits {
        connections: 96,
        per_peer: 64,
        head_bytes: 16 << 10,
        http2: false,
        ..Limits::default()
    }
}

/// Answers on a port of the operators' own, without end.
pub async fn serve(listener: TcpListener, edge: Arc<Edge>) {
    let gauges = Arc::default();
    listen::run(
        listener,
        limits(),
        gauges,
        std::future::pending(),
        |accepted| connection(accepted, edge.clone()),
    )
    .await;
}

async fn connection(accepted: Accepted, edge: Arc<Edge>) {
    let Some(secured) = accepted.secure(None).await else {
        return;
    };
    let handler = move |request: Request<Incoming>| {
        let edge = edge.clone();
        async move {
            if let Err(said) = listen::names_one_host(&request) {
                return Ok(respond(StatusCode::BAD_REQUEST, TEXT, format!("{said}\n")));
            }
            let (method, path) = (request.method(), request.uri().path());
            Ok::<_, Infallible>(answer(&edge, method, path, true).await)
        }
    };
    if let Err(error) = listen::http(secured.stream, &secured.watch, handler).await {
        tracing::debug!(%error, "connection of the operators' port ended");
    }
}

/// Answers one of these paths; `metrics`: this port shows them.
pub async fn answer(
    edge: &Arc<Edge>,
    method: &Method,
    path: &str,
    metrics: bool,
) -> Response<Body> {
    const JSON: &str = "application/json";
    let known = matches!(path, "/health/live" | "/health/ready") || metrics && path == "/metrics";
    if !known {
        let text =
            "there are /health/live and /health/ready; /metrics is on the port of admin.listen\n";
        return respond(StatusCode::NOT_FOUND, TEXT, text.to_owned());
    }
    if method != Method::GET && method != Method::HEAD {
        return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "use GET\n".to_owned());
    }
    match path {
        "/health/live" => respond(StatusCode::OK, JSON, "{\"status\":\"live\"}\n".to_owned()),
        "/health/ready" => ready(edge, JSON),
        _ => respond(StatusCode::OK, MEDIA_TYPE, page(edge).await),
    }
}

fn ready(edge: &Edge, media: &'static str) -> Response<Body> {
    let reasons = edge.health.reasons(&edge.store);
    if reasons.is_empty() {
        let body = match edge.health.notes() {
            notes if notes.is_empty() => serde_json::json!({"status": "ready"}),
            notes => serde_json::json!({"status": "ready", "notes": notes}),
        };
        return respond(StatusCode::OK, media, format!("{body}\n"));
    }
    let body = serde_json::json!({"status": "not ready", "reasons": reasons});
    respond(StatusCode::SERVICE_UNAVAILABLE, media, format!("{body}\n"))
}

async fn page(edge: &Arc<Edge>) -> String {
    let sample = edge.sampler.current(&edge.store).await;
    Page {
        metrics: &edge.metrics,
        names: edge.tenants.names(),
        gauges: edge.store.gauges(),
        load: edge.store.load(),
        sample: sample.as_ref().map(|(age, sample)| (*age, &**sample)),
        untaken: edge.untaken.bytes(),
        refused: edge.admission.refused(),
        ready: edge.health.reasons(&edge.store).is_empty(),
        trail: &edge.health.trail,
        looks: edge.health.looks(),
        log_lines_lost: edge.health.log.lost(),
        lag: edge.admission.lag(),
        certificates: edge.health.certificates(),
        revocation_lists: edge.health.revocation_lists(),
    }
    .write()
}

fn respond(status: StatusCode, media: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Bytes::from(text).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
