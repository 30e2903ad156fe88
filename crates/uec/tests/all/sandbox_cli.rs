//! `uec sandbox …` as people run it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const UEC: &str = env!("CARGO_BIN_EXE_uec");

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(UEC)
        .arg("sandbox")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
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
    let (code, world, _) = run(&["world"]);
    assert_eq!(code, 0);
    std::fs::write(&file, &world).unwrap();
    let (code, told, _) = run(&["check", path]);
    assert_eq!(code, 0);
    assert!(
        told.contains("2000000023") && told.contains("it can be served"),
        "{told}"
    );
    let (code, _, _) = run(&["check", "--strict", path]);
    assert_eq!(code, 1);
    let (code, json, _) = run(&["check", "--json", path]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["remarks"].as_array().unwrap().len()), (0, 4));
    std::fs::write(&file, world.replacen("ods = ", "odds = ", 1)).unwrap();
    let (code, _, told) = run(&["check", path]);
    assert_eq!(code, 1);
    assert!(
        told.contains("line") && told.contains("did you mean `ods`?"),
        "{told}"
    );
    let (code, _, _) = run(&["check", folder.path().join("none").to_str().unwrap()]);
    assert_eq!(code, 2);
}

#[test]
fn the_directory_runs_alone_and_stops_when_told() {
    let child = Command::new(UEC)
        .args(["sandbox", "serve", "--dos", "0"])
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
        let (code, _, told) = run(&["serve", "--listen", listen, "--dos", "0"]);
        assert_eq!(code, 2, "{told}");
        assert!(
            told.contains(&format!("cannot listen on {listen}")),
            "{told}"
        );
    }
}
