//! The demonstration, started as a newcomer does: one command, on ports and in a folder of its own.

use super::operations::command;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc;

/// Consecutive ports that the demo needs: front page, Provider, SSP, DoS, SDS.
pub const PORTS: u16 = 5;

pub struct Demo {
    process: Child,
    /// The first of its ports.
    pub port: u16,
    /// What it printed.
    pub text: String,
    folder: tempfile::TempDir,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Demo {
    /// Starts it, and waits until it has told the whole tour.
    pub fn start(more: &[&str]) -> Demo {
        let folder = tempfile::tempdir().unwrap();
        let port = testkit::ports(PORTS);
        let mut process = command(format!("demo --port '{port}' --data"))
            .arg(folder.path().join("demo"))
            .args(more)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut text = String::new();
        while !text.contains("Stop with Ctrl-C") {
            let line = lines.recv_timeout(testkit::PATIENCE);
            text.push_str(&line.expect("the demo prints on"));
            text.push('\n');
        }
        Demo {
            process,
            port,
            text,
            folder,
        }
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }
}
