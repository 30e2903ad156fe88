//! A server's database as the source or the target of a copy.

use super::migrations;
use super::server::Server;
use super::session::Role;
use crate::store::driver::{Connection, values};
use crate::store::error::StoreError;
use std::path::PathBuf;

/// Rows are wanted in the order of the key, one at a time: along the index, not sorted first.
const IN_ORDER: &str = "SET LOCAL enable_sort = off; SET LOCAL jit = off";

/// Another program's sessions in the same database, as the server lists them.
pub(in crate::store) struct Session {
    /// What it calls itself.
    pub(in crate::store) name: String,
    /// Its user.
    pub(in crate::store) user: String,
    /// How many there are of it.
    pub(in crate::store) count: i64,
    /// Named or logged in like this program, so taken for a provider.
    pub(in crate::store) is_ours: bool,
}

/// Connects to a database that is to be read as a whole. Returns the number of its schema too.
pub(in crate::store) fn source(server: &Server) -> Result<(Connection, i64), StoreError> {
    let c = Connection::from(server.connect(Role::Long)?);
    let place = PathBuf::from(server.shown());
    migrations::supported(&c, &place)?;
    let schema = migrations::schema(&c, &place, migrations::STEPS)?;
    Ok((c, schema))
}

/// Begins the one transaction that everything is read in. With tables to hold, nobody writes to them until its end; what
/// was written before is seen.
pub(in crate::store) fn hold(c: &Connection, tables: Option<&str>) -> Result<(), StoreError> {
    c.begin_snapshot()?;
    if let Some(tables) = tables {
        // Before anything is read: the moment that is seen is that of the first read.
        c.batch(&format!("LOCK TABLE {tables} IN SHARE MODE"))?;
    }
    Ok(c.batch(IN_ORDER)?)
}

/// Connects to a database that is to be filled, in a transaction that has begun and has the newest schema. Nobody else
/// can read or make a tenant in it, or take a step of the schema, before the end.
pub(in crate::store) fn target(server: &Server) -> Result<Connection, StoreError> {
    let c = Connection::from(server.connect(Role::Copy)?);
    let place = PathBuf::from(server.shown());
    migrations::supported(&c, &place)?;
    migrations::schema(&c, &place, migrations::STEPS)?;
    c.begin()?;
    migrations::take(&c, &place)?;
    c.batch("LOCK TABLE tenant, audit_head IN ACCESS EXCLUSIVE MODE")?;
    c.batch(IN_ORDER)?;
    Ok(c)
}

/// The number of the server's process for this connection.
pub(in crate::store) fn own_pid(c: &Connection) -> Result<i64, StoreError> {
    Ok(c.number("SELECT pg_backend_pid()::bigint", &[])?)
}

/// Who else is connected to the database, but for one more of our own connections.
pub(in crate::store) fn others(c: &Connection, but: i64) -> Result<Vec<Session>, StoreError> {
    // A transaction keeps the list that it saw first.
    c.one("SELECT 1 FROM pg_stat_clear_snapshot()", &[], |_| Ok(()))?;
    let found = c.all(
        "SELECT coalesce(nullif(application_name, ''), 'without a name'), usename::text, count(*),
           bool_or(usename = current_user OR application_name LIKE 'uec%')
         FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend'
           AND pid <> pg_backend_pid() AND pid::bigint <> ?1
         GROUP BY 1, 2 ORDER BY 1, 2",
        values![but],
        |row| {
            Ok(Session {
                name: row.get(0)?,
                user: row.get::<Option<String>>(1)?.unwrap_or_default(),
                count: row.get(2)?,
                is_ours: row.get(3)?,
            })
        },
    )?;
    Ok(found)
}
