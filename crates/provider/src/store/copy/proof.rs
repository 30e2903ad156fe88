//! What must hold in the target before its transaction may be committed, beyond the same rows.

use super::error::CopyError;
use super::report::CopiedChain;
use super::table::TABLES;
use crate::store::appointment::AuditVerdict;
use crate::store::driver::{Connection, values};
use crate::store::error::StoreError;
use crate::store::sql::audit;
use crate::store::sql::read::tenants;

/// Columns that name a row of another table, of the same tenant.
const REFERENCES: &[(&str, &str, &str)] = &[
    ("schedule", "diary", "schedule"),
    ("slot", "schedule", "schedule"),
    ("slot", "template", "label"),
    ("slot", "release", "label"),
    ("slot_removed", "schedule", "schedule"),
    ("slot_day", "schedule", "schedule"),
    ("appointment", "schedule", "schedule"),
    ("appointment_version", "appointment", "appointment"),
    ("document_link", "appointment", "appointment"),
];
/// Tables whose rows are not counted by provider: audit rows are by their chains, messages by their referrals.
const NOT_OWNED: [&str; 3] = ["tenant", "audit", "referral_message"];

/// Checks all audit trails, in the transaction that is open.
pub(super) fn chains(c: &Connection, place: &str) -> Result<Vec<CopiedChain>, CopyError> {
    let at = |error: StoreError| CopyError::at(place, error);
    let mut chains = Vec::new();
    for tenant in tenants(c).map_err(at)? {
        match audit::verify_chain(c, tenant.key, &|_| {}).map_err(at)? {
            AuditVerdict::Verified { rows, head, .. } => chains.push(CopiedChain {
                provider: tenant.ods.to_string(),
                rows: u64::try_from(rows).unwrap_or(0),
                head,
            }),
            AuditVerdict::Broken { seq, what } => {
                return Err(CopyError::Broken {
                    place: place.to_owned(),
                    provider: tenant.ods.to_string(),
                    seq,
                    what,
                });
            }
        }
    }
    Ok(chains)
}

/// The first row or rows that should not be; nothing when everything holds.
pub(super) fn faults(c: &Connection) -> Result<Option<String>, StoreError> {
    for (child, column, parent) in REFERENCES {
        let lost = c.number(
            &format!(
                "SELECT count(*) FROM {child} c WHERE c.{column} IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM {parent} p WHERE p.key = c.{column} AND p.tenant = c.tenant)"
            ),
            &[],
        )?;
        if lost > 0 {
            return Ok(Some(format!(
                "{lost} rows of {child} name a row of {parent} that is not there"
            )));
        }
    }
    let owned = TABLES.iter().map(|table| table.name);
    for child in owned.filter(|name| !NOT_OWNED.contains(name)) {
        // Tenant 0, or none, is that of referrals which could not be assigned.
        let sql = format!(
            "SELECT count(*) FROM {child} c WHERE c.tenant > 0 AND NOT EXISTS
             (SELECT 1 FROM tenant p WHERE p.key = c.tenant)"
        );
        let lost = c.number(&sql, &[])?;
        if lost > 0 {
            return Ok(Some(format!(
                "{lost} rows of {child} belong to no provider"
            )));
        }
    }
    let sole: &[(&str, &str)] = &[
        (
            "providers have no end of an audit trail",
            "SELECT count(*) FROM tenant t WHERE NOT EXISTS (SELECT 1 FROM audit_head h WHERE h.tenant = t.key)",
        ),
        (
            "received messages have no referral, or referrals no message",
            c.text(
                "SELECT count(*) FROM referral r FULL JOIN referral_message m ON m.referral = r.key
                 WHERE m.referral IS NULL OR r.key IS NULL",
                "SELECT count(*) FROM referral r FULL JOIN referral_message m ON m.tenant = r.tenant AND m.referral = r.key
                 WHERE m.referral IS NULL OR r.key IS NULL",
            ),
        ),
        (
            "slots have more than one live booking",
            "SELECT count(*) FROM (SELECT 1 FROM appointment WHERE live = 1 GROUP BY tenant, slot HAVING count(*) > 1) twice",
        ),
    ];
    for (what, sql) in sole {
        let wrong = c.number(sql, &[])?;
        if wrong > 0 {
            return Ok(Some(format!("{wrong} {what}")));
        }
    }
    Ok(None)
}

/// Live bookings.
pub(super) fn live_bookings(c: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM appointment WHERE live = ?1";
    let live = c.number(sql, values![1_i64])?;
    Ok(u64::try_from(live).unwrap_or(0))
}
