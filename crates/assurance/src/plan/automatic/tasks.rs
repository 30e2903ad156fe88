//! One function for each task.

use super::finding::slot_line;
use super::rig::{Rig, Standing, told};
use super::{Order, Seen, Stop, evidence, not_tried};
use crate::plan::{Part, PlanFolder, Ready, Step, Task};
use consumer::journey::{Booking, Consultation, Located, Old, Rebooked, SlotSearch};

impl Rig {
    pub(super) async fn task(
        &mut self,
        folder: &mut PlanFolder,
        step: &Step,
        task: Task,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let part = step.part;
        match task {
            Task::Offered => self.offered(part, order).await,
            Task::Slots => self.slots(folder, part, order).await,
            Task::NoSlots => self.no_slots(folder, part, order).await,
            Task::Clinics => self.clinics(folder, part, order).await,
            Task::Book => self.book_anew(folder, part, order).await,
            Task::BookBranch => self.book_branch(folder, part, order).await,
            Task::RebookWithin => self.rebook_within(folder, part, order).await,
            Task::RebookAfter => self.rebook_after(folder, part, order).await,
            Task::Freed => self.freed(folder, part, order).await,
            Task::Cancel => self.cancel(folder, part, order, false).await,
            Task::CancelAfter => self.cancel(folder, part, order, true).await,
            Task::Refer => self.refer_anew(folder, part, order).await,
            Task::TextMessage => self.text_message(folder, part, order).await,
            Task::CaseNumber => self.case_number(folder, part).await,
            Task::Counts => self.counts(folder, part).await,
        }
    }

    pub(super) async fn ready(
        &mut self,
        folder: &mut PlanFolder,
        step: &Step,
        ready: Ready,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let part = step.part;
        let mut lines = Vec::new();
        let standing = match ready {
            Ready::Fresh => {
                let consultation = self.contact(folder, part, order).await?;
                let place = self.place(self.service(order, part)).await?;
                self.book(&consultation, &place.target, order).await?;
                self.ensured(folder, part, order, &mut lines).await?
            }
            Ready::Booked | Ready::Referred => {
                self.ensured(folder, part, order, &mut lines).await?
            }
        };
        if ready == Ready::Referred && !self.journal().is_referred(&standing.known.document).await?
        {
            self.send(folder, part, &standing, order, &mut lines)
                .await?;
        }
        lines.push(format!(
            "It is about: {}.",
            told(&standing.shown.id, standing.shown.start)
        ));
        lines.push(format!("Document: {}", standing.known.document));
        Ok(Seen::passed(lines))
    }

    async fn book_anew(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let consultation = self.new_contact(folder, part, order).await?;
        let place = self.place(self.service(order, part)).await?;
        let booked = self.book(&consultation, &place.target, order).await?;
        let mut lines = vec![
            format!(
                "Booked: {}",
                told(&booked.appointment, Some(booked.slot.start))
            ),
            slot_line(&booked.slot),
            format!("URL: {}", booked.url),
        ];
        if booked.recovered {
            lines.push(
                "The answer was lost on the way; the booking was found afterwards.".to_owned(),
            );
        }
        let Some(located) = booked.located() else {
            return Ok(Seen::failed(lines));
        };
        let shown = consultation.show(&located).await?;
        lines.push(format!("Read back from the service: {}", shown.status));
        let right = shown.status == "booked" && shown.start == Some(booked.slot.start);
        let seen = if right {
            Seen::passed(lines)
        } else {
            Seen::failed(lines)
        };
        Ok(seen.with("appointment.json", evidence::resource(&shown.resource)))
    }

    async fn book_branch(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        if order.branch.is_none() {
            return not_tried(
                "No service at a branch is known: give its id as the particular `branch`, or have people do this step.",
            );
        }
        let seen = self.book_anew(folder, part, order).await?;
        let place = self
            .believed(folder, part)
            .await?
            .into_iter()
            .find_map(|(_, b)| {
                self.remembered
                    .get(b.appointment.as_deref()?)?
                    .slot
                    .place
                    .clone()
            });
        let named = place.and_then(|p| p.name.or(p.address));
        Ok(match named {
            Some(_) => seen,
            None => Seen {
                passed: false,
                lines: [
                    seen.lines,
                    vec!["The slot does not say at which location it is.".to_owned()],
                ]
                .concat(),
                files: seen.files,
            },
        })
    }

    async fn rebook_within(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let mut lines = Vec::new();
        let mut old = self.ensured(folder, part, order, &mut lines).await?;
        let open = |folder: &PlanFolder, id: &str| {
            let contact = folder.plan.contacts.iter().find(|c| c.encounter == id);
            contact.is_some_and(|c| !c.closed)
        };
        if !open(folder, &old.encounter) {
            lines.push("The contact of the last booking is closed; another appointment is booked in an open one.".to_owned());
            let consultation = self.contact(folder, part, order).await?;
            let place = self.place(self.service(order, part)).await?;
            self.book(&consultation, &place.target, order).await?;
            old = self.ensured(folder, part, order, &mut lines).await?;
        }
        let consultation = self
            .resume(folder, part, order, &old.encounter.clone())
            .await?;
        self.rebook(&consultation, part, old, order, lines).await
    }

    async fn rebook_after(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let mut lines = Vec::new();
        let old = self.ensured(folder, part, order, &mut lines).await?;
        let consultation = self.new_contact(folder, part, order).await?;
        lines.push("The consultation was closed; a new one stands for the call back.".to_owned());
        if let Some(number) = order.details.patient.number() {
            let known = consultation.known_bookings(Some(&number)).await?;
            let listed = known.iter().any(|k| k.document == old.known.document);
            lines.push(format!(
                "Known appointments of the patient: {}",
                known.len()
            ));
            if !listed {
                lines.push("The old appointment is not among them.".to_owned());
                return Ok(Seen::failed(lines));
            }
        }
        self.rebook(&consultation, part, old, order, lines).await
    }

    async fn rebook(
        &mut self,
        consultation: &Consultation,
        part: Part,
        old: Standing,
        order: &Order,
        mut lines: Vec<String>,
    ) -> Result<Seen, Stop> {
        let place = self.place(self.service(order, part)).await?;
        let slots = self.free(consultation, &place.target).await?;
        let (slot, cleared) = Rig::choose(consultation, &slots, order)?;
        let rebooked = consultation
            .rebook(
                Old {
                    located: &old.located,
                    document: Some(&old.known.document),
                },
                &place.target,
                &slot,
                &order.details,
                &cleared,
            )
            .await?;
        lines.push(format!("Old: {}", told(&old.shown.id, old.shown.start)));
        let complete = rebooked.is_complete();
        let Rebooked {
            new,
            old: cancelled,
        } = rebooked;
        match new? {
            Booking::Booked(booked) => {
                lines.push(format!(
                    "New: {}",
                    told(&booked.appointment, Some(booked.slot.start))
                ));
                self.remembered.insert(booked.appointment.clone(), *booked);
            }
            Booking::SlotTaken { .. } => {
                return not_tried(
                    "The slot was taken by others just before it could be booked, and the old appointment stands: \
                     reserve the test slots, and repeat the step.",
                );
            }
            Booking::Unknown { notice, .. } => return Err(notice.into()),
        }
        match cancelled {
            Some(Ok(report)) => lines.push(format!("Old appointment: {}", report.plain())),
            Some(Err(obstacle)) => lines.push(format!("The old appointment stands. {obstacle}")),
            None => lines.push("The old appointment stands.".to_owned()),
        }
        Ok(if complete {
            Seen::passed(lines)
        } else {
            Seen::failed(lines)
        })
    }

    /// Looks whether the slot of an appointment that the service cancelled by itself can be booked again.
    async fn freed(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let believed = self.believed(folder, part).await?.into_iter();
        let mut located = believed.filter_map(|(e, known)| Some((e, Located::of_known(&known)?)));
        let Some((encounter, located)) = located.next() else {
            return not_tried("No appointment is known that the service could have cancelled.");
        };
        let consultation = self.resume(folder, part, order, &encounter).await?;
        let shown = consultation.show(&located).await?;
        let mut lines = vec![
            told(&shown.id, shown.start),
            format!("Its status at the service: {}", shown.status),
        ];
        if shown.status != "cancelled" {
            lines.push("It is not cancelled.".to_owned());
            return Ok(Seen::failed(lines));
        }
        let slots = consultation
            .slots(&located.target, SlotSearch::soon())
            .await?;
        let taken = self.remembered.get(&shown.id).map(|b| b.slot.id.clone());
        let free = slots.slots.iter().any(|s| match &taken {
            Some(id) => s.id == *id,
            None => Some(s.start) == shown.start,
        });
        lines.push(match free {
            true => "Its slot is among the free ones again.".to_owned(),
            false => "Its slot is not among the free ones.".to_owned(),
        });
        // The journal learns that it is over.
        consultation.cancel(&located, None).await?;
        Ok(if free {
            Seen::passed(lines)
        } else {
            Seen::failed(lines)
        })
    }

    async fn cancel(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
        after: bool,
    ) -> Result<Seen, Stop> {
        let mut lines = Vec::new();
        let standing = self.ensured(folder, part, order, &mut lines).await?;
        let consultation = match after {
            true => {
                let consultation = self.new_contact(folder, part, order).await?;
                lines.push(
                    "The consultation was closed; a new one stands for the call back.".to_owned(),
                );
                consultation
            }
            false => self.contact(folder, part, order).await?,
        };
        let number = order.details.patient.number();
        let report = consultation
            .cancel(&standing.located, number.as_ref())
            .await?;
        lines.push(told(&standing.shown.id, standing.shown.start));
        lines.push(report.plain());
        let shown = consultation.show(&standing.located).await?;
        lines.push(format!("Read back from the service: {}", shown.status));
        let right = report.is_cancelled() && shown.status == "cancelled";
        let seen = if right {
            Seen::passed(lines)
        } else {
            Seen::failed(lines)
        };
        Ok(seen.with("appointment.json", evidence::resource(&shown.resource)))
    }

    async fn refer_anew(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let mut lines = Vec::new();
        let mut standing = self.ensured(folder, part, order, &mut lines).await?;
        if self.journal().is_referred(&standing.known.document).await? {
            let consultation = self.contact(folder, part, order).await?;
            let place = self.place(self.service(order, part)).await?;
            self.book(&consultation, &place.target, order).await?;
            standing = self.ensured(folder, part, order, &mut lines).await?;
        }
        let document = self
            .send(folder, part, &standing, order, &mut lines)
            .await?;
        Ok(Seen::passed(lines).with("referral.xml", document.into_bytes()))
    }

    async fn send(
        &self,
        folder: &PlanFolder,
        part: Part,
        standing: &Standing,
        order: &Order,
        lines: &mut Vec<String>,
    ) -> Result<String, Stop> {
        let consultation = self
            .resume(folder, part, order, &standing.encounter)
            .await?;
        let place = self.place(self.service(order, part)).await?;
        let sent = self.refer(&consultation, &place, standing, order).await?;
        lines.push(told(&standing.shown.id, standing.shown.start));
        lines.push(format!(
            "The service has the referral: document {}, acknowledged with {} at try {}.",
            sent.receipt.document, sent.receipt.status, sent.receipt.tries
        ));
        Ok(sent.document)
    }
}
