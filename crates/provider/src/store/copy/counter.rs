//! Counters that give out keys: the target goes on after the highest that the source ever gave out.

use super::table::{TABLES, Table};
use crate::store::driver::{Connection, Fault, corrupt, values};
use crate::store::error::StoreError;

/// The highest key that a table has or had.
pub(super) fn highest(c: &Connection, table: &Table) -> Result<i64, StoreError> {
    let sql = format!("SELECT coalesce(max(key), 0) FROM {}", table.name);
    Ok(c.number(&sql, &[])?.max(counted(c, table)?.unwrap_or(0)))
}

/// The highest key that the table's counter gave out; nothing where SQLite counts from the highest that is there.
fn counted(c: &Connection, table: &Table) -> Result<Option<i64>, StoreError> {
    if c.text(true, false) {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        return Ok(c.one(sql, values![table.name], |row| row.get(0))?);
    }
    let sql = "SELECT pg_get_serial_sequence(?1, 'key')";
    let sequence: Option<Option<String>> = c.one(sql, values![table.name], |row| row.get(0))?;
    let sequence = sequence
        .flatten()
        .ok_or_else(|| corrupt(&format!("the counter of {}", table.name)))?;
    let sql = format!("SELECT last_value, is_called FROM {sequence}");
    let last = c.one(&sql, &[], |row| {
        Ok((row.get::<i64>(0)?, row.get::<bool>(1)?))
    })?;
    Ok(last.map(|(last, is_called)| last - i64::from(!is_called)))
}

/// Sets all counters of the target.
pub(super) fn copy(source: &Connection, target: &Connection) -> Result<(), StoreError> {
    for table in numbered() {
        set(target, table, highest(source, table)?)?;
    }
    Ok(())
}

fn set(c: &Connection, table: &Table, last: i64) -> Result<(), Fault> {
    if c.text(false, true) {
        // Unlike setval, this is undone with the transaction.
        return c.batch(&format!(
            "ALTER TABLE {} ALTER COLUMN key RESTART WITH {}",
            table.name,
            last + 1
        ));
    }
    if table.name != "slot" {
        // The others are never removed, so that the highest that is there is the highest that was.
        return Ok(());
    }
    let changed = c.execute(
        "UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1",
        values![table.name, last],
    )?;
    if changed == 0 {
        c.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
            values![table.name, last],
        )?;
    }
    Ok(())
}

/// The first table whose counter would give out a key again.
pub(super) fn behind(
    source: &Connection,
    target: &Connection,
) -> Result<Option<&'static str>, StoreError> {
    for table in numbered() {
        if let Some(counted) = counted(target, table)?
            && counted < highest(source, table)?
        {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

fn numbered() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.is_numbered)
}
