//! Compares a diary's slots with its declaration: which are missing, and which are surplus.
//!
//! Only slots ahead are compared. Slots without a template are ignored. Slots that have begun or are booked are never
//! removed.

use super::catalogue::{self, Catalogue};
use super::declaration::check::IMPORTED;
use super::declaration::closure::Closures;
use super::declaration::{self, Declaration, ImportedSlot, MAX_HORIZON_DAYS, Session, Template};
use super::generate::{self, Wanted};
use crate::store::{ScheduleKey, SlotRow, Store, StoreError, TenantKey, utc_day};
use booking::ids::ServiceId;
use booking::slot::SlotStatus;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A slot to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What was asked for.
    pub wanted: Wanted,
    /// Its UUID, if it was imported with one.
    pub uuid: Option<Uuid>,
    /// A release rule of its own.
    pub release: Option<Arc<str>>,
    /// Number among the slots at this time: the lowest that is unused, so that two processes that fill the same gap make
    /// the same slot.
    pub track: u16,
}

/// The time of a slot (start, end) and its track.
pub type HeldSlot = (Timestamp, Timestamp, u16);

/// A slot that is taken and no longer declared.
#[derive(Clone, Debug)]
pub struct Stranded {
    /// Its UUID.
    pub uuid: Uuid,
    /// Declared slots at this time.
    pub wanted: usize,
    /// Of these, the slots with its channel that are not another import.
    pub alike: usize,
    /// Slots of this time and channel that are taken.
    pub taken: usize,
}

/// The difference in one schedule.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// To make.
    pub missing: Vec<Missing>,
    /// To remove: free, ahead and not declared.
    pub surplus: Vec<Uuid>,
    /// Taken, ahead and not declared.
    pub stranded: Vec<Stranded>,
    /// Where surplus slots are held back. Their replacements begin held back too, since a change of hours is no release.
    pub held_back: Vec<HeldSlot>,
}

impl Difference {
    /// Holds back missing slots that replace held ones.
    pub fn keep_held(&mut self, held_back: &[HeldSlot]) {
        for missing in &mut self.missing {
            let (wanted, on) = (&mut missing.wanted, missing.track);
            wanted.held |= held_back.iter().any(|(start, end, track)| {
                *track == on && *start < wanted.end && wanted.start < *end
            });
        }
    }
}

/// The declared slots, by start and end.
type WantedSlots = BTreeMap<(Timestamp, Timestamp), Vec<Missing>>;

/// What a provider's schedules should hold.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Days after today to fill.
    pub horizon_days: u16,
    /// Weekly clinics.
    pub templates: &'a [Template],
    /// One-off clinics.
    pub sessions: &'a [Session],
    /// Imported slots. `None`: unknown, so existing ones stay.
    pub imported: Option<&'a [ImportedSlot]>,
    /// The closures.
    pub closures: Closures<'a>,
    /// The current time.
    pub now: Timestamp,
}

/// The properties of a schedule that its slots depend on.
#[derive(Clone, Copy)]
pub struct Diary<'a> {
    /// Its id.
    pub id: &'a str,
    /// Clinics may overlap.
    pub overlaps: bool,
    /// Services that book into it.
    pub services: &'a [ServiceId],
    /// The location whose diary it is.
    pub location: Option<&'a str>,
}

impl<'a> From<&'a declaration::Schedule> for Diary<'a> {
    fn from(s: &'a declaration::Schedule) -> Diary<'a> {
        Diary {
            id: &s.id,
            overlaps: s.overlaps,
            services: &s.services,
            location: s.location.as_deref(),
        }
    }
}

impl<'a> From<&'a catalogue::Schedule> for Diary<'a> {
    fn from(s: &'a catalogue::Schedule) -> Diary<'a> {
        Diary {
            id: &s.id,
            overlaps: s.overlaps,
            services: &s.services,
            location: s.location.as_deref(),
        }
    }
}

impl<'a> Target<'a> {
    /// The target of a declaration.
    pub fn of_declaration(declaration: &'a Declaration, now: Timestamp) -> Target<'a> {
        Target {
            horizon_days: declaration.provider.horizon_days,
            templates: &declaration.templates,
            sessions: &declaration.sessions,
            imported: Some(&declaration.slots),
            closures: Closures::of(declaration),
            now,
        }
    }

    /// The target of the stored declaration.
    pub fn of_catalogue(catalogue: &'a Catalogue, now: Timestamp) -> Target<'a> {
        Target {
            imported: None,
            ..Target::of_declaration(&catalogue.declared, now)
        }
    }
}

impl Target<'_> {
    /// The last day to fill.
    pub fn last_day(&self) -> Date {
        let today = generate::london_date(self.now);
        today
            .checked_add(i64::from(self.horizon_days).days())
            .unwrap_or(Date::MAX)
    }

    /// The slots of a schedule's templates and sessions up to a day, by start and end. Where clinics may not overlap and
    /// two want the same time, the first declared wins.
    fn generated(&self, diary: Diary<'_>, last: Date) -> WantedSlots {
        let schedule = diary.id;
        let first = generate::london_date(self.now);
        // A clinic that began yesterday may extend into today.
        let first = first.yesterday().unwrap_or(first);
        let templates = self.templates.iter().filter(|t| t.schedule == schedule);
        let sessions = self.sessions.iter().filter(|s| s.schedule == schedule);
        let mut slots = WantedSlots::new();
        for wanted in templates
            .flat_map(|t| generate::template_slots(t, first, last))
            .chain(sessions.flat_map(|s| generate::session_slots(s, first, last)))
            .filter(|wanted| {
                let closure = self
                    .closures
                    .of_diary(diary.services, diary.location, wanted.start);
                closure.is_none()
            })
        {
            let here = slots.entry((wanted.start, wanted.end)).or_default();
            let first = here.first().map(|m| &m.wanted.template);
            if diary.overlaps || first.is_none_or(|template| *template == wanted.template) {
                here.push(Missing {
                    wanted,
                    uuid: None,
                    release: None,
                    track: 0,
                });
            }
        }
        slots
    }

    /// The imported slots ahead. They include those of closed days, which are there again when the closure is removed.
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
                track: 0,
            })
    }
}

/// The slots of a schedule from the start of the London day on, by start.
pub fn stored_from_today(
    store: &Store,
    tenant: TenantKey,
    schedule: ScheduleKey,
    now: Timestamp,
) -> Result<Vec<SlotRow>, StoreError> {
    let today = generate::day_start(generate::london_date(now));
    let days = store
        .tenant(tenant)
        .slot_days(&[schedule], utc_day(today), i32::MAX)?;
    let mut slots = Vec::new();
    for (_, day, _) in days.days {
        let (_, rows) = store.tenant(tenant).slots_of_day(schedule, day)?;
        slots.extend(rows.into_iter().filter(|s| s.start >= today));
    }
    Ok(slots)
}

/// Compares the stored slots of a schedule with its target.
pub fn compare(target: &Target<'_>, diary: Diary<'_>, stored: &[SlotRow]) -> Difference {
    let horizon = target.last_day();
    // When the horizon becomes shorter, slots beyond it stay while a template declares them. Imported slots may lie beyond
    // any horizon.
    let longest = longest_horizon(generate::london_date(target.now));
    let last_stored = stored
        .last()
        .map(|s| generate::london_date(s.start).min(longest));
    let reach = last_stored.map_or(horizon, |day| day.max(horizon));
    let mut wanted = target.generated(diary, reach);
    for slot in target.imported_of(diary.id) {
        wanted
            .entry((slot.wanted.start, slot.wanted.end))
            .or_default()
            .push(slot);
    }
    let mut difference = Difference::default();
    let mut staying = Vec::new();
    for here in stored.chunk_by(|a, b| (a.start, a.end) == (b.start, b.end)) {
        let wanted = wanted.entry((here[0].start, here[0].end)).or_default();
        staying.extend(stay(target, wanted, here, &mut difference));
    }
    let beyond = generate::day_start(horizon.tomorrow().unwrap_or(horizon));
    let mut tracks: HashSet<(Timestamp, Timestamp, u16)> = staying
        .iter()
        .map(|s| (s.slot.start, s.slot.end, s.slot.track))
        .collect();
    difference.missing = wanted
        .into_values()
        .flatten()
        .filter(|m| {
            // Never make slots in the past, even in a new diary.
            m.wanted.start > target.now && (m.wanted.start < beyond || m.uuid.is_some())
        })
        .filter(|m| diary.overlaps || is_room(&staying, &m.wanted))
        .map(|m| {
            let (start, end) = (m.wanted.start, m.wanted.end);
            let free = (0..=u16::MAX).find(|track| tracks.insert((start, end, *track)));
            Missing {
                track: free.unwrap_or(u16::MAX),
                ..m
            }
        })
        .collect();
    difference
}

fn longest_horizon(today: Date) -> Date {
    today
        .checked_add(i64::from(MAX_HORIZON_DAYS).days())
        .unwrap_or(Date::MAX)
}

/// A stored slot that stays.
struct Staying<'s> {
    slot: &'s SlotRow,
    /// The clinic whose quota it uses.
    counts_for: Option<Arc<str>>,
}

/// Chooses which stored slots of one time stay, and removes them from the wanted list. Of similar slots, booked ones stay
/// before held ones, and held before free ones: a smaller capacity removes free slots first.
fn stay<'s>(
    target: &Target<'_>,
    wanted: &mut Vec<Missing>,
    here: &'s [SlotRow],
    difference: &mut Difference,
) -> Vec<Staying<'s>> {
    let is_taken = |slot: &SlotRow| slot.status != SlotStatus::Free;
    let mut slots: Vec<&SlotRow> = here.iter().collect();
    slots.sort_by_key(|s| (!is_taken(s), !s.held, s.track));
    let could_be = |m: &Missing, slot: &SlotRow| {
        m.wanted.channel == slot.channel && m.uuid.is_none_or(|u| u == slot.uuid)
    };
    let all = wanted.clone();
    let stranded = |slot: &SlotRow| Stranded {
        uuid: slot.uuid,
        wanted: all.len(),
        alike: all.iter().filter(|m| could_be(m, slot)).count(),
        taken: here
            .iter()
            .filter(|s| is_taken(s) && s.channel == slot.channel)
            .count(),
    };
    let mut take = |slot: &SlotRow, is_it: &dyn Fn(&Missing) -> bool| {
        let at = wanted.iter().position(|m| could_be(m, slot) && is_it(m))?;
        Some(wanted.remove(at).wanted.template)
    };
    let same_clinic =
        |m: &Missing, slot: &SlotRow| Some(&m.wanted.template) == slot.template.as_ref();
    let exact = |slot: &SlotRow, m: &Missing| same_clinic(m, slot) && m.release == slot.release;
    let found: Vec<_> = slots
        .iter()
        .map(|slot| take(slot, &|m| exact(slot, m)))
        .collect();
    // A booked slot stays with whichever template wants it now.
    let found: Vec<_> = slots
        .into_iter()
        .zip(found)
        .map(|(slot, clinic)| {
            let any = || is_taken(slot).then(|| take(slot, &|_| true)).flatten();
            (slot, clinic.or_else(any))
        })
        .collect();
    let mut staying = Vec::new();
    for (slot, clinic) in found {
        let imported = slot.template.as_deref() == Some(IMPORTED);
        let foreign = slot.template.is_none() || (imported && target.imported.is_none());
        let counts_for = if clinic.is_some() || foreign || slot.start <= target.now {
            clinic
        } else if is_taken(slot) {
            difference.stranded.push(stranded(slot));
            // It still uses a slot of its clinic, for example with another channel.
            let own = wanted
                .iter()
                .position(|m| m.uuid.is_none() && same_clinic(m, slot));
            own.map(|at| wanted.remove(at).wanted.template)
        } else {
            difference.surplus.push(slot.uuid);
            if slot.held {
                difference
                    .held_back
                    .push((slot.start, slot.end, slot.track));
            }
            continue;
        };
        staying.push(Staying { slot, counts_for });
    }
    staying
}

/// Whether a wanted slot overlaps no staying slot except those of its own clinic at the same time. `staying` is sorted by
/// start.
fn is_room(staying: &[Staying<'_>], wanted: &Wanted) -> bool {
    let (start, end) = (wanted.start, wanted.end);
    // No slot is longer, so one that began earlier has ended.
    let longest = SignedDuration::from_mins(i64::from(generate::MAX_SLOT_MINUTES));
    let first = staying.partition_point(|s| s.slot.start.duration_since(start) < -longest);
    let after = staying.partition_point(|s| s.slot.start < end);
    let meets = |s: &Staying<'_>| {
        let beside = s.counts_for.as_ref() == Some(&wanted.template)
            && (s.slot.start, s.slot.end) == (start, end);
        s.slot.end > start && !beside
    };
    let near = staying.get(first..after).unwrap_or_default();
    !near.iter().any(meets)
}
