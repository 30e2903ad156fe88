//! `uec sandbox …` as people run it.

use super::support::operations::command;
use super::support::operations::uec;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use testkit::{Arguments, assert_contains, words};

fn run(arguments: impl Arguments) -> (i32, String, String) {
    let done = uec([words("sandbox"), arguments.words()].concat());
    (done.code, done.stdout, done.stderr)
}

/// Ends the program also when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_embedded_world_can_be_printed_changed_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.toml");
    let path = file.to_str().unwrap();
    let (code, world, _) = run(["world"]);
    assert_eq!(code, 0);
    std::fs::write(&file, &world).unwrap();
    let (code, told, _) = run(format!("check '{path}'"));
    assert_eq!(code, 0);
    assert_contains(&told, &["2000000023", "it can be served"]);
    let (code, _, _) = run(format!("check --strict '{path}'"));
    assert_eq!(code, 1);
    let (code, json, _) = run(format!("check --json '{path}'"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["remarks"].as_array().unwrap().len()), (0, 4));
    std::fs::write(&file, world.replacen("ods = ", "odds = ", 1)).unwrap();
    let (code, _, told) = run(format!("check '{path}'"));
    assert_eq!(code, 1);
    assert_contains(&told, &["line", "did you mean `ods`?"]);
    let (code, _, _) = run(["check", folder.path().join("none").to_str().unwrap()]);
    assert_eq!(code, 2);
}

#[test]
fn the_directory_runs_alone_and_stops_when_told() {
    let child = command("sandbox serve --dos 0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let url = first.trim().strip_prefix("DoS  http://").unwrap();
    let (address, path) = url.split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /{path}?wsdl HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("ServiceDetailsById"));
    let killed = Command::new("kill")
        .args(["-TERM", &running.0.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(
        !rest.contains("SDS") && rest.ends_with("Stopped.\n"),
        "{rest}"
    );
    assert!(running.0.wait().unwrap().success());
}

/// What is wrong with the command line ends with 2: an address that is none, as well as a port that is taken.
#[test]
fn an_address_that_cannot_be_listened_on_is_wrong_usage() {
    for listen in ["999.1.2.3", "192.0.2.1"] {
        let (code, _, told) = run(format!("serve --listen {listen} --dos 0"));
        assert_eq!(code, 2, "{told}");
        assert_contains(&told, &[&format!("cannot listen on {listen}")]);
    }
}
