//! Checks a declaration against the calendar: too many slots, and clinics that overlap.

use super::{Declaration, MAX_AT_ONCE};
use crate::diary::generate::{self, Clinic};
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use sheet::Sheet;
use std::collections::{HashMap, HashSet};

/// Most slots within a provider's horizon: more than ten large hospitals have. A plan is held in memory.
const MAX_SLOTS: u64 = 500_000;
/// Days ahead searched for overlapping clinics: two years hold every combination of weekday and holiday.
const OVERLAP_DAYS: i32 = 731;

/// Reports more slots than a diary may hold.
pub(super) fn totals(d: &Declaration, today: Date, sheet: &mut Sheet<'_>) {
    let Ok(last) = today.checked_add(i64::from(d.provider.horizon_days).days()) else {
        return;
    };
    let per = |from: DateTime, to: DateTime, slot: u16, capacity: u16| -> u64 {
        let minutes = to.duration_since(from).as_mins();
        u64::try_from(minutes).unwrap_or(0) / u64::from(slot.max(1)) * u64::from(capacity)
    };
    let mut total = d.slots.len() as u64;
    for t in &d.templates {
        for (_, clinic) in generate::clinics(t, today, last) {
            total += per(clinic.from, clinic.to, t.slot_minutes, t.capacity);
        }
    }
    for s in d
        .sessions
        .iter()
        .filter(|s| s.date >= today && s.date <= last)
    {
        if let Some(clinic) = Clinic::on(s.date, s.from, s.to) {
            total += per(clinic.from, clinic.to, s.slot_minutes, s.capacity);
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

/// Reports more slots at one time than a schedule may have. All templates are taken to coincide.
pub(super) fn at_once(d: &Declaration, sheet: &mut Sheet<'_>) {
    let most = u64::from(MAX_AT_ONCE);
    let mut imported: HashMap<(&str, Timestamp, Timestamp), u64> = HashMap::new();
    for slot in &d.slots {
        *imported
            .entry((slot.schedule.as_str(), slot.start, slot.end))
            .or_default() += 1;
    }
    for (i, schedule) in d.schedules.iter().enumerate() {
        let templates = d.templates.iter().filter(|t| t.schedule == schedule.id);
        let sessions = d.sessions.iter().filter(|s| s.schedule == schedule.id);
        // Sessions of different days do not coincide.
        let mut days: HashMap<Date, u64> = HashMap::new();
        for session in sessions {
            *days.entry(session.date).or_default() += u64::from(session.capacity);
        }
        let of_templates: u64 = templates.map(|t| u64::from(t.capacity)).sum();
        let of_imports = imported
            .iter()
            .filter(|((of, ..), _)| *of == schedule.id)
            .map(|(_, n)| *n);
        let total =
            of_templates + days.into_values().max().unwrap_or(0) + of_imports.max().unwrap_or(0);
        if total > most {
            let what = format!(
                "may have {total} slots at the same time; at most {most}: spread them over several schedules"
            );
            sheet.fault("schedule", i, "id", what);
        }
    }
}

/// A clinic or imported slot for the overlap search. It uses moments, so that the hour that the clock repeats in autumn
/// counts as two.
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    section: &'static str,
    index: usize,
}

/// Reports each pair of overlapping clinics or imported slots of one schedule once.
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
        for (_, clinic) in generate::clinics(t, today, last) {
            let (from, to) = clinic.span();
            all.push(stretch("template", i, from, to));
        }
    }
    let sessions = d.sessions.iter().enumerate();
    for (i, s) in sessions.filter(|(_, s)| s.schedule == schedule && s.date >= today) {
        if let Some((from, to)) = Clinic::on(s.date, s.from, s.to).map(|c| c.span()) {
            all.push(stretch("session", i, from, to));
        }
    }
    for (i, s) in d
        .slots
        .iter()
        .enumerate()
        .filter(|(_, s)| s.schedule == schedule)
    {
        all.push(stretch("slot", i, s.start, s.end));
    }
    // A clinic within the hour that the clock skips has no duration.
    all.retain(|s| s.from < s.to);
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
    let local = |at| generate::london().to_datetime(at);
    let clock = |at| local(at).strftime("%H:%M").to_string();
    let key = if other.section == "slot" {
        "start"
    } else {
        "from"
    };
    let what = format!(
        "on {} it overlaps with the {} `{}` of the same schedule ({}–{} and {}–{}): change the hours, or set \
         `overlaps = true` in the schedule `{diary}`",
        local(other.from).date(),
        one.section,
        name(one).unwrap_or_default(),
        clock(one.from),
        clock(one.to),
        clock(other.from),
        clock(other.to),
    );
    sheet.fault(other.section, other.index, key, what);
}
