//! The CareConnect profiles with the Standard's overrides.

use crate::appointment::complete;
use crate::overrides::{Contained, Purpose, Report, appointment};
use fhir::schema::Schema;
use fhir::{Checker, Element, Issue, IssueCode, Options, Package, Stage};
use std::sync::OnceLock;

/// The generated table of the CareConnect profiles.
const PACKAGE: &str = include_str!("../data/careconnect.tbl");

/// The rules that a message is checked against.
pub struct Conformance {
    checker: Checker,
    options: Options,
    fault: Option<String>,
}

/// The rules, made ready on first use. Call it at start-up to keep that off the first request.
pub fn conformance() -> &'static Conformance {
    static CONFORMANCE: OnceLock<Conformance> = OnceLock::new();
    CONFORMANCE.get_or_init(Conformance::load)
}

impl Conformance {
    fn load() -> Conformance {
        let (packages, fault) = match Package::parse(PACKAGE) {
            Ok(package) => (vec![package], None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let checker = Checker::new(Schema::stu3(), &packages);
        // The codecs have named unknown elements already, and they are to be ignored (PROV-GEN-14).
        let options = Options {
            unknown_elements: false,
            ..Options::all_of(&packages)
        };
        Conformance {
            checker,
            options,
            fault,
        }
    }

    /// Why the profiles could not be loaded, if so; then every check fails, and a server should not start.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Every issue of a resource: STU3, CareConnect and, for an Appointment, the overrides. What a Provider
    /// tolerates or fills in is a warning.
    pub fn check(&self, resource: &Element) -> Vec<Issue> {
        if resource.resource_type() != Some("Appointment") {
            return self.check_profiles(resource);
        }
        let mut report = Report::default();
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
        settled(issues)
    }

    /// STU3 and CareConnect only.
    pub(crate) fn check_profiles(&self, resource: &Element) -> Vec<Issue> {
        match &self.fault {
            None => self.checker.check(resource, &self.options),
            Some(fault) => {
                let message = format!("the profiles could not be loaded: {fault}");
                vec![Issue::error(
                    Stage::Conformance,
                    IssueCode::NotSupported,
                    message,
                )]
            }
        }
    }
}

/// One place is named by one error: where the overrides found one, their words stand alone. Where they only
/// warn, that the profiles miss the element is tolerated; other errors of the profiles stand.
pub(crate) fn settled(issues: Vec<Issue>) -> Vec<Issue> {
    let (ours, theirs): (Vec<Issue>, Vec<Issue>) = issues.into_iter().partition(is_override);
    let said = |theirs: &Issue| {
        theirs.is_error()
            && ours.iter().any(|o| {
                o.expression == theirs.expression
                    && (o.is_error() || theirs.code == IssueCode::Required)
            })
    };
    let rest: Vec<Issue> = theirs.into_iter().filter(|i| !said(i)).collect();
    ours.into_iter().chain(rest).collect()
}

fn is_override(issue: &Issue) -> bool {
    issue.rule.starts_with("RES-") || issue.rule.starts_with("ERR-")
}
