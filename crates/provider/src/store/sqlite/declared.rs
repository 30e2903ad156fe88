//! Tenants and their declared things, changed together.

use super::fault::is_unique;
use super::group::Group;
use super::read::{self, millis};
use crate::audit::AuditEntry;
use crate::store::error::{StoreError, WriteError};
use crate::store::model::{Declaration, Declared, DeclaredChange, SCHEDULE_KIND, TenantKey};
use rusqlite::{Connection, OptionalExtension, params};

/// Makes or changes a tenant and its declared things, with an audit row if anything changed.
pub(super) fn declare(
    group: &mut Group<'_>,
    declaration: &Declaration,
    entry: &AuditEntry,
) -> Result<Declared, WriteError> {
    group.attempt(|group| {
        let c = group.connection;
        let (tenant, mut changed) = put_tenant(c, declaration)?;
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
        c.prepare_cached("UPDATE tenant SET catalogue_version = catalogue_version + 1 WHERE key = ?1")?
            .execute([tenant.0])?;
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

fn put_tenant(c: &Connection, declaration: &Declaration) -> Result<(TenantKey, u32), WriteError> {
    let (ods, asid, name) = (
        declaration.ods.as_str(),
        declaration.asid.as_str(),
        &declaration.name,
    );
    let found: Option<i64> = c
        .prepare_cached("SELECT key FROM tenant WHERE ods = ?1")?
        .query_row([ods], |r| r.get(0))
        .optional()?;
    let written = match found {
        None => c
            .prepare_cached(
                "INSERT INTO tenant (ods, asid, name, catalogue_version, created_at) VALUES (?1, ?2, ?3, 0, ?4)",
            )?
            .execute(params![ods, asid, name, millis(declaration.at)]),
        Some(key) => c
            .prepare_cached(
                "UPDATE tenant SET asid = ?2, name = ?3 WHERE key = ?1 AND (asid <> ?2 OR name <> ?3)",
            )?
            .execute(params![key, asid, name]),
    };
    let written = match written {
        Ok(written) => written,
        Err(error) if is_unique(&error) => {
            return Err(StoreError::Conflict {
                what: format!("the ASID {asid} belongs to another provider in this database"),
            }
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    let key = found.unwrap_or_else(|| c.last_insert_rowid());
    Ok((TenantKey(key), u32::from(written > 0)))
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
                c.prepare_cached(
                    "INSERT INTO schedule (tenant, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![tenant.0, id])?;
            }
            c.prepare_cached(
                "INSERT INTO declared (tenant, kind, id, position, body) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (tenant, kind, id) DO UPDATE SET position = excluded.position, body = excluded.body
                 WHERE position <> excluded.position OR body <> excluded.body",
            )?
            .execute(params![tenant.0, kind, id, position, body])?
        }
        DeclaredChange::Remove { kind, id } => c
            .prepare_cached("DELETE FROM declared WHERE tenant = ?1 AND kind = ?2 AND id = ?3")?
            .execute(params![tenant.0, kind, id])?,
    };
    Ok(u32::from(changed > 0))
}
