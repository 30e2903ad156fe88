//! The two databases of a copy: how each is opened, held and left.

use super::catalogue;
use super::error::CopyError;
use super::report::CopyOptions;
use super::table::TABLES;
use crate::store::driver::{Connection, DatabaseUrl, postgres, sqlite};
use crate::store::error::StoreError;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// How often it is looked whether other programs are gone: the server lists one that has just ended for a moment.
const LOOKS: u32 = 15;
/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// Stands for no process of the server.
const NO_PID: i64 = 0;

/// Reads both addresses.
pub(super) fn places(from: &str, to: &str) -> Result<(DatabaseUrl, DatabaseUrl), CopyError> {
    let (source, target) = (place(from)?, place(to)?);
    let is_same = match (&source, &target) {
        (
            DatabaseUrl::Sqlite(sqlite::Location::File(a)),
            DatabaseUrl::Sqlite(sqlite::Location::File(b)),
        ) => a == b || is_same_file(a, b),
        _ => from == to,
    };
    match is_same {
        true => Err(CopyError::Same {
            place: source.shown(),
        }),
        false => Ok((source, target)),
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// An address, or the path of a file.
fn place(given: &str) -> Result<DatabaseUrl, CopyError> {
    let is_path = !given.starts_with("sqlite:") && !given.contains("://");
    let url = match is_path {
        true => format!("sqlite:{given}"),
        false => given.to_owned(),
    };
    let shown = crate::store::redacted(&url);
    DatabaseUrl::parse(&url).map_err(|error| CopyError::at(&shown, error))
}

/// The database that is read.
pub(super) struct Source {
    pub(super) connection: Connection,
    pub(super) place: String,
    /// The moment at which it is seen.
    pub(super) as_of: Timestamp,
    /// Nobody can write to it.
    pub(super) is_held: bool,
    /// The server's process for the connection.
    pid: i64,
    /// Lives as long as the connection.
    _of: DatabaseUrl,
}

impl Source {
    /// Opens it and begins the one transaction in which it is read.
    pub(super) fn open(of: &DatabaseUrl, options: &CopyOptions) -> Result<Source, CopyError> {
        let (place, is_held) = (of.shown(), !options.while_running);
        let at = |error: StoreError| CopyError::at(&place, error);
        let in_use = |by: &str| CopyError::SourceInUse {
            place: place.clone(),
            by: by.to_owned(),
        };
        let (connection, pid) = match of {
            DatabaseUrl::Sqlite(file) => {
                let opened = sqlite::source(file, is_held).map_err(|error| match error {
                    StoreError::Locked { .. } => in_use("another program has the file open"),
                    error => at(error),
                });
                let (connection, schema) = opened?;
                check_schema(&place, schema, sqlite::NEWEST)?;
                (connection.into(), NO_PID)
            }
            DatabaseUrl::Postgres(server) => {
                let (connection, schema) = postgres::source(server).map_err(at)?;
                check_schema(&place, schema, postgres::NEWEST)?;
                let pid = postgres::own_pid(&connection).map_err(at)?;
                if is_held && let Some(by) = company(&connection, NO_PID).map_err(at)? {
                    return Err(in_use(&by));
                }
                let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
                let tables = is_held.then(|| tables.join(", "));
                postgres::hold(&connection, tables.as_deref()).map_err(|error| match error {
                    StoreError::Busy { .. } => in_use("another program is writing to it"),
                    error => at(error),
                })?;
                (connection, pid)
            }
        };
        let as_of = crate::clock::now();
        // The first read, which settles the moment.
        connection
            .number("SELECT count(*) FROM tenant", &[])
            .map_err(|fault| at(fault.error))?;
        Ok(Source {
            connection,
            place,
            as_of,
            is_held,
            pid,
            _of: of.clone(),
        })
    }

    /// Fails when a provider has come to a source that is held; a file lets none in.
    pub(super) fn must_be_alone(&self) -> Result<(), CopyError> {
        if !self.is_held || self.connection.text(true, false) {
            return Ok(());
        }
        let company = company(&self.connection, NO_PID);
        match company.map_err(|error| CopyError::at(&self.place, error))? {
            None => Ok(()),
            Some(by) => Err(CopyError::SourceInUse {
                place: self.place.clone(),
                by,
            }),
        }
    }
}

fn check_schema(place: &str, found: i64, known: i64) -> Result<(), CopyError> {
    let place = place.to_owned();
    match found {
        0 => Err(CopyError::Empty { place }),
        found if found < known => Err(CopyError::Older {
            place,
            found,
            known,
        }),
        _ => Ok(()),
    }
}

/// Which programs like this one are connected to a server's database too.
fn company(c: &Connection, but: i64) -> Result<Option<String>, StoreError> {
    let mut looks = 0;
    // Bounded by LOOKS.
    loop {
        looks += 1;
        let others = postgres::others(c, but)?;
        let ours: Vec<String> = others
            .iter()
            .filter(|session| session.is_ours)
            .map(|s| format!("{} connections of “{}”, user {}", s.count, s.name, s.user))
            .collect();
        match ours.is_empty() {
            true => return Ok(None),
            false if looks >= LOOKS => return Ok(Some(ours.join("; "))),
            false => std::thread::sleep(LOOK_PAUSE),
        }
    }
}

/// The database that is filled.
pub(super) struct Target {
    pub(super) connection: Connection,
    pub(super) place: String,
    /// What only a file has.
    file: Option<sqlite::Target>,
    /// Lives as long as the connection.
    _of: DatabaseUrl,
}

impl Target {
    /// Opens it, makes the tables if it has none, and makes sure that it is empty.
    pub(super) fn open(of: &DatabaseUrl, source: &Source) -> Result<Target, CopyError> {
        let place = of.shown();
        let at = |error: StoreError| CopyError::at(&place, error);
        let in_use = |by: String| CopyError::TargetInUse {
            place: place.clone(),
            by,
        };
        let (connection, file) = match of {
            DatabaseUrl::Sqlite(file) => {
                let (connection, file) = sqlite::target(file).map_err(|error| match error {
                    StoreError::Locked { .. } => {
                        in_use("another program has the file open".to_owned())
                    }
                    error => at(error),
                })?;
                (Connection::from(connection), Some(file))
            }
            DatabaseUrl::Postgres(server) => {
                let connection = postgres::target(server).map_err(|error| match error {
                    StoreError::Busy { .. } => in_use("another program is at work in it".into()),
                    error => at(error),
                })?;
                if let Some(by) = company(&connection, source.pid).map_err(at)? {
                    return Err(in_use(by));
                }
                (connection, None)
            }
        };
        let target = Target {
            connection,
            place,
            file,
            _of: of.clone(),
        };
        match target.must_be_empty() {
            Ok(()) => Ok(target),
            Err(error) => {
                target.give_up();
                Err(error)
            }
        }
    }

    fn must_be_empty(&self) -> Result<(), CopyError> {
        catalogue::check_target(&self.connection, &self.place)?;
        for table in TABLES.iter() {
            let rows = self.connection.number(&table.any(), &[]);
            if rows.map_err(|fault| CopyError::at(&self.place, fault))? > 0 {
                return Err(CopyError::Occupied {
                    place: self.place.clone(),
                    table: table.name,
                });
            }
        }
        Ok(())
    }

    /// Leaves it as it was.
    pub(super) fn give_up(self) {
        // Closing undoes what was not committed; a server does so by itself.
        drop(self.connection);
        if let Some(file) = self.file {
            file.clear_away();
        }
    }

    /// Makes the copy durable.
    pub(super) fn keep(self) -> Result<(), CopyError> {
        if let Err(fault) = self.connection.commit() {
            let is_doubtful = self.connection.must_begin_again();
            let place = self.place.clone();
            self.give_up();
            return Err(match is_doubtful {
                true => CopyError::Doubtful {
                    place,
                    error: fault.error,
                },
                false => CopyError::at(&place, fault),
            });
        }
        if let Some(file) = &self.file {
            file.sync_name()
                .map_err(|error| CopyError::at(&self.place, error))?;
        } else if let Err(fault) = self.connection.batch("ANALYZE") {
            // The server does it by itself a little later.
            tracing::debug!(error = %fault.error, "the tables were not analysed");
        }
        Ok(())
    }
}
