//! Referrals: filing one, joining a booking that comes afterwards, listing, closing.
//!
//! A booking and a document belong together by a row of `document_link`; a booking makes it when it is made, whether
//! the document is there or not, and a document that is matched by URL adds one. So the two find each other in either
//! order (REF-PRO-02), and a cancellation ends the link of both (REF-PRO-07).

mod file;
mod list;

pub(super) use file::{ahead_of_join, joined_by};

use crate::referral::Wire;
use crate::store::driver::{Connection, Value};
use crate::tenant_key::TenantKey;

/// Filed.
const FILED: u8 = 0;
/// Filed, and another document took its place.
const SUPERSEDED: u8 = 1;
/// Kept aside.
const ASIDE: u8 = 2;
/// Kept aside and dealt with.
const CLOSED: u8 = 3;

fn wire_number(wire: Wire) -> u8 {
    match wire {
        Wire::Soap11 => 0,
        Wire::Soap12 => 1,
        Wire::FhirJson => 2,
        Wire::FhirXml => 3,
    }
}

fn wire_of(number: u8) -> Option<Wire> {
    [Wire::Soap11, Wire::Soap12, Wire::FhirJson, Wire::FhirXml]
        .into_iter()
        .find(|w| wire_number(*w) == number)
}

/// Whose referrals: a condition on the column `tenant` with the parameter `?1`, and its value. What belongs to nobody
/// has no tenant on SQLite, and the tenant 0 on PostgreSQL, where every row leads with one.
pub(super) fn owner(c: &Connection, tenant: Option<TenantKey>) -> (&'static str, Value<'static>) {
    match tenant {
        Some(tenant) => ("tenant = ?1", tenant.0.into()),
        None => c.text(
            ("tenant IS NULL AND ?1 IS NULL", Value::Null),
            ("tenant = ?1", Value::Int(0)),
        ),
    }
}
