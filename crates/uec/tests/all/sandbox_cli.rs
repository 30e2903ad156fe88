//! `uec sandbox …` as people run it.

use super::support::operations::{page, sandbox, uec};
use testkit::{Arguments, assert_contains, assert_lacks, words};

fn run(arguments: impl Arguments) -> (i32, String, String) {
    let done = uec([words("sandbox"), arguments.words()].concat());
    (done.code, done.stdout, done.stderr)
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
    let running = sandbox("--dos 0");
    let url = running.told("DoS");
    let (address, path) = url["http://".len()..].split_once('/').unwrap();
    let (head, wsdl) = page(address, &format!("/{path}?wsdl"), "*/*");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_contains(wsdl, &["ServiceDetailsById"]);
    let ended = running.stop().with(0);
    assert_lacks(&ended.stdout, &["SDS"]);
    assert!(ended.stdout.ends_with("Stopped.\n"), "{ended}");
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
