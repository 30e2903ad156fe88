//! An answer and how it leaves: format, compression, and the headers of a real Provider (PROV-HDR-10..18).

use crate::evidence::{Body, Headers};
use booking::refusal::{Refusal, Situation};
use booking::wire::format::Format;
use bytes::Bytes;
use fhir::Element;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use std::io::Write;
use uuid::Uuid;

use super::asked::Asked;

/// Level of gzip: the fastest; answers stay on this machine or its network.
const GZIP_LEVEL: u32 = 1;

/// What the simulator decided to answer.
#[derive(Debug)]
pub(super) enum Reply {
    /// A resource.
    Resource(Box<Given>),
    /// A refusal; the address of what exists already, for a repeated booking.
    Refused(Box<Refusal>, Option<String>),
    /// A status and nothing else, as a gateway gives it.
    Empty(u16),
    /// Half of a resource.
    Broken(Element),
    /// No answer at all.
    Silence,
}

/// A resource with its place and version.
#[derive(Debug)]
pub(super) struct Given {
    pub status: u16,
    pub resource: Element,
    pub version: Option<(u32, Timestamp)>,
    pub location: Option<String>,
    pub content_location: Option<String>,
}

impl Reply {
    /// 200 with a resource.
    pub fn ok(resource: Element) -> Reply {
        Reply::Resource(Box::new(Given {
            status: 200,
            resource,
            version: None,
            location: None,
            content_location: None,
        }))
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        Reply::Refused(Box::new(refusal), None)
    }
}

/// How a reply leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub format: Format,
    pub https: bool,
    /// Methods of a path that was asked with another one.
    pub allow: Option<&'static str>,
}

/// An answer as it goes over the wire.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// None: no answer.
    pub status: Option<u16>,
    pub headers: Headers,
    pub body: Bytes,
    /// What evidence keeps of the body.
    pub kept: Body,
}

/// Turns a reply into what goes over the wire.
pub(super) fn outgoing(reply: Reply, asked: &Asked, manner: &Manner) -> Outgoing {
    let Manner {
        format,
        https,
        allow,
    } = *manner;
    let id = Uuid::new_v4().to_string();
    let mut out = Outgoing {
        status: None,
        headers: Vec::new(),
        body: Bytes::new(),
        kept: Body::default(),
    };
    let cut = matches!(reply, Reply::Broken(_));
    let Some(resource) = head(reply, &id, allow, &mut out) else {
        return out;
    };
    let mut bytes = match format {
        Format::Json => fhir::json::write(&resource),
        Format::Xml => fhir::xml::write(&resource),
    };
    if cut {
        bytes.truncate(bytes.len() / 2);
    }
    put(&mut out, "Content-Type", format.media_type());
    put(&mut out, "Cache-Control", "no-store");
    put(&mut out, "Vary", "Accept, Accept-Encoding");
    put(&mut out, "X-Request-ID", &id);
    if let Some(correlation) = asked.header("x-request-id") {
        put(&mut out, "X-Correlation-ID", correlation);
    }
    if https {
        put(
            &mut out,
            "Strict-Transport-Security",
            "max-age=31536000; includeSubDomains",
        );
    }
    let plain = Body::new(bytes.clone());
    match wants_gzip(asked).then(|| gzip(&bytes)).flatten() {
        Some(small) => {
            put(&mut out, "Content-Encoding", "gzip");
            out.kept = plain.was_coded("gzip", small.len() as u64);
            out.body = small;
        }
        None => {
            out.kept = plain;
            out.body = Bytes::from(bytes);
        }
    }
    out
}

fn put(out: &mut Outgoing, name: &str, value: &str) {
    out.headers.push((name.to_owned(), value.to_owned()));
}

/// Status and the headers that belong to this reply; the resource, if there is one.
fn head(reply: Reply, id: &str, allow: Option<&str>, out: &mut Outgoing) -> Option<Element> {
    match reply {
        Reply::Silence => None,
        Reply::Empty(status) => {
            out.status = Some(status);
            put(out, "Cache-Control", "no-store");
            None
        }
        Reply::Broken(resource) => {
            out.status = Some(200);
            Some(resource)
        }
        Reply::Resource(given) => {
            out.status = Some(given.status);
            if let Some((version, at)) = given.version {
                put(out, "ETag", &format!("W/\"{version}\""));
                put(out, "Last-Modified", &http_date(at));
            }
            for (name, value) in [
                ("Location", &given.location),
                ("Content-Location", &given.content_location),
            ] {
                if let Some(value) = value {
                    put(out, name, value);
                }
            }
            Some(given.resource)
        }
        Reply::Refused(refusal, existing) => {
            out.status = Some(refusal.status());
            if let Some(url) = existing {
                put(out, "Location", &url);
            }
            if let Some(allow) = allow {
                put(out, "Allow", allow);
            }
            if refusal.situation == Situation::TokenRefused {
                put(out, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
            }
            Some(refusal.outcome(id))
        }
    }
}

/// Whether gzip is named in Accept-Encoding without a weight of zero (PROV-GEN-13).
fn wants_gzip(asked: &Asked) -> bool {
    let Some(text) = asked.header("accept-encoding") else {
        return false;
    };
    text.split(',').any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        let named = pieces
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = pieces.any(|p| {
            p.strip_prefix("q=")
                .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0))
        });
        named && !refused
    })
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(bytes.len() / 4),
        Compression::new(GZIP_LEVEL),
    );
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// HTTP-date of an instant, whole seconds.
fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
