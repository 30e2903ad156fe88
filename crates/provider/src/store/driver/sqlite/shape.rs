//! Whether a file has the tables, indexes and triggers that its number says.
//!
//! Invariants stand on them: without `appointment_live` a slot can be booked twice, without `audit_kept` the trail can be
//! cut. What they must be is made in memory by the same steps; more than that may be there.

use super::fault;
use crate::store::driver::listed;
use crate::store::error::StoreError;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// What is made by statements: kind and name, and the statement.
type Objects = BTreeMap<(String, String), String>;

/// Refuses a file that does not look as its number says, or has what only a later step makes.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    done: usize,
    steps: &[&str],
) -> Result<(), StoreError> {
    let faults = faults(connection, done, steps).map_err(|e| fault::opening(path, &e))?;
    match faults.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Schema {
            path: path.to_owned(),
            what: format!("its number is {done}, and {}", listed(&faults)),
        }),
    }
}

/// What is not as the first `done` steps make it.
pub(super) fn faults(
    connection: &Connection,
    done: usize,
    steps: &[&str],
) -> rusqlite::Result<Vec<String>> {
    let made = Connection::open_in_memory()?;
    for step in steps.iter().take(done) {
        made.execute_batch(step)?;
    }
    let (found, expected) = (objects(connection)?, objects(&made)?);
    let mut faults = Vec::new();
    for (object @ (kind, name), statement) in &expected {
        match found.get(object) {
            None => faults.push(format!("the {kind} {name} is missing")),
            Some(there) if there != statement => {
                faults.push(format!("the {kind} {name} is not as this program makes it"));
            }
            Some(_) => {}
        }
    }
    for step in steps.iter().skip(done) {
        made.execute_batch(step)?;
    }
    let early = objects(&made)?.into_keys();
    let early = early.filter(|object| !expected.contains_key(object) && found.contains_key(object));
    faults
        .extend(early.map(|(kind, name)| format!("the {kind} {name} of a later number is there")));
    Ok(faults)
}

fn objects(connection: &Connection) -> rusqlite::Result<Objects> {
    let mut all = connection.prepare(
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_'",
    )?;
    let rows = all.query_map([], |row| {
        let statement: String = row.get(2)?;
        Ok(((row.get(0)?, row.get(1)?), plain(&statement)))
    })?;
    rows.collect()
}

/// A statement without comments and with single spaces, none beside marks: as it was meant, not as it was written.
fn plain(statement: &str) -> String {
    let lines = statement
        .lines()
        .map(|line| line.split("--").next().unwrap_or(""));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ").replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::driver::sqlite::STEPS;

    fn made(done: usize) -> Connection {
        let made = Connection::open_in_memory().expect("memory");
        for step in &STEPS[..done] {
            made.execute_batch(step).expect("a step");
        }
        made
    }

    #[test]
    fn every_object_is_missed() {
        let names: Vec<(String, String)> = objects(&made(STEPS.len()))
            .expect("objects")
            .into_keys()
            .collect();
        assert!(names.len() > 40, "{names:?}");
        for (kind, name) in names {
            let c = made(STEPS.len());
            c.execute_batch(&format!("PRAGMA foreign_keys = off; DROP {kind} {name}"))
                .expect("dropped");
            let told = faults(&c, STEPS.len(), STEPS).expect("faults");
            let missing = format!("the {kind} {name} is missing");
            assert!(told.contains(&missing), "{told:?}");
        }
    }

    #[test]
    fn another_statement_is_noticed_and_another_way_to_write_it_is_not() {
        let c = made(STEPS.len());
        c.execute_batch(
            "DROP INDEX appointment_live;
             CREATE UNIQUE INDEX  appointment_live -- as it was
               ON appointment (slot)  WHERE live = 1",
        )
        .expect("made anew");
        assert!(faults(&c, STEPS.len(), STEPS).expect("faults").is_empty());
        c.execute_batch(
            "DROP INDEX appointment_live; CREATE INDEX appointment_live ON appointment (slot) WHERE live = 1;
             CREATE TABLE mine (a); CREATE INDEX mine_a ON mine (a)",
        )
        .expect("made anew");
        assert_eq!(
            faults(&c, STEPS.len(), STEPS).expect("faults"),
            ["the index appointment_live is not as this program makes it"]
        );
    }

    #[test]
    fn a_wrong_number_is_noticed_either_way() {
        for done in 0..STEPS.len() {
            assert!(
                !faults(&made(STEPS.len()), done, STEPS)
                    .expect("faults")
                    .is_empty()
            );
            assert!(
                !faults(&made(done), done + 1, STEPS)
                    .expect("faults")
                    .is_empty()
            );
            assert!(faults(&made(done), done, STEPS).expect("faults").is_empty());
        }
    }
}
