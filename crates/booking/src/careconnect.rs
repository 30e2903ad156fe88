//! The CareConnect profiles with the Standard's overrides.

use crate::overrides::{
    BORN_LATER, Contained, Purpose, Report, appointment, contained_path, first_day, is_future, rank,
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

    /// True for an extension that CareConnect defines.
    pub fn knows_extension(&self, url: &str) -> bool {
        self.checker.knows_profile(url)
    }

    /// Every issue of a resource: STU3, CareConnect and, for an Appointment, the overrides. What a Provider
    /// tolerates or fills in is a warning.
    pub fn check(&self, resource: &Element) -> Vec<Issue> {
        self.check_of(resource, StandardVersion::Current)
    }

    /// [`Conformance::check`] of what a Consumer of a version sends, or is answered.
    pub fn check_of(&self, resource: &Element, version: StandardVersion) -> Vec<Issue> {
        if resource.resource_type() != Some("Appointment") {
            return self.check_profiles(resource);
        }
        self.judge(&mut resource.clone(), Vec::new(), Purpose::Any(version))
    }

    /// Every issue for which a Provider refuses this Appointment as a booking, and what it tolerates: those of the
    /// codec, the overrides, the ranks and the profiles, in the words of its refusals. Only the slot itself is not
    /// looked at.
    pub fn check_booking(
        &self,
        resource: &Element,
        codec: Vec<Issue>,
        version: StandardVersion,
        now: Timestamp,
    ) -> Vec<Issue> {
        let contained = Contained::of(resource);
        // These are told before anything else is looked at, so that no other words stand for them.
        let (mut all, codec): (Vec<Issue>, Vec<Issue>) = codec.into_iter().partition(is_unreadable);
        all.extend(slot_fault(resource, &contained, version));
        all.extend(rank::faults(&contained, version));
        all.extend(born_later(&contained, now));
        all.extend(self.judge(&mut resource.clone(), codec, Purpose::Book(version)));
        all
    }

    /// The issues of an Appointment by overrides and profiles, those of the codec among them; it is completed on the
    /// way. The overrides' own words win over those of others for the same place.
    pub(crate) fn judge(
        &self,
        root: &mut Element,
        codec: Vec<Issue>,
        purpose: Purpose,
    ) -> Vec<Issue> {
        let mut report = Report::default();
        appointment(root, &Contained::of(root), purpose, &mut report);
        let mut all = report.issues;
        all.extend(codec);
        complete(root);
        all.extend(self.check_profiles(root));
        settled(all)
    }

    /// Codes that a code system, known whole, does not define. A Provider keeps them as they come.
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
