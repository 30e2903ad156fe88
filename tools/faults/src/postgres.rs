//! PostgreSQL clusters of our own: made, started, killed, promoted; `fsync` is on.

use crate::process::{self, Guarded, find};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The user that owns the data when this program runs as root, which PostgreSQL refuses.
const USER: &str = "postgres";
/// How long a start may take: after a crash the log is read first.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long processes that were killed may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// The database.
const DATABASE: &str = "uec";
/// Oldest release that the Provider knows.
const OLDEST: u32 = 15;

/// A cluster with its server.
pub struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    /// Where the server listens.
    pub port: u16,
    server: Option<Guarded>,
}

/// Folder with the newest installed binaries; the reason when there are none.
pub fn binaries() -> Result<PathBuf, String> {
    let on_path = find("initdb").and_then(|file| file.parent().map(Path::to_owned));
    let mut releases: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_string_lossy().parse().ok()?;
            Some((number, entry.path().join("bin")))
        })
        .filter(|(number, bin)| *number >= OLDEST && bin.join("initdb").is_file())
        .collect();
    releases.sort();
    releases
        .pop()
        .map(|(_, bin)| bin)
        .or(on_path)
        .ok_or_else(|| "PostgreSQL is not installed (Debian package `postgresql`)".to_owned())
}

impl Cluster {
    /// Makes a cluster with an empty database and starts it.
    pub fn make(folder: &Path) -> Result<Cluster, String> {
        let mut cluster = Cluster::unmade(folder)?;
        cluster.run("initdb", |c| {
            c.args([
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--username",
                USER,
                "-D",
            ])
            .arg(folder)
        })?;
        cluster.configure()?;
        cluster.start()?;
        cluster.run("createdb", |c| c.args(cluster.connection()).arg(DATABASE))?;
        Ok(cluster)
    }

    /// Makes a synchronous standby of a cluster that runs, and starts it.
    pub fn standby(primary: &Cluster, folder: &Path) -> Result<Cluster, String> {
        Cluster::standby_at(primary, folder, testkit::port())
    }

    /// The same on a port of choice.
    pub fn standby_at(primary: &Cluster, folder: &Path, port: u16) -> Result<Cluster, String> {
        let mut cluster = Cluster::unmade(folder)?;
        cluster.port = port;
        cluster.run("pg_basebackup", |c| {
            c.args(primary.connection())
                .args(["--write-recovery-conf", "--checkpoint=fast", "-D"])
                .arg(folder)
        })?;
        let file = folder.join("postgresql.auto.conf");
        let recovery = format!(
            "\nprimary_conninfo = 'host=127.0.0.1 port={} user={USER} application_name=standby'\n",
            primary.port
        );
        append(&file, &recovery)?;
        cluster.configure()?;
        cluster.start()?;
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")?;
        primary.sql("SELECT pg_reload_conf()")?;
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            let state = primary.sql("SELECT sync_state FROM pg_stat_replication")?;
            if state.trim() == "sync" {
                return Ok(cluster);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("the standby does not become synchronous".to_owned())
    }

    fn unmade(folder: &Path) -> Result<Cluster, String> {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        let cluster = Cluster {
            binaries: binaries()?,
            folder: folder.to_owned(),
            port: testkit::port(),
            server: None,
        };
        let mut rights = Command::new("chmod");
        process::output(rights.arg("700").arg(folder))?;
        if is_root()? {
            process::output(Command::new("chown").arg(USER).arg(folder))?;
        }
        Ok(cluster)
    }

    fn configure(&self) -> Result<(), String> {
        let file = self.folder.join("postgresql.auto.conf");
        // Real durability; small memory, since several run beside the tests of a whole workspace.
        append(
            &file,
            "\nfsync = on\nfull_page_writes = on\nsynchronous_commit = on\nshared_buffers = '64MB'\n\
             max_connections = 60\nmax_wal_size = '128MB'\nwal_keep_size = '64MB'\nhot_standby = on\n\
             unix_socket_directories = ''\nlisten_addresses = '127.0.0.1'\nlog_min_messages = 'fatal'\n",
        )
    }

    /// Starts the server and waits until it takes connections.
    pub fn start(&mut self) -> Result<(), String> {
        let mut command = self.as_owner("postgres")?;
        command
            .arg("-D")
            .arg(&self.folder)
            .args(["-p", &self.port.to_string()]);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.with_extension("log"))
            .map_err(|e| e.to_string())?;
        command
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log);
        self.server = Some(Guarded::start(command)?);
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if self.sql_in("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            if self.server.as_mut().is_some_and(|s| s.ended().is_some()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default();
        let last = log.lines().last().unwrap_or("");
        Err(format!("PostgreSQL does not start: {last}"))
    }

    /// SIGKILL to the postmaster and to every process of it.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        // Stopped first, so that it starts no other between the look and the kill.
        process::signal(server.id(), "STOP");
        let children = children_of(server.id());
        server.kill();
        for child in &children {
            process::signal(*child, "KILL");
        }
        // A server does not start on data that a process of the one before still uses.
        let until = Instant::now() + GONE_WITHIN;
        while children.iter().any(|id| is_alive(*id)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes a standby the primary.
    pub fn promote(&self) -> Result<(), String> {
        self.run("pg_ctl", |c| {
            c.args(["promote", "--wait", "-D"]).arg(&self.folder)
        })
    }

    /// All processes of the server.
    pub fn processes(&self) -> Vec<u32> {
        let id = self.server.as_ref().map(Guarded::id);
        id.map_or_else(Vec::new, |id| {
            let mut all = children_of(id);
            all.push(id);
            all
        })
    }

    /// The address of the database.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The address of the database through another port.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}/{DATABASE}")
    }

    /// The address of whichever of two clusters takes writes.
    pub fn url_of_both(&self, other: &Cluster) -> String {
        format!(
            "postgres://{USER}@127.0.0.1:{},127.0.0.1:{}/{DATABASE}?target_session_attrs=read-write",
            self.port, other.port
        )
    }

    /// Runs a statement in the database.
    pub fn sql(&self, statement: &str) -> Result<String, String> {
        self.sql_in(DATABASE, statement)
    }

    fn sql_in(&self, database: &str, statement: &str) -> Result<String, String> {
        let mut command = Command::new(self.binaries.join("psql"));
        command
            .args(self.connection())
            .args([
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
                "--dbname",
                database,
            ])
            .args(["--command", statement]);
        process::output(&mut command)
    }

    fn connection(&self) -> [String; 6] {
        ["-h", "127.0.0.1", "-U", USER, "-p", &self.port.to_string()].map(str::to_owned)
    }

    fn run(
        &self,
        program: &str,
        arguments: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<(), String> {
        let mut command = self.as_owner(program)?;
        arguments(&mut command);
        process::output(&mut command).map(|_| ())
    }

    /// A program of PostgreSQL, run by who owns the data.
    fn as_owner(&self, program: &str) -> Result<Command, String> {
        let program = self.binaries.join(program);
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
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// True when the data needs another owner.
fn is_root() -> Result<bool, String> {
    process::output(Command::new("id").arg("-u")).map(|id| id.trim() == "0")
}

fn append(file: &Path, text: &str) -> Result<(), String> {
    let mut all = std::fs::read_to_string(file).unwrap_or_default();
    all.push_str(text);
    std::fs::write(file, all).map_err(|e| format!("cannot write {}: {e}", file.display()))
}

/// True while a process runs; one that is dead and only not yet asked for does not.
fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    !matches!(after.trim_start().chars().next(), None | Some('Z' | 'X'))
}

/// Processes whose parent is this one.
fn children_of(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // The name in brackets may hold spaces; the parent is the second field after it.
            let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            after.split_whitespace().nth(1) == Some(parent.as_str())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_primary_loses_nothing_that_its_standby_has() {
        if let Err(why) = binaries() {
            return testkit::lacks(&format!("PostgreSQL ({why})"));
        }
        let name = format!("uec-faults-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let outcome = fail_over(&folder);
        let _ = std::fs::remove_dir_all(&folder);
        outcome.unwrap();
    }

    fn fail_over(folder: &Path) -> Result<(), String> {
        let mut primary = Cluster::make(&folder.join("one"))?;
        primary.sql("CREATE TABLE kept (n INTEGER)")?;
        primary.sql("INSERT INTO kept VALUES (1)")?;
        primary.kill();
        assert!(primary.processes().is_empty());
        primary.start()?;
        let standby = Cluster::standby(&primary, &folder.join("two"))?;
        primary.sql("INSERT INTO kept VALUES (2)")?;
        primary.kill();
        standby.promote()?;
        standby.sql("INSERT INTO kept VALUES (3)")?;
        assert_eq!(standby.sql("SELECT count(*) FROM kept")?.trim(), "3");
        Ok(())
    }
}
