//! A demonstration to do steps against, and a person at the questions of `uec assure plan run`.

use super::support::operations::{self, Demo, command};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use testkit::Ended;

/// The service that is booked.
pub const GP_CLINIC: &str = "2000000011";
/// A service without free slots.
pub const NO_SLOTS: &str = "2000000014";

/// Runs `uec assure plan …`.
#[track_caller]
pub fn plan(line: &str) -> Ended {
    operations::uec(format!("assure plan {line}"))
}

/// One that succeeds: what it printed.
#[track_caller]
pub fn text(line: &str) -> String {
    plan(line).with(0).stdout
}

/// The same, as JSON.
#[track_caller]
pub fn json(line: &str) -> Value {
    plan(line).with(0).json
}

/// One that ends with this code, and notes this.
#[track_caller]
pub fn fails(code: i32, line: &str, why: &[&str]) {
    plan(line).with(code).notes(why);
}

/// The settings of a demo's consumer.
pub fn settings(demo: &Demo) -> String {
    demo.file("consumer.toml").display().to_string()
}

/// Runs a command of a demo's consumer, which succeeds.
#[track_caller]
fn consumer(demo: &Demo, line: &str) -> Command {
    command(format!("consumer --config '{}' {line}", settings(demo)))
}

/// How many appointments stand that were booked from a demo's consumer.
#[track_caller]
pub fn booked(demo: &Demo) -> usize {
    let listed = Ended::run(&mut consumer(demo, "show --json")).with(0).json;
    listed["bookings"].as_array().unwrap().len()
}

/// Cancels an appointment so that our journal knows nothing of it, as the service itself does.
#[track_caller]
pub fn cancel_elsewhere(demo: &Demo, id: &str) {
    let mut cancel = consumer(demo, &format!("cancel {id} --service {GP_CLINIC} --yes"));
    cancel.env("UEC_CONSUMER_JOURNAL", demo.file("elsewhere.sqlite"));
    Ended::run(&mut cancel).with(0).says(&["cancelled"]);
}

/// A person at the questions.
pub struct Dialogue {
    process: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    said: String,
    /// How far the output was looked at.
    at: usize,
}

impl Dialogue {
    pub fn start(line: &str) -> Dialogue {
        let mut process = command(format!("assure plan {line}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = process.stdout.take().unwrap();
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n) = stdout.read(&mut piece) {
                if n == 0
                    || send
                        .send(String::from_utf8_lossy(&piece[..n]).into_owned())
                        .is_err()
                {
                    break;
                }
            }
        });
        Dialogue {
            input: process.stdin.take(),
            process,
            output,
            said: String::new(),
            at: 0,
        }
    }

    /// Waits for words; returns what was printed up to and with them.
    #[track_caller]
    pub fn until(&mut self, words: &str) -> String {
        let end = Instant::now() + testkit::PATIENCE;
        loop {
            if let Some(found) = self.said[self.at..].find(words) {
                let to = self.at + found + words.len();
                let text = self.said[self.at..to].to_owned();
                self.at = to;
                return text;
            }
            match self
                .output
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(piece) => self.said.push_str(&piece),
                Err(_) => panic!("{words:?} was not printed after\n{}", &self.said[self.at..]),
            }
        }
    }

    /// Waits for a question and its prompt, and answers.
    #[track_caller]
    pub fn answer(&mut self, question: &str, answer: &str) {
        self.until(question);
        if !question.ends_with("> ") {
            self.until("> ");
        }
        self.say(answer);
    }

    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    pub fn end_of_input(&mut self) {
        self.input = None;
    }

    /// As a lost session or a power cut does.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for the end; all that was printed.
    #[track_caller]
    pub fn ends(self, code: i32) -> String {
        let (said, reason) = self.ends_with(code);
        assert!(code != 0 || reason.is_empty(), "{reason}");
        said
    }

    #[track_caller]
    pub fn ends_with(mut self, code: i32) -> (String, String) {
        self.input = None;
        while let Ok(piece) = self.output.recv_timeout(testkit::PATIENCE) {
            self.said.push_str(&piece);
        }
        let mut reason = String::new();
        self.process
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut reason)
            .unwrap();
        assert_eq!(
            self.process.wait().unwrap().code(),
            Some(code),
            "{}{reason}",
            self.said
        );
        (self.said, reason)
    }
}
