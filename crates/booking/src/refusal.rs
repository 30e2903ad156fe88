//! Refusals: what was wrong, in one table (`provider-api.md` section 11) that every edge uses.

use crate::ids::ResourceId;
use fhir::{Element, Issue, Severity};
use std::fmt::Write as _;

/// Code system of `issue.details.coding` (PROV-ERR-02).
pub const SPINE_CODES: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
/// Code system of the slot-taken answer (ERR-15, D-15).
pub const ISSUE_TYPE: &str = "http://hl7.org/fhir/issue-type";
/// `meta.profile` of every OperationOutcome (PROV-ERR-01).
pub const OUTCOME_PROFILE: &str = "http://hl7.org/fhir/StructureDefinition/OperationOutcome";
/// The exact words of ERR-15.
pub const SLOT_TAKEN: &str = "Slot no longer available";
/// Most findings that one answer carries: enough to mend a message, and an answer stays small.
pub const MAX_FINDINGS: usize = 100;
/// Longest `diagnostics` of one finding, in characters.
pub const MAX_DIAGNOSTICS: usize = 1000;

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No repeat can succeed.
    Never,
    /// Only after the request was changed.
    WithChange,
    /// Unchanged, with the same `X-Request-ID`.
    Safe,
}

/// A situation of the error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the row of the same number below, which says what it means
pub enum Situation {
    InvalidParameter,
    HeaderInvalid,
    RequestIdMissing,
    BodyUnreadable,
    ContactRank,
    TokenRefused,
    NotPermitted,
    ServiceUnknown,
    AppointmentUnknown,
    MethodNotAllowed,
    RequestIdReused,
    VersionConflict,
    VersionMissing,
    MediaTypeUnsupported,
    SlotTaken,
    ReferenceUnknown,
    NotConformant,
    NhsNumberInvalid,
    CancelDiffers,
    StateForbids,
    NotImplemented,
    Unexpected,
    Unavailable,
    RouteUnknown,
    BodyTooLarge,
    RequestTimeout,
    TooManyRequests,
}

/// One row of the error table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Id in the requirement catalogue; empty for the transport situations that the Standard has no row for.
    pub id: &'static str,
    /// HTTP status.
    pub status: u16,
    /// `issue.code`.
    pub code: &'static str,
    /// `issue.details.coding.code`.
    pub spine: &'static str,
    /// `issue.details.coding.display`.
    pub display: &'static str,
    /// Whether to try again.
    pub retry: Retry,
}

const fn row(
    id: &'static str,
    status: u16,
    code: &'static str,
    spine: &'static str,
    display: &'static str,
    retry: Retry,
) -> Row {
    Row {
        id,
        status,
        code,
        spine,
        display,
        retry,
    }
}

use Retry::{Never, Safe, WithChange};

static ROWS: [Row; 27] = [
    row(
        "ERR-01",
        400,
        "invalid",
        "INVALID_PARAMETER",
        "Invalid parameter",
        WithChange,
    ),
    row(
        "ERR-02",
        400,
        "invalid",
        "MISSING_OR_INVALID_HEADER",
        "Missing or invalid header",
        WithChange,
    ),
    row(
        "ERR-03",
        400,
        "required",
        "MISSING_OR_INVALID_HEADER",
        "Missing or invalid header",
        WithChange,
    ),
    row(
        "ERR-04",
        400,
        "invalid",
        "INVALID_PARAMETER",
        "Invalid parameter",
        WithChange,
    ),
    row(
        "ERR-05",
        400,
        "invalid",
        "INVALID_PARAMETER",
        "Invalid parameter",
        WithChange,
    ),
    row(
        "ERR-06",
        403,
        "forbidden",
        "ACCESS DENIED",
        "Access denied",
        WithChange,
    ),
    row(
        "ERR-07",
        403,
        "forbidden",
        "ACCESS DENIED",
        "Access denied",
        Never,
    ),
    row(
        "ERR-08",
        404,
        "not-found",
        "NO_RECORD_FOUND",
        "No record found",
        WithChange,
    ),
    row(
        "ERR-09",
        404,
        "not-found",
        "NO_RECORD_FOUND",
        "No record found",
        WithChange,
    ),
    row(
        "ERR-10",
        405,
        "not-supported",
        "BAD_REQUEST",
        "Bad request",
        WithChange,
    ),
    row(
        "ERR-11",
        409,
        "duplicate",
        "DUPLICATE_REJECTED",
        "Duplicate rejected",
        Never,
    ),
    row(
        "ERR-12",
        409,
        "conflict",
        "CONFLICTING_VALUES",
        "Conflicting values",
        WithChange,
    ),
    row(
        "ERR-13",
        412,
        "required",
        "MISSING_OR_INVALID_HEADER",
        "Missing or invalid header",
        WithChange,
    ),
    row(
        "ERR-14",
        415,
        "not-supported",
        "UNSUPPORTED_MEDIA_TYPE",
        "Unsupported media type",
        WithChange,
    ),
    row(
        "ERR-15",
        422,
        "processing",
        "processing",
        "Processing Failure",
        WithChange,
    ),
    row(
        "ERR-16",
        422,
        "invalid",
        "REFERENCE_NOT_FOUND",
        "Reference not found",
        WithChange,
    ),
    row(
        "ERR-17",
        422,
        "invalid",
        "INVALID_PARAMETER",
        "Invalid parameter",
        WithChange,
    ),
    row(
        "ERR-18",
        422,
        "value",
        "INVALID_NHS_NUMBER",
        "Invalid NHS number",
        WithChange,
    ),
    row(
        "ERR-19",
        422,
        "invalid",
        "REFERENCE_NOT_FOUND",
        "Reference not found",
        WithChange,
    ),
    row(
        "ERR-20",
        422,
        "business-rule",
        "INVALID_REQUEST_STATE",
        "Invalid request state",
        Never,
    ),
    row(
        "ERR-21",
        501,
        "not-supported",
        "NOT_IMPLEMENTED",
        "Not implemented",
        Never,
    ),
    row(
        "ERR-22",
        500,
        "processing",
        "INTERNAL_SERVER_ERROR",
        "Internal server error",
        Safe,
    ),
    row(
        "ERR-23",
        503,
        "transient",
        "INTERNAL_SERVER_ERROR",
        "Internal server error",
        Safe,
    ),
    row(
        "",
        404,
        "not-found",
        "NO_RECORD_FOUND",
        "No record found",
        WithChange,
    ),
    row(
        "",
        413,
        "too-long",
        "BAD_REQUEST",
        "Bad request",
        WithChange,
    ),
    row("", 408, "timeout", "BAD_REQUEST", "Bad request", Safe),
    row("", 429, "throttled", "BAD_REQUEST", "Bad request", Safe),
];

impl Situation {
    /// Every situation in the order of the table.
    pub const ALL: &[Situation] = &[
        Situation::InvalidParameter,
        Situation::HeaderInvalid,
        Situation::RequestIdMissing,
        Situation::BodyUnreadable,
        Situation::ContactRank,
        Situation::TokenRefused,
        Situation::NotPermitted,
        Situation::ServiceUnknown,
        Situation::AppointmentUnknown,
        Situation::MethodNotAllowed,
        Situation::RequestIdReused,
        Situation::VersionConflict,
        Situation::VersionMissing,
        Situation::MediaTypeUnsupported,
        Situation::SlotTaken,
        Situation::ReferenceUnknown,
        Situation::NotConformant,
        Situation::NhsNumberInvalid,
        Situation::CancelDiffers,
        Situation::StateForbids,
        Situation::NotImplemented,
        Situation::Unexpected,
        Situation::Unavailable,
        Situation::RouteUnknown,
        Situation::BodyTooLarge,
        Situation::RequestTimeout,
        Situation::TooManyRequests,
    ];

    /// The row of the table.
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

/// One `OperationOutcome.issue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What is wrong and what would be right; never patient data (PROV-ERR-04).
    pub diagnostics: String,
    /// FHIRPath of the element.
    pub expression: Option<String>,
    /// `http.<parameter or header>`.
    pub location: Option<String>,
    /// The row of this finding, when it is not the refusal's.
    pub situation: Option<Situation>,
}

impl Finding {
    /// An error with a sentence.
    pub fn error(diagnostics: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            diagnostics: diagnostics.into(),
            expression: None,
            location: None,
            situation: None,
        }
    }

    /// The same finding at a FHIRPath.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Finding {
        self.expression = Some(expression.into());
        self
    }

    /// The same finding at a header or parameter, such as `http.start`.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Finding {
        self.location = Some(location.into());
        self
    }

    /// The same finding under another row of the table than its refusal.
    #[must_use]
    pub fn situation(mut self, situation: Situation) -> Finding {
        self.situation = Some(situation);
        self
    }
}

impl From<&Issue> for Finding {
    /// Line and column go to the end of the sentence; the FHIRPath to `expression`.
    fn from(issue: &Issue) -> Finding {
        let mut diagnostics = issue.message.clone();
        if issue.pos.is_known() {
            // Writing to a String cannot fail.
            let _ = write!(diagnostics, " ({})", issue.pos);
        }
        Finding {
            severity: issue.severity,
            diagnostics,
            expression: (!issue.expression.is_empty()).then(|| issue.expression.clone()),
            location: None,
            situation: None,
        }
    }
}

/// Why a request is refused. Built with [`Refusal::new`], which guarantees the first finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row that decides the status.
    pub situation: Situation,
    /// At least one.
    pub findings: Vec<Finding>,
    /// The Appointment that an earlier request with the same `X-Request-ID` made (PROV-BOOK-11).
    pub existing: Option<ResourceId>,
    /// For the log only, never sent.
    pub log: String,
}

impl Refusal {
    /// A refusal with its first finding. The words of a taken slot are fixed by ERR-15; for that situation
    /// `diagnostics` goes to the log.
    pub fn new(situation: Situation, diagnostics: impl Into<String>) -> Refusal {
        let diagnostics = diagnostics.into();
        let (said, log) = match situation {
            Situation::SlotTaken => (SLOT_TAKEN.to_owned(), diagnostics),
            _ => (diagnostics, String::new()),
        };
        Refusal {
            situation,
            findings: vec![Finding::error(said)],
            existing: None,
            log,
        }
    }

    /// A refusal of several findings; with none it says only what the table says.
    pub fn of(situation: Situation, findings: Vec<Finding>) -> Refusal {
        let mut refusal = Refusal::new(situation, situation.row().display);
        if !findings.is_empty() && situation != Situation::SlotTaken {
            refusal.findings = findings;
        }
        refusal
    }

    /// A refusal with one finding per issue of the FHIR core.
    pub fn from_issues(situation: Situation, issues: &[Issue]) -> Refusal {
        Refusal::of(situation, issues.iter().map(Finding::from).collect())
    }

    /// The same refusal, its last finding at a FHIRPath.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Refusal {
        if let Some(last) = self.findings.last_mut() {
            last.expression = Some(expression.into());
        }
        self
    }

    /// The same refusal, its last finding at a header or parameter (`http.start`).
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Refusal {
        if let Some(last) = self.findings.last_mut() {
            last.location = Some(location.into());
        }
        self
    }

    /// The same refusal with one more finding.
    #[must_use]
    pub fn and(mut self, finding: Finding) -> Refusal {
        self.findings.push(finding);
        self
    }

    /// The same refusal naming the Appointment made earlier.
    #[must_use]
    pub fn existing(mut self, id: ResourceId) -> Refusal {
        self.existing = Some(id);
        self
    }

    /// The same refusal with a note for the log, which is never sent.
    #[must_use]
    pub fn log(mut self, note: impl Into<String>) -> Refusal {
        self.log = note.into();
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.situation.row().status
    }

    /// The OperationOutcome (PROV-ERR-01, PROV-ERR-02). `error_id` must be a FHIR id.
    pub fn outcome(&self, error_id: &str) -> Element {
        let mut outcome = outcome_head(error_id);
        if self.situation == Situation::SlotTaken {
            // ERR-15: exactly one issue, nothing but these words.
            outcome.push(issue(self.situation, &Finding::error(SLOT_TAKEN)));
            return outcome;
        }
        let shown = match self.findings.len() {
            n if n > MAX_FINDINGS => MAX_FINDINGS - 1,
            n => n,
        };
        for finding in &self.findings[..shown] {
            outcome.push(issue(self.situation, finding));
        }
        let hidden = self.findings.len() - shown;
        if hidden > 0 {
            let more = Finding::error(format!(
                "{hidden} more findings are not shown; mend these first."
            ));
            outcome.push(issue(self.situation, &more));
        }
        outcome
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, finding) in self.findings.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            if let Some(place) = finding.expression.as_ref().or(finding.location.as_ref()) {
                write!(f, "{place}: ")?;
            }
            f.write_str(&finding.diagnostics)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// An OperationOutcome of severity `information`: the `outcome` entry of a slot search whose slots are all
/// withheld from the caller (PROV-SLOT-14).
pub fn information_outcome(id: &str, diagnostics: &str) -> Element {
    outcome_head(id).with(
        Element::new("issue")
            .in_list()
            .with(Element::text("severity", "information"))
            .with(Element::text("code", "informational"))
            .with(Element::text("diagnostics", clipped(diagnostics))),
    )
}

fn outcome_head(id: &str) -> Element {
    let profile = Element::text("profile", OUTCOME_PROFILE).in_list();
    Element::resource("OperationOutcome")
        .with(Element::text("id", id))
        .with(Element::new("meta").with(profile))
}

fn issue(of_refusal: Situation, finding: &Finding) -> Element {
    let situation = finding.situation.unwrap_or(of_refusal);
    let row = situation.row();
    let system = if situation == Situation::SlotTaken {
        ISSUE_TYPE
    } else {
        SPINE_CODES
    };
    let coding = Element::new("coding")
        .in_list()
        .with(Element::text("system", system))
        .with(Element::text("code", row.spine))
        .with(Element::text("display", row.display));
    let mut issue = Element::new("issue")
        .in_list()
        .with(Element::text("severity", finding.severity.code()))
        .with(Element::text("code", row.code))
        .with(Element::new("details").with(coding))
        .with(Element::text("diagnostics", clipped(&finding.diagnostics)));
    if let Some(location) = &finding.location {
        issue.push(Element::text("location", location).in_list());
    }
    if let Some(expression) = &finding.expression {
        issue.push(Element::text("expression", expression).in_list());
    }
    issue
}

fn clipped(text: &str) -> &str {
    match text.char_indices().nth(MAX_DIAGNOSTICS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
