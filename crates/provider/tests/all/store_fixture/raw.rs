//! A look at a database, and a hand in it, past the store.

use std::sync::Mutex;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A connection of another program.
pub enum Raw {
    Sqlite(rusqlite::Connection),
    Postgres(Postgres),
}

/// A client with what drives it; it is used from tests with and without a runtime.
pub struct Postgres {
    client: Client,
    runtime: Mutex<Option<Runtime>>,
}

impl Postgres {
    pub fn connect(url: &str) -> Result<Postgres, String> {
        let url = url.to_owned();
        elsewhere(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let client = runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls)
                    .await
                    .map_err(|e| said(&e))?;
                tokio::spawn(connection);
                Ok::<_, String>(client)
            })?;
            Ok(Postgres {
                client,
                runtime: Mutex::new(Some(runtime)),
            })
        })
    }

    pub fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
        elsewhere(|| {
            let runtime = self.runtime.lock().unwrap();
            let answer = runtime
                .as_ref()
                .unwrap()
                .block_on(self.client.simple_query(sql));
            let messages = answer.map_err(|e| said(&e))?;
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(
                    (0..row.len())
                        .map(|n| row.get(n).map(str::to_owned))
                        .collect(),
                ),
                _ => None,
            });
            Ok(rows.collect())
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(told) => format!("{} {}", told.code().code(), told.message()),
        None => format!("{error:?}"),
    }
}

/// A runtime cannot wait for another; a thread of its own can.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// One statement on a connection of its own.
pub fn try_run(url: &str, sql: &str) -> Result<(), String> {
    Postgres::connect(url)?.rows(sql).map(|_| ())
}

impl Raw {
    pub fn try_run(&self, sql: &str) -> Result<(), String> {
        match self {
            Raw::Sqlite(c) => c.execute_batch(sql).map_err(|e| e.to_string()),
            Raw::Postgres(c) => c.rows(sql).map(|_| ()),
        }
    }

    #[track_caller]
    pub fn run(&self, sql: &str) {
        self.try_run(sql).unwrap();
    }

    /// The first column of all rows.
    #[track_caller]
    pub fn numbers(&self, sql: &str) -> Vec<Option<i64>> {
        match self {
            Raw::Sqlite(c) => {
                let mut all = c.prepare(sql).unwrap();
                let rows = all.query_map([], |r| r.get(0)).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Raw::Postgres(c) => c
                .rows(sql)
                .unwrap()
                .into_iter()
                .map(|row| row[0].as_ref().map(|n| n.parse().unwrap()))
                .collect(),
        }
    }

    /// All rows as text; null is empty.
    #[track_caller]
    pub fn words(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Raw::Sqlite(c) => {
                let mut all = c.prepare(sql).unwrap();
                let width = all.column_count();
                let rows = all.query_map([], |row| {
                    let cell = |n| match row.get_ref(n)? {
                        rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
                        other => Ok(other.as_str_or_null()?.unwrap_or_default().to_owned()),
                    };
                    (0..width).map(cell).collect()
                });
                rows.unwrap().map(Result::unwrap).collect()
            }
            Raw::Postgres(c) => {
                let rows = c.rows(sql).unwrap().into_iter();
                rows.map(|row| row.into_iter().map(Option::unwrap_or_default).collect())
                    .collect()
            }
        }
    }

    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.numbers(sql)[0].unwrap()
    }
}
