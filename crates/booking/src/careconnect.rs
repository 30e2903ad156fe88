//! Checks resources against the CareConnect profiles with the Standard's overrides.

use crate::overrides::{
    BORN_LATER, Contained, Purpose, appointment, contained_path, first_day, is_future, rank,
};
use crate::overrides::{is_unreadable, slot_fault};
use crate::placing::complete;
use crate::version::StandardVersion;
use fhir::schema::Schema;
use fhir::{Checker, Element, Issue, IssueCode, Options, Package, Stage};
use jiff::Timestamp;
use std::sync::OnceLock;

/// The generated table of the CareConnect profiles.
const PACKAGE: &str = include_str!("../data/careconnect.tbl");

/// The rules for checking messages.
pub struct Conformance {
    checker: Checker,
    options: Options,
    fault: Option<String>,
}

/// The rules, prepared at first use. Call it at the start to spare the first request.
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
        // The codecs have reported unknown elements, which are to be ignored (PROV-GEN-14).
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

    /// Why the profiles could not be loaded. Then every check fails, and a server should not start.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// True for an extension that CareConnect defines.
    pub fn knows_extension(&self, url: &str) -> bool {
        self.checker.knows_profile(url)
    }

    /// Every issue of a resource: STU3, CareConnect and, for an Appointment, the overrides. What a Provider tolerates or
    /// completes is a warning.
    pub fn check(&self, resource: &Element) -> Vec<Issue> {
        self.check_of(resource, StandardVersion::Current)
    }

    /// [`Conformance::check`] of a message of a Consumer of this version, or of an answer to it.
    pub fn check_of(&self, resource: &Element, version: StandardVersion) -> Vec<Issue> {
        if resource.resource_type() != Some("Appointment") {
            return self.check_profiles(resource);
        }
        self.judge(&mut resource.clone(), Vec::new(), Purpose::Any(version))
    }

    /// Every issue of an Appointment as a booking, refused or tolerated, from codec, overrides, ranks and profiles, in the
    /// words of a Provider's refusals. Does not check the slot itself.
    pub fn check_booking(
        &self,
        resource: &Element,
        codec: Vec<Issue>,
        version: StandardVersion,
        now: Timestamp,
    ) -> Vec<Issue> {
        let contained = Contained::of(resource);
        // These come first, as in a refusal.
        let (mut all, codec): (Vec<Issue>, Vec<Issue>) = codec.into_iter().partition(is_unreadable);
        all.extend(slot_fault(resource, &contained, version));
        all.extend(rank::faults(resource, &contained, version));
        all.extend(born_later(&contained, now));
        all.extend(self.judge(&mut resource.clone(), codec, Purpose::Book(version)));
        all
    }

    /// The issues of an Appointment from codec, overrides and profiles; completes the Appointment. At the same element, an
    /// override's words replace those of others.
    pub(crate) fn judge(
        &self,
        root: &mut Element,
        codec: Vec<Issue>,
        purpose: Purpose,
    ) -> Vec<Issue> {
        let mut all = appointment(root, purpose);
        all.extend(codec);
        complete(root);
        all.extend(self.check_profiles(root));
        settled(all)
    }

    /// Codes that a complete code system does not define. A Provider keeps them.
    pub fn undefined_codes(&self, resource: &Element) -> Vec<Issue> {
        let options = Options {
            undefined_codes: true,
            ..self.options.clone()
        };
        let before = self.check_profiles(resource);
        let mut all = self.checker.check(resource, &options);
        all.retain(|issue| !before.contains(issue));
        all
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

/// A date of birth in the future (RES-PAT-06).
fn born_later(contained: &Contained, now: Timestamp) -> Option<Issue> {
    let (index, patient) = contained.patient?;
    let element = patient.get("birthDate")?;
    let born = first_day(element.as_str()?)?;
    is_future(born, now).then(|| {
        let path = format!("{}.birthDate", contained_path(index));
        let issue = Issue::error(Stage::Conformance, IssueCode::Value, BORN_LATER);
        issue.at(path).pos(element.pos()).rule("RES-PAT-06")
    })
}

/// One error per element: an override's error replaces the profiles' errors. An override's warning only replaces the
/// profiles' error that the element is missing.
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
