//! Shared parts of both codecs: limits, the result of reading, and the path to the current element.

use crate::issue::{Issue, IssueCode, Pos, Severity, Stage};
use crate::tree::Element;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt::Write;

/// A booking has about 5 kB. STU3 allows strings of 1 MB, which no message of the Standard needs.
const MAX_BYTES: usize = 1 << 20;

/// The deepest legal message of the Standard has about 12 levels. Each level takes some stack frames.
const MAX_DEPTH: usize = 64;

/// More than a megabyte of real messages holds (about 20 bytes per element); at most 15 MB of tree.
const MAX_ELEMENTS: usize = 100_000;

/// More than a person reads. Each issue may hold a long path.
const MAX_ISSUES: usize = 200;

/// Limits of reading.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest text, bytes.
    pub max_bytes: usize,
    /// Deepest nesting.
    pub max_depth: usize,
    /// Most elements.
    pub max_elements: usize,
    /// Most errors kept, and most notes kept. Reading continues, but only the first ones are reported.
    pub max_issues: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bytes: MAX_BYTES,
            max_depth: MAX_DEPTH,
            max_elements: MAX_ELEMENTS,
            max_issues: MAX_ISSUES,
        }
    }
}

impl Limits {
    /// For text that this program wrote. Depth stays limited, in case the store is damaged.
    pub fn unbounded() -> Limits {
        Limits {
            max_bytes: usize::MAX,
            max_depth: MAX_DEPTH,
            max_elements: usize::MAX,
            max_issues: MAX_ISSUES,
        }
    }
}

/// A resource with the faults of its structure.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The resource.
    pub root: Element,
    /// Structural findings. Errors mean "cannot be read as FHIR"; information names what was not understood.
    pub issues: Vec<Issue>,
}

impl Parsed {
    /// True when the structure has an error.
    pub fn has_errors(&self) -> bool {
        self.issues.iter().any(Issue::is_error)
    }
}

/// Longest number, characters. FHIR decimals have far fewer.
pub(crate) const MAX_NUMBER: usize = 64;

/// Longest element name, bytes; names in use have at most 22. Each element of a list holds its name, so a long one would
/// multiply.
pub(crate) const MAX_NAME: usize = 256;

/// Deepest nesting of resources: a Bundle in a Bundle with an Appointment and its contained ones is 4. Each level may be
/// scanned again for its `resourceType`, so this limits the work too.
pub(crate) const MAX_RESOURCES_DEEP: usize = 8;

/// Up to so many members, comparing names one by one is quicker than hashing them.
pub(crate) const FEW: usize = 32;

/// The issues found so far. Errors and notes have separate limits, so that notes never displace errors.
pub(crate) struct Findings {
    issues: Vec<Issue>,
    errors: usize,
    most: usize,
}

impl Findings {
    pub(crate) fn new(limits: &Limits) -> Findings {
        Findings {
            issues: Vec::new(),
            errors: 0,
            most: limits.max_issues.max(1),
        }
    }

    /// Keeps the issue, unless the limit of its kind is reached.
    pub(crate) fn add(&mut self, issue: Issue) {
        let error = issue.is_error();
        let so_far = if error {
            self.errors
        } else {
            self.issues.len() - self.errors
        };
        if so_far < self.most {
            self.errors += usize::from(error);
            self.issues.push(issue);
        }
    }

    /// An error in the structure.
    pub(crate) fn structure(&mut self, expression: String, pos: Pos, message: impl Into<String>) {
        self.add(
            Issue::error(Stage::Structure, IssueCode::Structure, message)
                .at(expression)
                .pos(pos),
        );
    }

    /// An element without content. FHIR forbids it, but the message is still readable (D-06).
    pub(crate) fn empty(&mut self, expression: String, pos: Pos, message: impl Into<String>) {
        self.add(
            Issue::error(Stage::Conformance, IssueCode::Required, message)
                .at(expression)
                .pos(pos),
        );
    }

    /// A note about something that STU3 does not define.
    pub(crate) fn undefined(&mut self, expression: String, pos: Pos, message: impl Into<String>) {
        self.add(
            Issue::error(Stage::Structure, IssueCode::Extension, message)
                .severity(Severity::Information)
                .at(expression)
                .pos(pos),
        );
    }

    /// A note about something that STU3 defines but this schema does not.
    pub(crate) fn unchecked(&mut self, expression: String, pos: Pos, message: impl Into<String>) {
        self.add(
            Issue::error(Stage::Structure, IssueCode::NotSupported, message)
                .severity(Severity::Information)
                .at(expression)
                .pos(pos),
        );
    }

    pub(crate) fn into_issues(self) -> Vec<Issue> {
        self.issues
    }
}

/// The path to the element being read, for FHIRPath expressions.
#[derive(Default)]
pub(crate) struct Path {
    steps: Vec<(SmolStr, Option<usize>)>,
}

impl Path {
    pub(crate) fn push(&mut self, name: &str, index: Option<usize>) {
        self.steps.push((SmolStr::new(name), index));
    }

    /// A step under a name of the schema, without a copy.
    pub(crate) fn push_known(&mut self, name: &'static str, index: Option<usize>) {
        self.steps.push((SmolStr::new_static(name), index));
    }

    pub(crate) fn pop(&mut self) {
        self.steps.pop();
    }

    pub(crate) fn depth(&self) -> usize {
        self.steps.len()
    }

    /// `Appointment.contained[1].name[0]`, with `name` as a last step unless it is empty.
    pub(crate) fn text(&self, name: &str) -> String {
        let mut out = String::new();
        let last = (!name.is_empty()).then_some((SmolStr::new(name), None));
        for (step, index) in self.steps.iter().chain(last.iter()) {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&shown(step));
            if let Some(index) = index {
                // Writing into a String cannot fail.
                let _ = write!(out, "[{index}]");
            }
        }
        out
    }
}

/// A name from the message, made short and printable for an issue.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= 64 && !name.chars().any(char::is_control) {
        return Cow::Borrowed(name);
    }
    let clean: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Cow::Owned(clean + "…")
}

/// An issue that stops the reading.
pub(crate) fn fatal(code: IssueCode, message: impl Into<String>) -> Issue {
    Issue::error(Stage::Syntax, code, message).severity(Severity::Fatal)
}

/// The text, if it is UTF-8 within the limit, without a byte order mark.
pub(crate) fn text_of<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, Issue> {
    if bytes.len() > limits.max_bytes {
        let (is, most) = (bytes.len(), limits.max_bytes);
        return Err(fatal(
            IssueCode::TooLong,
            format!("The text has {is} bytes; at most {most} are read."),
        ));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|e| {
        let good = bytes.get(..e.valid_up_to()).unwrap_or(&[]);
        let lines = good.split(|b| *b == b'\n').count();
        let last = good.rsplit(|b| *b == b'\n').next().unwrap_or(&[]);
        let before = last.iter().filter(|b| **b & 0xC0 != 0x80).count();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let pos = Pos {
            line: number(lines),
            column: number(before + 1),
        };
        fatal(IssueCode::Invalid, "The text is not UTF-8 here.").pos(pos)
    })
}
