//! The national services for the Python consumer: of the demo, and in front of the simulated Provider.

use super::super::support::demo::Demo;
use super::super::support::operations::command;
use assurance::evidence::{Run, read};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// ASID of the consumer in all runs.
pub const FROM_ASID: &str = "918999000099";

/// Where the consumer finds the services of a demo.
pub fn way_of(demo: &Demo) -> Vec<String> {
    way(demo.port + 2, demo.port + 3, demo.port + 4)
}

/// A running `uec assure consumer --national`.
pub struct Simulated {
    process: Child,
    out: PathBuf,
    root: String,
    way: Vec<String>,
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Simulated {
    /// Starts it with the evidence going to this folder. Settings are taken from what it prints, as a person would.
    pub fn start(out: &Path) -> Simulated {
        let mut process = command(format!(
            "assure consumer --listen 127.0.0.1:0 --national --from-asid \
             {FROM_ASID} --replace --out"
        ))
        .arg(out)
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let stderr = process.stderr.take().unwrap();
        let (send, lines) = mpsc::channel();
        // Its progress is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut told = HashMap::new();
        loop {
            let line = lines
                .recv_timeout(testkit::PATIENCE)
                .expect("the simulator says where it is");
            if line.starts_with("Stop with Ctrl-C") {
                break;
            }
            if let Some((name, value)) = line.trim().split_once("  ") {
                told.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        let of = |name: &str| told.get(name).cloned().unwrap_or_default();
        let settings = [
            ("--ssp", "SSP"),
            ("--dos", "DoS"),
            ("--sds", "SDS"),
            ("--from-asid", "Consumer ASID"),
        ];
        let pairs = settings.map(|(flag, name)| [flag.to_owned(), of(name)]);
        Simulated {
            process,
            out: out.to_owned(),
            root: of("Root"),
            way: pairs.into_iter().flatten().collect(),
        }
    }

    /// Where the consumer finds it. The root is for the mistake of not asking SDS.
    pub fn way(&self) -> Vec<String> {
        let mut way = self.way.clone();
        way.extend(["--direct".to_owned(), self.root.clone()]);
        way
    }

    /// Ends it as Ctrl-C does, and reads the evidence that it writes.
    pub fn finish(mut self) -> Run {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.is_ok_and(|s| s.success()), "the signal is sent");
        self.process.wait().unwrap();
        read(&self.out).unwrap().runs.remove(0)
    }
}

/// What the consumer is told of SSP, DoS and SDS on these ports.
fn way(ssp: u16, dos: u16, sds: u16) -> Vec<String> {
    let settings = [
        ("--ssp", format!("http://127.0.0.1:{ssp}")),
        ("--dos", format!("http://127.0.0.1:{dos}")),
        ("--sds", format!("ldap://127.0.0.1:{sds}")),
        ("--from-asid", FROM_ASID.to_owned()),
    ];
    let pairs = settings
        .into_iter()
        .map(|(name, value)| [name.to_owned(), value]);
    pairs.flatten().collect()
}
