//! A PostgreSQL server for the tests of a program: started from the installed binaries on a port of its own, with its data in
//! a folder of the build, ended with the program however that ends.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use crate::process;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Keeps the server only as long as the pipe to its input is open.
const WATCH: &str = r#"folder=$1; shift; "$@" & pid=$!; cat >/dev/null; kill -QUIT "$pid"; wait "$pid" 2>/dev/null; rm -rf "$folder""#;

/// Oldest release that the Provider knows.
pub const OLDEST: u32 = 15;

/// A running server.
pub struct Server {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
    /// Whether the data stays when the server ends.
    stays: bool,
    bin: PathBuf,
    as_user: Vec<String>,
    settings: Vec<String>,
    watch: std::sync::Mutex<Option<Child>>,
}

/// The one server of this test program; `None`, with a reason printed, where PostgreSQL is not installed. Writes are
/// not synced to the disk: nothing but the process is ever killed. `schema` fills the template that [`Server::migrated`] copies.
pub fn shared(schema: impl FnOnce(&str)) -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            let server = Server::start("shared", &["fsync=off", "full_page_writes=off"])?;
            server.psql("CREATE DATABASE template_uec").unwrap();
            schema(&server.url("template_uec"));
            Some(server)
        })
        .as_ref()
}

/// The build's folder for files of tests, beside the folder in which the test program stands.
fn build_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(3).unwrap().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether the server's programs are on this machine.
pub fn is_installed() -> bool {
    binaries().is_some()
}

/// The folder of the server's programs: that of the search path, else the newest of Debian's.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let releases = std::fs::read_dir("/usr/lib/postgresql").into_iter();
    let mut releases: Vec<(u32, PathBuf)> = releases
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let release = entry.file_name().to_string_lossy().parse().ok()?;
            (release >= OLDEST).then(|| (release, entry.path().join("bin")))
        })
        .collect();
    releases.sort();
    places.extend(releases.into_iter().rev().map(|(_, bin)| bin));
    places
        .into_iter()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

/// A folder in the build's for the data of a server.
fn scratch(name: &str) -> PathBuf {
    build_folder().join(format!("postgres-{}-{name}", std::process::id()))
}

/// Makes a folder for the server.
fn make_folder(as_user: &[String], folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    give(as_user, folder);
}

/// Gives a file or folder to the server's user.
fn give(as_user: &[String], place: &Path) {
    if let Some(user) = as_user.get(2) {
        let owned = Command::new("chown").arg(user).arg(place).status();
        assert!(owned.unwrap().success(), "the owner of {place:?}");
    }
}

/// How to run a program of the server: it refuses to be root.
fn unprivileged() -> Vec<String> {
    let id = |args: &[&str]| -> String {
        let out = Command::new("id").args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    };
    if id(&["-u"]) != "0" {
        return Vec::new();
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find(|user| !id(&["-u", user]).is_empty())
        .expect("a user for the server");
    [
        "setpriv",
        "--reuid",
        &id(&["-u", user]),
        "--regid",
        &id(&["-g", user]),
        "--clear-groups",
    ]
    .map(str::to_owned)
    .to_vec()
}

impl Server {
    /// Makes a server of its own for a test and waits until it answers.
    pub fn start(name: &str, settings: &[&str]) -> Option<Server> {
        Server::start_with(name, settings, &[])
    }

    /// Makes a server with files in its data that only it can read.
    pub fn start_with(name: &str, settings: &[&str], files: &[(&str, &str)]) -> Option<Server> {
        if !is_installed() {
            crate::lacks("PostgreSQL (initdb, in PATH or in /usr/lib/postgresql)");
            return None;
        }
        let server = Server::new(&scratch(name), settings);
        server.make_data();
        for (name, text) in files {
            use std::os::unix::fs::PermissionsExt;
            let file = server.data().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            give(&server.as_user, &file);
        }
        server.up();
        Some(server)
    }

    /// Makes a server in a folder of its own, where the data stays when it ends; see [`is_installed`].
    pub fn make(folder: &Path, settings: &[&str]) -> Server {
        let mut server = Server::new(folder, settings);
        server.stays = true;
        server.make_data();
        server.up();
        server
    }

    fn new(folder: &Path, settings: &[&str]) -> Server {
        Server {
            port: crate::port(),
            folder: folder.to_owned(),
            stays: false,
            bin: binaries().expect("see is_installed"),
            as_user: unprivileged(),
            settings: settings.iter().map(|s| (*s).to_owned()).collect(),
            watch: std::sync::Mutex::new(None),
        }
    }

    fn make_data(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        make_folder(&self.as_user, &self.folder);
        let mut initdb = run_as(&self.as_user, &self.bin.join("initdb"));
        initdb
            .args(["--auth=trust", "--username=uec", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(self.data());
        if !self.stays {
            initdb.arg("--no-sync");
        }
        process::output(&mut initdb).unwrap();
    }

    /// A program of the server, where it is installed.
    fn program(&self, name: &str) -> Option<PathBuf> {
        let real = self.bin.join("initdb").canonicalize().ok()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        [self.bin.as_path(), real.parent()?]
            .into_iter()
            .map(Path::to_owned)
            .chain(std::env::split_paths(&path))
            .map(|place| place.join(name))
            .find(|file| file.exists())
    }

    /// True where the server can be copied while it runs; says so where it cannot.
    pub fn copies(&self) -> bool {
        let can = self.program("pg_basebackup").is_some();
        if !can {
            crate::lacks("pg_basebackup");
        }
        can
    }

    /// Copies the server while it runs, into a folder of its own; its data is in `data` there.
    pub fn base_backup(&self, name: &str, more: &[&str]) -> PathBuf {
        let folder = scratch(name);
        self.copy_to(&folder, more);
        folder
    }

    fn copy_to(&self, folder: &Path, more: &[&str]) {
        let _ = std::fs::remove_dir_all(folder);
        make_folder(&self.as_user, folder);
        let program = self.program("pg_basebackup").expect("see copies");
        let mut copy = run_as(&self.as_user, &program);
        copy.args(["--host", "127.0.0.1", "--username", "uec"])
            .args(["--port", &self.port.to_string()])
            .args(["--checkpoint", "fast", "--no-sync", "--pgdata"])
            .arg(folder.join("data"))
            .args(more);
        process::output(&mut copy).unwrap();
    }

    /// A standby that follows this server.
    pub fn standby(&self, name: &str, settings: &[&str]) -> Server {
        let copy = Server::new(&scratch(name), settings);
        self.copy_to(&copy.folder, &["--write-recovery-conf"]);
        copy.up();
        copy
    }

    /// A standby in a folder of its own, with the settings of this server, for which each commit here waits.
    pub fn synchronous_standby(&self, folder: &Path, port: u16) -> Server {
        let mut copy = Server::new(folder, &[]);
        copy.settings.clone_from(&self.settings);
        (copy.stays, copy.port) = (true, port);
        self.copy_to(folder, &["--write-recovery-conf"]);
        copy.up();
        self.set("synchronous_standby_names", "'*'").unwrap();
        let state = "SELECT sync_state FROM pg_stat_replication";
        crate::until("the standby is synchronous", || {
            self.ask("postgres", state).unwrap().trim() == "sync"
        });
        copy
    }

    /// A server on a copy, that first replays the archive of this one as the settings say.
    pub fn recovered(&self, copy: &Path, settings: &[&str]) -> Server {
        let server = Server::new(copy, settings);
        let signal = server.data().join("recovery.signal");
        std::fs::write(&signal, "").unwrap();
        give(&self.as_user, &signal);
        server.up();
        server
    }

    /// A folder that the server can write to, beside its data.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        make_folder(&self.as_user, &folder);
        folder
    }

    /// Makes a standby take writes.
    pub fn promote(&self) {
        self.psql("SELECT pg_promote(true, 60)").unwrap();
    }

    /// Starts the process on the data that is there.
    pub fn up(&self) {
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "sh"]);
        match self.stays {
            true => command.arg(""),
            false => command.arg(&self.folder),
        };
        command.args(&self.as_user).arg(self.bin.join("postgres"));
        command.arg("-D").arg(self.data());
        let port = format!("port={}", self.port);
        let fixed = [
            port.as_str(),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=400",
            "shared_buffers=64MB",
            "logging_collector=off",
        ];
        let own = self.settings.iter().map(String::as_str);
        for setting in fixed.into_iter().chain(own) {
            command.args(["-c", setting]);
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let child = command
            // Where this program was started may be closed to the server's user.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.watch.lock().unwrap() = Some(child);
        crate::until("the server is ready", || self.answers());
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.psql("SELECT 1").is_ok()
    }

    /// Has a statement done by the server's own client.
    pub fn psql(&self, sql: &str) -> Result<(), String> {
        self.ask("postgres", sql).map(drop)
    }

    /// The same in a database of choice: the rows, their fields divided by `|`.
    pub fn ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let psql = self.program("psql").unwrap_or_else(|| "psql".into());
        let mut psql = Command::new(psql);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", sql])
            .arg(self.url(database));
        process::output(&mut psql)
    }

    /// Changes a setting of the server that runs.
    pub fn set(&self, name: &str, value: &str) -> Result<(), String> {
        self.psql(&format!("ALTER SYSTEM SET {name} = {value}"))?;
        self.psql("SELECT pg_reload_conf()")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The first process of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// All processes of the server.
    pub fn processes(&self) -> Vec<u32> {
        self.pid().map_or_else(Vec::new, |first| {
            let mut all = process::children_of(first);
            all.push(first);
            all
        })
    }

    /// Kills every process of the server at once; its data stays.
    pub fn kill_9(&self) {
        let first = self.pid().expect("a server that runs");
        // The watcher must not tidy up: the data is needed again.
        if let Some(mut watch) = self.watch.lock().unwrap().take() {
            watch.kill().unwrap();
            watch.wait().unwrap();
        }
        // Stopped first, so that it starts no other between the look and the kill.
        process::signal(first, "STOP");
        let all = self.processes();
        process::signal_all(&all, "KILL");
        // A server does not start on data that a process of the one before still uses.
        crate::until("the server is gone", || {
            !all.iter().any(|id| process::is_alive(*id))
        });
        std::fs::remove_file(self.data().join("postmaster.pid")).unwrap();
    }

    /// Address of a database.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://uec@127.0.0.1:{}/{database}?sslmode=disable",
            self.port
        )
    }

    /// Makes a database with the schema in it and returns its address.
    pub fn migrated(&self) -> String {
        self.database("template_uec")
    }

    /// Makes an empty database and returns its address.
    pub fn empty(&self) -> String {
        self.database("template0")
    }

    /// Makes a database like another and returns its address.
    pub fn database(&self, template: &str) -> String {
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        // A connection that was just closed may still be there for a moment.
        crate::until("the template is not in use", || match self.psql(&sql) {
            Ok(()) => true,
            Err(error) => {
                assert!(error.contains("being accessed by other users"), "{error}");
                false
            }
        });
        self.url(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut watch) = self.watch.lock().unwrap().take() {
            drop(watch.stdin.take());
            let _ = watch.wait();
        }
    }
}

/// A program of the server, run by who owns the data.
fn run_as(as_user: &[String], program: &Path) -> Command {
    let mut command = match as_user {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    // Where this program was started may be closed to that user.
    command.current_dir("/");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_primary_loses_nothing_that_its_standby_has() {
        let Some(primary) = Server::start("primary", &["fsync=on"]) else {
            return;
        };
        if !primary.copies() {
            return;
        }
        primary.psql("CREATE TABLE kept (n INTEGER)").unwrap();
        primary.psql("INSERT INTO kept VALUES (1)").unwrap();
        primary.kill_9();
        assert!(primary.processes().is_empty());
        primary.up();
        let folder = primary.folder.with_extension("two");
        let standby = primary.synchronous_standby(&folder, crate::port());
        primary.psql("INSERT INTO kept VALUES (2)").unwrap();
        primary.kill_9();
        standby.promote();
        standby.psql("INSERT INTO kept VALUES (3)").unwrap();
        let kept = standby.ask("postgres", "SELECT count(*) FROM kept");
        drop(standby);
        let _ = std::fs::remove_dir_all(&folder);
        let _ = std::fs::remove_dir_all(&primary.folder);
        assert_eq!(kept.unwrap().trim(), "3");
    }
}
