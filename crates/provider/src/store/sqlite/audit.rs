//! The audit chain of a tenant: every row carries a hash over the row before it.

use super::fault::odd;
use super::group::snapshot;
use super::read::{millis, moment};
use crate::store::appointment::{AuditRow, AuditVerdict};
use crate::store::error::StoreError;
use crate::store::model::TenantKey;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

/// Bits of an audit key below the tenant: 2^40 rows each, more than a thousand a second for thirty years.
const SEQ_BITS: u32 = 40;
/// Highest number of a row.
const SEQ_MOST: i64 = (1 << SEQ_BITS) - 1;
/// What the first row of a chain is chained to, with the tenant's ODS code after it.
const BEGINNING: &[u8] = b"uec audit chain 1\n";

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    seq: i64,
    at: i64,
    hash: [u8; 32],
}

fn key(tenant: TenantKey, seq: i64) -> i64 {
    (tenant.0 << SEQ_BITS) | seq
}

fn hash(before: &[u8; 32], seq: i64, at: i64, body: &str) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update(seq.to_be_bytes());
    sha.update(at.to_be_bytes());
    sha.update(body.as_bytes());
    sha.finalize().into()
}

/// Where a tenant's chain begins: different for every tenant, so that one chain cannot stand in for another.
fn beginning(connection: &Connection, tenant: TenantKey) -> Result<Head, StoreError> {
    let ods: Option<String> = connection
        .prepare_cached("SELECT ods FROM tenant WHERE key = ?1")?
        .query_row([tenant.0], |r| r.get(0))
        .optional()?;
    let ods =
        ods.ok_or_else(|| StoreError::unexpected(format!("there is no tenant {}", tenant.0)))?;
    let mut sha = Sha256::new();
    sha.update(BEGINNING);
    sha.update(ods.as_bytes());
    Ok(Head {
        seq: 0,
        at: 0,
        hash: sha.finalize().into(),
    })
}

/// The end of a tenant's chain as written.
pub(super) fn head(connection: &Connection, tenant: TenantKey) -> Result<Head, StoreError> {
    let found = connection
        .prepare_cached("SELECT seq, at, hash FROM audit_head WHERE tenant = ?1")?
        .query_row([tenant.0], |r| {
            Ok(Head {
                seq: r.get(0)?,
                at: r.get(1)?,
                hash: r.get(2)?,
            })
        })
        .optional()?;
    match found {
        Some(head) => Ok(head),
        None => beginning(connection, tenant),
    }
}

/// Writes the next row of a chain and returns the new end.
pub(super) fn append(
    connection: &Connection,
    tenant: TenantKey,
    head: &Head,
    body: &str,
) -> Result<Head, StoreError> {
    let seq = head.seq + 1;
    if seq > SEQ_MOST {
        return Err(StoreError::unexpected(
            "the audit trail has reached its last number",
        ));
    }
    // The clock may be set back; the chain's times never go back.
    let at = millis(Timestamp::now()).max(head.at);
    let next = Head {
        seq,
        at,
        hash: hash(&head.hash, seq, at, body),
    };
    connection
        .prepare_cached("INSERT INTO audit (key, at, body, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![key(tenant, seq), at, body, next.hash])?;
    Ok(next)
}

/// Writes down the end of a chain.
pub(super) fn put_head(
    connection: &Connection,
    tenant: TenantKey,
    head: &Head,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO audit_head (tenant, seq, at, hash) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, at = excluded.at, hash = excluded.hash",
        )?
        .execute(params![tenant.0, head.seq, head.at, head.hash])?;
    Ok(())
}

/// Rows after a number, in order.
pub(super) fn rows(
    connection: &Connection,
    tenant: TenantKey,
    after: i64,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "SELECT key & ?4, at, body, hash FROM audit WHERE key > ?1 AND key <= ?2 ORDER BY key LIMIT ?3",
    )?;
    let after = key(tenant, after.clamp(0, SEQ_MOST));
    let mut found = statement.query(params![after, key(tenant, SEQ_MOST), limit, SEQ_MOST])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let at = moment(row.get(1)?)?;
        rows.push(AuditRow {
            seq: row.get(0)?,
            at,
            body: row.get(2)?,
            hash: row.get(3)?,
        });
    }
    Ok(rows)
}

/// The number of the last row written before a moment, or 0: where a report over a time begins. Times in a chain
/// never go back, so this halves its way there.
pub(super) fn last_before(
    connection: &Connection,
    tenant: TenantKey,
    at: Timestamp,
) -> Result<i64, StoreError> {
    let at = millis(at);
    let (mut low, mut high) = (0, head(connection, tenant)?.seq);
    let mut statement = connection.prepare_cached("SELECT at FROM audit WHERE key = ?1")?;
    // At most SEQ_BITS rounds.
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let written: i64 = statement
            .query_row([key(tenant, middle)], |r| r.get(0))
            .optional()?
            .ok_or_else(|| odd("an audit row is missing"))?;
        if written < at {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}

/// Checks a whole chain, one row in memory at a time, as of one moment.
pub(super) fn verify(
    connection: &Connection,
    tenant: TenantKey,
) -> Result<AuditVerdict, StoreError> {
    snapshot(connection, |c| verify_chain(c, tenant))
}

fn verify_chain(connection: &Connection, tenant: TenantKey) -> Result<AuditVerdict, StoreError> {
    let broken = |seq: i64, what: &str| {
        Ok(AuditVerdict::Broken {
            seq,
            what: what.to_owned(),
        })
    };
    let mut last = beginning(connection, tenant)?;
    let mut statement = connection.prepare(
        "SELECT key & ?3, at, body, hash FROM audit WHERE key > ?1 AND key <= ?2 ORDER BY key",
    )?;
    let mut rows = statement.query(params![key(tenant, 0), key(tenant, SEQ_MOST), SEQ_MOST])?;
    while let Some(row) = rows.next()? {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if seq != last.seq + 1 {
            return broken(last.seq + 1, "the row is missing");
        }
        let body = row.get_ref(2)?.as_str().unwrap_or("");
        let written: [u8; 32] = row.get(3)?;
        if hash(&last.hash, seq, at, body) != written {
            return broken(
                seq,
                "its content, time, number or the row before it was changed",
            );
        }
        if at < last.at {
            return broken(seq, "it is older than the row before it");
        }
        last = Head {
            seq,
            at,
            hash: written,
        };
    }
    let end = head(connection, tenant)?;
    if end.seq > last.seq {
        return broken(last.seq + 1, "the row is missing; the trail was longer");
    }
    if end != last {
        return broken(
            last.seq.max(1),
            "the end of the trail is not the one that was written down with it",
        );
    }
    Ok(AuditVerdict::Verified {
        rows: last.seq,
        head: hex(&last.hash),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|n| char::from_digit(u32::from(n), 16))
        .collect()
}
