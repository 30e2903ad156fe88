//! Slots in bulk: made, removed, held back, released, listed. A batch is one job, so that bookings get their turn
//! between two batches.

use super::book::bump_day;
use super::fault::is_unique;
use super::group::Group;
use super::read::{self, Labels, millis, moment};
use crate::audit::AuditEntry;
use crate::store::SLOTS_PER_JOB;
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{
    Inserted, NewSlot, PlacedSlot, ScheduleKey, SlotCounts, SlotFilter, SlotKey, TenantKey, utc_day,
};
use booking::slot::SlotStatus;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, ToSql, params};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A bulk change of slots that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Change {
    /// Hold back.
    Hold,
    /// Release, which publishes those that never were.
    Release,
    /// Take out of the diary.
    Remove,
}

/// Where a bulk change has got to: the schedule's place in the filter, then start and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Cursor {
    schedule: usize,
    start: i64,
    key: i64,
}

impl Cursor {
    /// Before everything.
    pub(in crate::store) const START: Cursor = Cursor {
        schedule: 0,
        start: i64::MIN,
        key: 0,
    };
}

/// What one batch did.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Batch {
    /// Slots changed.
    pub(in crate::store) changed: u64,
    /// Where the next batch begins; `None` when this was the last.
    pub(in crate::store) next: Option<Cursor>,
}

/// Days whose versions change.
#[derive(Default)]
struct Days(BTreeSet<(i64, i32)>);

impl Days {
    fn touch(&mut self, schedule: i64, start: Timestamp) {
        self.0.insert((schedule, utc_day(start)));
    }

    fn bump(&self, c: &Connection, tenant: TenantKey) -> Result<(), StoreError> {
        self.0
            .iter()
            .try_for_each(|(schedule, day)| bump_day(c, tenant, *schedule, *day))
    }
}

fn label(
    c: &Connection,
    tenant: TenantKey,
    text: Option<&Arc<str>>,
    known: &mut HashMap<Arc<str>, i64>,
) -> Result<Option<i64>, StoreError> {
    let Some(text) = text else { return Ok(None) };
    if let Some(key) = known.get(text) {
        return Ok(Some(*key));
    }
    c.prepare_cached("INSERT INTO label (tenant, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![tenant.0, text.as_ref()])?;
    let key = c
        .prepare_cached("SELECT key FROM label WHERE tenant = ?1 AND text = ?2")?
        .query_row(params![tenant.0, text.as_ref()], |r| r.get(0))?;
    known.insert(text.clone(), key);
    Ok(Some(key))
}

/// Makes a batch of slots; those that the schedule already has are left alone.
pub(super) fn insert(
    group: &mut Group<'_>,
    tenant: TenantKey,
    slots: &[NewSlot],
    at: Timestamp,
    entry: &AuditEntry,
) -> Result<Inserted, WriteError> {
    group.attempt(|group| {
        let c = group.connection;
        let (mut made, mut labels, mut days) = (0, HashMap::new(), Days::default());
        let mut schedules = BTreeSet::new();
        for slot in slots {
            if schedules.insert(slot.schedule) {
                check_schedule(c, tenant, slot.schedule)?;
            }
            let template = label(c, tenant, slot.template.as_ref(), &mut labels)?;
            let release = label(c, tenant, slot.release.as_ref(), &mut labels)?;
            let inserted = c
                .prepare_cached(
                    "INSERT INTO slot (tenant, schedule, start, finish, uuid, status, held, channel, template, release,
                       published_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT (tenant, schedule, start, finish) DO NOTHING",
                )?
                .execute(params![
                    tenant.0,
                    slot.schedule.0,
                    millis(slot.start),
                    millis(slot.end),
                    slot.uuid.as_bytes(),
                    slot.held,
                    slot.channel.map(|c| c as u8),
                    template,
                    release,
                    (!slot.held).then(|| millis(at)),
                ])
.map_err(|error| same_id(error, slot))?;
            if inserted > 0 {
                made += 1;
                days.touch(slot.schedule.0, slot.start);
            }
        }
        days.bump(c, tenant)?;
        if made > 0 {
            record(group, tenant, entry, &format!("{made} slots made"))?;
        }
        Ok(Inserted { made, existing: slots.len() as u64 - made })
    })
}

/// Says which id of an import is taken.
fn same_id(error: rusqlite::Error, slot: &NewSlot) -> StoreError {
    match is_unique(&error) {
        true => StoreError::Conflict {
            what: format!(
                "the slot id {} belongs to another slot: give each slot an id of its own",
                slot.uuid
            ),
        },
        false => error.into(),
    }
}

fn check_schedule(
    c: &Connection,
    tenant: TenantKey,
    schedule: ScheduleKey,
) -> Result<(), StoreError> {
    let found: Option<i64> = c
        .prepare_cached("SELECT key FROM schedule WHERE key = ?1 AND tenant = ?2")?
        .query_row(params![schedule.0, tenant.0], |r| r.get(0))
        .optional()?;
    match found {
        Some(_) => Ok(()),
        None => Err(StoreError::unexpected(format!(
            "the tenant has no schedule {}",
            schedule.0
        ))),
    }
}

fn record(
    group: &mut Group<'_>,
    tenant: TenantKey,
    entry: &AuditEntry,
    what: &str,
) -> Result<(), StoreError> {
    let mut entry = entry.clone();
    entry.detail = Some(match entry.detail.take() {
        Some(said) => format!("{said}; {what}"),
        None => what.to_owned(),
    });
    group.append_audit(tenant, &entry.body())
}

/// The conditions of a filter after those on tenant, schedule and place, with their values.
fn conditions(filter: &SlotFilter) -> (String, Vec<Box<dyn ToSql>>) {
    let (mut sql, mut values) = (String::new(), Vec::<Box<dyn ToSql>>::new());
    let mut add = |condition: &str, value: Box<dyn ToSql>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(from) = filter.from {
        add("s.start >= ?", Box::new(millis(from)));
    }
    if let Some(to) = filter.to {
        add("s.start < ?", Box::new(millis(to)));
    }
    if let Some(template) = &filter.template {
        let condition =
            "s.template IN (SELECT l.key FROM label l WHERE l.tenant = s.tenant AND l.text = ?)";
        add(condition, Box::new(template.clone()));
    }
    if let Some(status) = filter.status {
        add("s.status = ?", Box::new(status.number()));
    }
    if let Some(held) = filter.held {
        add("s.held = ?", Box::new(held));
    }
    if !filter.slots.is_empty() {
        let marks = vec!["?"; filter.slots.len()].join(", ");
        sql.push_str(&format!(" AND s.uuid IN ({marks})"));
        values.extend(
            filter
                .slots
                .iter()
                .map(|uuid| Box::new(*uuid.as_bytes()) as Box<dyn ToSql>),
        );
    }
    (sql, values)
}

/// Refuses filters that no statement can hold.
pub(in crate::store) fn check_filter(filter: &SlotFilter) -> Result<(), StoreError> {
    match filter.slots.len() > SLOTS_PER_JOB {
        true => Err(StoreError::Conflict {
            what: format!(
                "at most {SLOTS_PER_JOB} slots can be named at once; {} were",
                filter.slots.len()
            ),
        }),
        false => Ok(()),
    }
}

/// The slots of a filter from a place on, at most `limit`, and the place after them.
fn page(
    c: &Connection,
    tenant: TenantKey,
    filter: &SlotFilter,
    from: Cursor,
    limit: usize,
) -> Result<(Vec<PlacedSlot>, Option<Cursor>), StoreError> {
    let (extra, values) = conditions(filter);
    let mut statement = c.prepare_cached(&format!(
        "SELECT {} FROM {} WHERE s.tenant = ? AND s.schedule = ? AND (s.start, s.key) > (?, ?){extra}
         ORDER BY s.start, s.key LIMIT ?",
        read::PLACED_COLUMNS,
        read::PLACED_FROM,
    ))?;
    let (mut found, mut labels, mut place) = (Vec::new(), Labels::new(c), from);
    while let Some(schedule) = filter.schedules.get(place.schedule) {
        let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
        let mut all: Vec<&dyn ToSql> = vec![&tenant.0, &schedule.0, &place.start, &place.key];
        all.extend(values.iter().map(|v| v.as_ref()));
        all.push(&left);
        let mut rows = statement.query(all.as_slice())?;
        let mut n = 0;
        let mut last = (place.start, place.key);
        while let Some(row) = rows.next()? {
            let slot = read::placed_slot(row, &mut labels)?;
            last = (millis(slot.slot.start), slot.slot.key.0);
            found.push(slot);
            n += 1;
        }
        if n == left {
            return Ok((
                found,
                Some(Cursor {
                    schedule: place.schedule,
                    start: last.0,
                    key: last.1,
                }),
            ));
        }
        place = Cursor {
            schedule: place.schedule + 1,
            ..Cursor::START
        };
    }
    Ok((found, None))
}

/// Lists slots by schedule as asked for, then by start.
pub(in crate::store) fn list(
    c: &Connection,
    tenant: TenantKey,
    filter: &SlotFilter,
    limit: usize,
) -> Result<Vec<PlacedSlot>, StoreError> {
    check_filter(filter)?;
    if limit == 0 {
        return Ok(Vec::new());
    }
    page(c, tenant, filter, Cursor::START, limit).map(|(slots, _)| slots)
}

/// Counts the slots of a filter.
pub(in crate::store) fn count(
    c: &Connection,
    tenant: TenantKey,
    filter: &SlotFilter,
) -> Result<SlotCounts, StoreError> {
    check_filter(filter)?;
    let (extra, values) = conditions(filter);
    let mut statement = c.prepare_cached(&format!(
        "SELECT s.status, s.held, count(*) FROM slot s WHERE s.tenant = ? AND s.schedule = ?{extra}
         GROUP BY s.status, s.held"
    ))?;
    let mut counts = SlotCounts::default();
    for schedule in &filter.schedules {
        let mut all: Vec<&dyn ToSql> = vec![&tenant.0, &schedule.0];
        all.extend(values.iter().map(|v| v.as_ref()));
        let mut rows = statement.query(all.as_slice())?;
        while let Some(row) = rows.next()? {
            let (status, held, n): (u8, bool, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let counted = match (SlotStatus::from_number(status), held) {
                (Some(SlotStatus::Free), false) => &mut counts.free,
                (Some(SlotStatus::Free), true) => &mut counts.held,
                (Some(SlotStatus::Busy), _) => &mut counts.busy,
                _ => &mut counts.other,
            };
            *counted += u64::try_from(n).unwrap_or(0);
        }
    }
    Ok(counts)
}

/// Does one batch of a bulk change. Only slots that the change makes a difference to are counted; a slot that is
/// not free, or that has begun, is never removed.
pub(super) fn change(
    group: &mut Group<'_>,
    tenant: TenantKey,
    filter: &SlotFilter,
    what: Change,
    from: Cursor,
    at: Timestamp,
    entry: &AuditEntry,
) -> Result<Batch, WriteError> {
    group.attempt(|group| {
        let c = group.connection;
        let narrowed = narrowed(filter, what, at);
        let (slots, next) = page(c, tenant, &narrowed, from, SLOTS_PER_JOB)?;
        let mut days = Days::default();
        let mut changed = 0;
        for placed in &slots {
            if placed.booking.is_some() && what == Change::Remove {
                continue;
            }
            change_one(c, placed.slot.key, what, at)?;
            days.touch(placed.schedule.0, placed.slot.start);
            changed += 1;
        }
        days.bump(c, tenant)?;
        if changed > 0 {
            let done = match what {
                Change::Hold => "held back",
                Change::Release => "released",
                Change::Remove => "removed",
            };
            record(group, tenant, entry, &format!("{changed} slots {done}"))?;
        }
        Ok(Batch { changed, next })
    })
}

/// The filter with what the change itself asks for.
fn narrowed(filter: &SlotFilter, what: Change, at: Timestamp) -> SlotFilter {
    let mut narrowed = filter.clone();
    let free = |f: &mut SlotFilter| match f.status {
        None | Some(SlotStatus::Free) => f.status = Some(SlotStatus::Free),
        Some(_) => f.schedules.clear(),
    };
    let is_held = |f: &mut SlotFilter, held: bool| match f.held {
        Some(wanted) if wanted != held => f.schedules.clear(),
        _ => f.held = Some(held),
    };
    match what {
        Change::Hold => is_held(&mut narrowed, false),
        Change::Release => is_held(&mut narrowed, true),
        Change::Remove => {
            free(&mut narrowed);
            let now = moment(millis(at) + 1).unwrap_or(at);
            narrowed.from = Some(narrowed.from.map_or(now, |from| from.max(now)));
        }
    }
    narrowed
}

fn change_one(c: &Connection, key: SlotKey, what: Change, at: Timestamp) -> Result<(), StoreError> {
    let at = millis(at);
    match what {
        Change::Hold => {
            c.prepare_cached("UPDATE slot SET held = 1 WHERE key = ?1")?
                .execute([key.0])?;
        }
        Change::Release => {
            c.prepare_cached(
                "UPDATE slot SET held = 0, published_at = coalesce(published_at, ?2) WHERE key = ?1",
            )?
            .execute(params![key.0, at])?;
        }
        Change::Remove => {
            c.prepare_cached(
                "INSERT INTO slot_removed (key, tenant, schedule, start, finish, uuid, template, published_at,
                   removed_at)
                 SELECT key, tenant, schedule, start, finish, uuid, template, published_at, ?2 FROM slot
                 WHERE key = ?1",
            )?
            .execute(params![key.0, at])?;
            c.prepare_cached("DELETE FROM slot WHERE key = ?1")?
                .execute([key.0])?;
        }
    }
    Ok(())
}
