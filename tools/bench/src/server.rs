//! The processes under load, and what the kernel says of them.

use crate::Setting;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ticks of `/proc/PID/stat` per second; Linux has had 100 on every common machine for decades.
const TICKS: f64 = 100.0;

/// Processor time that a process (`self` or its number) used so far, in seconds.
pub fn processor_seconds(process: &str) -> f64 {
    processor_ticks(process, 11..13)
}

/// The sum of some times of `/proc/PID/stat` in seconds, by place after the name: 11 and 12 are its own time as a user and
/// in the system, 13 and 14 those of its children that ended.
pub fn processor_ticks(process: &str, places: Range<usize>) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in brackets may hold spaces.
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields = after
        .split_whitespace()
        .skip(places.start)
        .take(places.len());
    fields.filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// A server process; it ends with this value.
pub struct Server {
    process: Child,
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
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot start {:?}: {e}", command.get_program()))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.as_mut() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(|e| e.to_string())?;
        }
        let address = line.split_whitespace().find(|word| word.contains(':'));
        match address {
            Some(address) => Ok(Server {
                address: address.to_owned(),
                process,
            }),
            None => {
                let _ = process.kill();
                let _ = process.wait();
                Err("the server did not start; the reason stands above".to_owned())
            }
        }
    }

    /// Processor time used so far, in seconds.
    pub fn cpu(&self) -> f64 {
        processor_seconds(&self.process.id().to_string())
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
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status();
        if !asked.is_ok_and(|status| status.success()) {
            return Err("the server could not be asked to end".to_owned());
        }
        for _ in 0..600 {
            if let Ok(Some(_)) = self.process.try_wait() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("the server did not end within 30 seconds".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
