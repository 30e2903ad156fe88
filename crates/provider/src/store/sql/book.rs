//! The booking transaction (PROV-BOOK-01, 03, 08, 11, 12, 13).

use super::group::Group;
use super::made;
use super::read::{self, millis, moment};
use super::referral;
use crate::audit::{self, AuditEntry, MadeVersion};
use crate::store::Tenant;
use crate::store::appointment::{Accepted, AppointmentStatus, Booking, Counts, StoredAppointment};
use crate::store::conflict::Conflict;
use crate::store::driver::{Connection, Fault, values};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{BookingCount, PlacedSlot, TenantKey, london_day, utc_day};
use booking::ids::{Asid, NhsNumber, OdsCode, RequestId, ResourceId};
use booking::slot::SlotStatus;
use bytes::Bytes;
use jiff::Timestamp;
use std::cell::RefCell;
use uuid::Uuid;

/// What a rule may ask while the transaction is open.
struct Asked<'c> {
    connection: &'c Connection,
    tenant: TenantKey,
    failed: RefCell<Option<StoreError>>,
}

impl Counts for Asked<'_> {
    fn bookings_on(&self, of: &BookingCount<'_>) -> u32 {
        let counted = read::bookings_on(self.connection, self.tenant, of);
        counted.unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            u32::MAX
        })
    }
}

/// What an attempt learns that is also recorded when it fails.
#[derive(Default)]
struct Learned {
    slot: Option<(Uuid, SlotStatus)>,
    /// The appointment that an earlier request with this id made.
    existing: Option<ResourceId>,
}

impl Learned {
    fn note(&self, entry: &mut AuditEntry) {
        entry.slot = self.slot.map(|(uuid, _)| uuid.to_string());
        entry.slot_before = self.slot.map(|(_, status)| status.code());
    }
}

impl Tenant<'_> {
    /// Books a slot, all or nothing. The audit row of the attempt is written either way; only when the store itself
    /// fails ([`WriteError::Store`]) there is none.
    pub async fn book(self, booking: Booking) -> Result<StoredAppointment, WriteError> {
        let tenant = self.key;
        self.write(move |group| book(group, tenant, &booking)).await
    }
}

fn book(
    group: &mut Group<'_>,
    tenant: TenantKey,
    booking: &Booking,
) -> Result<StoredAppointment, WriteError> {
    let mut learned = Learned::default();
    let outcome = group.attempt(|g| attempt(g, tenant, booking, &mut learned));
    if outcome.is_ok() {
        return outcome;
    }
    let mut entry = booking.entry.clone();
    learned.note(&mut entry);
    // There is no such appointment to name, unless it was made before.
    entry.appointment = learned.existing.map(|id| id.as_str().to_owned());
    record_refusal(group, tenant, entry, outcome)
}

/// Writes the audit row of a refused attempt, in the same transaction as everything else (AUD-01).
pub(super) fn record_refusal<T>(
    group: &mut Group<'_>,
    tenant: TenantKey,
    mut entry: AuditEntry,
    outcome: Result<T, WriteError>,
) -> Result<T, WriteError> {
    if let Err(WriteError::Refused(refusal)) = &outcome {
        entry.refused(refusal, audit::Fault::of(refusal));
        entry.slot_after = entry.slot_before;
        group.attempt(|g| Ok(g.append_audit(tenant, &entry.body())?))?;
    }
    outcome
}

/// Whether the id was used by a request that succeeded (PROV-BOOK-11, PROV-CAN-09).
pub(super) fn refuse_repeat(
    connection: &Connection,
    tenant: TenantKey,
    request_id: Option<&RequestId>,
    asid: &Asid,
    ods: &OdsCode,
) -> Result<(), WriteError> {
    let Some(id) = request_id else { return Ok(()) };
    match read::request_id(connection, tenant, id)? {
        Some(used) => Err(Conflict::repeated(used, asid, ods).into()),
        None => Ok(()),
    }
}

fn attempt(
    group: &mut Group<'_>,
    tenant: TenantKey,
    booking: &Booking,
    learned: &mut Learned,
) -> Result<StoredAppointment, WriteError> {
    let c = group.connection;
    let document = booking.document_id.as_deref().map(str::to_ascii_lowercase);
    let document = document.as_deref();
    let request_id = booking.request_id.as_ref();
    read::ahead_of_booking(c, tenant, request_id, booking.slot.as_ref())?;
    if let Some(document) = document {
        referral::ahead_of_join(c, tenant, document)?;
    }
    refuse_repeat(c, tenant, request_id, &booking.asid, &booking.ods).inspect_err(|error| {
        if let WriteError::Refused(refusal) = error {
            learned.existing = refusal.existing.clone();
        }
    })?;
    let (slot, accepted) = decided(c, tenant, booking, learned)?;
    let patient = booking.nhs_number.as_ref();
    let mut entry = booking.entry.clone();
    let joined = match document {
        Some(document) => referral::joined_by(c, tenant, document, patient, booking.at)?,
        None => false,
    };
    if joined {
        entry.detail = Some("the referral received before it joined the booking".to_owned());
    }
    learned.note(&mut entry);
    entry.appointment = Some(booking.id.as_str().to_owned());
    entry.version = Some(1);
    entry.service = Some(accepted.service.as_str().to_owned());
    entry.slot_after = Some(SlotStatus::Busy.code());
    if entry.interaction.is_some() {
        entry.status = 201;
    }
    let made = insert(c, tenant, &slot, booking, (&accepted, document)).map_err(taken_or)?;
    entry.made = Some(made);
    entry.document = document.map(str::to_owned);
    group.append_audit(tenant, &entry.body())?;
    // Last, since its answer is waited for: that of everything before comes with it.
    take_slot(c, tenant, &slot)?;
    Ok(StoredAppointment {
        id: booking.id.clone(),
        version: 1,
        status: AppointmentStatus::Booked,
        last_updated: moment(millis(booking.at))?,
        json: Bytes::from(accepted.document),
        slot: slot.slot.key,
    })
}

/// The index that keeps live bookings apart (PROV-BOOK-03) is reached only if the slot's state was wrong.
fn taken_or(fault: Fault) -> WriteError {
    match fault.is_live_booking() {
        true => Conflict::SlotNotFree(SlotStatus::Busy).into(),
        false => fault.into(),
    }
}

/// Reads the slot and asks the rule, unless it was read before the last change of the diary.
fn decided(
    c: &Connection,
    tenant: TenantKey,
    booking: &Booking,
    learned: &mut Learned,
) -> Result<(PlacedSlot, Accepted), WriteError> {
    let slot = match booking.slot {
        Some(uuid) => read::slot(c, tenant, uuid)?,
        None => None,
    };
    learned.slot = slot.as_ref().map(|s| (s.slot.uuid, s.slot.status));
    if let Some(declared) = booking.declared
        && declared != read::catalogue_version(c, tenant)?
    {
        return Err(WriteError::DiaryChanged);
    }
    let asked = Asked {
        connection: c,
        tenant,
        failed: RefCell::new(None),
    };
    let decided = (booking.decide)(slot.as_ref(), &asked);
    if let Some(error) = asked.failed.into_inner() {
        return Err(error.into());
    }
    let accepted = decided?;
    Ok((slot.ok_or(Conflict::SlotUnknown)?, accepted))
}

/// Makes a free slot busy; whatever the rule said, one that is not free stays as it is.
fn take_slot(c: &Connection, tenant: TenantKey, slot: &PlacedSlot) -> Result<(), WriteError> {
    bump_day(c, tenant, slot.schedule.0, utc_day(slot.slot.start))?;
    let taken = c.execute(
        "UPDATE slot SET status = 1 WHERE key = ?1 AND tenant = ?2 AND status = 0",
        values![slot.slot.key.0, tenant.0],
    );
    match taken.map_err(taken_or)? {
        1 => Ok(()),
        _ => Err(Conflict::SlotNotFree(slot.slot.status).into()),
    }
}

/// A slot of this schedule and day has changed: searches read it again.
pub(super) fn bump_day(
    c: &Connection,
    tenant: TenantKey,
    schedule: i64,
    day: i32,
) -> Result<(), StoreError> {
    c.execute_later(
        "INSERT INTO slot_day (tenant, schedule, day, version) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (tenant, schedule, day) DO UPDATE SET version = slot_day.version + 1",
        values![tenant.0, schedule, day],
    )?;
    Ok(())
}

/// One version of an appointment, to be stored.
pub(super) struct Version<'a> {
    pub(super) number: u32,
    pub(super) status: AppointmentStatus,
    pub(super) at: Timestamp,
    pub(super) asid: &'a Asid,
    pub(super) ods: &'a OdsCode,
    pub(super) request_id: Option<&'a RequestId>,
    pub(super) json: &'a [u8],
    pub(super) received: Option<&'a [u8]>,
}

/// Writes the appointment, its first version and the link to its document, if it names one; returns the digests of all.
fn insert(
    c: &Connection,
    tenant: TenantKey,
    placed: &PlacedSlot,
    booking: &Booking,
    (accepted, document): (&Accepted, Option<&str>),
) -> Result<MadeVersion, Fault> {
    let slot = &placed.slot;
    let (id, at) = (booking.id.as_str(), millis(booking.at));
    let day = london_day(slot.start);
    let patient = booking.nhs_number.as_ref().map(NhsNumber::as_str);
    c.execute_later(
        "INSERT INTO appointment (tenant, id, version, status, live, slot, schedule, start, finish, day, service,
           template, release, nhs_number, booked_at, booked_asid, booked_ods, booked_kind, booked_claimed)
         SELECT tenant, ?2, 1, 0, 1, key, ?11, start, finish, ?4, ?5, template, release, ?6, ?7, ?8, ?9, ?10, ?12
         FROM slot WHERE key = ?3 AND tenant = ?1",
        values![
            tenant.0,
            id,
            slot.key.0,
            day,
            accepted.service.as_str(),
            patient,
            at,
            booking.asid.as_str(),
            booking.ods.as_str(),
            booking.kind.as_deref(),
            placed.schedule.0,
            booking.claimed as u8,
        ],
    )?;
    let version = Version {
        number: 1,
        status: AppointmentStatus::Booked,
        at: booking.at,
        asid: &booking.asid,
        ods: &booking.ods,
        request_id: booking.request_id.as_ref(),
        json: &accepted.document,
        received: booking.received.as_deref(),
    };
    insert_version(c, tenant, id, &version)?;
    if let Some(document) = document {
        c.execute_later(
            "INSERT INTO document_link (tenant, document, appointment, linked_at)
             VALUES (?1, ?2, (SELECT key FROM appointment WHERE tenant = ?1 AND id = ?3), ?4)",
            values![tenant.0, document, id, at],
        )?;
    }
    // In the order of `made::DIGESTED_COLUMNS`.
    let booked = made::booked(values![
        slot.key.0,
        placed.schedule.0,
        millis(slot.start),
        millis(slot.end),
        day,
        accepted.service.as_str(),
        patient,
        at,
        booking.asid.as_str(),
        booking.ods.as_str(),
        booking.kind.as_deref(),
        booking.claimed as u8,
    ]);
    Ok(made::of(id, &version, &booked))
}

/// Writes a version of the appointment with an id.
pub(super) fn insert_version(
    c: &Connection,
    tenant: TenantKey,
    id: &str,
    version: &Version<'_>,
) -> Result<(), Fault> {
    c.execute_later(
        "INSERT INTO appointment_version (tenant, appointment, version, status, at, asid, ods, request_id, json,
           received)
         VALUES (?1, (SELECT key FROM appointment WHERE tenant = ?1 AND id = ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        values![
            tenant.0,
            id,
            version.number,
            version.status as u8,
            millis(version.at),
            version.asid.as_str(),
            version.ods.as_str(),
            version.request_id.map(RequestId::as_str),
            version.json,
            version.received,
        ],
    )
}
