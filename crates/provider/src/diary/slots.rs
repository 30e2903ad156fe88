//! Lists, holds back, releases and removes slots in bulk for staff. Each change can be counted first.

use super::apply::catalogue_of;
use super::catalogue::Catalogue;
use super::declaration::check::IMPORTED;
use super::generate::{day_start, london};
use super::plan::local;
use crate::audit::AuditEntry;
use crate::store::{
    Channel, PlacedSlot, SlotChange, SlotCursor, SlotFilter, Store, StoreError, Tenant,
};
use booking::ids::{OdsCode, ServiceId};
use booking::nearest::nearest;
use booking::slot::SlotStatus;
use jiff::civil::Date;
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use std::fmt::Write;
use uuid::Uuid;

/// Slots per page of a list, some hundred kilobytes. The number of pages has no limit.
pub const PER_PAGE: usize = 5_000;

/// A selection of slots. All given criteria must hold. Without a schedule or service it covers all schedules.
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
    /// Only these slots.
    pub slots: Vec<Uuid>,
}

impl Selection {
    /// True when it selects the whole diary. A state alone narrows nothing: each change already looks for its own states.
    pub fn is_everything(&self) -> bool {
        self.schedules.is_empty()
            && self.service.is_none()
            && self.from.is_none()
            && self.to.is_none()
            && self.template.is_none()
            && self.slots.is_empty()
    }
}

/// Why a bulk change failed.
#[derive(Debug, thiserror::Error)]
pub enum SlotsError {
    /// The selection names something that is not there.
    #[error("{0}")]
    Selection(String),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A slot as staff see it. Names no patient.
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
    /// The closure that hides it: for the selected service, or for its whole diary.
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

/// The result of a change or dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// What.
    pub change: SlotChange,
    /// True when nothing was written.
    pub dry_run: bool,
    /// Slots changed.
    pub changed: u64,
    /// Selected slots that are taken. They keep their booking when held or released, and are never removed.
    pub taken: u64,
    /// Start of the first slot, London time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Start of the last slot, London time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// For a release: clinics declared `held`, and `imported` for such imported slots. Their slots are released only when
    /// the selection names the clinic or the slot.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stay_held: Vec<String>,
}

/// Pages of a selection's slots, by schedule, then start.
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
        let page = self.store.tenant(self.catalogue.tenant.key).slots_after(
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

/// Lists all slots of a selection.
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

/// Holds back, releases or removes the slots of a selection. With `dry_run` it only counts them.
pub async fn change(
    store: &Store,
    ods: &OdsCode,
    selection: &Selection,
    change: SlotChange,
    dry_run: bool,
    actor: &str,
    now: Timestamp,
) -> Result<Changed, SlotsError> {
    let catalogue = catalogue(store, ods)?;
    let tenant = store.tenant(catalogue.tenant.key);
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
    if change == SlotChange::Release && selection.template.is_none() && selection.slots.is_empty() {
        filter.other_than = declared_held(&catalogue);
        // Only the imported slot itself records that it is declared held.
        filter.but_held_first_of = Some(IMPORTED.to_owned());
    }
    let mut narrowed = filter.clone();
    let (action, contradicts) = match change {
        SlotChange::Hold => ("slots.hold", selection.held == Some(true)),
        SlotChange::Release => ("slots.release", selection.held == Some(false)),
        SlotChange::Remove => (
            "slots.remove",
            selection.status.is_some_and(|s| s != SlotStatus::Free),
        ),
    };
    match change {
        SlotChange::Hold => narrowed.held = Some(false),
        SlotChange::Release => narrowed.held = Some(true),
        SlotChange::Remove => {}
    }
    if contradicts {
        return Ok(done);
    }
    let counts = tenant.count_slots(&narrowed)?;
    done.taken = counts.busy + counts.other;
    done.changed = match change {
        SlotChange::Remove => counts.free + counts.held,
        SlotChange::Hold | SlotChange::Release => counts.free + counts.held + done.taken,
    };
    done.stay_held = still_held(tenant, &filter)?;
    let mut touched = narrowed;
    if change == SlotChange::Remove {
        touched.status = Some(SlotStatus::Free);
    }
    if let Some((first, last)) = tenant.slot_span(&touched)? {
        (done.first, done.last) = (Some(local(first)), Some(local(last)));
    }
    if dry_run {
        return Ok(done);
    }
    let entry = AuditEntry {
        detail: Some(described(selection)),
        ..AuditEntry::local(now, action, actor)
    };
    done.changed = tenant.change_slots(change, filter, now, &entry).await?;
    Ok(done)
}

/// Clinics declared `held`.
fn declared_held(catalogue: &Catalogue) -> Vec<String> {
    let templates = catalogue.declared.templates.iter().filter(|t| t.held);
    let sessions = catalogue.declared.sessions.iter().filter(|s| s.held);
    templates
        .map(|t| t.id.clone())
        .chain(sessions.map(|s| s.id.clone()))
        .collect()
}

/// Of the clinics that a filter skips, those with held slots in its range.
fn still_held(tenant: Tenant<'_>, filter: &SlotFilter) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for id in &filter.other_than {
        let of_clinic = SlotFilter {
            template: Some(id.clone()),
            held: Some(true),
            other_than: Vec::new(),
            ..filter.clone()
        };
        if tenant.slot_span(&of_clinic)?.is_some() {
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
        if tenant.count_slots(&all)? != tenant.count_slots(&released)? {
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

/// Turns the selection into a filter for the store. Everything that it names must exist, so that a typing error changes
/// nothing.
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
        if store
            .tenant(catalogue.tenant.key)
            .slot_span(&only)?
            .is_none()
        {
            return Err(SlotsError::Selection(format!("there is no slot `{id}`")));
        }
    }
    let Some(id) = &selection.template else {
        return Ok(filter);
    };
    let templates = catalogue.declared.templates.iter().map(|t| t.id.as_str());
    let sessions = catalogue.declared.sessions.iter().map(|s| s.id.as_str());
    let known: Vec<&str> = templates.chain(sessions).chain([IMPORTED]).collect();
    // A removed clinic may have left booked slots behind.
    let left_behind = SlotFilter {
        schedules: catalogue.schedules.iter().map(|s| s.key).collect(),
        template: Some(id.clone()),
        ..SlotFilter::default()
    };
    if !known.contains(&id.as_str())
        && store
            .tenant(catalogue.tenant.key)
            .slot_span(&left_behind)?
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
        let known: Vec<&str> = catalogue
            .declared
            .services
            .iter()
            .map(|s| s.id.as_str())
            .collect();
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

/// Renders pages as one table for people, with a heading for each schedule and day.
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

/// Start and end of a slot as wall time, with the time zone in the repeated hour of October and across a clock change.
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
            // The half hour across the clock change in spring.
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
