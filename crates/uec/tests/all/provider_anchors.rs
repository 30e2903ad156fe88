//! Anchors of the audit trail, over the real binary: signed while it serves, compared when it starts, accepted by whoever is
//! on call (D-74).

use super::support;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use rusqlite::Connection;

use super::support::Server;
use super::support::operations::{get, metric, uec, until, with_settings, written};

/// Makes a key in a folder; the public half lies beside it.
fn key(folder: &Path) -> (PathBuf, PathBuf) {
    let private = folder.join("audit.key");
    let made = uec(format!("provider audit key --make '{}'", shown(&private))).with(0);
    let public = written(folder, "audit.pub", &made.stdout);
    (private, public)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The last row of FX101's trail.
fn last_row(server: &Server) -> i64 {
    let file = server.folder.join("provider.sqlite");
    let sql =
        "SELECT h.seq FROM audit_head h JOIN tenant t ON t.key = h.tenant WHERE t.ods = 'FX101'";
    let connection = Connection::open(file).expect("opens");
    connection
        .query_row(sql, [], |row| row.get(0))
        .expect("a row")
}

/// Whether a signed head of FX101 at this row, or a later one, stands in a text.
fn is_signed(text: &str, row: i64) -> bool {
    let rows = text.lines().filter_map(|line| {
        let (_, rest) = line
            .replace('\\', "")
            .split_once("\"provider\":\"FX101\",\"row\":")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        rest.split(',').next()?.parse::<i64>().ok()
    });
    rows.max().is_some_and(|last| last >= row)
}

/// All that was added to a folder.
fn anchors(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .map(|file| std::fs::read_to_string(file.path()).unwrap_or_default())
        .collect()
}

fn ready(server: &Server) -> String {
    get(server.address, "/health/ready").map_or_else(String::new, |r| r.text())
}

fn metrics(server: &Server) -> String {
    get(server.address, "/metrics").expect("an answer").text()
}

/// The write-ahead log is lost with what was acknowledged. The trail alone notices nothing; what was signed is missed.
///
/// Proves: AUD-07, NFR-04, D-74
#[test]
fn a_lost_wal_is_told_and_accepted_and_nobody_is_locked_out() {
    let start = || {
        Server::spawn("anchors", false, |folder| {
            if !folder.join("audit.key").exists() {
                key(folder);
            }
            let (key, anchors) = (folder.join("audit.key"), folder.join("anchors"));
            let settings = format!(
                "database = \"sqlite:{}\"\n[audit]\nkey = {:?}\nfolder = {:?}\nseconds = 1\n",
                shown(&folder.join("provider.sqlite")),
                shown(&key),
                shown(&anchors)
            );
            let file = written(folder, "settings.toml", &settings);
            vec!["--config".to_owned(), shown(&file)]
        })
    };
    let server = start();
    server.wait_until(Server::is_ready);
    let (folder, database) = (server.folder.clone(), server.database());
    let (config, signed) = (shown(&folder.join("settings.toml")), folder.join("anchors"));
    // While somebody reads the file as it is, nothing that comes later is copied into it.
    let outside = server.wal_kept_apart();
    let kept = last_row(&server);
    server.booked();
    let last = last_row(&server);
    assert!(last > kept);
    until("the booking's row is signed", || {
        is_signed(&anchors(&signed), last)
    });
    let whole = uec(format!("provider audit verify --config '{config}'")).with(0);
    // One or some of each provider, as time went.
    whole.says(&[" anchor"]);

    assert!(server.kill_9());
    drop(outside);
    server.kill();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("provider.sqlite{suffix}")));
    }
    uec(format!("provider audit verify --database '{database}'")).with(0);
    let (signed, public) = (shown(&signed), shown(&folder.join("audit.pub")));
    let against = uec(format!(
        "provider audit verify --database '{database}' --anchors '{signed}' \
             --key '{public}'"
    ))
    .with(1);
    let told = format!("FX101: LOST from row {}:", kept + 1);
    against.says(&[&told]);

    let server = start();
    until("the server says what is missing", || {
        ready(&server).contains("audit-trail")
    });
    let missing = format!("lacks rows {} to {last}", kept + 1);
    until("its log says it", || server.log().contains(&missing));
    // Whoever is sent to it is served.
    server.wait_until(|server| !ready(server).contains("starting"));
    server.booked();
    assert_eq!(
        metric(&metrics(&server), "uec_audit_trails_lost", &[]),
        Some(1.0)
    );
    let doctor = uec(format!("provider doctor --quick --config '{config}'"));
    doctor.says(&["Bookings may be lost"]);

    let accept = |because: &str| {
        uec(format!(
            "provider audit accept-loss --config '{config}' --because '{because}'"
        ))
    };
    accept(" ").with(2);
    accept("the disk was lost in the night").with(0);
    server.wait_until(Server::is_ready);
    assert_eq!(
        metric(&metrics(&server), "uec_audit_trails_lost", &[]),
        Some(0.0)
    );
    let after = uec(format!("provider audit verify --config '{config}'")).with(0);
    after.says(&["the disk was lost in the night"]);
    accept("again").says(&["nothing was changed"]);
    server.removed();
}

/// Takes requests: answers the first with 500, the others with 204, and hands on the bodies of those.
fn receiver() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (bodies, received) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = given.trim().parse().expect("a number");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("the body");
            let status = if number == 0 {
                "500 Oops"
            } else {
                "204 No Content"
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
            if number > 0
                && bodies
                    .send(String::from_utf8_lossy(&body).into_owned())
                    .is_err()
            {
                return;
            }
        }
    });
    (address, received)
}

/// Proves: AUD-07, D-74
#[test]
fn heads_go_to_the_log_and_over_http_and_prove_the_trail_from_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (private, public) = key(folder.path());
    let (address, received) = receiver();
    let settings = format!(
        "[audit]\nkey = {:?}\nseconds = 1\nurl = \"http://{address}/anchors\"\n",
        shown(&private)
    );
    let server = with_settings("anchors-http", &settings);
    server.booked();
    let row = last_row(&server);
    let mut sent = String::new();
    until("the head was sent", || {
        sent.extend(received.try_iter());
        is_signed(&sent, row)
    });
    until("it is in the log", || is_signed(&server.log(), row));
    let page = metrics(&server);
    for to in ["http", "log"] {
        let labels = [("to", to), ("result", "written")];
        let count = metric(&page, "uec_audit_anchors_total", &labels);
        assert!(count.is_some_and(|n| n > 0.0), "{page}");
    }
    // What failed at first was sent again, and is no failure.
    let failed = [("to", "http"), ("result", "failed")];
    assert_eq!(metric(&page, "uec_audit_anchors_total", &failed), Some(0.0));
    let (database, public) = (server.database(), shown(&public));
    for file in [
        written(folder.path(), "sent", &sent),
        written(folder.path(), "log", &server.log()),
    ] {
        let checked = uec(format!(
            "provider audit verify --database '{database}' --anchors '{}' \
             --key '{public}'",
            shown(&file)
        ))
        .with(0);
        checked.says(&["proven up to row"]);
    }
    // A head printed by hand is one more anchor; a stranger's is none.
    let head = uec(format!(
        "provider audit head --database '{database}' --key '{}'",
        shown(&private)
    ));
    let text = head.stdout.clone();
    assert_eq!(text.lines().count(), 2, "{}", head.said());
    let other = folder.path().join("other");
    std::fs::create_dir(&other).expect("a folder");
    let (_, stranger) = key(&other);
    let heads = shown(&written(folder.path(), "heads", &text));
    for (key, code) in [(&public, 0), (&shown(&stranger), 1)] {
        uec(format!(
            "provider audit verify --database '{database}' --anchors \
             '{heads}' --key '{key}'"
        ))
        .with(code);
    }
}

/// Nobody takes what is sent: it is counted, and bookings go on.
///
/// Proves: NFR-04, D-74
#[test]
fn an_address_that_takes_nothing_holds_nothing_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (private, _) = key(folder.path());
    let settings = format!(
        "[audit]\nkey = {:?}\nseconds = 1\nurl = \"http://{}/\"\n",
        shown(&private),
        support::operations::free_address()
    );
    let server = with_settings("anchors-lost", &settings);
    server.booked();
    until("it is counted", || {
        let failed = [("to", "http"), ("result", "failed")];
        metric(&metrics(&server), "uec_audit_anchors_total", &failed).is_some_and(|n| n > 0.0)
    });
    assert!(server.is_ready());
    let told = || {
        let log = server.log();
        log.matches("audit.url does not take anchors").count()
    };
    until("it is said", || told() > 0);
    assert_eq!(told(), 1);
}

/// Keys are those of OpenSSL, a key that is there stays, and a key of another kind is told.
#[test]
fn keys_are_made_once_and_read_by_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let (private, public) = key(folder.path());
    let again = uec(format!("provider audit key --make '{}'", shown(&private))).with(1);
    again.says(&["is there already"]);
    for file in [&private, &public] {
        let printed = uec(format!("provider audit key '{}'", shown(file)));
        let pem = std::fs::read_to_string(&public).expect("the public key");
        assert_eq!(printed.stdout, pem, "{}", printed.said());
        printed.never_says(&["PRIVATE"]);
    }
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let file = written(folder.path(), "rcgen.key", &pair.serialize_pem());
    let printed = uec(format!("provider audit key '{}'", shown(&file)));
    let plain = |text: &str| text.replace(['\r', '\n'], "");
    let shown_key = printed.stdout.clone();
    assert_eq!(
        plain(&shown_key),
        plain(&pair.public_key_pem()),
        "{}",
        printed.said()
    );
    let other = rcgen::KeyPair::generate().expect("a key of another kind");
    let file = written(folder.path(), "p256.key", &other.serialize_pem());
    let refused = uec(format!("provider audit key '{}'", shown(&file))).with(2);
    refused.says(&["another kind"]);
}
