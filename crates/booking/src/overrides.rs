//! The overrides: the Standard's requirements on messages beyond the CareConnect profiles (`resources.md`). Errors break a
//! MUST. Warnings are tolerated and recorded as faults of the consumer's system.

mod appointment;
mod document;
mod patient;
pub(crate) mod rank;
mod slot;

pub(crate) use appointment::{Purpose, appointment};
pub(crate) use patient::{BORN_LATER, first_day, is_future};

use crate::instant;
use crate::systems;
use crate::version::StandardVersion;
use fhir::{Element, Issue, IssueCode, Severity, Stage};
use jiff::Timestamp;
use std::cell::RefCell;
use std::fmt::Write as _;

/// Rule of issues about an invalid NHS number.
pub(crate) const RULE_NHS_NUMBER: &str = "ERR-18";

/// The three contained resources of an Appointment, with their indexes (RES-APPT-04).
#[derive(Clone, Copy, Default)]
pub(crate) struct Contained<'a> {
    pub document: Option<(usize, &'a Element)>,
    pub patient: Option<(usize, &'a Element)>,
    pub slot: Option<(usize, &'a Element)>,
}

impl<'a> Contained<'a> {
    /// The first of each type.
    pub fn of(appointment: &'a Element) -> Contained<'a> {
        let mut found = Contained::default();
        for (i, resource) in appointment.all("contained").enumerate() {
            let place = match resource.resource_type() {
                Some("DocumentReference") => &mut found.document,
                Some("Patient") => &mut found.patient,
                Some("Slot") => &mut found.slot,
                _ => continue,
            };
            place.get_or_insert((i, resource));
        }
        found
    }
}

/// FHIRPath of a contained resource.
pub(crate) fn contained_path(index: usize) -> String {
    format!("Appointment.contained[{index}]")
}

/// An element under check: where it stands, which requirement it is checked for, and where its issues go.
///
/// A path is written only for an issue; a message without one costs no text.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'a> {
    element: &'a Element,
    within: Option<&'a Checked<'a>>,
    name: &'a str,
    index: Option<usize>,
    rule: &'static str,
    issues: &'a RefCell<Vec<Issue>>,
}

impl<'a> Checked<'a> {
    /// An Appointment as a whole.
    fn root(appointment: &'a Element, issues: &'a RefCell<Vec<Issue>>) -> Checked<'a> {
        Checked {
            element: appointment,
            within: None,
            name: "Appointment",
            index: None,
            rule: "",
            issues,
        }
    }

    /// The same element for another requirement.
    fn rule(self, rule: &'static str) -> Checked<'a> {
        Checked { rule, ..self }
    }

    /// An element below this one, for the same requirement; `index` counts in a list.
    fn below(&'a self, name: &'a str, index: Option<usize>, element: &'a Element) -> Checked<'a> {
        Checked {
            element,
            within: Some(self),
            name,
            index,
            ..*self
        }
    }

    /// The first child of a name.
    fn child(&'a self, name: &'a str) -> Option<Checked<'a>> {
        let element = self.element.get(name)?;
        Some(self.below(name, None, element))
    }

    fn path(&self) -> String {
        let mut path = self.within.map_or_else(String::new, |w| w.path() + ".");
        path.push_str(self.name);
        if let Some(index) = self.index {
            // Writing to a String cannot fail.
            let _ = write!(path, "[{index}]");
        }
        path
    }

    /// The element breaks a MUST.
    fn error(&self, code: IssueCode, message: impl Into<String>) {
        self.add(Severity::Error, self.path(), code, message);
    }

    /// The element breaks a MUST at a path below it; the position is that of the element.
    fn error_at(&self, below: &str, code: IssueCode, message: impl Into<String>) {
        let path = format!("{}.{below}", self.path());
        self.add(Severity::Error, path, code, message);
    }

    /// What is wrong with the element is tolerated.
    fn fault(&self, code: IssueCode, message: impl Into<String>) {
        self.add(Severity::Warning, self.path(), code, message);
    }

    /// What is wrong at a path below the element is tolerated.
    fn fault_at(&self, below: &str, code: IssueCode, message: impl Into<String>) {
        let path = format!("{}.{below}", self.path());
        self.add(Severity::Warning, path, code, message);
    }

    fn add(&self, severity: Severity, path: String, code: IssueCode, message: impl Into<String>) {
        let issue = Issue::error(Stage::Conformance, code, message).severity(severity);
        let issue = issue.at(path).pos(self.element.pos()).rule(self.rule);
        self.issues.borrow_mut().push(issue);
    }

    /// A child that must occur exactly once.
    fn one(&'a self, name: &'a str) -> Option<Checked<'a>> {
        match self.element.count(name) {
            1 => {}
            0 => {
                let message = format!("`{name}` is missing; exactly one is needed.");
                self.error_at(name, IssueCode::Required, message);
            }
            n => {
                let message = format!("`{name}` stands {n} times; exactly one is allowed.");
                self.error_at(name, IssueCode::Structure, message);
            }
        }
        self.child(name)
    }

    /// The same of an element that is a list.
    fn one_of_list(&'a self, name: &'a str) -> Option<Checked<'a>> {
        let one = self.one(name)?;
        Some(Checked {
            index: Some(0),
            ..one
        })
    }

    /// A child that must occur exactly once with a text that is not blank.
    fn filled(&'a self, name: &'a str) -> Option<(Checked<'a>, &'a str)> {
        let child = self.one(name)?;
        let text = child.element.as_str().filter(|t| !t.trim().is_empty());
        if text.is_none() {
            child.error(IssueCode::Required, format!("`{name}` has no value."));
        }
        Some((child, text?))
    }

    /// The text of such a child.
    fn text(&'a self, name: &'a str) -> Option<&'a str> {
        self.filled(name).map(|(_, text)| text)
    }

    /// A child that must occur exactly once with one of these values.
    fn fixed(&self, name: &str, wanted: &[&str]) {
        if let Some((child, text)) = self.filled(name)
            && !wanted.contains(&text)
        {
            let message = format!("`{name}` must be `{}`.", wanted.join("` or `"));
            child.error(IssueCode::Value, message);
        }
    }

    /// A child that must occur exactly once and be an instant.
    fn instant(&self, name: &str) -> Option<Timestamp> {
        let (child, text) = self.filled(name)?;
        let parsed = instant::parse(text);
        if parsed.is_none() {
            let message =
                format!("`{name}` is no instant; write it as 2031-03-04T09:30:00.000+00:00.");
            child.error(IssueCode::Value, message);
        }
        parsed
    }

    /// `id` and `meta.profile` of a contained resource. A missing profile is added (RES-GEN-01).
    fn contained_head(self) {
        self.text("id");
        let profile = self.element.resource_type().and_then(systems::profile);
        if let Some(profile) = profile
            && !states_profile(self.element, profile)
        {
            let message = format!("The profile {profile} is not stated; a Provider adds it.");
            let resource = self.rule("RES-GEN-01");
            resource.fault_at("meta.profile", IssueCode::Required, message);
        }
    }
}

/// Whether a resource states a profile in `meta.profile`.
pub(crate) fn states_profile(resource: &Element, profile: &str) -> bool {
    let meta = resource.get("meta");
    meta.is_some_and(|m| m.all("profile").any(|p| p.as_str() == Some(profile)))
}

/// The first identifier of a system.
pub(crate) fn identifier_of<'a>(resource: &'a Element, system: &str) -> Option<&'a Element> {
    resource
        .all("identifier")
        .find(|i| i.str_of("system") == Some(system))
}

/// True for an issue that makes the body unreadable as FHIR (D-06).
pub(crate) fn is_unreadable(issue: &Issue) -> bool {
    issue.is_error() && issue.stage <= Stage::Structure
}

/// Why it is unclear which slot is booked (ERR-04).
pub(crate) fn slot_fault(
    root: &Element,
    contained: &Contained,
    version: StandardVersion,
) -> Option<Issue> {
    let (at, path, sentence) = match contained.slot {
        None if !version.requires_all_contained() && referred_slot(root).is_some() => return None,
        None => (
            root,
            "Appointment.contained".to_owned(),
            "There is no contained Slot; it says which slot is booked.",
        ),
        Some((i, slot)) if slot.str_of("id").is_none_or(|id| id.trim().is_empty()) => (
            slot,
            format!("{}.id", contained_path(i)),
            "The contained Slot has no `id`; send that of the slot search.",
        ),
        Some(_) => return None,
    };
    let issue = Issue::error(Stage::Conformance, IssueCode::Required, sentence);
    Some(issue.at(path).pos(at.pos()).rule("ERR-04"))
}

/// The id in `Slot/<id>`, which names the slot if none is contained.
pub(crate) fn referred_slot(root: &Element) -> Option<&str> {
    let reference = root.at("slot.reference").and_then(Element::as_str)?;
    reference.strip_prefix("Slot/").filter(|id| !id.is_empty())
}
