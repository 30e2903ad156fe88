//! What goes into a statement and what comes out of a row: whole numbers, text, bytes, or nothing.

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

/// A parameter of a statement, or what is in a column of a row. It borrows: nothing is copied on the way to SQLite.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::store) enum Value<'a> {
    /// NULL.
    Null,
    /// A whole number; a Boolean as 0 or 1.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// A copy that borrows nothing.
    pub(super) fn to_owned(&self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(*number),
            Value::Text(text) => Value::Text(Cow::Owned(text.clone().into_owned())),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.clone().into_owned())),
        }
    }

    /// Adds it to a digest: a mark of the kind, eight bytes (a number, or the length), then the bytes. So the values of a
    /// row have one digest, and the same on either database.
    pub(in crate::store) fn digest_into(&self, sha: &mut Sha256) {
        let length = |bytes: &[u8]| (bytes.len() as u64).to_be_bytes();
        let (mark, number, bytes): (u8, [u8; 8], &[u8]) = match self {
            Value::Null => (0, [0; 8], &[]),
            Value::Int(number) => (1, number.to_be_bytes(), &[]),
            Value::Text(text) => (2, length(text.as_bytes()), text.as_bytes()),
            Value::Bytes(bytes) => (3, length(bytes), bytes),
        };
        sha.update([mark]);
        sha.update(number);
        sha.update(bytes);
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Value::Int(i64::from(number))
            }
        }
        impl Column<'_> for $number {
            fn read(value: Value<'_>) -> Option<Self> {
                match value {
                    Value::Int(number) => <$number>::try_from(number).ok(),
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
    /// A NUL, which PostgreSQL cannot keep, becomes U+FFFD on both databases: what comes from outside is refused or put
    /// aside before, and nothing is refused for ever by one of them alone.
    fn from(text: &'a str) -> Self {
        Value::Text(match text.as_bytes().contains(&0) {
            true => Cow::Owned(text.replace('\0', "\u{fffd}")),
            false => Cow::Borrowed(text),
        })
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A type that a column can be read as.
pub(in crate::store) trait Column<'r>: Sized {
    /// The value, unless the column holds something else.
    fn read(value: Value<'r>) -> Option<Self>;
}

impl<'r> Column<'r> for Value<'r> {
    fn read(value: Value<'r>) -> Option<Self> {
        Some(value)
    }
}

impl Column<'_> for bool {
    fn read(value: Value<'_>) -> Option<Self> {
        i64::read(value).map(|number| number != 0)
    }
}

impl<'r> Column<'r> for &'r str {
    fn read(value: Value<'r>) -> Option<Self> {
        match value {
            Value::Text(Cow::Borrowed(text)) => Some(text),
            _ => None,
        }
    }
}

impl Column<'_> for String {
    fn read(value: Value<'_>) -> Option<Self> {
        <&str>::read(value).map(str::to_owned)
    }
}

impl<'r> Column<'r> for &'r [u8] {
    fn read(value: Value<'r>) -> Option<Self> {
        match value {
            Value::Bytes(Cow::Borrowed(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

impl Column<'_> for Vec<u8> {
    fn read(value: Value<'_>) -> Option<Self> {
        <&[u8]>::read(value).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Column<'_> for [u8; N] {
    fn read(value: Value<'_>) -> Option<Self> {
        <&[u8]>::read(value)?.try_into().ok()
    }
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn read(value: Value<'r>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            some => T::read(some).map(Some),
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl<'r> Value<'r> {
    /// What SQLite has in a column; there are no fractions in the schema.
    pub(super) fn of_sqlite(value: ValueRef<'r>) -> Option<Value<'r>> {
        Some(match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Text(text) => Value::Text(Cow::Borrowed(std::str::from_utf8(text).ok()?)),
            ValueRef::Blob(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            ValueRef::Real(_) => return None,
        })
    }
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
            Value::Text(text) => text.to_sql(ty, out),
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

impl<'r> FromSql<'r> for Value<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Wrong> {
        Ok(match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Value::Bytes(Cow::Borrowed(raw)),
            _ => Value::Text(Cow::Borrowed(<&str>::from_sql(ty, raw)?)),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Wrong> {
        Ok(Value::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8 | Type::INT4 | Type::INT2 | Type::BOOL | Type::BYTEA
        ) || <&str as FromSql>::accepts(ty)
    }
}
