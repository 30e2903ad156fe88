//! What has to be there before the first step (DEP-02, DEP-03, DEP-05, DEP-06).

use super::kind::PlanKind;

/// One prerequisite.
#[derive(Clone, Copy, Debug)]
pub struct Prerequisite {
    /// Its key in the file.
    pub key: &'static str,
    /// What has to be so.
    pub text: &'static str,
    /// Ids of the catalogue that ask for it.
    pub cites: &'static [&'static str],
}

const fn asked(
    key: &'static str,
    cites: &'static [&'static str],
    text: &'static str,
) -> Prerequisite {
    Prerequisite { key, text, cites }
}

const ALL: &[Prerequisite] = &[
    asked(
        "plan-agreed",
        &["DEP-06"],
        "All actors have this plan, agreed on the date, and can reach each other during the run.",
    ),
    asked(
        "conformance",
        &["DEP-05"],
        "Both systems have their technical conformance certificate, and the SCAL is complete.",
    ),
    asked(
        "installed",
        &["DEP-05"],
        "Both systems are installed: connection agreement, certificates, ASIDs, interactions, firewalls.",
    ),
    asked(
        "safety",
        &["ASR-02", "NFR-05"],
        "The deploying organisations accepted the clinical risk assessment and data security.",
    ),
    asked(
        "profiled",
        &["DEP-03"],
        "The services are profiled in the Directory of Services, with one scheduling endpoint and a referral endpoint each.",
    ),
    asked(
        "slots",
        &["DEP-02"],
        "The diary has test slots for the whole run, which no real patient can be given.",
    ),
    asked(
        "no-slots",
        &["DEP-06"],
        "There is a service without free slots, or a way to take them all.",
    ),
    asked(
        "test-patient",
        &["DEP-06"],
        "The test patient is agreed: synthetic, or a test patient that can be traced on PDS.",
    ),
    asked(
        "trained",
        &["DEP-02"],
        "The users of both sides are trained, and the changed process is signed off.",
    ),
    asked(
        "callback",
        &["DEP-02"],
        "There is a procedure for patients who call back to change or cancel an appointment, and it is signed off.",
    ),
    asked(
        "clear-up",
        &["DEP-06"],
        "It is agreed how test appointments and referrals are taken out of both systems afterwards.",
    ),
];

/// The prerequisites of a plan. The procedure for patients who call back is one of the plan to a GP hub.
pub fn prerequisites(kind: PlanKind) -> impl Iterator<Item = &'static Prerequisite> {
    ALL.iter()
        .filter(move |p| p.key != "callback" || kind == PlanKind::GpHub)
}

/// The prerequisite of a key.
pub fn prerequisite_of(kind: PlanKind, key: &str) -> Result<&'static Prerequisite, String> {
    prerequisites(kind).find(|p| p.key == key).ok_or_else(|| {
        let near = super::nearest::nearest(key, prerequisites(kind).map(|p| p.key));
        match near {
            Some(near) => format!("there is no prerequisite {key:?}; the nearest is {near:?}"),
            None => {
                let all: Vec<&str> = prerequisites(kind).map(|p| p.key).collect();
                format!(
                    "there is no prerequisite {key:?}; there are {}",
                    all.join(", ")
                )
            }
        }
    })
}
