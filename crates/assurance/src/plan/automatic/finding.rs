//! Looking at services and their slots.

use super::rig::Rig;
use super::{Order, Seen, Stop, not_tried};
use crate::plan::{Part, PlanFolder};
use booking::count::counted;
use booking::foreign::Foreign;
use consumer::journey::{Consultation, SlotSearch};
use consumer::slots::{FreeSlot, day_and_time};
use std::collections::BTreeMap;

/// Slots told one by one; the file has all of them.
const SLOTS_TOLD: usize = 12;

impl Rig {
    pub(super) async fn offered(&self, part: Part, order: &Order) -> Result<Seen, Stop> {
        let details = self.discovery.service(self.service(order, part)).await?;
        let reachable = self.session.reach(details).await;
        let name = reachable.details.name.clone().unwrap_or_default();
        let lines = vec![
            format!("{} {name}", reachable.details.id).trim().to_owned(),
            reachable.sentence.clone(),
        ];
        match (reachable.offer.may_book(), reachable.booking) {
            (true, _) => Ok(Seen::passed(lines)),
            (false, Err(obstacle)) => Err(obstacle.into()),
            (false, Ok(_)) => Ok(Seen::failed(lines)),
        }
    }

    pub(super) async fn slots(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let (consultation, found) = self.listed(folder, part, order).await?;
        let mut lines = vec![match found.cut_off {
            false => format!("{} free slots in the next three days.", found.slots.len()),
            true => format!(
                "{} free slots in the next three days were read; there are more.",
                found.slots.len()
            ),
        }];
        lines.extend(found.slots.iter().take(SLOTS_TOLD).map(slot_line));
        let more = found.slots.len().saturating_sub(SLOTS_TOLD);
        if more > 0 {
            lines.push(format!("… and {more} more, in the file slots.json."));
        }
        lines.extend(
            found
                .remarks
                .iter()
                .map(|r| format!("The service says: {r}")),
        );
        let seen = match found.slots.is_empty() {
            true => Seen::failed(lines),
            false => Seen::passed(lines),
        };
        let all = serde_json::to_vec_pretty(&consultation.shown(&found));
        Ok(seen.with(
            "slots.json",
            all.map_err(|e| Stop::NotTried(e.to_string()))?,
        ))
    }

    async fn listed(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<(Consultation, consumer::slots::SlotList), Stop> {
        let consultation = self.contact(folder, part, order).await?;
        let place = self.place(self.service(order, part)).await?;
        let list = consultation
            .slots(&place.target, SlotSearch::soon())
            .await?;
        Ok((consultation, list))
    }

    pub(super) async fn no_slots(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let Some(empty) = &order.empty else {
            return not_tried(
                "No service without free slots is known: name one with --service-empty ID, or have people do this step.",
            );
        };
        let consultation = self.contact(folder, part, order).await?;
        let place = self.place(empty).await?;
        let list = consultation
            .slots(&place.target, SlotSearch::soon())
            .await?;
        let name = place.target.name.as_ref();
        let name = name.map_or_else(|| empty.to_string(), Foreign::to_string);
        if !list.slots.is_empty() {
            return Ok(Seen::failed(vec![format!(
                "{name} has {}, so it cannot show what is seen without any.",
                counted(list.slots.len(), "free slot", "free slots")
            )]));
        }
        let mut lines = vec![format!(
            "Shown: {name} has no free slots in this time. Other services can be chosen."
        )];
        lines.extend(
            list.remarks
                .iter()
                .map(|r| format!("The service says: {r}")),
        );
        Ok(Seen::passed(lines))
    }

    pub(super) async fn clinics(
        &self,
        folder: &mut PlanFolder,
        part: Part,
        order: &Order,
    ) -> Result<Seen, Stop> {
        let (_, list) = self.listed(folder, part, order).await?;
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for slot in &list.slots {
            *kinds.entry(clinic(slot)).or_default() += 1;
        }
        let lines: Vec<String> = kinds
            .iter()
            .map(|(clinic, count)| format!("{clinic}: {}", counted(*count, "slot", "slots")))
            .collect();
        Ok(match lines.is_empty() {
            true => Seen::failed(vec!["There are no free slots at all.".to_owned()]),
            false => Seen::passed(lines),
        })
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
