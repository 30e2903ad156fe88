//! Where the data of a row is: in files, or in a PostgreSQL server that the bench starts for itself.

use clap::ValueEnum;
use provider::store::{Options, Store};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::postgres::{self, OLDEST, Server};
use testkit::process;

use crate::server::processor_ticks;

/// How long a copy waits for connections that were just closed to be gone.
const FREE_WITHIN: Duration = Duration::from_secs(10);
/// What differs from a server as it is installed: as much cache as SQLite has with the file cache
/// of the operating system, and room for the log so that a row is not measured in the middle of a checkpoint. Commits are
/// durable, as they are by default.
const SETTINGS: &[&str] = &[
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
];
/// Which database is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stores {
    /// SQLite only.
    Sqlite,
    /// PostgreSQL only.
    Postgres,
    /// Both.
    Both,
}

/// Where the data of a row is.
pub enum Place {
    /// Files in this folder.
    Sqlite(PathBuf),
    /// Databases of this server.
    Postgres(Server),
}

impl Place {
    /// The places asked for. Without PostgreSQL on this machine its rows are left out, and that is said.
    pub fn all(stores: Stores, folder: &Path) -> Result<Vec<Place>, String> {
        let mut places = Vec::new();
        if stores != Stores::Postgres {
            places.push(Place::Sqlite(folder.to_owned()));
        }
        if stores != Stores::Sqlite {
            match postgres::is_installed() {
                true => {
                    let server = Server::make(&folder.join("postgres"), SETTINGS);
                    places.push(Place::Postgres(server));
                }
                false => eprintln!(
                    "skipped: the rows on PostgreSQL, which is not installed (no initdb of release {OLDEST} or newer)"
                ),
            }
        }
        Ok(places)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Place::Sqlite(_) => "SQLite",
            Place::Postgres(_) => "PostgreSQL",
        }
    }

    /// True where the database is in the server's own process.
    pub fn is_sqlite(&self) -> bool {
        matches!(self, Place::Sqlite(_))
    }

    fn file(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.sqlite"))
    }

    /// Address of a new, empty database.
    pub fn make(&self, name: &str) -> Result<String, String> {
        match self {
            Place::Sqlite(_) => {}
            Place::Postgres(server) => server.psql(&format!("CREATE DATABASE {name}"))?,
        }
        Ok(self.url(name))
    }

    fn url(&self, name: &str) -> String {
        match self {
            Place::Sqlite(folder) => format!("sqlite:{}", Place::file(folder, name).display()),
            Place::Postgres(server) => server.url(name),
        }
    }

    /// Address of a copy of a database that nobody has open.
    pub fn copy(&self, from: &str, to: &str) -> Result<String, String> {
        match self {
            Place::Sqlite(folder) => {
                let copied = open(&self.url(from))?.backup(&Place::file(folder, to));
                copied.map_err(|e| e.to_string())?;
            }
            Place::Postgres(server) => {
                let began = Instant::now();
                while let Err(error) = server.psql(&format!("CREATE DATABASE {to} TEMPLATE {from}"))
                {
                    if began.elapsed() > FREE_WITHIN {
                        return Err(error);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        Ok(self.url(to))
    }

    /// What the database takes on the disk.
    pub fn bytes(&self, name: &str) -> Result<u64, String> {
        match self {
            Place::Sqlite(folder) => std::fs::metadata(Place::file(folder, name))
                .map(|m| m.len())
                .map_err(|e| e.to_string()),
            Place::Postgres(server) => server
                .ask("postgres", &format!("SELECT pg_database_size('{name}')"))?
                .trim()
                .parse()
                .map_err(|_| "the size is no number".to_owned()),
        }
    }

    /// Gets what was written so far out of the way of what is measured next.
    pub fn settle(&self) -> Result<(), String> {
        match self {
            Place::Sqlite(_) => Ok(()),
            Place::Postgres(server) => server.psql("CHECKPOINT"),
        }
    }

    /// Has a database learn how its data is spread, which PostgreSQL does by itself once a minute: before that it may
    /// read whole tables, in a row as short as these for most of the time.
    pub fn analyze(&self, name: &str) -> Result<(), String> {
        match self {
            Place::Sqlite(_) => Ok(()),
            Place::Postgres(server) => server.ask(name, "ANALYZE").map(drop),
        }
    }

    /// Processor time that the database's own processes used so far, in seconds.
    pub fn cpu(&self) -> f64 {
        match self {
            Place::Sqlite(_) => 0.0,
            Place::Postgres(server) => server.pid().map_or(0.0, |first| {
                // Of the first process and of those it had, and of those it has.
                let running = process::children_of(first).into_iter();
                let running = running.map(|child| processor_ticks(child, 11..13));
                processor_ticks(first, 11..15) + running.sum::<f64>()
            }),
        }
    }
}

/// Opens a database for the bench itself.
pub fn open(url: &str) -> Result<Store, String> {
    Store::open(url, &Options::default()).map_err(|e| e.to_string())
}
