//! HTTP/1.1 to the Provider: one connection per exchange, everything bounded in bytes and time, gzip seen raw.

use crate::evidence::{Body as Kept, Exchange};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::request::{Pieces, Request};
use super::target::{Endpoint, TargetError};

/// Most bytes read of one answer, on the wire and decoded: some thousand slots with everything included.
pub(super) const MAX_BODY: usize = 8 << 20;
/// Most bytes of an answer's head; a real one has under 2 KiB.
const MAX_HEAD: usize = 256 << 10;
/// Most bytes read of the answer to a head that is not quite HTTP: its status is all that matters.
const MAX_RAW: usize = 64 << 10;
/// How long such an answer may pause once its head is there.
const RAW_PAUSE: Duration = Duration::from_secs(1);

/// What came back, decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) gzipped: bool,
}

/// An exchange as evidence, and the answer if a whole one came.
pub(super) struct Exchanged {
    pub(super) exchange: Exchange,
    pub(super) received: Option<Received>,
    /// True if the server closed the connection before the end of its answer.
    pub(super) closed: bool,
}

impl Exchanged {
    fn of(mut exchange: Exchange, received: Result<Received, Broken>) -> Exchanged {
        let (received, broken) = match received {
            Ok(received) => (Some(received), None),
            Err(broken) => (None, Some(broken)),
        };
        let closed = broken.as_ref().is_some_and(|b| b.closed);
        exchange.broken = broken.map(|b| b.why);
        Exchanged {
            exchange,
            received,
            closed,
        }
    }
}

/// Why no whole answer came.
struct Broken {
    why: String,
    closed: bool,
}

impl Broken {
    fn closed(why: String) -> Broken {
        Broken { why, closed: true }
    }
}

impl From<String> for Broken {
    fn from(why: String) -> Broken {
        Broken { why, closed: false }
    }
}

/// The way to the Provider.
pub(super) struct Wire {
    runtime: tokio::runtime::Runtime,
    road: Road,
}

/// What one exchange needs.
#[derive(Clone)]
struct Road {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    patience: Duration,
}

type Sender = hyper::client::conn::http1::SendRequest<Pieces>;
type Driver = tokio::task::JoinHandle<hyper::Result<()>>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Wire {
    pub(super) fn new(
        endpoint: &Endpoint,
        tls: Option<Arc<rustls::ClientConfig>>,
        patience: Duration,
    ) -> Result<Wire, TargetError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| TargetError(format!("the program cannot wait for answers: {e}")))?;
        let road = Road {
            endpoint: endpoint.clone(),
            tls: tls.map(TlsConnector::from),
            patience,
        };
        Ok(Wire { runtime, road })
    }

    /// Sends one request and waits for its answer.
    pub(super) fn exchange(&self, request: &Request) -> Exchanged {
        self.runtime.block_on(self.road.exchange(request.clone()))
    }

    /// Sends requests one after the other over one connection.
    pub(super) fn in_turn(&self, requests: Vec<Request>) -> Vec<Exchanged> {
        self.runtime.block_on(self.road.in_turn(requests))
    }

    /// Sends requests side by side; the answers come in the order of the requests.
    pub(super) fn together(&self, requests: Vec<Request>) -> Vec<Exchanged> {
        self.runtime.block_on(async {
            let tasks: Vec<_> = requests
                .into_iter()
                .map(|request| {
                    let road = self.road.clone();
                    tokio::spawn(async move { road.exchange(request).await })
                })
                .collect();
            let mut all = Vec::with_capacity(tasks.len());
            for task in tasks {
                // A task that panicked has no answer to give; the count tells.
                if let Ok(exchanged) = task.await {
                    all.push(exchanged);
                }
            }
            all
        })
    }

    /// Sends bytes as they are: heads that no HTTP library would write.
    pub(super) fn raw(&self, bytes: &[u8]) -> Exchanged {
        self.runtime.block_on(self.road.raw(bytes))
    }
}

impl Road {
    async fn connect(&self, deadline: Instant) -> Result<Box<dyn Stream>, String> {
        let address = (self.endpoint.host.as_str(), self.endpoint.port);
        let stream = timeout_at(deadline, TcpStream::connect(address))
            .await
            .map_err(|_| "no connection in time".to_owned())?
            .map_err(|e| format!("no connection: {e}"))?;
        // Small messages should not wait for each other; without it things only get slower.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = rustls::pki_types::ServerName::try_from(self.endpoint.host.clone())
            .map_err(|e| format!("no name for TLS: {e}"))?;
        let stream = timeout_at(deadline, tls.connect(name, stream))
            .await
            .map_err(|_| "no TLS in time".to_owned())?
            .map_err(|e| format!("TLS failed: {e}"))?;
        Ok(Box::new(stream))
    }

    async fn exchange(&self, request: Request) -> Exchanged {
        let url = format!("{}{}", self.endpoint.root(), request.path);
        let mut exchange = request.recorded(&url);
        let begun = Instant::now();
        let received = self.answered(&request, &mut exchange, begun + self.patience);
        let received = received.await;
        exchange.took = begun.elapsed();
        Exchanged::of(exchange, received)
    }

    /// Sends requests one after the other over one connection, as far as the server lets it live.
    async fn in_turn(&self, requests: Vec<Request>) -> Vec<Exchanged> {
        let mut all = Vec::with_capacity(requests.len());
        let begun = Instant::now();
        let mut open = self.open(begun + self.patience).await;
        for request in requests {
            let url = format!("{}{}", self.endpoint.root(), request.path);
            let mut exchange = request.recorded(&url);
            let begun = Instant::now();
            let deadline = begun + self.patience;
            let received = match &mut open {
                Err(why) => Err(Broken::from(why.clone())),
                Ok((sender, _)) => {
                    let ready = timeout_at(deadline, sender.ready()).await;
                    match (ready, self.encoded(&request)) {
                        (Ok(Ok(())), Ok(sent)) => {
                            self.receive(sender, sent, &mut exchange, deadline).await
                        }
                        (Ok(Ok(())), Err(why)) => Err(Broken::from(why)),
                        _ => Err(Broken::closed(
                            "the connection was closed after the answer before".to_owned(),
                        )),
                    }
                }
            };
            exchange.took = begun.elapsed();
            let whole = received.is_ok();
            all.push(Exchanged::of(exchange, received));
            if !whole {
                break;
            }
        }
        if let Ok((_, driver)) = open {
            driver.abort();
        }
        all
    }

    async fn answered(
        &self,
        request: &Request,
        exchange: &mut Exchange,
        deadline: Instant,
    ) -> Result<Received, Broken> {
        let sent = self.encoded(request)?;
        let (mut sender, driver) = self.open(deadline).await?;
        let answer = self.receive(&mut sender, sent, exchange, deadline).await;
        driver.abort();
        answer
    }

    /// A connection, and the task that drives it.
    async fn open(&self, deadline: Instant) -> Result<(Sender, Driver), String> {
        let stream = self.connect(deadline).await?;
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| format!("no connection: {e}"))?;
        Ok((sender, tokio::spawn(connection)))
    }

    async fn receive(
        &self,
        sender: &mut Sender,
        sent: http::Request<Pieces>,
        exchange: &mut Exchange,
        deadline: Instant,
    ) -> Result<Received, Broken> {
        let response = timeout_at(deadline, sender.send_request(sent))
            .await
            .map_err(|_| format!("no answer within {} s", self.patience.as_secs_f32()))?
            .map_err(|e| Broken::closed(format!("no answer: {}", causes(&e))))?;
        let (head, mut body) = response.into_parts();
        exchange.status = Some(head.status.as_u16());
        exchange.response_headers = listed(&head.headers);
        let mut bytes = Vec::new();
        let fault = loop {
            match timeout_at(deadline, body.frame()).await {
                Err(_) => {
                    let seconds = self.patience.as_secs_f32();
                    let why = format!("the body was not complete within {seconds} s");
                    break Some(Broken::from(why));
                }
                Ok(None) => break None,
                Ok(Some(Err(e))) => {
                    let why = format!("the body broke off: {}", causes(&e));
                    break Some(Broken::closed(why));
                }
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        bytes.extend_from_slice(data);
                    }
                    if bytes.len() > MAX_BODY {
                        let why = format!("the body has more than {} MiB", MAX_BODY >> 20);
                        break Some(Broken::from(why));
                    }
                }
            }
        };
        if let Some(fault) = fault {
            let seen = bytes.len() as u64;
            exchange.response_body = Kept::part(bytes, seen);
            return Err(fault);
        }
        let on_wire = bytes.len() as u64;
        let coding = head.headers.get(http::header::CONTENT_ENCODING);
        let gzipped = coding.is_some_and(|c| c.as_bytes().eq_ignore_ascii_case(b"gzip"));
        if gzipped {
            let unzipped = gunzip(&bytes);
            if unzipped.is_err() {
                exchange.response_body = Kept::new(bytes);
            }
            bytes = unzipped?;
        }
        exchange.response_body = match gzipped {
            true => Kept::new(bytes.clone()).was_coded("gzip", on_wire),
            false => Kept::new(bytes.clone()),
        };
        Ok(Received {
            status: head.status.as_u16(),
            body: bytes,
            gzipped,
        })
    }

    fn encoded(&self, request: &Request) -> Result<http::Request<Pieces>, String> {
        let target = format!("{}{}", self.endpoint.path, request.path);
        let uri: Uri = target
            .parse()
            .map_err(|e| format!("not sent, no such address: {e}"))?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|e| format!("not sent, no such method: {e}"))?;
        let mut sent = http::Request::new(Pieces::of(request));
        *sent.uri_mut() = uri;
        *sent.method_mut() = method;
        let headers = sent.headers_mut();
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|e| format!("not sent, header {name}: {e}"))?;
            let value = HeaderValue::from_str(value)
                .map_err(|e| format!("not sent, header {name}: {e}"))?;
            headers.append(name, value);
        }
        let host = HeaderValue::from_str(&self.endpoint.authority())
            .map_err(|e| format!("not sent, host: {e}"))?;
        headers.entry(http::header::HOST).or_insert(host);
        Ok(sent)
    }

    async fn raw(&self, bytes: &[u8]) -> Exchanged {
        let shown = String::from_utf8_lossy(bytes.get(..bytes.len().min(MAX_RAW)).unwrap_or(bytes));
        let mut exchange = Exchange::sent(
            "RAW",
            &self.endpoint.root(),
            Vec::new(),
            Kept::part(shown.into_owned().into_bytes(), bytes.len() as u64),
        );
        let begun = Instant::now();
        let read = self.raw_answer(bytes, begun + self.patience).await;
        exchange.took = begun.elapsed();
        let received = read.map_err(Broken::from).and_then(|body| {
            let status = status_of(&body);
            exchange.status = status;
            exchange.response_body = Kept::new(body.clone());
            let status = status.ok_or_else(|| {
                Broken::closed("the connection was closed without an answer".to_owned())
            })?;
            Ok(Received {
                status,
                body,
                gzipped: false,
            })
        });
        Exchanged::of(exchange, received)
    }

    async fn raw_answer(&self, bytes: &[u8], deadline: Instant) -> Result<Vec<u8>, String> {
        let mut stream = self.connect(deadline).await?;
        // The server may answer and close before it has read everything: what it said counts, not that writing failed.
        let _ = timeout_at(deadline, async {
            stream.write_all(bytes).await?;
            stream.flush().await
        })
        .await;
        let mut read = Vec::new();
        let mut piece = vec![0_u8; 8 << 10];
        while read.len() < MAX_RAW {
            let begun = status_of(&read).is_some();
            let until = match begun {
                true => deadline.min(Instant::now() + RAW_PAUSE),
                false => deadline,
            };
            match timeout(
                until.saturating_duration_since(Instant::now()),
                stream.read(&mut piece),
            )
            .await
            {
                Ok(Ok(count)) if count > 0 => {
                    read.extend_from_slice(piece.get(..count).unwrap_or(&[]));
                }
                // Closed, or reset after the answer.
                Ok(_) => break,
                Err(_) if begun => break,
                Err(_) => {
                    let seconds = self.patience.as_secs_f32();
                    return Err(format!("neither an answer nor a close within {seconds} s"));
                }
            }
        }
        Ok(read)
    }
}

/// The status of an answer whose head has begun.
fn status_of(bytes: &[u8]) -> Option<u16> {
    let line = bytes.split(|b| *b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.trim().parse().ok()
}

fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    // Chains have three or four links; the bound only guards against a loop.
    for _ in 0..8 {
        let Some(cause) = source else { break };
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Compresses.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut coder = flate2::bufread::GzEncoder::new(bytes, flate2::Compression::default());
    // Reading from memory into memory does not fail.
    let _ = coder.read_to_end(&mut out);
    out
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let bound = u64::try_from(MAX_BODY).unwrap_or(u64::MAX) + 1;
    flate2::bufread::MultiGzDecoder::new(bytes)
        .take(bound)
        .read_to_end(&mut out)
        .map_err(|e| format!("the body says gzip and cannot be unzipped: {e}"))?;
    match out.len() > MAX_BODY {
        true => Err(format!(
            "the unzipped body has more than {} MiB",
            MAX_BODY >> 20
        )),
        false => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_swells_is_cut_off() {
        assert_eq!(gunzip(&gzip(b"abc")).as_deref(), Ok(&b"abc"[..]));
        assert!(gunzip(&gzip(&vec![b' '; MAX_BODY + 1])).is_err());
        assert!(gunzip(b"no gzip").is_err());
    }

    #[test]
    fn a_status_line_is_read_as_soon_as_it_is_there() {
        assert_eq!(status_of(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Some(400));
        assert_eq!(status_of(b"HTTP/1.0 204\r\n"), Some(204));
        assert_eq!(status_of(b""), None);
        assert_eq!(status_of(b"nonsense 400"), None);
    }
}
