//! The national services for the Python consumer: of the demo, and in front of the simulated Provider.

use super::super::support::operations::{Demo, command};
use assurance::evidence::{Run, read};
use std::path::{Path, PathBuf};
use testkit::Running;

/// ASID of the consumer in all runs.
pub const FROM_ASID: &str = "918999000099";

/// Where the consumer finds a demo: our Provider behind the sandbox.
pub fn way_to(demo: &Demo) -> Vec<String> {
    let [ssp, dos, sds] = [2, 3, 4].map(|n| format!("127.0.0.1:{}", demo.port + n));
    way([
        ("--ssp", format!("http://{ssp}")),
        ("--dos", format!("http://{dos}")),
        ("--sds", format!("ldap://{sds}")),
        ("--from-asid", FROM_ASID.to_owned()),
    ])
}

/// A running `uec assure consumer --national`.
pub struct Simulated {
    running: Running,
    out: PathBuf,
}

impl Simulated {
    /// Starts it with the evidence going to this folder.
    pub fn start(out: &Path) -> Simulated {
        let mut simulator = command(format!(
            "assure consumer --listen 127.0.0.1:0 --national --from-asid {FROM_ASID} --replace --out"
        ));
        simulator.arg(out).env("RUST_LOG", "error");
        Simulated {
            running: Running::start(&mut simulator, "Stop with Ctrl-C"),
            out: out.to_owned(),
        }
    }

    /// Where the consumer finds it, taken from what it prints, as a person would. The root is for the mistake of not asking
    /// SDS.
    pub fn way(&self) -> Vec<String> {
        let settings = [
            ("--ssp", "SSP"),
            ("--dos", "DoS"),
            ("--sds", "SDS"),
            ("--from-asid", "Consumer ASID"),
            ("--direct", "Root"),
        ];
        way(settings.map(|(flag, name)| (flag, self.running.told(name))))
    }

    /// Ends it as Ctrl-C does, and reads the evidence that it writes.
    pub fn finish(self) -> Run {
        self.running.stop();
        read(&self.out).unwrap().runs.remove(0)
    }
}

/// Options and their values as arguments.
fn way<const N: usize>(settings: [(&str, String); N]) -> Vec<String> {
    let pairs = settings.map(|(flag, value)| [flag.to_owned(), value]);
    pairs.into_iter().flatten().collect()
}
