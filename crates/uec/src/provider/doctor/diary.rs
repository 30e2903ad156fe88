//! The diary: services that nobody can book, clinics that end, slots that overlap, and what waits for staff.

use super::{Catalogued, Findings, Patient};
use booking::count::{counted, plural};
use booking::ids::ServiceId;
use booking::slot::SlotStatus;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use provider::diary::catalogue::{Schedule, Service};
use provider::store::{PlacedSlot, SlotFilter, SlotRow, Store, StoreError, TenantKey};

/// A template that ends within this many days, and has no successor, is told.
const ENDING_DAYS: i64 = 28;
/// Slots that are looked at for overlaps at a time; the rest of the week follows page by page.
const SLOTS_PER_PAGE: usize = 20_000;
/// Referrals of this many days are looked at.
const REFERRAL_DAYS: i64 = 92;

/// Where warnings of a declaration are told here; those of rules and consumers are told with the consumers.
const IN_DIARY: [&str; 7] = [
    "organization",
    "location",
    "service",
    "template",
    "session",
    "closure",
    "slot",
];

/// Looks at every provider's diary.
pub fn check(patient: &Patient, catalogues: &[Catalogued], out: &mut Findings<'_>) {
    let Some(store) = &patient.store else { return };
    for of in catalogues {
        let before = out.all.len();
        let looked =
            services(patient, store, of, out).and_then(|()| schedules(patient, store, of, out));
        if let Err(error) = looked {
            out.problem(
                format!("The diary of {} cannot be read: {error}.", of.ods),
                "",
            );
        }
        templates(patient, of, out);
        of.tell(&IN_DIARY, out);
        if out.all.len() == before {
            out.ok(format!("Every service of {} has slots this week.", of.ods));
        }
    }
    referrals(patient, store, catalogues, out);
}

fn after(now: Timestamp, days: i64) -> Option<Timestamp> {
    now.checked_add(SignedDuration::from_hours(24 * days)).ok()
}

/// Begin of the London day so many days from today.
fn midnight(now: Timestamp, days: i64) -> Option<Timestamp> {
    let day = super::super::london_date(now)
        .checked_add(days.days())
        .ok()?;
    let start = day.to_zoned(super::super::london()).ok()?;
    Some(start.timestamp())
}

fn services(
    patient: &Patient,
    store: &Store,
    of: &Catalogued,
    out: &mut Findings<'_>,
) -> Result<(), StoreError> {
    for service in &of.catalogue.declared.services {
        let schedules: Vec<&Schedule> = of.catalogue.schedules_of(&service.id).collect();
        let named = named(of, service);
        if schedules.is_empty() {
            out.warn(
                format!("{named} has no schedule: searches for it are answered 404."),
                "Name the service in a [[schedule]], or take it out.",
            );
            continue;
        }
        let keys: Vec<_> = schedules.iter().map(|s| s.key).collect();
        let free = |from, to| {
            let filter = SlotFilter {
                schedules: keys.clone(),
                from,
                to,
                status: Some(SlotStatus::Free),
                held: Some(false),
                ..SlotFilter::default()
            };
            store
                .tenant(of.catalogue.tenant.key)
                .count_slots(&filter)
                .map(|c| c.free)
        };
        let now = Some(patient.now);
        let tomorrow = free(midnight(patient.now, 1), midnight(patient.now, 2))?;
        let week = free(now, after(patient.now, 7))?;
        match (tomorrow, week) {
            (_, 0) => out.warn(
                format!("{named} has no free slot in the next 7 days."),
                "Release held slots, add clinics, or take the service off the DoS until there are some.",
            ),
            (0, week) => out.note(
                format!("{named} has no free slot tomorrow, {week} in the next 7 days."),
                "Right if there is no clinic on that day.",
            ),
            _ => {}
        }
    }
    Ok(())
}

fn named(of: &Catalogued, service: &Service) -> String {
    let mark = match of.catalogue.is_test_service(&service.id) {
        true => ", on trial",
        false => "",
    };
    format!("{} ({}, {}{mark})", service.name, service.id, of.ods)
}

fn schedules(
    patient: &Patient,
    store: &Store,
    of: &Catalogued,
    out: &mut Findings<'_>,
) -> Result<(), StoreError> {
    for schedule in &of.catalogue.schedules {
        let known = |id: &ServiceId| of.catalogue.declared.services.iter().any(|s| s.id == *id);
        if !schedule.services.iter().any(known) {
            out.warn(
                format!(
                    "The schedule `{}` of {} belongs to no service.",
                    schedule.id, of.ods
                ),
                "Name its services, or take it out.",
            );
        }
        if schedule.overlaps {
            continue;
        }
        let filter = SlotFilter {
            schedules: vec![schedule.key],
            from: Some(patient.now),
            to: after(patient.now, 7),
            ..SlotFilter::default()
        };
        let overlapping = overlapping(store, of.catalogue.tenant.key, &filter)?;
        if overlapping > 0 {
            out.warn(
                format!(
                    "{} of the schedule `{}` of {} {} before the one before ends.",
                    counted(overlapping, "slot", "slots"),
                    schedule.id,
                    of.ods,
                    plural(overlapping, "begins", "begin")
                ),
                "Take the doubled ones out with `uec provider slots remove`, or say `overlaps = true` if it is meant.",
            );
        }
    }
    Ok(())
}

/// Slots that begin before the one before them ends; those of one clinic at the very same time are its capacity.
fn overlapping(store: &Store, tenant: TenantKey, filter: &SlotFilter) -> Result<usize, StoreError> {
    let meets = |before: &SlotRow, slot: &SlotRow| {
        let beside = (before.start, before.end) == (slot.start, slot.end)
            && before.template == slot.template;
        slot.start < before.end && !beside
    };
    let (mut found, mut before, mut after) = (0, None::<SlotRow>, None);
    // Each page begins after the one before, so this ends with the week.
    loop {
        let (slots, next) = store
            .tenant(tenant)
            .slots_after(filter, after, SLOTS_PER_PAGE)?;
        let counted = |s: &PlacedSlot| s.slot.status != SlotStatus::EnteredInError;
        for slot in slots.into_iter().filter(counted) {
            found += usize::from(before.as_ref().is_some_and(|b| meets(b, &slot.slot)));
            before = Some(slot.slot);
        }
        match next {
            Some(_) => after = next,
            None => return Ok(found),
        }
    }
}

/// Templates that end soon without another one on the same schedule.
fn templates(patient: &Patient, of: &Catalogued, out: &mut Findings<'_>) {
    let today = super::super::london_date(patient.now);
    let soon = today.checked_add(ENDING_DAYS.days()).unwrap_or(Date::MAX);
    for template in &of.catalogue.declared.templates {
        let Some(end) = template.valid_to.filter(|end| *end <= soon) else {
            continue;
        };
        let goes_on = of.catalogue.declared.templates.iter().any(|other| {
            other.schedule == template.schedule && other.valid_to.is_none_or(|to| to > soon)
        });
        if goes_on {
            continue;
        }
        let when = match end < today {
            true => "has ended",
            false => "ends",
        };
        out.warn(
            format!(
                "The clinic `{}` of {} {when} on {end}, and nothing follows in its schedule.",
                template.id, of.ods
            ),
            "Give it a later `valid_to`, or declare the one that follows.",
        );
    }
}

fn referrals(patient: &Patient, store: &Store, catalogues: &[Catalogued], out: &mut Findings<'_>) {
    let since = after(patient.now, -REFERRAL_DAYS).unwrap_or(patient.now);
    let all = catalogues
        .iter()
        .map(|of| (of.ods.to_string(), Some(of.catalogue.tenant.key)))
        .chain([("nobody".to_owned(), None)]);
    for (whose, tenant) in all {
        let waiting = match store.referrals_waiting(tenant, since) {
            Ok(waiting) => waiting,
            Err(error) => {
                out.problem(format!("Referrals of {whose} cannot be read: {error}."), "");
                continue;
            }
        };
        if waiting.unmatched > 0 {
            out.note(
                format!(
                    "{} of {whose} {} no booking.",
                    counted(waiting.unmatched, "referral", "referrals"),
                    plural(waiting.unmatched, "has", "have")
                ),
                "See `uec provider referral list`.",
            );
        }
        if waiting.quarantined > 0 {
            out.warn(
                format!(
                    "{} of {whose} {} in quarantine.",
                    counted(waiting.quarantined, "message", "messages"),
                    plural(waiting.quarantined, "is", "are")
                ),
                "See `uec provider referral quarantine`, and close what was dealt with.",
            );
        }
    }
}
