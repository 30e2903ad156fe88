//! The sockets of the simulator: bounds on connections, heads and bodies, and answers that are withheld.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use listen::{Accepted, Limits};
use rustls::ServerConfig;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

use super::asked::Asked;
use super::state::State;
use super::tee::Tee;
use super::{MAX_BODY, OnSeen, page, reply};

/// Connections at once; a further one waits to be taken.
const CONNECTIONS: usize = 256;
/// Time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(20);
/// A booking takes so long: no longer than a real one, and long enough to see another one beside it.
const BOOKING_TIME: Duration = Duration::from_millis(120);

/// What all connections share.
pub struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) silence: Duration,
    pub(super) on_seen: Option<OnSeen>,
    /// Connections that are open: what came over them may not be judged yet.
    pub(super) open: AtomicUsize,
}

/// The connection is cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is withheld on purpose")]
struct Cut;

/// Answers until the task is ended; its connections end with it.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    tls: Option<Arc<ServerConfig>>,
) {
    let limits = Limits {
        connections: CONNECTIONS,
        per_peer: CONNECTIONS,
        http2: false,
        ..Limits::default()
    };
    let never = std::future::pending();
    listen::run(listener, limits, Arc::default(), never, |accepted| {
        shared.open.fetch_add(1, Ordering::AcqRel);
        connection(accepted, shared.clone(), tls.clone())
    })
    .await;
}

async fn connection(accepted: Accepted, shared: Arc<Shared>, tls: Option<Arc<ServerConfig>>) {
    let _open = Open(shared.clone());
    let Some(secured) = accepted.secure(tls.as_ref()).await else {
        return;
    };
    let (stream, heard) = Tee::new(secured.stream);
    let handler = {
        let (shared, heard) = (shared.clone(), heard.clone());
        move |request| {
            heard.clear();
            answer(shared.clone(), request)
        }
    };
    if let Err(error) = listen::http(stream, &secured.watch, handler).await {
        tracing::debug!(%error, "connection ended");
        let unread = error.downcast_ref::<hyper::Error>();
        if unread.is_some_and(hyper::Error::is_parse) {
            unreadable(&shared, &heard.first_line());
        }
    }
}

/// A connection that is open until this is dropped.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request line that no server reads: its address was not encoded.
fn unreadable(shared: &Shared, line: &str) {
    let shown = shared.lock().unreadable(line);
    if let Some(shown) = shown {
        shared.tell(&shown);
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (at, began) = (Timestamp::now(), Instant::now());
    let (parts, body) = request.into_parts();
    if page::is_for(&parts.method, parts.uri.path()) {
        return Ok(page::answer(&shared.lock()));
    }
    let body = match received(body).await? {
        Ok(body) => body,
        Err(refused) => return Ok(refused),
    };
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let (way, path, query) = shared.lock().root.split(target);
    let asked = Asked {
        at,
        began,
        method: parts.method.to_string(),
        target: target.to_owned(),
        way,
        path,
        query,
        headers: parts.headers,
        body,
    };
    // A task of its own: what was begun is judged and kept also when the consumer goes away meanwhile.
    let answered = match super::referral::is_for(parts.uri.path()) {
        true => tokio::spawn(referral(shared.clone(), asked)).await,
        false => tokio::spawn(played(shared.clone(), asked)).await,
    };
    match answered {
        Ok(Some(response)) => Ok(response),
        Ok(None) => {
            tokio::time::sleep(shared.silence).await;
            Err(Cut)
        }
        Err(error) => {
            tracing::error!(%error, "a request could not be answered");
            Err(Cut)
        }
    }
}

/// The whole body; or what is answered to one that is too long or too slow.
async fn received(body: Incoming) -> Result<Result<Bytes, Response<Full<Bytes>>>, Cut> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(Ok(collected.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let text = format!("A body has at most {MAX_BODY} bytes\n");
            Ok(Err(plain(StatusCode::PAYLOAD_TOO_LARGE, &text)))
        }
        Ok(Err(_)) => Err(Cut),
        Err(_) => {
            let text = "The body did not arrive in time\n";
            Ok(Err(plain(StatusCode::REQUEST_TIMEOUT, text)))
        }
    }
}

async fn referral(shared: Arc<Shared>, asked: Asked) -> Option<Response<Full<Bytes>>> {
    let (response, shown) = shared.lock().referral(&asked);
    shared.tell(&shown);
    Some(response)
}

/// Judges and answers; `None`: the answer is withheld.
async fn played(shared: Arc<Shared>, mut asked: Asked) -> Option<Response<Full<Bytes>>> {
    let taken = {
        let mut state = shared.lock();
        state.way(&mut asked);
        state.take(&asked)
    };
    // Ten thousand slots take their time to write: nobody waits for that.
    let out = reply::outgoing(taken.reply, &asked, &taken.manner);
    if taken.slow {
        tokio::time::sleep(BOOKING_TIME).await;
    }
    let response = out
        .status
        .map(|status| respond(status, &out.headers, out.body.clone()));
    // Withheld answers are told before the wait, so that a consumer that gives up is seen to do so.
    let now = Instant::now();
    let shown = shared.lock().done(&asked, taken.judged, out, now);
    shared.tell(&shown);
    response
}

fn respond(status: u16, headers: &[(String, String)], body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

pub(super) fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let headers = [
        (
            "Content-Type".to_owned(),
            "text/plain;charset=utf-8".to_owned(),
        ),
        ("Connection".to_owned(), "close".to_owned()),
    ];
    respond(status.as_u16(), &headers, Bytes::from(text.to_owned()))
}
