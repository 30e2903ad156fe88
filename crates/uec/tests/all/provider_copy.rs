//! `uec provider copy` over real databases: there and back, in use, killed in the middle, refused.

use super::support::operations::command;
use super::support::operations::uec;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use testkit::{Ended, assert_contains, assert_lacks};

use super::support::{Server, postgres, postgres_server};
use booking::ids::{Asid, OdsCode};
use jiff::{SignedDuration, Timestamp};
use provider::audit::AuditEntry;
use provider::store::{Declaration, DeclaredChange, NewSlot, Options, Store};
use serde_json::Value;

/// Slots of the database whose copy is killed.
const SLOTS: i64 = 40_000;

/// A folder that goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("copy-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("folder");
        Folder(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &str, to: &str, more: &str) -> Ended {
    uec(format!("provider copy --from '{from}' --to '{to}' {more}"))
}

#[track_caller]
fn report(output: &Ended) -> Value {
    assert_eq!(output.code, 0, "{output}");
    output.json.clone()
}

#[track_caller]
fn refused(output: &Ended, code: i32, with: &str) {
    assert_eq!(output.code, code, "{output}");
    output.says(&[with]);
}

/// A database of the demo provider with a booking and a cancelled one; the server that made it is gone.
fn made(name: &str) -> (Server, String) {
    let server = Server::start(name, true);
    let (_, first) = server.booked();
    let (booking, second) = server.booked();
    let id = second.location_id();
    let body = booking.cancelled(&second.json());
    server.cancel(&id, "W/\"1\"", &body).expect(200);
    server.read(&first.location_id()).expect(200);
    let database = server.database();
    (server, database)
}

/// Ends the server and waits until its process is gone; its files stay as long as the value does.
fn stopped(server: &Server) {
    let pid = server.pid().expect("it runs");
    assert!(server.signal("TERM"));
    // Its parent waits for it only later, so it may be a zombie.
    testkit::until("the server has stopped", || {
        !testkit::process::is_alive(pid)
    });
}

fn verified(database: &str) -> String {
    uec(format!("provider audit verify --database '{database}'"))
        .with(0)
        .stdout
}

/// Proves: NFR-02, AUD-07
#[test]
fn a_database_moves_and_moves_back() {
    let (server, from) = made("copy-moves");
    let folder = Folder::new("moves");
    let stray = folder.file("stray.sqlite");
    refused(&copy(&from, &stray, ""), 1, "is in use");
    assert!(!Path::new(&stray).exists());

    let rehearsed = report(&copy(&from, &stray, "--while-running --json"));
    assert_eq!(rehearsed["rehearsal"], true);
    let shown = copy(&from, &folder.file("shown.sqlite"), "--while-running");
    shown.says(&["This is a rehearsal"]);
    server.read("nothing").expect(404);
    stopped(&server);

    let trails = verified(&from);
    let back = folder.file("back.sqlite");
    let (through, quiet) = match postgres_server() {
        Some(server) => {
            let to = server.empty();
            let there = copy(&from, &to, "").with(0);
            assert_contains(&there.stdout, &["audit trail of FX101", "Next:"]);
            assert_lacks(&there.stdout, &["sslmode"]);
            assert!(!there.stderr.is_empty(), "progress is shown");
            refused(&copy(&from, &to, ""), 1, "holds data already");
            (to, true)
        }
        None => (stray.clone(), false),
    };
    let there_and_back = copy(&through, &back, "--quiet --json");
    assert_eq!(there_and_back.stderr, "");
    let there_and_back = report(&there_and_back);
    assert_eq!(there_and_back["rehearsal"], false);
    let like = report(&copy(&from, &folder.file("like.sqlite"), "-q --json"));
    if quiet {
        assert_eq!(there_and_back["tables"], like["tables"]);
        assert_eq!(there_and_back["auditTrails"], like["auditTrails"]);
    }
    assert_eq!(like["liveBookings"], 1);
    assert_eq!(
        verified(&format!("sqlite:{}", folder.file("like.sqlite"))),
        trails
    );

    refused(&copy(&from, &from, ""), 2, "as source and as target");
    refused(&copy("mysql://x/y", &stray, ""), 2, "cannot be used");
    refused(&copy(&folder.file("none"), &stray, ""), 1, "no database at");
    refused(&copy(&from, &stray, ""), 1, "holds data already");
    let text = folder.file("notes.txt");
    fs::write(
        &text,
        "not a database, but long enough to be taken for one by its size alone".repeat(20),
    )
    .expect("file");
    refused(&copy(&from, &text, ""), 1, "not a database of this program");
}

/// A database with so many slots that a copy of it takes a good part of a second.
fn large(folder: &Folder) -> String {
    let database = format!("sqlite:{}", folder.file("large.sqlite"));
    let store = Store::open(&database, &Options::default()).expect("store");
    let now = Timestamp::now();
    let entry = AuditEntry::local(now, "test", "nobody");
    let schedule = DeclaredChange::Put {
        kind: "schedule".to_owned(),
        id: "gp".to_owned(),
        position: 1,
        body: "{}".to_owned(),
    };
    let declaration = Declaration {
        ods: OdsCode::parse("FX101").expect("code"),
        asid: Asid::parse("918999000011").expect("ASID"),
        name: "Fernhill Urgent Care".to_owned(),
        expected: None,
        changes: vec![schedule],
        at: now,
    };
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(async {
        let declared = store.declare(declaration, entry.clone()).await;
        let tenant = declared.expect("provider").tenant;
        let (_, rows) = store.tenant(tenant).declared().expect("declared");
        let schedule = rows.iter().find_map(|row| row.schedule).expect("schedule");
        let start = |n: i64| now + SignedDuration::from_mins(10 * n);
        let slots = (0..SLOTS).map(|n| NewSlot {
            uuid: uuid::Uuid::now_v7(),
            schedule,
            start: start(n),
            end: start(n + 1),
            held: false,
            channel: None,
            template: None,
            release: None,
            track: 0,
        });
        let made = store
            .tenant(tenant)
            .insert_slots(slots.collect(), now, &entry);
        made.await.expect("slots");
    });
    store.close();
    database
}

/// A copy that has begun to fill its target.
fn under_way(from: &str, to: &str) -> Child {
    let child = command(format!("provider copy --from '{from}' --to '{to}'"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("uec runs");
    testkit::until("the copy has begun", || is_being_filled(to, &child));
    child
}

/// True while the target is open, which it is only in the one transaction that fills it.
fn is_being_filled(to: &str, by: &Child) -> bool {
    if let Some(path) = to.strip_prefix("sqlite:") {
        let open = fs::read_dir(format!("/proc/{}/fd", by.id())).expect("its files");
        let mut open = open
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        return open.any(|file| file == Path::new(path));
    }
    let name = to
        .rsplit('/')
        .next()
        .and_then(|rest| rest.split('?').next());
    let sql = format!(
        "SELECT 1 / count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'INSERT INTO slot %'",
        name.expect("a name")
    );
    postgres_server().is_some_and(|server| server.psql(&sql).is_ok())
}

fn signal(child: &Child, name: &str) {
    assert!(testkit::process::signal(child.id(), name));
}

/// Proves: NFR-02
#[test]
fn a_copy_that_is_killed_can_be_made_again() {
    let folder = Folder::new("killed");
    let from = large(&folder);
    let trails = verified(&from);
    let mut targets = vec![format!("sqlite:{}", folder.file("to.sqlite"))];
    targets.extend(postgres_server().map(postgres::Server::empty));
    for to in &targets {
        let mut child = under_way(&from, to);
        signal(&child, "KILL");
        child.wait().expect("it ends");
        // Nothing is there that a provider would serve.
        let opened = uec(format!("provider audit verify --database '{to}'"));
        assert_eq!(opened.stdout, "", "{opened}");

        let mut child = under_way(&from, to);
        signal(&child, "TERM");
        let mut rest = String::new();
        let mut stderr = child.stderr.take().expect("pipe");
        stderr.read_to_string(&mut rest).expect("text");
        assert_eq!(
            child.wait().expect("it ends").code(),
            Some(1),
            "{to}: {rest}"
        );
        assert!(rest.contains("stopped before the end"), "{rest}");

        let done = report(&copy(&from, to, "--json"));
        assert_eq!(done["verified"], true);
        assert_eq!(verified(to), trails);
    }
}
