//! Slots in bulk: made, removed, held back, released, listed. A batch is one job, so that bookings get their turn
//! between two batches.

use super::book::bump_day;
use super::group::Group;
use super::query::Query;
use super::read::{self, Labels, millis, moment};
use crate::audit::AuditEntry;
use crate::store::driver::{Connection, Value, values};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{
    Inserted, NewSlot, PlacedSlot, ScheduleKey, SlotCounts, SlotFilter, SlotKey, TenantKey, utc_day,
};
use crate::store::{LIST_MOST, SLOTS_PER_JOB, Tenant};
use booking::count::counted;
use booking::slot::SlotStatus;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A bulk change of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotChange {
    /// Hold back from consumers. Bookings stay.
    Hold,
    /// Release to consumers, which publishes those that never were.
    Release,
    /// Remove free slots that have not begun. Those that a template declares return with the next top-up.
    Remove,
}

/// How far a list or a bulk change has got: the schedule's position in the filter, then start and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    schedule: usize,
    start: i64,
    key: i64,
}

impl Cursor {
    /// Before everything.
    const START: Cursor = Cursor {
        schedule: 0,
        start: i64::MIN,
        key: 0,
    };
}

/// What one batch did.
#[derive(Clone, Copy, Debug)]
struct Batch {
    /// Slots changed.
    changed: u64,
    /// Where the next batch begins; `None` when this was the last.
    next: Option<Cursor>,
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
    c.execute(
        "INSERT INTO label (tenant, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        values![tenant.0, text.as_ref()],
    )?;
    let key = c.number(
        "SELECT key FROM label WHERE tenant = ?1 AND text = ?2",
        values![tenant.0, text.as_ref()],
    )?;
    known.insert(text.clone(), key);
    Ok(Some(key))
}

/// The row of `schedule` that a track is, made when it is first needed.
fn track(
    c: &Connection,
    tenant: TenantKey,
    (diary, id): (ScheduleKey, &str),
    track: u16,
    known: &mut HashMap<(ScheduleKey, u16), i64>,
) -> Result<i64, StoreError> {
    if track == 0 {
        return Ok(diary.0);
    }
    if let Some(key) = known.get(&(diary, track)) {
        return Ok(*key);
    }
    c.execute(
        "INSERT INTO schedule (tenant, id, diary, track) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        values![tenant.0, &read::track_id(id, track), diary.0, track],
    )?;
    let key = c.number(
        "SELECT key FROM schedule WHERE tenant = ?1 AND diary = ?2 AND track = ?3",
        values![tenant.0, diary.0, track],
    )?;
    known.insert((diary, track), key);
    Ok(key)
}

/// Further tracks of a tenant's diaries; most diaries have none.
fn tracks(c: &Connection, tenant: TenantKey) -> Result<HashMap<i64, Vec<i64>>, StoreError> {
    let mut tracks: HashMap<i64, Vec<i64>> = HashMap::new();
    c.each(
        "SELECT diary, key FROM schedule WHERE tenant = ?1 AND diary IS NOT NULL ORDER BY diary, track",
        values![tenant.0],
        |row| {
            tracks.entry(row.get(0)?).or_default().push(row.get(1)?);
            Ok(())
        },
    )?;
    Ok(tracks)
}

/// Makes a batch of slots; those that the schedule already has are left alone.
fn insert(
    group: &mut Group<'_>,
    tenant: TenantKey,
    slots: &[NewSlot],
    at: Timestamp,
    entry: &AuditEntry,
) -> Result<Inserted, WriteError> {
    let mut taken = false;
    let outcome = group.attempt(|group| {
        let c = group.connection;
        let (mut labels, mut days) = (HashMap::new(), Days::default());
        let (mut diaries, mut tracks) = (HashMap::new(), HashMap::new());
        let mut rows = Vec::with_capacity(slots.len());
        for slot in slots {
            let id = match diaries.get(&slot.schedule) {
                Some(id) => id,
                None => diaries
                    .entry(slot.schedule)
                    .or_insert(schedule_id(c, tenant, slot.schedule)?),
            };
            let on = track(c, tenant, (slot.schedule, id), slot.track, &mut tracks)?;
            let template = label(c, tenant, slot.template.as_ref(), &mut labels)?;
            let release = label(c, tenant, slot.release.as_ref(), &mut labels)?;
            rows.push(vec![
                Value::from(tenant.0),
                on.into(),
                millis(slot.start).into(),
                millis(slot.end).into(),
                slot.uuid.as_bytes().into(),
                slot.held.into(),
                slot.channel.map(|c| c as u8).into(),
                template.into(),
                release.into(),
                (!slot.held).then(|| millis(at)).into(),
            ]);
        }
        let sql = "INSERT INTO slot (tenant, schedule, start, finish, uuid, status, held, channel, template, release,
             published_at, held_first) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?6)
             ON CONFLICT (tenant, schedule, start, finish) DO NOTHING";
        let inserted = c
            .execute_each(sql, &rows)
            .inspect_err(|fault| taken = fault.is_unique())?;
        let mut made = 0;
        for (slot, _) in slots.iter().zip(inserted).filter(|(_, n)| *n > 0) {
            made += 1;
            days.touch(slot.schedule.0, slot.start);
        }
        days.bump(c, tenant)?;
        if made > 0 {
            record(group, tenant, entry, &format!("{} made", counted(made, "slot", "slots")))?;
        }
        Ok(Inserted {
            made,
            existing: slots.len() as u64 - made,
        })
    });
    match (outcome, taken) {
        (Err(_), true) => Err(same_id(group.connection, tenant, slots)?.into()),
        (outcome, _) => outcome,
    }
}

/// Says which id of an import is taken, after nothing of the import was stored.
fn same_id(c: &Connection, tenant: TenantKey, slots: &[NewSlot]) -> Result<StoreError, StoreError> {
    let mut seen = BTreeSet::new();
    for slot in slots {
        let taken = match seen.insert(slot.uuid) {
            false => true,
            true => read::slot(c, tenant, slot.uuid)?.is_some_and(|s| {
                (s.schedule, s.slot.start, s.slot.end, s.slot.track)
                    != (slot.schedule, slot.start, slot.end, slot.track)
            }),
        };
        if !taken {
            continue;
        }
        return Ok(StoreError::Conflict {
            what: format!(
                "the slot id {} belongs to another slot: give each slot an id of its own",
                slot.uuid
            ),
        });
    }
    Ok(StoreError::unexpected(
        "slots were refused although their ids are free",
    ))
}

/// The id of a schedule of this tenant.
fn schedule_id(
    c: &Connection,
    tenant: TenantKey,
    schedule: ScheduleKey,
) -> Result<String, StoreError> {
    let sql = "SELECT id FROM schedule WHERE key = ?1 AND tenant = ?2";
    let found = c.one(sql, values![schedule.0, tenant.0], |row| row.get(0))?;
    found
        .ok_or_else(|| StoreError::unexpected(format!("the tenant has no schedule {}", schedule.0)))
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

impl<'f> Query<'f> {
    /// Adds the condition that a slot is in a diary, on whichever of its tracks.
    fn of_diary(&mut self, diary: i64, tracks: &HashMap<i64, Vec<i64>>) {
        let further = tracks.get(&diary).map_or(&[][..], Vec::as_slice);
        let (n, marks) = read::marks(self.values.len() + 1, further.len() + 1);
        self.sql.push_str(&format!(" AND s.schedule IN ({marks})"));
        let own = std::iter::repeat_n(diary, n - further.len());
        self.values
            .extend(further.iter().copied().chain(own).map(Value::from));
    }

    /// Adds the conditions of a filter after those on tenant, schedule and place.
    fn narrow(&mut self, filter: &'f SlotFilter) {
        if let Some(from) = filter.from {
            self.and("s.start >= ??", millis(from));
        }
        if let Some(to) = filter.to {
            self.and("s.start < ??", millis(to));
        }
        if let Some(template) = &filter.template {
            let condition = "s.template IN (SELECT l.key FROM label l WHERE l.tenant = s.tenant AND l.text = ??)";
            self.and(condition, template);
        }
        if let Some(last) = filter.other_than.last() {
            let (n, marks) = read::marks(self.values.len() + 1, filter.other_than.len());
            self.sql.push_str(&format!(
                " AND (s.template IS NULL OR s.template NOT IN (SELECT l.key FROM label l
                   WHERE l.tenant = s.tenant AND l.text IN ({marks})))"
            ));
            let all = filter.other_than.iter().chain(std::iter::repeat(last));
            self.values.extend(all.take(n).map(Value::from));
        }
        if let Some(name) = &filter.but_held_first_of {
            let condition = "(s.template IS NULL OR s.held = 0 OR (s.held_first = 0 AND s.published_at IS NOT NULL)
               OR s.template NOT IN (SELECT l.key FROM label l WHERE l.tenant = s.tenant AND l.text = ??))";
            self.and(condition, name);
        }
        if let Some(status) = filter.status {
            self.and("s.status = ??", status.number());
        }
        if let Some(held) = filter.held {
            self.and("s.held = ??", held);
        }
        if let Some(last) = filter.slots.last() {
            let (n, marks) = read::marks(self.values.len() + 1, filter.slots.len());
            self.sql.push_str(&format!(" AND s.uuid IN ({marks})"));
            let all = filter.slots.iter().chain(std::iter::repeat(last)).take(n);
            self.values
                .extend(all.map(|uuid| Value::from(uuid.as_bytes())));
        }
    }
}

/// Refuses filters that no statement can hold.
fn check_filter(filter: &SlotFilter) -> Result<(), StoreError> {
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
    let (mut found, mut labels, mut place) = (Vec::new(), Labels::new(c, tenant), from);
    let tracks = tracks(c, tenant)?;
    while let Some(schedule) = filter.schedules.get(place.schedule) {
        let left = limit - found.len();
        let mut query = Query::new(
            format!(
                "SELECT {} FROM {} WHERE s.tenant = ?1 AND (s.start, s.key) > (?2, ?3)",
                read::PLACED_COLUMNS,
                read::PLACED_FROM,
            ),
            vec![tenant.0.into(), place.start.into(), place.key.into()],
        );
        query.of_diary(schedule.0, &tracks);
        query.narrow(filter);
        let limit = query.mark(read::rows(left));
        query
            .sql
            .push_str(&format!(" ORDER BY s.start, s.key LIMIT {limit}"));
        let before = found.len();
        let mut last = (place.start, place.key);
        c.each(&query.sql, &query.values, |row| {
            let slot = read::placed_slot(row, &mut labels)?;
            last = (millis(slot.slot.start), slot.slot.key.0);
            found.push(slot);
            Ok(())
        })?;
        if found.len() - before == left {
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

impl Tenant<'_> {
    /// Makes slots, in batches of [`SLOTS_PER_JOB`], each a transaction with an audit row. Slots that a schedule already
    /// has are left alone, so that a call that failed half way can be made again.
    pub async fn insert_slots(
        self,
        slots: Vec<NewSlot>,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<Inserted, StoreError> {
        let (tenant, mut done) = (self.key, Inserted::default());
        for batch in slots.chunks(SLOTS_PER_JOB) {
            let (batch, entry) = (batch.to_vec(), entry.clone());
            let batch = self.store.write(Some(tenant), move |group| {
                insert(group, tenant, &batch, at, &entry)
            });
            let batch = batch.await?;
            done.made += batch.made;
            done.existing += batch.existing;
        }
        Ok(done)
    }

    /// Changes the slots of a filter that the change makes a difference to, in batches as [`Tenant::insert_slots`] does;
    /// returns how many these were. A slot that is not free, or that has begun, is never removed.
    pub async fn change_slots(
        self,
        change: SlotChange,
        filter: SlotFilter,
        at: Timestamp,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        check_filter(&filter)?;
        let tenant = self.key;
        let (mut changed, mut from) = (0, Some(Cursor::START));
        // Each batch begins after the one before, so this ends with the slots of the filter.
        while let Some(cursor) = from {
            let (filter, entry) = (filter.clone(), entry.clone());
            let batch = self.store.write(Some(tenant), move |group| {
                change_batch(group, tenant, &filter, change, cursor, at, &entry)
            });
            let batch = batch.await?;
            changed += batch.changed;
            from = batch.next;
        }
        Ok(changed)
    }

    /// Slots by schedule as named in the filter, then by start; at most `limit`.
    pub fn slots(self, filter: &SlotFilter, limit: usize) -> Result<Vec<PlacedSlot>, StoreError> {
        let (slots, _) = self.slots_after(filter, None, limit)?;
        Ok(slots)
    }

    /// Slots by schedule as named in the filter, then by start, at most `limit`, from a place on, with the place after them;
    /// `None` when there are no more. So a list of any length is read page by page.
    pub fn slots_after(
        self,
        filter: &SlotFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<PlacedSlot>, Option<Cursor>), StoreError> {
        let limit = limit.min(LIST_MOST);
        self.read(|c| {
            check_filter(filter)?;
            let from = after.unwrap_or(Cursor::START);
            if limit == 0 {
                return Ok((Vec::new(), Some(from)));
            }
            page(c, self.key, filter, from, limit)
        })
    }

    /// How many slots are in which state.
    pub fn count_slots(self, filter: &SlotFilter) -> Result<SlotCounts, StoreError> {
        self.read(|c| {
            check_filter(filter)?;
            let mut counts = SlotCounts::default();
            let tracks = tracks(c, self.key)?;
            for schedule in &filter.schedules {
                let mut query = Query::new(
                    "SELECT s.status, s.held, count(*) FROM slot s WHERE s.tenant = ?1".to_owned(),
                    vec![self.key.0.into()],
                );
                query.of_diary(schedule.0, &tracks);
                query.narrow(filter);
                query.sql.push_str(" GROUP BY s.status, s.held");
                c.each(&query.sql, &query.values, |row| {
                    let (status, held, n): (u8, bool, i64) =
                        (row.get(0)?, row.get(1)?, row.get(2)?);
                    let counted = match (SlotStatus::from_number(status), held) {
                        (Some(SlotStatus::Free), false) => &mut counts.free,
                        (Some(SlotStatus::Free), true) => &mut counts.held,
                        (Some(SlotStatus::Busy), _) => &mut counts.busy,
                        _ => &mut counts.other,
                    };
                    *counted += u64::try_from(n).unwrap_or(0);
                    Ok(())
                })?;
            }
            Ok(counts)
        })
    }

    /// When the first and the last slot of a filter begin; `None`: there is none.
    pub fn slot_span(
        self,
        filter: &SlotFilter,
    ) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        self.read(|c| {
            check_filter(filter)?;
            let tracks = tracks(c, self.key)?;
            let mut span: Option<(Timestamp, Timestamp)> = None;
            for schedule in &filter.schedules {
                let mut query = Query::new(
                    "SELECT min(s.start), max(s.start) FROM slot s WHERE s.tenant = ?1".to_owned(),
                    vec![self.key.0.into()],
                );
                query.of_diary(schedule.0, &tracks);
                query.narrow(filter);
                let found = c.one(&query.sql, &query.values, |row| {
                    Ok((row.get::<Option<i64>>(0)?, row.get::<Option<i64>>(1)?))
                })?;
                if let Some((Some(first), Some(last))) = found {
                    let (first, last) = (moment(first)?, moment(last)?);
                    span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
                }
            }
            Ok(span)
        })
    }
}

/// Does one batch of a bulk change.
fn change_batch(
    group: &mut Group<'_>,
    tenant: TenantKey,
    filter: &SlotFilter,
    what: SlotChange,
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
            if placed.booking.is_some() && what == SlotChange::Remove {
                continue;
            }
            change_one(c, tenant, placed.slot.key, what, at)?;
            days.touch(placed.schedule.0, placed.slot.start);
            changed += 1;
        }
        days.bump(c, tenant)?;
        if changed > 0 {
            let done = match what {
                SlotChange::Hold => "held back",
                SlotChange::Release => "released",
                SlotChange::Remove => "removed",
            };
            record(
                group,
                tenant,
                entry,
                &format!("{} {done}", counted(changed, "slot", "slots")),
            )?;
        }
        Ok(Batch { changed, next })
    })
}

/// The filter with what the change itself asks for.
fn narrowed(filter: &SlotFilter, what: SlotChange, at: Timestamp) -> SlotFilter {
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
        SlotChange::Hold => is_held(&mut narrowed, false),
        SlotChange::Release => is_held(&mut narrowed, true),
        SlotChange::Remove => {
            free(&mut narrowed);
            let now = moment(millis(at) + 1).unwrap_or(at);
            narrowed.from = Some(narrowed.from.map_or(now, |from| from.max(now)));
        }
    }
    narrowed
}

fn change_one(
    c: &Connection,
    tenant: TenantKey,
    key: SlotKey,
    what: SlotChange,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (tenant, key, at) = (tenant.0, key.0, millis(at));
    match what {
        SlotChange::Hold => c.execute_later(
            "UPDATE slot SET held = 1 WHERE key = ?1 AND tenant = ?2",
            values![key, tenant],
        )?,
        SlotChange::Release => c.execute_later(
            "UPDATE slot SET held = 0, published_at = coalesce(published_at, ?3) WHERE key = ?1 AND tenant = ?2",
            values![key, tenant, at],
        )?,
        SlotChange::Remove => {
            c.execute_later(
                "INSERT INTO slot_removed (key, tenant, schedule, start, finish, uuid, template, published_at,
                   removed_at)
                 SELECT key, tenant, schedule, start, finish, uuid, template, published_at, CAST(?3 AS BIGINT)
                 FROM slot WHERE key = ?1 AND tenant = ?2",
                values![key, tenant, at],
            )?;
            c.execute_later(
                "DELETE FROM slot WHERE key = ?1 AND tenant = ?2",
                values![key, tenant],
            )?;
        }
    }
    Ok(())
}
