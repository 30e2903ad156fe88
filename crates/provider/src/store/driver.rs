//! The two databases behind one small door: statements with `?1` parameters go in, rows of four kinds of value come out.
//!
//! Everything that the store does is written once above this folder. What differs between the databases is here: how a
//! connection is made, what a transaction begins with, which fault means what, the schema, and the few statements that
//! have two texts ([`Connection::text`]).

mod connection;
mod database_url;
mod fault;
pub(in crate::store) mod postgres;
mod release;
pub(in crate::store) mod sqlite;
mod value;

pub(in crate::store) use connection::{Connection, Row};
pub(in crate::store) use database_url::DatabaseUrl;
pub(in crate::store) use fault::{Fault, Kind, corrupt, listed};
pub(in crate::store) use release::Release;
use release::newest;
pub(in crate::store) use value::Value;

/// Parameters of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::driver::Value::from($value)),*]
    };
}
pub(in crate::store) use values;
