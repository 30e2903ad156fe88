//! What goes into a statement and what comes out of a row: whole numbers, text, bytes, or nothing.

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

/// A parameter. It borrows: nothing is copied on the way to SQLite.
#[derive(Clone, Copy)]
pub(in crate::store) enum Value<'a> {
    /// NULL.
    Null,
    /// A whole number; a Boolean as 0 or 1.
    Int(i64),
    /// Text. A NUL in it, which PostgreSQL cannot keep, becomes U+FFFD on both databases: what comes from outside is
    /// refused or put aside before, and nothing is refused for ever by one of them alone.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Text as both databases keep it.
fn without_nul(text: &str) -> Cow<'_, str> {
    match text.as_bytes().contains(&0) {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

/// What is in a column of a row.
#[derive(Clone, Copy)]
pub(in crate::store) enum Cell<'r> {
    /// NULL.
    Null,
    /// A whole number; a Boolean as 0 or 1.
    Int(i64),
    /// Text.
    Text(&'r str),
    /// Bytes.
    Bytes(&'r [u8]),
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Value::Int(i64::from(number))
            }
        }
        impl Column<'_> for $number {
            fn read(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::Int(number) => <$number>::try_from(number).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
numbers!(i64, i32, u32, u16, u8);

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Int(i64::from(flag))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<'a> From<Value<'a>> for Cell<'a> {
    /// The value as it comes back.
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Null => Cell::Null,
            Value::Int(number) => Cell::Int(number),
            Value::Text(text) => Cell::Text(text),
            Value::Bytes(bytes) => Cell::Bytes(bytes),
        }
    }
}

/// A type that a column can be read as.
pub(in crate::store) trait Column<'r>: Sized {
    /// The value, unless the cell holds something else.
    fn read(cell: Cell<'r>) -> Option<Self>;
}

impl<'r> Column<'r> for Cell<'r> {
    fn read(cell: Cell<'r>) -> Option<Self> {
        Some(cell)
    }
}

impl Column<'_> for bool {
    fn read(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Int(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl<'r> Column<'r> for &'r str {
    fn read(cell: Cell<'r>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Column<'_> for String {
    fn read(cell: Cell<'_>) -> Option<Self> {
        <&str>::read(cell).map(str::to_owned)
    }
}

impl<'r> Column<'r> for &'r [u8] {
    fn read(cell: Cell<'r>) -> Option<Self> {
        match cell {
            Cell::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Column<'_> for Vec<u8> {
    fn read(cell: Cell<'_>) -> Option<Self> {
        <&[u8]>::read(cell).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Column<'_> for [u8; N] {
    fn read(cell: Cell<'_>) -> Option<Self> {
        <&[u8]>::read(cell)?.try_into().ok()
    }
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn read(cell: Cell<'r>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            some => T::read(some).map(Some),
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => match without_nul(text) {
                Cow::Borrowed(text) => ValueRef::Text(text.as_bytes()),
                Cow::Owned(text) => return Ok(ToSqlOutput::Owned(text.into())),
            },
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl<'r> Cell<'r> {
    /// Adds it to a digest: a mark of the kind, eight bytes (a number, or the length), then the bytes. So the cells of a
    /// row have one digest, and the same on either database.
    pub(in crate::store) fn digest_into(&self, sha: &mut Sha256) {
        let (mark, number, bytes): (u8, [u8; 8], &[u8]) = match self {
            Cell::Null => (0, [0; 8], &[]),
            Cell::Int(number) => (1, number.to_be_bytes(), &[]),
            Cell::Text(text) => (2, length(text.as_bytes()), text.as_bytes()),
            Cell::Bytes(bytes) => (3, length(bytes), bytes),
        };
        sha.update([mark]);
        sha.update(number);
        sha.update(bytes);
    }

    /// A cell of SQLite; there are no fractions in the schema.
    pub(super) fn of_sqlite(value: ValueRef<'r>) -> Option<Cell<'r>> {
        Some(match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Int(number),
            ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text).ok()?),
            ValueRef::Blob(bytes) => Cell::Bytes(bytes),
            ValueRef::Real(_) => return None,
        })
    }
}

fn length(bytes: &[u8]) -> [u8; 8] {
    (bytes.len() as u64).to_be_bytes()
}

type Wrong = Box<dyn Error + Sync + Send>;

impl std::fmt::Debug for Value<'_> {
    /// Values are patient data as often as not.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Wrong> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => match *ty {
                Type::INT8 => number.to_sql(ty, out),
                Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
                Type::INT2 => i16::try_from(*number)?.to_sql(ty, out),
                Type::BOOL => (*number != 0).to_sql(ty, out),
                _ => Err("a number where the schema has something else".into()),
            },
            Value::Text(text) => without_nul(text).to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Wrong> {
        match (self, ty) {
            (Value::Text(_), ty) if !<&str as ToSql>::accepts(ty) => {
                Err("text where the schema has something else".into())
            }
            (Value::Bytes(_), ty) if *ty != Type::BYTEA => {
                Err("bytes where the schema has something else".into())
            }
            _ => self.to_sql(ty, out),
        }
    }
}

impl<'r> FromSql<'r> for Cell<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Wrong> {
        Ok(match *ty {
            Type::INT8 => Cell::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Cell::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Cell::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Cell::Int(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Cell::Bytes(raw),
            _ => Cell::Text(<&str>::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Wrong> {
        Ok(Cell::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL | Type::BYTEA
        ) || <&str as FromSql>::accepts(ty)
    }
}
