//! Checks the contact ranks (RES-RANK-01, RES-RANK-02), a separate 400 (D-05).

use super::{Checked, Contained};
use crate::version::StandardVersion;
use fhir::{Element, Issue, IssueCode};
use std::cell::RefCell;

/// All contact points of the Patient and its contacts together: at least one, each with a positive rank, exactly one of
/// rank 1. If ranks are optional, the first telephone without rank counts as rank 1 unless another has it (VER-03). A
/// missing Patient is reported elsewhere.
pub(crate) fn faults(
    root: &Element,
    contained: &Contained,
    version: StandardVersion,
) -> Vec<Issue> {
    let issues = RefCell::default();
    if let Some((index, patient)) = contained.patient {
        let root = Checked::root(root, &issues);
        ranks(&root.below("contained", Some(index), patient), version);
    }
    issues.into_inner()
}

fn ranks(patient: &Checked, version: StandardVersion) {
    let (mut points, mut firsts, mut unranked_telephone) = (0usize, 0usize, false);
    each_contact_point(&patient.rule("RES-RANK-01"), |point| {
        points += 1;
        match rank(point.element) {
            Some(1) => firsts += 1,
            Some(_) => {}
            None if point.element.get("rank").is_none() && !version.requires_ranks() => {
                unranked_telephone |= point.element.str_of("system") == Some("phone");
            }
            None => {
                let message = "Every contact point has a `rank`, a positive integer; 1 is the one to try first.";
                point.error_at("rank", IssueCode::Value, message);
            }
        }
    });
    if firsts == 0 && unranked_telephone {
        firsts = 1;
    }
    if firsts != 1 {
        let found = match (points, firsts) {
            (0, _) => "there is none".to_owned(),
            (_, 0) => "none has".to_owned(),
            (_, n) => format!("{n} have"),
        };
        let sentence = format!(
            "Exactly one contact point of the patient and the contacts together has rank 1, the one to try \
             first; {found}."
        );
        let patient = patient.rule("RES-RANK-02");
        patient.error_at("telecom.rank", IssueCode::BusinessRule, sentence);
    }
}

/// Calls with every contact point of a Patient: its own, then those of its contacts.
pub(super) fn each_contact_point(patient: &Checked, mut each: impl FnMut(&Checked)) {
    for (i, telecom) in patient.element.all("telecom").enumerate() {
        each(&patient.below("telecom", Some(i), telecom));
    }
    for (i, contact) in patient.element.all("contact").enumerate() {
        let contact = patient.below("contact", Some(i), contact);
        for (i, telecom) in contact.element.all("telecom").enumerate() {
            each(&contact.below("telecom", Some(i), telecom));
        }
    }
}

fn rank(point: &Element) -> Option<u32> {
    let text = point.str_of("rank")?;
    // FHIR's positiveInt has no sign and no leading zero.
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok()).flatten()
}
