//! What both codecs share: bounds, the result of reading, and the path to the element at hand.

use crate::issue::{Issue, IssueCode, Pos, Severity, Stage};
use crate::tree::Element;
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt::Write;

/// A booking has about 5 kB; STU3 itself bounds one string to 1 MB, which no message of the Standard needs.
const MAX_BYTES: usize = 1 << 20;

/// The deepest legal message of the Standard has about 12 levels. Each level is some frames of the stack.
const MAX_DEPTH: usize = 64;

/// More than a megabyte of real messages holds (about 20 bytes an element), and 15 MB of tree at most.
const MAX_ELEMENTS: usize = 100_000;

/// More than a person reads; each issue may name a long path.
const MAX_ISSUES: usize = 200;

/// Bounds on what is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest text, bytes.
    pub max_bytes: usize,
    /// Deepest nesting.
    pub max_depth: usize,
    /// Most elements.
    pub max_elements: usize,
    /// Most errors and most notes that are kept; after that reading goes on, but only the first are reported.
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
    /// For text that this program wrote itself: only depth stays bounded, against a damaged store.
    pub fn unbounded() -> Limits {
        Limits {
            max_bytes: usize::MAX,
            max_depth: MAX_DEPTH,
            max_elements: usize::MAX,
            max_issues: MAX_ISSUES,
        }
    }
}

/// A resource that was read, with what is wrong with its structure.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The resource.
    pub root: Element,
    /// Structural findings: errors mean "cannot be read as FHIR"; information names what was not understood.
    pub issues: Vec<Issue>,
}

impl Parsed {
    /// True when the structure has an error.
    pub fn has_errors(&self) -> bool {
        self.issues.iter().any(Issue::is_error)
    }
}

/// Longest number, characters; FHIR decimals have far fewer.
pub(crate) const MAX_NUMBER: usize = 64;

/// Longest name of an element, bytes; none in use has more than 22. Each element of a list holds its name, so
/// that a long one would multiply.
pub(crate) const MAX_NAME: usize = 256;

/// Resources inside one another: a Bundle in a Bundle with an Appointment and its contained ones is 4. Each
/// level may be scanned once more to find its `resourceType`, so this bounds the work too.
pub(crate) const MAX_RESOURCES_DEEP: usize = 8;

/// Members of one object up to which comparing names one by one is quicker than hashing them.
pub(crate) const FEW: usize = 32;

/// The issues found so far. Errors and notes are bounded apart, so that no flood of notes hides an error.
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

    /// Keeps the issue, unless there are enough of its sort.
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

    /// An element without content: FHIR has none, but the message can be read all the same (D-06).
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

    /// A note about something that STU3 defines and that is not described here.
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

    /// A step under a name of the schema (no copy is made).
    pub(crate) fn push_known(&mut self, name: &'static str, index: Option<usize>) {
        self.steps.push((SmolStr::new_static(name), index));
    }

    pub(crate) fn pop(&mut self) {
        self.steps.pop();
    }

    pub(crate) fn depth(&self) -> usize {
        self.steps.len()
    }

    /// `Appointment.contained[1].name[0]`, with `name` as a further step unless it is empty.
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

/// A name from the message, fit to be shown in a message: short, printable.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= 64 && !name.chars().any(char::is_control) {
        return Cow::Borrowed(name);
    }
    let clean: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    Cow::Owned(clean + "…")
}

/// Reading stops: the text is not what it says it is.
pub(crate) fn fatal(code: IssueCode, message: impl Into<String>) -> Issue {
    Issue::error(Stage::Syntax, code, message).severity(Severity::Fatal)
}

/// The text, when it is within its bound and UTF-8; a byte order mark is cut off.
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
