//! What was measured, as a table, as JSON and as a page.

use crate::Setting;
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// One figure.
pub struct Measure {
    row: &'static str,
    store: Option<&'static str>,
    what: String,
    measured: String,
    target: Option<String>,
    /// Whether the target is met; `None` where there is no target.
    pub met: Option<bool>,
    values: Value,
}

impl Measure {
    /// A figure without value and target.
    pub fn new(row: &'static str, what: impl Into<String>) -> Measure {
        Measure {
            row,
            store: None,
            what: what.into(),
            measured: String::new(),
            target: None,
            met: None,
            values: Value::Null,
        }
    }

    /// The store it was measured on.
    pub fn on(mut self, store: &'static str) -> Measure {
        self.store = Some(store);
        self
    }

    /// What was measured.
    pub fn measured(mut self, text: String) -> Measure {
        self.measured = text;
        self
    }

    /// What is wanted, and whether it was reached.
    pub fn target(mut self, text: &str, met: bool) -> Measure {
        self.target = Some(text.to_owned());
        self.met = Some(met);
        self
    }

    /// The figures behind the text, for programs.
    pub fn values(mut self, values: Value) -> Measure {
        self.values = values;
        self
    }

    /// The row, with the store where there are several.
    fn name(&self) -> String {
        match self.store {
            Some(store) => format!("{}, {store}", self.row),
            None => self.row.to_owned(),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "",
        }
    }
}

/// The machine, and how the run went.
pub struct Facts {
    cores: usize,
    processor: String,
    memory_gb: f64,
    system: String,
    rustc: String,
    load: String,
    date: String,
    quick: bool,
    seconds: u64,
}

impl Facts {
    /// Reads them.
    pub fn gather(setting: &Setting, took: Duration) -> Facts {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            text.lines()
                .find(|l| l.starts_with(name))
                .and_then(|l| l.split_once(':'))
                .map_or_else(|| "unknown".to_owned(), |(_, v)| v.trim().to_owned())
        };
        let kilobytes = field(&file("/proc/meminfo"), "MemTotal");
        let kilobytes = kilobytes.trim_end_matches(" kB").parse().unwrap_or(0.0);
        let kernel = file("/proc/sys/kernel/osrelease");
        Facts {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: field(&file("/proc/cpuinfo"), "model name"),
            memory_gb: kilobytes / 1_048_576.0,
            system: format!("Linux {}", kernel.trim()),
            rustc: rustc(),
            load: file("/proc/loadavg")
                .split_whitespace()
                .nth(2)
                .unwrap_or("?")
                .to_owned(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            quick: setting.quick,
            seconds: took.as_secs(),
        }
    }
}

fn rustc() -> String {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).arg("-V").output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}

/// A table for people, aligned.
pub fn table(measures: &[Measure]) -> String {
    let mut out = String::new();
    for m in measures {
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{:<20} {:<8} {}: {}{}",
            m.name(),
            m.verdict(),
            m.what,
            m.measured,
            m.target
                .as_ref()
                .map(|t| format!(" [{t}]"))
                .unwrap_or_default()
        );
    }
    out
}

/// One JSON object.
pub fn json(facts: &Facts, measures: &[Measure]) -> Value {
    let figures: Vec<Value> = measures
        .iter()
        .map(|m| {
            json!({"row": m.row, "store": m.store, "what": m.what, "measured": m.measured, "target": m.target, "met": m.met,
                   "values": m.values})
        })
        .collect();
    json!({
        "date": facts.date, "cores": facts.cores, "processor": facts.processor, "memory_gb": facts.memory_gb,
        "system": facts.system, "rustc": facts.rustc, "load_average_15_min": facts.load, "quick": facts.quick,
        "seconds": facts.seconds, "figures": figures,
    })
}

/// The page of figures.
pub fn page(facts: &Facts, measures: &[Measure]) -> String {
    let mut out = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench --write`. Do not edit: run it again.\n\n\
         Measured on {} in {} seconds{}: {} cores ({}), {:.0} GB of memory, {}, {}; load average of the last 15 minutes {}.\n\n\
         | row | what | measured | target | |\n|---|---|---|---|---|\n",
        facts.date,
        facts.seconds,
        if facts.quick { " with `--quick`" } else { "" },
        facts.cores,
        facts.processor,
        facts.memory_gb,
        facts.system,
        facts.rustc,
        facts.load,
    );
    for m in measures {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            m.name(),
            m.what,
            m.measured,
            m.target.as_deref().unwrap_or(""),
            m.verdict()
        );
    }
    out.push_str(READING);
    out
}

const READING: &str = "
## How to read this

Figures of requests per second depend on the machine; the targets are therefore ratios within one run, or times with
room for a common machine. The server is always the shipped binary (`--profile dist`) in a process of its own, on a real socket and with a
real database; the load comes from the same machine, over HTTP/1.1 connections that are kept open, and takes processor time
from the server. On a machine with few cores that favours the slower side of a ratio; the processor time per request
says what a request costs without that.

PostgreSQL is started by the bench from its installed programs, with its data beside that of SQLite: `fsync`,
`synchronous_commit` and `full_page_writes` are on, 512 MB of shared buffers, reached over TCP. Its processes share the
cores with the Provider and the load. Where it is not installed its rows are left out.

- **search**: three days, one clinic, a hundred free slots, all six includes, JSON, 32 connections. The bare server is
  hyper with the same settings and returns the same headers and bytes from memory. Rounds alternate; the ratio is the
  median of the rounds' ratios.
- **booking**: 64 clients book distinct free slots; every one is checked, stored and synced before it is answered. The
  commit ceiling is the same store with the same rows and sizes, from 64 tasks in one process, without HTTP, reading
  and checking; on PostgreSQL too, in a copy of the same database on the same server. At half of the peak rate, requests
  are due at fixed times, and the time of an answer counts from when its request was due.
- **growth**: the same searches over a hundred clinics, in a database that holds only these slots and in one with nearly
  a year of slots for eight hundred clinics (on PostgreSQL for a hundred, since making them takes longer).
- **race**: all clients want the same slot; requests have ids of their own.
- **startup**: a provider with fifty clinics and fifty thousand slots.
- **codec**: what the Provider does with the body of a booking, in memory.

## Where the time goes

From sampled profiles on two cores, of which the load takes about a third. The parts of SQLite's sums are from one short
profile of the build before the last changes, and rough; the rows above are from this one:

- A search on SQLite costs about 40 µs of processor time, where the bare server takes 14: three fifths of it in the threads
  that answer (sending alone is a sixth of the whole, as in the bare server; the rest is spread thin over token, query,
  choosing, headers and allocation), a quarter in the writer (one audit row a search: hashed, and 1.7 KB of it written to the
  WAL, nearly half of that in the kernel), a seventh in copying the WAL back. So more than a third of a search is the record
  that it happened. Larger groups of rows are there for that part.
- A booking on SQLite costs about 215 µs: half in the threads that answer (JSON to tree and back 22 µs, the checks of profiles
  and overrides 24 µs, allocation 10 µs, the connection 23 µs), 85 µs in the writer, 20 µs copying the WAL back. The
  writer's part is 20 µs of writes in the kernel, 7 µs of sync, 16 µs in B-trees, the rest statements and audit row.
- What was tried on SQLite and left out, since it gained no more than runs differ: pages of 8 KiB (65 % to 77 % in three runs,
  99th percentile at half rate 21 ms to 477 ms), and groups that wait 3 ms for bookings that are being checked (72 % with, 73 %
  without, one run each).
- On PostgreSQL what counts is how often a thread waits for the server and how many threads that wakes. A booking asks its
  four questions in one message and sends its six changes in another (seven ways there and back before), and each writing
  thread drives its own connection; a group waits, 3 ms at most, for bookings whose body has arrived and is being checked,
  and one that is alone waits for nothing. The audit rows of searches are written 64 to a statement (one before), and whether
  anything changed is asked by one request for all that wait: a search costs about 41 µs of the Provider and 12 µs of
  PostgreSQL, where it was 96 µs and 48 µs. What PostgreSQL itself does for a booking, 700 µs, was not taken apart.
- The rows on PostgreSQL are measured after an ANALYZE, which it does by itself about once a minute. Before that the statistics that
  a new database is made with choose the same indexes.
- On two cores, which load, server and database share, these sums are what limits the rates: the bare server and the ceiling
  leave the cores to one thing alone. On PostgreSQL the database's own part of a search is as much as the bare server's whole
  request, and comes on top of it: half of the bare server's rate would need cores of its own for the database.
- The longest waits come from the disk: copying the WAL back in pieces of a few megabytes keeps a commit from waiting
  behind a large one.

## How to repeat it

```sh
cargo xtask bench                    # all rows
cargo xtask bench --quick            # smaller data, a few seconds a row
cargo xtask bench search codec       # some rows
cargo xtask bench --store sqlite     # one store (postgres: the other)
cargo xtask bench --json             # for programs
cargo xtask bench --write            # this page
```

Nothing else should run on the machine. Databases are made beside the built program, so that is the disk that is measured;
`--data DIR` names another.
";
