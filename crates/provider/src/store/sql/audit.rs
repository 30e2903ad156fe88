//! The audit chain of a tenant: every row carries a hash over the row before it.

use super::group::snapshot;
use super::made::Claims;
use super::read::{self, millis, moment};
use crate::audit::{AuditEntry, hex};
use crate::store::appointment::{AuditHead, AuditRow, AuditVerdict};
use crate::store::driver::{Connection, Row, Value, corrupt, values};
use crate::store::error::StoreError;
use crate::store::{LIST_MOST, Store, Tenant};
use crate::tenant_key::TenantKey;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;

/// Highest number of a row: 2^40 rows for each tenant, more than a thousand a second for thirty years. On SQLite the
/// tenant and the number share one key (`tenant * 2^40 + number`), so that a chain lies together without an index.
const SEQ_MOST: i64 = (1 << 40) - 1;
/// What the first row of a chain is chained to, with the tenant's ODS code after it.
const BEGINNING: &[u8] = b"uec audit chain 1\n";

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    seq: i64,
    at: i64,
    hash: [u8; 32],
}

impl Head {
    /// Number of the last row.
    pub(super) fn row(&self) -> i64 {
        self.seq
    }
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
pub(super) fn beginning(connection: &Connection, tenant: TenantKey) -> Result<Head, StoreError> {
    let sql = "SELECT ods FROM tenant WHERE key = ?1";
    let ods: Option<String> = connection.one(sql, values![tenant.0], |r| r.get(0))?;
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

fn read_head(row: &Row<'_>) -> Result<Head, StoreError> {
    Ok(Head {
        seq: row.get(0)?,
        at: row.get(1)?,
        hash: row.get(2)?,
    })
}

/// The end of a tenant's chain as written.
pub(super) fn head(connection: &Connection, tenant: TenantKey) -> Result<Head, StoreError> {
    let sql = "SELECT seq, at, hash FROM audit_head WHERE tenant = ?1";
    match connection.one(sql, values![tenant.0], read_head)? {
        Some(head) => Ok(head),
        None => beginning(connection, tenant),
    }
}

/// The same, and nobody else gets it before the transaction ends.
pub(super) fn lock(connection: &Connection, tenant: TenantKey) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT seq, at, hash FROM audit_head WHERE tenant = ?1 FOR UPDATE";
    Ok(connection.one(sql, values![tenant.0], read_head)?)
}

/// True when a chain has this row, whatever came after it.
pub(super) fn holds(
    connection: &Connection,
    tenant: TenantKey,
    head: &Head,
) -> Result<bool, StoreError> {
    Ok(hash_of(connection, tenant, head.seq)? == Some(head.hash))
}

/// The hash of a row, if it is there.
pub(in crate::store) fn hash_of(
    connection: &Connection,
    tenant: TenantKey,
    seq: i64,
) -> Result<Option<[u8; 32]>, StoreError> {
    let sql = connection.text(
        "SELECT hash FROM audit WHERE key = (?1 << 40) + ?2",
        "SELECT hash FROM audit WHERE tenant = ?1 AND seq = ?2",
    );
    // A number that no row has would be another tenant's on SQLite.
    if !(1..=SEQ_MOST).contains(&seq) {
        return Ok(None);
    }
    Ok(connection.one(sql, values![tenant.0, seq], |r| r.get(0))?)
}

/// Rows of a chain that one statement writes where a statement is dear, most first. Few sizes, so that few statements
/// are prepared.
const TOGETHER: [usize; 3] = [64, 8, 1];

/// Writes the next rows of a chain and returns the new end.
pub(super) fn append(
    connection: &Connection,
    tenant: TenantKey,
    head: &Head,
    bodies: &[&str],
) -> Result<Head, StoreError> {
    let mut last = *head;
    let mut heads = Vec::with_capacity(bodies.len());
    for body in bodies {
        last = after(&last, body)?;
        heads.push(last);
    }
    let mut rows = &heads.iter().zip(bodies).collect::<Vec<_>>()[..];
    while !rows.is_empty() {
        let fits = |n: &&usize| **n <= rows.len() && (**n == 1 || connection.is_remote());
        let n = TOGETHER.iter().find(fits).copied().unwrap_or(1);
        let (some, rest) = rows.split_at(n);
        let mut values = Vec::with_capacity(1 + 4 * n);
        values.push(Value::from(tenant.0));
        for (head, body) in some {
            values.extend_from_slice(values![head.seq, head.at, **body, &head.hash]);
        }
        connection.execute_later(&insert(connection, n), &values)?;
        rows = rest;
    }
    Ok(last)
}

/// The end of a chain after one more row.
fn after(head: &Head, body: &str) -> Result<Head, StoreError> {
    let seq = head.seq + 1;
    if seq > SEQ_MOST {
        return Err(StoreError::unexpected(
            "the audit trail has reached its last number",
        ));
    }
    // The clock may be set back; the chain's times never go back.
    let at = millis(crate::clock::now()).max(head.at);
    Ok(Head {
        seq,
        at,
        hash: hash(&head.hash, seq, at, body),
    })
}

/// The statement that writes so many rows: the tenant, then number, time, text and hash of each.
fn insert(connection: &Connection, rows: usize) -> Cow<'static, str> {
    const ONE: &str =
        "INSERT INTO audit (key, at, body, hash) VALUES ((?1 << 40) + ?2, ?3, ?4, ?5)";
    if !connection.is_remote() {
        return Cow::Borrowed(ONE);
    }
    let mut sql = "INSERT INTO audit (tenant, seq, at, body, hash) VALUES ".to_owned();
    for first in (0..rows).map(|row| 2 + 4 * row) {
        let comma = if first == 2 { "" } else { ", " };
        let (at, body, hash) = (first + 1, first + 2, first + 3);
        // Writing into a String cannot fail.
        let _ = write!(sql, "{comma}(?1, ?{first}, ?{at}, ?{body}, ?{hash})");
    }
    Cow::Owned(sql)
}

/// Writes down the end of a chain.
pub(super) fn put_head(
    connection: &Connection,
    tenant: TenantKey,
    head: &Head,
) -> Result<(), StoreError> {
    connection.execute_later(
        "INSERT INTO audit_head (tenant, seq, at, hash) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tenant) DO UPDATE SET seq = excluded.seq, at = excluded.at, hash = excluded.hash",
        values![tenant.0, head.seq, head.at, &head.hash],
    )?;
    Ok(())
}

impl Tenant<'_> {
    /// Records an access; returns when the row is durable.
    pub async fn audit(self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.store.0.writer.audit(self.key, entry.body()).await
    }

    /// Records an access; the row is written with the next transaction, at most a second later. Waits until it is
    /// durable only when too many rows are waiting.
    pub async fn audit_soon(self, entry: &AuditEntry) -> Result<(), StoreError> {
        let writer = &self.store.0.writer;
        writer.audit_soon(self.key, entry.body()).await
    }

    /// Audit rows after a number (0: from the first), at most `limit`.
    pub fn audit_rows(self, after: i64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let limit = limit.min(LIST_MOST);
        self.read(|connection| {
            let sql = connection.text(
                "SELECT key - (?1 << 40), at, body, hash FROM audit
         WHERE key > (?1 << 40) + ?2 AND key <= (?1 << 40) + ?3 ORDER BY key LIMIT ?4",
                "SELECT seq, at, body, hash FROM audit
         WHERE tenant = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4",
            );
            let after = after.clamp(0, SEQ_MOST);
            let rows = connection.all(
                sql,
                values![self.key.0, after, SEQ_MOST, read::rows(limit)],
                |row| {
                    Ok(AuditRow {
                        seq: row.get(0)?,
                        at: moment(row.get(1)?)?,
                        body: row.get(2)?,
                        hash: row.get(3)?,
                    })
                },
            )?;
            Ok(rows)
        })
    }

    /// The number of the last audit row written before a moment, or 0: where a report over a time begins. Times in a chain
    /// never go back, so this halves its way there.
    pub fn audit_last_before(self, at: Timestamp) -> Result<i64, StoreError> {
        self.read(|connection| {
            let at = millis(at);
            let (mut low, mut high) = (0, head(connection, self.key)?.seq);
            let sql = connection.text(
                "SELECT at FROM audit WHERE key = (?1 << 40) + ?2",
                "SELECT at FROM audit WHERE tenant = ?1 AND seq = ?2",
            );
            // At most forty rounds: the number has so many bits.
            while low < high {
                let middle = low + (high - low + 1) / 2;
                let written: Option<i64> =
                    connection.one(sql, values![self.key.0, middle], |r| r.get(0))?;
                let written = written.ok_or_else(|| corrupt("an audit row is missing"))?;
                if written < at {
                    low = middle;
                } else {
                    high = middle - 1;
                }
            }
            Ok(low)
        })
    }

    /// The end of the audit trail as it was written down with its last row, which must be there.
    pub fn audit_head(self) -> Result<AuditHead, StoreError> {
        self.read(|connection| {
            snapshot(connection, |c| {
                let head = head(c, self.key)?;
                match head.seq == 0 || holds(c, self.key, &head)? {
                    true => Ok(AuditHead {
                        seq: head.seq,
                        hash: head.hash,
                    }),
                    false => Err(corrupt("the end of an audit trail, whose row is not there")),
                }
            })
        })
    }

    /// The last row of the audit trail that is there, whatever was written down.
    pub fn audit_end(self) -> Result<AuditHead, StoreError> {
        self.read(|connection| {
            let sql = connection.text(
        "SELECT key - (?1 << 40), hash FROM audit
         WHERE key > (?1 << 40) AND key <= (?1 << 40) + ?2 ORDER BY key DESC LIMIT 1",
        "SELECT seq, hash FROM audit WHERE tenant = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
    );
            let found = connection.one(sql, values![self.key.0, SEQ_MOST], |row| {
                Ok(AuditHead {
                    seq: row.get(0)?,
                    hash: row.get(1)?,
                })
            })?;
            Ok(found.unwrap_or_default())
        })
    }

    /// The hash of a row of the audit trail, if it is there.
    pub fn audit_hash(self, seq: i64) -> Result<Option<[u8; 32]>, StoreError> {
        self.read(|connection| hash_of(connection, self.key, seq))
    }

    /// Checks the audit trail from its first row. Takes about a second per million rows.
    pub fn audit_verify(self) -> Result<AuditVerdict, StoreError> {
        self.audit_verify_seeing(&|_| {})
    }

    /// The same; every row that fits is shown on the way.
    pub fn audit_verify_seeing(self, see: &dyn Fn(&AuditHead)) -> Result<AuditVerdict, StoreError> {
        self.read_long(|connection| verify(connection, self.key, see))
    }
}

impl Store {
    /// How many audit rows belong to no tenant: nothing of ours writes such rows, and no chain holds them.
    pub fn audit_strays(&self) -> Result<i64, StoreError> {
        self.read_long(|connection| {
            let sql = connection.text(
                "SELECT count(*) FROM audit WHERE key & 1099511627775 = 0 OR key >> 40 NOT IN (SELECT key FROM tenant)",
                "SELECT count(*) FROM audit WHERE tenant NOT IN (SELECT key FROM tenant)",
            );
            let strays: Option<i64> = connection.one(sql, values![], |row| row.get(0))?;
            Ok(strays.unwrap_or_default())
        })
    }
}

/// Checks a whole chain, one row in memory at a time, as of one moment.
pub(in crate::store) fn verify(
    connection: &Connection,
    tenant: TenantKey,
    see: &dyn Fn(&AuditHead),
) -> Result<AuditVerdict, StoreError> {
    snapshot(connection, |c| verify_chain(c, tenant, see))
}

/// The same, in the transaction that is open; every row that fits is shown on the way.
pub(in crate::store) fn verify_chain(
    connection: &Connection,
    tenant: TenantKey,
    see: &dyn Fn(&AuditHead),
) -> Result<AuditVerdict, StoreError> {
    let broken = |seq: i64, what: &str| AuditVerdict::Broken {
        seq,
        what: what.to_owned(),
    };
    let mut last = beginning(connection, tenant)?;
    let mut fault = None;
    let mut claims = Claims::of(connection, tenant)?;
    let sql = connection.text(
        "SELECT key - (?1 << 40), at, body, hash FROM audit
         WHERE key > (?1 << 40) AND key <= (?1 << 40) + ?2 ORDER BY key",
        "SELECT seq, at, body, hash FROM audit WHERE tenant = ?1 AND seq <= ?2 ORDER BY seq",
    );
    connection.stream(sql, values![tenant.0, SEQ_MOST], |row| {
        match next(&last, row)? {
            Ok(head) => {
                last = head;
                see(&AuditHead {
                    seq: last.seq,
                    hash: last.hash,
                });
            }
            Err((seq, what)) => fault = Some(broken(seq, what)),
        }
        if fault.is_none()
            && let Err(what) = claims.take(last.seq, row.get(2).unwrap_or(""))
        {
            fault = Some(broken(last.seq, what));
        }
        Ok(fault.is_none())
    })?;
    if let Some(fault) = fault {
        return Ok(fault);
    }
    let end = head(connection, tenant)?;
    if end.seq > last.seq {
        return Ok(broken(
            last.seq + 1,
            "the row is missing; the trail was longer",
        ));
    }
    if end != last {
        return Ok(broken(
            last.seq.max(1),
            "the end of the trail is not the one that was written down with it",
        ));
    }
    if last.seq == 0 {
        return Ok(broken(
            1,
            "the row is missing: the first is written when the provider is declared",
        ));
    }
    Ok(match claims.compare(last.seq)? {
        Err((seq, what)) => AuditVerdict::Broken { seq, what },
        Ok(versions) => AuditVerdict::Verified {
            rows: last.seq,
            head: hex(&last.hash),
            versions: versions.all,
            before_digests: versions.before_digests,
            messages: versions.messages,
            messages_before_digests: versions.messages_before_digests,
        },
    })
}

/// The end of the chain after this row, or the number of the first row that is not right, and why.
fn next(last: &Head, row: &Row<'_>) -> Result<Result<Head, (i64, &'static str)>, StoreError> {
    let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
    if seq != last.seq + 1 {
        return Ok(Err((last.seq + 1, "the row is missing")));
    }
    let written: [u8; 32] = row.get(3)?;
    if hash(&last.hash, seq, at, row.get(2).unwrap_or("")) != written {
        let why = "its content, time, number or the row before it was changed";
        return Ok(Err((seq, why)));
    }
    if at < last.at {
        return Ok(Err((seq, "it is older than the row before it")));
    }
    Ok(Ok(Head {
        seq,
        at,
        hash: written,
    }))
}
