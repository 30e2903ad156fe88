//! One function for each task.

use super::finding::slot_line;
use super::rig::{Standing, Work, told};
use super::{Seen, Stop, evidence, not_tried};
use crate::plan::{Contact, Ready, Task};
use consumer::journey::{Booking, Consultation, Located, Old, Rebooked, SlotSearch};

impl Work<'_> {
    pub(super) async fn task(&mut self, task: Task) -> Result<Seen, Stop> {
        match task {
            Task::Offered => self.offered().await,
            Task::Slots => self.slots().await,
            Task::NoSlots => self.no_slots().await,
            Task::Clinics => self.clinics().await,
            Task::Book => self.book_anew().await,
            Task::BookBranch => self.book_branch().await,
            Task::RebookWithin => self.rebook_within().await,
            Task::RebookAfter => self.rebook_after().await,
            Task::Freed => self.freed().await,
            Task::Cancel => self.cancel(false).await,
            Task::CancelAfter => self.cancel(true).await,
            Task::Refer => self.refer_anew().await,
            Task::TextMessage => self.text_message().await,
            Task::CaseNumber => self.case_number().await,
            Task::Counts => self.counts().await,
            Task::MakeReady(ready) => self.make_ready(ready).await,
        }
    }

    async fn make_ready(&mut self, ready: Ready) -> Result<Seen, Stop> {
        if ready == Ready::Fresh {
            self.book_in_contact().await?;
        }
        let standing = self.ensured().await?;
        if ready == Ready::Referred && !self.journal().is_referred(&standing.known.document).await?
        {
            self.send(&standing).await?;
        }
        self.tell(format!("It is about: {}.", standing.told()));
        self.tell(format!("Document: {}", standing.known.document));
        Ok(self.seen(true))
    }

    async fn book_anew(&mut self) -> Result<Seen, Stop> {
        let consultation = self.new_contact().await?;
        let booked = self.book(&consultation).await?;
        let start = Some(booked.slot.start);
        self.tell(format!("Booked: {}", told(&booked.appointment, start)));
        self.tell(slot_line(&booked.slot));
        self.tell(format!("URL: {}", booked.url));
        if booked.recovered {
            self.tell("The answer was lost on the way; the booking was found afterwards.");
        }
        let Some(located) = booked.located() else {
            return Ok(self.seen(false));
        };
        let shown = consultation.show(&located).await?;
        self.tell(format!("Read back from the service: {}", shown.status));
        let right = shown.status == "booked" && shown.start == start;
        let seen = self.seen(right);
        Ok(seen.with("appointment.json", evidence::resource(&shown.resource)))
    }

    async fn book_branch(&mut self) -> Result<Seen, Stop> {
        if self.order.branch.is_none() {
            return not_tried(
                "No service at a branch is known: give its id as the particular `branch`, or have people do this step.",
            );
        }
        let mut seen = self.book_anew().await?;
        let booked = |id: &str| self.rig.remembered.get(id)?.slot.place.clone();
        let believed = self.believed().await?;
        let place = believed
            .iter()
            .find_map(|(_, known)| booked(known.appointment.as_deref()?));
        if place.and_then(|p| p.name.or(p.address)).is_none() {
            seen.passed = false;
            seen.lines
                .push("The slot does not say at which location it is.".to_owned());
        }
        Ok(seen)
    }

    async fn rebook_within(&mut self) -> Result<Seen, Stop> {
        let mut old = self.ensured().await?;
        let is_its_own = |c: &Contact| c.encounter == old.encounter && !c.closed;
        if !self.contacts().any(is_its_own) {
            self.tell("The contact of the last booking is closed; another appointment is booked in an open one.");
            self.book_in_contact().await?;
            old = self.ensured().await?;
        }
        let consultation = self.resume(&old.encounter).await?;
        self.rebook(&consultation, &old).await
    }

    async fn rebook_after(&mut self) -> Result<Seen, Stop> {
        let old = self.ensured().await?;
        let consultation = self.call_back().await?;
        if let Some(number) = self.order.details.patient.number() {
            let known = consultation.known_bookings(Some(&number)).await?;
            self.tell(format!(
                "Known appointments of the patient: {}",
                known.len()
            ));
            if !known.iter().any(|k| k.document == old.known.document) {
                self.tell("The old appointment is not among them.");
                return Ok(self.seen(false));
            }
        }
        self.rebook(&consultation, &old).await
    }

    async fn rebook(&mut self, consultation: &Consultation, old: &Standing) -> Result<Seen, Stop> {
        let target = self.place().await?.target;
        let (slot, cleared) = self.choose(consultation, &target).await?;
        let from = Old {
            located: &old.located,
            document: Some(&old.known.document),
        };
        let rebooked = consultation
            .rebook(from, &target, &slot, &self.order.details, &cleared)
            .await?;
        self.tell(format!("Old: {}", old.told()));
        let complete = rebooked.is_complete();
        let Rebooked {
            new,
            old: cancelled,
        } = rebooked;
        match new? {
            Booking::Booked(booked) => {
                let id = booked.appointment.clone();
                self.tell(format!("New: {}", told(&id, Some(booked.slot.start))));
                self.rig.remembered.insert(id, *booked);
            }
            Booking::SlotTaken { .. } => {
                return not_tried(
                    "The slot was taken by others just before it could be booked, and the old appointment stands: \
                     reserve the test slots, and repeat the step.",
                );
            }
            Booking::Unknown { notice, .. } => return Err(notice.into()),
        }
        self.tell(match cancelled {
            Some(Ok(report)) => format!("Old appointment: {}", report.plain()),
            Some(Err(obstacle)) => format!("The old appointment stands. {obstacle}"),
            None => "The old appointment stands.".to_owned(),
        });
        Ok(self.seen(complete))
    }

    /// Looks whether the slot of an appointment that the service cancelled by itself can be booked again.
    async fn freed(&mut self) -> Result<Seen, Stop> {
        let believed = self.believed().await?.into_iter();
        let mut located = believed.filter_map(|(e, known)| Some((e, Located::of_known(&known)?)));
        let Some((encounter, located)) = located.next() else {
            return not_tried("No appointment is known that the service could have cancelled.");
        };
        let consultation = self.resume(&encounter).await?;
        let shown = consultation.show(&located).await?;
        self.tell(told(&shown.id, shown.start));
        self.tell(format!("Its status at the service: {}", shown.status));
        if shown.status != "cancelled" {
            self.tell("It is not cancelled.");
            return Ok(self.seen(false));
        }
        let slots = consultation
            .slots(&located.target, SlotSearch::soon())
            .await?;
        let taken = self.rig.remembered.get(&shown.id).map(|b| &b.slot.id);
        let free = slots.slots.iter().any(|s| match taken {
            Some(id) => s.id == *id,
            None => Some(s.start) == shown.start,
        });
        self.tell(match free {
            true => "Its slot is among the free ones again.",
            false => "Its slot is not among the free ones.",
        });
        // The journal learns that it is over.
        consultation.cancel(&located, None).await?;
        Ok(self.seen(free))
    }

    async fn cancel(&mut self, after: bool) -> Result<Seen, Stop> {
        let standing = self.ensured().await?;
        let consultation = match after {
            true => self.call_back().await?,
            false => self.contact().await?,
        };
        let number = self.order.details.patient.number();
        let report = consultation
            .cancel(&standing.located, number.as_ref())
            .await?;
        self.tell(standing.told());
        self.tell(report.plain());
        let shown = consultation.show(&standing.located).await?;
        self.tell(format!("Read back from the service: {}", shown.status));
        let right = report.is_cancelled() && shown.status == "cancelled";
        let seen = self.seen(right);
        Ok(seen.with("appointment.json", evidence::resource(&shown.resource)))
    }

    async fn refer_anew(&mut self) -> Result<Seen, Stop> {
        let mut standing = self.ensured().await?;
        if self.journal().is_referred(&standing.known.document).await? {
            self.book_in_contact().await?;
            standing = self.ensured().await?;
        }
        let document = self.send(&standing).await?;
        Ok(self.seen(true).with("referral.xml", document.into_bytes()))
    }

    async fn send(&mut self, standing: &Standing) -> Result<String, Stop> {
        let sent = self.refer(standing).await?;
        self.tell(standing.told());
        self.tell(format!(
            "The service has the referral: document {}, acknowledged with {} at try {}.",
            sent.receipt.document, sent.receipt.status, sent.receipt.tries
        ));
        Ok(sent.document)
    }
}
