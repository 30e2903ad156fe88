//! A DoS that answers as a test tells it.

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// What goes back.
#[derive(Clone)]
pub enum Reply {
    /// Status and body.
    Say(u16, Vec<u8>),
    /// The connection is cut.
    Cut,
    /// Nothing, for so long.
    Silence(Duration),
}

/// A running DoS.
pub struct Dos {
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Dos {
    pub async fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Dos {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, kept) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, kept) = (script.clone(), kept.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (script, kept) = (script.clone(), kept.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let came = Seen {
                            path: parts.uri.path().to_owned(),
                            headers: parts.headers,
                            body: String::from_utf8(body.to_vec()).unwrap(),
                        };
                        let reply = script(&came);
                        kept.lock().unwrap().push(came);
                        match reply {
                            Reply::Say(status, body) => {
                                let mut response = Response::new(Full::new(Bytes::from(body)));
                                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                                Ok(response)
                            }
                            Reply::Cut => Err(std::io::Error::other("cut")),
                            Reply::Silence(time) => {
                                tokio::time::sleep(time).await;
                                Err(std::io::Error::other("silent"))
                            }
                        }
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Dos { address, seen }
    }

    /// A DoS with one answer.
    pub async fn saying(status: u16, body: impl Into<Vec<u8>>) -> Dos {
        let body = body.into();
        Dos::start(move |_| Reply::Say(status, body.clone())).await
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An envelope around a body.
pub fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<env:Envelope \
         xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:ns1=\"https://nww.pathwaysdos.nhs.uk/app/api/webservices\"><env:Body>{body}</env:Body></env:Envelope>"
    )
}

/// The answer to a search, with these destinations.
pub fn summary(destinations: &str) -> String {
    envelope(&format!(
        "<ns1:CheckCapacitySummaryResponse><ns1:TransactionId>t</ns1:TransactionId>\
         <ns1:CheckCapacitySummaryResult>{destinations}</ns1:CheckCapacitySummaryResult>\
         </ns1:CheckCapacitySummaryResponse>"
    ))
}

/// One destination with this inside.
pub fn destination(id: &str, inner: &str) -> String {
    format!(
        "<ns1:serviceCareSummaryDestination><ns1:id>{id}</ns1:id>{inner}</ns1:serviceCareSummaryDestination>"
    )
}

/// An attribute.
pub fn attribute(name: &str, value: &str) -> String {
    format!(
        "<ns1:attribute><ns1:dataType>Boolean</ns1:dataType><ns1:name>{name}</ns1:name>\
         <ns1:value>{value}</ns1:value></ns1:attribute>"
    )
}

/// A fault.
pub fn fault(code: u16, text: &str) -> String {
    envelope(&format!(
        "<env:Fault><env:Code><env:Value>{code}</env:Value></env:Code>\
         <env:Reason><env:Text xml:lang=\"en\">{text}</env:Text></env:Reason></env:Fault>"
    ))
}
