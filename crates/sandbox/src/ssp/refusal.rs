//! Errors of the proxy itself: status and OperationOutcome (table of NAT-SSP-06).

use super::relay::Body;
use booking::refusal::{OUTCOME_PROFILE, SPINE_CODES};
use booking::wire::format::{self, Format};
use bytes::Bytes;
use fhir::Element;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use uuid::Uuid;

/// Why the proxy answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request names no host, or several.
    Host,
    /// The target contains no URL.
    Target,
    /// An SSP header is missing, repeated or malformed.
    Header,
    /// Sender, receiver, certificate and endpoint do not match.
    Asid,
    /// A method that is not forwarded.
    Method,
    /// A body without media type.
    MediaType,
    /// The request's body exceeds the limit.
    TooLarge,
    /// The request's body stopped arriving.
    TooSlow,
    /// The request's body broke off.
    Broken,
    /// The sender has too many requests under way.
    Throttled,
    /// The proxy has too many requests under way.
    Overload,
    /// The Provider is unreachable or breaks off.
    Unreachable,
    /// The Provider does not answer in time.
    TimedOut,
    /// The client showed no certificate.
    NoCertificate,
    /// An injected fault with this status.
    Injected(u16),
}

impl Kind {
    /// Status and `issue.code`.
    fn row(self) -> (u16, &'static str) {
        match self {
            Kind::Host | Kind::Target | Kind::Header => (400, "invalid"),
            Kind::Broken => (400, "invalid"),
            Kind::Asid => (403, "forbidden"),
            Kind::Method => (405, "not-supported"),
            Kind::TooSlow => (408, "timeout"),
            Kind::TooLarge => (413, "too-long"),
            Kind::MediaType => (415, "not-supported"),
            Kind::Throttled => (429, "throttled"),
            Kind::NoCertificate => (496, "forbidden"),
            Kind::Unreachable => (502, "transient"),
            Kind::Overload => (503, "transient"),
            Kind::TimedOut => (504, "transient"),
            Kind::Injected(status) => (
                status,
                match status {
                    403 => "forbidden",
                    404 => "not-found",
                    405 | 415 => "not-supported",
                    429 => "throttled",
                    500.. => "transient",
                    _ => "invalid",
                },
            ),
        }
    }

    /// Spine code of `details`, if known; otherwise there are no details.
    fn spine(self) -> Option<(&'static str, &'static str)> {
        match self {
            Kind::Asid => Some(("ASID_CHECK_FAILED", "ASID check failed")),
            Kind::Header => Some(("MISSING_OR_INVALID_HEADER", "Missing or invalid header")),
            _ => None,
        }
    }
}

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status and codes.
    pub kind: Kind,
    /// Sentences, each with its header, if any.
    pub findings: Vec<(String, Option<&'static str>)>,
}

impl Refusal {
    /// A refusal with one sentence.
    pub fn new(kind: Kind, diagnostics: impl Into<String>) -> Refusal {
        Refusal {
            kind,
            findings: vec![(diagnostics.into(), None)],
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.kind.row().0
    }

    /// The response, in the requested format, else JSON.
    pub fn response(&self, query: &str, asked: &HeaderMap) -> Response<Body> {
        let accept: Vec<&[u8]> = asked
            .get_all(header::ACCEPT)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        let content_type = asked.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let format = format::response_format(query, &accept, content_type).unwrap_or(Format::Json);
        let outcome = self.outcome();
        let bytes = match format {
            Format::Json => fhir::json::write(&outcome),
            Format::Xml => fhir::xml::write(&outcome),
        };
        let mut response = Response::new(super::relay::whole(Bytes::from(bytes)));
        *response.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static(format.media_type());
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.kind {
            Kind::Method => {
                let allow = HeaderValue::from_static("GET, POST, PUT");
                headers.insert(header::ALLOW, allow);
            }
            Kind::Throttled | Kind::Overload => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Kind::TooLarge | Kind::TooSlow => {
                // The rest of the body is unread, so the connection cannot be reused.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    fn outcome(&self) -> Element {
        let profile = Element::text("profile", OUTCOME_PROFILE).in_list();
        let mut outcome = Element::resource("OperationOutcome")
            .with(Element::text("id", Uuid::new_v4().to_string()))
            .with(Element::new("meta").with(profile));
        let code = self.kind.row().1;
        for (diagnostics, header) in &self.findings {
            let mut issue = Element::new("issue")
                .in_list()
                .with(Element::text("severity", "error"))
                .with(Element::text("code", code));
            if let Some((code, display)) = self.kind.spine() {
                let coding = Element::new("coding")
                    .in_list()
                    .with(Element::text("system", SPINE_CODES))
                    .with(Element::text("code", code))
                    .with(Element::text("display", display));
                issue.push(Element::new("details").with(coding));
            }
            issue.push(Element::text("diagnostics", diagnostics));
            if let Some(header) = header {
                issue.push(Element::text("location", format!("http.{header}")).in_list());
            }
            outcome.push(issue);
        }
        outcome
    }
}
