//! The cancelling transaction (PROV-CAN-03, 05, 06, 09, 11).

use super::book::{bump_day, insert_version, record_refusal, refuse_repeat};
use super::group::Group;
use super::made::{self, DIGESTED_COLUMNS};
use super::read::{self, VERSION_COLUMNS, VERSION_WIDTH, millis, moment};
use crate::audit::AuditEntry;
use crate::store::Tenant;
use crate::store::appointment::{AppointmentStatus, Cancellation, StoredAppointment, WriteRequest};
use crate::store::conflict::Conflict;
use crate::store::driver::{Connection, corrupt, values};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{TenantKey, utc_day};
use booking::ids::ResourceId;
use booking::slot::SlotStatus;
use bytes::Bytes;
use uuid::Uuid;

impl Tenant<'_> {
    /// Cancels an appointment and frees its slot, all or nothing; audit as for [`Tenant::book`].
    pub async fn cancel(self, change: Cancellation) -> Result<StoredAppointment, WriteError> {
        let tenant = self.key;
        self.write(move |group| cancel(group, tenant, &change))
            .await
    }
}

fn cancel(
    group: &mut Group<'_>,
    tenant: TenantKey,
    change: &Cancellation,
) -> Result<StoredAppointment, WriteError> {
    let mut entry = change.request.entry.clone();
    let outcome = group.attempt(|g| attempt(g, tenant, change, &mut entry));
    record_refusal(group, tenant, entry, outcome)
}

/// An appointment in its current version, with what a cancellation changes beside it.
struct Held {
    current: StoredAppointment,
    key: i64,
    schedule: i64,
    start: i64,
    document: Option<String>,
    /// Its slot, unless that was removed.
    slot: Option<(Uuid, SlotStatus)>,
    /// Digest of what the booking is of.
    booked: [u8; 32],
}

fn held_sql() -> String {
    format!(
        "SELECT {VERSION_COLUMNS}, a.key, a.schedule, a.start,
           (SELECT l.document FROM document_link l
            WHERE l.tenant = a.tenant AND l.appointment = a.key AND l.ended_at IS NULL LIMIT 1),
           s.uuid, s.status, {DIGESTED_COLUMNS}
         FROM appointment a
         JOIN appointment_version v ON v.tenant = a.tenant AND v.appointment = a.key AND v.version = a.version
         LEFT JOIN slot s ON s.tenant = a.tenant AND s.key = a.slot
         WHERE a.tenant = ?1 AND a.id = ?2"
    )
}

fn held(c: &Connection, tenant: TenantKey, id: &ResourceId) -> Result<Option<Held>, StoreError> {
    const AT: usize = VERSION_WIDTH;
    let found = c.one(&held_sql(), values![tenant.0, id.as_str()], |r| {
        let slot = match (r.get(AT + 4)?, r.get::<Option<u8>>(AT + 5)?) {
            (Some(uuid), Some(status)) => {
                let status = SlotStatus::from_number(status);
                let status = status.ok_or_else(|| corrupt("the state of a slot"))?;
                Some((Uuid::from_bytes(uuid), status))
            }
            _ => None,
        };
        Ok(Held {
            current: read::stored_appointment(r)?,
            key: r.get(AT)?,
            schedule: r.get(AT + 1)?,
            start: r.get(AT + 2)?,
            document: r.get(AT + 3)?,
            slot,
            booked: made::booked_of(r, AT + 6)?,
        })
    })?;
    Ok(found)
}

/// Cancels; `seen` gets what is recorded also when the cancellation is refused.
fn attempt(
    group: &mut Group<'_>,
    tenant: TenantKey,
    change: &Cancellation,
    seen: &mut AuditEntry,
) -> Result<StoredAppointment, WriteError> {
    let (c, request) = (group.connection, &change.request);
    if c.is_remote() {
        read::ahead_of_request_id(c, tenant, request.request_id.as_ref())?;
        c.ahead(&held_sql(), values![tenant.0, change.id.as_str()])?;
    }
    refuse_repeat(c, tenant, request)?;
    let held = held(c, tenant, &change.id)?
        .ok_or_else(|| Conflict::AppointmentUnknown(change.id.clone()))?;
    let current = &held.current;
    seen.appointment = Some(change.id.as_str().to_owned());
    seen.service = Some(current.service.as_str().to_owned());
    seen.document = held.document.clone();
    if let Some((uuid, status)) = &held.slot {
        seen.slot = Some(uuid.to_string());
        seen.slot_before = Some(status.code());
    }
    if current.version != change.expected {
        let given = change.expected.to_string();
        let current = current.version;
        return Err(Conflict::OtherVersion { given, current }.into());
    }
    let json = Bytes::from((change.decide)(current)?);
    let next = StoredAppointment {
        version: current.version + 1,
        status: AppointmentStatus::Cancelled,
        last_updated: moment(millis(current.next_at(request.at)))?,
        json,
        ..current.clone()
    };
    let mut entry = seen.clone();
    entry.version = Some(next.version);
    entry.made = Some(made::of(&next, request, &held.booked));
    entry.slot_after = held.slot.map(|(_, status)| freed(status).code());
    group.append_audit(tenant, &entry.body())?;
    write(c, tenant, &held, &next, request)?;
    Ok(next)
}

/// Only a slot that the booking made busy becomes free; what staff did to it since stays.
fn freed(status: SlotStatus) -> SlotStatus {
    match status {
        SlotStatus::Busy => SlotStatus::Free,
        other => other,
    }
}

/// Writes the version, frees the slot, ends document link and booking.
fn write(
    c: &Connection,
    tenant: TenantKey,
    held: &Held,
    next: &StoredAppointment,
    request: &WriteRequest,
) -> Result<(), WriteError> {
    insert_version(c, tenant, next, request)?;
    let at = millis(next.last_updated);
    if let Some((_, SlotStatus::Busy)) = held.slot {
        c.execute_later(
            "UPDATE slot SET status = 0 WHERE key = ?1 AND tenant = ?2 AND status = 1",
            values![next.slot.0, tenant.0],
        )?;
    }
    bump_day(c, tenant, held.schedule, utc_day(moment(held.start)?))?;
    c.execute_later(
        "UPDATE document_link SET ended_at = ?3 WHERE appointment = ?1 AND tenant = ?2 AND ended_at IS NULL",
        values![held.key, tenant.0, at],
    )?;
    // Last, since its answer is waited for: that of everything before comes with it.
    let ended = c.execute(
        "UPDATE appointment SET version = ?3, status = ?4, live = 0, cancelled_at = ?5, cancelled_asid = ?6,
           cancelled_ods = ?7 WHERE key = ?1 AND tenant = ?2 AND live = 1",
        values![
            held.key,
            tenant.0,
            next.version,
            next.status as u8,
            at,
            request.asid.as_str(),
            request.ods.as_str(),
        ],
    )?;
    match ended {
        1 => Ok(()),
        // Behind the rule: the slot may be somebody else's by now (PROV-CAN-07).
        _ => Err(Conflict::AlreadyCancelled.into()),
    }
}
