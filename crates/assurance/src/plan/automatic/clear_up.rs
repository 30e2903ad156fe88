//! After a run: what it booked is cancelled, and what stays is named.

use super::rig::{Rig, told};
use super::{Order, Stop};
use crate::plan::{Part, PlanFolder};
use booking::ids::ServiceId;
use consumer::journal::KnownBooking;
use consumer::journey::{Cancelled, Located, Lost};
use jiff::Timestamp;
use std::time::Duration;

/// How often a booking that is not at the service is looked for.
const LOOKS: usize = 2;
/// Time between looks: a request that was sent has been stored or refused long before.
const MOMENT: Duration = Duration::from_secs(3);

/// What stays booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Appointments of parts with steps that people still have to do.
    Needed,
}

/// What became of the appointments of a plan.
#[derive(Clone, Debug, Default)]
pub struct ClearedUp {
    /// Cancelled now.
    pub cancelled: Vec<String>,
    /// Left on purpose, because steps that are open need them.
    pub kept: Vec<String>,
    /// Asked for when the program was ended, and not at the service.
    pub absent: Vec<String>,
    /// Could not be cancelled, and why.
    pub left: Vec<String>,
}

/// How a booking ended that the program did not see end.
enum Ended {
    Booked(Box<Located>),
    NotBooked,
    Unknown,
}

impl Rig {
    /// Cancels what the plan booked and nobody needs any more.
    pub async fn clear_up(
        &mut self,
        folder: &mut PlanFolder,
        order: &Order,
        keep: Keep,
    ) -> ClearedUp {
        let mut done = ClearedUp::default();
        let parts = folder.plan.plan.parts();
        for part in parts {
            let needed = keep == Keep::Needed && people_need(folder, *part);
            if let Err(stop) = self
                .clear_part(folder, *part, order, needed, &mut done)
                .await
            {
                done.left.push(format!("{}: {stop}", part.name()));
            }
        }
        done
    }

    async fn clear_part(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
        needed: bool,
        done: &mut ClearedUp,
    ) -> Result<(), Stop> {
        let unknown: Vec<String> = self.unknown_contacts(folder, part).await?;
        for encounter in unknown {
            done.left.push(format!(
                "The journal of these settings does not know the contact {encounter}: what was booked in it has to be \
                 looked for with the settings that it was made with."
            ));
        }
        for (encounter, known) in self.believed(folder, part).await? {
            let id = known
                .appointment
                .clone()
                .unwrap_or_else(|| known.document.clone());
            let named = told(&id, Some(known.start));
            let located = match Located::of_known(&known) {
                Some(located) => located,
                // The program was ended before it saw how the booking ended.
                None => match self
                    .look_for(folder, part, order, &encounter, &known)
                    .await?
                {
                    Ended::Booked(located) => *located,
                    Ended::NotBooked => {
                        done.absent
                            .push(format!("{named}, document {}", known.document));
                        continue;
                    }
                    Ended::Unknown => {
                        done.left.push(format!(
                            "{named}: it is not known whether it was booked. Ask the service about the document {}.",
                            known.document
                        ));
                        continue;
                    }
                },
            };
            if known.start <= Timestamp::now() {
                continue;
            }
            if needed {
                done.kept.push(named);
                continue;
            }
            let consultation = self.resume(folder, part, order, &encounter).await?;
            let number = order.details.patient.number();
            match consultation.cancel(&located, number.as_ref()).await {
                Ok(report) => match report.outcome {
                    Cancelled::Yes(_) => done.cancelled.push(named),
                    // Cancelled at the service before: nothing is left of it.
                    Cancelled::Already(_) | Cancelled::InThePast | Cancelled::NotFound => {}
                    _ => done.left.push(format!("{named}: {}", report.plain())),
                },
                Err(obstacle) => done.left.push(format!("{named}: {obstacle}")),
            }
        }
        if !needed {
            self.close_contacts(folder, part).await?;
        }
        Ok(())
    }

    /// Finds out how a booking ended. One that is not at the service is looked for once more after a moment: the request
    /// may have been on its way when the program was ended.
    async fn look_for(
        &self,
        folder: &PlanFolder,
        part: Part,
        order: &Order,
        encounter: &str,
        known: &KnownBooking,
    ) -> Result<Ended, Stop> {
        let consultation = self.resume(folder, part, order, encounter).await?;
        let service = ServiceId::parse(&known.service)
            .map_err(|e| Stop::NotTried(format!("the journal is damaged: {e}")))?;
        let place = self.place(&service).await?;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(MOMENT).await;
            }
            match consultation.look_for(&place.target, known).await? {
                Lost::Booked(located, _) => return Ok(Ended::Booked(located)),
                Lost::Cancelled => return Ok(Ended::NotBooked),
                Lost::CannotTell(_) => return Ok(Ended::Unknown),
                Lost::Absent | Lost::NotSent => {}
            }
        }
        consultation.never_made(known).await?;
        Ok(Ended::NotBooked)
    }

    async fn unknown_contacts(&self, folder: &PlanFolder, part: Part) -> Result<Vec<String>, Stop> {
        let mut unknown = Vec::new();
        for contact in &folder.plan.contacts {
            // A contact that was written down and never begun is closed when the next one is opened.
            if contact.part == part.name()
                && !contact.closed
                && self.journal().extract(&contact.encounter).await?.is_none()
            {
                unknown.push(contact.encounter.clone());
            }
        }
        Ok(unknown)
    }
}

/// Whether people still have to do a step of a part for which the tool books.
fn people_need(folder: &PlanFolder, part: Part) -> bool {
    let steps = crate::plan::steps(folder.plan.plan);
    steps.iter().filter(|s| s.part == part).any(|step| {
        let answered = folder
            .plan
            .answers
            .get(&step.id)
            .is_some_and(|a| a.missing().is_none());
        !answered && (step.row.ready.is_some() || step.row.look.is_some())
    })
}
