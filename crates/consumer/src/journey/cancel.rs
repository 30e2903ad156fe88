//! Cancelling (CONS-CAN-01..05): read first, change only the status, and say how it ended in plain words.

use super::appointment::{AppointmentShown, Located};
use super::{Consultation, faults, success};
use crate::journal::StepId;
use crate::obstacle::{Kind, Obstacle};
use crate::plan;
use crate::transport::Answer;
use booking::ids::NhsNumber;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

/// How often a cancellation is begun anew because the appointment changed in between (CONS-CAN-03).
const MAX_ROUNDS: u32 = 3;

/// How a cancellation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Cancelled.
    Yes,
    /// It had been cancelled before.
    Already,
    /// It is over, or has begun.
    InThePast,
    /// The service does not know it.
    NotFound,
    /// It is another patient's.
    NotThisPatient,
    /// The service refuses.
    Refused(Obstacle),
    /// Something failed; the appointment stands, as far as is known.
    Failed(Obstacle),
}

/// The outcome of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelReport {
    /// How it ended.
    pub outcome: Cancelled,
    /// The appointment as it was last read.
    pub appointment: Option<AppointmentShown>,
}

impl CancelReport {
    /// Whether the appointment is cancelled now.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.outcome, Cancelled::Yes | Cancelled::Already)
    }

    /// The outcome in one word, for scripts and the journal.
    pub fn word(&self) -> &'static str {
        match &self.outcome {
            Cancelled::Yes => "cancelled",
            Cancelled::Already => "already cancelled",
            Cancelled::InThePast => "in the past",
            Cancelled::NotFound => "not found",
            Cancelled::NotThisPatient => "not this patient",
            Cancelled::Refused(_) => "refused",
            Cancelled::Failed(_) => "system failure",
        }
    }

    /// The outcome for the user (CONS-CAN-04).
    pub fn plain(&self) -> String {
        match &self.outcome {
            Cancelled::Yes => "The appointment is cancelled. Tell the patient.".to_owned(),
            Cancelled::Already => "The appointment had already been cancelled.".to_owned(),
            Cancelled::InThePast => {
                "The appointment is in the past, so it cannot be cancelled.".to_owned()
            }
            Cancelled::NotFound => "The service does not know this appointment.".to_owned(),
            Cancelled::NotThisPatient => {
                "This appointment is another patient's. Nothing was cancelled.".to_owned()
            }
            Cancelled::Refused(o) | Cancelled::Failed(o) => {
                format!("The appointment was not cancelled. {} {}", o.plain, o.next)
            }
        }
    }
}

/// A summary for `--json` and the journal.
impl Serialize for CancelReport {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        json!({
            "outcome": self.word(),
            "cancelled": self.is_cancelled(),
            "message": self.plain(),
            "appointment": self.appointment,
        })
        .serialize(to)
    }
}

impl Consultation {
    /// Cancels an appointment. `patient` is the NHS number of the patient at hand, if it is known: another patient's
    /// appointment is left alone.
    pub async fn cancel(
        &self,
        located: &Located,
        patient: Option<&NhsNumber>,
    ) -> Result<CancelReport, Obstacle> {
        let step = self.begin("cancel", Some(&located.target.service)).await?;
        let report = self.cancel_in(located, patient, step).await;
        let id = located.id.as_str();
        let asid = located.target.asid.as_str();
        if report.is_cancelled() {
            let by = &self.encounter.user;
            let kept = self
                .journal()
                .cancelled(id, asid, by, &self.encounter.id, Timestamp::now())
                .await;
            if let Err(error) = kept {
                tracing::error!(%error, "a cancellation could not be kept in the journal");
            }
        }
        let mut detail = match &report.outcome {
            Cancelled::Refused(o) | Cancelled::Failed(o) => faults::detail(o),
            _ => json!({ "shown": report.plain() }),
        };
        detail["appointment"] = json!(id);
        detail["encounter_open"] = json!(self.encounter.closed_at.is_none());
        self.end(step, report.word(), detail).await;
        Ok(report)
    }

    /// Keeps that the patient was told of the cancellation (CONS-CAN-05).
    pub async fn patient_told(&self, located: &Located) -> Result<(), Obstacle> {
        let asid = located.target.asid.as_str();
        let told = self.journal().patient_told(located.id.as_str(), asid).await;
        told.map_err(faults::journal)
    }

    async fn cancel_in(
        &self,
        located: &Located,
        patient: Option<&NhsNumber>,
        step: StepId,
    ) -> CancelReport {
        let mut first: Option<AppointmentShown> = None;
        let mut last = None;
        for _ in 0..MAX_ROUNDS {
            let shown = match self.read(located, step).await {
                Ok(shown) => shown,
                Err(o) if o.kind == Kind::NotFound => return report(Cancelled::NotFound, first),
                Err(o) => return report(Cancelled::Failed(o), first),
            };
            if let Some(first) = &first
                && !same_booking(first, &shown)
            {
                let changed = faults::changed(&located.target);
                return report(Cancelled::Refused(changed), Some(shown));
            }
            if let Some(outcome) = before_asking(&shown, patient, last.is_some()) {
                return report(outcome, Some(shown));
            }
            match self.put(located, &shown, step).await {
                Put::Done(answer) => return report(Cancelled::Yes, Some(updated(shown, &answer))),
                Put::Changed(o) => last = Some(o),
                Put::Refused(o) => return self.refused(located, shown, o, step).await,
                Put::NotFound => return report(Cancelled::NotFound, Some(shown)),
                Put::Lost(o) => return self.after_loss(located, shown, o, step).await,
            }
            first.get_or_insert(shown);
        }
        let obstacle = last.unwrap_or_else(|| faults::changed(&located.target));
        report(Cancelled::Failed(obstacle), first)
    }

    async fn put(&self, located: &Located, shown: &AppointmentShown, step: StepId) -> Put {
        let target = &located.target;
        let route = self.journey.route(&target.asid, &target.booking_root);
        let request = self.journey.plan(&route, |s| {
            plan::cancel::plan(s, &located.id, &shown.resource, &shown.etag)
        });
        let request = match request {
            Ok(request) => request,
            Err(obstacle) => return Put::Refused(obstacle),
        };
        let delivery = self.journey.send(&request, step).await;
        let (status, uncertain) = match &delivery {
            Ok(answer) => (answer.status, answer.uncertain),
            Err(undelivered) => (0, undelivered.uncertain),
        };
        match success(delivery, faults::Stage::Cancel, target) {
            Ok(answer) => Put::Done(Box::new(answer)),
            // After a lost answer nothing that comes later says what the first attempt did.
            Err(o) if uncertain => Put::Lost(o),
            Err(o) => match status {
                404 | 410 => Put::NotFound,
                409 | 412 => Put::Changed(o),
                0 => Put::Lost(o),
                _ => Put::Refused(o),
            },
        }
    }

    /// The service refused; reading once more tells whether there was nothing left to cancel.
    async fn refused(
        &self,
        located: &Located,
        shown: AppointmentShown,
        obstacle: Obstacle,
        step: StepId,
    ) -> CancelReport {
        let now = self.read(located, step).await.unwrap_or(shown);
        let outcome = match now.status.as_str() {
            "cancelled" => Cancelled::Already,
            _ if is_past(&now) => Cancelled::InThePast,
            _ => Cancelled::Refused(obstacle),
        };
        report(outcome, Some(now))
    }

    /// No answer: whether it is cancelled is read from the appointment itself.
    async fn after_loss(
        &self,
        located: &Located,
        shown: AppointmentShown,
        obstacle: Obstacle,
        step: StepId,
    ) -> CancelReport {
        match self.read(located, step).await {
            Ok(now) if now.status == "cancelled" => report(Cancelled::Yes, Some(now)),
            Ok(now) => report(Cancelled::Failed(obstacle), Some(now)),
            Err(_) => report(
                Cancelled::Failed(faults::cancel_unknown(obstacle)),
                Some(shown),
            ),
        }
    }
}

enum Put {
    Done(Box<Answer>),
    Changed(Obstacle),
    Refused(Obstacle),
    NotFound,
    Lost(Obstacle),
}

fn report(outcome: Cancelled, appointment: Option<AppointmentShown>) -> CancelReport {
    CancelReport {
        outcome,
        appointment,
    }
}

/// What makes asking useless. `again` is true when an earlier round was answered by a conflict.
fn before_asking(
    shown: &AppointmentShown,
    patient: Option<&NhsNumber>,
    again: bool,
) -> Option<Cancelled> {
    if let (Some(wanted), Some(found)) = (patient, shown.nhs_number())
        && *wanted != found
    {
        return Some(Cancelled::NotThisPatient);
    }
    match shown.status.as_str() {
        // A conflict with an own earlier attempt looks like this too; either way it is cancelled.
        "cancelled" if again => Some(Cancelled::Yes),
        "cancelled" => Some(Cancelled::Already),
        _ if is_past(shown) => Some(Cancelled::InThePast),
        _ => None,
    }
}

fn is_past(shown: &AppointmentShown) -> bool {
    shown.start.is_some_and(|start| start <= Timestamp::now())
}

/// Whether a re-read appointment is still the one that was meant (CONS-CAN-03).
fn same_booking(a: &AppointmentShown, b: &AppointmentShown) -> bool {
    a.document == b.document && a.start == b.start && a.nhs_number() == b.nhs_number()
}

/// The appointment after a successful update, from the answer's body if it came.
fn updated(mut shown: AppointmentShown, answer: &Answer) -> AppointmentShown {
    "cancelled".clone_into(&mut shown.status);
    if let Some(resource) = answer.resource_of("Appointment") {
        let id = booking::ids::ResourceId::parse(&shown.id);
        if let Ok(id) = id {
            let url = shown.url.clone();
            return AppointmentShown::of(resource.clone(), &id, answer.etag.as_deref(), url);
        }
    }
    shown
}
