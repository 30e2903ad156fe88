//! Rows on their way from one database to the other.

use super::error::CopyError;
use super::table::Table;
use crate::store::driver::{Connection, Fault, Value};
use crate::store::error::StoreError;

/// Bytes of rows held at most before they are written; one row more, which may be a message of 32 MB.
const BYTES: usize = 4 << 20;
/// Rows that one statement takes on PostgreSQL: far enough apart that the way to the server does not count.
const ROWS: usize = 512;
/// Parameters that a statement can have on PostgreSQL.
const PARAMETERS: usize = 65_535;

/// A value whose text or bytes are kept in the batch.
enum Kept {
    Null,
    Int(i64),
    Text(usize, usize),
    Bytes(usize, usize),
}

/// Rows of one table that wait to be written.
pub(super) struct Batch<'c> {
    table: &'static Table,
    target: &'c Connection,
    place: &'c str,
    /// Rows that one statement takes.
    most: usize,
    values: Vec<Kept>,
    texts: String,
    bytes: Vec<u8>,
}

impl<'c> Batch<'c> {
    pub(super) fn of(table: &'static Table, target: &'c Connection, place: &'c str) -> Batch<'c> {
        // SQLite takes a row in less time than a longer statement is worth.
        let most = target.text(1, ROWS.min(PARAMETERS / table.columns.len().max(1)));
        Batch {
            table,
            target,
            place,
            most,
            values: Vec::new(),
            texts: String::new(),
            bytes: Vec::new(),
        }
    }

    /// Takes a row; writes those that wait when they are enough.
    pub(super) fn push(&mut self, row: &[Value<'_>]) -> Result<(), CopyError> {
        for value in row {
            let kept = match value {
                Value::Null => Kept::Null,
                Value::Int(number) => Kept::Int(*number),
                Value::Text(text) => {
                    if self.target.text(false, text.contains('\0')) {
                        return Err(CopyError::Unfit {
                            table: self.table.name,
                            what: "a text holds the character NUL, which PostgreSQL cannot store"
                                .to_owned(),
                        });
                    }
                    let from = self.texts.len();
                    self.texts.push_str(text);
                    Kept::Text(from, self.texts.len())
                }
                Value::Bytes(bytes) => {
                    let from = self.bytes.len();
                    self.bytes.extend_from_slice(bytes);
                    Kept::Bytes(from, self.bytes.len())
                }
            };
            self.values.push(kept);
        }
        let rows = self.values.len() / self.table.columns.len();
        match rows >= self.most || self.texts.len() + self.bytes.len() >= BYTES {
            true => self.write(),
            false => Ok(()),
        }
    }

    /// Writes what waits.
    pub(super) fn write(&mut self) -> Result<(), CopyError> {
        let width = self.table.columns.len();
        let values: Vec<Value<'_>> = self.values.iter().map(|kept| self.value(kept)).collect();
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            let left = rest.len() / width;
            // Few numbers of rows, so that few statements are prepared: the whole, and powers of two.
            let rows = match left >= self.most {
                true => self.most,
                false => 1 << left.ilog2(),
            };
            let (now, later) = rest.split_at(rows * width);
            let sql = self.table.insert(self.target.text(true, false), rows);
            self.target
                .execute(&sql, now)
                .map_err(|fault| self.refused(fault))?;
            rest = later;
        }
        drop(values);
        self.values.clear();
        self.texts.clear();
        self.bytes.clear();
        // A single large message must not be held on to for the rest of the table.
        self.bytes.shrink_to(BYTES);
        self.texts.shrink_to(BYTES);
        Ok(())
    }

    fn value(&self, kept: &Kept) -> Value<'_> {
        match *kept {
            Kept::Null => Value::Null,
            Kept::Int(number) => Value::Int(number),
            Kept::Text(from, to) => self.texts.get(from..to).unwrap_or_default().into(),
            Kept::Bytes(from, to) => self.bytes.get(from..to).unwrap_or_default().into(),
        }
    }

    fn refused(&self, fault: Fault) -> CopyError {
        let unfit = |what: String| CopyError::Unfit {
            table: self.table.name,
            what,
        };
        match fault.error {
            StoreError::Unexpected { what } => unfit(what),
            error if fault.kind == crate::store::driver::Kind::Final => {
                CopyError::at(self.place, error)
            }
            error => unfit(error.to_string()),
        }
    }
}
