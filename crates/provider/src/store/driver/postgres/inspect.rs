//! A look at a database from outside: nothing is made, changed or brought up to date.

use super::migrations::{NEWEST, STEPS, may_write, schema};
use super::server::Server;
use super::session::Role;
use super::shape;
use crate::store::driver::{Connection, values};
use crate::store::error::StoreError;
use crate::store::gauges::{Inspection, ServerSeen};
use std::path::Path;

/// Looks at a database on a server. What a server does by itself, such as checking pages, is left to it.
pub(in crate::store) fn inspect(server: &Server) -> Result<Inspection, StoreError> {
    let c = Connection::from(server.connect(Role::Long)?);
    let place = Path::new(server.shown());
    let schema = schema(&c, place, STEPS)?;
    let bytes = c.number("SELECT pg_database_size(current_database())", &[])?;
    let seen = c.one(
        "SELECT current_setting('server_version'), pg_is_in_recovery()::int::bigint,
           current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
           current_setting('synchronous_standby_names'), current_setting('max_connections')::bigint,
           (SELECT count(*) FROM pg_stat_activity),
           (SELECT coalesce(max(age(datfrozenxid)), 0)::bigint FROM pg_database WHERE datname = current_database()),
           (SELECT count(*) FROM pg_prepared_xacts),
           (SELECT count(*) FROM pg_replication_slots WHERE NOT active)",
        values![],
        |row| {
            Ok(ServerSeen {
                version: row.get(0)?,
                standby: row.get::<i64>(1)? == 1,
                fsync: row.get::<&str>(2)? == "on",
                full_page_writes: row.get::<&str>(3)? == "on",
                synchronous_commit: row.get(4)?,
                synchronous_standbys: row.get(5)?,
                connections_most: row.get(6)?,
                connections: row.get(7)?,
                transaction_age: row.get(8)?,
                prepared: row.get(9)?,
                idle_slots: row.get(10)?,
            })
        },
    )?;
    let seen = seen.ok_or_else(|| StoreError::unexpected("the server said nothing of itself"))?;
    Ok(Inspection {
        file: None,
        schema,
        newest: NEWEST,
        bytes: u64::try_from(bytes).unwrap_or(0),
        wal_bytes: 0,
        pages_checked: false,
        damage: None,
        lost: Vec::new(),
        schema_faults: match schema == NEWEST {
            true => shape::faults(&c)?,
            // What an older one looked like is not kept.
            false => Vec::new(),
        },
        unwritable: written(server, place, schema).err().map(|e| e.to_string()),
        server: Some(seen),
    })
}

/// Writes into the server's log what nobody reads, as a booking is written, and looks at what the user may do.
fn written(server: &Server, place: &Path, schema: i64) -> Result<(), StoreError> {
    let c = Connection::from(server.connect(Role::Writer)?);
    c.begin()?;
    c.probe()?;
    c.commit()?;
    match schema == NEWEST {
        true => may_write(&c, place),
        // What it may do of tables that are yet to be made is not known.
        false => Ok(()),
    }
}
