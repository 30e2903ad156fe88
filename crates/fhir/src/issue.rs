//! Issues that a codec or check reports: severity, code, FHIRPath, position, sentence.

use std::fmt;

/// Position in the source text, from line 1, column 1; `0` means unknown. Columns count Unicode scalar values, not bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pos {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl Pos {
    /// True when the position is known.
    pub fn is_known(self) -> bool {
        self.line > 0
    }
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// `OperationOutcome.issue.severity` (STU3 issue-severity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The text cannot be processed any further.
    Fatal,
    /// The rule is broken.
    Error,
    /// Allowed but unwise.
    Warning,
    /// For the reader to know.
    Information,
}

impl Severity {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

/// `OperationOutcome.issue.code` (STU3 issue-type); those that this crate reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueCode {
    /// Content is invalid against the format or a limit.
    Invalid,
    /// Structure is wrong: element order, array for single, wrong JSON type.
    Structure,
    /// A required element is missing.
    Required,
    /// An element's value is not of its type or value set.
    Value,
    /// An invariant fails.
    Invariant,
    /// A code is not in its value set.
    CodeInvalid,
    /// An element or extension that is not defined.
    Extension,
    /// Too many or too deep.
    TooLong,
    /// A reference that does not resolve inside the message.
    NotFound,
    /// A thing that this crate does not check.
    NotSupported,
    /// A business rule.
    BusinessRule,
    /// For information.
    Informational,
}

impl IssueCode {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            IssueCode::Invalid => "invalid",
            IssueCode::Structure => "structure",
            IssueCode::Required => "required",
            IssueCode::Value => "value",
            IssueCode::Invariant => "invariant",
            IssueCode::CodeInvalid => "code-invalid",
            IssueCode::Extension => "extension",
            IssueCode::TooLong => "too-long",
            IssueCode::NotFound => "not-found",
            IssueCode::NotSupported => "not-supported",
            IssueCode::BusinessRule => "business-rule",
            IssueCode::Informational => "informational",
        }
    }
}

/// The stage at which the issue was found. `Syntax` and `Structure` mean "cannot be read as FHIR"; `Conformance` means
/// "read, but breaks a rule" (D-06 draws the line).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Not well-formed JSON or XML, or over a limit.
    Syntax,
    /// Well formed, but not FHIR: wrong JSON type, array against single, XML order, duplicate key.
    Structure,
    /// Readable FHIR that breaks cardinality, type grammar, binding, invariant, profile or override.
    Conformance,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Severity.
    pub severity: Severity,
    /// Kind of fault.
    pub code: IssueCode,
    /// Stage at which it was found.
    pub stage: Stage,
    /// FHIRPath of the element, such as `Appointment.contained[1].name[0].family`; empty if there is none yet.
    pub expression: String,
    /// Position in the source text.
    pub pos: Pos,
    /// What is wrong and what would be right. Beyond element names it holds no patient data.
    pub message: String,
    /// The rule that was broken: an invariant key (`app-3`), a profile URL, or empty.
    pub rule: String,
}

impl Issue {
    /// An error of the given stage and code.
    pub fn error(stage: Stage, code: IssueCode, message: impl Into<String>) -> Issue {
        Issue {
            severity: Severity::Error,
            code,
            stage,
            expression: String::new(),
            pos: Pos::default(),
            message: message.into(),
            rule: String::new(),
        }
    }

    /// The same issue with another severity.
    pub fn severity(mut self, severity: Severity) -> Issue {
        self.severity = severity;
        self
    }

    /// The same issue at a FHIRPath.
    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression = expression.into();
        self
    }

    /// The same issue at a position in the text.
    pub fn pos(mut self, pos: Pos) -> Issue {
        self.pos = pos;
        self
    }

    /// The same issue with its rule.
    pub fn rule(mut self, rule: impl Into<String>) -> Issue {
        self.rule = rule.into();
        self
    }

    /// True for `Fatal` and `Error`.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Fatal | Severity::Error)
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.severity.code())?;
        if self.pos.is_known() {
            write!(f, " at {}", self.pos)?;
        }
        if !self.expression.is_empty() {
            write!(f, " in {}", self.expression)?;
        }
        write!(f, ": {}", self.message)
    }
}
