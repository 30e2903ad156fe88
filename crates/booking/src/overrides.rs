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
use crate::version::StandardVersion;
use fhir::{Element, Issue, IssueCode, Stage};
use jiff::Timestamp;

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

/// Collects issues.
#[derive(Default)]
pub(crate) struct Report {
    pub issues: Vec<Issue>,
}

impl Report {
    fn error(
        &mut self,
        code: IssueCode,
        at: &Element,
        path: String,
        rule: &str,
        message: impl Into<String>,
    ) {
        let issue = Issue::error(Stage::Conformance, code, message);
        self.issues.push(issue.at(path).pos(at.pos()).rule(rule));
    }

    fn fault(
        &mut self,
        code: IssueCode,
        at: &Element,
        path: String,
        rule: &str,
        message: impl Into<String>,
    ) {
        let issue =
            Issue::error(Stage::Conformance, code, message).severity(fhir::Severity::Warning);
        self.issues.push(issue.at(path).pos(at.pos()).rule(rule));
    }

    /// A child that must occur exactly once.
    fn one<'a>(
        &mut self,
        parent: &'a Element,
        path: &str,
        name: &str,
        rule: &str,
    ) -> Option<&'a Element> {
        match parent.count(name) {
            1 => {}
            0 => self.error(
                IssueCode::Required,
                parent,
                format!("{path}.{name}"),
                rule,
                format!("`{name}` is missing; exactly one is needed."),
            ),
            n => self.error(
                IssueCode::Structure,
                parent,
                format!("{path}.{name}"),
                rule,
                format!("`{name}` stands {n} times; exactly one is allowed."),
            ),
        }
        parent.get(name)
    }

    /// The non-blank text of a child that must occur exactly once.
    fn text<'a>(
        &mut self,
        parent: &'a Element,
        path: &str,
        name: &str,
        rule: &str,
    ) -> Option<&'a str> {
        let child = self.one(parent, path, name, rule)?;
        let text = child.as_str().filter(|t| !t.trim().is_empty());
        if text.is_none() {
            let path = format!("{path}.{name}");
            self.error(
                IssueCode::Required,
                child,
                path,
                rule,
                format!("`{name}` has no value."),
            );
        }
        text
    }

    /// A child that must occur exactly once with one of these values.
    fn fixed(&mut self, parent: &Element, path: &str, name: &str, rule: &str, wanted: &[&str]) {
        if let Some(text) = self.text(parent, path, name, rule)
            && !wanted.contains(&text)
        {
            let wanted = wanted.join("` or `");
            let at = parent.get(name).unwrap_or(parent);
            let message = format!("`{name}` must be `{wanted}`.");
            self.error(
                IssueCode::Value,
                at,
                format!("{path}.{name}"),
                rule,
                message,
            );
        }
    }

    /// A child that must occur exactly once and be an instant.
    fn instant(
        &mut self,
        parent: &Element,
        path: &str,
        name: &str,
        rule: &str,
    ) -> Option<Timestamp> {
        let text = self.text(parent, path, name, rule)?;
        let parsed = instant::parse(text);
        if parsed.is_none() {
            self.error(
                IssueCode::Value,
                parent.get(name).unwrap_or(parent),
                format!("{path}.{name}"),
                rule,
                format!("`{name}` is no instant; write it as 2031-03-04T09:30:00.000+00:00."),
            );
        }
        parsed
    }

    /// `id` and `meta.profile` of a contained resource. A missing profile is added (RES-GEN-01).
    fn contained_head(&mut self, resource: &Element, path: &str, rule: &str) {
        self.text(resource, path, "id", rule);
        let Some(profile) = resource.resource_type().and_then(crate::systems::profile) else {
            return;
        };
        let stated = resource
            .get("meta")
            .is_some_and(|m| m.all("profile").any(|p| p.as_str() == Some(profile)));
        if !stated {
            self.fault(
                IssueCode::Required,
                resource,
                format!("{path}.meta.profile"),
                "RES-GEN-01",
                format!("The profile {profile} is not stated; a Provider adds it."),
            );
        }
    }
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
