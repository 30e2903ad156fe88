//! The processes under load, and what the kernel says of them.

use crate::Setting;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::process::{Guarded, stat};

/// Ticks of `/proc/PID/stat` per second; Linux has had 100 on every common machine for decades.
const TICKS: f64 = 100.0;
/// How long a server may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Processor time that a process used so far, in seconds.
pub fn processor_seconds(process: u32) -> f64 {
    processor_ticks(process, 11..13)
}

/// The sum of some times of `/proc/PID/stat` in seconds, by place after the name: 11 and 12 are its own time as a user and
/// in the system, 13 and 14 those of its children that ended.
pub fn processor_ticks(process: u32, places: Range<usize>) -> f64 {
    let fields = stat(process).into_iter().skip(places.start);
    let times = fields.take(places.len());
    times.filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// A server process; it ends with this value.
pub struct Server {
    process: Guarded,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts the program on a database, believing unsigned tokens.
    pub fn start(setting: &Setting, database: &str) -> Result<Server, String> {
        let config = setting.data.join("bench.toml");
        std::fs::write(&config, "[trust]\nunsigned = \"any\"\n")
            .map_err(|e| format!("cannot write {}: {e}", config.display()))?;
        let mut command = Command::new(&setting.program);
        command
            .args(["provider", "serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--database")
            .arg(database)
            .env("RUST_LOG", "error");
        Server::spawn(command)
    }

    /// Starts this program again as the bare server of a stored answer.
    pub fn bare(answer: &Path) -> Result<Server, String> {
        let own =
            std::env::current_exe().map_err(|e| format!("cannot find the own program: {e}"))?;
        let mut command = Command::new(own);
        command.arg("--bare").arg(answer);
        Server::spawn(command)
    }

    /// The first line of either program ends with the address, before anything in brackets.
    fn spawn(mut command: Command) -> Result<Server, String> {
        command.stdout(Stdio::piped());
        let mut process = Guarded::start(command)?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(|e| e.to_string())?;
        }
        let address = line.split_whitespace().find(|word| word.contains(':'));
        Ok(Server {
            address: address
                .ok_or("the server did not start; the reason stands above")?
                .to_owned(),
            process,
        })
    }

    /// Processor time used so far, in seconds.
    pub fn cpu(&self) -> f64 {
        processor_seconds(self.process.id())
    }

    /// A memory line of `/proc/PID/status` (`VmRSS`, `VmHWM`) in megabytes.
    pub fn memory(&self, line: &str) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let text = text.unwrap_or_default();
        let found = text.lines().find_map(|l| l.strip_prefix(line));
        let kilobytes = found.and_then(|rest| {
            rest.trim_start_matches(':')
                .split_whitespace()
                .next()?
                .parse::<f64>()
                .ok()
        });
        kilobytes.unwrap_or(f64::NAN) / 1024.0
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<(), String> {
        match self.process.stop(STOP_WITHIN) {
            true => Ok(()),
            false => Err(format!("the server did not end within {STOP_WITHIN:?}")),
        }
    }
}
