//! Figures for operators, and the check that a write goes through.

use super::group::Group;
use super::read::id;
use super::referral::owner;
use crate::store::driver::values;
use crate::store::error::{StoreError, WriteError};
use crate::store::gauges::Waiting;
use crate::store::{Store, Tenant};
use crate::tenant_key::TenantKey;
use booking::ids::ServiceId;
use jiff::Timestamp;

impl Tenant<'_> {
    /// Live bookings from a London day ([`london_day`](crate::store::london_day)) on, by service.
    pub fn live_by_service(self, from_day: i32) -> Result<Vec<(ServiceId, u64)>, StoreError> {
        self.read(|c| {
    let counts = c.all(
        "SELECT service, count(*) FROM appointment WHERE tenant = ?1 AND day >= ?2 AND live = 1 GROUP BY service",
        values![self.key.0, from_day],
        |row| {
            let count: i64 = row.get(1)?;
            let service = id(row.get(0)?, ServiceId::parse, "a service id")?;
            Ok((service, u64::try_from(count).unwrap_or(0)))
        },
    )?;
    Ok(counts)
        })
    }
}

impl Store {
    /// Referrals received since a moment that wait for somebody. `None`: those that belong to nobody.
    pub fn referrals_waiting(
        &self,
        tenant: Option<TenantKey>,
        since: Timestamp,
    ) -> Result<Waiting, StoreError> {
        self.read(|c| {
            let (whose, owner) = owner(c, tenant);
            let sql = format!(
                "SELECT count(CASE WHEN r.state = 0 AND NOT EXISTS (SELECT 1 FROM document_link l
           WHERE l.tenant = r.tenant AND l.document = r.document) THEN 1 END),
         count(CASE WHEN r.state = 2 THEN 1 END)
         FROM referral r WHERE r.{whose} AND r.received_at >= ?2"
            );
            let found = c.one(&sql, values![owner, since.as_millisecond()], |row| {
                Ok((row.get::<i64>(0)?, row.get::<i64>(1)?))
            })?;
            let (unmatched, quarantined) = found.unwrap_or_default();
            Ok(Waiting {
                unmatched: u64::try_from(unmatched).unwrap_or(0),
                quarantined: u64::try_from(quarantined).unwrap_or(0),
            })
        })
    }
}

/// Writes what changes nothing and must still be as durable as a booking: the mark of our files on SQLite, a message in
/// the WAL that nobody reads on PostgreSQL.
pub(in crate::store) fn probe(group: &mut Group<'_>) -> Result<(), WriteError> {
    group.attempt(|g| g.connection.probe().map_err(|fault| fault.error.into()))
}
