//! Computes what a declaration would change: declared things, slots, and bookings that would lose what they depend on.
//! Writes nothing.

use super::catalogue::{Catalogue, document, kind};
use super::declaration::closure::Closures;
use super::declaration::warn::{Warning, warnings};
use super::declaration::{Consumer, Declaration, Schedule};
use super::generate::{london, london_date};
use super::reconcile::{self, Difference, Stranded, Target};
use crate::store::{
    BookingRow, DeclaredChange, DeclaredRow, SCHEDULE_KIND, ScheduleKey, SlotFilter, Store,
    StoreError, TenantKey, TenantRow,
};
use booking::count::counted;
use booking::ids::ServiceId;
use booking::slot::SlotStatus;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Most bookings of a schedule that are read and listed. A schedule with more of them ahead cannot change, since an unread
/// booking might lose what it depends on.
const MAX_BOOKINGS: usize = 100_000;

/// What happens to a declared thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    Create,
    /// It is different.
    Change,
    /// Only its position in the file differs.
    Move,
    /// It is not declared any more.
    Remove,
}

/// A key of a declared thing that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyChange {
    /// The key.
    pub key: String,
    /// Value before; null if there was none.
    pub from: Value,
    /// Value after; null if there is none.
    pub to: Value,
}

/// What happens to one declared thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ItemChange {
    /// What happens.
    pub action: Action,
    /// What it is, as in the file: `service`, `schedule`, ….
    pub kind: String,
    /// Its id.
    pub id: String,
    /// For a change, the keys that differ. For a new consumer, its version of the Standard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyChange>,
}

/// What happens to the slots of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotChange {
    /// The schedule.
    pub schedule: String,
    /// Slots made.
    pub add: u64,
    /// Slots taken out.
    pub remove: u64,
}

/// A live booking that would lose what it depends on. Names no patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Affected {
    /// Appointment id.
    pub appointment: String,
    /// Service that it was booked through.
    pub service: String,
    /// Schedule that its slot is in.
    pub schedule: String,
    /// Start.
    pub start: String,
    /// End.
    pub end: String,
    /// What it would lose.
    pub why: String,
    /// True when an earlier change took it, and the booking was kept.
    #[serde(skip_serializing_if = "is_false")]
    pub already: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The difference between a declaration and what is stored.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// The provider.
    pub ods: String,
    /// Its name.
    pub name: String,
    /// Declared things.
    pub items: Vec<ItemChange>,
    /// Schedules whose slots change.
    pub slots: Vec<SlotChange>,
    /// Bookings that the change affects.
    pub bookings: Vec<Affected>,
    /// Declared things without effect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    #[serde(skip)]
    pub(super) work: Work,
}

/// The writes that the plan needs.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// Catalogue version that the plan was made from.
    pub(super) expected: i64,
    /// Changes of the declared things.
    pub(super) changes: Vec<DeclaredChange>,
    /// Schedules to remove, with their free slots ahead.
    pub(super) doomed: Vec<(ScheduleKey, u64)>,
}

impl Plan {
    /// True when the declaration changes nothing.
    pub fn is_empty(&self) -> bool {
        self.work.changes.is_empty() && self.slots.is_empty()
    }

    /// The bookings that this change, not an earlier one, affects.
    pub fn newly_affected(&self) -> impl Iterator<Item = &Affected> {
        self.bookings.iter().filter(|b| !b.already)
    }

    /// Slots made in all.
    pub fn slots_added(&self) -> u64 {
        self.slots.iter().map(|s| s.add).sum()
    }

    /// Slots taken out in all.
    pub fn slots_removed(&self) -> u64 {
        self.slots.iter().map(|s| s.remove).sum()
    }

    /// Compares a declaration with what is stored.
    pub fn make(
        store: &Store,
        declaration: &Declaration,
        now: Timestamp,
    ) -> Result<Plan, StoreError> {
        let provider = &declaration.provider;
        let tenant = store.tenants()?.into_iter().find(|t| t.ods == provider.ods);
        let (version, rows) = match &tenant {
            Some(tenant) => store.tenant(tenant.key).declared()?,
            None => (0, Vec::new()),
        };
        let documents = documents(declaration)?;
        let (items, changes) = compare_items(&rows, &documents)?;
        let mut plan = Plan {
            ods: provider.ods.to_string(),
            name: provider.name.clone(),
            items,
            warnings: warnings(declaration, london_date(now)),
            work: Work {
                expected: version,
                changes,
                doomed: Vec::new(),
            },
            ..Plan::default()
        };
        plan.compare_slots(store, tenant.as_ref(), &rows, declaration, now)?;
        if let Some(tenant) = &tenant {
            plan.compare_removed(store, tenant, &rows, declaration, now)?;
        }
        if let Some(tenant) = tenant.as_ref().filter(|_| !plan.bookings.is_empty()) {
            plan.mark_already_affected(store, tenant, &rows, now)?;
        }
        plan.bookings
            .sort_by(|a, b| (&a.start, &a.appointment).cmp(&(&b.start, &b.appointment)));
        Ok(plan)
    }

    /// Compares the slots of declared schedules.
    fn compare_slots(
        &mut self,
        store: &Store,
        tenant: Option<&TenantRow>,
        rows: &[DeclaredRow],
        declaration: &Declaration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let target = Target::of_declaration(declaration, now);
        for schedule in &declaration.schedules {
            let row = rows
                .iter()
                .find(|r| r.kind == SCHEDULE_KIND && r.id == schedule.id);
            let place = tenant.zip(row.and_then(|r| r.schedule));
            let stored = match place {
                Some((tenant, key)) => reconcile::stored_from_today(store, tenant.key, key, now)?,
                None => Vec::new(),
            };
            let difference = reconcile::compare(&target, schedule.into(), &stored);
            self.note_slots(&schedule.id, &difference);
            if let Some((tenant, key)) = place {
                let bookings = bookings_ahead(store, tenant.key, key, now)?;
                self.note_bookings(declaration, schedule, &difference, &bookings);
            }
        }
        Ok(())
    }

    fn note_slots(&mut self, schedule: &str, difference: &Difference) {
        let (add, remove) = (
            difference.missing.len() as u64,
            difference.surplus.len() as u64,
        );
        if add + remove > 0 {
            self.slots.push(SlotChange {
                schedule: schedule.to_owned(),
                add,
                remove,
            });
        }
    }

    fn note_bookings(
        &mut self,
        declaration: &Declaration,
        schedule: &Schedule,
        difference: &Difference,
        bookings: &[BookingRow],
    ) {
        let closures = Closures::of(declaration);
        let stranded: HashMap<Uuid, &Stranded> =
            difference.stranded.iter().map(|s| (s.uuid, s)).collect();
        for booking in bookings {
            let why = if !declares(declaration, &booking.service) {
                format!("the service {} is not declared any more", booking.service)
            } else if !schedule.services.contains(&booking.service) {
                format!(
                    "the service {} does not book into this schedule any more",
                    booking.service
                )
            } else if let Some(closure) =
                closures.of_service(&booking.service, booking.slot.slot.start)
            {
                format!(
                    "the service {} is closed on that day, by the closure `{}`",
                    booking.service, closure.id
                )
            } else if let Some(closure) =
                closures.of_place(schedule.location.as_deref(), booking.slot.slot.start)
            {
                format!(
                    "its schedule is closed on that day, by the closure `{}`",
                    closure.id
                )
            } else if let Some(stranded) = stranded.get(&booking.slot.slot.uuid) {
                why_stranded(stranded)
            } else {
                continue;
            };
            self.bookings.push(affected(booking, &schedule.id, why));
        }
    }

    /// Marks bookings that the stored declaration already affects: an earlier change kept them.
    fn mark_already_affected(
        &mut self,
        store: &Store,
        tenant: &TenantRow,
        rows: &[DeclaredRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stored = Catalogue::build(tenant, rows)?;
        let declaration = &stored.declared;
        let target = Target::of_catalogue(&stored, now);
        let mut before = Plan::default();
        for schedule in &declaration.schedules {
            let Some(key) = stored.schedule(&schedule.id).map(|s| s.key) else {
                continue;
            };
            let slots = reconcile::stored_from_today(store, tenant.key, key, now)?;
            let difference = reconcile::compare(&target, schedule.into(), &slots);
            let bookings = bookings_ahead(store, tenant.key, key, now)?;
            before.note_bookings(declaration, schedule, &difference, &bookings);
        }
        let known: HashSet<&str> = before
            .bookings
            .iter()
            .map(|b| b.appointment.as_str())
            .collect();
        for booking in &mut self.bookings {
            booking.already = known.contains(booking.appointment.as_str());
        }
        Ok(())
    }

    /// Finds the slots and bookings of schedules that are no longer declared.
    fn compare_removed(
        &mut self,
        store: &Store,
        tenant: &TenantRow,
        rows: &[DeclaredRow],
        declaration: &Declaration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for row in rows.iter().filter(|r| r.kind == SCHEDULE_KIND) {
            let Some(key) = row.schedule else { continue };
            if declaration.schedules.iter().any(|s| s.id == row.id) {
                continue;
            }
            let filter = SlotFilter {
                schedules: vec![key],
                from: Some(now),
                status: Some(SlotStatus::Free),
                ..SlotFilter::default()
            };
            let counts = store.tenant(tenant.key).count_slots(&filter)?;
            let remove = counts.free + counts.held;
            if remove > 0 {
                self.work.doomed.push((key, remove));
                self.slots.push(SlotChange {
                    schedule: row.id.clone(),
                    add: 0,
                    remove,
                });
            }
            for booking in bookings_ahead(store, tenant.key, key, now)? {
                let why = match declares(declaration, &booking.service) {
                    false => format!(
                        "its schedule and its service {} are not declared any more",
                        booking.service
                    ),
                    true => "its schedule is not declared any more".to_owned(),
                };
                self.bookings.push(affected(&booking, &row.id, why));
            }
        }
        Ok(())
    }
}

/// All live bookings of a schedule.
fn bookings_ahead(
    store: &Store,
    tenant: TenantKey,
    schedule: ScheduleKey,
    now: Timestamp,
) -> Result<Vec<BookingRow>, StoreError> {
    let bookings = store
        .tenant(tenant)
        .live_bookings(&[schedule], now, MAX_BOOKINGS)?;
    match bookings.len() < MAX_BOOKINGS {
        true => Ok(bookings),
        false => Err(StoreError::Conflict {
            what: format!(
                "a schedule has {MAX_BOOKINGS} bookings ahead or more, which are too many to look at: nothing was changed"
            ),
        }),
    }
}

fn declares(declaration: &Declaration, service: &ServiceId) -> bool {
    declaration.services.iter().any(|s| s.id == *service)
}

/// Why a booked slot is surplus.
fn why_stranded(slot: &Stranded) -> String {
    match (slot.wanted, slot.alike) {
        (0, _) => "no clinic has a slot at this time any more".to_owned(),
        (_, 0) => "what is declared at this time is another slot: of another channel, or another imported one".to_owned(),
        (_, left) => format!(
            "only {} declared at this time now, and {} booked",
            counted(left, "slot is", "slots are"),
            counted(slot.taken, "is", "are")
        ),
    }
}

fn affected(booking: &BookingRow, schedule: &str, why: String) -> Affected {
    Affected {
        appointment: booking.id.to_string(),
        service: booking.service.to_string(),
        schedule: schedule.to_owned(),
        start: local(booking.slot.slot.start),
        end: local(booking.slot.slot.end),
        why,
        already: false,
    }
}

/// A moment in London time, with its offset, which distinguishes the two hours in autumn.
pub(super) fn local(at: Timestamp) -> String {
    let zoned = at.to_zoned(london().clone());
    // Imported slots may start within a minute.
    let shape = match (zoned.second(), zoned.subsec_nanosecond()) {
        (0, 0) => "%Y-%m-%dT%H:%M%:z",
        _ => "%Y-%m-%dT%H:%M:%S%.f%:z",
    };
    zoned.strftime(shape).to_string()
}

/// A declared thing to be stored: kind, id, position, document.
type Document = (&'static str, String, i64, String);

/// All things of a declaration as stored documents.
pub(super) fn documents(d: &Declaration) -> Result<Vec<Document>, StoreError> {
    let mut all = vec![(
        kind::PROVIDER,
        kind::PROVIDER.to_owned(),
        0,
        document(&d.provider)?,
    )];
    all.extend(of_kind(kind::ORGANIZATION, &d.organizations, |x| &x.id)?);
    all.extend(of_kind(kind::LOCATION, &d.locations, |x| &x.id)?);
    all.extend(of_kind(kind::PRACTITIONER, &d.practitioners, |x| &x.id)?);
    all.extend(of_kind(kind::ROLE, &d.roles, |x| &x.id)?);
    all.extend(of_kind(kind::RELEASE, &d.releases, |x| &x.id)?);
    all.extend(of_kind(kind::SERVICE, &d.services, |x| x.id.as_str())?);
    all.extend(of_kind(kind::SCHEDULE, &d.schedules, |x| &x.id)?);
    all.extend(of_kind(kind::TEMPLATE, &d.templates, |x| &x.id)?);
    all.extend(of_kind(kind::SESSION, &d.sessions, |x| &x.id)?);
    all.extend(of_kind(kind::CLOSURE, &d.closures, |x| &x.id)?);
    all.extend(of_kind(kind::CONSUMER, &d.consumers, Consumer::id)?);
    Ok(all)
}

fn of_kind<'d, T: Serialize, I: Into<String>>(
    kind: &'static str,
    things: &'d [T],
    id: impl Fn(&'d T) -> I,
) -> Result<Vec<Document>, StoreError> {
    let things = things.iter().zip(0_i64..);
    things
        .map(|(thing, position)| Ok((kind, id(thing).into(), position, document(thing)?)))
        .collect()
}

fn compare_items(
    rows: &[DeclaredRow],
    documents: &[Document],
) -> Result<(Vec<ItemChange>, Vec<DeclaredChange>), StoreError> {
    let stored: HashMap<(&str, &str), &DeclaredRow> = rows
        .iter()
        .map(|r| ((r.kind.as_str(), r.id.as_str()), r))
        .collect();
    let (mut items, mut changes) = (Vec::new(), Vec::new());
    for (kind, id, position, body) in documents {
        let (action, keys) = match stored.get(&(*kind, id.as_str())) {
            None => (Action::Create, told_of_new(body)?),
            Some(row) => match key_changes(&row.body, body)? {
                keys if !keys.is_empty() => (Action::Change, keys),
                _ if row.position != *position => (Action::Move, Vec::new()),
                _ => continue,
            },
        };
        items.push(ItemChange {
            action,
            kind: (*kind).to_owned(),
            id: id.clone(),
            keys,
        });
        let (kind, id) = ((*kind).to_owned(), id.clone());
        changes.push(DeclaredChange::Put {
            kind,
            id,
            position: *position,
            body: body.clone(),
        });
    }
    let wanted: HashSet<(&str, &str)> = documents
        .iter()
        .map(|(k, id, ..)| (*k, id.as_str()))
        .collect();
    for row in rows {
        let ours = kind::ALL.contains(&row.kind.as_str());
        if ours && !wanted.contains(&(row.kind.as_str(), row.id.as_str())) {
            let (kind, id) = (row.kind.clone(), row.id.clone());
            items.push(ItemChange {
                action: Action::Remove,
                kind: kind.clone(),
                id: id.clone(),
                keys: Vec::new(),
            });
            changes.push(DeclaredChange::Remove { kind, id });
        }
    }
    Ok((items, changes))
}

/// What the plan shows of a new thing besides its name: a consumer's older version of the Standard (VER-01).
fn told_of_new(body: &str) -> Result<Vec<KeyChange>, StoreError> {
    let mut keys = key_changes("{}", body)?;
    keys.retain(|change| change.key == "standard");
    Ok(keys)
}

fn key_changes(before: &str, after: &str) -> Result<Vec<KeyChange>, StoreError> {
    let read = |text: &str| -> Result<BTreeMap<String, Value>, StoreError> {
        serde_json::from_str(text).map_err(|e| {
            StoreError::unexpected(format!("a stored declaration cannot be read: {e}"))
        })
    };
    let (mut before, after) = (read(before)?, read(after)?);
    let mut changes = Vec::new();
    for (key, to) in after {
        let from = before.remove(&key).unwrap_or(Value::Null);
        if from != to {
            changes.push(KeyChange { key, from, to });
        }
    }
    changes.extend(before.into_iter().map(|(key, from)| KeyChange {
        key,
        from,
        to: Value::Null,
    }));
    Ok(changes)
}
