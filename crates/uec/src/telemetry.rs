//! Spans for an OpenTelemetry collector: OTLP over HTTP in its JSON form, written here.
//!
//! A request hands its span to a bounded queue and goes on. This side takes what is there, sends it in batches, and
//! throws away and counts what the collector does not take: tracing never holds up a booking.

use crate::web;
use provider::config::{Telemetry, check_collector};
use provider::metrics::Metrics;
use provider::telemetry::{Span, Tracer};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Receiver;

/// Most spans of one message, about 0.5 MB.
const BATCH: usize = 512;
/// How long spans are gathered for one message.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// After a failure nothing is sent for this long; the queue fills meanwhile, and then overflows.
const PAUSE: Duration = Duration::from_secs(5);
/// A failure is logged at most this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// `SPAN_KIND_SERVER`.
const SERVER: u8 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// Takes the collector's address from `OTEL_EXPORTER_OTLP_ENDPOINT` and the name from `OTEL_SERVICE_NAME`, where they are
/// set; as everywhere, the environment wins over the file.
pub fn from_environment(settings: &mut Telemetry) -> Result<(), String> {
    let read = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
    if let Some(url) = read("OTEL_EXPORTER_OTLP_ENDPOINT") {
        check_collector(&url).map_err(|e| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {e}"))?;
        settings.otlp = Some(url);
    }
    if let Some(name) = read("OTEL_SERVICE_NAME") {
        settings.service_name = name;
    }
    Ok(())
}

/// Starts the exporter, when there is a collector.
pub fn start(settings: &Telemetry, metrics: &Arc<Metrics>) -> Result<Option<Tracer>, String> {
    let Some(base) = &settings.otlp else {
        return Ok(None);
    };
    let client = web::client(ANSWER_WITHIN).map_err(|e| format!("telemetry: {e}"))?;
    let (tracer, spans) = Tracer::new(settings.sample);
    let exporter = Exporter {
        client,
        url: format!("{}/v1/traces", base.trim_end_matches('/')),
        service: settings.service_name.clone(),
        metrics: metrics.clone(),
        complained: None,
    };
    tokio::spawn(exporter.run(spans));
    Ok(Some(tracer))
}

struct Exporter {
    client: Client,
    url: String,
    service: String,
    metrics: Arc<Metrics>,
    complained: Option<Instant>,
}

impl Exporter {
    /// Ends when the server does.
    async fn run(mut self, mut spans: Receiver<Span>) {
        let mut batch = Vec::with_capacity(BATCH);
        while spans.recv_many(&mut batch, BATCH).await > 0 {
            let until = tokio::time::Instant::now() + GATHER;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                match tokio::time::timeout_at(until, spans.recv_many(&mut batch, room)).await {
                    Ok(n) if n > 0 => {}
                    _ => break,
                }
            }
            if let Err(why) = self.send(&batch).await {
                let lost = batch.len() as u64;
                self.metrics.spans_failed.fetch_add(lost, Ordering::Relaxed);
                self.complain(&why);
                tokio::time::sleep(PAUSE).await;
            }
            batch.clear();
        }
    }

    async fn send(&self, batch: &[Span]) -> Result<(), String> {
        let message = message(&self.service, batch).to_string();
        match web::post(&self.client, &self.url, "application/json", message).await? {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    fn complain(&mut self, why: &str) {
        if self
            .complained
            .is_none_or(|at| at.elapsed() > COMPLAIN_EVERY)
        {
            tracing::warn!(
                why,
                "the collector of traces does not take spans; they are thrown away"
            );
            self.complained = Some(Instant::now());
        }
    }
}

/// An `ExportTraceServiceRequest` in JSON: ids in hexadecimal, 64-bit numbers as texts.
fn message(service: &str, batch: &[Span]) -> Value {
    let spans: Vec<Value> = batch.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", service),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeSpans": [{"scope": {"name": "uec"}, "spans": spans}],
    }]})
}

fn span(span: &Span) -> Value {
    let mut attributes = vec![
        text("http.request.method", &span.method),
        json!({"key": "http.response.status_code", "value": {"intValue": span.status.to_string()}}),
        text("uec.interaction", span.name),
    ];
    attributes.extend(span.attributes.iter().map(|(key, value)| text(key, value)));
    let mut out = json!({
        "traceId": hex(&span.trace),
        "spanId": hex(&span.id),
        "name": span.name,
        "kind": SERVER,
        "startTimeUnixNano": span.start.to_string(),
        "endTimeUnixNano": span.end.to_string(),
        "attributes": attributes,
        // Only what is the server's fault is an error of the server's span.
        "status": if span.status >= 500 { json!({"code": ERROR}) } else { json!({}) },
    });
    if let (Some(parent), Some(object)) = (span.parent, out.as_object_mut()) {
        object.insert("parentSpanId".to_owned(), hex(&parent).into());
    }
    out
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
