//! Reads an answer: status, relevant headers, the resource in JSON or XML, and the text of an OperationOutcome.

use crate::form;
use crate::redact;
use fhir::{Element, Limits};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, ETAG, LOCATION, RETRY_AFTER};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::time::Duration;

/// Most elements of an answer. Five thousand slots have about a hundred thousand.
const MAX_ELEMENTS: usize = 600_000;
/// Most issues read from an OperationOutcome, and the longest text of one, characters.
const MAX_ISSUES: usize = 20;
const MAX_TEXT: usize = 500;
/// Longest text of an issue read, characters. It is redacted first and then cut to `MAX_TEXT`.
const MAX_READ: usize = 4_000;
/// Longest header value to keep.
const MAX_HEADER: usize = 2_048;

/// Who an error comes from (CONS-ERR-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The Spine Secure Proxy.
    Ssp,
    /// The Provider.
    Provider,
    /// Unknown.
    Unclear,
}

impl Source {
    /// A word for the log.
    pub fn word(self) -> &'static str {
        match self {
            Source::Ssp => "ssp",
            Source::Provider => "provider",
            Source::Unclear => "unclear",
        }
    }
}

/// One issue of an OperationOutcome.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OutcomeIssue {
    /// `severity`
    pub severity: String,
    /// `code`
    pub code: String,
    /// Code of `details`, such as that of the Spine's code system.
    pub detail: String,
    /// `diagnostics`, or the text of `details`, as received. [`OutcomeIssue::told`] may be stored and shown.
    pub text: String,
}

impl OutcomeIssue {
    /// The issue on one line, for the log.
    pub fn told(&self) -> String {
        let words = format!(
            "{} {} {}: {}",
            self.severity, self.code, self.detail, self.text
        );
        redact::foreign(&words, MAX_TEXT)
    }
}

impl fmt::Debug for OutcomeIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told())
    }
}

/// The content of an OperationOutcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its id: the Provider's error id.
    pub id: Option<String>,
    /// Its issues.
    pub issues: Vec<OutcomeIssue>,
    /// True when severity or code of an issue is malformed; then the outcome refuses nothing (D-79).
    pub malformed: bool,
}

impl Outcome {
    fn read(resource: &Element) -> Outcome {
        let clip = |text: Option<&str>| -> String {
            let text = text.unwrap_or_default().trim();
            text.chars()
                .map(booking::foreign::visible)
                .take(MAX_READ)
                .collect()
        };
        let issues = resource.all("issue").take(MAX_ISSUES).map(|issue| {
            let details = issue.get("details");
            let coding = details.and_then(|d| d.get("coding"));
            let text = issue
                .str_of("diagnostics")
                .or_else(|| details.and_then(|d| d.str_of("text")))
                .or_else(|| coding.and_then(|c| c.str_of("display")));
            OutcomeIssue {
                severity: clip(issue.str_of("severity")),
                code: clip(issue.str_of("code")),
                detail: clip(coding.and_then(|c| c.str_of("code"))),
                text: clip(text),
            }
        });
        let odd = |issue: &Element| !form::odd(issue, &["severity", "code"]).is_empty();
        Outcome {
            malformed: form::is_odd(resource, "issue") || resource.all("issue").any(odd),
            id: resource.str_of("id").map(|id| clip(Some(id))),
            issues: issues.collect(),
        }
    }

    /// Whether an issue has the code, as `code` or in `details`.
    pub fn has_code(&self, code: &str) -> bool {
        self.issues
            .iter()
            .any(|i| i.code.eq_ignore_ascii_case(code) || i.detail.eq_ignore_ascii_case(code))
    }

    /// Whether it refuses: an issue is more than information.
    pub fn refuses(&self) -> bool {
        let mut issues = self.issues.iter();
        !self.malformed
            && issues
                .any(|i| i.severity != "information" && !(i.code.is_empty() && i.text.is_empty()))
    }

    /// Whether an issue's text contains the words, in any case.
    pub fn says(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        self.issues
            .iter()
            .any(|i| i.text.to_ascii_lowercase().contains(&words))
    }
}

/// An answer.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`
    pub location: Option<String>,
    /// `ETag`
    pub etag: Option<String>,
    /// `X-Request-ID` of the answer.
    pub response_id: Option<String>,
    /// `X-Correlation-ID`
    pub correlation_id: Option<String>,
    /// The body, if it is a resource.
    pub resource: Option<Element>,
    /// The content of an OperationOutcome, if the body is one.
    pub outcome: Option<Outcome>,
    /// What is wrong with the body, a fault of the sender (CONS-ERR-01).
    pub fault: Option<String>,
    /// Number of attempts.
    pub tries: u32,
    /// True when a Provider may have acted on an earlier attempt, or on this one in spite of the answer.
    pub uncertain: bool,
    /// True when this or an earlier attempt got a 4xx without the OperationOutcome that a Provider owes. Its sender, such
    /// as a proxy, may not know what the Provider did (D-62).
    pub unsaid: bool,
    retry_after: Option<String>,
    /// How far the sender's clock is ahead of ours, by its `Date`.
    pub clock_ahead: Option<SignedDuration>,
}

/// Omits the resource, which may name a patient.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("outcome", &self.outcome)
            .field("fault", &self.fault)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

/// Reads an answer. A body that is not FHIR leaves `resource` empty; `fault` says why.
pub(super) fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> Answer {
    let mut answer = unreadable(status, headers, String::new());
    answer.fault = None;
    if body.iter().all(u8::is_ascii_whitespace) {
        return answer;
    }
    match parse(headers, body) {
        Ok((resource, _)) if is_modified(&resource) => {
            let kind = resource.resource_type().unwrap_or("resource");
            answer.fault = Some(format!(
                "the {kind} has a modifier extension, which is not known"
            ));
        }
        Ok((resource, fault)) => {
            if resource.resource_type() == Some("OperationOutcome") {
                answer.outcome = Some(Outcome::read(&resource));
            }
            answer.resource = Some(resource);
            answer.fault = fault;
        }
        Err(fault) => answer.fault = Some(fault),
    }
    answer
}

/// An answer without its body.
pub(super) fn unreadable(status: u16, headers: &HeaderMap, fault: String) -> Answer {
    let text = |name: &http::HeaderName| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        (!value.is_empty() && value.len() <= MAX_HEADER).then(|| value.to_owned())
    };
    Answer {
        status,
        location: text(&LOCATION),
        etag: text(&ETAG),
        response_id: text(&crate::plan::X_REQUEST_ID),
        correlation_id: text(&crate::plan::X_CORRELATION_ID),
        resource: None,
        outcome: None,
        fault: Some(fault),
        tries: 1,
        uncertain: false,
        unsaid: false,
        retry_after: text(&RETRY_AFTER),
        clock_ahead: text(&DATE).and_then(|date| {
            let there = jiff::fmt::rfc2822::parse(&date).ok()?.timestamp();
            Some(there.duration_since(Timestamp::now()))
        }),
    }
}

/// Whether a resource is unusable because something in it may reverse its meaning. A Bundle's entries and an Appointment
/// are judged elsewhere.
fn is_modified(resource: &Element) -> bool {
    let elsewhere = matches!(resource.resource_type(), Some("Bundle" | "Appointment"));
    !elsewhere && crate::slots::modifier(resource).is_some()
}

/// The resource, and notes from reading it. The format is that of `Content-Type`; if that is missing, too general or wrong,
/// the first character decides.
fn parse(headers: &HeaderMap, body: &[u8]) -> Result<(Element, Option<String>), String> {
    let limits = Limits {
        max_bytes: super::receive::MAX_BYTES,
        max_elements: MAX_ELEMENTS,
        ..Limits::default()
    };
    let bare = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let first = bare.iter().find(|b| !b.is_ascii_whitespace()).copied();
    let parsed = match first {
        Some(b'<') => fhir::xml::parse(body, &limits),
        Some(b'{') => fhir::json::parse(body, &limits),
        _ => {
            let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
            let kind = redact::foreign(kind.unwrap_or("of unknown type"), MAX_TEXT);
            return Err(format!("the body ({kind}) is no FHIR"));
        }
    };
    let parsed = parsed.map_err(|issue| format!("the body cannot be read: {}", shown(&issue)))?;
    let faults: Vec<&fhir::Issue> = parsed.issues.iter().filter(|i| i.is_error()).collect();
    // Readable parts are used (CONS-SLOT-04); faults go to the log.
    let fault = faults.first().map(|first| {
        format!(
            "{}, the first: {}",
            crate::slots::counted(faults.len(), "structural fault"),
            shown(first)
        )
    });
    Ok((parsed.root, fault))
}

/// Path and rule of an issue. Its message may quote a patient's values.
fn shown(issue: &fhir::Issue) -> String {
    let place = if issue.expression.is_empty() {
        "the text"
    } else {
        &issue.expression
    };
    format!(
        "{} at {place}, line {} column {}",
        issue.code.code(),
        issue.pos.line,
        issue.pos.column
    )
}

impl Answer {
    /// Whether the status is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is a 4xx without an OperationOutcome that refuses.
    pub(super) fn is_unsaid_refusal(&self) -> bool {
        let refuses = self.outcome.as_ref().is_some_and(Outcome::refuses);
        (400..500).contains(&self.status) && !refuses
    }

    /// The resource, if it has this type.
    pub fn resource_of(&self, kind: &str) -> Option<&Element> {
        self.resource
            .as_ref()
            .filter(|r| r.resource_type() == Some(kind))
    }

    /// `Retry-After` as a duration, from seconds or an HTTP date.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.retry_after.as_deref()?;
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(at.duration_since(now))
            .ok()
            .or(Some(Duration::ZERO))
    }

    /// The origin of an error (CONS-ERR-03). The SSP has statuses of its own, its OperationOutcomes have no `details`, and
    /// it adds no X ids, which a Provider sends with every answer.
    pub fn source(&self) -> Source {
        if matches!(self.status, 444 | 495 | 496 | 497 | 499 | 502 | 504 | 599) {
            return Source::Ssp;
        }
        if self
            .outcome
            .as_ref()
            .is_some_and(|o| o.has_code("ASID_CHECK_FAILED"))
        {
            return Source::Ssp;
        }
        if self.response_id.is_some() || self.correlation_id.is_some() {
            return Source::Provider;
        }
        let detailed = self
            .outcome
            .as_ref()
            .is_some_and(|o| o.issues.iter().any(|i| !i.detail.is_empty()));
        match self.status {
            _ if detailed => Source::Provider,
            404 | 409 | 412 | 422 | 500 | 501 => Source::Provider,
            _ => Source::Unclear,
        }
    }

    /// Status, codes and texts of an error, for the log; `None` for a clean success.
    pub fn fault_text(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.is_success() {
            parts.push(format!("from {}", self.source().word()));
            match &self.outcome {
                None => parts.push("without a readable OperationOutcome".to_owned()),
                Some(outcome) => {
                    let id = outcome.id.as_deref();
                    parts
                        .extend(id.map(|id| format!("error id {}", redact::foreign(id, MAX_TEXT))));
                    parts.extend(outcome.issues.iter().map(OutcomeIssue::told));
                }
            }
        }
        parts.extend(self.fault.clone());
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(status: u16, body: &str) -> Answer {
        read(status, &HeaderMap::new(), body.as_bytes())
    }

    /// Proves: CONS-ERR-03
    /// A missing, empty or unparseable OperationOutcome is no obstacle to reading the answer.
    #[test]
    fn malformed_outcomes_are_told_apart_and_never_fatal() {
        for body in [
            "",
            "  ",
            "<html><p>Bad gateway</p></html>",
            "{",
            "nope",
            "[]",
            "{\"resourceType\":7}",
        ] {
            let answer = of(502, body);
            assert_eq!(answer.source(), Source::Ssp);
            assert!(answer.outcome.is_none());
            assert!(answer.fault_text().is_some());
        }
        let mut answer = of(
            422,
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"Slot no longer available"}]}"#,
        );
        assert!(answer.outcome.as_ref().unwrap().says("slot NO longer"));
        answer.response_id = Some("r".into());
        assert_eq!(answer.source(), Source::Provider);
        let xml = r#"<OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="error"/><code value="forbidden"/><details><coding><code value="ASID_CHECK_FAILED"/></coding></details></issue></OperationOutcome>"#;
        assert_eq!(of(403, xml).source(), Source::Ssp);
    }

    #[test]
    fn retry_after_in_both_forms() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let now: Timestamp = "2031-03-04T09:30:00Z".parse().unwrap();
        let wait = |h: &HeaderMap| read(503, h, b"").retry_after(now);
        assert_eq!(wait(&headers), Some(Duration::from_secs(7)));
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Tue, 04 Mar 2031 09:30:09 GMT"),
        );
        assert_eq!(wait(&headers), Some(Duration::from_secs(9)));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(wait(&headers), None);
    }
}
