//! Point reads: tenants, declared things, days, slots, appointments.

use crate::store::appointment::{
    AppointmentFilter, AppointmentStatus, BookingRow, StoredAppointment, UsedRequestId,
};
use crate::store::driver::{Connection, Row, Value, corrupt, values};
use crate::store::error::StoreError;
use crate::store::model::{
    BookingCount, Channel, CountBy, DeclaredRow, PlacedSlot, ScheduleKey, SlotDays, SlotKey,
    SlotRow, TenantKey, TenantRow,
};
use crate::store::{LIST_MOST, Store, Tenant};
use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId, ServiceId};
use booking::slot::SlotStatus;
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// Milliseconds since 1970, as stored.
pub(in crate::store) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A stored time.
pub(in crate::store) fn moment(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| corrupt("a time"))
}

/// A stored identifier, parsed again on the way out.
pub(in crate::store) fn id<T, E>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
    what: &str,
) -> Result<T, StoreError> {
    parse(text).map_err(|_| corrupt(what))
}

pub(in crate::store) fn tenants(c: &Connection) -> Result<Vec<TenantRow>, StoreError> {
    let sql = "SELECT key, ods, asid, name FROM tenant ORDER BY ods";
    Ok(c.all(sql, values![], tenant_row)?)
}

fn tenant_row(row: &Row<'_>) -> Result<TenantRow, StoreError> {
    Ok(TenantRow {
        key: TenantKey(row.get(0)?),
        ods: id(row.get(1)?, OdsCode::parse, "an ODS code")?,
        asid: id(row.get(2)?, Asid::parse, "an ASID")?,
        name: row.get(3)?,
    })
}

impl Store {
    /// The tenant of an ODS code.
    pub fn tenant_of(&self, ods: &OdsCode) -> Result<Option<TenantRow>, StoreError> {
        let sql = "SELECT key, ods, asid, name FROM tenant WHERE ods = ?1";
        self.read(|c| Ok(c.one(sql, values![ods.as_str()], tenant_row)?))
    }
}

/// The key of the tenant of an ODS code.
pub(super) fn key_of(c: &Connection, ods: &str) -> Result<Option<TenantKey>, StoreError> {
    let sql = "SELECT key FROM tenant WHERE ods = ?1";
    Ok(c.one(sql, values![ods], |r| Ok(TenantKey(r.get(0)?)))?)
}

fn no_tenant(tenant: TenantKey) -> StoreError {
    StoreError::unexpected(format!("there is no tenant {}", tenant.0))
}

const CATALOGUE_VERSION: &str = "SELECT catalogue_version FROM tenant WHERE key = ?1";

/// Announces that slot, request id and catalogue version will be read.
pub(super) fn ahead_of_booking(
    c: &Connection,
    tenant: TenantKey,
    request: Option<&RequestId>,
    slot: Option<&Uuid>,
) -> Result<(), StoreError> {
    if !c.is_remote() {
        return Ok(());
    }
    ahead_of_request_id(c, tenant, request)?;
    if let Some(uuid) = slot {
        c.ahead(&placed_by_uuid(), values![tenant.0, uuid.as_bytes()])?;
    }
    c.ahead(CATALOGUE_VERSION, values![tenant.0])?;
    Ok(())
}

/// Announces that it will be read whether a request id was used before.
pub(super) fn ahead_of_request_id(
    c: &Connection,
    tenant: TenantKey,
    request: Option<&RequestId>,
) -> Result<(), StoreError> {
    let announced = request.map(|id| c.ahead(REQUEST_ID, values![tenant.0, id.as_str()]));
    announced.transpose()?;
    Ok(())
}

pub(in crate::store) fn catalogue_version(
    c: &Connection,
    tenant: TenantKey,
) -> Result<i64, StoreError> {
    let found = c.one(CATALOGUE_VERSION, values![tenant.0], |r| r.get(0))?;
    found.ok_or_else(|| no_tenant(tenant))
}

impl Tenant<'_> {
    /// The first page of a patient's appointments.
    pub fn appointments_of(
        self,
        number: &NhsNumber,
        limit: usize,
    ) -> Result<Vec<StoredAppointment>, StoreError> {
        let filter = AppointmentFilter {
            patient: Some(number),
            ..AppointmentFilter::default()
        };
        let found = self.find_appointments(&filter, None, limit)?;
        Ok(found.page)
    }

    /// Goes up with every change of the tenant's declared things.
    pub fn catalogue_version(self) -> Result<i64, StoreError> {
        self.read(|c| catalogue_version(c, self.key))
    }

    /// The declared things by kind, then position, with their catalogue version: one statement, and so one moment.
    pub fn declared(self) -> Result<(i64, Vec<DeclaredRow>), StoreError> {
        self.read(|c| {
            let (mut version, mut rows) = (None, Vec::new());
            c.each(
                "SELECT t.catalogue_version, d.kind, d.id, d.position, d.body, s.key FROM tenant t
         LEFT JOIN declared d ON d.tenant = t.key
         LEFT JOIN schedule s ON d.kind = 'schedule' AND s.tenant = d.tenant AND s.id = d.id
         WHERE t.key = ?1 ORDER BY d.kind, d.position, d.id",
                values![self.key.0],
                |r| {
                    version = Some(r.get(0)?);
                    if let Some(kind) = r.get::<Option<String>>(1)? {
                        rows.push(DeclaredRow {
                            kind,
                            id: r.get(2)?,
                            position: r.get(3)?,
                            body: r.get(4)?,
                            schedule: r.get::<Option<i64>>(5)?.map(ScheduleKey),
                        });
                    }
                    Ok(())
                },
            )?;
            Ok((version.ok_or_else(|| no_tenant(self.key))?, rows))
        })
    }

    /// Versions of the days in `from..=to` (days since 1970-01-01 UTC, by slot start) that have or had slots: one statement,
    /// and so one moment.
    pub fn slot_days(
        self,
        schedules: &[ScheduleKey],
        from: i32,
        to: i32,
    ) -> Result<SlotDays, StoreError> {
        self.read_diary(|c| {
    let mut all: Vec<Value<'_>> = vec![self.key.0.into(), from.into(), to.into()];
    // An empty list is one that no schedule is in; what is said twice makes the list as long as it is prepared.
    let last = schedules.last().map_or(0, |s| s.0);
    let (n, marks) = marks(4, schedules.len());
    all.extend(
        schedules
            .iter()
            .map(|s| s.0)
            .chain(std::iter::repeat(last))
            .take(n)
            .map(Value::from),
    );
    let (mut version, mut days) = (None, Vec::new());
    let sql = format!(
        "SELECT t.catalogue_version, d.schedule, d.day, d.version FROM tenant t
         LEFT JOIN slot_day d ON d.tenant = t.key AND d.schedule IN ({marks}) AND d.day BETWEEN ?2 AND ?3
         WHERE t.key = ?1 ORDER BY d.schedule, d.day"
    );
    c.each(&sql, &all, |r| {
        version = Some(r.get(0)?);
        if let Some(schedule) = r.get::<Option<i64>>(1)? {
            days.push((ScheduleKey(schedule), r.get(2)?, r.get(3)?));
        }
        Ok(())
    })?;
    // By schedule as asked for; the sort keeps the days in order.
    let place = |key: ScheduleKey| schedules.iter().position(|s| *s == key);
    days.sort_by_key(|(schedule, _, _)| place(*schedule));
    Ok(SlotDays {
        catalogue_version: version.ok_or_else(|| no_tenant(self.key))?,
        days,
    })
        })
    }

    /// All slots of a schedule that start on a UTC day, in order of start, with the day's version (0: never had any): one
    /// statement, and so one moment.
    pub fn slots_of_day(
        self,
        schedule: ScheduleKey,
        day: i32,
    ) -> Result<(i64, Vec<SlotRow>), StoreError> {
        self.read_diary(|c| {
    const DAY: i64 = 86_400_000;
    let from = i64::from(day) * DAY;
    let (mut version, mut slots, mut labels) = (0, Vec::new(), Labels::new(c, self.key));
    c.each(
        &format!(
            "SELECT coalesce(v.version, 0), {SLOT_COLUMNS} FROM tenant t
             LEFT JOIN slot_day v ON v.tenant = t.key AND v.schedule = ?2 AND v.day = ?3
             CROSS JOIN (SELECT CAST(?2 AS BIGINT) AS key, 0 AS track UNION ALL
               SELECT key, track FROM schedule WHERE tenant = ?1 AND diary = ?2) d
             LEFT JOIN slot s ON s.tenant = t.key AND s.schedule = d.key AND s.start >= ?4 AND s.start < ?5
             WHERE t.key = ?1 ORDER BY s.start, s.finish, d.track"
        ),
        values![self.key.0, schedule.0, day, from, from + DAY],
        |row| {
            version = row.get(0)?;
            if row.get::<Option<i64>>(SLOTS_OF_DAY)?.is_some() {
                slots.push(slot_row(row, SLOTS_OF_DAY, &mut labels)?);
            }
            Ok(())
        },
    )?;
    Ok((version, slots))
        })
    }

    /// A slot by its id.
    pub fn slot(self, uuid: Uuid) -> Result<Option<PlacedSlot>, StoreError> {
        self.read(|c| slot(c, self.key, uuid))
    }

    /// A version of an appointment; `None`: the current one.
    pub fn appointment(
        self,
        id: &ResourceId,
        version: Option<u32>,
    ) -> Result<Option<StoredAppointment>, StoreError> {
        self.read(|c| appointment(c, self.key, id, version))
    }

    /// All versions, oldest first; none if the appointment is unknown.
    pub fn history(self, id: &ResourceId) -> Result<Vec<StoredAppointment>, StoreError> {
        self.read(|c| {
            let found = c.all(
                &format!(
                    "SELECT {VERSION_COLUMNS} FROM appointment a
             JOIN appointment_version v ON v.tenant = a.tenant AND v.appointment = a.key
             WHERE a.tenant = ?1 AND a.id = ?2 ORDER BY v.version"
                ),
                values![self.key.0, id.as_str()],
                stored_appointment,
            )?;
            Ok(found)
        })
    }

    /// The request as received that made a version (DAT-04), where it was kept.
    pub fn received(self, id: &ResourceId, version: u32) -> Result<Option<Bytes>, StoreError> {
        self.read(|c| {
            let found: Option<Option<Vec<u8>>> = c.one(
                "SELECT v.received FROM appointment a
         JOIN appointment_version v ON v.tenant = a.tenant AND v.appointment = a.key
         WHERE a.tenant = ?1 AND a.id = ?2 AND v.version = ?3",
                values![self.key.0, id.as_str(), version],
                |r| r.get(0),
            )?;
            Ok(found.flatten().map(Bytes::from))
        })
    }

    /// Who used an `X-Request-ID` for a create or update that succeeded.
    pub fn request_id(self, wanted: &RequestId) -> Result<Option<UsedRequestId>, StoreError> {
        self.read(|c| request_id(c, self.key, wanted))
    }

    /// Live bookings that a cap counts.
    pub fn bookings_on(self, of: &BookingCount<'_>) -> Result<u32, StoreError> {
        self.read(|c| bookings_on(c, self.key, of))
    }

    /// Live bookings of schedules that start at or after a moment, in order of start within each schedule; at most `limit`.
    pub fn live_bookings(
        self,
        schedules: &[ScheduleKey],
        from: Timestamp,
        limit: usize,
    ) -> Result<Vec<BookingRow>, StoreError> {
        let limit = limit.min(LIST_MOST);
        self.read(|c| {
            let sql = format!(
                "SELECT {PLACED_COLUMNS}, {LISTED_COLUMNS} FROM {PLACED_FROM}
         WHERE s.tenant = ?1 AND s.schedule IN (SELECT CAST(?2 AS BIGINT) UNION ALL
             SELECT key FROM schedule WHERE tenant = ?1 AND diary = ?2)
           AND s.start >= ?3 AND a.live = 1
         ORDER BY s.start, s.key LIMIT ?4"
            );
            let mut labels = Labels::new(c, self.key);
            let mut found = Vec::new();
            for schedule in schedules {
                let left = rows(limit.saturating_sub(found.len()));
                c.each(
                    &sql,
                    values![self.key.0, schedule.0, millis(from), left],
                    |row| {
                        found.push(booking_row(row, &mut labels)?);
                        Ok(())
                    },
                )?;
            }
            Ok(found)
        })
    }

    /// Live bookings linked to a referral document, in any letter case (REF-PRO-02); several are possible (PROV-BOOK-07).
    pub fn bookings_of_document(
        self,
        document: &str,
        limit: usize,
    ) -> Result<Vec<BookingRow>, StoreError> {
        let limit = limit.min(LIST_MOST);
        self.read(|c| {
    let mut labels = Labels::new(c, self.key);
    let document = document.to_ascii_lowercase();
    let found = c.all(
        &format!(
            "SELECT {PLACED_COLUMNS}, {LISTED_COLUMNS} FROM document_link k
             JOIN appointment a ON a.tenant = k.tenant AND a.key = k.appointment AND a.live = 1
             JOIN slot s ON s.tenant = a.tenant AND s.key = a.slot
             JOIN schedule d ON d.tenant = s.tenant AND d.key = s.schedule
             WHERE k.tenant = ?1 AND k.document = ?2 AND k.ended_at IS NULL ORDER BY a.start LIMIT ?3"
        ),
        values![self.key.0, &document, rows(limit)],
        |row| booking_row(row, &mut labels),
    )?;
    Ok(found)
        })
    }
}

/// `n` marks `?first, …` for a list, rounded up to a power of two so that there are few texts to prepare. Returns how
/// many there are.
pub(super) fn marks(first: usize, n: usize) -> (usize, String) {
    let n = n.next_power_of_two();
    let marks: Vec<String> = (first..first + n).map(|i| format!("?{i}")).collect();
    (n, marks.join(", "))
}

/// Texts of a tenant's labels, each read once by a connection.
pub(super) struct Labels<'c> {
    connection: &'c Connection,
    tenant: TenantKey,
    /// The last ones asked for: the slots of a day have one or two.
    last: [Option<(i64, Arc<str>)>; 2],
}

impl<'c> Labels<'c> {
    pub(super) fn new(connection: &'c Connection, tenant: TenantKey) -> Labels<'c> {
        Labels {
            connection,
            tenant,
            last: [None, None],
        }
    }

    fn text(&mut self, key: Option<i64>) -> Result<Option<Arc<str>>, StoreError> {
        let Some(key) = key else { return Ok(None) };
        if let Some((_, text)) = self.last.iter().flatten().find(|(k, _)| *k == key) {
            return Ok(Some(text.clone()));
        }
        let text = match self.connection.label(key) {
            Some(text) => text,
            None => self.read(key)?,
        };
        self.last.swap(0, 1);
        self.last[0] = Some((key, text.clone()));
        Ok(Some(text))
    }

    fn read(&self, key: i64) -> Result<Arc<str>, StoreError> {
        let sql = "SELECT text FROM label WHERE key = ?1 AND tenant = ?2";
        let found = self
            .connection
            .one(sql, values![key, self.tenant.0], |r| r.get::<String>(0))?;
        let text: Arc<str> = found.ok_or_else(|| corrupt("the label of a slot"))?.into();
        self.connection.remember_label(key, text.clone());
        Ok(text)
    }
}

/// The columns that [`slot_row`] reads, in its order, of a slot called `s` on a track called `d`.
pub(super) const SLOT_COLUMNS: &str =
    "s.key, s.uuid, s.start, s.finish, s.status, s.held, s.channel, s.template, s.release, d.track";
/// The columns that [`placed_slot`] reads. A slot's schedule is the diary that its track belongs to.
pub(super) const PLACED_COLUMNS: &str = "s.key, s.uuid, s.start, s.finish, s.status, s.held, s.channel, s.template, s.release, d.track, coalesce(d.diary, s.schedule), d.id, a.id";
/// What these columns come from.
pub(super) const PLACED_FROM: &str = "slot s JOIN schedule d ON d.tenant = s.tenant AND d.key = s.schedule \
     LEFT JOIN appointment a ON a.tenant = s.tenant AND a.slot = s.key AND a.live = 1";

/// Reads a slot whose columns begin at `first`.
fn slot_row(row: &Row<'_>, first: usize, labels: &mut Labels<'_>) -> Result<SlotRow, StoreError> {
    let at = |n: usize| first + n;
    let channel: Option<u8> = row.get(at(6))?;
    Ok(SlotRow {
        key: SlotKey(row.get(at(0))?),
        uuid: Uuid::from_bytes(row.get(at(1))?),
        start: moment(row.get(at(2))?)?,
        end: moment(row.get(at(3))?)?,
        status: SlotStatus::from_number(row.get(at(4))?)
            .ok_or_else(|| corrupt("the state of a slot"))?,
        held: row.get(at(5))?,
        channel: channel.and_then(Channel::from_number),
        template: labels.text(row.get(at(7))?)?,
        release: labels.text(row.get(at(8))?)?,
        track: row.get(at(9))?,
    })
}

pub(super) fn placed_slot(
    row: &Row<'_>,
    labels: &mut Labels<'_>,
) -> Result<PlacedSlot, StoreError> {
    let booking: Option<&str> = row.get(12)?;
    Ok(PlacedSlot {
        slot: slot_row(row, 0, labels)?,
        schedule: ScheduleKey(row.get(10)?),
        schedule_id: diary_of(row.get(11)?).to_owned(),
        booking: booking
            .map(|b| id(b, ResourceId::parse, "the id of an appointment"))
            .transpose()?,
    })
}

/// Stands between the id of a diary and the number of a track in the id of the track's row; no id that is declared has
/// it.
const TRACK: char = '#';

/// The id of a track's row.
pub(super) fn track_id(diary: &str, track: u16) -> String {
    format!("{diary}{TRACK}{track}")
}

/// The id of the diary that a row of `schedule` belongs to.
fn diary_of(id: &str) -> &str {
    id.split_once(TRACK).map_or(id, |(diary, _)| diary)
}

/// Where the columns of the slot begin in [`slots_of_day`].
const SLOTS_OF_DAY: usize = 1;

fn placed_by_uuid() -> String {
    format!("SELECT {PLACED_COLUMNS} FROM {PLACED_FROM} WHERE s.tenant = ?1 AND s.uuid = ?2")
}

/// A slot by its id.
pub(in crate::store) fn slot(
    c: &Connection,
    tenant: TenantKey,
    uuid: Uuid,
) -> Result<Option<PlacedSlot>, StoreError> {
    let found = c.one(
        &placed_by_uuid(),
        values![tenant.0, uuid.as_bytes()],
        |row| placed_slot(row, &mut Labels::new(c, tenant)),
    )?;
    Ok(found)
}

/// The columns that [`stored_appointment`] reads, of an appointment called `a` and a version called `v`.
pub(super) const VERSION_COLUMNS: &str =
    "a.id, v.version, v.status, v.at, v.json, a.slot, a.service, a.booked_asid";
/// How many they are.
pub(super) const VERSION_WIDTH: usize = 8;

pub(super) fn stored_appointment(row: &Row<'_>) -> Result<StoredAppointment, StoreError> {
    Ok(StoredAppointment {
        id: id(row.get(0)?, ResourceId::parse, "the id of an appointment")?,
        version: row.get(1)?,
        status: AppointmentStatus::from_number(row.get(2)?)
            .ok_or_else(|| corrupt("the state of an appointment"))?,
        last_updated: moment(row.get(3)?)?,
        json: Bytes::from(row.get::<Vec<u8>>(4)?),
        slot: SlotKey(row.get(5)?),
        service: id(row.get(6)?, ServiceId::parse, "a service id")?,
        booked_by: id(row.get(7)?, Asid::parse, "an ASID")?,
    })
}

pub(in crate::store) fn appointment(
    c: &Connection,
    tenant: TenantKey,
    id: &ResourceId,
    version: Option<u32>,
) -> Result<Option<StoredAppointment>, StoreError> {
    let found = c.one(
        &format!(
            "SELECT {VERSION_COLUMNS} FROM appointment a JOIN appointment_version v
             ON v.tenant = a.tenant AND v.appointment = a.key AND v.version = coalesce(?3, a.version)
             WHERE a.tenant = ?1 AND a.id = ?2"
        ),
        values![tenant.0, id.as_str(), version],
        stored_appointment,
    )?;
    Ok(found)
}

/// A limit as the database takes it.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

const REQUEST_ID: &str = "SELECT v.asid, v.ods, a.id FROM appointment_version v
     JOIN appointment a ON a.tenant = v.tenant AND a.key = v.appointment
     WHERE v.tenant = ?1 AND v.request_id = ?2";

pub(in crate::store) fn request_id(
    c: &Connection,
    tenant: TenantKey,
    wanted: &RequestId,
) -> Result<Option<UsedRequestId>, StoreError> {
    let found = c.one(REQUEST_ID, values![tenant.0, wanted.as_str()], |r| {
        Ok(UsedRequestId {
            request_id: wanted.clone(),
            asid: id(r.get(0)?, Asid::parse, "an ASID")?,
            ods: id(r.get(1)?, OdsCode::parse, "an ODS code")?,
            appointment: id(r.get(2)?, ResourceId::parse, "the id of an appointment")?,
        })
    })?;
    Ok(found)
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
    let count = c.number(
        "SELECT count(*) FROM appointment WHERE tenant = ?1 AND day = ?2 AND live = 1
         AND (CAST(?3 AS TEXT) IS NULL OR (booked_asid = ?3 AND booked_claimed <> 2))
         AND (CAST(?4 AS TEXT) IS NULL OR (booked_ods = ?4 AND booked_claimed <> 1))
         AND (CAST(?5 AS TEXT) IS NULL OR booked_kind = ?5) AND (CAST(?6 AS TEXT) IS NULL OR service = ?6)
         AND (CAST(?7 AS TEXT) IS NULL OR template = (SELECT key FROM label WHERE tenant = ?1 AND text = ?7))
         AND (CAST(?8 AS TEXT) IS NULL OR release = (SELECT key FROM label WHERE tenant = ?1 AND text = ?8))",
        values![
            tenant.0,
            of.day,
            asid,
            ods,
            kind,
            of.service.map(ServiceId::as_str),
            of.template,
            of.release
        ],
    )?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

const LISTED_COLUMNS: &str = "a.service, a.booked_at, a.booked_asid, a.booked_ods, \
     (SELECT document FROM document_link l \
      WHERE l.tenant = a.tenant AND l.appointment = a.key AND l.ended_at IS NULL LIMIT 1)";
/// Where these columns begin after those of the slot.
const BOOKING_AT: usize = 13;

fn booking_row(row: &Row<'_>, labels: &mut Labels<'_>) -> Result<BookingRow, StoreError> {
    let slot = placed_slot(row, labels)?;
    let text = |n: usize| row.get::<&str>(BOOKING_AT + n);
    Ok(BookingRow {
        id: slot
            .booking
            .clone()
            .ok_or_else(|| corrupt("a booking without an id"))?,
        service: id(text(0)?, ServiceId::parse, "a service id")?,
        booked_at: moment(row.get(BOOKING_AT + 1)?)?,
        asid: id(text(2)?, Asid::parse, "an ASID")?,
        ods: id(text(3)?, OdsCode::parse, "an ODS code")?,
        document: row.get(BOOKING_AT + 4)?,
        slot,
    })
}
