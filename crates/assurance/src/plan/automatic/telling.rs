//! What people compare with what they have: text message, case number, counts for the reports.

use super::rig::Work;
use super::{Seen, Stop, not_tried};
use booking::count::counted;
use consumer::journal::State;
use consumer::sms;
use std::collections::BTreeMap;

/// What the patient is told to call.
const CALL: &str = "111";

impl Work<'_> {
    pub(super) async fn text_message(&mut self) -> Result<Seen, Stop> {
        let Some(to) = self.order.details.patient.mobile() else {
            return not_tried(
                "The test patient has no mobile telephone, so no message would be sent.",
            );
        };
        let standing = self.ensured().await?;
        if !self.rig.remembered.contains_key(&standing.shown.id) {
            // The details of a slot are known only to the run that booked it.
            self.book_in_contact().await?;
        }
        let standing = self.ensured().await?;
        let Some(booked) = self.rig.remembered.get(&standing.shown.id) else {
            return not_tried("The slot of the appointment is not known.");
        };
        let text = sms::text(&sms::Confirmation {
            start: booked.slot.start,
            channel: booked.slot.channel.as_ref(),
            place: booked.slot.place.as_ref(),
            service: booked.slot.service.as_ref().or(booked.target.name.as_ref()),
            sender: &self.rig.config.organisation.name,
            call: CALL,
        });
        // Of the number what is needed to recognise the telephone.
        let (last, _) = to.char_indices().nth_back(2).unwrap_or_default();
        let last = to.get(last..).unwrap_or_default();
        self.tell(format!("To the number that ends in {last}: {text}"));
        self.tell("Sending it is not this program's: compare it with what the telephone received.");
        Ok(self.seen(true))
    }

    pub(super) async fn case_number(&mut self) -> Result<Seen, Stop> {
        let case = self.case();
        let extracts = self.extracts().await?;
        if extracts.is_empty() {
            return not_tried(
                "There was no contact yet that could have a case number: do the booking steps first.",
            );
        }
        let other = |kept: &Option<String>| kept.as_deref() != Some(case.as_str());
        if let Some(extract) = extracts.iter().find(|e| other(&e.encounter.case_ref)) {
            let encounter = &extract.encounter;
            self.tell(format!(
                "The journal keeps the contact {} under the case {:?}, not {case}.",
                encounter.id, encounter.case_ref
            ));
            return Ok(self.seen(false));
        }
        let steps = extracts.iter().flat_map(|extract| &extract.steps);
        let requests: usize = steps.map(|step| step.attempts.len()).sum();
        self.tell(format!("Case number: {case}"));
        self.tell(format!(
            "It leads to {} with {}, each with its trace id.",
            counted(extracts.len(), "contact", "contacts"),
            counted(requests, "request", "requests")
        ));
        Ok(self.seen(true))
    }

    pub(super) async fn counts(&mut self) -> Result<Seen, Stop> {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut add = |what: &'static str, n: usize| *counts.entry(what).or_default() += n;
        for extract in self.extracts().await? {
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
        self.lines.extend(lines);
        Ok(self.seen(true))
    }
}
