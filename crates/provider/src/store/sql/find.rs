//! Appointments by what is asked for: everything is filtered and counted by the database, before anything is cut off.

use super::query::Query;
use super::read::{self, millis};
use crate::store::appointment::{AppointmentCursor, AppointmentFilter, FoundAppointments};
use crate::store::driver::{Connection, Value};
use crate::store::error::StoreError;
use crate::store::{LIST_MOST, Tenant};
use crate::tenant_key::TenantKey;

impl Tenant<'_> {
    /// A page of the appointments of a filter in their current versions, at most `limit`: live ones first, then the latest
    /// start first. The filter holds before the limit, and all that it finds are counted.
    pub fn find_appointments(
        self,
        filter: &AppointmentFilter<'_>,
        after: Option<AppointmentCursor>,
        limit: usize,
    ) -> Result<FoundAppointments, StoreError> {
        let limit = limit.min(LIST_MOST);
        self.read(|c| {
    let mut query = Query::new(
        format!(
            "SELECT {}, a.live, a.start, a.key FROM appointment a JOIN appointment_version v
             ON v.tenant = a.tenant AND v.appointment = a.key AND v.version = a.version WHERE a.tenant = ?1",
            read::VERSION_COLUMNS
        ),
        vec![self.key.0.into()],
    );
    narrow(&mut query, filter);
    if let Some(AppointmentCursor { live, start, key }) = after {
        let marks = [query.mark(live), query.mark(start), query.mark(key)];
        query.sql.push_str(&format!(
            " AND (a.live, a.start, a.key) < ({})",
            marks.join(", ")
        ));
    }
    let mark = query.mark(read::rows(limit.saturating_add(1)));
    query.sql.push_str(&format!(
        " ORDER BY a.live DESC, a.start DESC, a.key DESC LIMIT {mark}"
    ));
    let mut found = c.all(&query.sql, &query.values, |row| {
        let cursor = AppointmentCursor {
            live: row.get(read::VERSION_WIDTH)?,
            start: row.get(read::VERSION_WIDTH + 1)?,
            key: row.get(read::VERSION_WIDTH + 2)?,
        };
        Ok((read::stored_appointment(row)?, cursor))
    })?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(_, cursor)| *cursor);
    let page: Vec<_> = found.into_iter().map(|(stored, _)| stored).collect();
    let total = match after.is_none() && !more {
        true => page.len() as u64,
        false => count(c, self.key, filter)?,
    };
    Ok(FoundAppointments { page, total, next })
        })
    }
}

fn count(
    c: &Connection,
    tenant: TenantKey,
    filter: &AppointmentFilter<'_>,
) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM appointment a WHERE a.tenant = ?1".to_owned();
    let mut query = Query::new(sql, vec![tenant.0.into()]);
    narrow(&mut query, filter);
    let counted = c.number(&query.sql, &query.values)?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

fn narrow<'f>(query: &mut Query<'f>, filter: &AppointmentFilter<'f>) {
    if let Some(patient) = filter.patient {
        query.and("a.nhs_number = ??", patient.as_str());
    }
    if let Some(id) = filter.id {
        query.and("a.id = ??", id.as_str());
    }
    if let Some(status) = filter.status {
        query.and("a.status = ??", status as u8);
    }
    if let Some(version) = filter.version {
        query.and("a.version = ??", version);
    }
    if let Some(from) = filter.from {
        query.and("a.start >= ??", millis(from));
    }
    if let Some(before) = filter.before {
        query.and("a.start < ??", millis(before));
    }
    if let Some(end) = filter.ends_after {
        query.and("a.finish > ??", millis(end));
    }
    if let Some(shown) = filter.shown {
        let own = query.mark(shown.asid.as_str());
        let not = if shown.are_shown { "" } else { "NOT " };
        // An empty list is one that no service is in.
        let last = shown.services.last().map_or("", |s| s.as_str());
        let (n, marks) = read::marks(query.values.len() + 1, shown.services.len());
        let services = shown.services.iter().map(|s| s.as_str());
        let services = services.chain(std::iter::repeat(last)).take(n);
        query.values.extend(services.map(Value::from));
        query.sql.push_str(&format!(
            " AND (a.booked_asid = {own} OR a.service {not}IN ({marks}))"
        ));
    }
}
