//! Checks that the parts of a declaration fit together: references exist, ids are unique, diaries follow the Standard, and
//! clinics have sensible hours and do not overlap.

use super::{ClockTime, Declaration, Exception, MAX_AT_ONCE, MAX_HORIZON_DAYS, Release, Schedule};
use super::{calendar, empty};
use crate::diary::generate::{MAX_SLOT_MINUTES, MIN_SLOT_MINUTES};
use booking::nearest::nearest;
use jiff::SignedDuration;
use jiff::civil::Date;
use sheet::{Sheet, Table};
use std::collections::{BTreeSet, HashSet};

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
        one_schedule(declaration, &known, schedule, sheet.table("schedule", i));
    }
    clinics(declaration, &known, sheet);
    imported(declaration, &known, sheet);
    closures(declaration, &known, sheet);
    for (i, release) in declaration.releases.iter().enumerate() {
        one_release(release, sheet.table("release", i));
    }
    consumers(declaration, sheet);
    empty::lists(declaration, sheet);
    calendar::totals(declaration, today, sheet);
    calendar::at_once(declaration, sheet);
    calendar::overlaps(declaration, today, sheet);
}

/// The ids that references may name.
struct Known<'a> {
    organizations: Ids<'a>,
    locations: Ids<'a>,
    practitioners: Ids<'a>,
    services: Ids<'a>,
    schedules: Ids<'a>,
    releases: Ids<'a>,
}

/// The ids of one kind of thing.
struct Ids<'a> {
    kind: &'static str,
    all: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(d: &'a Declaration) -> Known<'a> {
        Known {
            organizations: Ids::of("organization", d.organizations.iter().map(|o| &o.id)),
            locations: Ids::of("location", d.locations.iter().map(|l| &l.id)),
            practitioners: Ids::of("practitioner", d.practitioners.iter().map(|p| &p.id)),
            services: Ids::of("service", d.services.iter().map(|s| &s.id)),
            schedules: Ids::of("schedule", d.schedules.iter().map(|s| &s.id)),
            releases: Ids::of("release", d.releases.iter().map(|r| &r.id)),
        }
    }
}

impl<'a> Ids<'a> {
    fn of<I: AsRef<str> + 'a>(kind: &'static str, all: impl Iterator<Item = &'a I>) -> Ids<'a> {
        let all = all.map(AsRef::as_ref).collect();
        Ids { kind, all }
    }

    /// Records each id of a key that does not exist.
    fn hold<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>, key: &str, at: &mut Table) {
        let kind = self.kind;
        for id in ids {
            let id = id.as_ref();
            if self.all.contains(id) {
                continue;
            }
            let hint = match nearest(id, self.all.iter().copied()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None if self.all.is_empty() => format!(": no {kind} is declared"),
                None => String::new(),
            };
            at.fault(key, format!("there is no {kind} `{id}`{hint}"));
        }
    }
}

fn provider(d: &Declaration, sheet: &mut Sheet<'_>) {
    let mut table = sheet.table("provider", 0);
    let days = d.provider.horizon_days;
    if !(1..=MAX_HORIZON_DAYS).contains(&days) {
        let what = format!("is {days}; it is 1 to {MAX_HORIZON_DAYS}");
        table.fault("horizon_days", what);
    }
    let system = &d.provider.schedule_system;
    if system.contains(char::is_whitespace) || !system.contains(':') {
        let what = "is not a URI; it looks like https://diary.example/Id/schedule";
        table.fault("schedule_system", what);
    }
}

fn unique_ids(d: &Declaration, sheet: &mut Sheet<'_>) {
    sheet.unique("organization", "id", d.organizations.iter().map(|x| &x.id));
    sheet.unique("location", "id", d.locations.iter().map(|x| &x.id));
    sheet.unique("practitioner", "id", d.practitioners.iter().map(|x| &x.id));
    sheet.unique("role", "id", d.roles.iter().map(|x| &x.id));
    sheet.unique("release", "id", d.releases.iter().map(|x| &x.id));
    sheet.unique("service", "id", d.services.iter().map(|x| &x.id));
    sheet.unique("schedule", "id", d.schedules.iter().map(|x| &x.id));
    sheet.unique("template", "id", d.templates.iter().map(|x| &x.id));
    sheet.unique("session", "id", d.sessions.iter().map(|x| &x.id));
    sheet.unique("closure", "id", d.closures.iter().map(|x| &x.id));
    sheet.unique("slot", "identifier", d.slots.iter().map(|x| x.identifier));
    let templates: HashSet<&str> = d.templates.iter().map(|t| t.id.as_str()).collect();
    for (i, session) in d.sessions.iter().enumerate() {
        if templates.contains(session.id.as_str()) {
            let what = format!("`{}` is already the id of a template", session.id);
            sheet.fault("session", i, "id", what);
        }
    }
    let mut consumers = HashSet::new();
    for (i, consumer) in d.consumers.iter().enumerate() {
        if !consumers.insert(consumer.id()) {
            let key = if consumer.asid.is_some() {
                "asid"
            } else {
                "ods"
            };
            let what = "this organisation and system are declared twice; write one table for them";
            sheet.fault("consumer", i, key, what);
        }
    }
}

/// Checks the marks and limits of consumers.
fn consumers(d: &Declaration, sheet: &mut Sheet<'_>) {
    for (i, consumer) in d.consumers.iter().enumerate() {
        let mut table = sheet.table("consumer", i);
        if consumer.live_too && !consumer.test {
            let what = "is for a consumer that has `test = true`; any other sees what is not on trial anyway";
            table.fault("live_too", what);
        }
        if !consumer.serves.is_empty() && consumer.asid.is_none() {
            let what =
                "is for a consumer that has `asid`: it lists the organisations of one system";
            table.fault("serves", what);
        }
        if consumer.burst.is_some() && consumer.per_second.is_none() {
            table.fault("burst", "needs `per_second` beside it");
        }
    }
}

fn people_and_places(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, location) in d.locations.iter().enumerate() {
        let mut table = sheet.table("location", i);
        let organization = &location.organization;
        known
            .organizations
            .hold(organization, "organization", &mut table);
    }
    for (i, practitioner) in d.practitioners.iter().enumerate() {
        let profile = &practitioner.role_profile;
        let mut others = d.practitioners[..i].iter();
        if others.any(|p| p.role_profile == *profile) {
            let what = format!("`{profile}` is already another practitioner's (RES-PRA-01)");
            sheet.fault("practitioner", i, "role_profile", what);
        }
    }
    for (i, role) in d.roles.iter().enumerate() {
        let mut table = sheet.table("role", i);
        let practitioner = [&role.practitioner];
        known
            .practitioners
            .hold(practitioner, "practitioner", &mut table);
        if let Some(p) = d.practitioners.iter().find(|p| p.id == role.practitioner)
            && p.role_profile != role.id
        {
            let what = format!(
                "`{}` must be the role_profile of its practitioner `{}`, which is `{}` (RES-ROL-01, D-35)",
                role.id, p.id, p.role_profile
            );
            table.fault("id", what);
        }
        known
            .organizations
            .hold(&role.organization, "organization", &mut table);
        if role.code.is_some() != role.display.is_some() {
            let key = if role.code.is_some() {
                "code"
            } else {
                "display"
            };
            table.fault(key, "code and display go together (RES-ROL-02)");
        }
    }
}

fn services(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, service) in d.services.iter().enumerate() {
        let mut table = sheet.table("service", i);
        known
            .organizations
            .hold(&service.provided_by, "provided_by", &mut table);
        known
            .locations
            .hold(&service.location, "location", &mut table);
        known.releases.hold(&service.release, "release", &mut table);
    }
}

/// RES-SCH-02: one HealthcareService for each search, at most one Practitioner, PractitionerRole and Location, three
/// in all. PROV-SLOT-17: a practitioner comes with the role that its identifier names.
fn one_schedule(d: &Declaration, known: &Known<'_>, s: &Schedule, mut table: Table<'_, '_>) {
    if s.services.is_empty() {
        let what = "is empty: a schedule belongs to at least one service (RES-SCH-02)";
        table.fault("services", what);
    }
    if s.services.len() > MAX_SERVICES {
        let what = format!("has {} services; at most {MAX_SERVICES}", s.services.len());
        table.fault("services", what);
    }
    let practitioner = s
        .practitioner
        .as_ref()
        .and_then(|id| d.practitioners.iter().find(|p| p.id == *id));
    match (&s.practitioner, practitioner, &s.role) {
        (None, _, Some(_)) => {
            let what = "a role needs its practitioner: add the key `practitioner`";
            table.fault("role", what);
        }
        (Some(_), Some(p), Some(role)) if *role != p.role_profile => {
            let (id, profile) = (&p.id, &p.role_profile);
            let what = format!("`{role}` is not the role of `{id}`, which is `{profile}` (D-35)");
            table.fault("role", what);
        }
        (Some(_), Some(p), _) if !d.roles.iter().any(|r| r.id == p.role_profile) => {
            let what = format!(
                "`{}` has no role: declare a [[role]] with id `{}` (PROV-SLOT-17)",
                p.id, p.role_profile
            );
            table.fault("practitioner", what);
        }
        _ => {}
    }
    if s.practitioner.is_some() && s.location.is_some() {
        let what = "service, practitioner and role are already three actors, and more are not allowed (RES-SCH-02); \
                    name the place in the service instead";
        table.fault("location", what);
    }
    let mut seen = HashSet::new();
    for id in &s.services {
        if !seen.insert(id) {
            table.fault("services", format!("`{id}` is there twice"));
        }
    }
    known.services.hold(&s.services, "services", &mut table);
    known
        .practitioners
        .hold(&s.practitioner, "practitioner", &mut table);
    known.locations.hold(&s.location, "location", &mut table);
}

fn clinics(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, t) in d.templates.iter().enumerate() {
        let mut table = sheet.table("template", i);
        clinic((&t.id, &t.schedule, &t.release), known, &mut table);
        hours((t.from, t.to, t.slot_minutes), "to", "", &mut table);
        capacity(t.capacity, &mut table);
        if t.weekdays.is_empty() {
            table.fault("weekdays", "names no day, so there is no clinic");
        }
        if let (Some(first), Some(last)) = (t.valid_from, t.valid_to)
            && last < first
        {
            table.fault("valid_to", format!("{last} is before valid_from, {first}"));
        }
        for e in &t.exceptions {
            exception(e, (t.from, t.to, t.slot_minutes), &mut table);
        }
    }
    for (i, s) in d.sessions.iter().enumerate() {
        let mut table = sheet.table("session", i);
        clinic((&s.id, &s.schedule, &s.release), known, &mut table);
        hours((s.from, s.to, s.slot_minutes), "to", "", &mut table);
        capacity(s.capacity, &mut table);
    }
}

fn clinic(
    (id, schedule, release): (&str, &str, &[String]),
    known: &Known<'_>,
    table: &mut Table<'_, '_>,
) {
    if id == IMPORTED {
        let what = format!("`{IMPORTED}` is the name of imported slots; choose another");
        table.fault("id", what);
    }
    known.schedules.hold([schedule], "schedule", table);
    known.releases.hold(release, "release", table);
}

fn capacity(capacity: u16, table: &mut Table<'_, '_>) {
    if !(1..=MAX_AT_ONCE).contains(&capacity) {
        let what = format!("is {capacity}; a clinic has 1 to {MAX_AT_ONCE} slots at each time");
        table.fault("capacity", what);
    }
}

fn hours(
    (from, to, slot): (ClockTime, ClockTime, u16),
    key: &str,
    on: &str,
    table: &mut Table<'_, '_>,
) {
    let mut fault = |key: &str, what: String| table.fault(key, format!("{on}{what}"));
    if !(MIN_SLOT_MINUTES..=MAX_SLOT_MINUTES).contains(&slot) {
        let what =
            format!("is {slot}; a slot lasts {MIN_SLOT_MINUTES} to {MAX_SLOT_MINUTES} minutes");
        return fault("slot_minutes", what);
    }
    if from.minutes() == 24 * 60 {
        let what = "begins at 24:00; write 00:00 of the next day";
        return fault(key, what.to_owned());
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

fn exception(
    e: &Exception,
    (from, to, slot): (ClockTime, ClockTime, u16),
    table: &mut Table<'_, '_>,
) {
    let changed = e.from.is_some() || e.to.is_some();
    let mut fault = |what: &str| table.fault("exceptions", format!("{}: {what}", e.date));
    if e.until.is_some_and(|until| until < e.date) {
        fault("`until` is before `date`");
    }
    match (e.closed, changed || e.extra) {
        (true, true) => fault("is closed and has hours, or is extra; one of the two"),
        (false, false) => fault(
            "say `closed = true`, or other hours with `from` and `to`, or `extra = true` for a day that is not the clinic's",
        ),
        (false, true) => {
            let other = (e.from.unwrap_or(from), e.to.unwrap_or(to), slot);
            hours(other, "exceptions", &format!("{}: ", e.date), table);
        }
        (true, false) => {}
    }
}

fn imported(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, slot) in d.slots.iter().enumerate() {
        let mut table = sheet.table("slot", i);
        known
            .schedules
            .hold([&slot.schedule], "schedule", &mut table);
        known.releases.hold(&slot.release, "release", &mut table);
        let length = slot.end.duration_since(slot.start);
        if length <= SignedDuration::ZERO {
            table.fault("end", "is not after the start (RES-GEN-04)");
        } else if length > SignedDuration::from_mins(i64::from(MAX_SLOT_MINUTES)) {
            let what = format!("is more than {MAX_SLOT_MINUTES} minutes after the start");
            table.fault("end", what);
        }
    }
}

/// Checks that the things that a closure names exist.
fn closures(d: &Declaration, known: &Known<'_>, sheet: &mut Sheet<'_>) {
    for (i, closure) in d.closures.iter().enumerate() {
        let mut table = sheet.table("closure", i);
        if closure.last() < closure.date {
            let what = format!("{} is before date, {}", closure.last(), closure.date);
            table.fault("until", what);
        }
        known
            .locations
            .hold(&closure.locations, "locations", &mut table);
        known
            .services
            .hold(&closure.services, "services", &mut table);
    }
}

fn one_release(release: &Release, mut table: Table<'_, '_>) {
    match (release.cap, release.cap_per) {
        (Some(0), _) => {
            let what = "is 0, which nobody can book; hold the slots back instead";
            table.fault("cap", what);
        }
        (None, Some(_)) => table.fault("cap_per", "has no `cap` to go with"),
        _ => {}
    }
    if let (Some(embargo), Some(cutoff)) = (release.embargo, release.cutoff)
        && embargo <= cutoff
    {
        let what = "is not longer than `cutoff`, so nobody could ever book";
        table.fault("embargo", what);
    }
}
