//! The context of one request: what the edge and the interactions learn of it.

use crate::audit::AuditEntry;
use crate::http::admission::limits::Entered;
use crate::http::admission::untaken::{Holder, Room};
use crate::http::edge::Edge;
use crate::http::trust::Peer;
use crate::metrics::requests::Traffic;
use crate::telemetry::{Context, Seen};
use booking::ids::OdsCode;
use booking::refusal::{Refusal, Situation};
use booking::wire::format::{self, Format};
use http::header::{self, HeaderMap, HeaderValue};
use jiff::Timestamp;
use uuid::Uuid;

/// Longest `X-Request-ID` that is sent back, bytes: a UUID has 36, and an answer that is not taken holds little.
const CORRELATION: usize = 256;

/// One request while it is worked on.
pub struct RequestContext {
    /// The other end.
    pub peer: Peer,
    /// When the request was taken up; the clock of every rule.
    pub now: Timestamp,
    /// `X-Request-ID` of the response.
    pub response_id: Uuid,
    /// The request's own `X-Request-ID`, byte for byte.
    pub correlation: Option<HeaderValue>,
    /// Format of the response.
    pub format: Format,
    /// The format asked for, looked at when its turn comes.
    pub(in crate::http) requested: Result<Format, Refusal>,
    /// The response is compressed.
    pub gzip: bool,
    /// What is recorded of this request; the interaction fills in what it learns.
    pub entry: AuditEntry,
    /// The entry must be stored before the answer leaves: patient data was read.
    pub durable: bool,
    /// Its place among what is under way, kept until the answer is made.
    pub entered: Option<Entered>,
    /// Whose its answer is, as long as it is not taken.
    pub(in crate::http) holder: Holder,
    /// Room for the answer to a change.
    pub(in crate::http) room: Option<Room>,
    /// Its sender has proved nothing yet ([`crate::http::admission::strangers`]).
    pub is_strangers: bool,
    /// The tenant's ODS code, once it is known.
    pub ods: Option<OdsCode>,
    /// Part of a trial or not.
    pub traffic: Traffic,
    /// Why it was refused.
    pub refused: Option<Situation>,
    /// Seconds after which a request that was turned away may come again.
    pub retry_after: u32,
    /// The caller's trace, if it sent one.
    pub context: Option<Context>,
}

impl RequestContext {
    /// What a span says of this request.
    pub fn seen(&self) -> Seen<'_> {
        Seen {
            context: self.context,
            at: self.now,
            entry: &self.entry,
            ods: self.ods.as_ref(),
            traffic: self.traffic,
            refused: self.refused,
            response_id: self.response_id,
        }
    }

    /// The response's id as text.
    pub fn response_id_text(&self) -> String {
        self.response_id.to_string()
    }
}

impl Edge {
    /// The context of a request that has just come, before anything is checked.
    pub(in crate::http) fn open_context(
        &self,
        peer: Peer,
        parts: &http::request::Parts,
    ) -> RequestContext {
        let now = crate::clock::now();
        let response_id = Uuid::new_v4();
        let first = |name: &str| parts.headers.get(name);
        // Until the formats are checked in their turn, errors go out in the format asked for if it can be told.
        let requested = requested_format(parts);
        let format = requested.as_ref().map_or(Format::Json, |format| *format);
        let gzip = accepts_gzip(&parts.headers);
        let mut entry = AuditEntry::new(now, response_id);
        entry.method = short(parts.method.as_str(), 16);
        entry.path = short(parts.uri.path(), 256);
        entry.forwarded = first("forwarded")
            .and_then(|v| v.to_str().ok())
            .map(|v| short(v, 256));
        RequestContext {
            peer,
            now,
            response_id,
            // A copy: the value itself may keep the whole head in memory.
            correlation: first("x-request-id")
                .filter(|id| id.len() <= CORRELATION)
                .and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok()),
            format,
            requested,
            gzip,
            entry,
            durable: false,
            entered: None,
            holder: None,
            room: None,
            is_strangers: true,
            ods: None,
            traffic: Traffic::Live,
            refused: None,
            retry_after: 1,
            context: match self.traces.is_on() {
                true => Context::read(first("traceparent").and_then(|v| v.to_str().ok())),
                false => None,
            },
        }
    }
}

fn requested_format(parts: &http::request::Parts) -> Result<Format, Refusal> {
    let accept: Vec<&[u8]> = parts
        .headers
        .get_all(header::ACCEPT)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    format::response_format(parts.uri.query().unwrap_or(""), &accept, content_type)
}

/// True when `Accept-Encoding` has gzip with a weight above zero (PROV-GEN-13).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .any(|value| {
            value.split(',').any(|part| {
                let mut pieces = part.split(';').map(str::trim);
                let coding = pieces.next().unwrap_or("");
                let refused = pieces.any(|p| {
                    p.strip_prefix("q=")
                        .and_then(|q| q.parse::<f32>().ok())
                        .is_some_and(|q| q <= 0.0)
                });
                (coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip"))
                    && !refused
            })
        })
}

fn short(text: &str, most: usize) -> String {
    if text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic()) {
        return text.to_owned();
    }
    text.chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect()
}
