//! A PostgreSQL server for the tests of a program: started from the installed binaries on a port of its own, with its data in
//! a folder of the build, ended with the program however that ends.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Keeps the server only as long as the pipe to its input is open.
const WATCH: &str = r#"folder=$1; shift; "$@" & pid=$!; cat >/dev/null; kill -QUIT "$pid"; wait "$pid" 2>/dev/null; rm -rf "$folder""#;

/// A running server.
pub struct Server {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    folder: PathBuf,
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
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<PathBuf> = versions.flatten().map(|e| e.path()).collect();
    versions.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        std::cmp::Reverse(name.parse::<u32>().unwrap_or(0))
    });
    places.extend(versions.into_iter().map(|v| v.join("bin")));
    places
        .into_iter()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
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
        let folder = build_folder().join(format!("postgres-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let Some(bin) = binaries() else {
            crate::lacks("PostgreSQL (initdb, in PATH or in /usr/lib/postgresql)");
            return None;
        };
        let as_user = unprivileged();
        make_folder(&as_user, &folder);
        let made = run_as(&as_user, &bin.join("initdb"))
            .args([
                "--auth=trust",
                "--username=uec",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        for (name, text) in files {
            use std::os::unix::fs::PermissionsExt;
            let file = folder.join("data").join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            give(&as_user, &file);
        }
        Some(Server::on(folder, bin, as_user, settings))
    }

    fn on(folder: PathBuf, bin: PathBuf, as_user: Vec<String>, settings: &[&str]) -> Server {
        let server = Server {
            port: crate::port(),
            folder,
            bin,
            as_user,
            settings: settings.iter().map(|s| (*s).to_owned()).collect(),
            watch: std::sync::Mutex::new(None),
        };
        server.up();
        server
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
        let folder = build_folder().join(format!("postgres-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        make_folder(&self.as_user, &folder);
        let program = self.program("pg_basebackup").expect("see copies");
        let made = run_as(&self.as_user, &program)
            .args(["--host", "127.0.0.1", "--username", "uec"])
            .args(["--port", &self.port.to_string()])
            .args(["--checkpoint", "fast", "--no-sync", "--pgdata"])
            .arg(folder.join("data"))
            .args(more)
            .current_dir("/")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        folder
    }

    /// A standby that follows this server.
    pub fn standby(&self, name: &str, settings: &[&str]) -> Server {
        let folder = self.base_backup(name, &["--write-recovery-conf"]);
        Server::on(folder, self.bin.clone(), self.as_user.clone(), settings)
    }

    /// A server on a copy, that first replays the archive of this one as the settings say.
    pub fn recovered(&self, copy: PathBuf, settings: &[&str]) -> Server {
        let signal = copy.join("data").join("recovery.signal");
        std::fs::write(&signal, "").unwrap();
        give(&self.as_user, &signal);
        Server::on(copy, self.bin.clone(), self.as_user.clone(), settings)
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
        command.args(["-c", WATCH, "sh"]).arg(&self.folder);
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
        let psql = self.program("psql").unwrap_or_else(|| "psql".into());
        let out = Command::new(psql)
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set",
                "ON_ERROR_STOP=1",
                "--command",
                sql,
            ])
            .arg(self.url("postgres"))
            .output()
            .unwrap();
        match out.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Kills every process of the server at once; its data stays.
    pub fn kill_9(&self) {
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // The watcher must not tidy up: the data is needed again.
        if let Some(mut watch) = self.watch.lock().unwrap().take() {
            watch.kill().unwrap();
            watch.wait().unwrap();
        }
        let killed = Command::new("sh")
            .args([
                "-c",
                r#"kill -STOP "$0"; kill -9 $(pgrep -P "$0") "$0" 2>/dev/null; true"#,
                &pid,
            ])
            .status();
        assert!(killed.unwrap().success());
        let process = PathBuf::from(format!("/proc/{pid}"));
        crate::until("the server is gone", || !process.exists());
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

fn run_as(as_user: &[String], program: &Path) -> Command {
    match as_user {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}
