//! An answer of the Provider as a test reads it.

use crate::evidence::Exchange;
use fhir::{Element, Limits, Parsed};
use serde_json::Value;

use super::wire::{Exchanged, MAX_BODY, Received};

/// Media type of JSON answers (PROV-GEN-12).
pub(super) const JSON: &str = "application/fhir+json;charset=utf-8";
/// Media type of XML answers.
pub(super) const XML: &str = "application/fhir+xml;charset=utf-8";

/// An answer: what was received, and the resource in it if there is one.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Index into the exchanges of the test.
    pub(super) index: usize,
    pub(super) status: u16,
    /// The resource as JSON whatever it came as; null when there is none that can be read.
    pub(super) resource: Value,
    pub(super) gzipped: bool,
    pub(super) is_xml: bool,
    pub(super) text: String,
    headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn of(index: usize, exchange: &Exchange, received: Received) -> Answer {
        let read = Content::of(exchange, &received.body);
        Answer {
            index,
            status: received.status,
            resource: read.value,
            gzipped: received.gzipped,
            is_xml: read.is_xml,
            text: String::from_utf8_lossy(&received.body).into_owned(),
            headers: exchange.response_headers.clone(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter();
        let found = named.find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// `resourceType`.
    pub(super) fn kind(&self) -> &str {
        text(&self.resource, "/resourceType")
    }

    /// The first issue of an OperationOutcome; null without one.
    pub(super) fn issue(&self) -> &Value {
        self.resource.pointer("/issue/0").unwrap_or(&Value::Null)
    }

    /// What an OperationOutcome says, in short, for a finding.
    pub(super) fn said(&self) -> String {
        let diagnostics = text(self.issue(), "/diagnostics");
        match diagnostics.is_empty() {
            true => String::new(),
            false => format!(" ({})", shortened(diagnostics)),
        }
    }

    /// Id of the Appointment that this answer names: in the body, else in `Location`.
    pub(super) fn appointment_id(&self) -> Option<String> {
        appointment_id(&self.resource, self.header("location"))
    }

    /// Its version as `If-Match` names it: the ETag, else the version in the body.
    pub(super) fn etag(&self) -> String {
        let version = || format!("W/\"{}\"", text(&self.resource, "/meta/versionId"));
        self.header("etag").map_or_else(version, str::to_owned)
    }

    /// Resources of a Bundle's entries with this search mode. Where an entry names none, its type tells.
    pub(super) fn entries(&self, mode: &str) -> Vec<&Value> {
        let all = list(&self.resource, "/entry").iter();
        all.filter(|e| mode_of(e) == mode)
            .filter_map(|e| e.get("resource"))
            .collect()
    }

    /// The matching Slots.
    pub(super) fn slots(&self) -> Vec<&Value> {
        self.entries("match")
    }

    /// `Bundle.total`.
    pub(super) fn total(&self) -> Option<u64> {
        self.resource.get("total").and_then(Value::as_u64)
    }
}

/// The search mode of an entry.
fn mode_of(entry: &Value) -> &str {
    match (
        text(entry, "/search/mode"),
        text(entry, "/resource/resourceType"),
    ) {
        ("", "Slot" | "Appointment") => "match",
        ("", "OperationOutcome") => "outcome",
        ("", _) => "include",
        (mode, _) => mode,
    }
}

/// The id of an Appointment by its resource, else by the `Location` of it.
pub(super) fn appointment_id(resource: &Value, location: Option<&str>) -> Option<String> {
    let id = text(resource, "/id");
    if text(resource, "/resourceType") == "Appointment" && !id.is_empty() {
        return Some(id.to_owned());
    }
    let (_, rest) = location?.rsplit_once("/Appointment/")?;
    let id = rest.split('/').next().unwrap_or_default();
    (!id.is_empty()).then(|| id.to_owned())
}

/// A body read by its media type.
pub(super) struct Content {
    pub(super) value: Value,
    pub(super) is_xml: bool,
    /// The tree and what its structure lacks; none when it cannot be read at all.
    pub(super) parsed: Option<Parsed>,
    /// Why it cannot be read.
    pub(super) fault: Option<String>,
}

impl Content {
    pub(super) fn of(exchange: &Exchange, body: &[u8]) -> Content {
        let media = exchange.response_header("content-type").unwrap_or_default();
        let is_xml = media.to_ascii_lowercase().contains("xml");
        let limits = Limits {
            max_bytes: MAX_BODY,
            // About twenty bytes an element.
            max_elements: MAX_BODY / 16,
            ..Limits::default()
        };
        let read = match is_xml {
            true => fhir::xml::parse(body, &limits),
            false => fhir::json::parse(body, &limits),
        };
        let (parsed, fault) = match read {
            Ok(parsed) => (Some(parsed), None),
            Err(issue) => (None, Some(issue.to_string())),
        };
        let value = match (&parsed, is_xml) {
            (Some(parsed), true) => to_value(&parsed.root),
            // Plain JSON may be readable where FHIR is not.
            _ => serde_json::from_slice(body).unwrap_or(Value::Null),
        };
        Content {
            value,
            is_xml,
            parsed,
            fault,
        }
    }
}

fn to_value(root: &Element) -> Value {
    serde_json::from_slice(&fhir::json::write(root)).unwrap_or(Value::Null)
}

/// A text by its pointer; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default()
}

/// A list by its pointer; empty when there is none.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or(&[])
}

/// A text of each member of a list.
pub(super) fn texts<'a>(
    value: &'a Value,
    members: &str,
    pointer: &'a str,
) -> impl Iterator<Item = &'a str> {
    list(value, members).iter().map(|m| text(m, pointer))
}

/// True for a resource of this type.
pub(super) fn is(resource: &Value, kind: &str) -> bool {
    text(resource, "/resourceType") == kind
}

/// The contained resource of a type.
pub(super) fn contained<'a>(resource: &'a Value, kind: &str) -> &'a Value {
    let mut all = list(resource, "/contained").iter();
    all.find(|r| is(r, kind)).unwrap_or(&Value::Null)
}

/// The resources of a Bundle's entries.
pub(super) fn resources(bundle: &Value) -> impl Iterator<Item = &Value> {
    let entries = list(bundle, "/entry").iter();
    entries.filter_map(|e| e.get("resource"))
}

/// At most 160 characters: a finding is a sentence.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Reads an exchange that belongs to no test.
pub(super) fn read(exchanged: &Exchanged) -> Option<Answer> {
    let received = exchanged.received.clone()?;
    Some(Answer::of(0, &exchanged.exchange, received))
}
