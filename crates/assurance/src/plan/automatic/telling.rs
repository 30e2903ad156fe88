//! What people compare with what they have: text message, case number, counts for the reports.

use super::rig::Rig;
use super::{Order, Seen, Stop, not_tried};
use crate::plan::{Part, PlanFolder};
use booking::count::counted;
use consumer::journal::State;
use consumer::sms;
use std::collections::BTreeMap;

/// What the patient is told to call.
const CALL: &str = "111";

impl Rig {
    pub(super) async fn text_message(
        &mut self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let Some(to) = order.details.patient.mobile() else {
            return not_tried(
                "The test patient has no mobile telephone, so no message would be sent.",
            );
        };
        let mut lines = Vec::new();
        let standing = self.ensured(folder, part, order, &mut lines).await?;
        if !self.remembered.contains_key(&standing.shown.id) {
            // The details of a slot are known only to the run that booked it.
            let consultation = self.contact(folder, part, order).await?;
            let place = self.place(self.service(order, part)).await?;
            self.book(&consultation, &place.target, order).await?;
        }
        let standing = self.ensured(folder, part, order, &mut lines).await?;
        let Some(booked) = self.remembered.get(&standing.shown.id) else {
            return not_tried("The slot of the appointment is not known.");
        };
        let text = sms::text(&sms::Confirmation {
            start: booked.slot.start,
            channel: booked.slot.channel.as_ref(),
            place: booked.slot.place.as_ref(),
            service: booked.slot.service.as_ref().or(booked.target.name.as_ref()),
            sender: &self.config.organisation.name,
            call: CALL,
        });
        // Of the number what is needed to recognise the telephone.
        let last: String = to
            .chars()
            .rev()
            .take(3)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        lines.push(format!("To the number that ends in {last}: {text}"));
        lines.push(
            "Sending it is not this program's: compare it with what the telephone received."
                .to_owned(),
        );
        Ok(Seen::passed(lines))
    }

    pub(super) async fn case_number(&self, folder: &PlanFolder, part: Part) -> Result<Seen, Stop> {
        let case = Rig::case(folder, part);
        let mut traces = 0;
        let mut contacts = 0;
        for contact in folder
            .plan
            .contacts
            .iter()
            .filter(|c| c.part == part.name())
        {
            let Some(extract) = self.journal().extract(&contact.encounter).await? else {
                continue;
            };
            if extract.encounter.case_ref.as_deref() != Some(case.as_str()) {
                return Ok(Seen::failed(vec![format!(
                    "The journal keeps the contact {} under the case {:?}, not {case}.",
                    contact.encounter, extract.encounter.case_ref
                )]));
            }
            contacts += 1;
            traces += extract
                .steps
                .iter()
                .map(|s| s.attempts.len())
                .sum::<usize>();
        }
        if contacts == 0 {
            return not_tried(
                "There was no contact yet that could have a case number: do the booking steps first.",
            );
        }
        Ok(Seen::passed(vec![
            format!("Case number: {case}"),
            format!(
                "It leads to {} with {}, each with its trace id.",
                counted(contacts, "contact", "contacts"),
                counted(traces, "request", "requests")
            ),
        ]))
    }

    pub(super) async fn counts(&self, folder: &PlanFolder, part: Part) -> Result<Seen, Stop> {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut add = |what: &'static str, n: usize| *counts.entry(what).or_default() += n;
        for contact in folder
            .plan
            .contacts
            .iter()
            .filter(|c| c.part == part.name())
        {
            let Some(extract) = self.journal().extract(&contact.encounter).await? else {
                continue;
            };
            let made = extract
                .bookings
                .iter()
                .filter(|b| matches!(b.state, State::Booked | State::Cancelled));
            add("Appointments booked", made.clone().count());
            add(
                "Booked in place of another",
                made.filter(|b| b.replaces.is_some()).count(),
            );
            for step in &extract.steps {
                match (step.kind.as_str(), step.outcome.as_deref()) {
                    ("refer", Some("acknowledged")) => add("Referrals acknowledged", 1),
                    ("slots", Some("none")) => add("Searches without slots", 1),
                    ("book", Some("obstacle" | "slot taken" | "unknown")) => {
                        add("Booking tries that failed", 1)
                    }
                    ("cancel", Some("cancelled")) => add("Appointments cancelled", 1),
                    _ => {}
                }
            }
        }
        if counts.is_empty() {
            return not_tried(
                "There was no contact yet that the reports could count: do the booking steps first.",
            );
        }
        let lines = counts.iter().map(|(what, n)| format!("{what}: {n}"));
        Ok(Seen::passed(lines.collect()))
    }
}
