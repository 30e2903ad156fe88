//! Builds the requests of a Consumer, one file per interaction: method, address through the SSP, headers, token and body
//! (CONS-REQ-01..06). Does no I/O; clock and ids are arguments.

mod address;
pub mod book;
pub mod cancel;
pub mod capability;
mod details;
mod of_appointment;
pub mod patient;
pub mod read;
pub mod search_appointments;
pub mod search_slots;

pub use address::{encode_root, join, query_value};
pub use details::{DetailFault, DetailsError, Field};
pub use patient::{
    Address, BookingDetails, Contact, ContactPoint, Gender, Patient, Person, Relationship, System,
    Use, Verification,
};

use booking::ids::{Asid, RequestId, TraceId};
use booking::wire::format::Format;
use booking::wire::interaction::Interaction;
use booking::wire::minting::Content;
use booking::wire::token::{Device, Organization, Practitioner};
use bytes::Bytes;
use fhir::Element;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use std::fmt;
use uuid::Uuid;

/// `Ssp-TraceID`
pub const SSP_TRACE_ID: HeaderName = HeaderName::from_static("ssp-traceid");
/// `Ssp-From`
pub const SSP_FROM: HeaderName = HeaderName::from_static("ssp-from");
/// `Ssp-To`
pub const SSP_TO: HeaderName = HeaderName::from_static("ssp-to");
/// `Ssp-InteractionID`
pub const SSP_INTERACTION_ID: HeaderName = HeaderName::from_static("ssp-interactionid");
/// `X-Request-ID`
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `X-Correlation-ID`
pub const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The sender in `Ssp-From` and in the token of every request (NAT-JWT-02..11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Own ASID.
    pub asid: Asid,
    /// `iss`: URL of the Consumer's Spine endpoint.
    pub issuer: String,
    /// The sending system.
    pub device: Device,
    /// Organisation of the user.
    pub organization: Organization,
    /// The user. Providers also accept a token without one.
    pub practitioner: Option<Practitioner>,
}

impl Sender {
    /// A token for one request (CONS-REQ-01).
    pub fn token(&self, scope: &str, audience: &str, now: Timestamp) -> String {
        let subject = self
            .practitioner
            .as_ref()
            .map_or_else(|| self.device.value.clone(), |p| p.id.clone());
        Content {
            issuer: self.issuer.clone(),
            subject,
            audience: audience.to_owned(),
            scope: scope.to_owned(),
            issued_at: now.as_second(),
            device: self.device.clone(),
            organization: self.organization.clone(),
            practitioner: self.practitioner.clone(),
        }
        .unsecured()
    }
}

/// The way to one Provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Address of the SSP. `None` sends straight to the Provider, for development only.
    pub ssp: Option<String>,
    /// ASID of the Provider, from the DoS.
    pub asid: Asid,
    /// Service root from SDS without trailing `/`; also the token's `aud`.
    pub root: String,
}

impl Route {
    /// A route; removes a trailing `/` of the root.
    pub fn new(ssp: Option<String>, asid: Asid, root: &str) -> Route {
        Route {
            ssp,
            asid,
            root: root.trim().trim_end_matches('/').to_owned(),
        }
    }

    /// The address of a FHIR request below the service root, through the SSP if there is one.
    pub fn url(&self, tail: &str) -> String {
        join(self.ssp.as_deref(), &self.root, tail)
    }
}

/// The ids of one request. A repeat keeps them (CONS-REQ-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// `X-Request-ID`
    pub request: RequestId,
    /// `Ssp-TraceID`
    pub trace: TraceId,
}

impl Ids {
    /// New ids: version 4 UUIDs in lower case.
    pub fn new() -> Ids {
        let fresh = || Uuid::new_v4().to_string();
        loop {
            // A UUID is valid as both; the loop only avoids a panic.
            if let (Ok(request), Ok(trace)) = (RequestId::parse(&fresh()), TraceId::parse(&fresh()))
            {
                return Ids { request, trace };
            }
        }
    }
}

impl Default for Ids {
    fn default() -> Ids {
        Ids::new()
    }
}

/// The inputs of every request, besides its own criteria.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The sender.
    pub sender: &'a Sender,
    /// The Provider.
    pub route: &'a Route,
    /// The ids.
    pub ids: Ids,
    /// The time.
    pub now: Timestamp,
}

impl<'a> Setting<'a> {
    /// Inputs with new ids and the current time.
    pub fn now(sender: &'a Sender, route: &'a Route) -> Setting<'a> {
        Setting {
            sender,
            route,
            ids: Ids::new(),
            now: Timestamp::now(),
        }
    }

    fn request(
        &self,
        interaction: Interaction,
        method: Method,
        tail: &str,
        document: Option<Element>,
    ) -> Result<Request, PlanError> {
        let body = document.as_ref().map(|d| Bytes::from(fhir::json::write(d)));
        let url = self.route.url(tail);
        if url.len() > MAX_URL {
            return Err(PlanError(format!(
                "the address has {} bytes; at most {MAX_URL} are sent",
                url.len()
            )));
        }
        let mut headers = HeaderMap::new();
        let urn = interaction.urns().first().copied().unwrap_or_default();
        let token = self
            .sender
            .token(interaction.scope(), &self.route.root, self.now);
        let mut authorization = header("Authorization", &format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(
            SSP_TRACE_ID,
            header("Ssp-TraceID", self.ids.trace.as_str())?,
        );
        headers.insert(SSP_FROM, header("Ssp-From", self.sender.asid.as_str())?);
        headers.insert(SSP_TO, header("Ssp-To", self.route.asid.as_str())?);
        headers.insert(SSP_INTERACTION_ID, header("Ssp-InteractionID", urn)?);
        headers.insert(
            X_REQUEST_ID,
            header("X-Request-ID", self.ids.request.as_str())?,
        );
        let json = HeaderValue::from_static(Format::Json.media_type());
        headers.insert(ACCEPT, json.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, json);
        }
        Ok(Request {
            interaction,
            method,
            url,
            headers,
            body,
            document,
            ids: self.ids.clone(),
            to: self.route.asid.clone(),
        })
    }
}

/// Longest address sent, bytes. Proxies and servers accept a request line of 8 KiB; the criteria need less than one.
pub const MAX_URL: usize = 8 * 1024;

fn header(name: &str, value: &str) -> Result<HeaderValue, PlanError> {
    HeaderValue::from_str(value)
        .map_err(|_| PlanError(format!("{name} has characters that no header takes")))
}

/// Why a request could not be built: settings or ids do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(String);

/// A complete request, which can be sent repeatedly unchanged.
#[derive(Clone)]
pub struct Request {
    /// The interaction.
    pub interaction: Interaction,
    /// HTTP method.
    pub method: Method,
    /// The full address, percent-encoded.
    pub url: String,
    /// All headers except those of HTTP itself.
    pub headers: HeaderMap,
    /// Body of a booking or cancellation, JSON unless changed by [`Request::in_xml`].
    pub body: Option<Bytes>,
    document: Option<Element>,
    /// The ids.
    pub ids: Ids,
    /// ASID of the Provider.
    pub to: Asid,
}

/// Omits body and query, which may name a patient.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("interaction", &self.interaction.name())
            .field("method", &self.method)
            .field("address", &self.address())
            .field("request_id", &self.ids.request.as_str())
            .field("trace_id", &self.ids.trace.as_str())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The same request with an XML body and new ids. `None`: it has no JSON body. For a Provider that wrongly answers 415
    /// to JSON.
    pub fn in_xml(&self) -> Option<Request> {
        let document = self.document.as_ref()?;
        let ids = Ids::new();
        let mut headers = self.headers.clone();
        headers.insert(
            X_REQUEST_ID,
            header("X-Request-ID", ids.request.as_str()).ok()?,
        );
        headers.insert(
            SSP_TRACE_ID,
            header("Ssp-TraceID", ids.trace.as_str()).ok()?,
        );
        let xml = HeaderValue::from_static(Format::Xml.media_type());
        headers.insert(CONTENT_TYPE, xml.clone());
        headers.insert(ACCEPT, xml);
        Some(Request {
            headers,
            body: Some(Bytes::from(fhir::xml::write(document))),
            document: None,
            ids,
            ..self.clone()
        })
    }

    /// The value of a header; empty if absent.
    pub fn sent(&self, name: &HeaderName) -> String {
        let value = self.headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    }

    /// The address without its query, for logs.
    pub fn address(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }
}
