//! An answer and how it leaves: format, compression, the response headers of the Standard (PROV-HDR-10..18).

use crate::http::edge::RequestContext;
use crate::http::edge::pieces::Pieces;
use booking::ids::VersionId;
use booking::refusal::Refusal;
use booking::wire::format::Format;
use fhir::Element;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use jiff::Timestamp;
use std::io::Write;

/// Body type of every response.
pub type Body = Pieces;

/// Resource to send.
pub enum Content {
    /// JSON as stored or assembled; XML is derived from it.
    Json(Pieces),
    /// A resource not yet written.
    Tree(Element),
}

/// What an interaction answers.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Resource to send.
    pub content: Content,
    /// Version and time of the resource: `ETag` and `Last-Modified`.
    pub version: Option<(VersionId, Timestamp)>,
    /// Absolute URL of what was made or changed.
    pub location: Option<String>,
    /// Absolute URL of the version sent.
    pub content_location: Option<String>,
}

impl Answer {
    /// 200 with a resource.
    pub fn ok(content: Content) -> Answer {
        Answer {
            status: 200,
            content,
            version: None,
            location: None,
            content_location: None,
        }
    }
}

/// Level of gzip: bodies are compressed whenever gzip is asked for (PROV-GEN-13), so the fastest level is used
/// (it leaves about a tenth of a slot search).
const GZIP_LEVEL: u32 = 1;

/// Turns an answer into a response.
pub fn answer(ctx: &RequestContext, answer: Answer) -> Result<Response<Body>, Refusal> {
    let bytes = match (answer.content, ctx.format) {
        (Content::Json(json), Format::Json) => json,
        (Content::Json(json), Format::Xml) => {
            let tree = crate::http::edge::stored_tree(&json.join())?;
            fhir::xml::write(&tree).into()
        }
        (Content::Tree(tree), Format::Json) => fhir::json::write(&tree).into(),
        (Content::Tree(tree), Format::Xml) => fhir::xml::write(&tree).into(),
    };
    let mut response = respond(ctx, answer.status, bytes);
    let headers = response.headers_mut();
    if let Some((version, at)) = &answer.version {
        put(headers, header::ETAG, &format!("W/\"{version}\""));
        put(headers, header::LAST_MODIFIED, &http_date(*at));
    }
    if let Some(url) = &answer.location {
        put(headers, header::LOCATION, url);
    }
    if let Some(url) = &answer.content_location {
        put(headers, header::CONTENT_LOCATION, url);
    }
    Ok(response)
}

/// Turns a refusal into a response with its OperationOutcome (PROV-GEN-17).
pub fn refuse(
    ctx: &RequestContext,
    refusal: &Refusal,
    allow: Option<&str>,
    existing: Option<&str>,
) -> Response<Body> {
    let tree = refusal.outcome(&ctx.response_id_text());
    let bytes = match ctx.format {
        Format::Json => fhir::json::write(&tree),
        Format::Xml => fhir::xml::write(&tree),
    };
    let mut response = respond(ctx, refusal.status(), bytes.into());
    let headers = response.headers_mut();
    if let Some(allow) = allow {
        put(headers, header::ALLOW, allow);
    }
    if let Some(url) = existing {
        put(headers, header::LOCATION, url);
    }
    if refusal.situation == booking::refusal::Situation::TokenRefused {
        put(
            headers,
            header::WWW_AUTHENTICATE,
            "Bearer error=\"invalid_token\"",
        );
    }
    if matches!(refusal.status(), 429 | 503) {
        put(headers, header::RETRY_AFTER, &ctx.retry_after.to_string());
    }
    if matches!(refusal.status(), 408 | 413) {
        // The rest of the body is not read: the connection cannot be used again.
        put(headers, header::CONNECTION, "close");
    }
    response
}

fn respond(ctx: &RequestContext, status: u16, bytes: Pieces) -> Response<Body> {
    let (bytes, gzipped) = match ctx.gzip {
        true => match gzip(&bytes) {
            Some(small) => (small, true),
            None => (bytes, false),
        },
        false => (bytes, false),
    };
    let mut response = Response::new(bytes);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(ctx.format.media_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Encoding"),
    );
    if gzipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    put(
        headers,
        HeaderName::from_static("x-request-id"),
        &ctx.response_id_text(),
    );
    if let Some(correlation) = &ctx.correlation {
        headers.insert(
            HeaderName::from_static("x-correlation-id"),
            correlation.clone(),
        );
    }
    if ctx.peer.tls {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
    response
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Every value is made here from checked parts; one that is not a header value is left out, not sent broken.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn gzip(pieces: &Pieces) -> Option<Pieces> {
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(usize::try_from(pieces.len() / 4).unwrap_or_default()),
        Compression::new(GZIP_LEVEL),
    );
    for piece in pieces.iter() {
        encoder.write_all(piece).ok()?;
    }
    encoder.finish().ok().map(Pieces::from)
}

/// HTTP-date of an instant, whole seconds.
pub fn http_date(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

#[cfg(test)]
mod tests {
    /// Proves: PROV-HDR-14
    #[test]
    fn http_date_has_the_form_of_rfc_9110() {
        let at = "2031-03-04T08:15:02.114Z".parse().unwrap();
        assert_eq!(super::http_date(at), "Tue, 04 Mar 2031 08:15:02 GMT");
    }
}
