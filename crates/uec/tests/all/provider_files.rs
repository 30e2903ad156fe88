//! The files of a database that are taken away, or may not be written: what the running program says, and what is saved.

#![cfg(target_os = "linux")]

use super::support::operations::command;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::{Arguments, Ended, assert_contains, assert_lacks};

use super::support::operations::{answer, get, serves, uec, until};
use super::support::{Booking, Server};

/// A user that is nobody, when the tests run as root, whom no right of a file binds.
const NOBODY: u32 = 65_534;

fn codes(server: &Server) -> String {
    get(server.address, "/health/ready").map_or_else(String::new, |r| r.text())
}

/// The open file of a process that is called so, also when it is deleted.
fn open_file(pid: u32, name: &str) -> PathBuf {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).expect("the open files");
    let mut all = all.flatten().map(|entry| entry.path());
    all.find(|path| {
        let target = fs::read_link(path).unwrap_or_default();
        let target = target.display().to_string();
        target.trim_end_matches(" (deleted)").ends_with(name)
    })
    .expect("it is open")
}

fn booked_ids(server: &Server, number: usize) -> Vec<String> {
    (0..number)
        .map(|_| {
            let slot = server.take_slot();
            let made = server.book(&Booking::of(&slot).body()).expect(201);
            made.json()["id"].as_str().expect("an id").to_owned()
        })
        .collect()
}

/// The database file is removed while the server serves: nothing more is acknowledged, readiness says why, and the copy of the
/// open file that the guide describes holds everything.
/// Proves: PROV-BOOK-01, NFR-02
#[test]
fn a_removed_database_is_not_written_and_can_be_saved() {
    let server = Server::start("files-removed", false);
    let ids = booked_ids(&server, 5);
    let before = server.book(&server.booking().body());
    assert_eq!(answer(&before).status, 201);
    let file = server.folder.join("provider.sqlite");
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", file.display())).expect("removed");
    }
    let refused = answer(&server.book(&server.booking().body())).with(503);
    assert!(refused.header("retry-after").is_some());
    // A 409 that names the appointment would acknowledge it once more.
    assert_eq!(answer(&before).status, 503, "nor is a repeat acknowledged");
    until("it is not ready", || {
        codes(&server).contains("its file was removed or replaced")
    });
    assert_lacks(codes(&server), &[&file.display().to_string()]);
    let process = server.pid().expect("it runs");
    until("the log says how to save it", || {
        server.log().contains(&format!("/proc/{process}/fd"))
    });
    fs::copy(
        open_file(process, "/provider.sqlite"),
        server.folder.join("saved"),
    )
    .expect("copied");
    assert!(server.kill_9());
    let folder = server.folder.clone();
    server.kill();
    fs::rename(folder.join("saved"), &file).expect("put in place");
    let server = Server::start("files-removed", false);
    for id in &ids {
        assert_eq!(server.read(id).expect(200).json()["status"], "booked");
    }
    server.uec("provider audit verify").with(0);
    server.removed();
}

/// Only the WAL is removed: the server says to be stopped, and has everything in the database file when it is.
#[test]
fn a_removed_wal_is_in_the_database_after_a_stop() {
    let server = Server::start("files-wal", false);
    let ids = booked_ids(&server, 5);
    let file = server.folder.join("provider.sqlite");
    fs::remove_file(format!("{}-wal", file.display())).expect("removed");
    answer(&server.book(&server.booking().body())).with(503);
    until("the log says what to do", || {
        server.log().contains("SIGTERM")
    });
    assert!(server.signal("TERM"));
    until("it has stopped", || {
        get(server.address, "/health/live").is_none()
    });
    let server = server.restarted("files-wal");
    for id in &ids {
        assert_eq!(server.read(id).expect(200).json()["status"], "booked");
    }
    server.removed();
}

/// As somebody whom the rights of files bind.
fn bound(binary: &Path, arguments: impl Arguments) -> Ended {
    let mut command = Command::new(binary);
    command.args(arguments.words());
    let ours = fs::metadata("/proc/self").expect("this process").uid();
    if ours == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    Ended::run(&mut command)
}

/// A server that could write nothing does not start, and `doctor` says so: SQLite itself opens such a file without a word.
#[test]
fn a_database_that_may_only_be_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let database = format!("sqlite:{}", at("provider.sqlite").display());
    let binary = at("uec");
    fs::copy(env!("CARGO_BIN_EXE_uec"), &binary).expect("copied");
    fs::set_permissions(&binary, Permissions::from_mode(0o755)).expect("rights");
    if fs::metadata("/proc/self").expect("this process").uid() == 0 {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("given away");
    }
    let server = Server::start("files-read-only", true);
    let copy = at("provider.sqlite").display().to_string();
    uec(format!(
        "provider backup --database '{}' --to '{copy}'",
        server.database()
    ))
    .with(0);
    server.kill();
    let before = fs::read(at("provider.sqlite")).expect("a file");
    fs::set_permissions(at("provider.sqlite"), Permissions::from_mode(0o444)).expect("rights");

    let served = bound(
        &binary,
        format!("provider serve --database '{database}' --listen 127.0.0.1:0"),
    );
    let served = served.with(1);
    served.notes(&["no permission to read and write", "not to write"]);

    let looked = bound(&binary, format!("provider doctor --database '{database}'"));
    looked.with(1).says(&["Nothing can be written"]);
    assert_eq!(fs::read(at("provider.sqlite")).expect("a file"), before);
}

/// A database that others may write, or whose folder they may write, is opened by no command until that is mended or
/// allowed.
/// Proves: D-84
#[test]
fn a_database_that_others_may_write_is_refused() {
    let server = Server::start("files-shared", false);
    let (folder, database) = (server.folder.clone(), server.database());
    server.kill();
    let file = folder.join("provider.sqlite");
    let settings = folder.join("provider.toml");
    fs::write(&settings, "allow_shared_files = true\n").expect("written");
    let settings = settings.display().to_string();
    let run = |arguments: &str| {
        let ended = uec(format!("{arguments} --database '{database}'"));
        (Some(ended.code), ended.stderr)
    };
    let serve = "provider serve --listen 127.0.0.1:0";
    let verify = "provider audit verify";
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("rights");
    };
    assert_eq!(run(verify).0, Some(0));

    let wal = folder.join("provider.sqlite-wal");
    for (path, is, was) in [
        (file.as_path(), 0o666, 0o600),
        (wal.as_path(), 0o622, 0o600),
        (folder.as_path(), 0o777, 0o700),
    ] {
        // It goes whenever a command closes the database.
        fs::write(&wal, "").expect("written");
        mode(path, is);
        for command in [verify, serve] {
            let (code, said) = run(command);
            assert_eq!(code, Some(1), "{said}");
            let says = format!(
                "{} can be written by every user of this machine (mode {is:04o})",
                path.display()
            );
            assert_contains(&said, &[&says, "run `chmod ", "allow_shared_files = true"]);
        }
        let allowed = run(&format!("{verify} --allow-shared-files"));
        assert_eq!(allowed.0, Some(0), "{}", allowed.1);
        let allowed = run(&format!("{verify} --config '{settings}'"));
        assert_eq!(allowed.0, Some(0), "{}", allowed.1);
        if path.exists() {
            mode(path, was);
        }
    }
    // As /tmp is.
    mode(folder.as_path(), 0o1777);
    assert_eq!(run(verify).0, Some(0));
    // Nothing is made where it could be replaced.
    mode(folder.as_path(), 0o777);
    fs::remove_file(&file).expect("removed");
    assert_eq!(run(serve).0, Some(1));
    assert!(!file.exists());
    let _ = fs::remove_dir_all(folder);
}

/// The WAL is removed between a kill and the next start: SQLite begins without it, the server says what is missing.
/// Proves: AUD-01
#[test]
fn a_wal_that_was_lost_is_told_at_the_next_start() {
    let server = Server::start("files-lost", false);
    let file = server.folder.join("provider.sqlite");
    // While somebody reads the file as it is, nothing that comes later is copied into it.
    let outside = server.wal_kept_apart();
    booked_ids(&server, 2);
    assert!(server.kill_9());
    drop(outside);
    server.kill();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", file.display()));
    }
    let looked = uec(format!(
        "provider doctor --quick --database 'sqlite:{}'",
        file.display()
    ));
    let said = looked.stdout.clone();
    assert_contains(
        &said,
        &["Bookings that were acknowledged are not in the database"],
    );
    let server = Server::start("files-lost", false);
    let log = server.log();
    assert_contains(&log, &["the audit trail of FX101 ends at row"]);
    server.removed();
}

/// The library that sets a program's clock.
fn libfaketime() -> Option<PathBuf> {
    let found = fs::read_dir("/usr/lib")
        .ok()
        .into_iter()
        .flatten()
        .flatten();
    let library = found
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    if library.is_none() {
        testkit::lacks("libfaketime");
    }
    library
}

/// While the server runs, its clock goes beyond all dates of HTTP: connections end, without a panic, and
/// the log says why; it goes on when the clock is right.
///
/// Proves: NFR-02
#[test]
fn a_clock_that_leaves_all_dates_ends_no_connection() {
    let Some(library) = libfaketime() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (clock, log) = (folder.path().join("clock"), folder.path().join("log"));
    // Moved into place, so that half a time is never read.
    let set = |to: &str| {
        let next = folder.path().join("next");
        fs::write(&next, format!("{to}\n")).expect("written");
        fs::rename(&next, &clock).expect("moved");
    };
    set("+0");
    let address = SocketAddr::from(([127, 0, 0, 1], testkit::port()));
    let output = fs::File::create(&log).expect("a log");
    let mut server = command("provider serve --seed demo --database")
        .arg(format!("sqlite:{}", folder.path().join("p.db").display()))
        .args(["--listen", &address.to_string()])
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .expect("uec starts");
    let answers = || serves(address, "/health/live");
    until("it is ready", || serves(address, "/health/ready"));
    set("+8100y");
    until("nobody is answered without a date", || !answers());
    until("the log says why", || {
        fs::read_to_string(&log).is_ok_and(|said| said.contains("the clock of this machine"))
    });
    set("+0");
    until("it answers again", answers);
    let _ = server.kill();
    let _ = server.wait();
    let said = fs::read_to_string(&log).expect("the log");
    // A request that was looked at before the jump and is answered after it ends with its own connection: ours, or that of
    // the server's look at itself.
    let ended = said.lines().filter(|line| line.contains("panicked"));
    let ended: Vec<&str> = ended.collect();
    assert!(ended.len() <= 2, "{said}");
    assert!(
        ended.iter().all(|line| line.contains("before year 9999")),
        "{said}"
    );
}

/// A clock beyond all dates is refused with a sentence, not by a panic.
#[test]
fn a_clock_beyond_all_dates_is_refused() {
    let Some(library) = libfaketime() else { return };
    let ended = Ended::run(
        command("provider serve --database sqlite::memory:")
            .env("LD_PRELOAD", library)
            .env("FAKETIME", "+8100y"),
    );
    let said = ended.stderr.clone();
    assert_eq!(ended.code, 1, "{said}");
    assert_contains(&said, &["the clock of this machine"]);
    assert_lacks(&said, &["panicked"]);
}
