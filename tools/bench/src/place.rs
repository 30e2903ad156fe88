//! Where the data of a row is: in files, or in a PostgreSQL server that the bench starts for itself.

use clap::ValueEnum;
use provider::store::{Options, Store};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::processor_ticks;

/// Who runs the server of PostgreSQL when this program is root, which it refuses to be.
const USER: &str = "postgres";
/// Oldest release that the Provider knows.
const OLDEST: u32 = 15;
/// How long a start may take.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a copy waits for connections that were just closed to be gone.
const FREE_WITHIN: Duration = Duration::from_secs(10);
/// What differs from a server as it is installed: an address of its own, as much cache as SQLite has with the file cache
/// of the operating system, and room for the log so that a row is not measured in the middle of a checkpoint. Commits are
/// durable, as they are by default.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "logging_collector=off",
];
/// Ends the server when this program ends, however that happens: the pipe to the input of this script closes then.
const WATCH: &str =
    r#""$@" </dev/null & pid=$!; cat >/dev/null; kill -QUIT "$pid"; wait "$pid" 2>/dev/null"#;

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
    Postgres(Postgres),
}

impl Place {
    /// The places asked for. Without PostgreSQL on this machine its rows are left out, and that is said.
    pub fn all(stores: Stores, folder: &Path) -> Result<Vec<Place>, String> {
        let mut places = Vec::new();
        if stores != Stores::Postgres {
            places.push(Place::Sqlite(folder.to_owned()));
        }
        if stores != Stores::Sqlite {
            match binaries() {
                Some(binaries) => places.push(Place::Postgres(Postgres::start(binaries, folder)?)),
                None => eprintln!(
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
            Place::Postgres(server) => server.run(&format!("CREATE DATABASE {name}"))?,
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
                while let Err(error) = server.run(&format!("CREATE DATABASE {to} TEMPLATE {from}"))
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
                .ask(&format!("SELECT pg_database_size('{name}')"))?
                .trim()
                .parse()
                .map_err(|_| "the size is no number".to_owned()),
        }
    }

    /// Gets what was written so far out of the way of what is measured next.
    pub fn settle(&self) -> Result<(), String> {
        match self {
            Place::Sqlite(_) => Ok(()),
            Place::Postgres(server) => server.run("CHECKPOINT"),
        }
    }

    /// Has a database learn how its data is spread, which PostgreSQL does by itself once a minute: before that it may
    /// read whole tables, in a row as short as these for most of the time.
    pub fn analyze(&self, name: &str) -> Result<(), String> {
        match self {
            Place::Sqlite(_) => Ok(()),
            Place::Postgres(server) => server.ask_in(name, "ANALYZE").map(drop),
        }
    }

    /// Processor time that the database's own processes used so far, in seconds.
    pub fn cpu(&self) -> f64 {
        match self {
            Place::Sqlite(_) => 0.0,
            Place::Postgres(server) => server.cpu(),
        }
    }
}

/// Opens a database for the bench itself.
pub fn open(url: &str) -> Result<Store, String> {
    Store::open(url, &Options::default()).map_err(|e| e.to_string())
}

/// A server of PostgreSQL; it ends with this value.
pub struct Postgres {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    watch: Child,
}

/// The folder of the newest server that is installed: one of Debian's, or that of the search path.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|entry| {
            let number: u32 = entry.file_name().to_string_lossy().parse().ok()?;
            (number >= OLDEST).then(|| (number, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || {
        std::env::split_paths(&path)
            .find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
    };
    newest.map(|(_, bin)| bin).or_else(on_path)
}

impl Postgres {
    fn start(binaries: PathBuf, beside: &Path) -> Result<Postgres, String> {
        let folder = beside.join("postgres");
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        if is_root()? {
            output(Command::new("chown").arg(USER).arg(&folder))?;
        }
        let mut made = as_owner(&binaries.join("initdb"))?;
        made.args(["--auth=trust", "--username=uec", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"]);
        output(made.arg(folder.join("data")))?;
        let port = testkit::port();
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .map_err(|e| e.to_string())?;
        let server = as_owner(&binaries.join("postgres"))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh"])
            .arg(server.get_program())
            .args(server.get_args())
            .arg("-D")
            .arg(folder.join("data"));
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let watch = command
            .args(["-p", &port.to_string()])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start sh: {e}"))?;
        let server = Postgres {
            binaries,
            folder,
            port,
            watch,
        };
        server.wait()?;
        Ok(server)
    }

    fn wait(&self) -> Result<(), String> {
        let began = Instant::now();
        while self.ask("SELECT 1").is_err() {
            if began.elapsed() > READY_WITHIN {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(format!("PostgreSQL does not start: {last}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://uec@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    fn run(&self, sql: &str) -> Result<(), String> {
        self.ask(sql).map(drop)
    }

    fn ask(&self, sql: &str) -> Result<String, String> {
        self.ask_in("postgres", sql)
    }

    fn ask_in(&self, database: &str, sql: &str) -> Result<String, String> {
        let own = self.binaries.join("psql");
        let psql = if own.exists() { own } else { "psql".into() };
        let mut command = Command::new(psql);
        command
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql])
            .arg(self.url(database));
        output(&mut command)
    }

    /// Of the first process, of those it has, and of those it had.
    fn cpu(&self) -> f64 {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid"));
        let pid = pid.unwrap_or_default();
        let first = pid.lines().next().unwrap_or_default();
        let children = format!("/proc/{first}/task/{first}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let ended = processor_ticks(first, 11..15);
        let running = children.split_whitespace();
        ended
            + running
                .map(|child| processor_ticks(child, 11..13))
                .sum::<f64>()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

fn is_root() -> Result<bool, String> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// A program of PostgreSQL, run by who owns the data.
fn as_owner(program: &Path) -> Result<Command, String> {
    let mut command = match is_root()? {
        false => Command::new(program),
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
            command.arg(program);
            command
        }
    };
    // Where this program was started may be closed to that user.
    command.current_dir("/");
    Ok(command)
}

/// Runs a command to its end; its output, or what it said was wrong.
fn output(command: &mut Command) -> Result<String, String> {
    let shown = format!("{:?}", command.get_program());
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot start {shown}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{shown} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
