//! The HTTP edge: paths, methods, media types, bounds, and injected faults.

use super::answer::EndpointFault;
use super::call::{self, Call, RequestSubject};
use super::fault::DosFault;
use super::wsdl;
use crate::faults::{self, Fault, Faults, Key, Point};
use crate::small_http::{read_body, respond};
use crate::watch::{Observation, Observer};
use crate::world::World;
use crate::world::model::Service;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

/// Path of the web service.
pub const PATH: &str = "/app/api/webservices";
/// Largest request, bytes; the largest legal one has some ten thousand.
pub const MAX_BODY: usize = 256 << 10;
/// Media type of answers (SOAP 1.2).
const SOAP: &str = "application/soap+xml; charset=utf-8";
/// Media type of pages and hints.
const PLAIN: &str = "text/plain; charset=utf-8";

/// Cut the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is withheld on purpose")]
pub struct Cut;

/// State shared by all connections.
pub struct Edge {
    pub(super) world: Arc<World>,
    pub(super) faults: Arc<Faults>,
    pub(super) zone: TimeZone,
    pub(super) tls: bool,
    pub(super) observer: Observer,
}

type Answer = Response<Full<Bytes>>;

impl Edge {
    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Cut> {
        if let Err(said) = listen::names_one_host(&request) {
            return Ok(respond(StatusCode::BAD_REQUEST, PLAIN, format!("{said}\n")));
        }
        let path = request.uri().path();
        if faults::is_control(path) {
            return Ok(faults::control(&self.faults, request).await);
        }
        let reading = matches!(*request.method(), Method::GET | Method::HEAD);
        match path.trim_end_matches('/') {
            "" if reading => Ok(respond(StatusCode::OK, PLAIN, self.page(&request))),
            "" => Ok(not_allowed("GET, HEAD", "use GET")),
            PATH if request.method() == Method::POST => self.soap(request).await,
            PATH if reading && asks_for_wsdl(request.uri()) => {
                let location = self.location(&request);
                let text = wsdl::description(&location);
                Ok(respond(StatusCode::OK, "text/xml; charset=utf-8", text))
            }
            PATH => Ok(not_allowed(
                "POST",
                "POST a SOAP 1.2 envelope here; the description is at ?wsdl, help is at /",
            )),
            _ => Ok(respond(
                StatusCode::NOT_FOUND,
                PLAIN,
                format!("There is nothing here. The web service is at {PATH}, help is at /\n"),
            )),
        }
    }

    async fn soap(&self, request: Request<Incoming>) -> Result<Answer, Cut> {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        if let Err(hint) = media_type(&parts.headers) {
            return Ok(respond(StatusCode::UNSUPPORTED_MEDIA_TYPE, PLAIN, hint));
        }
        let bytes = match read_body(body, MAX_BODY).await {
            Ok(bytes) => bytes,
            Err((status, why)) => return Ok(respond(status, PLAIN, format!("{why}\n"))),
        };
        let mut about = RequestSubject::default();
        let action = action(&parts.headers);
        let outcome = self.call(&bytes, action.as_deref(), &mut about);
        let (operation, service) = (about.operation, about.service.as_deref());
        let key = Key {
            service,
            interaction: operation,
            ..Key::default()
        };
        let answer = self.with_faults(&key, outcome).await;
        let fault = match &answer {
            Ok((_, code)) => *code,
            Err(Cut) => None,
        };
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            operation,
            service,
            fault,
            cut = answer.is_err(),
            milliseconds,
            "DoS request"
        );
        answer.map(|(response, _)| response)
    }

    /// Turns the bytes of a request into the text of an answer. Returns what the request is about even if it fails.
    fn call(
        &self,
        bytes: &[u8],
        action: Option<&str>,
        about: &mut RequestSubject,
    ) -> Result<String, DosFault> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| DosFault::malformed("the SOAP message is not UTF-8"))?;
        let document = call::parse(text)?;
        let call = Call::read(&document, action, self.world.settings.strict)?;
        *about = call.about();
        let transaction = call::transaction(Timestamp::now());
        let operation = about.operation;
        // Called once per service, so it collects the answer's services.
        let services = RefCell::new(Vec::new());
        let tamper = |service: &Service| {
            services.borrow_mut().push(service.id);
            self.tampering(service, operation)
        };
        let answer = call.answer(&self.world, &transaction, &self.zone, &tamper)?;
        if let Some(operation) = operation {
            let services = services.into_inner();
            self.observer.saw(|| Observation::Dos {
                operation,
                services,
            });
        }
        Ok(answer)
    }

    fn tampering(&self, service: &Service, operation: Option<&str>) -> Option<EndpointFault> {
        let id = call::service_key(service);
        let key = Key {
            service: Some(&id),
            interaction: operation,
            ..Key::default()
        };
        let ours = |f: &Fault| matches!(f, Fault::NoEndpoint | Fault::TwoEndpoints);
        match self.faults.take_if(Point::Dos, &key, ours)? {
            Fault::TwoEndpoints => Some(EndpointFault::TwoBookings),
            _ => Some(EndpointFault::NoBooking),
        }
    }

    /// The answer, or what a switched fault makes of it, with the fault's number for the log.
    async fn with_faults(
        &self,
        key: &Key<'_>,
        outcome: Result<String, DosFault>,
    ) -> Result<(Answer, Option<u16>), Cut> {
        let slow = |f: &Fault| matches!(f, Fault::Slow { .. });
        if let Some(delay) = self
            .faults
            .take_if(Point::Dos, key, slow)
            .and_then(|f| f.delay())
        {
            tokio::time::sleep(delay).await;
        }
        let whole = |f: &Fault| {
            !matches!(
                f,
                Fault::Slow { .. } | Fault::NoEndpoint | Fault::TwoEndpoints
            )
        };
        let outcome = match self.faults.take_if(Point::Dos, key, whole) {
            Some(Fault::Offline) => return Err(Cut),
            Some(Fault::Status { status }) => {
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let text = format!(
                    "{status}: this answer was asked for at {}\n",
                    faults::CONTROL_PATH
                );
                return Ok((respond(status, PLAIN, text), None));
            }
            Some(Fault::Malformed) => {
                let text = outcome.unwrap_or_else(|fault| fault.envelope());
                return Ok((respond(StatusCode::OK, SOAP, broken(text)), None));
            }
            Some(Fault::SoapFault {
                code,
                text: Some(text),
            }) => Err(DosFault::with(code, text)),
            Some(Fault::SoapFault { code, text: None }) => Err(DosFault::new(code)),
            _ => outcome,
        };
        Ok(match outcome {
            Ok(text) => (respond(StatusCode::OK, SOAP, text), None),
            Err(fault) => (
                respond(fault.status(), SOAP, fault.envelope()),
                Some(fault.code),
            ),
        })
    }

    /// The URL of the web service as the client knows it.
    fn location<B>(&self, request: &Request<B>) -> String {
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .or_else(|| request.uri().authority().map(|a| a.as_str()))
            .unwrap_or("localhost");
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{host}{PATH}")
    }

    /// The help text.
    fn page<B>(&self, request: &Request<B>) -> String {
        let location = self.location(request);
        let accounts: String = self
            .world
            .accounts
            .iter()
            .map(|account| format!("  {} ({})\n", account.username, account.role))
            .collect();
        format!(
            "This is a stand-in for the Directory of Services (DoS), web service version 1.5, for tests.\n\
             It holds {} services, all of them invented. Never send it data of real patients.\n\n\
             Web service   POST {location}   (SOAP 1.2, application/soap+xml)\n\
             Description   GET  {location}?wsdl\n\
             Faults        GET, PUT, POST, DELETE {}\n\n\
             Operations: CheckCapacitySummary, ServiceDetailsById. Accounts:\n{accounts}\n\
             Try it:\n\n\
             curl -H 'Content-Type: application/soap+xml' {location} -d '\n{}'\n",
            self.world.services.len(),
            faults::CONTROL_PATH,
            example(&self.world),
        )
    }
}

/// An example request for pasting.
fn example(world: &World) -> String {
    let username = world
        .accounts
        .first()
        .map_or("USER", |a| a.username.as_str());
    let id = world.services.first().map_or(0, |s| s.id);
    format!(
        "<soap:Envelope xmlns:soap=\"{}\" xmlns:w=\"{}\">\n\
         <soap:Header><w:serviceVersion>{}</w:serviceVersion></soap:Header>\n\
         <soap:Body><w:ServiceDetailsById>\n\
         <w:userInfo><w:username>{}</w:username><w:password>PASSWORD</w:password></w:userInfo>\n\
         <w:serviceId>{id}</w:serviceId>\n\
         </w:ServiceDetailsById></soap:Body></soap:Envelope>",
        super::SOAP_12,
        super::NAMESPACE,
        super::VERSION,
        booking::xml_writer::escaped(username),
    )
}

fn asks_for_wsdl(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| {
        query
            .split('&')
            .any(|p| p.eq_ignore_ascii_case("wsdl") || p.eq_ignore_ascii_case("wsdl="))
    })
}

/// SOAP 1.2 is `application/soap+xml`. `text/xml` is accepted too, since clients of the live service send it.
fn media_type(headers: &HeaderMap) -> Result<(), String> {
    let hint = || "Send Content-Type: application/soap+xml; charset=utf-8\n".to_owned();
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|c| !c.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err("Send the body without Content-Encoding\n".to_owned());
    }
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .ok_or_else(hint)?;
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let known = ["application/soap+xml", "text/xml"];
    if !known.iter().any(|k| media.eq_ignore_ascii_case(k)) {
        return Err(hint());
    }
    let charset = parts
        .filter_map(|p| p.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase());
    match charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(_) => Err(hint()),
    }
}

/// The action: a parameter of the media type in SOAP 1.2, a header in older clients.
fn action(headers: &HeaderMap) -> Option<String> {
    let header = headers
        .get("SOAPAction")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let parameter = || {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        value
            .split(';')
            .filter_map(|p| p.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("action"))
            .map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    header.or_else(parameter)
}

/// The first half of a text, which is no longer XML.
fn broken(mut text: String) -> String {
    let mut half = text.len() / 2;
    while !text.is_char_boundary(half) {
        half -= 1;
    }
    text.truncate(half);
    text
}

fn not_allowed(allow: &'static str, hint: &str) -> Answer {
    let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, PLAIN, format!("{hint}\n"));
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}
