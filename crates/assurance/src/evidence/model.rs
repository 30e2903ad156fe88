//! What a run leaves behind: the exchanges, what was wrong in them, and the verdict of each test.

use booking::count::counted;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::body::Body;
pub use crate::requirements::{Id, Kind};

/// How the id of a scenario begins.
const SCENARIO: &str = "Scenario_";

/// Header names and values in the order they went over the wire. Bytes that are not UTF-8 are replaced when recorded.
pub type Headers = Vec<(String, String)>;

/// One request and what came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// What this request was for, in plain words: "book the first free slot".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// When the request left (or arrived, for a simulated Provider).
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The whole address, query included.
    pub url: String,
    /// Headers of the request.
    pub request_headers: Headers,
    /// Body of the request.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub request_body: Body,
    /// Status of the answer; none when no answer came.
    pub status: Option<u16>,
    /// Why no whole answer came: a time-out, a closed connection, a body beyond the bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Headers of the answer.
    #[serde(default)]
    pub response_headers: Headers,
    /// Body of the answer, as it was on the wire but for its content coding (see [`Body::coded`]).
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub response_body: Body,
    /// From the first byte sent to the last byte received.
    #[serde(rename = "took_ms", with = "milliseconds")]
    pub took: Duration,
}

impl Exchange {
    /// An exchange whose answer has not come yet.
    pub fn sent(method: &str, url: &str, headers: Headers, body: Body) -> Exchange {
        Exchange {
            purpose: String::new(),
            at: Timestamp::now(),
            method: method.to_owned(),
            url: url.to_owned(),
            request_headers: headers,
            request_body: body,
            status: None,
            broken: None,
            response_headers: Headers::new(),
            response_body: Body::default(),
            took: Duration::ZERO,
        }
    }

    /// The first request header of this name, whatever its case.
    pub fn request_header(&self, name: &str) -> Option<&str> {
        header(&self.request_headers, name)
    }

    /// The first response header of this name, whatever its case.
    pub fn response_header(&self, name: &str) -> Option<&str> {
        header(&self.response_headers, name)
    }
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; breaks nothing.
    Note,
    /// The other side takes it, and the published test kit or the Standard has it otherwise.
    Advice,
    /// Breaks a SHOULD, or will trouble someone.
    Warning,
    /// Breaks a MUST.
    Error,
}

impl Severity {
    /// The word shown to a reader.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "Note",
            Severity::Advice => "Advice",
            Severity::Warning => "Warning",
            Severity::Error => "Error",
        }
    }
}

/// One thing that is not as the Standard says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Requirement ids it breaks: SCAL rows and catalogue ids.
    pub requirement: Vec<Id>,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, one sentence.
    pub what: String,
    /// Where: a FHIR expression, or `header NAME`, `status`, `query NAME`, `claim NAME`.
    #[serde(rename = "where", default, skip_serializing_if = "String::is_empty")]
    pub where_: String,
    /// What would have been right.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub right: String,
    /// Index into the exchanges of the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<usize>,
}

impl Finding {
    /// An error against these requirements.
    pub fn error(requirement: &[&'static str], what: impl Into<String>) -> Finding {
        Finding::of(Severity::Error, requirement, what)
    }

    /// A warning against these requirements.
    pub fn warning(requirement: &[&'static str], what: impl Into<String>) -> Finding {
        Finding::of(Severity::Warning, requirement, what)
    }

    /// Advice about these requirements.
    pub fn advice(requirement: &[&'static str], what: impl Into<String>) -> Finding {
        Finding::of(Severity::Advice, requirement, what)
    }

    /// A note about these requirements.
    pub fn note(requirement: &[&'static str], what: impl Into<String>) -> Finding {
        Finding::of(Severity::Note, requirement, what)
    }

    fn of(severity: Severity, requirement: &[&'static str], what: impl Into<String>) -> Finding {
        Finding {
            requirement: ids(requirement),
            severity,
            what: what.into(),
            where_: String::new(),
            right: String::new(),
            exchange: None,
        }
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Finding {
        self.where_ = place.into();
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn right(mut self, right: impl Into<String>) -> Finding {
        self.right = right.into();
        self
    }

    /// Names the exchange it was seen in.
    #[must_use]
    pub fn in_exchange(mut self, index: usize) -> Finding {
        self.exchange = Some(index);
        self
    }
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is", content = "why")]
pub enum Verdict {
    /// Tried, and as the Standard says.
    Passed,
    /// Tried, and not as the Standard says.
    Failed,
    /// Not tried; the reason.
    Skipped(String),
    /// Cannot be tried over the wire: the supplier declares it; what to declare or attach.
    Declared(String),
}

impl Verdict {
    /// The word shown to a reader; also the key of the filter.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "Passed",
            Verdict::Failed => "Failed",
            Verdict::Skipped(_) => "Skipped",
            Verdict::Declared(_) => "Declared",
        }
    }

    /// The reason of a test that was not tried.
    pub fn why(&self) -> Option<&str> {
        match self {
            Verdict::Skipped(why) | Verdict::Declared(why) => Some(why),
            Verdict::Passed | Verdict::Failed => None,
        }
    }
}

/// One test and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The test's id: its TKW name where it has one, otherwise ours.
    pub id: Id,
    /// What it tries, in plain words.
    pub title: String,
    /// The requirement ids that it tries.
    pub requirements: Vec<Id>,
    /// How it ended.
    pub verdict: Verdict,
    /// What was not right.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The messages, in order.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
}

impl Outcome {
    /// The verdict that these findings give: an error fails, everything else passes.
    pub fn tried(
        id: &'static str,
        title: impl Into<String>,
        requirements: &[&'static str],
        findings: Vec<Finding>,
        exchanges: Vec<Exchange>,
    ) -> Outcome {
        let failed = findings.iter().any(|f| f.severity == Severity::Error);
        Outcome {
            id: id.into(),
            title: title.into(),
            requirements: ids(requirements),
            verdict: if failed {
                Verdict::Failed
            } else {
                Verdict::Passed
            },
            findings,
            exchanges,
        }
    }
}

impl Outcome {
    /// The verdict as a word for a reader. A scenario that nobody walked to its end says so.
    pub fn word(&self) -> &'static str {
        match self.is_unwalked() {
            true => "Not walked",
            false => self.verdict.word(),
        }
    }

    /// True for a scenario, whether it was walked or not.
    pub fn is_scenario(&self) -> bool {
        self.id.starts_with(SCENARIO)
    }

    /// True for a scenario that was not walked to its end.
    pub fn is_unwalked(&self) -> bool {
        self.is_scenario() && matches!(self.verdict, Verdict::Skipped(_))
    }
}

/// What is known about the system that was tried, as its tester says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    /// Who tried it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tester: Option<String>,
}

impl About {
    /// Name and value of what is known.
    pub fn items(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("Product", &self.product),
            ("Version", &self.version),
            ("Supplier", &self.supplier),
            ("Tester", &self.tester),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Product and version as one name; none if the product is not known.
    pub fn name(&self) -> Option<String> {
        let product = self.product.as_ref()?;
        Some(match &self.version {
            Some(version) => format!("{product} {version}"),
            None => product.clone(),
        })
    }

    fn is_empty(&self) -> bool {
        *self == About::default()
    }
}

/// One run of a suite against one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which side was tried.
    pub kind: Kind,
    /// What was tried: the endpoint of a Provider, the ASID or address of a Consumer.
    pub target: String,
    /// Product, version, supplier and tester, as far as they were given.
    #[serde(default, skip_serializing_if = "About::is_empty")]
    pub about: About,
    /// When the first test started.
    pub started: Timestamp,
    /// When the last test ended.
    pub finished: Timestamp,
    /// The version of this program.
    pub tool_version: String,
    /// The tests in the order they ran.
    pub outcomes: Vec<Outcome>,
}

impl Run {
    /// A run that starts now.
    pub fn started(kind: Kind, target: impl Into<String>) -> Run {
        let now = Timestamp::now();
        Run {
            kind,
            target: target.into(),
            about: About::default(),
            started: now,
            finished: now,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            outcomes: Vec::new(),
        }
    }

    /// The number of tests of each verdict.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for outcome in &self.outcomes {
            match outcome.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed => counts.failed += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
                Verdict::Declared(_) => counts.declared += 1,
            }
        }
        counts
    }

    /// How many scenarios there are, and how many of them were not walked to their end.
    pub fn scenarios(&self) -> (usize, usize) {
        let all = || self.outcomes.iter();
        let unwalked = all().filter(|o| o.is_unwalked()).count();
        (all().filter(|o| o.is_scenario()).count(), unwalked)
    }

    /// The result in one line: the same wherever it is told.
    pub fn headline(&self) -> String {
        let counts = self.counts().to_string();
        match self.scenarios() {
            (_, 0) => counts,
            (all, unwalked) => format!(
                "{counts}; {unwalked} of {} not walked",
                counted(all, "scenario", "scenarios")
            ),
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts {
            passed,
            failed,
            skipped,
            declared,
        } = self;
        let all = passed + failed + skipped + declared;
        write!(
            out,
            "{}: {passed} passed, {failed} failed, {skipped} skipped, {declared} to declare",
            counted(all, "test", "tests")
        )
    }
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tried and right.
    pub passed: usize,
    /// Tried and wrong.
    pub failed: usize,
    /// Not tried.
    pub skipped: usize,
    /// To be declared.
    pub declared: usize,
}

fn ids(names: &[&'static str]) -> Vec<Id> {
    names.iter().map(|name| Id::Borrowed(name)).collect()
}

/// A duration as whole milliseconds with a fraction: readable, and exact to the microsecond.
mod milliseconds {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(took: &Duration, out: S) -> Result<S::Ok, S::Error> {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        out.serialize_f64(micros as f64 / 1000.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        let took = f64::deserialize(input)?;
        if !(0.0..1e12).contains(&took) {
            return Err(D::Error::custom("a time taken lies between 0 and 1e12 ms"));
        }
        Ok(Duration::from_micros((took * 1000.0).round() as u64))
    }
}
