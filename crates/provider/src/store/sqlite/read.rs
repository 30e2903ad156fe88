//! Point reads: tenants, declared things, days, slots, appointments.

use super::fault::odd;
use super::group::snapshot;
use crate::store::appointment::{AppointmentStatus, BookingRow, StoredAppointment, UsedRequestId};
use crate::store::error::StoreError;
use crate::store::model::{
    BookingCount, Channel, CountBy, DeclaredRow, PlacedSlot, ScheduleKey, SlotDays, SlotKey,
    SlotRow, TenantKey, TenantRow,
};
use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId, ServiceId};
use booking::slot::SlotStatus;
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Milliseconds since 1970, as stored.
pub(in crate::store) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored time.
pub(in crate::store) fn moment(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| odd("a time"))
}

/// A stored identifier, parsed again on the way out.
pub(in crate::store) fn id<T, E>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    what: &str,
) -> Result<T, StoreError> {
    parse(text).map_err(|_| odd(what))
}

pub(in crate::store) fn tenants(c: &Connection) -> Result<Vec<TenantRow>, StoreError> {
    let mut statement = c.prepare_cached("SELECT key, ods, asid, name FROM tenant ORDER BY ods")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(TenantRow {
            key: TenantKey(row.get(0)?),
            ods: id(
                row.get_ref(1)?.as_str().unwrap_or(""),
                OdsCode::parse,
                "an ODS code",
            )?,
            asid: id(
                row.get_ref(2)?.as_str().unwrap_or(""),
                Asid::parse,
                "an ASID",
            )?,
            name: row.get(3)?,
        });
    }
    Ok(found)
}

pub(in crate::store) fn catalogue_version(
    c: &Connection,
    tenant: TenantKey,
) -> Result<i64, StoreError> {
    let found: Option<i64> = c
        .prepare_cached("SELECT catalogue_version FROM tenant WHERE key = ?1")?
        .query_row([tenant.0], |r| r.get(0))
        .optional()?;
    found.ok_or_else(|| StoreError::unexpected(format!("there is no tenant {}", tenant.0)))
}

pub(in crate::store) fn declared(
    c: &Connection,
    tenant: TenantKey,
) -> Result<(i64, Vec<DeclaredRow>), StoreError> {
    snapshot(c, |c| {
        let version = catalogue_version(c, tenant)?;
        let mut statement = c.prepare_cached(
            "SELECT d.kind, d.id, d.position, d.body, s.key FROM declared d
             LEFT JOIN schedule s ON d.kind = 'schedule' AND s.tenant = d.tenant AND s.id = d.id
             WHERE d.tenant = ?1 ORDER BY d.kind, d.position, d.id",
        )?;
        let rows = statement.query_map([tenant.0], |r| {
            Ok(DeclaredRow {
                kind: r.get(0)?,
                id: r.get(1)?,
                position: r.get(2)?,
                body: r.get(3)?,
                schedule: r.get::<_, Option<i64>>(4)?.map(ScheduleKey),
            })
        })?;
        Ok((version, rows.collect::<Result<_, _>>()?))
    })
}

pub(in crate::store) fn slot_days(
    c: &Connection,
    tenant: TenantKey,
    schedules: &[ScheduleKey],
    from: i32,
    to: i32,
) -> Result<SlotDays, StoreError> {
    snapshot(c, |c| {
        let catalogue_version = catalogue_version(c, tenant)?;
        let mut days = Vec::new();
        let mut statement = c.prepare_cached(
            "SELECT day, version FROM slot_day
             WHERE tenant = ?1 AND schedule = ?2 AND day BETWEEN ?3 AND ?4 ORDER BY day",
        )?;
        for schedule in schedules {
            let mut rows = statement.query(params![tenant.0, schedule.0, from, to])?;
            while let Some(row) = rows.next()? {
                days.push((*schedule, row.get(0)?, row.get(1)?));
            }
        }
        Ok(SlotDays {
            catalogue_version,
            days,
        })
    })
}

/// Texts of labels, each read once per use of this.
pub(super) struct Labels<'c> {
    connection: &'c Connection,
    known: HashMap<i64, Arc<str>>,
}

impl<'c> Labels<'c> {
    pub(super) fn new(connection: &'c Connection) -> Labels<'c> {
        Labels {
            connection,
            known: HashMap::new(),
        }
    }

    fn text(&mut self, key: Option<i64>) -> Result<Option<Arc<str>>, StoreError> {
        let Some(key) = key else { return Ok(None) };
        if let Some(text) = self.known.get(&key) {
            return Ok(Some(text.clone()));
        }
        let text: String = self
            .connection
            .prepare_cached("SELECT text FROM label WHERE key = ?1")?
            .query_row([key], |r| r.get(0))?;
        let text: Arc<str> = text.into();
        self.known.insert(key, text.clone());
        Ok(Some(text))
    }
}

/// The columns that [`slot_row`] reads, in its order, of a slot called `s`.
pub(super) const SLOT_COLUMNS: &str =
    "s.key, s.uuid, s.start, s.finish, s.status, s.held, s.channel, s.template, s.release";
/// The columns that [`placed_slot`] reads.
pub(super) const PLACED_COLUMNS: &str = "s.key, s.uuid, s.start, s.finish, s.status, s.held, s.channel, s.template, s.release, s.schedule, d.id, a.id";
/// What these columns come from.
pub(super) const PLACED_FROM: &str = "slot s JOIN schedule d ON d.key = s.schedule LEFT JOIN appointment a ON a.slot = s.key AND a.live = 1";

pub(in crate::store) fn slot_row(
    row: &Row<'_>,
    labels: &mut Labels<'_>,
) -> Result<SlotRow, StoreError> {
    let channel: Option<u8> = row.get(6)?;
    Ok(SlotRow {
        key: SlotKey(row.get(0)?),
        uuid: Uuid::from_bytes(row.get(1)?),
        start: moment(row.get(2)?)?,
        end: moment(row.get(3)?)?,
        status: SlotStatus::from_number(row.get(4)?).ok_or_else(|| odd("the state of a slot"))?,
        held: row.get(5)?,
        channel: channel.and_then(Channel::from_number),
        template: labels.text(row.get(7)?)?,
        release: labels.text(row.get(8)?)?,
    })
}

pub(in crate::store) fn placed_slot(
    row: &Row<'_>,
    labels: &mut Labels<'_>,
) -> Result<PlacedSlot, StoreError> {
    let booking: Option<String> = row.get(11)?;
    Ok(PlacedSlot {
        slot: slot_row(row, labels)?,
        schedule: ScheduleKey(row.get(9)?),
        schedule_id: row.get(10)?,
        booking: booking
            .map(|b| id(&b, ResourceId::parse, "the id of an appointment"))
            .transpose()?,
    })
}

pub(in crate::store) fn slots_of_day(
    c: &Connection,
    tenant: TenantKey,
    schedule: ScheduleKey,
    day: i32,
) -> Result<(i64, Vec<SlotRow>), StoreError> {
    const DAY: i64 = 86_400_000;
    snapshot(c, |c| {
        let version: Option<i64> = c
            .prepare_cached(
                "SELECT version FROM slot_day WHERE tenant = ?1 AND schedule = ?2 AND day = ?3",
            )?
            .query_row(params![tenant.0, schedule.0, day], |r| r.get(0))
            .optional()?;
        let from = i64::from(day) * DAY;
        let mut statement = c.prepare_cached(&format!(
            "SELECT {SLOT_COLUMNS} FROM slot s
             WHERE s.tenant = ?1 AND s.schedule = ?2 AND s.start >= ?3 AND s.start < ?4 ORDER BY s.start, s.finish"
        ))?;
        let mut rows = statement.query(params![tenant.0, schedule.0, from, from + DAY])?;
        let mut labels = Labels::new(c);
        let mut slots = Vec::new();
        while let Some(row) = rows.next()? {
            slots.push(slot_row(row, &mut labels)?);
        }
        Ok((version.unwrap_or(0), slots))
    })
}

/// A slot by its id.
pub(in crate::store) fn slot(
    c: &Connection,
    tenant: TenantKey,
    uuid: Uuid,
) -> Result<Option<PlacedSlot>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {PLACED_COLUMNS} FROM {PLACED_FROM} WHERE s.tenant = ?1 AND s.uuid = ?2"
    ))?;
    let mut rows = statement.query(params![tenant.0, uuid.as_bytes()])?;
    match rows.next()? {
        Some(row) => placed_slot(row, &mut Labels::new(c)).map(Some),
        None => Ok(None),
    }
}

const VERSION_COLUMNS: &str = "a.id, v.version, v.status, v.at, v.json, a.slot";

fn stored_appointment(row: &Row<'_>) -> Result<StoredAppointment, StoreError> {
    Ok(StoredAppointment {
        id: id(
            row.get_ref(0)?.as_str().unwrap_or(""),
            ResourceId::parse,
            "the id of an appointment",
        )?,
        version: row.get(1)?,
        status: AppointmentStatus::from_number(row.get(2)?)
            .ok_or_else(|| odd("the state of an appointment"))?,
        last_updated: moment(row.get(3)?)?,
        json: Bytes::from(row.get::<_, Vec<u8>>(4)?),
        slot: SlotKey(row.get(5)?),
    })
}

fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(in crate::store) fn appointment(
    c: &Connection,
    tenant: TenantKey,
    id: &ResourceId,
    version: Option<u32>,
) -> Result<Option<StoredAppointment>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {VERSION_COLUMNS} FROM appointment a
         JOIN appointment_version v ON v.appointment = a.key AND v.version = coalesce(?3, a.version)
         WHERE a.tenant = ?1 AND a.id = ?2"
    ))?;
    let rows = statement.query(params![tenant.0, id.as_str(), version])?;
    Ok(collect(rows, stored_appointment)?.pop())
}

pub(in crate::store) fn history(
    c: &Connection,
    tenant: TenantKey,
    id: &ResourceId,
) -> Result<Vec<StoredAppointment>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {VERSION_COLUMNS} FROM appointment a JOIN appointment_version v ON v.appointment = a.key
         WHERE a.tenant = ?1 AND a.id = ?2 ORDER BY v.version"
    ))?;
    let rows = statement.query(params![tenant.0, id.as_str()])?;
    collect(rows, stored_appointment)
}

pub(in crate::store) fn appointments_of(
    c: &Connection,
    tenant: TenantKey,
    number: &NhsNumber,
    limit: usize,
) -> Result<Vec<StoredAppointment>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = c.prepare_cached(&format!(
        "SELECT {VERSION_COLUMNS} FROM appointment a
         JOIN appointment_version v ON v.appointment = a.key AND v.version = a.version
         WHERE a.tenant = ?1 AND a.nhs_number = ?2 ORDER BY a.start DESC, a.key DESC LIMIT ?3"
    ))?;
    let rows = statement.query(params![tenant.0, number.as_str(), limit])?;
    collect(rows, stored_appointment)
}

/// What came in as the request of a version (DAT-04).
pub(in crate::store) fn received(
    c: &Connection,
    tenant: TenantKey,
    id: &ResourceId,
    version: u32,
) -> Result<Option<Bytes>, StoreError> {
    let found: Option<Option<Vec<u8>>> = c
        .prepare_cached(
            "SELECT v.received FROM appointment a JOIN appointment_version v ON v.appointment = a.key
             WHERE a.tenant = ?1 AND a.id = ?2 AND v.version = ?3",
        )?
        .query_row(params![tenant.0, id.as_str(), version], |r| r.get(0))
        .optional()?;
    Ok(found.flatten().map(Bytes::from))
}

pub(in crate::store) fn request_id(
    c: &Connection,
    tenant: TenantKey,
    wanted: &RequestId,
) -> Result<Option<UsedRequestId>, StoreError> {
    let found: Option<(String, String, String)> = c
        .prepare_cached(
            "SELECT v.asid, v.ods, a.id FROM appointment_version v JOIN appointment a ON a.key = v.appointment
             WHERE v.tenant = ?1 AND v.request_id = ?2",
        )?
        .query_row(params![tenant.0, wanted.as_str()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let Some((asid, ods, appointment)) = found else {
        return Ok(None);
    };
    Ok(Some(UsedRequestId {
        request_id: wanted.clone(),
        asid: id(&asid, Asid::parse, "an ASID")?,
        ods: id(&ods, OdsCode::parse, "an ODS code")?,
        appointment: id(&appointment, ResourceId::parse, "the id of an appointment")?,
    }))
}

pub(in crate::store) fn bookings_on(
    c: &Connection,
    tenant: TenantKey,
    of: &BookingCount<'_>,
) -> Result<u32, StoreError> {
    let (asid, ods, kind) = match of.by {
        CountBy::Asid(asid) => (Some(asid.as_str()), None, None),
        CountBy::Ods(ods) => (None, Some(ods.as_str()), None),
        CountBy::Kind(kind) => (None, None, Some(kind)),
    };
    let count = c
        .prepare_cached(
            "SELECT count(*) FROM appointment WHERE tenant = ?1 AND day = ?2 AND live = 1
             AND (?3 IS NULL OR booked_asid = ?3) AND (?4 IS NULL OR booked_ods = ?4)
             AND (?5 IS NULL OR booked_kind = ?5) AND (?6 IS NULL OR service = ?6)
             AND (?7 IS NULL OR template = (SELECT key FROM label WHERE tenant = ?1 AND text = ?7))
             AND (?8 IS NULL OR release = (SELECT key FROM label WHERE tenant = ?1 AND text = ?8))",
        )?
        .query_row(
            params![
                tenant.0,
                of.day,
                asid,
                ods,
                kind,
                of.service.map(ServiceId::as_str),
                of.template,
                of.release
            ],
            |r| r.get(0),
        )?;
    Ok(count)
}

const BOOKING_COLUMNS: &str = "a.service, a.booked_at, a.booked_asid, a.booked_ods, \
     (SELECT document FROM document_link l WHERE l.appointment = a.key AND l.ended_at IS NULL LIMIT 1)";
/// Where these columns begin after those of the slot.
const BOOKING_AT: usize = 12;

fn booking_row(row: &Row<'_>, labels: &mut Labels<'_>) -> Result<BookingRow, StoreError> {
    let slot = placed_slot(row, labels)?;
    let text = |n: usize| -> Result<String, StoreError> { Ok(row.get(BOOKING_AT + n)?) };
    Ok(BookingRow {
        id: slot
            .booking
            .clone()
            .ok_or_else(|| odd("a booking without an id"))?,
        service: id(&text(0)?, ServiceId::parse, "a service id")?,
        booked_at: moment(row.get(BOOKING_AT + 1)?)?,
        asid: id(&text(2)?, Asid::parse, "an ASID")?,
        ods: id(&text(3)?, OdsCode::parse, "an ODS code")?,
        document: row.get(BOOKING_AT + 4)?,
        slot,
    })
}

/// Live bookings of schedules that start at or after a moment, in order of start within each schedule.
pub(in crate::store) fn live_bookings(
    c: &Connection,
    tenant: TenantKey,
    schedules: &[ScheduleKey],
    from: Timestamp,
    limit: usize,
) -> Result<Vec<BookingRow>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {PLACED_COLUMNS}, {BOOKING_COLUMNS} FROM {PLACED_FROM}
         WHERE s.tenant = ?1 AND s.schedule = ?2 AND s.start >= ?3 AND a.live = 1 ORDER BY s.start LIMIT ?4"
    ))?;
    let mut labels = Labels::new(c);
    let mut found = Vec::new();
    for schedule in schedules {
        let left = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![tenant.0, schedule.0, millis(from), left])?;
        while let Some(row) = rows.next()? {
            found.push(booking_row(row, &mut labels)?);
        }
    }
    Ok(found)
}

/// Live bookings linked to a referral document, in any letter case (REF-PRO-02); several are possible
/// (PROV-BOOK-07).
pub(in crate::store) fn bookings_of_document(
    c: &Connection,
    tenant: TenantKey,
    document: &str,
    limit: usize,
) -> Result<Vec<BookingRow>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = c.prepare_cached(&format!(
        "SELECT {PLACED_COLUMNS}, {BOOKING_COLUMNS}
         FROM document_link k JOIN appointment a ON a.key = k.appointment AND a.live = 1
         JOIN slot s ON s.key = a.slot JOIN schedule d ON d.key = s.schedule
         WHERE k.tenant = ?1 AND k.document = ?2 AND k.ended_at IS NULL ORDER BY a.start LIMIT ?3"
    ))?;
    let mut labels = Labels::new(c);
    let mut rows = statement.query(params![tenant.0, document.to_ascii_lowercase(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(booking_row(row, &mut labels)?);
    }
    Ok(found)
}
