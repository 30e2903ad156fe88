//! Runs `consumer.py`.

use super::super::support::operations::python;
use std::collections::BTreeSet;
use std::process::Command;
use testkit::{Ended, assert_lacks};

/// Python, and the consumer written in it.
#[derive(Clone)]
pub struct Python;

impl Python {
    /// None where there is no Python; says so.
    pub fn found() -> Option<Python> {
        testkit::has("python3").then_some(Python)
    }

    fn consumer(&self) -> Command {
        python("wrong/consumer.py")
    }

    /// The names of all mistakes.
    pub fn mistakes(&self) -> BTreeSet<String> {
        let listed = Ended::run(self.consumer().arg("--faults"));
        listed.stdout.lines().map(str::to_owned).collect()
    }

    /// Walks these services, and says what was done. A consumer that makes no mistake must end well.
    #[track_caller]
    pub fn walk(&self, way: &[String], walk: &str, fault: Option<&str>) -> String {
        let mut consumer = self.consumer();
        consumer.args(way).args(["--walk", walk]);
        if let Some(fault) = fault {
            consumer.args(["--fault", fault]);
        }
        let ended = Ended::run(&mut consumer);
        let is_well = ended.code == 0 && ended.stderr.is_empty();
        assert!(is_well || fault.is_some(), "{ended}");
        assert_lacks(&ended.stderr, &["Traceback"]);
        ended.stdout
    }
}
