//! What the slot search is compared with: the same HTTP library, told the same, returning the same bytes from memory.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// An answer as it came over the wire: head, empty line, body.
struct Stored {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Stored {
    fn read(raw: &[u8]) -> Option<Stored> {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&raw[..end]).ok()?;
        let mut headers = Vec::new();
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':')?;
            // The library writes these two itself.
            if !["date", "content-length"].contains(&name.to_ascii_lowercase().as_str()) {
                headers.push((name.parse().ok()?, value.trim().parse().ok()?));
            }
        }
        Some(Stored {
            headers,
            body: Bytes::copy_from_slice(&raw[end + 4..]),
        })
    }

    fn answer(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response
    }
}

/// Serves the answer in the file to every request, until the process is ended.
pub async fn serve(file: &Path) -> Result<(), String> {
    let raw = std::fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let stored = Arc::new(Stored::read(&raw).ok_or("the stored answer is not HTTP")?);
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|e| e.to_string())?;
    println!("{}", listener.local_addr().map_err(|e| e.to_string())?);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // As the Provider has it.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(15))
        .max_buf_size(64 << 10)
        .half_close(false);
    let builder = Arc::new(builder);
    loop {
        let (stream, _) = listener.accept().await.map_err(|e| e.to_string())?;
        let (builder, stored) = (builder.clone(), stored.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(move |_: Request<Incoming>| {
                let stored = stored.clone();
                async move { Ok::<_, Infallible>(stored.answer()) }
            });
            // A client that goes away ends its connection.
            let _ = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
