//! One connection to either database.

use super::fault::{Fault, corrupt};
use super::value::{Column, Value};
use super::{postgres, sqlite};
use crate::store::error::StoreError;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// Texts of labels that one connection remembers; a tenant has some dozens.
const LABELS_MOST: usize = 4_096;

/// A connection. It can go from thread to thread, but is used by one at a time.
pub(in crate::store) struct Connection {
    inner: Inner,
    /// Texts of labels that are stored, or of the open transaction.
    labels: RefCell<HashMap<i64, Arc<str>>>,
    /// The last transaction was committed whole, so that its labels are stored.
    committed: Cell<bool>,
}

enum Inner {
    Sqlite(sqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

/// A row, while it is read.
pub(in crate::store) enum Row<'r> {
    /// SQLite lends it until the next.
    Sqlite(&'r rusqlite::Row<'r>),
    /// PostgreSQL sent it.
    Postgres(&'r tokio_postgres::Row),
}

impl<'r> Row<'r> {
    /// The value of a column, counted from 0; text and bytes can be borrowed.
    pub(in crate::store) fn get<T: Column<'r>>(&self, column: usize) -> Result<T, StoreError> {
        let value = match self {
            Row::Sqlite(row) => row.get_ref(column).ok().and_then(Value::of_sqlite),
            Row::Postgres(row) => row.try_get(column).ok(),
        };
        value
            .and_then(T::read)
            .ok_or_else(|| corrupt(&format!("column {column} of an answer")))
    }
}

impl From<sqlite::Connection> for Connection {
    fn from(connection: sqlite::Connection) -> Connection {
        Connection::of(Inner::Sqlite(connection))
    }
}

impl From<postgres::Connection> for Connection {
    fn from(connection: postgres::Connection) -> Connection {
        Connection::of(Inner::Postgres(Box::new(connection)))
    }
}

impl Connection {
    fn of(inner: Inner) -> Connection {
        Connection {
            inner,
            labels: RefCell::default(),
            committed: Cell::default(),
        }
    }

    /// The text of a statement that must be written twice.
    pub(in crate::store) fn text<T>(&self, sqlite: T, postgres: T) -> T {
        match self.inner {
            Inner::Sqlite(_) => sqlite,
            Inner::Postgres(_) => postgres,
        }
    }

    /// Runs a statement without rows; returns how many it changed.
    pub(in crate::store) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.execute(sql, values),
            Inner::Postgres(c) => c.execute(sql, values),
        }
    }

    /// Runs several statements without parameters, such as a step of the schema.
    pub(in crate::store) fn batch(&self, sql: &str) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => Ok(c.raw().execute_batch(sql)?),
            Inner::Postgres(c) => c.batch(sql),
        }
    }

    /// Runs a statement of which only the success matters. A fault may be told by a later one of the same part of a
    /// transaction instead.
    pub(in crate::store) fn execute_later(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.execute(sql, values).map(|_| ()),
            Inner::Postgres(c) => c.execute_later(sql, values),
        }
    }

    /// Announces a read that comes before any change, so that PostgreSQL can pipeline it. No effect on SQLite.
    pub(in crate::store) fn ahead(&self, sql: &str, values: &[Value<'_>]) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(c) => c.ahead(sql, values),
        }
    }

    /// True where each statement takes a way over the network.
    pub(in crate::store) fn is_remote(&self) -> bool {
        self.text(false, true)
    }

    /// Runs a statement with many sets of values; returns for each how many rows it changed.
    pub(in crate::store) fn execute_each(
        &self,
        sql: &str,
        all: &[Vec<Value<'_>>],
    ) -> Result<Vec<u64>, Fault> {
        match &self.inner {
            Inner::Sqlite(c) => all.iter().map(|values| c.execute(sql, values)).collect(),
            Inner::Postgres(c) => c.execute_each(sql, all),
        }
    }

    /// Runs a query and hands every row over. Other statements may be run meanwhile.
    pub(in crate::store) fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.each(sql, values, |row| take(&Row::Sqlite(row))),
            Inner::Postgres(c) => {
                for row in c.query(sql, values)? {
                    take(&Row::Postgres(&row))?;
                }
                Ok(())
            }
        }
    }

    /// Runs a long query with one row in memory at a time, until `take` returns false. No other statement meanwhile.
    pub(in crate::store) fn stream(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.stream(sql, values, |row| take(&Row::Sqlite(row))),
            Inner::Postgres(c) => c.stream(sql, values, |row| take(&Row::Postgres(row))),
        }
    }

    /// All rows of a query.
    pub(in crate::store) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, Fault> {
        let mut found = Vec::new();
        self.each(sql, values, |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row of a query, if there is one.
    pub(in crate::store) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.one(sql, values, |row| read(&Row::Sqlite(row))),
            Inner::Postgres(c) => {
                let rows = c.query(sql, values)?;
                Ok(rows.first().map(|r| read(&Row::Postgres(r))).transpose()?)
            }
        }
    }

    /// The first column of the only row of a query.
    pub(in crate::store) fn number(&self, sql: &str, values: &[Value<'_>]) -> Result<i64, Fault> {
        let found = self.one(sql, values, |r| r.get(0))?;
        Ok(found.ok_or_else(|| corrupt("an answer without a row"))?)
    }

    /// Writes into the open transaction what changes nothing and is synced like everything else.
    pub(in crate::store) fn probe(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.probe(),
            Inner::Postgres(c) => c
                .query("SELECT pg_logical_emit_message(true, 'uec', '')::text", &[])
                .map(|_| ()),
        }
    }

    /// Refuses when the server takes no writes of new sessions: it is a standby, or became read-only. A session that is open
    /// says by itself that it writes, and would not notice. A file of SQLite tells it when it is written.
    pub(in crate::store) fn takes_writes(&self) -> Result<(), StoreError> {
        let Inner::Postgres(c) = &self.inner else {
            return Ok(());
        };
        let refused = c
            .query(
                // What is set for the database or the user wins over the server's, and is never told to open sessions.
                "SELECT 1::bigint WHERE pg_is_in_recovery() OR COALESCE( \
                 (SELECT split_part(c, '=', 2) FROM pg_db_role_setting s, unnest(s.setconfig) c \
                  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
                  AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
                  AND split_part(c, '=', 1) = 'default_transaction_read_only' \
                  ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1), \
                 (SELECT reset_val FROM pg_settings WHERE name = 'default_transaction_read_only'))::boolean",
                &[],
            )
            .map_err(|fault| fault.error)?;
        match refused.is_empty() {
            true => Ok(()),
            false => Err(StoreError::ReadOnly {
                what: "the server is a standby, or default_transaction_read_only is set".to_owned(),
            }),
        }
    }

    /// Begins a transaction that writes.
    pub(in crate::store) fn begin(&self) -> Result<(), Fault> {
        if !self.committed.take() {
            self.labels.borrow_mut().clear();
        }
        match &self.inner {
            Inner::Sqlite(c) => c.control("BEGIN IMMEDIATE"),
            Inner::Postgres(c) => c.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),
        }
    }

    /// Begins a transaction whose reads all see one moment.
    pub(in crate::store) fn begin_snapshot(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.control("BEGIN"),
            Inner::Postgres(c) => c.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        }
    }

    /// Makes everything durable. A fault of kind [`Again`](super::Kind::Again) leaves it unknown whether it is.
    pub(in crate::store) fn commit(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.control("COMMIT"),
            Inner::Postgres(c) => c.commit(),
        }?;
        self.committed.set(true);
        Ok(())
    }

    /// Gives up the transaction.
    pub(in crate::store) fn rollback(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.control("ROLLBACK"),
            Inner::Postgres(c) => c.rollback(),
        }
    }

    /// Begins a part of a transaction that can be undone alone; parts do not nest.
    pub(in crate::store) fn begin_part(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.control("SAVEPOINT job"),
            Inner::Postgres(c) => c.begin_part(),
        }
    }

    /// Ends it and keeps what it did.
    pub(in crate::store) fn keep_part(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::Sqlite(c) => c.control("RELEASE job"),
            Inner::Postgres(c) => c.keep_part(),
        }
    }

    /// Ends it and undoes what it did.
    pub(in crate::store) fn undo_part(&self) -> Result<(), Fault> {
        self.labels.borrow_mut().clear();
        match &self.inner {
            Inner::Sqlite(c) => c
                .control("ROLLBACK TO job")
                .and_then(|()| c.control("RELEASE job")),
            Inner::Postgres(c) => c.undo_part(),
        }
    }

    /// True while a transaction is open, and the database has not given it up by itself.
    pub(in crate::store) fn in_transaction(&self) -> bool {
        match &self.inner {
            Inner::Sqlite(c) => c.in_transaction(),
            Inner::Postgres(c) => c.in_transaction(),
        }
    }

    /// True when the transaction failed for a reason that is not its own, and may succeed when it is done again.
    pub(in crate::store) fn must_begin_again(&self) -> bool {
        match &self.inner {
            Inner::Sqlite(_) => false,
            Inner::Postgres(c) => c.must_begin_again(),
        }
    }

    /// True when nothing more can be done with this connection.
    pub(in crate::store) fn is_dead(&self) -> bool {
        match &self.inner {
            Inner::Sqlite(_) => false,
            Inner::Postgres(c) => c.is_dead(),
        }
    }

    /// Refuses when the file that is written to is not the one at its path any more.
    pub(in crate::store) fn in_place(&self) -> Result<(), StoreError> {
        match &self.inner {
            Inner::Sqlite(c) => c.in_place(),
            Inner::Postgres(_) => Ok(()),
        }
    }

    /// Notes the last row of a tenant's trail, which is stored and about to be acknowledged.
    pub(in crate::store) fn acknowledged(&self, tenant: i64, row: i64) {
        if let Inner::Sqlite(c) = &self.inner {
            c.acknowledged(tenant, row);
        }
    }

    /// Between two groups of the writer: what the database leaves to it.
    pub(in crate::store) fn between_groups(&self) {
        if let Inner::Sqlite(c) = &self.inner {
            c.between_groups();
        }
    }

    /// A label's text that was read before. Labels are never changed.
    pub(in crate::store) fn label(&self, key: i64) -> Option<Arc<str>> {
        self.labels.borrow().get(&key).cloned()
    }

    /// Remembers a label's text.
    pub(in crate::store) fn remember_label(&self, key: i64, text: Arc<str>) {
        let mut labels = self.labels.borrow_mut();
        if labels.len() >= LABELS_MOST {
            labels.clear();
        }
        labels.insert(key, text);
    }

    /// The connection underneath, for what only SQLite has.
    pub(in crate::store) fn as_sqlite(&self) -> Option<&rusqlite::Connection> {
        match &self.inner {
            Inner::Sqlite(c) => Some(c.raw()),
            Inner::Postgres(_) => None,
        }
    }
}
