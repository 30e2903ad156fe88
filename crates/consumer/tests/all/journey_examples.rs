//! The examples of the library, run as they stand against the sandbox and a Provider.

use super::journey_support;
use sandbox::{Listeners, Ports, Sandbox, Setup};
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::assert_contains;

/// The example as cargo built it beside this test; `None` where only this test was built.
fn built(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let example = own.parent()?.parent()?.join("examples").join(name);
    example.exists().then_some(example)
}

fn run(name: &str, sandbox: &Sandbox, journal: &Path) -> String {
    let at = sandbox.addresses();
    let mut command = match built(name) {
        Some(example) => Command::new(example),
        None => {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["run", "--quiet", "--package", "consumer", "--example", name]);
            cargo
        }
    };
    let out = command
        .env("UEC_DOS_URL", &at.dos)
        .env("UEC_SDS_URL", &at.sds)
        .env("UEC_SSP_URL", &at.ssp)
        .env("UEC_CONSUMER_JOURNAL", journal)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

/// Proves: CONS-DOS-01, CONS-DOS-02, CONS-SDS-01, CONS-SLOT-10, CONS-BOOK-01, CONS-CAN-01
/// Each example does what it says.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_runs() {
    let (address, _store) = journey_support::provider().await;
    let listeners = Listeners::bind("127.0.0.1", &Ports::FREE).await.unwrap();
    let setup = Setup {
        provider: Some(format!("http://{address}")),
        ..Setup::default()
    };
    let sandbox = Sandbox::start(listeners, setup).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    let done = tokio::task::spawn_blocking(move || {
        let examples = ["discover", "slots", "book", "cancel"];
        let out = examples.map(|name| run(name, &sandbox, &journal));
        drop(sandbox);
        out
    });
    let [discover, slots, book, cancel] = done.await.unwrap();
    assert_contains(&discover, &["2000000011: ", " free)"]);
    assert_contains(&slots, &["free slots", "In person"]);
    assert_contains(&book, &["booked ", "https://"]);
    assert!(cancel.contains("The appointment is cancelled."), "{cancel}");
}
