//! The schema, as numbered steps. The number of the last step taken is in `uec_schema`; that table also tells our
//! databases from others.
//!
//! Rule for every step, because processes of the version before go on while it is taken and after it: it only adds. A
//! new column has a default or may be null, and no statement of the version before reads `*`; nothing is renamed,
//! retyped or dropped before every version that uses it is out of service, which is two releases later. An index on a
//! table that has rows is a step of its own, of one statement, which begins with `CREATE INDEX CONCURRENTLY` or `CREATE
//! UNIQUE INDEX CONCURRENTLY`. A step that was released never changes.
//!
//! A process of the version before that is running does not look at the number again, also when it connects anew; one
//! that is started on the newer schema refuses, because it cannot know what was added.

use super::server::Server;
use super::session::Role;
use super::shape;
use super::statistics;
use crate::store::Options;
use crate::store::driver::{Connection, Fault, newest, values};
use crate::store::error::StoreError;
use std::path::Path;
use std::time::{Duration, Instant};

/// The steps in order; step n takes the schema from n-1 to n.
pub(in crate::store) const STEPS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_tracks.sql"),
    include_str!("migrations/0003_track_index.sql"),
    include_str!("migrations/0004_declared_held.sql"),
    include_str!("migrations/0005_claimed.sql"),
];

/// The newest schema known here.
pub(in crate::store) const NEWEST: i64 = STEPS.len() as i64;
/// Oldest server that is supported, as `server_version_num` has it.
const SERVER: i64 = 150_000;
/// Key of the advisory lock under which one process at a time takes steps: "UECB" and 1.
const LOCK: i64 = 0x5545_4342_0000_0001;
/// How long a server that is starting, or changing its primary, is waited for when the store is opened.
const START: Duration = Duration::from_secs(15);
/// How long a step that another process takes is waited for.
const HELD: Duration = Duration::from_secs(60);
/// How long a step waits for a lock: whoever wants the table meanwhile waits behind it.
const LOCK_MILLIS: u64 = 500;
/// How long the locks of a step are tried for. What holds them longer is a long read, such as the check of an audit trail.
const STEP: Duration = Duration::from_secs(10 * 60);
/// How often the log says that the server is still away.
const TOLD_EVERY: Duration = Duration::from_secs(30);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// How an index that is made beside the writers begins.
const BESIDE: &str = "INDEX CONCURRENTLY ";

/// Checks whose database it is and takes the steps that are missing.
pub(in crate::store) fn open(
    server: &Server,
    options: &Options,
    steps: &[&str],
) -> Result<(), StoreError> {
    let until = Instant::now() + START;
    let mut told: Option<Instant> = None;
    // Ends when the server answers or the time is over.
    loop {
        match try_open(server, options, steps) {
            Err(error @ (StoreError::Unreachable { .. } | StoreError::ReadOnly { .. }))
                if Instant::now() < until =>
            {
                if told.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
                    tracing::warn!(%error, "the database is not there yet");
                    told = Some(Instant::now());
                }
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn try_open(server: &Server, options: &Options, steps: &[&str]) -> Result<(), StoreError> {
    let c = Connection::from(server.connect(Role::Opening)?);
    let place = Path::new(server.shown());
    supported(&c, place)?;
    let found = schema(&c, place, steps)?;
    if found == newest(steps) {
        return served(&c, place, options);
    }
    if found == 0 && !options.create {
        return Err(StoreError::Missing {
            path: place.to_owned(),
        });
    }
    may_change(&c, place, found, steps)?;
    let c = Connection::from(server.connect(Role::Schema)?);
    if !hold(&c, place, steps)? {
        return served(&c, place, options);
    }
    // Each round takes one step. The lock goes with the connection if one fails.
    for _ in 0..steps.len() {
        // Another process may have taken it while this one waited for the lock.
        let done = schema(&c, place, steps)?;
        let Some(sql) = usize::try_from(done).ok().and_then(|n| steps.get(n)) else {
            break;
        };
        step(&c, place, done + 1, sql)?;
        if done == 0 {
            statistics::begin_with(&c)?;
        }
    }
    c.one("SELECT pg_advisory_unlock(?1)", values![LOCK], |_| Ok(()))?;
    served(&c, place, options)
}

/// Refuses a server that is too old.
pub(super) fn supported(c: &Connection, place: &Path) -> Result<(), StoreError> {
    let version = c.number("SELECT current_setting('server_version_num')::bigint", &[])?;
    match version < SERVER {
        true => Err(StoreError::Unsupported {
            what: format!(
                "{} is PostgreSQL {}: version 15 or newer is needed",
                place.display(),
                version / 10_000
            ),
        }),
        false => Ok(()),
    }
}

/// Takes all steps of an empty database in the transaction that is open, in which no index needs to be made beside
/// writers; what others take waits for its end.
pub(super) fn take(c: &Connection, place: &Path) -> Result<(), StoreError> {
    c.one(
        "SELECT pg_advisory_xact_lock(?1)",
        values![LOCK],
        |_| Ok(()),
    )?;
    let done = usize::try_from(schema(c, place, STEPS)?).unwrap_or(0);
    for (number, sql) in (1..).zip(STEPS).skip(done) {
        match index_of(sql) {
            Some(_) => c.batch(&sql.replacen(BESIDE, "INDEX ", 1))?,
            None => c.batch(sql)?,
        }
        if number == 1 {
            statistics::fill(c)?;
        }
        note(c, number)?;
    }
    Ok(())
}

/// Refuses when the user of this program may not change the schema.
fn may_change(c: &Connection, place: &Path, found: i64, steps: &[&str]) -> Result<(), StoreError> {
    let may = c.number(
        "SELECT has_schema_privilege(current_schema()::text, 'CREATE')::int::bigint",
        &[],
    )?;
    match may {
        0 => Err(StoreError::Unsupported {
            what: format!(
                "the schema of {} is {found} and this version needs {}: its user may not change it, so run `uec provider \
                 migrate` of this version once as the owner of the tables",
                place.display(),
                newest(steps)
            ),
        }),
        _ => Ok(()),
    }
}

/// Refuses what no server may serve on.
fn served(c: &Connection, place: &Path, options: &Options) -> Result<(), StoreError> {
    if !options.serving {
        return Ok(());
    }
    shape::check(c, place)?;
    may_write(c, place)
}

/// Refuses when the user of this program may not write what a booking writes.
pub(super) fn may_write(c: &Connection, place: &Path) -> Result<(), StoreError> {
    let lacking = c.all(
        "SELECT w.privilege || ' on ' || w.name
         FROM (VALUES ('appointment', 'INSERT'), ('appointment', 'UPDATE'), ('appointment_version', 'INSERT'),
           ('audit', 'INSERT'), ('audit_head', 'UPDATE'), ('document_link', 'INSERT'), ('document_link', 'UPDATE'),
           ('referral', 'INSERT'), ('referral', 'UPDATE'), ('referral_message', 'INSERT'), ('slot', 'UPDATE'),
           ('slot_day', 'INSERT'), ('slot_day', 'UPDATE')) w (name, privilege)
         WHERE NOT has_table_privilege(quote_ident(current_schema()) || '.' || w.name, w.privilege)",
        values![],
        |row| row.get::<String>(0),
    )?;
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Unsupported {
            what: format!(
                "the user of {} may not write what a booking writes: it lacks {}; see the roles in docs/postgresql.md",
                place.display(),
                lacking.join(", ")
            ),
        }),
    }
}

/// Waits until no other process takes steps, and takes none itself until this connection ends. False when nothing is left
/// to be done. It asks again and again: an index that is made beside the writers waits for every statement that is under
/// way, also for one that waits for its lock.
fn hold(c: &Connection, place: &Path, steps: &[&str]) -> Result<bool, StoreError> {
    let until = Instant::now() + HELD;
    // Ends when the lock is free or the time is over.
    loop {
        let held = c.number(
            "SELECT pg_try_advisory_lock(?1)::int::bigint",
            values![LOCK],
        )?;
        if held == 1 {
            return Ok(true);
        }
        if schema(c, place, steps)? == newest(steps) {
            return Ok(false);
        }
        if Instant::now() > until {
            return Err(StoreError::busy(
                "another process is bringing its schema up to date; start again when it is done",
            ));
        }
        std::thread::sleep(PAUSE);
    }
}

/// The schema's number, 0 for an empty database. Refuses what is not ours or newer.
pub(super) fn schema(c: &Connection, place: &Path, steps: &[&str]) -> Result<i64, StoreError> {
    // From one statement, and so from one moment: another process may be making the schema just now.
    let looked = c.one(
        "SELECT count(*) FILTER (WHERE relname = 'uec_schema'),
           count(*) FILTER (WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT 1 FROM pg_depend d
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
         FROM pg_class c WHERE relnamespace = current_schema()::regnamespace",
        &[],
        |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)),
    )?;
    let (known, others) = looked.unwrap_or_default();
    if known == 0 {
        return match others {
            0 => Ok(0),
            _ => Err(StoreError::NotOurs {
                path: place.to_owned(),
                what: "it holds tables of another program".to_owned(),
            }),
        };
    }
    let found = c.number("SELECT number FROM uec_schema", &[])?;
    match found > newest(steps) {
        true => Err(StoreError::NewerSchema {
            path: place.to_owned(),
            found,
            known: newest(steps),
        }),
        false => Ok(found),
    }
}

/// Takes one step; again while its locks are held by somebody else.
fn step(c: &Connection, place: &Path, number: i64, sql: &str) -> Result<(), StoreError> {
    let until = Instant::now() + STEP;
    // Ends when the step is taken or the time is over.
    loop {
        let outcome = match index_of(sql) {
            Some(name) => beside(c, name, sql, number),
            None => at_once(c, sql, number),
        };
        match outcome {
            Err(error @ StoreError::Busy { .. }) if Instant::now() < until && !c.is_dead() => {
                tracing::info!(%error, number, "a step of the schema is tried again");
                std::thread::sleep(PAUSE);
            }
            Ok(()) => {
                tracing::info!(number, "the schema of the database was brought up to date");
                return Ok(());
            }
            // What the step makes is there, or what it needs is not.
            Err(StoreError::Unexpected { what }) => {
                return Err(StoreError::Schema {
                    path: place.to_owned(),
                    what: format!(
                        "its number is {}, and the next step fails: {what}",
                        number - 1
                    ),
                });
            }
            Err(error) => return Err(error),
        }
    }
}

/// A step in a transaction of its own.
fn at_once(c: &Connection, sql: &str, number: i64) -> Result<(), StoreError> {
    c.begin()?;
    let taken = c
        .batch(&format!("SET LOCAL lock_timeout = {LOCK_MILLIS}"))
        .and_then(|()| c.batch(sql))
        .and_then(|()| note(c, number));
    match taken {
        Ok(()) => Ok(c.commit()?),
        Err(fault) => {
            if !c.is_dead() {
                c.rollback()?;
            }
            Err(fault.error)
        }
    }
}

/// An index that is made while others write. One that was broken off is there, but not valid; it is made anew.
fn beside(c: &Connection, name: &str, sql: &str, number: i64) -> Result<(), StoreError> {
    let with = |valid: &str| {
        c.number(
            &format!(
                "SELECT count(*) FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
                 WHERE k.relnamespace = current_schema()::regnamespace AND k.relname = ?1 AND {valid}"
            ),
            values![name],
        )
    };
    if with("NOT i.indisvalid")? > 0 {
        c.batch(&format!("DROP INDEX CONCURRENTLY {name}"))?;
    }
    if with("i.indisvalid")? == 0 {
        c.batch(sql)?;
    }
    Ok(note(c, number)?)
}

fn note(c: &Connection, number: i64) -> Result<(), Fault> {
    c.execute("UPDATE uec_schema SET number = ?1", values![number])?;
    Ok(())
}

/// The name of the index when a step makes one beside the writers.
fn index_of(sql: &str) -> Option<&str> {
    let comment = |line: &&str| line.starts_with("--") || line.trim().is_empty();
    let first = sql.lines().find(|line| !comment(line))?;
    let (create, rest) = first.split_once(BESIDE)?;
    matches!(create.trim(), "CREATE" | "CREATE UNIQUE")
        .then(|| rest.split_whitespace().next())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::index_of;

    #[test]
    fn an_index_beside_the_writers_is_told_by_how_it_begins() {
        for sql in [
            "CREATE INDEX CONCURRENTLY slot_note ON slot (tenant, note)",
            "-- Why.\n\nCREATE UNIQUE INDEX CONCURRENTLY slot_note\n  ON slot (tenant, note)",
        ] {
            assert_eq!(index_of(sql), Some("slot_note"), "{sql}");
        }
        for sql in ["CREATE INDEX a ON b (c)", "ALTER TABLE a ADD b BIGINT", ""] {
            assert_eq!(index_of(sql), None, "{sql}");
        }
    }
}
