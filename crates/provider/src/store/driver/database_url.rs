//! Where the data is: a file, memory, or a server.

use super::connection::Connection;
use super::{postgres, sqlite};
use crate::store::error::StoreError;
use crate::store::gauges::Inspection;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a database is, and how to get a connection to it.
#[derive(Clone)]
pub(in crate::store) enum DatabaseUrl {
    /// A file, or memory of this process.
    Sqlite(sqlite::Location),
    /// A server, or several of which one takes writes.
    Postgres(Arc<postgres::Server>),
}

impl DatabaseUrl {
    /// Reads an address. Nothing is connected yet.
    pub(in crate::store) fn parse(url: &str) -> Result<DatabaseUrl, StoreError> {
        if postgres::is_address(url) {
            let server = postgres::Server::start(url, postgres::Target::Primary)?;
            return Ok(DatabaseUrl::Postgres(Arc::new(server)));
        }
        sqlite::Location::parse(url).map(DatabaseUrl::Sqlite)
    }

    /// The place for messages, without password.
    pub(in crate::store) fn shown(&self) -> String {
        match self {
            DatabaseUrl::Sqlite(place) => place.shown().display().to_string(),
            DatabaseUrl::Postgres(server) => server.shown().to_owned(),
        }
    }

    /// The file, when it is one.
    pub(in crate::store) fn file(&self) -> Option<PathBuf> {
        match self {
            DatabaseUrl::Sqlite(sqlite::Location::File(path)) => Some(path.clone()),
            DatabaseUrl::Sqlite(sqlite::Location::Memory(_)) | DatabaseUrl::Postgres(_) => None,
        }
    }

    /// Looks at it from outside; `pages`: every page of a file too.
    pub(in crate::store) fn inspect(&self, pages: bool) -> Result<Inspection, StoreError> {
        match self {
            DatabaseUrl::Sqlite(place) => sqlite::inspect(place, pages),
            DatabaseUrl::Postgres(server) => postgres::run_blocking(|| postgres::inspect(server)),
        }
    }

    /// A connection for short reads, one of `of`.
    pub(in crate::store) fn reader(&self, of: usize) -> Result<Connection, StoreError> {
        match self {
            DatabaseUrl::Sqlite(place) => Ok(sqlite::reader(place, of)?.into()),
            DatabaseUrl::Postgres(server) => Ok(server.connect(postgres::Role::Reader)?.into()),
        }
    }

    /// A connection for one long read.
    pub(in crate::store) fn separate(&self, of: usize) -> Result<Connection, StoreError> {
        match self {
            DatabaseUrl::Sqlite(_) => self.reader(of),
            DatabaseUrl::Postgres(server) => Ok(server.connect(postgres::Role::Long)?.into()),
        }
    }
}
