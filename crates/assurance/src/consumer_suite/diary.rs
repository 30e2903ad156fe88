//! The slots of the scenarios: a small diary per service, made relative to now when it is first asked for.

use booking::instant::london;
use booking::rules::book::SlotSnapshot;
use booking::slot::SlotStatus;
use booking::wire::slot_query::SlotQuery;
use jiff::civil::{Time, time};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::HashMap;
use uuid::Uuid;

/// Days ahead that the diary covers, today not counted.
const DAYS: i32 = 7;
/// Slots that the scenario of very many slots offers.
pub(super) const MANY: usize = 10_000;
/// Most slots of one service: the many of some different windows.
const MAX_SLOTS: usize = 3 * MANY;
/// The first slot of today starts so long after now, so that it can be booked before it starts.
const SOONEST: SignedDuration = SignedDuration::from_mins(20);

/// One clinic of a day: from, how many, how long in minutes, which schedule.
const CLINICS: [(Time, i64, i64, usize); 3] = [
    (time(9, 0, 0, 0), 8, 15, 0),
    (time(14, 0, 0, 0), 6, 10, 1),
    (time(18, 30, 0, 0), 4, 15, 0),
];

/// The two schedules of a service: how a patient is seen there.
pub(super) const CHANNELS: [&str; 2] = ["In-person", "Telephone"];

/// A slot.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub id: String,
    /// 0 or 1: which schedule of the service.
    pub schedule: usize,
    pub start: Timestamp,
    pub end: Timestamp,
    pub free: bool,
    pub offered: bool,
}

/// The id of a schedule.
pub(super) fn schedule_id(service: &str, schedule: usize) -> String {
    format!("sch-{service}-{}", schedule + 1)
}

/// All slots.
#[derive(Debug, Default)]
pub(super) struct Diary {
    services: HashMap<String, Vec<Slot>>,
}

impl Diary {
    /// The slots of a service, in order of start.
    pub fn of(&mut self, service: &str, now: Timestamp) -> &mut Vec<Slot> {
        self.services
            .entry(service.to_owned())
            .or_insert_with(|| week(now))
    }

    /// The service and slot of an id, in any case of its letters.
    pub fn find(&mut self, id: &str) -> Option<(&str, &mut Slot)> {
        let id = id.to_ascii_lowercase();
        self.services.iter_mut().find_map(|(service, slots)| {
            Some((service.as_str(), slots.iter_mut().find(|s| s.id == id)?))
        })
    }

    /// Fills the window of a search up to [`MANY`] slots.
    pub fn fill(&mut self, service: &str, query: &SlotQuery, now: Timestamp) {
        let slots = self.of(service, now);
        let free = slots
            .iter()
            .filter(|s| s.free && s.start > now && query.covers(s.start))
            .count();
        let from = query.lower.map_or(now, |b| b.at).max(now + SOONEST);
        // Messages carry milliseconds: a start with more would not come back as it is kept.
        let into = from.as_second().rem_euclid(60);
        let from = Timestamp::from_second(from.as_second() - into + 60).unwrap_or(from);
        let until = query.upper.map_or(now, |b| b.at);
        let span = until.duration_since(from).as_secs();
        let wanted = MANY
            .saturating_sub(free)
            .min(MAX_SLOTS.saturating_sub(slots.len()));
        if span <= 0 || wanted == 0 {
            return;
        }
        for i in 0..wanted {
            // Spread over the window, on whole minutes; several may start together, in two schedules.
            let seconds = span.saturating_mul(i as i64) / wanted as i64;
            let start = from + SignedDuration::from_secs(seconds - seconds % 60);
            slots.push(slot(start, 10, i % 2));
        }
        slots.sort_by_key(|s| s.start);
    }
}

impl Slot {
    /// As the rule of a booking looks at it.
    pub fn snapshot(&self, service: &str) -> SlotSnapshot {
        SlotSnapshot {
            id: self.id.clone(),
            schedule: schedule_id(service, self.schedule),
            start: self.start,
            end: self.end,
            status: if self.free {
                SlotStatus::Free
            } else {
                SlotStatus::Busy
            },
            live_booking: !self.free,
        }
    }
}

fn week(now: Timestamp) -> Vec<Slot> {
    let zone = london();
    let here = now.to_zoned(zone.clone());
    let mut slots = Vec::new();
    // Four slots soon, whatever the time: an urgent case has a window of an hour or two.
    let quarter = 15 * 60;
    let soon = (now + SOONEST).as_second();
    let soon = soon + (quarter - soon % quarter) % quarter;
    for i in 0..4 {
        if let Ok(start) = Timestamp::from_second(soon + i * quarter) {
            slots.push(slot(start, 15, 0));
        }
    }
    for day in 1..=DAYS {
        let Ok(date) = here.date().checked_add(day.days()) else {
            continue;
        };
        for (from, count, minutes, schedule) in CLINICS {
            let Ok(first) = date.to_datetime(from).to_zoned(zone.clone()) else {
                continue;
            };
            for i in 0..count {
                let start = first.timestamp() + SignedDuration::from_mins(i * minutes);
                slots.push(slot(start, minutes, schedule));
            }
        }
    }
    slots.sort_by_key(|s| s.start);
    slots
}

fn slot(start: Timestamp, minutes: i64, schedule: usize) -> Slot {
    Slot {
        id: Uuid::new_v4().to_string(),
        schedule,
        start,
        end: start + SignedDuration::from_mins(minutes),
        free: true,
        offered: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_has_slots_soon_and_every_day() {
        let now: Timestamp = "2027-03-27T23:50:00Z".parse().unwrap();
        let slots = week(now);
        assert_eq!(slots.len(), 4 + 7 * 18);
        assert!(
            slots
                .iter()
                .all(|s| s.start >= now + SOONEST && s.end > s.start)
        );
        assert!(slots[3].start < now + SignedDuration::from_mins(90));
        assert!(slots.is_sorted_by_key(|s| s.start));
    }
}
