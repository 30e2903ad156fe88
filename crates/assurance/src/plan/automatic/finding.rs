//! Looking at services and their slots.

use super::rig::{Place, Work};
use super::{Seen, Stop, not_tried};
use booking::count::counted;
use booking::foreign::Foreign;
use booking::ids::ServiceId;
use consumer::journey::{Consultation, SlotSearch};
use consumer::slots::{FreeSlot, SlotList, day_and_time};
use std::collections::BTreeMap;

/// Slots told one by one; the file has all of them.
const SLOTS_TOLD: usize = 12;

impl Work<'_> {
    pub(super) async fn offered(&mut self) -> Result<Seen, Stop> {
        let details = self.rig.discovery.service(self.service()).await?;
        let reachable = self.rig.session.reach(details).await;
        let name = reachable.details.name.clone().unwrap_or_default();
        let line = format!("{} {name}", reachable.details.id);
        self.tell(line.trim());
        self.tell(reachable.sentence.clone());
        match (reachable.offer.may_book(), reachable.booking) {
            (true, _) => Ok(self.seen(true)),
            (false, Err(obstacle)) => Err(obstacle.into()),
            (false, Ok(_)) => Ok(self.seen(false)),
        }
    }

    /// The free slots of a service, in the open contact.
    async fn listed(
        &mut self,
        service: &ServiceId,
    ) -> Result<(Consultation, Place, SlotList), Stop> {
        let consultation = self.contact().await?;
        let place = self.place_of(service).await?;
        let list = consultation
            .slots(&place.target, SlotSearch::soon())
            .await?;
        Ok((consultation, place, list))
    }

    pub(super) async fn slots(&mut self) -> Result<Seen, Stop> {
        let service = self.service().clone();
        let (consultation, _, found) = self.listed(&service).await?;
        let many = found.slots.len();
        self.tell(match found.cut_off {
            false => format!("{many} free slots in the next three days."),
            true => {
                format!("{many} free slots in the next three days were read; there are more.")
            }
        });
        let first = found.slots.iter().take(SLOTS_TOLD);
        self.lines.extend(first.map(slot_line));
        if many > SLOTS_TOLD {
            let more = many - SLOTS_TOLD;
            self.tell(format!("… and {more} more, in the file slots.json."));
        }
        self.remarks(&found);
        let all = serde_json::to_vec_pretty(&consultation.shown(&found))?;
        Ok(self.seen(many > 0).with("slots.json", all))
    }

    pub(super) async fn no_slots(&mut self) -> Result<Seen, Stop> {
        let Some(empty) = &self.order.empty else {
            return not_tried(
                "No service without free slots is known: name one with --service-empty ID, or have people do this step.",
            );
        };
        let (_, place, list) = self.listed(empty).await?;
        let name = place.target.name.as_ref();
        let name = name.map_or_else(|| empty.to_string(), Foreign::to_string);
        if !list.slots.is_empty() {
            let many = counted(list.slots.len(), "free slot", "free slots");
            self.tell(format!(
                "{name} has {many}, so it cannot show what is seen without any."
            ));
            return Ok(self.seen(false));
        }
        self.tell(format!(
            "Shown: {name} has no free slots in this time. Other services can be chosen."
        ));
        self.remarks(&list);
        Ok(self.seen(true))
    }

    fn remarks(&mut self, list: &SlotList) {
        let remarks = list.remarks.iter();
        self.lines
            .extend(remarks.map(|r| format!("The service says: {r}")));
    }

    pub(super) async fn clinics(&mut self) -> Result<Seen, Stop> {
        let service = self.service().clone();
        let (_, _, list) = self.listed(&service).await?;
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for slot in &list.slots {
            *kinds.entry(clinic(slot)).or_default() += 1;
        }
        if kinds.is_empty() {
            self.tell("There are no free slots at all.");
            return Ok(self.seen(false));
        }
        let line = |(clinic, count): (&String, &usize)| {
            format!("{clinic}: {}", counted(*count, "slot", "slots"))
        };
        self.lines.extend(kinds.iter().map(line));
        Ok(self.seen(true))
    }
}

/// A slot on one line.
pub(super) fn slot_line(slot: &FreeSlot) -> String {
    format!(
        "{}, {}, {}",
        day_and_time(slot.start),
        counted(slot.minutes(), "minute", "minutes"),
        clinic(slot)
    )
}

/// Clinic and type of a slot: what is the same for the slots of a clinic.
fn clinic(slot: &FreeSlot) -> String {
    let clinician = slot.clinician.as_ref();
    let parts = [
        slot.service.clone(),
        Some(slot.channel_shown().into()),
        slot.place
            .as_ref()
            .and_then(|p| p.name.clone().or_else(|| p.address.clone())),
        clinician.and_then(|c| c.role.clone()),
        clinician.and_then(|c| c.name.clone()),
    ];
    let parts = parts.iter().flatten().map(Foreign::to_string);
    parts.collect::<Vec<_>>().join(", ")
}
