//! Cancels an appointment (CONS-CAN-01..05): reads it, compares it with what is known, changes only the status, and
//! believes only an appointment that says that it is cancelled (D-52).

use super::appointment::{AppointmentShown, Located};
use super::identity::{Expected, Field, Proven, Status, Unproven};
use super::outcome::put_may_follow;
use super::progress::PendingChange;
use super::{Consultation, faults};
use crate::journal::{ELSEWHERE, StepId};
use crate::obstacle::{Kind, Obstacle};
use crate::plan;
use crate::transport::Answer;
use booking::ids::NhsNumber;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

/// Rounds of a cancellation whose appointment changes meanwhile (CONS-CAN-03).
const MAX_ROUNDS: u32 = 3;

/// The outcome of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Cancelled: the appointment itself says so.
    Yes(Box<Proven>),
    /// The service says that it is cancelled, but no known request from here did it.
    Already(Box<Proven>),
    /// It has begun or is over.
    InThePast,
    /// Its status is neither `booked` nor `cancelled`, so it cannot be cancelled. The text says what is stored and what to
    /// do.
    NotBooked(String),
    /// The service does not know it.
    NotFound,
    /// It is another patient's.
    NotThisPatient,
    /// What the service has under this id is not, or not certainly, the expected appointment. The text says what differs.
    NotTheSame(String),
    /// The service refuses; the appointment stands.
    Refused(Obstacle),
    /// Something failed; as far as known, the appointment stands.
    Failed(Obstacle),
    /// It is uncertain whether it is cancelled.
    Uncertain(Obstacle),
}

/// The outcome of a cancellation, with the appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelReport {
    /// How it ended.
    pub outcome: Cancelled,
    /// The appointment as last read, if it is the expected one.
    pub appointment: Option<AppointmentShown>,
}

impl CancelReport {
    /// Whether the appointment is cancelled now.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.outcome, Cancelled::Yes(_) | Cancelled::Already(_))
    }

    /// Whether it is uncertain that the appointment is cancelled.
    pub fn is_uncertain(&self) -> bool {
        matches!(self.outcome, Cancelled::Uncertain(_))
    }

    /// The outcome in one word for scripts: `cancelled`, `already_cancelled`, `not_cancelled` or `uncertain`.
    pub fn outcome_word(&self) -> &'static str {
        match &self.outcome {
            Cancelled::Yes(_) => "cancelled",
            Cancelled::Already(_) => "already_cancelled",
            Cancelled::Uncertain(_) => "uncertain",
            _ => "not_cancelled",
        }
    }

    /// The outcome in a few words, for the journal and as a reason for scripts.
    pub fn word(&self) -> &'static str {
        match &self.outcome {
            Cancelled::Yes(_) => "cancelled",
            Cancelled::Already(_) => "already cancelled",
            Cancelled::InThePast => "in the past",
            Cancelled::NotBooked(_) => "not booked",
            Cancelled::NotFound => "not found",
            Cancelled::NotThisPatient => "not this patient",
            Cancelled::NotTheSame(_) => "not the same",
            Cancelled::Refused(_) => "refused",
            Cancelled::Failed(_) => "system failure",
            Cancelled::Uncertain(_) => "uncertain",
        }
    }

    /// The outcome for the user (CONS-CAN-04).
    pub fn plain(&self) -> String {
        match &self.outcome {
            Cancelled::Yes(_) => "The appointment is cancelled. Tell the patient.".to_owned(),
            Cancelled::Already(_) => {
                "The service says that the appointment is cancelled already.".to_owned()
            }
            Cancelled::InThePast => {
                "The appointment is in the past, so it cannot be cancelled.".to_owned()
            }
            Cancelled::NotBooked(words) => format!("Nothing was cancelled: {words}"),
            Cancelled::NotFound => "The service does not know this appointment.".to_owned(),
            Cancelled::NotThisPatient => {
                "This appointment is another patient's. Nothing was cancelled.".to_owned()
            }
            Cancelled::NotTheSame(why) => format!(
                "Nothing was cancelled: what the service has is not the appointment that is meant: {why}. Ring the service."
            ),
            Cancelled::Refused(o) | Cancelled::Failed(o) => {
                format!("The appointment was not cancelled. {} {}", o.plain, o.next)
            }
            Cancelled::Uncertain(o) => o.to_string(),
        }
    }
}

/// A summary for `--json` and the journal.
impl Serialize for CancelReport {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        json!({
            "outcome": self.outcome_word(),
            "reason": self.word(),
            "cancelled": self.is_cancelled(),
            "message": self.plain(),
            "appointment": self.appointment,
        })
        .serialize(to)
    }
}

impl Consultation {
    /// Cancels an appointment. `patient` is the NHS number of the current patient, if known. Another patient's appointment
    /// is not touched, nor is one that differs from the journal.
    pub async fn cancel(
        &self,
        located: &Located,
        patient: Option<&NhsNumber>,
    ) -> Result<CancelReport, Obstacle> {
        let step = self.begin("cancel", Some(&located.target.service)).await?;
        let expected = match self.expected(located, patient).await {
            Ok(expected) => expected,
            Err(obstacle) => return self.ended(step, obstacle).await,
        };
        let report = self.cancel_in(located, &expected, step).await;
        let id = located.id.as_str();
        let asid = located.target.asid.as_str();
        if report.is_cancelled() {
            // An earlier cancellation was not made from here (D-78).
            let by = match report.outcome {
                Cancelled::Already(_) => ELSEWHERE,
                _ => &self.encounter.user,
            };
            let kept = self
                .journal()
                .cancelled(id, asid, by, &self.encounter.id, Timestamp::now())
                .await;
            if let Err(error) = kept {
                tracing::error!(%error, "a cancellation could not be kept in the journal");
            }
        }
        let mut detail = match &report.outcome {
            Cancelled::Refused(o) | Cancelled::Failed(o) | Cancelled::Uncertain(o) => {
                faults::detail(o)
            }
            _ => json!({ "shown": report.plain() }),
        };
        detail["appointment"] = json!(id);
        detail["encounter_open"] = json!(self.encounter.closed_at.is_none());
        self.end(step, report.word(), detail).await;
        if !report.is_uncertain() {
            self.journey.arrived(None);
        }
        Ok(report)
    }

    /// Records that the patient was told of the cancellation (CONS-CAN-05).
    pub async fn patient_told(&self, located: &Located) -> Result<(), Obstacle> {
        let asid = located.target.asid.as_str();
        let told = self.journal().patient_told(located.id.as_str(), asid).await;
        told.map_err(faults::journal)
    }

    async fn cancel_in(
        &self,
        located: &Located,
        expected: &Expected,
        step: StepId,
    ) -> CancelReport {
        let mut first: Option<AppointmentShown> = None;
        let mut last = None;
        for _ in 0..MAX_ROUNDS {
            let wanted = first
                .as_ref()
                .map_or_else(|| expected.clone(), Expected::again);
            let proven = match self.read_in(located, &wanted, Status::Any, step).await {
                Ok(Ok(proven)) => proven,
                Ok(Err(unproven)) => {
                    let outcome = match first.is_some() && unproven.is_other() {
                        true => Cancelled::Refused(faults::changed(&located.target)),
                        false => not_the_same(&unproven),
                    };
                    return report(outcome, first);
                }
                Err(o) if o.kind == Kind::NotFound => return report(Cancelled::NotFound, first),
                Err(o) => return report(Cancelled::Failed(o), first),
            };
            if let Some(outcome) = before_asking(&proven) {
                return report(outcome, Some(proven.into_appointment()));
            }
            let shown = proven.into_appointment();
            match self.put(located, &shown, step).await {
                Put::Changed(o) => last = Some(o),
                Put::Proven(proven) => {
                    let now = proven.appointment().clone();
                    return report(Cancelled::Yes(proven), Some(now));
                }
                Put::NotProven(why) => return self.read_again(located, shown, why, step).await,
            }
            first.get_or_insert(shown);
        }
        let obstacle = last.unwrap_or_else(|| faults::changed(&located.target));
        report(Cancelled::Failed(obstacle), first)
    }

    async fn read_in(
        &self,
        located: &Located,
        expected: &Expected,
        status: Status,
        step: StepId,
    ) -> Result<Result<Proven, Unproven>, Obstacle> {
        let shown = self.read(located, step).await?;
        Ok(expected.at(located.id.as_str()).judge(shown, status))
    }

    async fn put(&self, located: &Located, shown: &AppointmentShown, step: StepId) -> Put {
        let target = &located.target;
        let stage = faults::Stage::Cancel;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self.journey.plan(&route, |s| {
            plan::cancel::plan(s, &located.id, &shown.resource, &shown.etag)
        });
        let request = match request {
            Ok(request) => request,
            Err(obstacle) => return Put::NotProven(Why::refused(obstacle)),
        };
        let id = located.id.as_str().to_owned();
        self.journey.leaves(PendingChange::Cancellation(id));
        let answer = match self.journey.send(&request, step).await {
            Ok(answer) => answer,
            Err(undelivered) => {
                return Put::NotProven(Why {
                    may_follow: undelivered.uncertain,
                    refused: false,
                    unsaid: false,
                    obstacle: faults::undelivered(&undelivered, stage, target),
                });
            }
        };
        if answer.is_success() {
            return match cancelled_by(&answer, located, shown) {
                Some(proven) => Put::Proven(Box::new(proven)),
                None => Put::NotProven(Why {
                    may_follow: answer.status == 202,
                    refused: false,
                    unsaid: false,
                    obstacle: faults::stands(&answer, target),
                }),
            };
        }
        let obstacle = faults::refused(&answer, stage, target);
        // After a lost answer, later answers do not show what the first try did.
        let earlier = answer.tries > 1 && answer.uncertain;
        match answer.status {
            409 | 412 if !earlier => Put::Changed(obstacle),
            status => Put::NotProven(Why {
                may_follow: earlier || put_may_follow(Some(status)),
                refused: (400..500).contains(&status),
                unsaid: answer.unsaid,
                obstacle,
            }),
        }
    }

    /// Reads the appointment to find out whether it is cancelled.
    async fn read_again(
        &self,
        located: &Located,
        shown: AppointmentShown,
        why: Why,
        step: StepId,
    ) -> CancelReport {
        let uncertain = |o: Obstacle| Cancelled::Uncertain(faults::cancel_unknown(o));
        let expected = Expected::again(&shown);
        let now = match self.read_in(located, &expected, Status::Any, step).await {
            Ok(Ok(now)) => now,
            Ok(Err(_)) => return report(uncertain(why.obstacle), Some(shown)),
            Err(o) if o.kind == Kind::NotFound && why.refused => {
                return report(Cancelled::NotFound, Some(shown));
            }
            // A refusal in the Standard's words is certain, even if the appointment cannot be read afterwards.
            Err(_) if why.refused && !why.may_follow && !why.unsaid => {
                return report(Cancelled::Refused(why.obstacle), Some(shown));
            }
            Err(_) => return report(uncertain(why.obstacle), Some(shown)),
        };
        let outcome = match now.appointment().status.as_received() {
            // Somebody else cancelled it, and our request was refused.
            "cancelled" if why.refused && !why.may_follow && !why.unsaid => {
                Cancelled::Already(Box::new(now.clone()))
            }
            "cancelled" => Cancelled::Yes(Box::new(now.clone())),
            _ if why.may_follow => uncertain(why.obstacle),
            _ if is_past(now.appointment()) => Cancelled::InThePast,
            _ if why.refused => Cancelled::Refused(why.obstacle),
            _ => Cancelled::Failed(why.obstacle),
        };
        report(outcome, Some(now.into_appointment()))
    }
}

/// The outcome of a PUT.
enum Put {
    /// The answer is the appointment, cancelled.
    Proven(Box<Proven>),
    /// It was changed meanwhile.
    Changed(Obstacle),
    /// The appointment has to be read again.
    NotProven(Why),
}

/// Why a PUT did not prove that the appointment is cancelled.
struct Why {
    /// The request may still take effect.
    may_follow: bool,
    /// The service refused it.
    refused: bool,
    /// The refusal lacks the Standard's words ([`Answer::unsaid`]).
    unsaid: bool,
    obstacle: Obstacle,
}

impl Why {
    fn refused(obstacle: Obstacle) -> Why {
        Why {
            may_follow: false,
            refused: true,
            unsaid: false,
            obstacle,
        }
    }
}

fn report(outcome: Cancelled, appointment: Option<AppointmentShown>) -> CancelReport {
    CancelReport {
        outcome,
        appointment,
    }
}

/// The appointment in a success, if it is the same one and cancelled.
fn cancelled_by(answer: &Answer, located: &Located, shown: &AppointmentShown) -> Option<Proven> {
    let resource = answer.resource_of("Appointment")?;
    let url = shown.url.clone();
    let now = AppointmentShown::of(resource.clone(), &located.id, answer.etag.as_deref(), url);
    let judged = Expected::again(shown).judge(now, Status::Cancelled);
    // Only 200 answers an update with the current resource.
    judged.ok().filter(|_| answer.status == 200)
}

fn not_the_same(unproven: &Unproven) -> Cancelled {
    let other = |field: Field| unproven.differs.iter().any(|(f, _)| *f == field);
    match other(Field::Patient) && !other(Field::Document) && !other(Field::Appointment) {
        true => Cancelled::NotThisPatient,
        false => Cancelled::NotTheSame(unproven.plain()),
    }
}

/// Why an appointment of this status cannot be cancelled or rebooked, as the end of a sentence, and what to do. `None`: it
/// is booked.
pub fn not_booked(status: &str) -> Option<String> {
    let (stands, next) = match status {
        "booked" => return None,
        "cancelled" => (
            "the service says that it is cancelled",
            "If that is wrong, ring the service.",
        ),
        "noshow" => (
            "the service has noted that the patient did not come",
            "If that is wrong, ring the service.",
        ),
        "fulfilled" => (
            "the service has noted that it took place",
            "If that is wrong, ring the service.",
        ),
        "arrived" => (
            "the service has noted that the patient has arrived",
            "If that is wrong, ring the service.",
        ),
        "entered-in-error" => (
            "the service has marked it as entered by mistake, so it is no appointment",
            "Ring the service to make sure that the patient is not expected.",
        ),
        "proposed" | "pending" => (
            "the service has not confirmed it, so it is not booked",
            "Ring the service and ask what became of it.",
        ),
        "" => (
            "the service does not say whether it is booked",
            "Ring the service and ask.",
        ),
        _ => (
            "the service gives it a status that is not known here",
            "Ring the service and ask whether it is booked.",
        ),
    };
    Some(format!("{stands}. {next}"))
}

/// Outcomes that are clear before any request.
fn before_asking(proven: &Proven) -> Option<Cancelled> {
    match proven.appointment().status.as_received() {
        // Also after a conflict: none of our requests is known to have done it (D-78).
        "cancelled" => Some(Cancelled::Already(Box::new(proven.clone()))),
        "booked" if is_past(proven.appointment()) => Some(Cancelled::InThePast),
        status => not_booked(status).map(Cancelled::NotBooked),
    }
}

fn is_past(shown: &AppointmentShown) -> bool {
    shown.start.is_some_and(|start| start <= Timestamp::now())
}
