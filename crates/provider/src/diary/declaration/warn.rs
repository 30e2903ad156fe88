//! What a declaration says and cannot mean: legal, and yet without effect. Told by `apply`, its dry run and `doctor`, with
//! what was probably meant.

use super::{Address, Declaration, Exception, Template};
use crate::diary::generate::{self, Clinic};
use crate::toml_error::nearest;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use std::collections::HashSet;
use std::fmt;

/// Days around an exception in which the clinic's own day is looked for: a week has every weekday.
const NEAR_DAYS: i64 = 7;
/// Days ahead in which clinics are looked for that the clock skips: two springs.
const AHEAD_DAYS: i64 = 731;
/// Most warnings told at once.
const MAX_WARNINGS: usize = 50;

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is in, such as `template`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What has no effect, and what was probably meant.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[{}]] `{}`: {}", self.kind, self.id, self.message)
    }
}

/// All warnings of a declaration file, in the order of its tables.
pub fn warnings(declaration: &Declaration, today: Date) -> Vec<Warning> {
    let mut found = unused_releases(declaration);
    found.extend(warnings_of_stored(declaration, today));
    found.truncate(MAX_WARNINGS);
    found
}

/// All warnings of what is stored, where imported slots are not among the declared things.
pub fn warnings_of_stored(declaration: &Declaration, today: Date) -> Vec<Warning> {
    let mut found = Vec::new();
    addresses(declaration, &mut found);
    release_kinds(declaration, &mut found);
    templates(declaration, today, &mut found);
    sessions(declaration, today, &mut found);
    closures(declaration, today, &mut found);
    found.truncate(MAX_WARNINGS);
    found
}

fn warning(kind: &'static str, id: &str, message: String) -> Warning {
    Warning {
        kind,
        id: id.to_owned(),
        message,
    }
}

fn did_you_mean<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(wrong, known.filter(|k| *k != wrong)) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => String::new(),
    }
}

/// A postcode has one or two letters, a digit, perhaps one more letter or digit, then a digit and two letters.
fn is_postcode(text: &str) -> bool {
    let plain: Vec<u8> = text
        .bytes()
        .filter(|b| *b != b' ')
        .map(|b| b.to_ascii_uppercase())
        .collect();
    let Some((outward, inward)) = plain.len().checked_sub(3).map(|at| plain.split_at(at)) else {
        return false;
    };
    let letter = |b: &u8| b.is_ascii_uppercase();
    let digit = |b: &u8| b.is_ascii_digit();
    let inward_fits = matches!(inward, [a, b, c] if digit(a) && letter(b) && letter(c));
    let area = outward.iter().take_while(|b| letter(b)).count();
    let district = outward.get(area..).unwrap_or_default();
    let district_fits = match district {
        [first] => digit(first),
        [first, second] => digit(first) && (digit(second) || letter(second)),
        _ => false,
    };
    inward_fits && (1..=2).contains(&area) && district_fits
}

fn addresses(d: &Declaration, found: &mut Vec<Warning>) {
    let of_organizations = d
        .organizations
        .iter()
        .filter_map(|o| Some(("organization", o.id.as_str(), o.address.as_ref()?)));
    let of_locations = d
        .locations
        .iter()
        .map(|l| ("location", l.id.as_str(), &l.address));
    let all: Vec<(&'static str, &str, &Address)> = of_organizations.chain(of_locations).collect();
    for (kind, id, address) in &all {
        let postcode = address.postcode.as_str();
        if is_postcode(postcode) {
            continue;
        }
        let known = all.iter().map(|(_, _, a)| a.postcode.as_str());
        let hint = did_you_mean(postcode, known.filter(|p| is_postcode(p)));
        found.push(warning(
            kind,
            id,
            format!("`{postcode}` is not a postcode, which looks like LS99 9ZA{hint}"),
        ));
    }
}

fn release_kinds(d: &Declaration, found: &mut Vec<Warning>) {
    let kinds: HashSet<&str> = d
        .consumers
        .iter()
        .filter_map(|c| c.kind.as_deref())
        .collect();
    let mut sorted: Vec<&str> = kinds.iter().copied().collect();
    sorted.sort_unstable();
    for release in &d.releases {
        for kind in &release.kinds {
            if kinds.iter().any(|k| k.eq_ignore_ascii_case(kind)) {
                continue;
            }
            let hint = did_you_mean(kind, sorted.iter().copied());
            found.push(warning(
                "release",
                &release.id,
                format!("no consumer is of the kind `{kind}`, so it admits none by it{hint}"),
            ));
        }
    }
}

/// Release rules that nothing names.
fn unused_releases(d: &Declaration) -> Vec<Warning> {
    let services = d.services.iter().flat_map(|s| &s.release);
    let templates = d.templates.iter().flat_map(|t| &t.release);
    let sessions = d.sessions.iter().flat_map(|s| &s.release);
    let slots = d.slots.iter().filter_map(|s| s.release.as_ref());
    let used: HashSet<&String> = services
        .chain(templates)
        .chain(sessions)
        .chain(slots)
        .collect();
    let unused = d.releases.iter().filter(|r| !used.contains(&r.id));
    let message = "no service, template, session or slot names it, so it has no effect";
    unused
        .map(|r| warning("release", &r.id, message.to_owned()))
        .collect()
}

/// Whether a template has its clinic on a day by its own week.
fn has_clinic(template: &Template, day: Date) -> bool {
    template.weekdays.contains(&day.weekday())
        && template.valid_from.is_none_or(|from| from <= day)
        && template.valid_to.is_none_or(|to| day <= to)
}

fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(1.day()).take_while(move |day| *day <= last)
}

/// The day of a template's clinic that is nearest to a day, the later of two.
fn nearest_day(template: &Template, day: Date) -> Option<Date> {
    (1..=NEAR_DAYS).find_map(|n| {
        let near = [day.checked_add(n.days()), day.checked_sub(n.days())];
        near.into_iter()
            .flatten()
            .find(|day| has_clinic(template, *day))
    })
}

fn weekday(day: Date) -> String {
    day.strftime("%A").to_string()
}

fn templates(d: &Declaration, today: Date, found: &mut Vec<Warning>) {
    for template in &d.templates {
        for exception in &template.exceptions {
            if let Some(message) = without_effect(template, exception, today) {
                found.push(warning("template", &template.id, message));
            }
        }
        let last = today.checked_add(AHEAD_DAYS.days()).unwrap_or(Date::MAX);
        let skipped = generate::clinics(template, today, last)
            .into_iter()
            .find(|(_, clinic)| is_skipped(clinic));
        if let Some((day, clinic)) = skipped {
            found.push(warning("template", &template.id, in_the_gap(day, &clinic)));
        }
    }
}

/// Why an exception changes nothing.
fn without_effect(template: &Template, e: &Exception, today: Date) -> Option<String> {
    let last = e.until.unwrap_or(e.date);
    if last.year() < today.year() {
        return Some(format!(
            "the exception of {} lies in a past year and changes nothing{}",
            e.date,
            this_year(e.date, today)
        ));
    }
    let held = |day: Date| {
        let valid = template.valid_from.is_none_or(|from| from <= day)
            && template.valid_to.is_none_or(|to| day <= to);
        valid && (e.extra || has_clinic(template, day))
    };
    if days(e.date, last).any(held) {
        return None;
    }
    let is = match e.until {
        None => format!("{}, a {}, is", e.date, weekday(e.date)),
        Some(until) => format!("{} to {until} are", e.date),
    };
    let near = match nearest_day(template, e.date) {
        Some(day) => format!(
            "; the nearest day of this clinic is {}, {day}",
            weekday(day)
        ),
        None => String::new(),
    };
    let extra = match e.closed || e.extra {
        true => "",
        false => "; to hold the clinic on a day that is not its own, add `extra = true`",
    };
    Some(format!(
        "its exception has no effect: {is} no day of this clinic{near}{extra}"
    ))
}

/// The same day of this year or the next, whichever is still to come.
fn this_year(day: Date, today: Date) -> String {
    let in_year = |year: i16| Date::new(year, day.month(), day.day()).ok();
    let next = [today.year(), today.year() + 1]
        .into_iter()
        .filter_map(in_year)
        .find(|day| *day >= today);
    match next {
        Some(day) => format!("; is {day} meant?"),
        None => String::new(),
    }
}

fn is_skipped(clinic: &Clinic) -> bool {
    let (from, to) = clinic.span();
    from >= to
}

fn in_the_gap(day: Date, clinic: &Clinic) -> String {
    format!(
        "on {day} it has no slots: the clock jumps over {} to {}; choose hours before 01:00 or from 02:00 on",
        clinic.from.strftime("%H:%M"),
        clinic.to.strftime("%H:%M")
    )
}

fn sessions(d: &Declaration, today: Date, found: &mut Vec<Warning>) {
    for session in &d.sessions {
        if session.date.year() < today.year() {
            let message = format!(
                "{} lies in a past year, so it has no slots{}",
                session.date,
                this_year(session.date, today)
            );
            found.push(warning("session", &session.id, message));
            continue;
        }
        let Some(clinic) = Clinic::on(session.date, session.from, session.to) else {
            continue;
        };
        if is_skipped(&clinic) {
            found.push(warning(
                "session",
                &session.id,
                in_the_gap(session.date, &clinic),
            ));
        } else if is_shortened(&clinic) {
            let (from, to) = clinic.span();
            let message = format!(
                "on {} the clock jumps over a part of it: it has {} minutes, not {}",
                session.date,
                to.duration_since(from).as_mins(),
                clinic.to.duration_since(clinic.from).as_mins()
            );
            found.push(warning("session", &session.id, message));
        }
    }
}

fn is_shortened(clinic: &Clinic) -> bool {
    let (from, to) = clinic.span();
    to.duration_since(from) < clinic.to.duration_since(clinic.from)
}

fn closures(d: &Declaration, today: Date, found: &mut Vec<Warning>) {
    for closure in &d.closures {
        if closure.last().year() < today.year() {
            let message = format!(
                "{} lies in a past year and closes nothing{}",
                closure.date,
                this_year(closure.date, today)
            );
            found.push(warning("closure", &closure.id, message));
            continue;
        }
        let location = |s: &super::Service| s.location.clone();
        let meets_service = |s: &super::Service| closure.closes(&s.id, location(s).as_deref());
        let meets_diary = d
            .schedules
            .iter()
            .filter_map(|s| s.location.as_ref())
            .any(|l| closure.locations.contains(l));
        if !meets_diary && !d.services.iter().any(meets_service) {
            let message = "no service and no diary is there, so it closes nothing".to_owned();
            found.push(warning("closure", &closure.id, message));
        }
    }
}
