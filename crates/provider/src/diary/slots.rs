//! Slots in bulk for the staff: listed, held back, released, taken out; each with a count beforehand.

use super::apply::catalogue_of;
use super::catalogue::Catalogue;
use super::generate::day_start;
use super::plan::local;
use crate::audit::AuditEntry;
use crate::store::{Channel, PlacedSlot, SlotCounts, SlotFilter, Store, StoreError};
use crate::toml_error::nearest;
use booking::ids::{OdsCode, ServiceId};
use booking::slot::SlotStatus;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use std::fmt::Write;
use uuid::Uuid;

/// Most slots in one list: what a person can look at, and a table of a few hundred kilobytes.
pub const MAX_LISTED: usize = 5_000;

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
    fn of(placed: &PlacedSlot) -> SlotLine {
        let slot = &placed.slot;
        SlotLine {
            slot: slot.uuid.as_hyphenated().to_string(),
            schedule: placed.schedule_id.clone(),
            start: local(slot.start),
            end: local(slot.end),
            status: slot.status.code().to_owned(),
            held: slot.held,
            channel: slot.channel.map(Channel::code),
            template: slot.template.as_deref().map(str::to_owned),
            appointment: placed.booking.as_ref().map(|id| id.to_string()),
        }
    }
}

/// What a change did, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
}

/// The slots of a selection, by schedule, then start; at most `limit`.
pub fn list(
    store: &Store,
    ods: &OdsCode,
    selection: &Selection,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<SlotLine>, SlotsError> {
    let catalogue = catalogue(store, ods)?;
    let filter = resolve(&catalogue, selection, now).map_err(SlotsError::Selection)?;
    let slots = store.slots(catalogue.tenant.key, &filter, limit.min(MAX_LISTED))?;
    Ok(slots.iter().map(SlotLine::of).collect())
}

/// How many slots of a selection are in which state.
pub fn count(
    store: &Store,
    ods: &OdsCode,
    selection: &Selection,
    now: Timestamp,
) -> Result<SlotCounts, SlotsError> {
    let catalogue = catalogue(store, ods)?;
    let filter = resolve(&catalogue, selection, now).map_err(SlotsError::Selection)?;
    Ok(store.count_slots(catalogue.tenant.key, &filter)?)
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
    let filter = resolve(&catalogue, selection, now).map_err(SlotsError::Selection)?;
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
    let counts = match contradicts {
        true => SlotCounts::default(),
        false => store.count_slots(tenant, &narrowed)?,
    };
    let taken = counts.busy + counts.other;
    let free = counts.free + counts.held;
    if dry_run || contradicts {
        let changed = if change == Change::Remove {
            free
        } else {
            free + taken
        };
        return Ok(Changed {
            change,
            dry_run,
            changed,
            taken,
        });
    }
    let entry = AuditEntry {
        detail: Some(described(selection)),
        ..AuditEntry::local(now, action, actor)
    };
    let changed = match change {
        Change::Hold => store.hold_slots(tenant, filter, now, &entry).await?,
        Change::Release => store.release_slots(tenant, filter, now, &entry).await?,
        Change::Remove => store.remove_slots(tenant, filter, now, &entry).await?,
    };
    Ok(Changed {
        change,
        dry_run,
        changed,
        taken,
    })
}

fn catalogue(store: &Store, ods: &OdsCode) -> Result<Catalogue, SlotsError> {
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
fn resolve(
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

/// A list as a table for people, under a heading for each schedule and day.
pub fn table(lines: &[SlotLine]) -> String {
    let mut out = String::new();
    let mut under = String::new();
    for line in lines {
        let heading = format!("{} {}", line.schedule, line.start.get(..10).unwrap_or(""));
        // Writing into a String cannot fail.
        if under != heading {
            let _ = writeln!(out, "{heading}");
            under = heading;
        }
        let state = match (line.status.as_str(), line.held) {
            ("free", true) => "held",
            (status, _) => status,
        };
        let _ = writeln!(
            out,
            "  {}-{}  {state:<10} {:<10} {:<24} {}  {}",
            line.start.get(11..16).unwrap_or(""),
            line.end.get(11..16).unwrap_or(""),
            line.channel.unwrap_or("-"),
            line.template.as_deref().unwrap_or("-"),
            line.slot,
            line.appointment.as_deref().unwrap_or(""),
        );
    }
    out
}
