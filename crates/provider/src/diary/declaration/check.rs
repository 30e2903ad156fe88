//! Checks that the parts of a declaration fit together: references exist, ids are unique, diaries follow the Standard, and
//! clinics have sensible hours and do not overlap.

use super::read::Sheet;
use super::{ClockTime, Declaration, Exception, MAX_AT_ONCE, MAX_HORIZON_DAYS, Release, Schedule};
use super::{calendar, empty};
use crate::diary::generate::{MAX_SLOT_MINUTES, MIN_SLOT_MINUTES};
use crate::toml_error::nearest;
use jiff::SignedDuration;
use jiff::civil::Date;
use std::collections::HashSet;

/// Most services of one schedule. A search for each of them reads the schedule.
pub const MAX_SERVICES: usize = 50;
/// The template name of imported slots, reserved.
pub const IMPORTED: &str = "imported";

/// Records every fault in the sheet.
pub(super) fn check(declaration: &Declaration, today: Date, sheet: &mut Sheet<'_>) {
    let known = Known::of(declaration);
    provider(declaration, sheet);
    unique_ids(declaration, sheet);
    people_and_places(declaration, &known, sheet);
    services(declaration, &known, sheet);
    for (i, schedule) in declaration.schedules.iter().enumerate() {
        one_schedule(declaration, &known, i, schedule, sheet);
    }
    clinics(declaration, &known, sheet);
    imported(declaration, &known, sheet);
    closures(declaration, &known, sheet);
    for (i, release) in declaration.releases.iter().enumerate() {
        one_release(i, release, sheet);
    }
    consumers(declaration, sheet);
    empty::lists(declaration, sheet);
    calendar::totals(declaration, today, sheet);
    calendar::at_once(declaration, sheet);
    calendar::overlaps(declaration, today, sheet);
}

/// The ids that references may name.
struct Known<'a> {
    organizations: Vec<&'a str>,
    locations: Vec<&'a str>,
    practitioners: Vec<&'a str>,
    services: Vec<&'a str>,
    schedules: Vec<&'a str>,
    releases: Vec<&'a str>,
}

impl<'a> Known<'a> {
    fn of(d: &'a Declaration) -> Known<'a> {
        Known {
            organizations: d.organizations.iter().map(|o| o.id.as_str()).collect(),
            locations: d.locations.iter().map(|l| l.id.as_str()).collect(),
            practitioners: d.practitioners.iter().map(|p| p.id.as_str()).collect(),
            services: d.services.iter().map(|s| s.id.as_str()).collect(),
            schedules: d.schedules.iter().map(|s| s.id.as_str()).collect(),
            releases: d.releases.iter().map(|r| r.id.as_str()).collect(),
        }
    }
}

/// Where a reference is: section, index and key.
type At = (&'static str, usize, &'static str);

fn refers(at: At, kind: &str, id: &str, known: &[&str], sheet: &mut Sheet<'_>) {
    if known.contains(&id) {
        return;
    }
    let hint = match nearest(id, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if known.is_empty() => format!(": no {kind} is declared"),
        None => String::new(),
    };
    sheet.fault(at.0, at.1, at.2, format!("there is no {kind} `{id}`{hint}"));
}

fn provider(d: &Declaration, sheet: &mut Sheet<'_>) {
    if !(1..=MAX_HORIZON_DAYS).contains(&d.provider.horizon_days) {
        let what = format!(
            "is {}; it is 1 to {MAX_HORIZON_DAYS}",
            d.provider.horizon_days
        );
        sheet.fault("provider", 0, "horizon_days", what);
    }
    if d.provider.schedule_system.contains(char::is_whitespace)
        || !d.provider.schedule_system.contains(':')
    {
        let what = "is not a URI; it looks like https://diary.example/Id/schedule";
        sheet.fault("provider", 0, "schedule_system", what.to_owned());
    }
}

fn unique_ids(d: &Declaration, sheet: &mut Sheet<'_>) {
    let mut seen = HashSet::new();
    let mut once =
        |section: &'static str, space: &'static str, key: &'static str, i: usize, id: String| {
            let what = format!("`{id}` is already the {key} of another one");
            if !seen.insert((space, id)) {
                sheet.fault(section, i, key, what);
            }
        };
    let mut all = |section: &'static str, space, ids: Vec<String>| {
        let key = if section == "slot" {
            "identifier"
        } else {
            "id"
        };
        ids.into_iter()
            .enumerate()
            .for_each(|(i, id)| once(section, space, key, i, id));
    };
    all(
        "organization",
        "o",
        d.organizations.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "location",
        "l",
        d.locations.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "practitioner",
        "p",
        d.practitioners.iter().map(|x| x.id.clone()).collect(),
    );
    all("role", "r", d.roles.iter().map(|x| x.id.clone()).collect());
    all(
        "release",
        "rel",
        d.releases.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "service",
        "s",
        d.services
            .iter()
            .map(|x| x.id.as_str().to_owned())
            .collect(),
    );
    all(
        "schedule",
        "sch",
        d.schedules.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "template",
        "t",
        d.templates.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "session",
        "t",
        d.sessions.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "closure",
        "c",
        d.closures.iter().map(|x| x.id.clone()).collect(),
    );
    all(
        "slot",
        "slot",
        d.slots.iter().map(|x| x.identifier.to_string()).collect(),
    );
    let mut consumers = HashSet::new();
    for (i, consumer) in d.consumers.iter().enumerate() {
        if !consumers.insert(consumer.id()) {
            let key = if consumer.asid.is_some() {
                "asid"
            } else {
                "ods"
            };
            let what = "this organisation and system are declared twice; write one table for them";
            sheet.fault("consumer", i, key, what.to_owned());
        }
    }
}

/// Checks the marks and limits of consumers.
fn consumers(d: &Declaration, sheet: &mut Sheet<'_>) {
    for (i, consumer) in d.consumers.iter().enumerate() {
        if consumer.live_too && !consumer.test {
            let what = "is for a consumer that has `test = true`; any other sees what is not on trial anyway";
            sheet.fault("consumer", i, "live_too", what.to_owned());
        }
        if !consumer.serves.is_empty() && consumer.asid.is_none() {
            let what =
                "is for a consumer that has `asid`: it lists the organisations of one system";
            sheet.fault("consumer", i, "serves", what.to_owned());
        }
        if consumer.burst.is_some() && consumer.per_second.is_none() {
            let what = "needs `per_second` beside it";
            sheet.fault("consumer", i, "burst", what.to_owned());
        }
    }
}

fn people_and_places(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, location) in d.locations.iter().enumerate() {
        if let Some(id) = &location.organization {
            let at = ("location", i, "organization");
            refers(at, "organization", id, &known.organizations, sheet);
        }
    }
    for (i, practitioner) in d.practitioners.iter().enumerate() {
        let profile = &practitioner.role_profile;
        if d.practitioners[..i]
            .iter()
            .any(|p| p.role_profile == *profile)
        {
            let what = format!("`{profile}` is already another practitioner's (RES-PRA-01)");
            sheet.fault("practitioner", i, "role_profile", what);
        }
    }
    for (i, role) in d.roles.iter().enumerate() {
        let at = ("role", i, "practitioner");
        refers(
            at,
            "practitioner",
            &role.practitioner,
            &known.practitioners,
            sheet,
        );
        if let Some(p) = d.practitioners.iter().find(|p| p.id == role.practitioner)
            && p.role_profile != role.id
        {
            let what = format!(
                "`{}` must be the role_profile of its practitioner `{}`, which is `{}` (RES-ROL-01, D-35)",
                role.id, p.id, p.role_profile
            );
            sheet.fault("role", i, "id", what);
        }
        if let Some(id) = &role.organization {
            let at = ("role", i, "organization");
            refers(at, "organization", id, &known.organizations, sheet);
        }
        if role.code.is_some() != role.display.is_some() {
            let key = if role.code.is_some() {
                "code"
            } else {
                "display"
            };
            let what = "code and display go together (RES-ROL-02)";
            sheet.fault("role", i, key, what.to_owned());
        }
    }
}

fn services(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, service) in d.services.iter().enumerate() {
        if let Some(id) = &service.provided_by {
            let at = ("service", i, "provided_by");
            refers(at, "organization", id, &known.organizations, sheet);
        }
        if let Some(id) = &service.location {
            refers(
                ("service", i, "location"),
                "location",
                id,
                &known.locations,
                sheet,
            );
        }
        for id in &service.release {
            refers(
                ("service", i, "release"),
                "release",
                id,
                &known.releases,
                sheet,
            );
        }
    }
}

/// RES-SCH-02: one HealthcareService for each search, at most one Practitioner, PractitionerRole and Location, three
/// in all. PROV-SLOT-17: a practitioner comes with the role that its identifier names.
fn one_schedule(d: &Declaration, known: &Known<'_>, i: usize, s: &Schedule, sheet: &mut Sheet<'_>) {
    let mut fault = |key: &str, what: String| sheet.fault("schedule", i, key, what);
    if s.services.is_empty() {
        fault(
            "services",
            "is empty: a schedule belongs to at least one service (RES-SCH-02)".to_owned(),
        );
    }
    if s.services.len() > MAX_SERVICES {
        fault(
            "services",
            format!("has {} services; at most {MAX_SERVICES}", s.services.len()),
        );
    }
    let practitioner = s
        .practitioner
        .as_ref()
        .and_then(|id| d.practitioners.iter().find(|p| p.id == *id));
    match (&s.practitioner, practitioner, &s.role) {
        (None, _, Some(_)) => {
            fault(
                "role",
                "a role needs its practitioner: add the key `practitioner`".to_owned(),
            );
        }
        (Some(_), Some(p), Some(role)) if *role != p.role_profile => fault(
            "role",
            format!(
                "`{role}` is not the role of `{}`, which is `{}` (D-35)",
                p.id, p.role_profile
            ),
        ),
        (Some(_), Some(p), _) if !d.roles.iter().any(|r| r.id == p.role_profile) => fault(
            "practitioner",
            format!(
                "`{}` has no role: declare a [[role]] with id `{}` (PROV-SLOT-17)",
                p.id, p.role_profile
            ),
        ),
        _ => {}
    }
    if s.practitioner.is_some() && s.location.is_some() {
        let what = "service, practitioner and role are already three actors, and more are not allowed (RES-SCH-02); \
                    name the place in the service instead";
        fault("location", what.to_owned());
    }
    let mut seen = HashSet::new();
    for id in &s.services {
        if !seen.insert(id) {
            sheet.fault("schedule", i, "services", format!("`{id}` is there twice"));
        }
        refers(
            ("schedule", i, "services"),
            "service",
            id.as_str(),
            &known.services,
            sheet,
        );
    }
    if let Some(id) = &s.practitioner {
        let at = ("schedule", i, "practitioner");
        refers(at, "practitioner", id, &known.practitioners, sheet);
    }
    if let Some(id) = &s.location {
        refers(
            ("schedule", i, "location"),
            "location",
            id,
            &known.locations,
            sheet,
        );
    }
}

fn clinics(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, t) in d.templates.iter().enumerate() {
        clinic(
            ("template", i),
            (&t.id, &t.schedule, &t.release),
            known,
            sheet,
        );
        hours(
            ("template", i),
            (t.from, t.to, t.slot_minutes),
            "to",
            "",
            sheet,
        );
        capacity(("template", i), t.capacity, sheet);
        if t.weekdays.is_empty() {
            sheet.fault(
                "template",
                i,
                "weekdays",
                "names no day, so there is no clinic".to_owned(),
            );
        }
        if let (Some(first), Some(last)) = (t.valid_from, t.valid_to)
            && last < first
        {
            sheet.fault(
                "template",
                i,
                "valid_to",
                format!("{last} is before valid_from, {first}"),
            );
        }
        for e in &t.exceptions {
            exception(i, e, (t.from, t.to, t.slot_minutes), sheet);
        }
    }
    for (i, s) in d.sessions.iter().enumerate() {
        clinic(
            ("session", i),
            (&s.id, &s.schedule, &s.release),
            known,
            sheet,
        );
        hours(
            ("session", i),
            (s.from, s.to, s.slot_minutes),
            "to",
            "",
            sheet,
        );
        capacity(("session", i), s.capacity, sheet);
    }
}

fn clinic(
    at: (&'static str, usize),
    (id, schedule, release): (&str, &str, &[String]),
    known: &Known<'_>,
    sheet: &mut Sheet<'_>,
) {
    if id == IMPORTED {
        let what = format!("`{IMPORTED}` is the name of imported slots; choose another");
        sheet.fault(at.0, at.1, "id", what);
    }
    refers(
        (at.0, at.1, "schedule"),
        "schedule",
        schedule,
        &known.schedules,
        sheet,
    );
    for id in release {
        refers(
            (at.0, at.1, "release"),
            "release",
            id,
            &known.releases,
            sheet,
        );
    }
}

fn capacity(at: (&'static str, usize), capacity: u16, sheet: &mut Sheet<'_>) {
    if !(1..=MAX_AT_ONCE).contains(&capacity) {
        let what = format!("is {capacity}; a clinic has 1 to {MAX_AT_ONCE} slots at each time");
        sheet.fault(at.0, at.1, "capacity", what);
    }
}

fn hours(
    at: (&'static str, usize),
    (from, to, slot): (ClockTime, ClockTime, u16),
    key: &str,
    on: &str,
    sheet: &mut Sheet<'_>,
) {
    let mut fault = |key: &str, what: String| sheet.fault(at.0, at.1, key, format!("{on}{what}"));
    if !(MIN_SLOT_MINUTES..=MAX_SLOT_MINUTES).contains(&slot) {
        let what =
            format!("is {slot}; a slot lasts {MIN_SLOT_MINUTES} to {MAX_SLOT_MINUTES} minutes");
        return fault("slot_minutes", what);
    }
    if from.minutes() == 24 * 60 {
        return fault(
            key,
            "begins at 24:00; write 00:00 of the next day".to_owned(),
        );
    }
    if from == to {
        let what = format!("{from} to {to} has no length; a whole day is 00:00 to 24:00");
        return fault(key, what);
    }
    let length = (to.minutes() + 24 * 60 - from.minutes()) % (24 * 60);
    let length = if length == 0 { 24 * 60 } else { length };
    let left = length % slot;
    if left != 0 {
        let what = format!(
            "{from} to {to} is {length} minutes, which {slot}-minute slots do not fill: {left} would be left over"
        );
        fault(key, what);
    }
}

fn exception(i: usize, e: &Exception, usual: (ClockTime, ClockTime, u16), sheet: &mut Sheet<'_>) {
    let changed = e.from.is_some() || e.to.is_some();
    let mut fault = |what: &str| {
        sheet.fault("template", i, "exceptions", format!("{}: {what}", e.date));
    };
    if e.until.is_some_and(|until| until < e.date) {
        fault("`until` is before `date`");
    }
    match (e.closed, changed || e.extra) {
        (true, true) => fault("is closed and has hours, or is extra; one of the two"),
        (false, false) => fault(
            "say `closed = true`, or other hours with `from` and `to`, or `extra = true` for a day that is not the clinic's",
        ),
        (false, true) => {
            let (from, to, slot) = usual;
            let other = (e.from.unwrap_or(from), e.to.unwrap_or(to), slot);
            hours(
                ("template", i),
                other,
                "exceptions",
                &format!("{}: ", e.date),
                sheet,
            );
        }
        (true, false) => {}
    }
}

fn imported(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    let schedules: HashSet<&str> = known.schedules.iter().copied().collect();
    for (i, slot) in d.slots.iter().enumerate() {
        if !schedules.contains(slot.schedule.as_str()) {
            refers(
                ("slot", i, "schedule"),
                "schedule",
                &slot.schedule,
                &known.schedules,
                sheet,
            );
        }
        if let Some(id) = &slot.release {
            refers(
                ("slot", i, "release"),
                "release",
                id,
                &known.releases,
                sheet,
            );
        }
        let length = slot.end.duration_since(slot.start);
        if length <= SignedDuration::ZERO {
            sheet.fault(
                "slot",
                i,
                "end",
                "is not after the start (RES-GEN-04)".to_owned(),
            );
        } else if length > SignedDuration::from_mins(i64::from(MAX_SLOT_MINUTES)) {
            let what = format!("is more than {MAX_SLOT_MINUTES} minutes after the start");
            sheet.fault("slot", i, "end", what);
        }
    }
}

/// Checks that the things that a closure names exist.
fn closures(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, closure) in d.closures.iter().enumerate() {
        if closure.last() < closure.date {
            let what = format!("{} is before date, {}", closure.last(), closure.date);
            sheet.fault("closure", i, "until", what);
        }
        for id in &closure.locations {
            let at = ("closure", i, "locations");
            refers(at, "location", id, &known.locations, sheet);
        }
        for id in &closure.services {
            let at = ("closure", i, "services");
            refers(at, "service", id.as_str(), &known.services, sheet);
        }
    }
}

fn one_release(i: usize, release: &Release, sheet: &mut Sheet<'_>) {
    let mut fault = |key: &str, what: &str| sheet.fault("release", i, key, what.to_owned());
    match (release.cap, release.cap_per) {
        (Some(0), _) => fault(
            "cap",
            "is 0, which nobody can book; hold the slots back instead",
        ),
        (None, Some(_)) => fault("cap_per", "has no `cap` to go with"),
        _ => {}
    }
    if let (Some(embargo), Some(cutoff)) = (release.embargo, release.cutoff)
        && embargo <= cutoff
    {
        fault(
            "embargo",
            "is not longer than `cutoff`, so nobody could ever book",
        );
    }
}
