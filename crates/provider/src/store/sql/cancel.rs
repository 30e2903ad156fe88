//! The cancelling transaction (PROV-CAN-03, 05, 06, 09, 11).

use super::book::{Version, bump_day, insert_version, record_refusal, refuse_repeat};
use super::group::Group;
use super::made::{self, DIGESTED_COLUMNS};
use super::read::{self, millis, moment};
use crate::audit::AuditEntry;
use crate::store::Tenant;
use crate::store::appointment::{AppointmentStatus, Cancellation, StoredAppointment};
use crate::store::conflict::Conflict;
use crate::store::driver::{Connection, corrupt, values};
use crate::store::error::WriteError;
use crate::store::model::{TenantKey, utc_day};
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
    let mut entry = change.entry.clone();
    let outcome = group.attempt(|g| attempt(g, tenant, change, &mut entry));
    record_refusal(group, tenant, entry, outcome)
}

/// What the appointment's row says beside the resource.
struct Held {
    key: i64,
    schedule: i64,
    start: i64,
    service: String,
    document: Option<String>,
    /// Digest of what the booking is of.
    booked: [u8; 32],
}

fn held(c: &Connection, tenant: TenantKey, id: &str) -> Result<Held, WriteError> {
    let found = c.one(
        &format!(
            "SELECT a.key, a.schedule, a.start, a.service,
               (SELECT l.document FROM document_link l
                WHERE l.tenant = a.tenant AND l.appointment = a.key AND l.ended_at IS NULL LIMIT 1), {DIGESTED_COLUMNS}
             FROM appointment a WHERE a.tenant = ?1 AND a.id = ?2"
        ),
        values![tenant.0, id],
        |r| {
            Ok(Held {
                key: r.get(0)?,
                schedule: r.get(1)?,
                start: r.get(2)?,
                service: r.get(3)?,
                document: r.get(4)?,
                booked: made::booked_of(r, 5)?,
            })
        },
    )?;
    found.ok_or_else(|| corrupt("an appointment without its row").into())
}

fn attempt(
    group: &mut Group<'_>,
    tenant: TenantKey,
    change: &Cancellation,
    entry: &mut AuditEntry,
) -> Result<StoredAppointment, WriteError> {
    let c = group.connection;
    refuse_repeat(
        c,
        tenant,
        change.request_id.as_ref(),
        &change.asid,
        &change.ods,
    )?;
    let current = read::appointment(c, tenant, &change.id, None)?
        .ok_or_else(|| Conflict::AppointmentUnknown(change.id.clone()))?;
    let held = held(c, tenant, change.id.as_str())?;
    entry.appointment = Some(change.id.as_str().to_owned());
    entry.service = Some(held.service.clone());
    entry.document = held.document.clone();
    let before = slot_state(c, tenant, current.slot.0)?;
    if let Some((uuid, status)) = &before {
        entry.slot = Some(uuid.to_string());
        entry.slot_before = Some(status.code());
    }
    if current.version != change.expected {
        let given = change.expected.to_string();
        let current = current.version;
        return Err(Conflict::OtherVersion { given, current }.into());
    }
    let json = (change.decide)(&current)?;
    let (number, at) = (current.version + 1, current.next_at(change.at));
    let version = Version {
        number,
        status: AppointmentStatus::Cancelled,
        at,
        asid: &change.asid,
        ods: &change.ods,
        request_id: change.request_id.as_ref(),
        json: &json,
        received: change.received.as_deref(),
    };
    write(c, tenant, &held, &current, &version)?;
    entry.version = Some(number);
    entry.made = Some(made::of(change.id.as_str(), &version, &held.booked));
    entry.slot_after = slot_state(c, tenant, current.slot.0)?.map(|(_, status)| status.code());
    if entry.interaction.is_some() {
        entry.status = 200;
    }
    group.append_audit(tenant, &entry.body())?;
    Ok(StoredAppointment {
        id: change.id.clone(),
        version: number,
        status: AppointmentStatus::Cancelled,
        last_updated: moment(millis(at))?,
        json: Bytes::from(json),
        slot: current.slot,
    })
}

/// Writes the version, ends booking and document link, frees the slot.
fn write(
    c: &Connection,
    tenant: TenantKey,
    held: &Held,
    current: &StoredAppointment,
    version: &Version<'_>,
) -> Result<(), WriteError> {
    insert_version(c, tenant, current.id.as_str(), version)?;
    let at = millis(version.at);
    let ended = c.execute(
        "UPDATE appointment SET version = ?3, status = ?4, live = 0, cancelled_at = ?5, cancelled_asid = ?6,
           cancelled_ods = ?7 WHERE key = ?1 AND tenant = ?2 AND live = 1",
        values![
            held.key,
            tenant.0,
            version.number,
            AppointmentStatus::Cancelled as u8,
            at,
            version.asid.as_str(),
            version.ods.as_str(),
        ],
    )?;
    if ended != 1 {
        // Behind the rule: the slot may be somebody else's by now (PROV-CAN-07).
        return Err(Conflict::AlreadyCancelled.into());
    }
    // Only a slot that the booking made busy becomes free; what staff did to it since stays.
    c.execute_later(
        "UPDATE slot SET status = 0 WHERE key = ?1 AND tenant = ?2 AND status = 1",
        values![current.slot.0, tenant.0],
    )?;
    bump_day(c, tenant, held.schedule, utc_day(moment(held.start)?))?;
    c.execute_later(
        "UPDATE document_link SET ended_at = ?3 WHERE appointment = ?1 AND tenant = ?2 AND ended_at IS NULL",
        values![held.key, tenant.0, at],
    )?;
    Ok(())
}

fn slot_state(
    c: &Connection,
    tenant: TenantKey,
    key: i64,
) -> Result<Option<(Uuid, SlotStatus)>, WriteError> {
    let sql = "SELECT uuid, status FROM slot WHERE key = ?1 AND tenant = ?2";
    let found = c.one(sql, values![key, tenant.0], |r| {
        let status =
            SlotStatus::from_number(r.get(1)?).ok_or_else(|| corrupt("the state of a slot"))?;
        Ok((Uuid::from_bytes(r.get(0)?), status))
    })?;
    Ok(found)
}
