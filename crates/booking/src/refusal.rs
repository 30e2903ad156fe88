//! Refusals: a row of the error table with findings, and the OperationOutcome for it.

use crate::ids::ResourceId;
pub use crate::situation::{Retry, Row, Situation};
use fhir::{Element, Issue, Severity};
use std::fmt::Write as _;

/// Code system of `issue.details.coding` (PROV-ERR-02).
pub const SPINE_CODES: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
/// Code system of the slot-taken answer (ERR-15, D-15).
pub const ISSUE_TYPE: &str = "http://hl7.org/fhir/issue-type";
/// `meta.profile` of every OperationOutcome (PROV-ERR-01).
pub const OUTCOME_PROFILE: &str = "http://hl7.org/fhir/StructureDefinition/OperationOutcome";
/// The exact text of ERR-15.
pub const SLOT_TAKEN: &str = "Slot no longer available";
/// Most findings in one answer: enough to correct a message, and the answer stays small.
pub const MAX_FINDINGS: usize = 100;
/// Longest `diagnostics` of one finding, in characters.
pub const MAX_DIAGNOSTICS: usize = 1000;

/// One `OperationOutcome.issue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Severity.
    pub severity: Severity,
    /// What is wrong and what would be right. Never patient data (PROV-ERR-04).
    pub diagnostics: String,
    /// FHIRPath of the element.
    pub expression: Option<String>,
    /// `http.<parameter or header>`.
    pub location: Option<String>,
    /// The finding's own row, if it differs from the refusal's.
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
    /// The sentence ends with line and column; the FHIRPath becomes `expression`.
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

/// Why a request is refused. [`Refusal::new`] guarantees the first finding.
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
    /// A refusal with its first finding. ERR-15 fixes the text for a taken slot; there `diagnostics` goes to the log.
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

    /// A refusal with several findings; without any it uses the table's text.
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

    /// The same refusal with its last finding at a FHIRPath.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Refusal {
        if let Some(last) = self.findings.last_mut() {
            last.expression = Some(expression.into());
        }
        self
    }

    /// The same refusal with its last finding at a header or parameter (`http.start`).
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

    /// The same refusal with the Appointment made earlier.
    #[must_use]
    pub fn existing(mut self, id: ResourceId) -> Refusal {
        self.existing = Some(id);
        self
    }

    /// The same refusal with a note for the log.
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
            // ERR-15: exactly one issue with this text only.
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

/// An OperationOutcome of severity `information`, for a slot search whose slots are all withheld from the caller
/// (PROV-SLOT-14).
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
