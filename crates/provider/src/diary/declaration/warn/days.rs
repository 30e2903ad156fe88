//! Warns of clinics, exceptions, closures and imported slots that change no day.

use super::super::closure::Closures;
use super::super::{Closure, Declaration, ImportedSlot, Schedule, Session, Template};
use super::{Warning, warning};
use crate::diary::generate::{self, Clinic, london_date};
use crate::diary::written::Written;
use booking::count::counted;
use booking::ids::ServiceId;
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Days around an exception searched for a day of the clinic: a week has every weekday.
const NEAR_DAYS: i64 = 7;
/// Days ahead searched: two springs, and twice the longest horizon. A later day is taken for a typing error.
const AHEAD_DAYS: i64 = 731;

/// Records all of these warnings.
pub(super) fn days(d: &Declaration, today: Date, found: &mut Vec<Warning>) {
    let calendar = Calendar {
        d,
        closures: Closures::of(d),
        schedules: d.schedules.iter().map(|s| (s.id.as_str(), s)).collect(),
        today,
        first: today.checked_sub(AHEAD_DAYS.days()).unwrap_or(Date::MIN),
        last: today.checked_add(AHEAD_DAYS.days()).unwrap_or(Date::MAX),
    };
    for template in &d.templates {
        calendar.template(template, found);
    }
    for session in &d.sessions {
        let message = calendar.session(session);
        found.extend(message.map(|m| warning("session", &session.id, m)));
    }
    for closure in &d.closures {
        let message = calendar.closure(closure);
        found.extend(message.map(|m| warning("closure", &closure.id, m)));
    }
    calendar.imported(found);
}

/// A declaration and the days searched.
struct Calendar<'a> {
    d: &'a Declaration,
    closures: Closures<'a>,
    schedules: HashMap<&'a str, &'a Schedule>,
    today: Date,
    /// First day searched.
    first: Date,
    /// Last day searched.
    last: Date,
}

impl Calendar<'_> {
    /// Why days are taken for a typing error: in a past year, or beyond any horizon.
    fn is_off(&self, first: Date, last: Date) -> Option<String> {
        let meant = || this_year(first, self.today);
        if last.year() < self.today.year() {
            return Some(format!("{first} lies in a past year{}", meant()));
        }
        (first > self.last).then(|| format!("{first} lies more than two years ahead{}", meant()))
    }

    /// The closure of the whole diary on a day.
    fn closure_on(&self, schedule: &str, day: Date) -> Option<&Closure> {
        let s = self.schedules.get(schedule)?;
        self.closures
            .of_diary_on(&s.services, s.location.as_deref(), day)
    }

    fn template(&self, t: &Template, found: &mut Vec<Warning>) {
        let mut tell = |message: String| found.push(warning("template", &t.id, message));
        let mut seen = HashSet::new();
        if let Some(day) = t.weekdays.iter().find(|day| !seen.insert(**day)) {
            tell(format!("`weekdays` names `{}` twice", day.write()));
        }
        if let Some(message) = self.validity(t) {
            tell(message);
        }
        for index in 0..t.exceptions.len() {
            if let Some(message) = self.exception(t, index) {
                tell(message);
            }
        }
        let none = generate::clinics(t, self.today, self.last)
            .into_iter()
            .find_map(|(day, clinic)| without_slots(day, &clinic, t.slot_minutes));
        none.into_iter().for_each(tell);
    }

    /// Why there is no clinic from `valid_from` to `valid_to`.
    fn validity(&self, t: &Template) -> Option<String> {
        let first = t.valid_from?;
        if first > self.last {
            let why = self.is_off(first, first)?;
            return Some(format!("it has no clinic before `valid_from`: {why}"));
        }
        let last = t.valid_to?;
        let week = first.checked_add(6.days()).unwrap_or(Date::MAX);
        // A week has every weekday. An exception may be an extra clinic.
        if last >= week || !generate::clinics(t, first, last).is_empty() {
            return None;
        }
        let own = |day: &Date| t.weekdays.contains(&day.weekday());
        let message =
            "between `valid_from` and `valid_to` none of its weekdays lies, so it has no clinic";
        (!span(first, last).any(|day| own(&day))).then(|| message.to_owned())
    }

    /// Why an exception changes nothing.
    fn exception(&self, t: &Template, index: usize) -> Option<String> {
        let e = t.exceptions.get(index)?;
        let until = e.until.unwrap_or(e.date);
        if let Some(why) = self.is_off(e.date, until) {
            return Some(format!("its exception changes nothing: {why}"));
        }
        let last = until.min(self.last);
        let mut closed = None;
        let first = e.date.max(self.first);
        for day in span(first, last) {
            if generate::clinic_on(t, day) == generate::clinic_without(t, index, day) {
                continue;
            }
            match self.closure_on(&t.schedule, day).filter(|_| !e.closed) {
                None => return None,
                Some(closure) => closed = Some(closure),
            }
        }
        let days = match e.until {
            None => format!("{}, a {}, is", e.date, weekday(e.date)),
            Some(until) => format!("{} to {until} are", e.date),
        };
        let why = match closed {
            Some(closure) => format!("{days} closed by the closure `{}`", closure.id),
            None => self.idle(t, index, last, &days),
        };
        Some(format!("its exception has no effect: {why}"))
    }

    /// Why an exception makes no difference to the clinic.
    fn idle(&self, t: &Template, index: usize, last: Date, days: &str) -> String {
        let Some(e) = t.exceptions.get(index) else {
            return String::new();
        };
        let held = |day: Date| has_clinic(t, day) || (e.extra && generate::is_valid(t, day));
        if !span(e.date.max(self.first), last).any(held) {
            let near = match nearest_day(t, e.date) {
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
            return format!("{days} no day of this clinic{near}{extra}");
        }
        let mut later = t.exceptions.iter().skip(index + 1);
        if later.any(|other| other.covers(e.date)) {
            return format!("of several for {}, the last one counts", e.date);
        }
        let others = t.exceptions.iter().take(index);
        if others.filter(|other| other.covers(e.date)).count() > 0 {
            return "another exception says the same".to_owned();
        }
        format!("{days} a day of this clinic with these hours anyway")
    }

    /// Why a session has fewer slots than its hours say, or none.
    fn session(&self, s: &Session) -> Option<String> {
        if let Some(why) = self.is_off(s.date, s.date) {
            return Some(format!("it has no slots: {why}"));
        }
        let clinic = Clinic::on(s.date, s.from, s.to)?;
        let told = without_slots(s.date, &clinic, s.slot_minutes);
        if let Some(message) = told.or_else(|| shortened(s.date, &clinic)) {
            return Some(message);
        }
        let mut closed = None;
        for (start, _) in generate::cut(&clinic, s.slot_minutes) {
            // A session may extend into an open day.
            closed = Some(self.closure_on(&s.schedule, london_date(start))?);
        }
        if let Some(closure) = closed {
            return Some(format!(
                "it has no slots: the closure `{}` closes its schedule on {}",
                closure.id, s.date
            ));
        }
        None
    }

    /// Why a closure closes nothing. Past closures are not reported.
    fn closure(&self, c: &Closure) -> Option<String> {
        if let Some(why) = self.is_off(c.date, c.last()) {
            return Some(format!("it closes nothing: {why}"));
        }
        if c.last() < self.today {
            return None;
        }
        let location_of = |id: &ServiceId| {
            let mut services = self.d.services.iter();
            services.find(|s| s.id == *id)?.location.as_deref()
        };
        let meets = |s: &&Schedule| {
            let mut services = s.services.iter();
            c.is_at(s.location.as_deref()) || services.any(|id| c.closes(id, location_of(id)))
        };
        let diaries: HashSet<&str> = self
            .d
            .schedules
            .iter()
            .filter(meets)
            .map(|s| s.id.as_str())
            .collect();
        if diaries.is_empty() {
            return Some("no schedule is there, so it closes nothing".to_owned());
        }
        let last = c.last().min(self.last);
        let first = c.date.max(self.first);
        let covers = |day: Date| first <= day && day <= last;
        // A clinic of the evening before may extend into the closure.
        let eve = first.yesterday().unwrap_or(first);
        let template = |t: &Template| {
            let starts = |clinic: &Clinic| generate::cut(clinic, t.slot_minutes);
            generate::clinics(t, eve, last)
                .iter()
                .flat_map(|(_, clinic)| starts(clinic))
                .any(|(start, _)| covers(london_date(start)))
        };
        let session = |s: &Session| {
            let slots = generate::session_slots(s, eve, last);
            slots.iter().any(|slot| covers(london_date(slot.start)))
        };
        let of = |id: &String| diaries.contains(id.as_str());
        let is_met = self
            .d
            .templates
            .iter()
            .any(|t| of(&t.schedule) && template(t))
            || self
                .d
                .sessions
                .iter()
                .any(|s| of(&s.schedule) && session(s))
            || (self.d.slots.iter()).any(|s| of(&s.schedule) && covers(london_date(s.start)));
        let days = match c.until {
            None => format!("on {}, a {},", c.date, weekday(c.date)),
            Some(until) => format!("from {} to {until}", c.date),
        };
        (!is_met).then(|| format!("{days} there is no clinic that it could close"))
    }

    /// Records imported slots that no consumer is offered, once per schedule and reason.
    fn imported(&self, found: &mut Vec<Warning>) {
        let mut told: BTreeMap<(&str, String), (&ImportedSlot, usize)> = BTreeMap::new();
        for slot in &self.d.slots {
            let day = london_date(slot.start);
            let why = match (self.is_off(day, day), self.closure_on(&slot.schedule, day)) {
                (Some(why), _) if day < self.today => format!("it is not taken in: {why}"),
                (Some(why), _) => why,
                (None, _) if day < self.today => continue,
                (None, Some(closure)) => format!(
                    "the closure `{}` closes its schedule on {day}, so nobody is offered it until the closure goes",
                    closure.id
                ),
                (None, None) => continue,
            };
            told.entry((slot.schedule.as_str(), why))
                .or_insert((slot, 0))
                .1 += 1;
        }
        for ((schedule, why), (first, number)) in told {
            let more = match number {
                1 => String::new(),
                n => format!(
                    "; so with {} of `{schedule}`",
                    counted(n - 1, "more slot", "more slots")
                ),
            };
            let id = first.identifier.to_string();
            found.push(warning("slot", &id, format!("{why}{more}")));
        }
    }
}

/// The minutes that a clinic lasts, and those that its clock times suggest.
fn minutes(clinic: &Clinic) -> (i64, i64) {
    let (from, to) = clinic.span();
    let shown = clinic.to.duration_since(clinic.from);
    (to.duration_since(from).as_mins(), shown.as_mins())
}

/// Why a clinic has no slots on the night when the clock goes forward.
fn without_slots(day: Date, clinic: &Clinic, slot_minutes: u16) -> Option<String> {
    let (left, shown) = minutes(clinic);
    if left <= 0 {
        return Some(format!(
            "on {day} it has no slots: the clock jumps over {} to {}; choose hours before 01:00 or from 02:00 on",
            clinic.from.strftime("%H:%M"),
            clinic.to.strftime("%H:%M")
        ));
    }
    (left < i64::from(slot_minutes)).then(|| {
        format!(
            "on {day} it has no slots: the clock jumps over a part of it, and the {left} of {shown} minutes that are left \
             are less than a slot, which has {slot_minutes}"
        )
    })
}

fn shortened(day: Date, clinic: &Clinic) -> Option<String> {
    let (left, shown) = minutes(clinic);
    (left < shown).then(|| {
        format!("on {day} the clock jumps over a part of it: it has {left} minutes, not {shown}")
    })
}

/// Whether a template has a clinic on a day by its weekdays.
fn has_clinic(template: &Template, day: Date) -> bool {
    template.weekdays.contains(&day.weekday()) && generate::is_valid(template, day)
}

fn span(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(1.day()).take_while(move |day| *day <= last)
}

/// The day of a template's clinic nearest to a day; of two, the later.
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

/// The same day of this year, or of the next if it is past.
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
