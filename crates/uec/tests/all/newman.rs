//! The Postman collection that the program describes, run against the program by newman, which nobody here wrote.
//!
//! Needs Node.js and npm, which `.ci/run` installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::Ended;

use super::support::Server;
use super::support::operations::uec;
use serde_json::Value;

/// The folder with newman in it.
fn newman() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/newman");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newman");
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(source.join(file), folder.join(file)).expect("copied");
    }
    Ended::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--prefer-offline"])
            .current_dir(&folder)
            .stdin(Stdio::null()),
    )
    .with(0);
    folder
}

/// Every request of the collection, in its order, is answered as it should be.
#[test]
fn the_collection_runs_from_its_first_to_its_last_request() {
    let folder = newman();
    let server = Server::start("newman", true);
    let described = uec(format!(
        "provider describe postman --base-url http://{}",
        server.address
    ));
    let file = folder.join("collection.json");
    std::fs::write(&file, &described.stdout).expect("written");
    let result = folder.join("result.json");
    let run = Ended::run(
        Command::new("node_modules/.bin/newman")
            .arg("run")
            .arg(&file)
            .args([
                "--reporters",
                "json,cli",
                "--color",
                "off",
                "--reporter-json-export",
            ])
            .arg(&result)
            .current_dir(&folder)
            .stdin(Stdio::null()),
    );
    let told = run.with(0).stdout;
    let result: Value =
        serde_json::from_slice(&std::fs::read(&result).expect("a result")).expect("JSON");
    let stats = &result["run"]["stats"];
    for (what, count) in [("requests", 8), ("assertions", 8), ("scripts", 0)] {
        assert_eq!(stats[what]["failed"], 0, "{what}: {told}");
        assert!(
            count == 0 || stats[what]["total"] == count,
            "{what}: {told}"
        );
    }
    server.kill();
}
