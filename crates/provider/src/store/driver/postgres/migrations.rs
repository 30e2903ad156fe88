//! The schema, as numbered steps, each in a transaction of its own. The number of the last step taken is in
//! `uec_schema`; that table also tells our databases from others.
//!
//! Rule for every step, because processes of the version before go on while it is taken and after it: it only adds. A
//! new column has a default or may be null, and no statement of the version before reads `*`; nothing is renamed,
//! retyped or dropped before every version that uses it is out of service, which is two releases later; an index on a
//! table that has rows is made in a step of its own; no step holds a lock that stops writers for more than a moment. A
//! step that was released never changes.

use super::server::Server;
use super::session::Role;
use crate::store::Options;
use crate::store::driver::{Connection, values};
use crate::store::error::StoreError;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The steps in order; step n takes the schema from n-1 to n.
const STEPS: &[&str] = &[include_str!("migrations/0001_initial.sql")];

/// The newest schema known here.
pub(in crate::store) const NEWEST: i64 = STEPS.len() as i64;
/// Oldest server that is supported, as `server_version_num` has it.
const SERVER: i64 = 150_000;
/// Key of the advisory lock under which one process at a time takes steps: "UECB" and 1.
const LOCK: i64 = 0x5545_4342_0000_0001;
/// How long a server that is starting, or changing its primary, is waited for when the store is opened.
const START: Duration = Duration::from_secs(15);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Checks whose database it is and takes the steps that are missing.
pub(in crate::store) fn open(server: &Server, options: &Options) -> Result<(), StoreError> {
    let until = Instant::now() + START;
    // Ends when the server answers or the time is over.
    loop {
        match try_open(server, options) {
            Err(StoreError::Unreachable { what }) if Instant::now() < until => {
                tracing::warn!(%what, "the database is not there yet");
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn try_open(server: &Server, options: &Options) -> Result<(), StoreError> {
    let c = Connection::from(server.connect(Role::Opening)?);
    let place = PathBuf::from(server.shown());
    supported(&c, &place)?;
    match schema(&c, &place)? {
        NEWEST => return Ok(()),
        0 if !options.create => return Err(StoreError::Missing { path: place }),
        _ => {}
    }
    // Each round takes one step, or finds that another process took it.
    for _ in 0..STEPS.len() {
        if step(&c, &place)? == NEWEST {
            break;
        }
    }
    Ok(())
}

/// Refuses a server that is too old.
pub(super) fn supported(c: &Connection, place: &std::path::Path) -> Result<(), StoreError> {
    let version = c.number("SELECT current_setting('server_version_num')::bigint", &[])?;
    if version < SERVER {
        return Err(StoreError::Unsupported {
            what: format!(
                "{} is PostgreSQL {}: version 15 or newer is needed",
                place.display(),
                version / 10_000
            ),
        });
    }
    Ok(())
}

/// The schema's number, 0 for an empty database. Refuses what is not ours or newer.
pub(super) fn schema(c: &Connection, place: &std::path::Path) -> Result<i64, StoreError> {
    let known = c.number(
        "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = 'uec_schema'",
        &[],
    )?;
    if known == 0 {
        let others = c.number(
            "SELECT count(*) FROM pg_class c WHERE relnamespace = current_schema()::regnamespace
             AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT 1 FROM pg_depend d
               WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')",
            &[],
        )?;
        return match others {
            0 => Ok(0),
            _ => Err(StoreError::NotOurs {
                path: place.to_owned(),
                what: "it holds tables of another program".to_owned(),
            }),
        };
    }
    let found = c.number("SELECT number FROM uec_schema", &[])?;
    match found > NEWEST {
        true => Err(StoreError::NewerSchema {
            path: place.to_owned(),
            found,
            known: NEWEST,
        }),
        false => Ok(found),
    }
}

/// Takes the next step, if one is missing, and returns the number then.
fn step(c: &Connection, place: &std::path::Path) -> Result<i64, StoreError> {
    c.begin()?;
    let outcome = next(c, place);
    match &outcome {
        Ok(_) => c.commit()?,
        Err(_) => c.rollback()?,
    }
    outcome
}

fn next(c: &Connection, place: &std::path::Path) -> Result<i64, StoreError> {
    c.one(
        "SELECT pg_advisory_xact_lock(?1)",
        values![LOCK],
        |_| Ok(()),
    )?;
    // Another process may have taken it while this one waited for the lock.
    let done = schema(c, place)?;
    let Some(sql) = usize::try_from(done).ok().and_then(|n| STEPS.get(n)) else {
        return Ok(done);
    };
    c.batch(sql)?;
    let number = done + 1;
    c.execute("UPDATE uec_schema SET number = ?1", values![number])?;
    tracing::info!(number, "the schema of the database was brought up to date");
    Ok(number)
}

/// Takes all steps that are missing, in the transaction that is open; no other process takes any until its end.
pub(super) fn take(c: &Connection, place: &std::path::Path) -> Result<(), StoreError> {
    // Each round takes a step; one more finds that there is none.
    for _ in 0..=STEPS.len() {
        if next(c, place)? == NEWEST {
            break;
        }
    }
    Ok(())
}
