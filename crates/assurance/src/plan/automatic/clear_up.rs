//! After a run: what it booked is cancelled, and what stays is named.

use super::rig::{Rig, Work, told};
use super::{Order, Stop};
use crate::plan::{Part, PlanFolder};
use booking::ids::ServiceId;
use consumer::journal::KnownBooking;
use consumer::journey::{Cancelled, Consultation, Located, Lost};
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
        for part in folder.plan.plan.parts() {
            let needed = keep == Keep::Needed && people_need(folder, *part);
            let mut work = self.work(folder, *part, order);
            if let Err(stop) = work.clear_up(needed, &mut done).await {
                done.left.push(format!("{}: {stop}", part.name()));
            }
        }
        done
    }
}

impl Work<'_> {
    async fn clear_up(&mut self, needed: bool, done: &mut ClearedUp) -> Result<(), Stop> {
        for contact in self.contacts().filter(|contact| !contact.closed) {
            // A contact that was written down and never begun is closed when the next one is opened.
            if self.journal().extract(&contact.encounter).await?.is_none() {
                done.left.push(format!(
                    "The journal of these settings does not know the contact {}: what was booked in it has to be \
                     looked for with the settings that it was made with.",
                    contact.encounter
                ));
            }
        }
        for (encounter, known) in self.believed().await? {
            let id = known.appointment.as_ref().unwrap_or(&known.document);
            let named = told(id, Some(known.start));
            let consultation = self.resume(&encounter).await?;
            let located = match Located::of_known(&known) {
                Some(located) => located,
                // The program was ended before it saw how the booking ended.
                None => match self.look_for(&consultation, &known).await? {
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
            let number = self.order.details.patient.number();
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
            self.close_contacts().await?;
        }
        Ok(())
    }

    /// Finds out how a booking ended. One that is not at the service is looked for once more after a moment: the request
    /// may have been on its way when the program was ended.
    async fn look_for(
        &self,
        consultation: &Consultation,
        known: &KnownBooking,
    ) -> Result<Ended, Stop> {
        let service = ServiceId::parse(&known.service)
            .map_err(|e| Stop::NotTried(format!("the journal is damaged: {e}")))?;
        let place = self.place_of(&service).await?;
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
