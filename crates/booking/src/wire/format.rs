//! Decides the format of a body and of its answer (PROV-GEN-07..13).

use super::headers::printable;
use super::query;
use crate::refusal::{Refusal, Situation};

/// A wire format of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `application/fhir+json`
    Json,
    /// `application/fhir+xml`
    Xml,
}

impl Format {
    /// The `Content-Type` to send (PROV-GEN-12: no space before `charset`).
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/fhir+json;charset=utf-8",
            Format::Xml => "application/fhir+xml;charset=utf-8",
        }
    }
}

/// Most media ranges read from all `Accept` headers; browsers send about eight.
const MAX_RANGES: usize = 32;

/// The format of the answer: `_format`, else `Accept`, else the request's `Content-Type`, else JSON (PROV-GEN-08). A format
/// that is not served is 415 (D-14). Other parameters of the query are checked later.
///
/// `Accept` may also name `application/json`, `application/xml` or `text/xml`, which generic clients send. A `Content-Type`
/// that is no FHIR type is ignored here; [`body_format`] refuses it.
pub fn response_format(
    raw_query: &str,
    accept: &[&[u8]],
    content_type: Option<&[u8]>,
) -> Result<Format, Refusal> {
    if let Some(format) = format_parameter(raw_query)? {
        return Ok(format);
    }
    if let Some(format) = accepted(accept)? {
        return Ok(format);
    }
    let of_request = content_type
        .and_then(|v| std::str::from_utf8(v).ok())
        .and_then(fhir_type);
    Ok(of_request.unwrap_or(Format::Json))
}

/// The format of a request body. Anything but a FHIR media type, or no `Content-Type`, is 415 (PROV-GEN-11): the format is
/// never guessed.
pub fn body_format(content_type: Option<&[u8]>) -> Result<Format, Refusal> {
    const WANTED: &str = "send application/fhir+json or application/fhir+xml, in UTF-8";
    let Some(value) = content_type else {
        return Err(unsupported(
            format!("The header Content-Type is missing; {WANTED}."),
            "Content-Type",
        ));
    };
    let text = String::from_utf8_lossy(value);
    fhir_type(&text).ok_or_else(|| {
        let shown = printable(&text);
        unsupported(
            format!("A body of type `{shown}` is not read; {WANTED}."),
            "Content-Type",
        )
    })
}

/// How a request body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// gzip (PROV-GEN-13).
    Gzip,
}

/// Reads `Content-Encoding`: absent, `identity` or one `gzip`; else 415.
pub fn content_coding(values: &[&[u8]]) -> Result<Coding, Refusal> {
    let mut found = Coding::Identity;
    for value in values {
        let text = String::from_utf8_lossy(value);
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let gzip = name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip");
            if gzip && found == Coding::Identity {
                found = Coding::Gzip;
            } else if gzip || !name.eq_ignore_ascii_case("identity") {
                return Err(unsupported(
                    format!(
                        "The content encoding `{}` is not read; send gzip once or none.",
                        printable(&text)
                    ),
                    "Content-Encoding",
                ));
            }
        }
    }
    Ok(found)
}

fn unsupported(diagnostics: String, place: &str) -> Refusal {
    Refusal::new(Situation::MediaTypeUnsupported, diagnostics).location(format!("http.{place}"))
}

fn format_parameter(raw_query: &str) -> Result<Option<Format>, Refusal> {
    let mut found = None;
    for piece in raw_query.split('&').take(query::MAX_PARAMETERS) {
        // Skips the values of other parameters.
        if !(piece.starts_with("_f") || piece.starts_with("%5")) {
            continue;
        }
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        if !matches!(name, "_format" | "%5Fformat" | "%5fformat") || value.is_empty() {
            continue;
        }
        let decoded = query::decode(value).unwrap_or_default();
        // A raw `+` arrives as a space (PROV-GEN-09); after `;` it is only a space.
        let plussed = match decoded.split_once(';') {
            Some((head, tail)) => format!("{};{tail}", head.trim_end().replace(' ', "+")),
            None => decoded.replace(' ', "+"),
        };
        let Some(format) = named(&plussed) else {
            return Err(unsupported(
                format!(
                    "The format `{}` cannot be given; ask for json or xml.",
                    printable(&plussed)
                ),
                "_format",
            ));
        };
        match found {
            Some(other) if other != format => {
                return Err(Refusal::new(
                    Situation::InvalidParameter,
                    "The parameter _format stands twice with different values; send it once.",
                )
                .location("http._format"));
            }
            _ => found = Some(format),
        }
    }
    Ok(found)
}

fn accepted(accept: &[&[u8]]) -> Result<Option<Format>, Refusal> {
    let mut best: Option<(u16, Format)> = None;
    let mut said_anything = false;
    let ranges = accept
        .iter()
        .filter_map(|v| std::str::from_utf8(v).ok())
        .flat_map(|v| v.split(','));
    for range in ranges
        .map(str::trim)
        .filter(|r| !r.is_empty())
        .take(MAX_RANGES)
    {
        said_anything = true;
        let quality = quality(range);
        let Some(format) = (match is_any(essence(range), &["*/*", "application/*"]) {
            true => Some(Format::Json),
            false => generic_type(range),
        }) else {
            continue;
        };
        // The first of equals wins.
        if quality > 0 && best.is_none_or(|(q, _)| quality > q) {
            best = Some((quality, format));
        }
    }
    match best {
        Some((_, format)) => Ok(Some(format)),
        None if said_anything => {
            let given: Vec<String> = accept
                .iter()
                .map(|v| printable(&String::from_utf8_lossy(v)))
                .collect();
            Err(unsupported(
                format!(
                    "None of the formats in Accept (`{}`) can be given; ask for application/fhir+json or \
                     application/fhir+xml.",
                    given.join(", ")
                ),
                "Accept",
            ))
        }
        None => Ok(None),
    }
}

/// The weight in thousandths; 0 if unreadable.
fn quality(range: &str) -> u16 {
    let weight = range.split(';').skip(1).find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    match weight.map(str::parse::<f32>) {
        None => 1000,
        // In range, so the cast is exact enough.
        Some(Ok(q)) if (0.0..=1.0).contains(&q) => (q * 1000.0) as u16,
        Some(_) => 0,
    }
}

/// A media type without its parameters. Compare it without regard to case.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Whether it is one of these media types.
fn is_any(essence: &str, of: &[&str]) -> bool {
    of.iter().any(|name| name.eq_ignore_ascii_case(essence))
}

/// True when the parameters state UTF-8 or no charset (PROV-GEN-12).
fn utf8(media_type: &str) -> bool {
    media_type
        .split(';')
        .skip(1)
        .all(|p| match p.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let value = value.trim().trim_matches('"');
                value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

/// The format of a FHIR media type, DSTU2 names included (PROV-GEN-10).
fn fhir_type(media_type: &str) -> Option<Format> {
    let is = |names: &[&str]| is_any(essence(media_type), names);
    let format = if is(&["application/fhir+json", "application/json+fhir"]) {
        Format::Json
    } else if is(&["application/fhir+xml", "application/xml+fhir"]) {
        Format::Xml
    } else {
        return None;
    };
    utf8(media_type).then_some(format)
}

fn generic_type(media_type: &str) -> Option<Format> {
    let is = |names: &[&str]| is_any(essence(media_type), names);
    let format = if is(&["application/json", "text/json"]) {
        Format::Json
    } else if is(&["application/xml", "text/xml"]) {
        Format::Xml
    } else {
        return fhir_type(media_type);
    };
    utf8(media_type).then_some(format)
}

fn named(value: &str) -> Option<Format> {
    match essence(value) {
        json if json.eq_ignore_ascii_case("json") => Some(Format::Json),
        xml if xml.eq_ignore_ascii_case("xml") => Some(Format::Xml),
        _ => generic_type(value),
    }
}
