//! Output of the real programs, shortened.

use super::*;

fn read(reader: Reader, text: &str) -> Report {
    let (mut state, mut report) = (State::default(), Report::default());
    for line in text.lines() {
        reader(&mut state, &mut report, line);
    }
    report
}

fn failures(reader: Reader, text: &str) -> Vec<String> {
    let report = read(reader, text);
    report.failures.iter().map(Failure::to_string).collect()
}

#[test]
fn failing_tests_are_told_with_place_and_reason() {
    let text = "   Compiling provider v0.1.0 (here)
     Running unittests src/lib.rs (target/debug/deps/provider-1)

running 1 test
test store::a ... ok

test result: ok. 1 passed; 0 failed

     Running tests/store_failure.rs (target/debug/deps/store_failure-1)

running 3 tests
test crash ... FAILED
test returned ... FAILED
test sound ... ok

failures:

---- crash stdout ----
booked 17

thread 'crash' (17) panicked at crates/provider/tests/store_failure.rs:402:10:
called `Result::unwrap()` on an `Err` value: Busy
second line
note: run with `RUST_BACKTRACE=1`

thread 'other' (18) panicked at crates/provider/tests/store_failure.rs:1:1:
later

---- returned stdout ----
Error: \"no such file\"

failures:
    crash
    returned

test result: FAILED. 1 passed; 2 failed

error: test failed, to rerun pass `-p provider --test store_failure`
     Running tests/other.rs (target/debug/deps/other-1)
error: test failed, to rerun pass `-p provider --test other`

Caused by:
  process didn't exit successfully: `target/debug/deps/other-1` (signal: 6, SIGABRT: process abort signal)
   Doc-tests fhir
error: 2 targets failed:
    `-p provider --test store_failure`
";
    assert_eq!(
        failures(tests, text),
        [
            "crash: crates/provider/tests/store_failure.rs:402:10: called `Result::unwrap()` on an `Err` value: Busy",
            "returned: tests/store_failure.rs: \"no such file\"",
            "the program ended before its tests did: tests/other.rs: signal: 6, SIGABRT: process abort signal",
        ]
    );
}

#[test]
fn errors_of_the_compiler_are_told_with_their_place() {
    let text = "error[E0308]: mismatched types
   --> crates/fhir/src/lib.rs:1:2
    |
error: unused variable: `a`
  --> crates/fhir/src/xml.rs:3:4
  --> a second place of the same
error: could not compile `fhir` (lib) due to 2 previous errors
";
    let expected = [
        "crates/fhir/src/lib.rs:1:2: mismatched types",
        "crates/fhir/src/xml.rs:3:4: unused variable: `a`",
    ];
    assert_eq!(failures(compiler, text), expected);
    assert_eq!(failures(tests, text), expected);
}

#[test]
fn other_steps_are_read_too() {
    assert_eq!(
        failures(format, "Diff in src/a.rs:7:\n-a\n+b\n"),
        ["src/a.rs:7: is not formatted"]
    );
    assert_eq!(
        failures(
            fuzz,
            "FOUND in json (seed 1), saved as f/json-1:\n  it panicked\n  {}\n"
        ),
        ["json (seed 1): f/json-1: it panicked"]
    );
    let report = read(
        faults,
        "kill-provider  proved     2.0 s  kills 3
race           VIOLATED   1.0 s  attempts 7
                                  changes answered none
    slot 7 is booked twice
    slot 8 is booked twice
clock          FAILED     0.1 s  no such clock
full-disk      skipped    0.0 s  it needs to be root
nothing was tried on PostgreSQL: no initdb
",
    );
    let told: Vec<String> = report.failures.iter().map(Failure::to_string).collect();
    assert_eq!(
        told,
        ["race: slot 7 is booked twice", "clock: no such clock"]
    );
    assert_eq!(
        report.skips,
        [
            "full-disk: it needs to be root",
            "faults on PostgreSQL: no initdb"
        ]
    );
}

/// Both streams are passed on and read; a program that fails is named.
#[test]
fn a_program_is_read_to_its_end() {
    let mut report = Report::default();
    let mut command = Command::new("sh");
    command.args(["-c", "echo 'Diff in a:1:' >&2; echo +; exit 3"]);
    let outcome = run(&mut command, format, &mut report);
    assert!(outcome.unwrap_err().contains("3"));
    assert_eq!(report.failures[0].to_string(), "a:1: is not formatted");
}
