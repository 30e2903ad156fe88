//! The checks before a request is forwarded, in order: method, headers, certificate, rights of both systems, endpoint,
//! media type (NAT-SSP-03, NAT-SSP-04).

use super::refusal::{Kind, Refusal};
use super::target;
use crate::directory::{Directory, System};
use crate::pki;
use booking::ids::{Asid, IdError, TraceId};
use http::request::Parts;
use http::{Method, Uri, header};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;

/// Longest interaction id; the Spine's longest have about 120 characters.
const MAX_INTERACTION: usize = 256;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether TLS is on.
    pub tls: bool,
    /// Its verified certificate.
    pub certificate: Option<CertificateDer<'static>>,
}

/// The four SSP headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SspHeaders {
    /// `Ssp-TraceID`
    pub trace_id: TraceId,
    /// `Ssp-From`
    pub from: Asid,
    /// `Ssp-To`
    pub to: Asid,
    /// `Ssp-InteractionID`
    pub interaction: String,
}

/// A request that passed, with its target.
pub struct Passed {
    /// URL at the Provider.
    pub target: Uri,
}

/// Check 1: only the Standard's methods pass.
pub fn method(method: &Method) -> Result<(), Refusal> {
    match *method {
        Method::GET | Method::POST | Method::PUT => Ok(()),
        _ => Err(Refusal::new(
            Kind::Method,
            format!(
                "The method {} is not passed on; use GET, POST or PUT.",
                shown(method.as_str())
            ),
        )),
    }
}

/// Check 2: the four headers; reports every fault.
pub fn headers(parts: &Parts) -> Result<SspHeaders, Refusal> {
    let mut faults = Vec::new();
    let trace_id = parsed(parts, "Ssp-TraceID", TraceId::parse, &mut faults);
    let from = parsed(parts, "Ssp-From", Asid::parse, &mut faults);
    let to = parsed(parts, "Ssp-To", Asid::parse, &mut faults);
    let interaction = single(parts, "Ssp-InteractionID", &mut faults).and_then(|text| {
        let legal = (1..=MAX_INTERACTION).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic())
            && text.starts_with("urn:");
        if !legal {
            let fault = "The header Ssp-InteractionID holds no interaction: it is a URN.";
            faults.push((fault.to_owned(), Some("Ssp-InteractionID")));
        }
        legal.then(|| text.to_owned())
    });
    match (trace_id, from, to, interaction) {
        (Some(trace_id), Some(from), Some(to), Some(interaction)) => Ok(SspHeaders {
            trace_id,
            from,
            to,
            interaction,
        }),
        _ => Err(Refusal {
            kind: Kind::Header,
            findings: faults,
        }),
    }
}

/// The other checks.
pub fn rights(
    directory: &Directory,
    peer: &Peer,
    ssp: &SspHeaders,
    parts: &Parts,
) -> Result<Passed, Refusal> {
    let sender = directory
        .system(ssp.from.as_str())
        .ok_or_else(|| denied(format!("The sender {} is not registered.", ssp.from)))?;
    certificate(peer, sender)?;
    if !sender.may(&ssp.interaction) {
        return Err(denied(format!(
            "The sender {} is not registered for the interaction {}.",
            ssp.from, ssp.interaction
        )));
    }
    let receiver = directory
        .system(ssp.to.as_str())
        .ok_or_else(|| denied(format!("The receiver {} is not registered.", ssp.to)))?;
    if !receiver.may(&ssp.interaction) {
        return Err(denied(format!(
            "The receiver {} is not registered for the interaction {}.",
            ssp.to, ssp.interaction
        )));
    }
    let target = target::read(&parts.uri).map_err(|why| Refusal::new(Kind::Target, why))?;
    let held = directory
        .endpoints_of(receiver, &ssp.interaction)
        .any(|endpoint| target::covers(&endpoint.endpoint, &target));
    if !held {
        return Err(denied(format!(
            "The URL does not start with an endpoint that the directory holds for {} and {}.",
            ssp.to, ssp.interaction
        )));
    }
    media_type(parts)?;
    Ok(Passed { target })
}

/// The sender's certificate has its registered name. Not checked without TLS.
fn certificate(peer: &Peer, sender: &System) -> Result<(), Refusal> {
    if !peer.tls {
        return Ok(());
    }
    let Some(certificate) = &peer.certificate else {
        return Err(Refusal::new(
            Kind::NoCertificate,
            "No client certificate was shown.",
        ));
    };
    let Some(fqdn) = &sender.fqdn else {
        return Err(denied(format!(
            "No name is registered for the sender {}.",
            sender.asid
        )));
    };
    match pki::carries_name(certificate, fqdn) {
        true => Ok(()),
        false => Err(denied(format!(
            "The client certificate does not carry {fqdn}, the name registered for the sender {}.",
            sender.asid
        ))),
    }
}

/// Any media type passes (NAT-SSP-05), but a body needs one.
fn media_type(parts: &Parts) -> Result<(), Refusal> {
    let given = parts.headers.get(header::CONTENT_TYPE);
    let has_body = parts.headers.contains_key(header::TRANSFER_ENCODING)
        || parts
            .headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
        || parts.method != Method::GET;
    let legal = match given {
        None => !has_body,
        Some(value) => value.to_str().is_ok_and(is_media_type),
    };
    match legal {
        true => Ok(()),
        false => Err(Refusal::new(
            Kind::MediaType,
            "The header Content-Type is missing or names no media type; application/fhir+json is usual.",
        )),
    }
}

fn is_media_type(value: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*'`|~%".contains(&b))
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

type Findings = Vec<(String, Option<&'static str>)>;

fn parsed<T>(
    parts: &Parts,
    name: &'static str,
    parse: fn(&str) -> Result<T, IdError>,
    faults: &mut Findings,
) -> Option<T> {
    match parse(single(parts, name, faults)?) {
        Ok(id) => Some(id),
        Err(error) => {
            let fault = format!("The header {name} holds no legal value: the {error}.");
            faults.push((fault, Some(name)));
            None
        }
    }
}

fn single<'a>(parts: &'a Parts, name: &'static str, faults: &mut Findings) -> Option<&'a str> {
    let mut values = parts.headers.get_all(name).iter();
    let fault = match (values.next(), values.next()) {
        (Some(one), None) => match one.to_str() {
            Ok(text) => return Some(text.trim()),
            Err(_) => "has bytes that are not ASCII",
        },
        (None, _) => "is missing",
        (Some(_), Some(_)) => "stands more than once; send it once",
    };
    faults.push((format!("The header {name} {fault}."), Some(name)));
    None
}

fn denied(why: String) -> Refusal {
    Refusal::new(Kind::Asid, why)
}

/// The visible start of a text from the request.
fn shown(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_graphic)
        .take(32)
        .collect()
}
