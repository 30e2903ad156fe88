//! Tools that a test needs and a machine may lack.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

/// Set by `.ci/run`, and by most services that run it: nothing may be missing there.
const CI: &str = "CI";
/// File to which `cargo xtask test` has skips written, so that its summary names them.
const SKIPS: &str = "UEC_TEST_SKIPS";

/// True where a program is installed. Where it is not, the test has to end: under CI it fails here, elsewhere the skip is
/// noted for the summary.
#[track_caller]
pub fn has(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        lacks(program);
    }
    there
}

/// True where nothing may be missing.
pub fn under_ci() -> bool {
    std::env::var_os(CI).is_some_and(|value| !value.is_empty())
}

/// Notes that this test is skipped for want of something; under CI the test fails instead.
#[track_caller]
pub fn lacks(what: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let place = std::panic::Location::caller();
    let line = format!("{test} ({}): {what} is missing", place.file());
    assert!(!under_ci(), "{line}; .ci/run has to install it");
    println!("skipped: {line}");
    if let Some(file) = std::env::var_os(SKIPS)
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file)
    {
        // One write, so that lines of several programs do not mix. That it cannot be noted is no reason to fail.
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
