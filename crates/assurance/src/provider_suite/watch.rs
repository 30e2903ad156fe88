//! What holds for every answer, whatever it answers: watched all along, judged at the end, one verdict a rule. So a
//! header that is always missing is one failed test, not all of them.

use crate::evidence::{Exchange, Finding, Id, Outcome, Severity, Verdict};
use crate::rows::rows;
use booking::careconnect::conformance;
use booking::count::{counted, plural};
use booking::systems;
use booking::version::StandardVersion;
use fhir::article::with_article;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::LazyLock;

use super::answer::{Content, JSON, XML, list, shortened, text};
use super::messages::{FAMILY, PHONE, POSTCODE};
use super::request::Request;
use super::wire::Received;

/// Most different findings of one rule.
const MAX_FINDINGS: usize = 20;
/// Most entries of one Bundle whose profiles are checked; the faults of a server are in the first ones.
const MAX_ENTRIES: usize = 200;
/// Most issues of one answer that are looked at.
const MAX_ISSUES: usize = 50;

const TEXT: &str = include_str!("watch.toml");

/// A test reads the same text, so that no rule is without its row.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| rows(TEXT, "rule").unwrap_or_default());

/// A rule for every answer: the rows stand in this order.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rule {
    RequestId,
    CorrelationId,
    NoStore,
    ContentType,
    Coding,
    Hsts,
    Outcome,
    Readable,
    Profiles,
    Conforms,
    Version,
    NoLeak,
}

/// A row of `watch.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rule: Rule,
    name: &'static str,
    tries: &'static str,
    #[serde(borrow)]
    requirements: Vec<&'static str>,
    #[serde(default)]
    at: &'static str,
    #[serde(default)]
    right: &'static str,
}

/// How many rules there are.
pub(super) fn rules() -> usize {
    ROWS.len()
}

/// What is wrong with an answer, where, and what would be right.
type Fault<'f> = (&'f str, &'f str, &'f str);

/// What was seen of one rule.
#[derive(Default)]
struct Kept {
    judged: usize,
    broken: usize,
    findings: Vec<Finding>,
    exchanges: Vec<Exchange>,
    said: HashSet<String>,
}

/// The ledger of all rules.
pub(super) struct Watch {
    https: bool,
    standard: StandardVersion,
    kept: Vec<Kept>,
    request_ids: HashSet<String>,
}

/// An answer with everything that the rules look at.
struct Seen<'a> {
    request: &'a Request,
    exchange: &'a Exchange,
    received: &'a Received,
    content: Content,
}

impl Seen<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.exchange.response_header(name)
    }
}

impl Watch {
    pub(super) fn new(https: bool, standard: StandardVersion) -> Watch {
        Watch {
            https,
            standard,
            kept: ROWS.iter().map(|_| Kept::default()).collect(),
            request_ids: HashSet::new(),
        }
    }

    /// Judges one answer.
    pub(super) fn see(&mut self, request: &Request, exchange: &Exchange, received: &Received) {
        let seen = Seen {
            request,
            exchange,
            received,
            content: Content::of(exchange, &received.body),
        };
        self.headers(&seen);
        if !received.body.is_empty() {
            self.content_type(&seen);
        }
        if received.status >= 400 {
            self.outcome(&seen);
        } else {
            self.resource(&seen);
        }
    }

    fn headers(&mut self, seen: &Seen) {
        let given = seen.header("x-request-id").unwrap_or_default().to_owned();
        let fault = if given.is_empty() {
            Some("The answer has no X-Request-ID")
        } else if seen.request.header("x-request-id") == Some(given.as_str()) {
            Some("The answer repeats the request's X-Request-ID as its own")
        } else if !self.request_ids.insert(given) {
            Some("The X-Request-ID of the answer was used for an earlier answer")
        } else {
            None
        };
        self.judge(Rule::RequestId, seen, fault);
        let sent = seen.request.header("x-request-id");
        let back = seen.header("x-correlation-id");
        let headers = seen.request.headers.iter();
        let named = headers.filter(|(n, _)| n.eq_ignore_ascii_case("x-request-id"));
        if named.count() <= 1 {
            let fault = match (sent, back) {
                (Some(_), None) => Some("The answer has no X-Correlation-ID"),
                (Some(sent), Some(back)) if sent != back => {
                    Some("X-Correlation-ID is not the request's X-Request-ID")
                }
                (None, Some(_)) => Some(
                    "The answer has an X-Correlation-ID although the request had no X-Request-ID",
                ),
                _ => None,
            };
            self.judge(Rule::CorrelationId, seen, fault);
        }
        let cache = seen
            .header("cache-control")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let fault = (!cache.contains("no-store"))
            .then_some("The answer does not forbid to store it on the way");
        self.judge(Rule::NoStore, seen, fault);
        let asked = seen.request.header("accept-encoding").unwrap_or_default();
        let coding = seen.header("content-encoding").unwrap_or("identity");
        let fits = coding.eq_ignore_ascii_case("identity")
            || (coding.eq_ignore_ascii_case("gzip") && asked.contains("gzip"));
        let fault = (!fits).then(|| {
            format!(
                "The answer says Content-Encoding `{coding}` and the request did not ask for it"
            )
        });
        self.judge(Rule::Coding, seen, fault.as_deref());
        if self.https {
            let fault = seen.header("strict-transport-security").is_none();
            let fault = fault.then_some("The answer has no Strict-Transport-Security");
            self.judge(Rule::Hsts, seen, fault);
        }
    }

    fn content_type(&mut self, seen: &Seen) {
        let given = seen.header("content-type").unwrap_or_default();
        // Case and a space are a matter of taste in HTTP, but TKW and the Standard want this very form.
        let fine = given.eq_ignore_ascii_case(JSON) || given.eq_ignore_ascii_case(XML);
        let fault = (!fine).then(|| match given {
            "" => "A body came without Content-Type".to_owned(),
            given => format!("The Content-Type is `{given}`"),
        });
        self.judge(Rule::ContentType, seen, fault.as_deref());
        let fault = match &seen.content.parsed {
            None => seen.content.fault.clone(),
            Some(parsed) => parsed
                .issues
                .iter()
                .find(|i| i.is_error())
                .map(ToString::to_string),
        };
        let fault =
            fault.map(|why| format!("The body cannot be read as FHIR: {}", shortened(&why)));
        self.judge(Rule::Readable, seen, fault.as_deref());
    }

    fn outcome(&mut self, seen: &Seen) {
        let outcome = &seen.content.value;
        let issues = list(outcome, "/issue");
        let fault: Option<Fault> = if text(outcome, "/resourceType") != "OperationOutcome" {
            Some((
                "The error carries no OperationOutcome",
                "body",
                "An OperationOutcome on every 4xx and 5xx.",
            ))
        } else if text(outcome, "/id").is_empty() {
            Some((
                "The OperationOutcome has no id",
                "OperationOutcome.id",
                "The local id of the error.",
            ))
        } else if !list(outcome, "/meta/profile")
            .iter()
            .any(|p| p == "http://hl7.org/fhir/StructureDefinition/OperationOutcome")
        {
            Some((
                "The OperationOutcome does not state its profile",
                "OperationOutcome.meta.profile",
                "http://hl7.org/fhir/StructureDefinition/OperationOutcome",
            ))
        } else if issues.is_empty() || issues.iter().any(|i| text(i, "/code").is_empty()) {
            Some((
                "An issue has no code, or there is no issue",
                "OperationOutcome.issue.code",
                "A code of the error table.",
            ))
        } else if issues.iter().any(|i| {
            !matches!(
                text(i, "/severity"),
                "error" | "fatal" | "warning" | "information"
            )
        }) {
            Some((
                "An issue has no severity",
                "OperationOutcome.issue.severity",
                "`error`",
            ))
        } else {
            None
        };
        let is_one = text(outcome, "/resourceType") == "OperationOutcome";
        self.judge_at(Rule::Outcome, seen, fault);
        if is_one && issues.iter().any(|i| list(i, "/details/coding").len() != 1) {
            let what = "An issue has not exactly one coding in its details";
            let finding = Finding::warning(&["PROV-ERR-01", "PROV-ERR-02"], what)
                .at("OperationOutcome.issue.details.coding")
                .right("Exactly one, of the Spine error codes.");
            self.keep(Rule::Outcome, seen, finding, what);
        }
        self.leaks(seen);
    }

    fn leaks(&mut self, seen: &Seen) {
        let said = String::from_utf8_lossy(&seen.received.body).into_owned();
        let sent = String::from_utf8_lossy(seen.request.body.as_deref().unwrap_or_default());
        let patient = [FAMILY, PHONE, POSTCODE]
            .into_iter()
            .find(|p| said.contains(p));
        let number = number_in(&sent).is_some_and(|n| said.contains(n));
        let inside = [
            "Traceback",
            "\tat ",
            "java.lang.",
            "System.NullReference",
            "panicked at",
            "stack trace",
            "SQLSTATE",
        ]
        .into_iter()
        .find(|i| said.contains(i));
        let fault = match (patient.is_some() || number, inside) {
            (true, _) => Some("The error repeats patient data of the request"),
            (false, Some(_)) => Some("The error shows the inside of the server"),
            _ => None,
        };
        self.judge(Rule::NoLeak, seen, fault);
    }

    fn resource(&mut self, seen: &Seen) {
        let value = &seen.content.value;
        let kind = text(value, "/resourceType").to_owned();
        if let Some(parsed) = seen.content.parsed.as_ref().filter(|p| !p.has_errors()) {
            self.conforms(seen, &parsed.root, kind == "Appointment");
        }
        let entries = list(value, "/entry")
            .iter()
            .filter_map(|e| e.get("resource"))
            .take(MAX_ENTRIES);
        let resources: Vec<&Value> = [value].into_iter().chain(entries).collect();
        let nested = resources.iter().flat_map(|r| list(r, "/contained").iter());
        let all: Vec<&Value> = resources.iter().copied().chain(nested).collect();
        let unnamed = all.iter().find_map(|r| {
            let kind = text(r, "/resourceType");
            let profile = systems::profile(kind)?;
            let stated = list(r, "/meta/profile").iter().any(|p| p == profile);
            (!stated).then(|| {
                format!(
                    "There is {} that does not state its profile",
                    with_article(kind)
                )
            })
        });
        // The entries of an appointment search are limited to some elements (PROV-SRCH-03).
        if !seen.request.path.starts_with("/Appointment?") && !value.is_null() {
            self.judge(Rule::Profiles, seen, unnamed.as_deref());
        }
        if kind == "Appointment" {
            self.version(seen, value);
        }
    }

    fn version(&mut self, seen: &Seen, value: &Value) {
        let version = text(value, "/meta/versionId");
        let etag = seen.header("etag").unwrap_or_default();
        let legal = version
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'-');
        let modified = seen.header("last-modified").unwrap_or_default();
        let fault: Option<Fault> = if version.is_empty() {
            Some((
                "The Appointment has no version id",
                "Appointment.meta.versionId",
                "The version id.",
            ))
        } else if !legal {
            Some((
                "The version id has other characters than a-z, 0-9 and -",
                "Appointment.meta.versionId",
                "Only a-z, 0-9 and -.",
            ))
        } else if etag.is_empty() {
            Some((
                "The Appointment came without ETag",
                "header ETag",
                "`W/\"<versionId>\"`",
            ))
        } else if etag != format!("W/\"{version}\"") {
            Some((
                "ETag does not name the version of the body in weak form",
                "header ETag",
                "`W/\"<versionId>\"`",
            ))
        } else if jiff::fmt::rfc2822::parse(modified).is_err() {
            Some((
                "Last-Modified is missing or no HTTP date",
                "header Last-Modified",
                "When this version was made, as HTTP date.",
            ))
        } else {
            None
        };
        self.judge_at(Rule::Version, seen, fault);
    }

    fn conforms(&mut self, seen: &Seen, root: &fhir::Element, is_appointment: bool) {
        let mut root = root.clone();
        // Bounded work: the first entries of a long Bundle stand for all.
        let mut entries = 0;
        root.children_mut().retain(|c| {
            entries += usize::from(c.name() == "entry");
            c.name() != "entry" || entries <= MAX_ENTRIES
        });
        let limited = seen.request.path.starts_with("/Appointment?");
        let issues = conformance().check_of(&root, self.standard);
        // A local identifier in the place of an unknown NHS number is judged where it is given, and once (D-17).
        let local = is_patient_identifier_local(&seen.content.value);
        let excused = |issue: &fhir::Issue| {
            limited || (is_appointment && local && issue.expression.contains(".identifier"))
        };
        let faults: Vec<&fhir::Issue> = issues
            .iter()
            .filter(|i| i.is_error() && !excused(i))
            .take(MAX_ISSUES)
            .collect();
        self.judge(Rule::Conforms, seen, None);
        if !faults.is_empty() {
            self.of(Rule::Conforms).broken += 1;
        }
        for issue in faults {
            let finding = nonconformance(issue);
            let place: String = issue
                .expression
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .collect();
            self.keep(
                Rule::Conforms,
                seen,
                finding,
                &format!("{place} {}", issue.message),
            );
        }
    }

    fn of(&mut self, rule: Rule) -> &mut Kept {
        &mut self.kept[rule as usize]
    }

    fn judge(&mut self, rule: Rule, seen: &Seen, fault: Option<&str>) {
        let Row { at, right, .. } = ROWS[rule as usize];
        self.judge_at(rule, seen, fault.map(|fault| (fault, at, right)));
    }

    fn judge_at(&mut self, rule: Rule, seen: &Seen, fault: Option<Fault>) {
        self.of(rule).judged += 1;
        if let Some((fault, at, right)) = fault {
            self.of(rule).broken += 1;
            let ids = &ROWS[rule as usize].requirements;
            let finding = Finding::error(ids, fault).at(at).right(right);
            self.keep(rule, seen, finding, fault);
        }
    }

    fn keep(&mut self, rule: Rule, seen: &Seen, finding: Finding, key: &str) {
        let kept = self.of(rule);
        if kept.findings.len() >= MAX_FINDINGS || !kept.said.insert(key.to_owned()) {
            return;
        }
        let same = kept.exchanges.last().is_some_and(|e| e == seen.exchange);
        if !same {
            kept.exchanges.push(seen.exchange.clone());
        }
        let index = kept.exchanges.len() - 1;
        kept.findings.push(finding.in_exchange(index));
    }

    /// One outcome a rule.
    pub(super) fn outcomes(self) -> Vec<Outcome> {
        let pairs = ROWS.iter().zip(self.kept);
        pairs
            .map(|(row, mut kept)| {
                if kept.broken > 0 {
                    let what = format!(
                        "{} of {} {} this rule",
                        kept.broken,
                        counted(kept.judged, "answer", "answers"),
                        plural(kept.broken, "breaks", "break")
                    );
                    kept.findings.push(Finding::note(&row.requirements, what));
                }
                let mut outcome = Outcome::tried(
                    row.name,
                    row.tries,
                    &row.requirements,
                    kept.findings,
                    kept.exchanges,
                );
                if kept.judged == 0 {
                    outcome.verdict = Verdict::Skipped(match row.rule {
                        Rule::Hsts => "the endpoint is not https".to_owned(),
                        _ => "no answer came that this rule is about".to_owned(),
                    });
                }
                debug_assert!(
                    outcome.verdict != Verdict::Failed
                        || outcome
                            .findings
                            .iter()
                            .any(|f| f.severity == Severity::Error)
                );
                outcome
            })
            .collect()
    }
}

/// True when the contained Patient has an identifier and the first is no NHS number.
fn is_patient_identifier_local(appointment: &Value) -> bool {
    let patient = super::answer::contained(appointment, "Patient");
    !list(patient, "/identifier").is_empty()
        && text(patient, "/identifier/0/system") != systems::NHS_NUMBER
}

/// What the checker has to say, as a finding. Its messages say both: what is wrong, and what would be right.
fn nonconformance(issue: &fhir::Issue) -> Finding {
    let allowed = match issue.rule.contains("://") {
        true => format!("As {} has it.", issue.rule),
        false => "What STU3, the profile and the Standard allow there.".to_owned(),
    };
    let (what, right) = match issue.message.split_once("; right would be ") {
        Some((what, right)) => (what, right),
        None => (issue.message.as_str(), allowed.as_str()),
    };
    let mut finding = Finding::error(&["PROV-GEN-16"], sentence(what))
        .at(issue.expression.clone())
        .right(right);
    if issue.rule.starts_with("RES-") || issue.rule.starts_with("ERR-") {
        finding.requirement.push(Id::Owned(issue.rule.clone()));
    }
    finding
}

/// A message of the checker as a sentence of bounded length.
fn sentence(what: &str) -> String {
    let mut letters = what.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    shortened(&format!("{first}{}", letters.as_str()))
}

/// The NHS number that a request names.
fn number_in(sent: &str) -> Option<&str> {
    let at = sent.find("\"999")? + 1;
    let number = sent.get(at..at + 10)?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_row() {
        let rows: Vec<Row> = rows(TEXT, "rule").unwrap();
        let at = |(at, row): (usize, &Row)| row.rule as usize == at;
        assert!(rows.iter().enumerate().all(at));
        assert_eq!(rows.len(), Rule::NoLeak as usize + 1);
    }
}
