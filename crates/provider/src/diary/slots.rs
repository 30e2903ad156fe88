//! Slots in bulk for the staff: listed, held back, released, taken out; each with a count beforehand.

use super::apply::catalogue_of;
use super::catalogue::Catalogue;
use super::declaration::check::IMPORTED;
use super::generate::{day_start, london};
use super::plan::local;
use crate::audit::AuditEntry;
use crate::store::{Channel, PlacedSlot, SlotCursor, SlotFilter, Store, StoreError, TenantKey};
use crate::toml_error::nearest;
use booking::ids::{OdsCode, ServiceId};
use booking::slot::SlotStatus;
use jiff::civil::Date;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use std::fmt::Write;
use uuid::Uuid;

/// Slots that one page of a list has: a table of a few hundred kilobytes. A list has as many pages as it takes.
pub const PER_PAGE: usize = 5_000;

/// Which slots. Every criterion that is given must hold; without a schedule or service, all schedules.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// In these schedules.
    pub schedules: Vec<String>,
    /// In the schedules of this service.
    pub service: Option<ServiceId>,
    /// From this London day on; without it, from now on.
    pub from: Option<Date>,
    /// Up to and including this London day.
    pub to: Option<Date>,
    /// Made from this template or session.
    pub template: Option<String>,
    /// In this state.
    pub status: Option<SlotStatus>,
    /// Held back, or not.
    pub held: Option<bool>,
    /// These.
    pub slots: Vec<Uuid>,
}

impl Selection {
    /// True when it takes the whole diary: a state alone narrows nothing, since that is what a change looks for anyway.
    pub fn is_everything(&self) -> bool {
        self.schedules.is_empty()
            && self.service.is_none()
            && self.from.is_none()
            && self.to.is_none()
            && self.template.is_none()
            && self.slots.is_empty()
    }
}

/// What is done to slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Hold back from consumers. Bookings stay.
    Hold,
    /// Release to consumers.
    Release,
    /// Take free slots out of the diary. Those that a template asks for come back with the next topping up.
    Remove,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum SlotsError {
    /// The selection names something that is not there.
    #[error("{0}")]
    Selection(String),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A slot as staff see it. No patient is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotLine {
    /// Id.
    pub slot: String,
    /// Schedule.
    pub schedule: String,
    /// Start in London, with offset.
    pub start: String,
    /// End.
    pub end: String,
    /// State: `free`, `busy`, ….
    pub status: String,
    /// Held back.
    pub held: bool,
    /// The closure by which nobody is offered it: for the service that was asked for, or for all of its diary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// `In-person`, `Telephone`, `Video`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'static str>,
    /// Template or session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The live booking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment: Option<String>,
}

impl SlotLine {
    fn of(placed: &PlacedSlot, catalogue: &Catalogue, service: Option<&ServiceId>) -> SlotLine {
        let slot = &placed.slot;
        let closure = catalogue
            .schedule_of_key(placed.schedule)
            .and_then(|diary| {
                let services = service.map_or(&diary.services[..], std::slice::from_ref);
                let closures = catalogue.closures();
                closures.of_diary(services, diary.location.as_deref(), slot.start)
            });
        SlotLine {
            slot: slot.uuid.as_hyphenated().to_string(),
            schedule: placed.schedule_id.clone(),
            start: local(slot.start),
            end: local(slot.end),
            status: slot.status.code().to_owned(),
            held: slot.held,
            closed_by: closure.map(|c| c.id.clone()),
            channel: slot.channel.map(Channel::code),
            template: slot.template.as_deref().map(str::to_owned),
            appointment: placed.booking.as_ref().map(|id| id.to_string()),
        }
    }
}

/// What a change did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// What.
    pub change: Change,
    /// Nothing was written.
    pub dry_run: bool,
    /// Slots changed.
    pub changed: u64,
    /// Selected slots that are booked or otherwise taken. Held or released, they keep their booking; they are never
    /// taken out.
    pub taken: u64,
    /// When the first of the slots begins, in London.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// When the last one begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// For a release: clinics that are declared `held`, and `imported` for imported slots that are. Their slots are
    /// released only where the clinic or the slot itself is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stay_held: Vec<String>,
}

/// The slots of a selection, by schedule, then start, page by page.
pub struct Pages<'s> {
    store: &'s Store,
    catalogue: Catalogue,
    service: Option<ServiceId>,
    filter: SlotFilter,
    after: Option<SlotCursor>,
    ended: bool,
}

impl Iterator for Pages<'_> {
    type Item = Result<Vec<SlotLine>, SlotsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let page = self.store.slots_after(
            self.catalogue.tenant.key,
            &self.filter,
            self.after,
            PER_PAGE,
        );
        let (slots, next) = match page {
            Ok(page) => page,
            Err(error) => {
                self.ended = true;
                return Some(Err(error.into()));
            }
        };
        (self.after, self.ended) = (next, next.is_none());
        let line = |slot| SlotLine::of(slot, &self.catalogue, self.service.as_ref());
        Some(Ok(slots.iter().map(line).collect()))
    }
}

/// Lists the slots of a selection, all of them.
pub fn pages<'s>(
    store: &'s Store,
    ods: &OdsCode,
    selection: &Selection,
    now: Timestamp,
) -> Result<Pages<'s>, SlotsError> {
    let catalogue = catalogue(store, ods)?;
    let filter = resolve(store, &catalogue, selection, now)?;
    Ok(Pages {
        store,
        catalogue,
        service: selection.service.clone(),
        filter,
        after: None,
        ended: false,
    })
}

/// Holds back, releases or takes out the slots of a selection; with `dry_run`, only counts them.
pub async fn change(
    store: &Store,
    ods: &OdsCode,
    selection: &Selection,
    change: Change,
    dry_run: bool,
    actor: &str,
    now: Timestamp,
) -> Result<Changed, SlotsError> {
    let catalogue = catalogue(store, ods)?;
    let tenant = catalogue.tenant.key;
    let mut filter = resolve(store, &catalogue, selection, now)?;
    let mut done = Changed {
        change,
        dry_run,
        changed: 0,
        taken: 0,
        first: None,
        last: None,
        stay_held: Vec::new(),
    };
    if change == Change::Release && selection.template.is_none() && selection.slots.is_empty() {
        filter.other_than = declared_held(&catalogue);
        // What an import declares stands in its slots alone: held from the start.
        filter.but_held_first_of = Some(IMPORTED.to_owned());
    }
    let mut narrowed = filter.clone();
    let (action, contradicts) = match change {
        Change::Hold => ("slots.hold", selection.held == Some(true)),
        Change::Release => ("slots.release", selection.held == Some(false)),
        Change::Remove => (
            "slots.remove",
            selection.status.is_some_and(|s| s != SlotStatus::Free),
        ),
    };
    match change {
        Change::Hold => narrowed.held = Some(false),
        Change::Release => narrowed.held = Some(true),
        Change::Remove => {}
    }
    if contradicts {
        return Ok(done);
    }
    let counts = store.count_slots(tenant, &narrowed)?;
    done.taken = counts.busy + counts.other;
    done.changed = match change {
        Change::Remove => counts.free + counts.held,
        Change::Hold | Change::Release => counts.free + counts.held + done.taken,
    };
    done.stay_held = still_held(store, tenant, &filter)?;
    let mut touched = narrowed;
    if change == Change::Remove {
        touched.status = Some(SlotStatus::Free);
    }
    if let Some((first, last)) = store.slot_span(tenant, &touched)? {
        (done.first, done.last) = (Some(local(first)), Some(local(last)));
    }
    if dry_run {
        return Ok(done);
    }
    let entry = AuditEntry {
        detail: Some(described(selection)),
        ..AuditEntry::local(now, action, actor)
    };
    done.changed = match change {
        Change::Hold => store.hold_slots(tenant, filter, now, &entry).await?,
        Change::Release => store.release_slots(tenant, filter, now, &entry).await?,
        Change::Remove => store.remove_slots(tenant, filter, now, &entry).await?,
    };
    Ok(done)
}

/// Clinics whose slots begin held back by declaration.
fn declared_held(catalogue: &Catalogue) -> Vec<String> {
    let templates = catalogue.templates.iter().filter(|t| t.held);
    let sessions = catalogue.sessions.iter().filter(|s| s.held);
    templates
        .map(|t| t.id.clone())
        .chain(sessions.map(|s| s.id.clone()))
        .collect()
}

/// Those of the clinics that a filter passes over which have held slots where it looks.
fn still_held(
    store: &Store,
    tenant: TenantKey,
    filter: &SlotFilter,
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for id in &filter.other_than {
        let of_clinic = SlotFilter {
            template: Some(id.clone()),
            held: Some(true),
            other_than: Vec::new(),
            ..filter.clone()
        };
        if store.slot_span(tenant, &of_clinic)?.is_some() {
            found.push(id.clone());
        }
    }
    if filter.but_held_first_of.is_some() {
        let released = SlotFilter {
            template: filter.but_held_first_of.clone(),
            held: Some(true),
            ..filter.clone()
        };
        let all = SlotFilter {
            but_held_first_of: None,
            ..released.clone()
        };
        if store.count_slots(tenant, &all)? != store.count_slots(tenant, &released)? {
            found.push(IMPORTED.to_owned());
        }
    }
    Ok(found)
}

pub(super) fn catalogue(store: &Store, ods: &OdsCode) -> Result<Catalogue, SlotsError> {
    let tenants = store.tenants()?;
    match tenants.iter().find(|t| t.ods == *ods) {
        Some(tenant) => Ok(catalogue_of(store, tenant.key)?.1),
        None => {
            let known: Vec<&str> = tenants.iter().map(|t| t.ods.as_str()).collect();
            Err(SlotsError::Selection(unknown(
                "provider",
                ods.as_str(),
                &known,
            )))
        }
    }
}

fn unknown(kind: &str, id: &str, known: &[&str]) -> String {
    match nearest(id, known.iter().copied()) {
        Some(near) => format!("there is no {kind} `{id}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {kind} `{id}`: none is declared"),
        None => format!("there is no {kind} `{id}`"),
    }
}

/// The selection as the store understands it. What it names must be there, so that a slip changes nothing.
pub(super) fn resolve(
    store: &Store,
    catalogue: &Catalogue,
    selection: &Selection,
    now: Timestamp,
) -> Result<SlotFilter, SlotsError> {
    let filter = filter(catalogue, selection, now).map_err(SlotsError::Selection)?;
    for id in &selection.slots {
        let only = SlotFilter {
            schedules: catalogue.schedules.iter().map(|s| s.key).collect(),
            slots: vec![*id],
            ..SlotFilter::default()
        };
        if store.slot_span(catalogue.tenant.key, &only)?.is_none() {
            return Err(SlotsError::Selection(format!("there is no slot `{id}`")));
        }
    }
    let Some(id) = &selection.template else {
        return Ok(filter);
    };
    let templates = catalogue.templates.iter().map(|t| t.id.as_str());
    let sessions = catalogue.sessions.iter().map(|s| s.id.as_str());
    let known: Vec<&str> = templates.chain(sessions).chain([IMPORTED]).collect();
    // A clinic that is not declared any more may have left booked slots behind.
    let left_behind = SlotFilter {
        schedules: catalogue.schedules.iter().map(|s| s.key).collect(),
        template: Some(id.clone()),
        ..SlotFilter::default()
    };
    if !known.contains(&id.as_str())
        && store
            .slot_span(catalogue.tenant.key, &left_behind)?
            .is_none()
    {
        let message = unknown("template or session", id, &known);
        return Err(SlotsError::Selection(message));
    }
    Ok(filter)
}

fn filter(
    catalogue: &Catalogue,
    selection: &Selection,
    now: Timestamp,
) -> Result<SlotFilter, String> {
    let ids: Vec<&str> = catalogue.schedules.iter().map(|s| s.id.as_str()).collect();
    if let Some(id) = selection
        .schedules
        .iter()
        .find(|id| !ids.contains(&id.as_str()))
    {
        return Err(unknown("schedule", id, &ids));
    }
    if let Some(id) = &selection.service
        && catalogue.service(id).is_none()
    {
        let known: Vec<&str> = catalogue.services.iter().map(|s| s.id.as_str()).collect();
        return Err(unknown("service", id.as_str(), &known));
    }
    if let (Some(from), Some(to)) = (selection.from, selection.to)
        && to < from
    {
        return Err(format!("the last day, {to}, is before the first, {from}"));
    }
    let named = |id: &String| selection.schedules.is_empty() || selection.schedules.contains(id);
    let serves = |services: &[ServiceId]| {
        selection
            .service
            .as_ref()
            .is_none_or(|s| services.contains(s))
    };
    let end = |day: Date| day.tomorrow().map(day_start).unwrap_or(Timestamp::MAX);
    Ok(SlotFilter {
        schedules: catalogue
            .schedules
            .iter()
            .filter(|s| named(&s.id) && serves(&s.services))
            .map(|s| s.key)
            .collect(),
        from: Some(selection.from.map_or(now, day_start)),
        to: selection.to.map(end),
        template: selection.template.clone(),
        other_than: Vec::new(),
        but_held_first_of: None,
        status: selection.status,
        held: selection.held,
        slots: selection.slots.clone(),
    })
}

/// The selection in words, for the audit trail.
fn described(selection: &Selection) -> String {
    let mut words = Vec::new();
    let mut add = |name: &str, value: String| words.push(format!("{name} {value}"));
    if !selection.schedules.is_empty() {
        add("schedules", selection.schedules.join(", "));
    }
    if let Some(service) = &selection.service {
        add("service", service.to_string());
    }
    if let Some(from) = selection.from {
        add("from", from.to_string());
    }
    if let Some(to) = selection.to {
        add("to", to.to_string());
    }
    if let Some(template) = &selection.template {
        add("template", template.clone());
    }
    if let Some(status) = selection.status {
        add("status", status.to_string());
    }
    if !selection.slots.is_empty() {
        add("named slots", selection.slots.len().to_string());
    }
    match words.is_empty() {
        true => "all schedules".to_owned(),
        false => words.join("; "),
    }
}

/// A list as a table for people, under a heading for each schedule and day; pages follow on one another.
#[derive(Debug, Default)]
pub struct Table {
    under: String,
}

impl Table {
    /// The lines of the next page.
    pub fn rows(&mut self, lines: &[SlotLine]) -> String {
        let mut out = String::new();
        for line in lines {
            let heading = format!("{} {}", line.schedule, line.start.get(..10).unwrap_or(""));
            // Writing into a String cannot fail.
            if self.under != heading {
                let _ = writeln!(out, "{heading}");
                self.under = heading;
            }
            let state = match (line.status.as_str(), line.held, &line.closed_by) {
                ("free", _, Some(_)) => "closed",
                ("free", true, None) => "held",
                (status, ..) => status,
            };
            let _ = writeln!(
                out,
                "  {}  {state:<10} {:<10} {:<24} {}  {}",
                hours(&line.start, &line.end),
                line.channel.unwrap_or("-"),
                line.template.as_deref().unwrap_or("-"),
                line.slot,
                line.appointment.as_deref().unwrap_or(""),
            );
        }
        out
    }
}

/// Start and end of a slot as the clock shows them. In the hour that October has twice, and over a change of the clock,
/// they name the zone.
fn hours(start: &str, end: &str) -> String {
    let read = |text: &str| {
        text.parse::<Timestamp>()
            .ok()
            .map(|at| at.to_zoned(london().clone()))
    };
    let (Some(start), Some(end)) = (read(start), read(end)) else {
        return String::new();
    };
    let changes = start.offset() != end.offset();
    let clock = |at: &Zoned| {
        let seconds = match (at.second(), at.subsec_nanosecond()) {
            (0, 0) => "",
            _ => ":%S%.f",
        };
        let is_twice = london()
            .to_ambiguous_timestamp(at.datetime())
            .is_ambiguous();
        let zone = if changes || is_twice { " %Z" } else { "" };
        at.strftime(&format!("%H:%M{seconds}{zone}")).to_string()
    };
    format!("{}-{}", clock(&start), clock(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_the_clock_leaves_open_have_names() {
        let shown = |day: &str, start: &str, end: &str| {
            hours(&format!("{day}T{start}"), &format!("{day}T{end}"))
        };
        for (day, start, end, said) in [
            (
                "2031-10-26",
                "01:30+01:00",
                "01:50+01:00",
                "01:30 BST-01:50 BST",
            ),
            (
                "2031-10-26",
                "01:30+00:00",
                "02:00+00:00",
                "01:30 GMT-02:00",
            ),
            ("2031-10-26", "00:30+01:00", "00:50+01:00", "00:30-00:50"),
            ("2031-07-04", "09:00+01:00", "09:10+01:00", "09:00-09:10"),
            // Half an hour, in spring.
            (
                "2031-03-30",
                "00:30+00:00",
                "02:00+01:00",
                "00:30 GMT-02:00 BST",
            ),
            (
                "2031-07-04",
                "02:10:30.5+01:00",
                "02:20+01:00",
                "02:10:30.5-02:20",
            ),
        ] {
            assert_eq!(shown(day, start, end), said);
        }
    }

    #[test]
    fn a_moment_within_a_minute_keeps_its_seconds() {
        for text in ["2031-07-04T02:10:30.5+01:00", "2031-07-04T02:10+01:00"] {
            assert_eq!(local(text.parse().unwrap_or(Timestamp::MAX)), text);
        }
    }
}
