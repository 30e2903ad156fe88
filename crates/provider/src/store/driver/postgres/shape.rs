//! Whether a database has the tables, indexes, constraints and triggers that this program makes.
//!
//! What they must be stands in `shape.txt`, as the server tells it of a database that was just made; a test compares them.
//! More than that may be there.

use crate::store::driver::{Connection, listed};
use crate::store::error::StoreError;
use std::collections::HashSet;
use std::path::Path;

/// A line for everything, in order; what is switched off or not valid has none.
pub(in crate::store) const LINES: &str = "
SELECT line FROM (
  SELECT 'table ' || c.relname || ' has the column ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END AS line
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT 'index ' || c.relname || ' is '
    || replace(pg_get_indexdef(i.indexrelid), quote_ident(current_schema()) || '.', '')
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND i.indisvalid AND i.indisready
  UNION ALL
  SELECT 'constraint ' || k.conname || ' of ' || c.relname || ' is '
    || replace(pg_get_constraintdef(k.oid), quote_ident(current_schema()) || '.', '')
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'p', 'u') AND k.convalidated
  UNION ALL
  SELECT 'trigger ' || t.tgname || ' is '
    || replace(pg_get_triggerdef(t.oid), quote_ident(current_schema()) || '.', '')
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  UNION ALL
  SELECT 'function ' || p.proname || ' is ' || trim(p.prosrc)
  FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname = 'uec_refuse'
) shape ORDER BY line COLLATE \"C\"";

/// What they are.
pub(in crate::store) const SHAPE: &str = include_str!("shape.txt");

/// Refuses a database whose schema lacks something.
pub(super) fn check(c: &Connection, place: &Path) -> Result<(), StoreError> {
    let faults = faults(c)?;
    match faults.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Schema {
            path: place.to_owned(),
            what: listed(&faults),
        }),
    }
}

/// What is missing, switched off or different.
pub(super) fn faults(c: &Connection) -> Result<Vec<String>, StoreError> {
    let found: HashSet<String> = c
        .all(LINES, &[], |row| row.get::<String>(0))?
        .into_iter()
        .collect();
    let missing = SHAPE.lines().filter(|line| !found.contains(*line));
    Ok(missing
        .map(|line| {
            let thing = line.split(" is ").next().unwrap_or(line);
            match thing.split_once(" has the ") {
                Some((table, column)) => format!("the {table} lacks its {column}"),
                None => format!("the {thing} is missing, switched off or different"),
            }
        })
        .collect())
}
