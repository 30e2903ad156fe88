//! Which slots a diary lacks and which it has too many, compared with what is declared.
//!
//! Only what lies ahead is compared. Slots that staff or a test made without a template are nobody's business here,
//! and slots that have begun, or that somebody booked, are never taken out.

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

/// A slot to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What was asked for.
    pub wanted: Wanted,
    /// Its UUID, if it was imported with one.
    pub uuid: Option<Uuid>,
    /// A release rule of its own.
    pub release: Option<Arc<str>>,
    /// Which of the slots at this time it becomes: the first number that no slot there has, so that two processes that
    /// fill the same gap make the same slot.
    pub track: u16,
}

/// When a slot is, and which of the slots at that time it is.
pub type HeldPlace = (Timestamp, Timestamp, u16);

/// A slot that somebody has and that is not asked for.
#[derive(Clone, Debug)]
pub struct Stranded {
    /// Its UUID.
    pub uuid: Uuid,
    /// Slots that are asked for at this time.
    pub wanted: usize,
    /// Those of them that it could be: of its channel, and no other import.
    pub alike: usize,
    /// How many of this time and channel are taken.
    pub taken: usize,
}

/// The difference in one schedule.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// To be made.
    pub missing: Vec<Missing>,
    /// To be taken out: free, ahead, and not asked for.
    pub surplus: Vec<Uuid>,
    /// Booked or otherwise taken, ahead, and not asked for.
    pub stranded: Vec<Stranded>,
    /// Where those of the surplus were that staff hold back: what comes in their place begins held back, since a change
    /// of hours is no release.
    pub held_back: Vec<HeldPlace>,
}

impl Difference {
    /// Holds back what is missing where held slots were.
    pub fn keep_held(&mut self, held_back: &[HeldPlace]) {
        for missing in &mut self.missing {
            let (wanted, on) = (&mut missing.wanted, missing.track);
            wanted.held |= held_back.iter().any(|(start, end, track)| {
                *track == on && *start < wanted.end && wanted.start < *end
            });
        }
    }
}

/// The slots that are asked for, by place.
type WantedSlots = BTreeMap<(Timestamp, Timestamp), Vec<Missing>>;

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
    /// When what is closed.
    pub closures: Closures<'a>,
    /// Clock.
    pub now: Timestamp,
}

/// A schedule, as far as its slots depend on it.
#[derive(Clone, Copy)]
pub struct Diary<'a> {
    /// Its id.
    pub id: &'a str,
    /// Clinics may overlap.
    pub overlaps: bool,
    /// Services that book into it.
    pub services: &'a [ServiceId],
    /// The place whose diary it is.
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
    /// What a declaration asks for.
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

    /// What is declared in the store.
    pub fn of_catalogue(catalogue: &'a Catalogue, now: Timestamp) -> Target<'a> {
        Target {
            horizon_days: catalogue.provider.horizon_days,
            templates: &catalogue.templates,
            sessions: &catalogue.sessions,
            imported: None,
            closures: catalogue.closures(),
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

    /// The slots of a schedule's templates and sessions up to a day, by place. Where clinics may not overlap and two ask
    /// for the same place, the first declared stands.
    fn generated(&self, diary: Diary<'_>, last: Date) -> WantedSlots {
        let schedule = diary.id;
        let first = generate::london_date(self.now);
        // A clinic that began yesterday may reach into today.
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

    /// The imported slots that lie ahead, also those of closed days: nobody is offered these, and they are there when the
    /// closure goes.
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
pub fn compare(target: &Target<'_>, diary: Diary<'_>, stored: &[SlotRow]) -> Difference {
    let horizon = target.last_day();
    // Slots beyond a horizon that became shorter stay as long as a template stands behind them; imported ones may lie
    // beyond any horizon.
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
            // What has begun is history, also where the diary is new: a slot that nobody could book was none.
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
    /// The clinic that it is one of the wanted slots of.
    counts_for: Option<Arc<str>>,
}

/// Which of the stored slots of one place stay. Those that are wanted are taken off the list. Of slots that are alike,
/// booked ones stay before held ones, and these before free ones, so that a smaller capacity takes out what nobody has.
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
    // A booked slot stays under whichever template now asks for it.
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
            // It uses up one of its clinic's slots all the same: through another channel, say.
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

/// Whether a slot meets none that stays, other than those of its own clinic at the very same time. `staying` is in
/// order of start.
fn is_room(staying: &[Staying<'_>], wanted: &Wanted) -> bool {
    let (start, end) = (wanted.start, wanted.end);
    // No slot is longer than this, so one that began earlier is over.
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
