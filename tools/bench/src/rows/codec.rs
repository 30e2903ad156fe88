//! An Appointment decoded, checked against its profiles and encoded; and between JSON and XML.

use super::median;
use crate::Setting;
use crate::fixture::MadeSlot;
use crate::message;
use crate::report::Measure;
use booking::appointment::BookingRequest;
use fhir::{Limits, Parsed};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;
use uuid::Uuid;

/// Messages that are measured together; one takes too short a time for the clock.
const BATCH: usize = 20;

/// Measures the row.
pub async fn run(setting: &Setting) -> Result<Vec<Measure>, String> {
    let batches = if setting.quick { 50 } else { 400 };
    let start = Timestamp::now() + SignedDuration::from_hours(5);
    let slot = MadeSlot {
        uuid: Uuid::now_v7(),
        clinic: 0,
        start,
        end: start + SignedDuration::from_mins(10),
    };
    let json_text = message::body(&slot, "clinic-0", 1).into_bytes();
    let xml_text = fhir::xml::write(&json(&json_text)?.root);
    let time = |work: &dyn Fn() -> Result<usize, String>| micros(batches, work);
    let whole = time(&|| {
        let request = BookingRequest::read(json(&json_text)?).map_err(|e| format!("{e:?}"))?;
        Ok(fhir::json::write(&request.document).len())
    })?;
    let read = time(&|| Ok(json(&json_text)?.issues.len()))?;
    let root = json(&json_text)?.root;
    let write = time(&|| Ok(fhir::json::write(&root).len()))?;
    let to_xml = time(&|| Ok(fhir::xml::write(&json(&json_text)?.root).len()))?;
    let from_xml = time(&|| Ok(fhir::json::write(&xml(&xml_text)?.root).len()))?;
    let size = json_text.len();
    Ok(vec![
        Measure::new("codec", "a booking message decoded, checked and encoded")
            .measured(format!(
                "{whole:.0} µs ({size} bytes; decoding {read:.0} µs, encoding {write:.0} µs of it)"
            ))
            .target("under 150 µs", whole < 150.0)
            .values(json!({
                "bytes": size, "xml_bytes": xml_text.len(), "whole_us": whole, "decode_us": read,
                "encode_us": write, "json_to_xml_us": to_xml, "xml_to_json_us": from_xml,
            })),
        Measure::new("codec", "the message from JSON to XML, and back")
            .measured(format!("{to_xml:.0} µs, and {from_xml:.0} µs")),
    ])
}

fn json(text: &[u8]) -> Result<Parsed, String> {
    clean(fhir::json::parse(text, &Limits::default()))
}

fn xml(text: &[u8]) -> Result<Parsed, String> {
    clean(fhir::xml::parse(text, &Limits::default()))
}

fn clean(parsed: Result<Parsed, fhir::Issue>) -> Result<Parsed, String> {
    let parsed = parsed.map_err(|e| format!("{e:?}"))?;
    match parsed.has_errors() {
        true => Err(format!("{:?}", parsed.issues)),
        false => Ok(parsed),
    }
}

/// Microseconds of one piece of work: the median of the batches, after one to warm up.
fn micros(batches: usize, work: &dyn Fn() -> Result<usize, String>) -> Result<f64, String> {
    let mut took = Vec::with_capacity(batches);
    for batch in 0..=batches {
        let began = Instant::now();
        for _ in 0..BATCH {
            black_box(work()?);
        }
        if batch > 0 {
            took.push(began.elapsed().as_secs_f64() * 1e6 / BATCH as f64);
        }
    }
    Ok(median(&took))
}
