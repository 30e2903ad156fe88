//! What the audit trail says of what really happened: the answer that was sent, and who ran a command.

use super::support::operations::command;
use std::os::unix::fs::MetadataExt as _;
use testkit::{Ended, assert_contains};

use rusqlite::Connection;
use serde_json::Value;

use super::support::Server;
use super::support::operations::{answer, send, written};

/// The database file of a server.
fn open(server: &Server) -> Connection {
    let database = server.database();
    let file = database.strip_prefix("sqlite:").expect("a SQLite database");
    Connection::open(file).expect("the file opens")
}

/// Audit rows that have a text, latest last.
fn rows(connection: &Connection, with: &str) -> Vec<Value> {
    let mut statement = connection
        .prepare("SELECT body FROM audit WHERE instr(body, ?1) > 0 ORDER BY key")
        .expect("a statement");
    let rows = statement
        .query_map([with], |row| row.get::<_, String>(0))
        .expect("rows");
    rows.map(|body| serde_json::from_str(&body.expect("a text")).expect("JSON"))
        .collect()
}

/// Proves: AUD-01, AUD-06, ERR-10
#[test]
fn a_method_that_a_known_path_does_not_take_is_recorded() {
    let server = Server::start("methods", true);
    let connection = open(&server);
    for (method, path) in [
        ("DELETE", "/STU3/1/FX101/Slot"),
        ("PATCH", "/STU3/1/FX101/Appointment/7cc3"),
        ("GET", "/itk/FX101"),
    ] {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = send(server.address, head.as_bytes())
            .expect("an answer")
            .with(405);
        let row = testkit::found("the request is recorded", || {
            let rows = rows(&connection, &format!("\"path\":\"{path}\""));
            rows.into_iter().next()
        });
        assert_eq!(row["method"], method, "{row}");
        assert_eq!(row["status"], 405, "{row}");
        assert_eq!(row["fault"], "consumer", "{row}");
        assert_eq!(row["id"].as_str(), response.header("x-request-id"), "{row}");
    }
    server.kill();
}

/// Proves: AUD-01, PROV-GEN-16
#[test]
fn an_answer_that_cannot_be_written_is_recorded_as_what_was_sent() {
    let server = Server::start("broken", true);
    let booking = server.book(&server.booking().body());
    let made = booking.clone().expect(201);
    let id = made.location_id();
    let connection = open(&server);
    connection
        .execute_batch(
            "DROP TRIGGER appointment_version_fixed; UPDATE appointment_version SET json = CAST('{' AS BLOB)",
        )
        .expect("the stored resource is damaged");
    let in_xml = server.read(&id).with("Accept", "application/fhir+xml");
    let response = answer(&in_xml).with(500);
    let found = rows(&connection, "\"interaction\":\"read\"");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["status"], 500);
    assert_eq!(found[0]["error"], "ERR-22");
    assert_eq!(
        Some(found[0]["id"].as_str().expect("an id")),
        response.header("x-request-id")
    );
    // The booking stands: whoever did not learn of it and repeats it is told where it is.
    let again = answer(&booking).with(409);
    assert!(
        again
            .header("location")
            .is_some_and(|url| url.contains(&id))
    );
    // It cannot be cancelled as long as it cannot be read, and is as live as before.
    let mut cancelled = made.json();
    cancelled["status"] = "cancelled".into();
    let cancelling = server.cancel(&id, "W/\"1\"", &cancelled);
    assert_eq!(answer(&cancelling).status, 500);
    let live: i64 = connection
        .query_row("SELECT live FROM appointment WHERE id = ?1", [&id], |r| {
            r.get(0)
        })
        .expect("a number");
    assert_eq!(live, 1);
}

/// Proves: AUD-01, DAT-03
#[test]
fn a_command_is_recorded_with_the_user_that_the_system_knows() {
    let server = Server::start("operator", true);
    let database = server.database();
    let run = |arguments: &str| {
        let mut command = command(format!("{arguments} --database '{database}'"));
        command.env("USER", "mallory").env_remove("SUDO_USER");
        Ended::run(&mut command).with(0).stdout
    };
    let exported = run("provider export --provider FX101");
    let changed = exported.replacen("name = \"", "name = \"New ", 1);
    let file = written(&server.folder, "changed.toml", &changed);
    run(&format!(
        "provider apply '{}' --keep-bookings",
        file.display()
    ));
    let uid = std::fs::metadata(&file).expect("the file").uid();
    let found = rows(&open(&server), "mallory");
    assert!(!found.is_empty());
    for row in found {
        assert_eq!(row["actor"], format!("operator mallory (uid {uid})"));
    }
}

/// Proves: AUD-07
#[test]
fn rows_of_no_provider_break_the_trail() {
    let server = Server::start("strays", true);
    let database = server.database();
    let verify = format!("provider audit verify --database '{database}'");
    Ended::run(&mut command(&verify)).with(0);
    let connection = open(&server);
    connection
        .execute_batch("INSERT INTO audit SELECT (77 << 40) + 1, at, body, hash FROM audit LIMIT 1")
        .expect("a row of nobody");
    let told = Ended::run(&mut command(&verify)).with(1);
    assert_contains(
        &told.stdout,
        &["BROKEN: 1 row belongs to no provider of this database"],
    );
}
