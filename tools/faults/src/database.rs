//! The database under the program, as the proof sees it.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a read waits for a lock.
const BUSY: Duration = Duration::from_secs(10);

/// Where the data is.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// An address, read with `psql`.
    Postgres(String),
}

impl Database {
    /// As the program's command line names it.
    pub fn url(&self) -> String {
        match self {
            Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// Calls with each row of a query, every field as text.
    pub fn each(
        &self,
        sql: &str,
        row: &mut dyn FnMut(&[String]) -> Result<(), String>,
    ) -> Result<(), String> {
        match self {
            Database::Sqlite(path) => each_of_file(path, sql, row),
            Database::Postgres(url) => each_of_server(url, sql, row),
        }
    }
}

fn each_of_file(
    path: &Path,
    sql: &str,
    row: &mut dyn FnMut(&[String]) -> Result<(), String>,
) -> Result<(), String> {
    let wrong = |e: rusqlite::Error| format!("{}: {e}", path.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(wrong)?;
    connection.busy_timeout(BUSY).map_err(wrong)?;
    let mut statement = connection.prepare(sql).map_err(wrong)?;
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(wrong)?;
    let mut fields = Vec::with_capacity(columns);
    while let Some(found) = rows.next().map_err(wrong)? {
        fields.clear();
        for column in 0..columns {
            fields.push(match found.get_ref(column).map_err(wrong)? {
                ValueRef::Null => String::new(),
                ValueRef::Integer(number) => number.to_string(),
                ValueRef::Real(number) => number.to_string(),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    String::from_utf8_lossy(text).into_owned()
                }
            });
        }
        row(&fields)?;
    }
    Ok(())
}

fn each_of_server(
    url: &str,
    sql: &str,
    row: &mut dyn FnMut(&[String]) -> Result<(), String>,
) -> Result<(), String> {
    let mut psql = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
            url,
        ])
        .args(["--command", &format!("COPY ({sql}) TO STDOUT")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start psql: {e}"))?;
    let stdout = psql.stdout.take().ok_or("psql has no output")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| format!("psql: {e}"))?;
        let fields: Vec<String> = line
            .split('\t')
            .map(|field| match field {
                "\\N" => String::new(),
                text => text.to_owned(),
            })
            .collect();
        row(&fields)?;
    }
    let ended = psql.wait_with_output().map_err(|e| format!("psql: {e}"))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(format!(
            "psql: {}",
            String::from_utf8_lossy(&ended.stderr).trim()
        )),
    }
}

impl Database {
    /// Runs statements behind the program's back, without the checks of the schema where that is possible.
    pub fn execute(&self, statements: &str) -> Result<(), String> {
        match self {
            Database::Sqlite(path) => {
                let wrong = |e: rusqlite::Error| format!("{}: {e}", path.display());
                let connection = Connection::open(path).map_err(wrong)?;
                connection.busy_timeout(BUSY).map_err(wrong)?;
                connection
                    .pragma_update(None, "foreign_keys", false)
                    .map_err(wrong)?;
                connection.execute_batch(statements).map_err(wrong)
            }
            Database::Postgres(url) => {
                let mut psql = Command::new("psql");
                psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"]);
                psql.args(["--dbname", url, "--command", statements]);
                testkit::process::output(&mut psql).map(|_| ())
            }
        }
    }

    /// Keeps everybody else from writing for so long.
    pub fn hold(&self, time: Duration) -> Result<(), String> {
        match self {
            Database::Sqlite(path) => {
                let wrong = |e: rusqlite::Error| format!("{}: {e}", path.display());
                let connection = Connection::open(path).map_err(wrong)?;
                connection.busy_timeout(BUSY).map_err(wrong)?;
                connection.execute_batch("BEGIN IMMEDIATE").map_err(wrong)?;
                std::thread::sleep(time);
                connection.execute_batch("ROLLBACK").map_err(wrong)
            }
            // One table, so that nobody can wait for the other: every write begins with it.
            Database::Postgres(_) => self.execute(&format!(
                "BEGIN; LOCK TABLE audit_head IN EXCLUSIVE MODE; SELECT pg_sleep({}); ROLLBACK",
                time.as_secs_f64()
            )),
        }
    }
}
