//! What both codecs share: bounds, the result of reading, and the path to the element at hand.

use crate::issue::Issue;
use crate::tree::Element;
use smol_str::SmolStr;
use std::fmt::Write;

/// Bounds on what is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest text, bytes.
    pub max_bytes: usize,
    /// Deepest nesting. The deepest legal message of the Standard has about 12 levels.
    pub max_depth: usize,
    /// Most elements. A slot search answer has about 20 a slot.
    pub max_elements: usize,
    /// Most issues that are kept; after that reading goes on, but only the first are reported.
    pub max_issues: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bytes: 1 << 20,
            max_depth: 64,
            max_elements: 100_000,
            max_issues: 200,
        }
    }
}

impl Limits {
    /// For text that this program wrote itself: only depth stays bounded, against a damaged store.
    pub fn unbounded() -> Limits {
        Limits {
            max_bytes: usize::MAX,
            max_depth: 64,
            max_elements: usize::MAX,
            max_issues: 200,
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

/// The path to the element being read, for FHIRPath expressions.
#[derive(Default)]
pub(crate) struct Path {
    steps: Vec<(SmolStr, Option<usize>)>,
}

impl Path {
    pub(crate) fn push(&mut self, name: &str, index: Option<usize>) {
        self.steps.push((SmolStr::new(name), index));
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
            out.push_str(step);
            if let Some(index) = index {
                // Writing into a String cannot fail.
                let _ = write!(out, "[{index}]");
            }
        }
        out
    }
}

/// A name from the message, fit to be shown in a message: short, printable.
pub(crate) fn shown(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    if clean.len() < name.len() {
        format!("{clean}…")
    } else {
        clean
    }
}
