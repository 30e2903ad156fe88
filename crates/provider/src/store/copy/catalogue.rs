//! Whether a database has the tables and columns that a copy knows: one that was added to the schema and not to
//! [`TABLES`] would be left behind in silence.

use super::error::CopyError;
use super::table::TABLES;
use crate::store::driver::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// Tables that say of a database what it is, and are made with it.
const OF_EVERY_DATABASE: &[&str] = &["uec_schema"];

type Found = BTreeMap<String, BTreeSet<String>>;

fn found(c: &Connection, place: &str) -> Result<Found, CopyError> {
    let sql = c.text(
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_'",
        "SELECT t.relname, a.attname FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
         WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
         AND a.attnum > 0 AND NOT a.attisdropped AND NOT EXISTS (SELECT 1 FROM pg_depend d
           WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')",
    );
    let mut found = Found::new();
    c.each(sql, &[], |row| {
        found.entry(row.get(0)?).or_default().insert(row.get(1)?);
        Ok(())
    })
    .map_err(|fault| CopyError::at(place, fault))?;
    Ok(found)
}

/// Compares; returns the tables that are not of this program.
pub(super) fn check(c: &Connection, place: &str) -> Result<Vec<String>, CopyError> {
    let unknown = |what: String| CopyError::Unknown {
        place: place.to_owned(),
        what,
    };
    let mut found = found(c, place)?;
    for table in TABLES.iter() {
        let there = found
            .remove(table.name)
            .ok_or_else(|| unknown(format!("the table {} is missing", table.name)))?;
        let known: BTreeSet<String> = table
            .columns_in(c.text(true, false))
            .into_iter()
            .map(str::to_owned)
            .collect();
        if let Some(column) = there.symmetric_difference(&known).next() {
            return Err(unknown(match known.contains(column) {
                true => format!("the column {column} of {} is missing", table.name),
                false => format!("the column {column} of {} is not known", table.name),
            }));
        }
    }
    found.retain(|table, _| !OF_EVERY_DATABASE.contains(&table.as_str()));
    Ok(found.into_keys().collect())
}

/// The same for the target, which has no other tables.
pub(super) fn check_target(c: &Connection, place: &str) -> Result<(), CopyError> {
    match check(c, place)?.first() {
        None => Ok(()),
        Some(table) => Err(CopyError::Unknown {
            place: place.to_owned(),
            what: format!("the table {table} is not known"),
        }),
    }
}
