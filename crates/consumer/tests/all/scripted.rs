//! A service that answers as a test tells it: a small HTTP server that keeps what it was asked.

use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

/// What goes back.
#[derive(Clone)]
pub enum Reply {
    /// Status, headers, body.
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The connection is cut.
    Cut,
    /// The answer comes so much later.
    Late(Duration, Box<Reply>),
}

pub fn say(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply::Say(status, Vec::new(), body.into())
}

pub fn say_with(status: u16, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    let headers = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    Reply::Say(status, headers, body.into())
}

type Script = Arc<dyn Fn(&Received, usize) -> Reply + Send + Sync>;

/// A running script. Its `root` is a service root.
pub struct Scripted {
    pub address: String,
    pub root: String,
    seen: Arc<Mutex<Vec<Received>>>,
}

impl Scripted {
    /// Answers each request by the script, which also learns how many requests came before that had the same method
    /// and path. `metadata` is answered 404: a Consumer has to do without it (D-50).
    pub async fn start(
        script: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static,
    ) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(accept(listener, Arc::new(script), seen.clone()));
        Scripted {
            address: address.to_string(),
            root: format!("http://{address}/STU3/1/careconnect/booking"),
            seen,
        }
    }

    /// Answers everything the same.
    pub async fn saying(status: u16, body: impl Into<Vec<u8>>) -> Scripted {
        let body = body.into();
        Scripted::start(move |_, _| say(status, body.clone())).await
    }

    /// Everything that came, without `metadata`.
    pub fn seen(&self) -> Vec<Received> {
        let all = self.seen.lock().unwrap();
        all.iter()
            .filter(|s| !s.path.ends_with("/metadata"))
            .cloned()
            .collect()
    }

    /// What came by this method.
    pub fn by(&self, method: Method) -> Vec<Received> {
        self.seen()
            .into_iter()
            .filter(|s| s.method == method)
            .collect()
    }
}

async fn accept(listener: TcpListener, script: Script, seen: Arc<Mutex<Vec<Received>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (script, seen) = (script.clone(), seen.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (script, seen) = (script.clone(), seen.clone());
                async move { answer(request, &script, &seen).await }
            });
            // A cut connection is part of the script.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    script: &Script,
    seen: &Mutex<Vec<Received>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    let now = Received {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let mut reply = {
        let mut all = seen.lock().unwrap();
        let same = |s: &&Received| s.method == now.method && s.path == now.path;
        let before = all.iter().filter(same).count();
        let reply = match now.path.ends_with("/metadata") {
            true => say(404, ""),
            false => script(&now, before),
        };
        all.push(now);
        reply
    };
    loop {
        match reply {
            Reply::Say(status, headers, body) => {
                let mut response = Response::new(Full::new(Bytes::from(body)));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().append(name, value.parse().unwrap());
                }
                return Ok(response);
            }
            Reply::Cut => return Err(std::io::Error::other("cut")),
            Reply::Late(wait, then) => {
                tokio::time::sleep(wait).await;
                reply = *then;
            }
        }
    }
}
