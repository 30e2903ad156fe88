//! The demo's front page: the tour with a fresh token and a fresh slot, as a page for browsers and as text for `curl`.

use super::page;
use super::tour::Tour;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use listen::{Accepted, Limits};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Readers of the front page at once.
const READERS: usize = 64;

const TEXT: &str = "text/plain;charset=utf-8";

/// Serves the front page: `/` is the tour with a fresh token and slot.
pub async fn serve(listener: TcpListener, tour: Arc<Tour>) {
    let limits = Limits {
        connections: READERS,
        per_peer: listen::per_peer(READERS, 0),
        http2: false,
        ..Limits::default()
    };
    let never = std::future::pending();
    listen::run(listener, limits, Arc::default(), never, |accepted| {
        connection(accepted, tour.clone())
    })
    .await;
}

async fn connection(accepted: Accepted, tour: Arc<Tour>) {
    let Some(secured) = accepted.secure(None).await else {
        return;
    };
    let handler = move |request: Request<Incoming>| {
        let tour = tour.clone();
        async move {
            if let Err(said) = listen::names_one_host(&request) {
                let made = (TEXT, format!("{said}\n"));
                return Ok(respond(StatusCode::BAD_REQUEST, made));
            }
            let html = wants_html(request.headers().get(header::ACCEPT));
            Ok::<_, Infallible>(answer(&tour, request.uri().path(), html).await)
        }
    };
    // A reader that goes away is no fault of ours.
    let _ = listen::http(secured.stream, &secured.watch, handler).await;
}

/// Browsers name `text/html`; `curl` takes anything, and gets what a terminal shows.
fn wants_html(accept: Option<&HeaderValue>) -> bool {
    accept.and_then(|a| a.to_str().ok()).is_some_and(|accept| {
        accept
            .split(',')
            .filter_map(|range| range.split(';').next())
            .any(|media| media.trim().eq_ignore_ascii_case("text/html"))
    })
}

async fn answer(tour: &Tour, path: &str, html: bool) -> Response<Full<Bytes>> {
    const HTML: &str = "text/html;charset=utf-8";
    let made = match (path, html) {
        ("/", true) => page::html(tour).await.map(|page| (HTML, page)),
        ("/", false) => tour.text().await.map(|text| (TEXT, text)),
        _ => Ok((TEXT, "The tour is at /\n".to_owned())),
    };
    let (status, made) = match made {
        Ok(made) if path == "/" => (StatusCode::OK, made),
        Ok(made) => (StatusCode::NOT_FOUND, made),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            (TEXT, format!("The demo is not well: {reason}\n")),
        ),
    };
    respond(status, made)
}

/// A page: its media type and text.
fn respond(status: StatusCode, (media, text): (&'static str, String)) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    response
}
