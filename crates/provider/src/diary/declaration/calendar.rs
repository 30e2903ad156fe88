//! What only shows when a declaration is laid out on the calendar: too many slots, and clinics that overlap.

use super::Declaration;
use super::read::Sheet;
use crate::diary::generate::{self, Clinic};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use std::collections::HashSet;

/// Most slots that a provider's horizon may hold: more than ten large hospitals; what is planned is held in memory.
const MAX_SLOTS: u64 = 500_000;
/// Days ahead in which overlapping clinics are looked for: two years hold every combination of weekday and holiday
/// that staff plan for.
const OVERLAP_DAYS: i32 = 731;

/// More slots than a diary may hold.
pub(super) fn totals(d: &Declaration, today: Date, sheet: &mut Sheet<'_>) {
    let Ok(last) = today.checked_add(i64::from(d.provider.horizon_days).days()) else {
        return;
    };
    let per = |from: DateTime, to: DateTime, slot: u16| -> u64 {
        let minutes = to.duration_since(from).as_mins();
        u64::try_from(minutes).unwrap_or(0) / u64::from(slot.max(1))
    };
    let mut total = d.slots.len() as u64;
    for t in &d.templates {
        for (_, clinic) in generate::clinics(t, today, last) {
            total += per(clinic.from, clinic.to, t.slot_minutes);
        }
    }
    for s in d
        .sessions
        .iter()
        .filter(|s| s.date >= today && s.date <= last)
    {
        if let Some(clinic) = Clinic::on(s.date, s.from, s.to) {
            total += per(clinic.from, clinic.to, s.slot_minutes);
        }
    }
    if total > MAX_SLOTS {
        let what = format!(
            "{total} slots in {} days; at most {MAX_SLOTS}: shorten the horizon, or declare fewer clinics",
            d.provider.horizon_days
        );
        sheet.fault("provider", 0, "horizon_days", what);
    }
}

/// A clinic or imported slot in a diary, for the search of overlaps.
struct Stretch {
    from: DateTime,
    to: DateTime,
    section: &'static str,
    index: usize,
}

/// Clinics and imported slots of one schedule that meet, each pair once.
pub(super) fn overlaps(d: &Declaration, today: Date, sheet: &mut Sheet<'_>) {
    let mut told = HashSet::new();
    for schedule in d.schedules.iter().filter(|s| !s.overlaps) {
        let mut stretches = stretches(d, &schedule.id, today);
        stretches.sort_by_key(|s| (s.from, s.to));
        let mut open: Option<&Stretch> = None;
        for stretch in &stretches {
            if let Some(before) = open.filter(|o| o.to > stretch.from)
                && told.insert((before.section, before.index, stretch.section, stretch.index))
            {
                tell_overlap(d, &schedule.id, before, stretch, sheet);
            }
            if open.is_none_or(|o| stretch.to > o.to) {
                open = Some(stretch);
            }
        }
    }
}

/// Everything in a schedule from today on.
fn stretches(d: &Declaration, schedule: &str, today: Date) -> Vec<Stretch> {
    let last = today.checked_add(OVERLAP_DAYS.days()).unwrap_or(Date::MAX);
    let stretch = |section, index, from, to| Stretch {
        from,
        to,
        section,
        index,
    };
    let mut all = Vec::new();
    for (i, t) in d
        .templates
        .iter()
        .enumerate()
        .filter(|(_, t)| t.schedule == schedule)
    {
        let clinics = generate::clinics(t, today, last);
        all.extend(
            clinics
                .iter()
                .map(|(_, c)| stretch("template", i, c.from, c.to)),
        );
    }
    let sessions = d.sessions.iter().enumerate();
    for (i, s) in sessions.filter(|(_, s)| s.schedule == schedule && s.date >= today) {
        all.extend(Clinic::on(s.date, s.from, s.to).map(|c| stretch("session", i, c.from, c.to)));
    }
    let local = |at| generate::london().to_datetime(at);
    for (i, s) in d
        .slots
        .iter()
        .enumerate()
        .filter(|(_, s)| s.schedule == schedule)
    {
        all.push(stretch("slot", i, local(s.start), local(s.end)));
    }
    all
}

fn tell_overlap(
    d: &Declaration,
    diary: &str,
    one: &Stretch,
    other: &Stretch,
    sheet: &mut Sheet<'_>,
) {
    let name = |s: &Stretch| match s.section {
        "template" => d.templates.get(s.index).map(|t| t.id.clone()),
        "session" => d.sessions.get(s.index).map(|t| t.id.clone()),
        _ => d.slots.get(s.index).map(|t| t.identifier.to_string()),
    };
    let clock = |t: DateTime| t.strftime("%H:%M").to_string();
    let key = if other.section == "slot" {
        "start"
    } else {
        "from"
    };
    let what = format!(
        "on {} it overlaps with the {} `{}` of the same schedule ({}–{} and {}–{}): change the hours, or set \
         `overlaps = true` in the schedule `{diary}`",
        other.from.date(),
        one.section,
        name(one).unwrap_or_default(),
        clock(one.from),
        clock(one.to),
        clock(other.from),
        clock(other.to),
    );
    sheet.fault(other.section, other.index, key, what);
}
