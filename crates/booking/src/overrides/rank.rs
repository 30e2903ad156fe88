//! Checks the contact ranks (RES-RANK-01, RES-RANK-02), a separate 400 (D-05).

use super::{Contained, Report, contained_path};
use crate::version::StandardVersion;
use fhir::{Element, Issue, IssueCode};

/// All contact points of the Patient and its contacts together: at least one, each with a positive rank, exactly one of
/// rank 1. If ranks are optional, the first telephone without rank counts as rank 1 unless another has it (VER-03). A
/// missing Patient is reported elsewhere.
pub(crate) fn faults(contained: &Contained, version: StandardVersion) -> Vec<Issue> {
    let Some((index, patient)) = contained.patient else {
        return Vec::new();
    };
    let mut report = Report::default();
    let (mut points, mut firsts, mut unranked_telephone) = (0usize, 0usize, false);
    for (path, point) in contact_points(patient) {
        points += 1;
        match rank(point) {
            Some(1) => firsts += 1,
            Some(_) => {}
            None if point.get("rank").is_none() && !version.requires_ranks() => {
                unranked_telephone |= point.str_of("system") == Some("phone");
            }
            None => {
                let path = format!("{}.{}.rank", contained_path(index), path.text());
                let message = "Every contact point has a `rank`, a positive integer; 1 is the one to try first.";
                report.error(IssueCode::Value, point, path, "RES-RANK-01", message);
            }
        }
    }
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
        let path = format!("{}.telecom.rank", contained_path(index));
        report.error(
            IssueCode::BusinessRule,
            patient,
            path,
            "RES-RANK-02",
            sentence,
        );
    }
    report.issues
}

/// The path of a contact point in its Patient.
#[derive(Clone, Copy)]
pub(super) struct PointPath {
    contact: Option<usize>,
    telecom: usize,
}

impl PointPath {
    pub fn text(self) -> String {
        match self.contact {
            None => format!("telecom[{}]", self.telecom),
            Some(contact) => format!("contact[{contact}].telecom[{}]", self.telecom),
        }
    }
}

/// Every contact point of a Patient with its path.
pub(super) fn contact_points(patient: &Element) -> impl Iterator<Item = (PointPath, &Element)> {
    let own = patient.all("telecom").enumerate().map(|(telecom, e)| {
        (
            PointPath {
                contact: None,
                telecom,
            },
            e,
        )
    });
    let others = patient.all("contact").enumerate().flat_map(|(contact, c)| {
        c.all("telecom").enumerate().map(move |(telecom, e)| {
            (
                PointPath {
                    contact: Some(contact),
                    telecom,
                },
                e,
            )
        })
    });
    own.chain(others)
}

fn rank(point: &Element) -> Option<u32> {
    let text = point.str_of("rank")?;
    // FHIR's positiveInt has no sign and no leading zero.
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok()).flatten()
}
