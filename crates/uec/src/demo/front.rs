//! The demo's front page: the tour with a fresh token and a fresh slot, as a page for browsers and as text for `curl`.

use super::page;
use super::tour::Tour;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Readers of the front page at once.
const READERS: usize = 64;
/// How long a reader may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves the front page: `/` is the tour with a fresh token and slot.
pub async fn serve(listener: TcpListener, tour: Arc<Tour>) {
    let readers = Arc::new(Semaphore::new(READERS));
    loop {
        let Ok(permit) = readers.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let tour = tour.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let tour = tour.clone();
                async move {
                    let html = wants_html(request.headers().get(header::ACCEPT));
                    Ok::<_, Infallible>(answer(&tour, request.uri().path(), html).await)
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A reader that goes away is no fault of ours.
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(permit);
        });
    }
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
    const TEXT: &str = "text/plain;charset=utf-8";
    const HTML: &str = "text/html;charset=utf-8";
    let made = match (path, html) {
        ("/", true) => page::html(tour).await.map(|page| (HTML, page)),
        ("/", false) => tour.text().await.map(|text| (TEXT, text)),
        _ => Ok((TEXT, "The tour is at /\n".to_owned())),
    };
    let (status, (media, text)) = match made {
        Ok(made) if path == "/" => (StatusCode::OK, made),
        Ok(made) => (StatusCode::NOT_FOUND, made),
        Err(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            (TEXT, format!("The demo is not well: {reason}\n")),
        ),
    };
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
