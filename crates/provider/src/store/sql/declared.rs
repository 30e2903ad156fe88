//! Tenants and their declared things, changed together.

use super::group::Group;
use super::read::{self, millis};
use super::writer::store_only;
use crate::audit::AuditEntry;
use crate::store::Store;
use crate::store::driver::{Connection, values};
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{Declaration, Declared, DeclaredChange, SCHEDULE_KIND, TenantKey};

impl Store {
    /// Makes or changes a tenant and its declared things, with an audit row if anything changed.
    pub async fn declare(
        &self,
        declaration: Declaration,
        entry: AuditEntry,
    ) -> Result<Declared, StoreError> {
        let writer = &self.0.writer;
        let known = self.read(|c| read::key_of(c, declaration.ods.as_str()))?;
        let shard = match known {
            Some(tenant) => writer.shard(Some(tenant)),
            None => writer.shard_of_new(),
        };
        let done = writer.submit(shard, move |group| declare(group, &declaration, &entry));
        done.await.map_err(store_only)
    }
}

fn declare(
    group: &mut Group<'_>,
    declaration: &Declaration,
    entry: &AuditEntry,
) -> Result<Declared, WriteError> {
    group.attempt(|group| {
        let c = group.connection;
        let (tenant, mut changed) = put_tenant(group, declaration)?;
        let version = read::catalogue_version(c, tenant)?;
        if let Some(expected) = declaration.expected.filter(|e| *e != version) {
            return Err(StoreError::Conflict {
                what: format!(
                    "the declarations of {} were changed by someone else (version {version}, the change was worked \
                     out from {expected}): look at the difference again",
                    declaration.ods
                ),
            }
            .into());
        }
        for change in &declaration.changes {
            changed += apply(c, tenant, change)?;
        }
        if changed == 0 {
            return Ok(Declared { tenant, version, changed });
        }
        c.execute(
            "UPDATE tenant SET catalogue_version = catalogue_version + 1 WHERE key = ?1",
            values![tenant.0],
        )?;
        let mut entry = entry.clone();
        let what = format!("{changed} declared things changed; catalogue version {}", version + 1);
        entry.detail = Some(match entry.detail.take() {
            Some(said) => format!("{said}; {what}"),
            None => what,
        });
        group.append_audit(tenant, &entry.body())?;
        Ok(Declared { tenant, version: version + 1, changed })
    })
}

fn put_tenant(
    group: &mut Group<'_>,
    declaration: &Declaration,
) -> Result<(TenantKey, u32), WriteError> {
    let c = group.connection;
    let (ods, asid, name) = (
        declaration.ods.as_str(),
        declaration.asid.as_str(),
        &declaration.name,
    );
    let found = read::key_of(c, ods)?;
    if let Some(tenant) = found {
        // Another process may have made it a moment ago.
        group.hold(tenant)?;
    }
    let written = match found {
        None => c.one(
            "INSERT INTO tenant (ods, asid, name, catalogue_version, created_at) VALUES (?1, ?2, ?3, 0, ?4)
             RETURNING key",
            values![ods, asid, name, millis(declaration.at)],
            |r| r.get::<i64>(0),
        ),
        Some(tenant) => c.one(
            "UPDATE tenant SET asid = ?2, name = ?3 WHERE key = ?1 AND (asid <> ?2 OR name <> ?3) RETURNING key",
            values![tenant.0, asid, name],
            |r| r.get::<i64>(0),
        ),
    };
    let written = match written {
        Ok(written) => written,
        Err(fault) if fault.is_unique() => {
            return Err(StoreError::Conflict {
                what: format!("the ASID {asid} belongs to another provider in this database"),
            }
            .into());
        }
        Err(fault) => return Err(fault.into()),
    };
    let tenant = match (found, written) {
        (Some(tenant), _) => tenant,
        (None, Some(key)) => {
            let tenant = TenantKey(key);
            group.begin_chain(tenant)?;
            tenant
        }
        (None, None) => return Err(StoreError::unexpected("a tenant was not made").into()),
    };
    Ok((tenant, u32::from(written.is_some())))
}

/// One change; returns 0 when it was so already.
fn apply(c: &Connection, tenant: TenantKey, change: &DeclaredChange) -> Result<u32, WriteError> {
    let changed = match change {
        DeclaredChange::Put {
            kind,
            id,
            position,
            body,
        } => {
            if kind == SCHEDULE_KIND {
                c.execute(
                    "INSERT INTO schedule (tenant, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    values![tenant.0, id],
                )?;
            }
            c.execute(
                "INSERT INTO declared (tenant, kind, id, position, body) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (tenant, kind, id) DO UPDATE SET position = excluded.position, body = excluded.body
                 WHERE declared.position <> excluded.position OR declared.body <> excluded.body",
                values![tenant.0, kind, id, *position, body],
            )?
        }
        DeclaredChange::Remove { kind, id } => c.execute(
            "DELETE FROM declared WHERE tenant = ?1 AND kind = ?2 AND id = ?3",
            values![tenant.0, kind, id],
        )?,
    };
    Ok(u32::from(changed > 0))
}
