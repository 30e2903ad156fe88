//! Runs `consumer.py`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Python, and the consumer written in it.
#[derive(Clone)]
pub struct Python {
    script: PathBuf,
}

impl Python {
    /// None where there is no Python; says so.
    pub fn found() -> Option<Python> {
        if !testkit::has("python3") {
            return None;
        }
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/all/wrong/consumer.py");
        Some(Python { script })
    }

    /// `-B`: no compiled files are left beside the sources.
    fn run(&self, arguments: &[String]) -> Output {
        let mut command = Command::new("python3");
        command.arg("-B").arg(&self.script).args(arguments);
        command.output().expect("python3 starts")
    }

    /// The names of all mistakes.
    pub fn mistakes(&self) -> BTreeSet<String> {
        let output = self.run(&["--faults".to_owned()]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Walks these services, and says what was done. A consumer that makes no mistake must end well.
    #[track_caller]
    pub fn walk(&self, way: &[String], walk: &str, fault: Option<&str>) -> String {
        let mut arguments = way.to_vec();
        arguments.extend(["--walk".to_owned(), walk.to_owned()]);
        if let Some(fault) = fault {
            arguments.extend(["--fault".to_owned(), fault.to_owned()]);
        }
        let output = self.run(&arguments);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaint.is_empty() || fault.is_some(),
            "{told}\n{complaint}"
        );
        assert!(!complaint.contains("Traceback"), "{told}\n{complaint}");
        told
    }
}
