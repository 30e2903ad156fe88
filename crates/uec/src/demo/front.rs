//! The demo's front page: the tour with a fresh token and a fresh slot.

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
                async move { Ok::<_, Infallible>(page(&tour, request.uri().path()).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A reader that goes away is no fault of ours.
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(permit);
        });
    }
}

async fn page(tour: &Tour, path: &str) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/" => match tour.text().await {
            Ok(text) => (StatusCode::OK, text),
            Err(reason) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("The demo is not well: {reason}\n"),
            ),
        },
        _ => (StatusCode::NOT_FOUND, "The tour is at /\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain;charset=utf-8"),
    );
    response
}
