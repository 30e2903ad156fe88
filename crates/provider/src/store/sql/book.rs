//! The booking transaction (PROV-BOOK-01, 03, 08, 11, 12, 13).

use super::group::Group;
use super::made;
use super::read::{self, millis, moment};
use super::referral;
use crate::audit::{self, AuditEntry};
use crate::store::Tenant;
use crate::store::appointment::{AppointmentStatus, Booking, StoredAppointment, WriteRequest};
use crate::store::conflict::Conflict;
use crate::store::driver::{Connection, Fault, values};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{PlacedSlot, TenantKey, london_day, utc_day};
use booking::ids::{NhsNumber, RequestId, ServiceId};
use booking::slot::SlotStatus;
use std::cell::RefCell;

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
    let mut entry = booking.request.entry.clone();
    let outcome = group.attempt(|g| attempt(g, tenant, booking, &mut entry));
    // There is no such appointment to name, unless an earlier request with this id made it.
    entry.appointment = match &outcome {
        Err(WriteError::Refused(refusal)) => {
            refusal.existing.as_ref().map(|id| id.as_str().to_owned())
        }
        _ => None,
    };
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
    request: &WriteRequest,
) -> Result<(), WriteError> {
    let Some(id) = &request.request_id else {
        return Ok(());
    };
    match read::request_id(connection, tenant, id)? {
        Some(used) => Err(Conflict::repeated(used, &request.asid, &request.ods).into()),
        None => Ok(()),
    }
}

/// Books; `seen` gets what is recorded also when the booking is refused.
fn attempt(
    group: &mut Group<'_>,
    tenant: TenantKey,
    booking: &Booking,
    seen: &mut AuditEntry,
) -> Result<StoredAppointment, WriteError> {
    let (c, request) = (group.connection, &booking.request);
    let document = booking.document_id.as_deref().map(str::to_ascii_lowercase);
    let document = document.as_deref();
    let request_id = request.request_id.as_ref();
    read::ahead_of_booking(c, tenant, request_id, booking.slot.as_ref())?;
    if let Some(document) = document {
        referral::ahead_of_join(c, tenant, document)?;
    }
    refuse_repeat(c, tenant, request)?;
    let (slot, service) = decided(c, tenant, booking, seen)?;
    let joined = match document {
        Some(document) => {
            let patient = booking.nhs_number.as_ref();
            referral::joined_by(c, tenant, document, patient, request.at)?
        }
        None => false,
    };
    let stored = StoredAppointment {
        id: booking.id.clone(),
        version: 1,
        status: AppointmentStatus::Booked,
        last_updated: moment(millis(request.at))?,
        json: booking.json.clone(),
        slot: slot.slot.key,
        service,
        booked_by: request.asid.clone(),
    };
    let booked = insert(c, tenant, &slot, booking, &stored, document).map_err(taken_or)?;
    let mut entry = seen.clone();
    if joined {
        entry.detail = Some("the referral received before it joined the booking".to_owned());
    }
    entry.appointment = Some(stored.id.as_str().to_owned());
    entry.version = Some(stored.version);
    entry.service = Some(stored.service.as_str().to_owned());
    entry.slot_after = Some(SlotStatus::Busy.code());
    entry.made = Some(made::of(&stored, request, &booked));
    entry.document = document.map(str::to_owned);
    group.append_audit(tenant, &entry.body())?;
    // Last, since its answer is waited for: that of everything before comes with it.
    take_slot(c, tenant, &slot)?;
    Ok(stored)
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
    seen: &mut AuditEntry,
) -> Result<(PlacedSlot, ServiceId), WriteError> {
    let slot = match booking.slot {
        Some(uuid) => read::slot(c, tenant, uuid)?,
        None => None,
    };
    seen.slot = slot.as_ref().map(|s| s.slot.uuid.to_string());
    seen.slot_before = slot.as_ref().map(|s| s.slot.status.code());
    if let Some(declared) = booking.declared
        && declared != read::catalogue_version(c, tenant)?
    {
        return Err(WriteError::DiaryChanged);
    }
    let failed = RefCell::new(None);
    let decided = (booking.decide)(slot.as_ref(), &|of| {
        read::bookings_on(c, tenant, of).unwrap_or_else(|error| {
            failed.borrow_mut().get_or_insert(error);
            u32::MAX
        })
    });
    if let Some(error) = failed.into_inner() {
        return Err(error.into());
    }
    let service = decided?;
    Ok((slot.ok_or(Conflict::SlotUnknown)?, service))
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

/// Writes the appointment, its first version and the link to its document, if it names one; returns the digest of what the
/// booking is of.
fn insert(
    c: &Connection,
    tenant: TenantKey,
    placed: &PlacedSlot,
    booking: &Booking,
    version: &StoredAppointment,
    document: Option<&str>,
) -> Result<[u8; 32], Fault> {
    let (slot, request) = (&placed.slot, &booking.request);
    let (id, at) = (version.id.as_str(), millis(request.at));
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
            version.service.as_str(),
            patient,
            at,
            request.asid.as_str(),
            request.ods.as_str(),
            booking.kind.as_deref(),
            placed.schedule.0,
            booking.claimed as u8,
        ],
    )?;
    insert_version(c, tenant, version, request)?;
    if let Some(document) = document {
        c.execute_later(
            "INSERT INTO document_link (tenant, document, appointment, linked_at)
             VALUES (?1, ?2, (SELECT key FROM appointment WHERE tenant = ?1 AND id = ?3), ?4)",
            values![tenant.0, document, id, at],
        )?;
    }
    // In the order of `made::DIGESTED_COLUMNS`.
    Ok(made::booked(values![
        slot.key.0,
        placed.schedule.0,
        millis(slot.start),
        millis(slot.end),
        day,
        version.service.as_str(),
        patient,
        at,
        request.asid.as_str(),
        request.ods.as_str(),
        booking.kind.as_deref(),
        booking.claimed as u8,
    ]))
}

/// Writes a version of an appointment, with the request that made it.
pub(super) fn insert_version(
    c: &Connection,
    tenant: TenantKey,
    version: &StoredAppointment,
    request: &WriteRequest,
) -> Result<(), Fault> {
    c.execute_later(
        "INSERT INTO appointment_version (tenant, appointment, version, status, at, asid, ods, request_id, json,
           received)
         VALUES (?1, (SELECT key FROM appointment WHERE tenant = ?1 AND id = ?2), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        values![
            tenant.0,
            version.id.as_str(),
            version.version,
            version.status as u8,
            millis(version.last_updated),
            request.asid.as_str(),
            request.ods.as_str(),
            request.request_id.as_ref().map(RequestId::as_str),
            version.json.as_ref(),
            request.received.as_deref(),
        ],
    )
}
