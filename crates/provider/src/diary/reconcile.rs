//! Which slots a diary lacks and which it has too many, compared with what is declared.
//!
//! Only what lies ahead is compared. Slots that staff or a test made without a template are nobody's business here,
//! and slots that have begun, or that somebody booked, are never taken out.

use super::catalogue::Catalogue;
use super::declaration::check::IMPORTED;
use super::declaration::{Declaration, ImportedSlot, MAX_HORIZON_DAYS, Session, Template};
use super::generate::{self, Wanted};
use crate::store::{ScheduleKey, SlotRow, Store, StoreError, TenantKey, utc_day};
use booking::slot::SlotStatus;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A slot to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What was asked for.
    pub wanted: Wanted,
    /// Its UUID, if it was imported with one.
    pub uuid: Option<Uuid>,
    /// A release rule of its own.
    pub release: Option<Arc<str>>,
}

/// The difference in one schedule.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// To be made.
    pub missing: Vec<Missing>,
    /// To be taken out: free, ahead, and not asked for.
    pub surplus: Vec<Uuid>,
    /// Booked or otherwise taken, ahead, and not asked for.
    pub stranded: Vec<SlotRow>,
    /// When those of the surplus were that staff hold back: what comes in their place begins held back, since a change
    /// of hours is no release.
    pub held_back: Vec<(Timestamp, Timestamp)>,
}

impl Difference {
    /// Holds back what is missing where held slots were.
    pub fn keep_held(&mut self, held_back: &[(Timestamp, Timestamp)]) {
        for missing in &mut self.missing {
            let wanted = &mut missing.wanted;
            wanted.held |= held_back
                .iter()
                .any(|(start, end)| *start < wanted.end && wanted.start < *end);
        }
    }
}

/// What a provider's schedules should hold.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Today and this many days are filled.
    pub horizon_days: u16,
    /// Weekly clinics.
    pub templates: &'a [Template],
    /// One-off clinics.
    pub sessions: &'a [Session],
    /// Imported slots; `None` when it is not known which there should be, so that those that are there stay.
    pub imported: Option<&'a [ImportedSlot]>,
    /// Clock.
    pub now: Timestamp,
}

impl<'a> Target<'a> {
    /// What a declaration asks for.
    pub fn of_declaration(declaration: &'a Declaration, now: Timestamp) -> Target<'a> {
        Target {
            horizon_days: declaration.provider.horizon_days,
            templates: &declaration.templates,
            sessions: &declaration.sessions,
            imported: Some(&declaration.slots),
            now,
        }
    }

    /// What is declared in the store.
    pub fn of_catalogue(catalogue: &'a Catalogue, now: Timestamp) -> Target<'a> {
        Target {
            horizon_days: catalogue.provider.horizon_days,
            templates: &catalogue.templates,
            sessions: &catalogue.sessions,
            imported: None,
            now,
        }
    }
}

impl Target<'_> {
    /// The last day that is filled.
    pub fn last_day(&self) -> Date {
        let today = generate::london_date(self.now);
        today
            .checked_add(i64::from(self.horizon_days).days())
            .unwrap_or(Date::MAX)
    }

    /// The slots of a schedule's templates and sessions up to a day, by place; where two ask for the same place, the
    /// first declared stands.
    fn generated(&self, schedule: &str, last: Date) -> BTreeMap<(Timestamp, Timestamp), Missing> {
        let first = generate::london_date(self.now);
        // A clinic that began yesterday may reach into today.
        let first = first.yesterday().unwrap_or(first);
        let templates = self.templates.iter().filter(|t| t.schedule == schedule);
        let sessions = self.sessions.iter().filter(|s| s.schedule == schedule);
        let mut slots = BTreeMap::new();
        for wanted in templates
            .flat_map(|t| generate::template_slots(t, first, last))
            .chain(sessions.flat_map(|s| generate::session_slots(s, first, last)))
        {
            let missing = Missing {
                wanted,
                uuid: None,
                release: None,
            };
            slots
                .entry((missing.wanted.start, missing.wanted.end))
                .or_insert(missing);
        }
        slots
    }

    fn imported_of(&self, schedule: &str) -> impl Iterator<Item = Missing> {
        let label: Arc<str> = Arc::from(IMPORTED);
        let slots = self.imported.unwrap_or_default().iter();
        slots
            .filter(move |s| s.schedule == schedule && s.start > self.now)
            .map(move |s| Missing {
                wanted: Wanted {
                    start: s.start,
                    end: s.end,
                    channel: s.channel,
                    held: s.held,
                    template: label.clone(),
                },
                uuid: Some(s.identifier),
                release: s.release.as_deref().map(Arc::from),
            })
    }
}

/// The slots of a schedule from the beginning of the London day on, in order of start.
pub fn stored_from_today(
    store: &Store,
    tenant: TenantKey,
    schedule: ScheduleKey,
    now: Timestamp,
) -> Result<Vec<SlotRow>, StoreError> {
    let today = generate::day_start(generate::london_date(now));
    let days = store.slot_days(tenant, &[schedule], utc_day(today), i32::MAX)?;
    let mut slots = Vec::new();
    for (_, day, _) in days.days {
        let (_, rows) = store.slots_of_day(tenant, schedule, day)?;
        slots.extend(rows.into_iter().filter(|s| s.start >= today));
    }
    Ok(slots)
}

/// Compares what a schedule has with what it should have.
pub fn compare(
    target: &Target<'_>,
    schedule: &str,
    overlaps: bool,
    stored: &[SlotRow],
) -> Difference {
    let horizon = target.last_day();
    // Slots beyond a horizon that became shorter stay as long as a template stands behind them; imported ones may lie
    // beyond any horizon.
    let longest = longest_horizon(generate::london_date(target.now));
    let last_stored = stored
        .last()
        .map(|s| generate::london_date(s.start).min(longest));
    let reach = last_stored.map_or(horizon, |day| day.max(horizon));
    let mut wanted = target.generated(schedule, reach);
    for slot in target.imported_of(schedule) {
        wanted.insert((slot.wanted.start, slot.wanted.end), slot);
    }
    let mut difference = Difference::default();
    let mut staying: Vec<&SlotRow> = Vec::new();
    for slot in stored {
        if !stays(target, &mut wanted, slot, &mut difference) {
            continue;
        }
        staying.push(slot);
    }
    let began_today: HashSet<Date> = stored
        .iter()
        .filter(|s| s.start <= target.now)
        .map(|s| generate::london_date(s.start))
        .collect();
    let today = generate::london_date(target.now);
    let beyond = generate::day_start(horizon.tomorrow().unwrap_or(horizon));
    difference.missing = wanted
        .into_values()
        .filter(|m| {
            let day = generate::london_date(m.wanted.start);
            // The past hours of a day are filled only when a diary is new: they are history afterwards.
            let timely =
                m.wanted.start > target.now || (day == today && !began_today.contains(&day));
            timely && (m.wanted.start < beyond || m.uuid.is_some())
        })
        .filter(|m| free_of(&staying, overlaps, m.wanted.start, m.wanted.end))
        .collect();
    difference
}

fn longest_horizon(today: Date) -> Date {
    today
        .checked_add(i64::from(MAX_HORIZON_DAYS).days())
        .unwrap_or(Date::MAX)
}

/// Whether a stored slot stays; if it is one of the wanted ones, that is taken off the list.
fn stays(
    target: &Target<'_>,
    wanted: &mut BTreeMap<(Timestamp, Timestamp), Missing>,
    slot: &SlotRow,
    difference: &mut Difference,
) -> bool {
    let place = (slot.start, slot.end);
    let taken = slot.status != SlotStatus::Free;
    let imported = slot.template.as_deref() == Some(IMPORTED);
    let foreign = slot.template.is_none() || (imported && target.imported.is_none());
    let ahead = slot.start > target.now;
    let same = wanted.get(&place).is_some_and(|m| {
        let alike = m.wanted.channel == slot.channel && m.uuid.is_none_or(|u| u == slot.uuid);
        // A booked slot stays under whichever template now asks for it.
        alike
            && (taken
                || (m.wanted.template == slot.template.clone().unwrap_or_default()
                    && m.release == slot.release))
    });
    if same || foreign || !ahead {
        wanted.remove(&place);
        return true;
    }
    if taken {
        difference.stranded.push(slot.clone());
        wanted.remove(&place);
        return true;
    }
    difference.surplus.push(slot.uuid);
    if slot.held {
        difference.held_back.push(place);
    }
    false
}

/// Whether a stretch of time meets no slot that stays; with `overlaps`, whether its very place is free. `staying` is in
/// order of start.
fn free_of(staying: &[&SlotRow], overlaps: bool, start: Timestamp, end: Timestamp) -> bool {
    // No slot is longer than this, so one that began earlier is over.
    let longest = SignedDuration::from_mins(i64::from(generate::MAX_SLOT_MINUTES));
    let first = staying.partition_point(|s| s.start.duration_since(start) < -longest);
    let after = staying.partition_point(|s| s.start < end);
    staying
        .get(first..after)
        .unwrap_or_default()
        .iter()
        .all(|s| match overlaps {
            true => (s.start, s.end) != (start, end),
            false => s.end <= start,
        })
}
