//! A process of the built program, `uec provider serve`.

use crate::message::BASE;
use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::process::{self, Guarded};

/// How long a start may take; on a database that a crash left it is a fraction of a second.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How often a port that somebody else took meanwhile is tried again.
const PORT_TRIES: usize = 20;
/// Largest answer to a question without a token: the metrics are a tenth of it.
const PAGE: u64 = 1 << 20;
/// How long a process may take to end when it is told to: its own bound is 30 seconds for requests under way.
const STOP_WITHIN: Duration = Duration::from_secs(40);

/// How a process is started.
#[derive(Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Where its settings and its log are.
    pub folder: PathBuf,
    /// Name of the process, for its log.
    pub name: String,
    /// `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// Where it listens, at every start.
    pub address: SocketAddr,
    /// Shell commands before it is started, such as `ulimit -v 300000`.
    pub before: Option<String>,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// More settings (TOML), behind those of every scenario.
    pub settings: String,
}

/// The running process.
pub struct Provider {
    launch: Launch,
    process: Guarded,
}

impl Launch {
    /// Starts it and waits until it is ready.
    pub fn start(&self) -> Result<Provider, String> {
        let mut why = String::new();
        for _ in 0..PORT_TRIES {
            let mut provider = self.spawn()?;
            match provider.ready() {
                Ok(()) => return Ok(provider),
                Err(reason) => why = reason,
            }
            if !why.contains("in use") {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(why)
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> Result<Provider, String> {
        let log = self.log()?;
        let mut command = match &self.before {
            None => Command::new(&self.program),
            Some(before) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]);
                shell.arg(&self.program);
                shell
            }
        };
        command
            .args(["provider", "serve", "--base-url", BASE, "--listen"])
            .arg(self.address.to_string())
            .arg("--database")
            .arg(&self.database)
            .arg("--config")
            .arg(self.settings()?)
            .env("RUST_LOG", "warn")
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log);
        Ok(Provider {
            launch: self.clone(),
            process: Guarded::start(command)?,
        })
    }

    fn settings(&self) -> Result<PathBuf, String> {
        let path = self.folder.join("provider.toml");
        // A disk that is filled on purpose is smaller than what a Provider wants to be free.
        let settings = format!(
            "[trust]\nunsigned = \"any\"\n[health]\ndisk_free_bytes = 0\n{}",
            self.settings
        );
        std::fs::write(&path, settings)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(path)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    fn log(&self) -> Result<File, String> {
        let path = self.log_path();
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    /// The last lines of what it said.
    pub fn said(&self) -> String {
        let text = std::fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Provider {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.launch.address
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it without a token: status and body of the answer, if there is one.
    pub fn ask(&self, path: &str) -> Option<(u16, String)> {
        ask(self.launch.address, path)
    }

    /// Waits until readiness says no, with this in its reasons: false when it does not.
    pub fn unready(&self, reason: &str, within: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < within {
            match self.ask("/health/ready") {
                Some((503, said)) if said.contains(reason) => return true,
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        false
    }

    /// Waits until it answers that it is ready.
    pub fn ready(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if is_ready(self.launch.address) {
                return Ok(());
            }
            if let Some(status) = self.process.ended() {
                let said = self.launch.said();
                return Err(format!("the Provider ended with {status}: {said}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let said = self.launch.said();
        Err(format!(
            "the Provider is not ready after {READY_WITHIN:?}: {said}"
        ))
    }

    /// True when it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) -> Result<(), String> {
        self.process.kill();
        *self = self.launch.start()?;
        Ok(())
    }

    /// Starts it again without waiting until it is ready.
    pub fn respawn(&mut self) -> Result<(), String> {
        self.process.kill();
        *self = self.launch.spawn()?;
        Ok(())
    }

    /// Asks it to end; false when it had to be killed.
    pub fn stop(&mut self) -> bool {
        self.process.stop(STOP_WITHIN)
    }
}

fn is_ready(address: SocketAddr) -> bool {
    ask(address, "/health/ready").is_some_and(|(status, _)| status == 200)
}

fn ask(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    use std::io::{Read as _, Write as _};
    let second = Duration::from_secs(1);
    let mut stream = std::net::TcpStream::connect_timeout(&address, second).ok()?;
    let _ = stream.set_read_timeout(Some(second));
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(PAGE).read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12)?.parse().ok()?;
    Some((status, answer))
}

/// Runs `uec provider …` to its end.
pub fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    process::output(
        Command::new(program)
            .arg("provider")
            .args(arguments)
            .env("RUST_LOG", "error"),
    )
}
