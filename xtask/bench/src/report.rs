//! What was measured, as a table, as JSON and as a page.

use crate::Setting;
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// One figure.
pub struct Measure {
    row: &'static str,
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
            what: what.into(),
            measured: String::new(),
            target: None,
            met: None,
            values: Value::Null,
        }
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
            "{:<8} {:<8} {}: {}{}",
            m.row,
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
            json!({"row": m.row, "what": m.what, "measured": m.measured, "target": m.target, "met": m.met,
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
            m.row,
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
room for a common machine. The server is always the release binary in a process of its own, on a real socket and with a
real file; the load comes from the same machine, over HTTP/1.1 connections that are kept open, and takes processor time
from the server. On a machine with few cores that favours the slower side of a ratio; the processor time per request
says what a request costs without that.

- **search**: three days, one clinic, a hundred free slots, all six includes, JSON, 32 connections. The bare server is
  hyper with the same settings and returns the same headers and bytes from memory. Rounds alternate; the ratio is the
  median of the rounds' ratios.
- **booking**: 64 clients book distinct free slots; every one is checked, stored and synced before it is answered. The
  commit ceiling is the same store with the same rows and sizes, from 64 tasks in one process, without HTTP, reading
  and checking. At half of the peak rate, requests are due at fixed times, and the time of an answer counts from when its
  request was due.
- **growth**: the same searches over a hundred clinics, in a database that holds only these slots and in one with nearly
  a year of slots for eight hundred clinics.
- **race**: all clients want the same slot; requests have ids of their own.
- **startup**: a provider with fifty clinics and fifty thousand slots.
- **codec**: what the Provider does with the body of a booking, in memory.

## Where the time goes

From profiles on two cores, of which the load takes about a third:

- A search costs about 42 µs of processor time: 15 µs are the connection and the kernel's sending, which the bare server
  pays too; 7 µs reading and checking the token; 7 µs the audit row (made, hashed, written to the WAL, copied back); 4 µs
  the query; 4 µs choosing the slots and assembling the answer; the rest is the routing, the headers and the log. The
  rendered days are sent from where they lie.
- A booking costs about 215 µs: 90 to 110 µs are the store's, which the ceiling pays too (a dozen pages of WAL per booking,
  most of them leaves of indexes over random ids); 40 µs reading the JSON into a tree, 35 µs checking it against the
  profiles, 15 µs making and writing the stored document, 10 µs the token, 25 µs the connection.
- On two cores, which load, server and writer share, these sums are what limits both rates: the bare server and the ceiling
  leave the cores to one thing alone. Half of the bare server's rate needs a search of 35 µs, 70 % of the ceiling a booking of
  about 190 µs; or a third core.
- The longest waits come from the disk: copying the WAL back in pieces of a few megabytes keeps a commit from waiting
  behind a large one.

## How to repeat it

```sh
cargo xtask bench                    # all rows
cargo xtask bench --quick            # smaller data, a few seconds a row
cargo xtask bench search codec       # some rows
cargo xtask bench --json             # for programs
cargo xtask bench --write            # this page
```

Nothing else should run on the machine. Databases are made beside the built program, so that is the disk that is measured;
`--data DIR` names another.
";
