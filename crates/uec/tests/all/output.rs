//! Standard output and standard error that cannot be written: nothing is lost without a word, and no server stops.

use super::support::operations::command;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testkit::{Ended, assert_contains};

use super::support::Server;
use super::support::http::Response;
use super::support::operations::{file_named, get, metric, serves, until};

/// More lines than the queue of the log and a pipe hold, at two lines a request.
const ENOUGH_TO_FILL: usize = 12_000;

fn full() -> Stdio {
    let file = File::options().write(true).open("/dev/full");
    file.expect("/dev/full").into()
}

/// The writing end of a pipe whose reader has died.
fn broken() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// Commands that print data, with the name of each.
fn printing(server: &Server) -> Vec<Vec<String>> {
    let database = server.database();
    let message = file_named(&server.folder, "message.json", "{}");
    let token = "eyJhbGciOiJub25lIn0.e30.";
    let of_database = |words: &str| {
        let words = words.split(' ').map(str::to_owned);
        words
            .chain(["--database".to_owned(), database.clone()])
            .collect()
    };
    let plain = |words: &str| words.split(' ').map(str::to_owned).collect();
    vec![
        of_database("provider export --provider FX101"),
        of_database("provider export --provider FX101 --json"),
        of_database("provider slots list --provider FX101"),
        of_database("provider slots list --provider FX101 --json"),
        of_database("provider slots list --provider FX101 --count"),
        of_database("provider audit verify"),
        of_database("provider referral list --provider FX101"),
        plain("provider describe openapi"),
        plain("provider describe postman"),
        plain("token new --aud https://a.example/STU3/1/FX101"),
        plain(&format!("token show {token}")),
        plain("sandbox world"),
        plain("assure plan list"),
        plain("assure provider --list"),
        plain("assure consumer --list"),
        plain("--help"),
        plain("--version"),
        plain("provider apply --help"),
        plain(&format!("validate {message}")),
    ]
}

fn run(arguments: &[String], stdout: Stdio) -> (Option<i32>, String) {
    let out = Ended::run(
        Command::new(env!("CARGO_BIN_EXE_uec"))
            .args(arguments)
            .stdout(stdout)
            .stderr(Stdio::piped()),
    );
    (Some(out.code), out.stderr)
}

/// Data that could not be written is a failure with words; a reader that left is none.
#[test]
fn what_cannot_be_printed_fails_with_words() {
    for arguments in printing(Server::shared(module_path!())) {
        let (whole, _) = run(&arguments, Stdio::null());
        let (code, told) = run(&arguments, full());
        assert_eq!(code, Some(1), "{arguments:?}: {told}");
        assert_contains(
            &told,
            &["standard output cannot be written", "No space left"],
        );
        let (code, told) = run(&arguments, broken());
        assert_eq!(code, whole, "{arguments:?}: {told}");
        assert!(!told.contains("standard output"), "{arguments:?}: {told}");
    }
}

/// A command line that is wrong says so with its exit code, even when nobody can read why.
#[test]
fn the_exit_code_holds_without_standard_error() {
    for stderr in [full(), broken()] {
        let status = command("provider nothing").stderr(stderr).status();
        assert_eq!(status.expect("uec runs").code(), Some(2));
    }
}

fn ready(server: &Server) -> Response {
    get(server.address, "/health/ready").expect("an answer")
}

fn lost(server: &Server) -> f64 {
    let page = get(server.address, "/metrics").expect("a page").text();
    metric(&page, "uec_log_lines_lost_total", &[]).expect("it is counted")
}

fn says_log(response: &Response) -> bool {
    let reasons = response.json()["reasons"].clone();
    let all = reasons.as_array().cloned().unwrap_or_default();
    response.status == 503 && all.iter().any(|r| r["code"] == "log")
}

fn serving(name: &str, stderr: Stdio, more: &[&str]) -> Server {
    let server = Server::spawn_logging_to(Some(stderr), name, true, |_| {
        more.iter().map(|text| (*text).to_owned()).collect()
    });
    server.wait_until(|s| serves(s.address, "/health/live"));
    // The first look at its own health is over.
    until("it has looked", || {
        let told = ready(&server);
        told.status == 200 || says_log(&told)
    });
    server
}

fn books(server: &Server) {
    let (_, created) = server.booked();
    server.read(&created.location_id()).expect(200);
    // Lines of errors are lost as well.
    let wrong = server.booking().with("/status", "proposed".into());
    server.book(&wrong.body()).expect(422);
}

/// A booking is answered and stored whatever becomes of the log, the loss is counted, and readiness says so.
#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    for name in ["full", "broken"] {
        for format in ["text", "json"] {
            let stderr = if name == "full" { full } else { broken };
            let more = ["--log-format", format];
            let server = serving(&format!("log-{name}-{format}"), stderr(), &more);
            books(&server);
            until("readiness says so", || says_log(&ready(&server)));
            assert!(lost(&server) >= 4.0, "{name} {format}");
            books(&server);
            server.kill();
        }
    }
}

/// Without any standard error there is no log to write: nothing is lost that anybody asked for.
#[test]
fn a_server_without_standard_error_serves() {
    let server = serving("log-closed", Stdio::null(), &[]);
    books(&server);
    assert_eq!(ready(&server).status, 200);
    server.kill();
}

/// Copies a named pipe to a file, until it is killed.
fn reader(fifo: &Path, log: &Path) -> Child {
    let to = File::options().create(true).append(true).open(log);
    Command::new("cat")
        .arg(fifo)
        .stdout(to.expect("a file"))
        .spawn()
        .expect("cat starts")
}

/// A reader of the log that dies and comes back: not ready, ready again, and a line says how many are missing.
#[test]
fn a_log_that_can_be_written_again_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (fifo, log) = (folder.path().join("fifo"), folder.path().join("log"));
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.is_ok_and(|status| status.success()));
    let mut first = reader(&fifo, &log);
    let writer = File::options().write(true).open(&fifo).expect("it is read");
    let server = serving("log-fifo", writer.into(), &[]);
    books(&server);
    assert_eq!(ready(&server).status, 200);
    first.kill().expect("killed");
    first.wait().expect("it ends");
    books(&server);
    until("it is not ready", || says_log(&ready(&server)));
    books(&server);
    let mut second = reader(&fifo, &log);
    until("it is ready again", || ready(&server).status == 200);
    assert!(lost(&server) >= 1.0);
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    until("the gap is told", || {
        text().contains("could not be written; they are lost")
    });
    books(&server);
    server.kill();
    // The end of the last writer is the end of the reader.
    second.wait().expect("it ends");
}

/// A reader of the log that stands still holds up nobody: lines are lost once the queue is full.
#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let server = serving("log-stuck", writer.into(), &[]);
    for _ in 0..ENOUGH_TO_FILL {
        if says_log(&ready(&server)) && lost(&server) > 0.0 {
            break;
        }
        server.plain_search().expect(200);
    }
    assert!(says_log(&ready(&server)), "{}", ready(&server).text());
    books(&server);
    let drained = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    until("it is ready again", || ready(&server).status == 200);
    server.kill();
    drained.join().expect("joined").expect("read");
}

/// The stand-ins of the national services go on as well.
#[test]
fn the_sandbox_serves_without_a_log() {
    for stderr in [full(), broken()] {
        let mut child = command("sandbox serve --dos 0")
            .env("RUST_LOG", "debug")
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("uec starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let words: Vec<String> = lines
            .map_while(Result::ok)
            .take_while(|line| !line.starts_with("Ready"))
            .collect();
        let address = words
            .iter()
            .find_map(|line| line.strip_prefix("DoS  http://")?.split('/').next());
        let address = address.expect("an address").parse().expect("an address");
        for _ in 0..3 {
            get(address, "/app/api/webservices?wsdl")
                .expect("an answer")
                .with(200);
        }
        child.kill().expect("killed");
        child.wait().expect("it ends");
    }
}

/// Proves: D-70
#[test]
fn an_argument_that_is_wrong_is_quoted_with_nothing_hidden() {
    let told = Ended::run(command("provider").arg("ser\u{202e}ve"))
        .with(2)
        .stderr;
    assert!(!told.contains('\u{202e}'), "{told:?}");
    assert_contains(&told, &["ser\u{fffd}ve"]);
}
