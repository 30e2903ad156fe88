//! Judges slots outside the timeframe of the assessment's outcome (CONS-TF-01..05, D-44).

use crate::journal::Encounter;
use crate::slots::{FreeSlot, span};
use jiff::Timestamp;
use serde::Serialize;

/// Up to here, inclusive, a user who is no clinician needs clinical approval.
const APPROVAL_MINUTES: i64 = 6 * 60;
/// Up to here, inclusive, such a user is warned.
const NOTIFY_MINUTES: i64 = 12 * 60;

/// Timeframes of the dispositions that the Standard's operational plans name, in minutes.
const DISPOSITIONS: [(&str, i64); 4] = [
    ("DX05", 2 * 60),
    ("DX06", 6 * 60),
    ("DX07", 12 * 60),
    ("DX08", 24 * 60),
];

/// The timeframe of a disposition code in minutes, if known here. The DoS writes Dx05 as 1005.
pub fn of_disposition(code: &str) -> Option<i64> {
    let mut code = code.trim().to_ascii_uppercase();
    if let Some(number) = code.strip_prefix("10").filter(|n| n.len() == 2) {
        code = format!("DX{number}");
    }
    DISPOSITIONS
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, minutes)| *minutes)
}

/// What has to happen before booking outside the timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Nothing but a record (clinical users, and outcomes over 12 hours).
    Nothing,
    /// The user is warned and confirms.
    Notify,
    /// The user is warned and names the clinician who approves.
    Approval,
}

/// The relation of a slot to the timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// The encounter has no timeframe.
    NoTimeframe,
    /// Within it.
    Inside,
    /// It starts after the end.
    Outside {
        /// Minutes, rounded up.
        minutes: i64,
        /// What this user has to do.
        demand: Demand,
    },
}

/// The user's answer to the demand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// The user was warned and confirms.
    pub told: bool,
    /// The clinician who approved.
    pub approver: Option<String>,
    /// Whether the patient was told and agreed.
    pub patient_agreed: Option<bool>,
}

/// A judgement whose demand is met. Booking requires one, so no caller can skip the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    start: Timestamp,
    encounter: String,
    pub(super) minutes: Option<i64>,
    pub(super) confirmation: Confirmation,
}

/// The demand is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// The message for the user.
    pub notice: String,
    /// What is missing.
    pub demand: Demand,
}

/// Whether a start is within the encounter's timeframe; `None` without one.
pub fn inside(encounter: &Encounter, start: Timestamp) -> Option<bool> {
    encounter.due_at().map(|due| start <= due)
}

/// Judges a slot for the user of an encounter.
pub fn judge(encounter: &Encounter, start: Timestamp) -> Judgement {
    let (Some(due), Some(within)) = (encounter.due_at(), encounter.within_minutes) else {
        return Judgement::NoTimeframe;
    };
    if start <= due {
        return Judgement::Inside;
    }
    let seconds = start.as_second().saturating_sub(due.as_second());
    let demand = match within {
        _ if encounter.clinical => Demand::Nothing,
        w if w <= APPROVAL_MINUTES => Demand::Approval,
        w if w <= NOTIFY_MINUTES => Demand::Notify,
        _ => Demand::Nothing,
    };
    Judgement::Outside {
        minutes: (seconds + 59) / 60,
        demand,
    }
}

/// Clears a slot for booking, if the demand is met.
pub fn clear(
    encounter: &Encounter,
    slot: &FreeSlot,
    confirmation: Confirmation,
) -> Result<Cleared, Unconfirmed> {
    let (minutes, demand) = match judge(encounter, slot.start) {
        Judgement::NoTimeframe | Judgement::Inside => (None, Demand::Nothing),
        Judgement::Outside { minutes, demand } => (Some(minutes), demand),
    };
    let approved = confirmation
        .approver
        .as_deref()
        .is_some_and(|a| !a.trim().is_empty());
    let met = match demand {
        Demand::Nothing => true,
        Demand::Notify => confirmation.told || approved,
        Demand::Approval => approved,
    };
    if !met {
        return Err(Unconfirmed {
            notice: notice(minutes.unwrap_or_default(), demand),
            demand,
        });
    }
    Ok(Cleared {
        start: slot.start,
        encounter: encounter.id.clone(),
        minutes,
        confirmation,
    })
}

impl Cleared {
    /// Whether the clearance is for this slot in this encounter.
    pub(super) fn covers(&self, encounter: &Encounter, slot: &FreeSlot) -> bool {
        self.start == slot.start && self.encounter == encounter.id
    }
}

/// The message about a slot outside the timeframe.
pub fn notice(minutes: i64, demand: Demand) -> String {
    let late = format!(
        "This appointment starts {} after the time in which the patient should be seen.",
        span(minutes)
    );
    match demand {
        Demand::Nothing => late,
        Demand::Notify => format!("{late} Book it only knowingly."),
        Demand::Approval => {
            format!(
                "{late} Ask a clinician for approval and record who gave it, or choose an earlier one."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn judged(clinical: bool, within: Option<i64>, start_minutes: i64) -> Judgement {
        let opened_at: Timestamp = "2031-03-04T09:00:00Z".parse().unwrap();
        let encounter = Encounter {
            opened_at,
            clinical,
            within_minutes: within,
            ..Encounter::default()
        };
        judge(
            &encounter,
            opened_at + SignedDuration::from_mins(start_minutes),
        )
    }

    /// Proves: CONS-TF-01, CONS-TF-02, CONS-TF-03, CONS-TF-04
    /// Bands (D-44) and users, with their edges.
    #[test]
    fn who_has_to_confirm_what() {
        let outside = |demand| Judgement::Outside { minutes: 1, demand };
        assert_eq!(judged(false, None, 900), Judgement::NoTimeframe);
        assert_eq!(judged(false, Some(120), 120), Judgement::Inside);
        assert_eq!(judged(false, Some(120), 121), outside(Demand::Approval));
        assert_eq!(judged(false, Some(360), 361), outside(Demand::Approval));
        assert_eq!(judged(false, Some(361), 362), outside(Demand::Notify));
        assert_eq!(judged(false, Some(720), 721), outside(Demand::Notify));
        assert_eq!(judged(false, Some(721), 722), outside(Demand::Nothing));
        assert_eq!(judged(true, Some(120), 121), outside(Demand::Nothing));
        assert_eq!(of_disposition("dx05"), Some(120));
        assert_eq!(of_disposition("1005"), Some(120));
        assert_eq!(of_disposition("Dx999"), None);
    }
}
