//! Hands over one span per request to an OpenTelemetry exporter, without ever waiting.
//!
//! A span names systems and interactions, never patients: it lacks the path as sent, the query and the body. Its trace is
//! the caller's (W3C `traceparent`), else the `Ssp-TraceID`, so that trace and proxy use the same id, else a new one.

use crate::audit::AuditEntry;
use crate::metrics::Metrics;
use crate::metrics::requests::{RequestKind, Traffic};
use booking::ids::{OdsCode, RequestId};
use booking::refusal::Situation;
use jiff::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

/// Spans that may wait for the exporter: some seconds at full load, about 4 MB.
const QUEUE: usize = 8_192;
/// Length of a `traceparent` of version 00.
const PARENT_CHARS: usize = 55;

/// The caller's trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Id of the trace.
    pub trace: [u8; 16],
    /// Id of the caller's span.
    pub parent: [u8; 8],
    /// Whether the caller records this trace.
    pub sampled: bool,
}

impl Context {
    /// Reads a `traceparent`. A malformed one counts as none (W3C Trace Context, 4.3).
    pub fn read(value: Option<&str>) -> Option<Context> {
        let value = value?.trim();
        let mut parts = value.split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (parent, flags) = (parts.next()?, parts.next()?);
        let known = version == "00" && value.len() == PARENT_CHARS;
        // A later version may be longer, but begins the same way.
        let newer = hex::<1>(version)?[0] != 0xFF && version != "00" && value.len() >= PARENT_CHARS;
        if !known && !newer {
            return None;
        }
        let (trace, parent) = (hex::<16>(trace)?, hex::<8>(parent)?);
        if trace == [0; 16] || parent == [0; 8] {
            return None;
        }
        Some(Context {
            trace,
            parent,
            sampled: hex::<1>(flags)?[0] & 1 == 1,
        })
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 2 * N || !text.bytes().all(lower) {
        return None;
    }
    let mut out = [0; N];
    for (n, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(out)
}

/// The span of one request.
#[derive(Clone, Debug)]
pub struct Span {
    /// Id of the trace.
    pub trace: [u8; 16],
    /// Id of this span.
    pub id: [u8; 8],
    /// Id of the caller's span.
    pub parent: Option<[u8; 8]>,
    /// Name of the interaction.
    pub name: &'static str,
    /// Start, nanoseconds since 1970.
    pub start: u64,
    /// End, nanoseconds since 1970.
    pub end: u64,
    /// HTTP status.
    pub status: u16,
    /// HTTP method.
    pub method: String,
    /// Attributes with a value, by name.
    pub attributes: Vec<(&'static str, String)>,
}

/// Hands spans over, if tracing is on.
pub struct Tracer {
    queue: Option<Sender<Span>>,
    /// A trace is kept if its first eight bytes are below this.
    below: u64,
}

/// The inputs of a span.
pub struct Seen<'r> {
    /// The caller's trace context.
    pub context: Option<Context>,
    /// When the request arrived.
    pub at: Timestamp,
    /// Its audit entry.
    pub entry: &'r AuditEntry,
    /// The tenant, once known.
    pub ods: Option<&'r OdsCode>,
    /// Live or test.
    pub traffic: Traffic,
    /// Why the request was refused.
    pub refused: Option<Situation>,
    /// `X-Request-ID` of the response.
    pub response_id: Uuid,
}

impl Tracer {
    /// A tracer that does nothing.
    pub fn off() -> Tracer {
        Tracer {
            queue: None,
            below: 0,
        }
    }

    /// A tracer that keeps this share of the traces, and the receiving end for the exporter.
    pub fn new(share: f64) -> (Tracer, Receiver<Span>) {
        let (queue, spans) = channel(QUEUE);
        // A float that is too large becomes the largest number, as intended.
        let below = (share.clamp(0.0, 1.0) * u64::MAX as f64) as u64;
        let queue = Some(queue);
        (Tracer { queue, below }, spans)
    }

    /// True when tracing is on.
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Hands over the span of a request. If the exporter is too slow, the span is dropped and counted.
    pub fn span(
        &self,
        metrics: &Metrics,
        seen: &Seen<'_>,
        asked: RequestKind,
        status: u16,
        took: Duration,
    ) {
        let Some(queue) = &self.queue else { return };
        let trace = self.trace(seen);
        let wanted = match seen.context {
            Some(context) => context.sampled,
            None => first_half(&trace) <= self.below && self.below > 0,
        };
        if !wanted {
            return;
        }
        let start = u64::try_from(seen.at.as_nanosecond()).unwrap_or(0);
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let span = Span {
            trace,
            id: span_id(),
            parent: seen.context.map(|c| c.parent),
            name: asked.name(),
            start,
            end: start.saturating_add(took),
            status,
            method: seen.entry.method.clone(),
            attributes: attributes(seen),
        };
        let counter = match queue.try_send(span) {
            Ok(()) => &metrics.spans,
            Err(_) => &metrics.spans_dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn trace(&self, seen: &Seen<'_>) -> [u8; 16] {
        if let Some(context) = seen.context {
            return context.trace;
        }
        let ssp = seen.entry.trace_id.as_deref();
        let of_ssp = ssp
            .and_then(|id| Uuid::parse_str(id).ok())
            .filter(|id| !id.is_nil());
        of_ssp.unwrap_or_else(Uuid::new_v4).into_bytes()
    }
}

fn first_half(trace: &[u8; 16]) -> u64 {
    // The first bytes of a version 7 UUID are the time, so they are mixed with the second half.
    let [a, b, c, d, e, f, g, h, ..] = *trace;
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn span_id() -> [u8; 8] {
    let random = Uuid::new_v4().into_bytes();
    let [a, b, c, d, e, f, _, _, _, g, h, ..] = random;
    // An all-zero id is invalid.
    [a | 1, b, c, d, e, f, g, h]
}

fn attributes(seen: &Seen<'_>) -> Vec<(&'static str, String)> {
    let entry = &seen.entry;
    let error = seen.refused.map(|situation| match situation.row().id {
        "" => situation.row().status.to_string(),
        id => id.to_owned(),
    });
    [
        ("uec.tenant", seen.ods.map(OdsCode::to_string)),
        ("uec.traffic", Some(seen.traffic.name().to_owned())),
        ("uec.error", error),
        ("uec.response_id", Some(seen.response_id.to_string())),
        (
            "uec.request_id",
            entry.request_id.as_ref().map(RequestId::to_string),
        ),
        ("uec.service", entry.service.clone()),
        ("ssp.trace_id", entry.trace_id.clone()),
        ("ssp.from", entry.asid_from.clone()),
        ("uec.organisation", entry.ods.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_strictly() {
        let right = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = Context::read(Some(right)).unwrap();
        assert!(context.sampled);
        assert_eq!((context.trace[0], context.parent[7]), (0x0a, 0x31));
        let not = Context::read(Some(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ));
        assert!(!not.unwrap().sampled);
        assert!(
            Context::read(Some(
                "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"
            ))
            .is_some()
        );
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(Context::read(Some(wrong)), None, "{wrong}");
        }
    }
}
