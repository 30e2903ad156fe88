//! A demonstration to do steps against, and a person at the questions of `uec assure plan run`.

pub use super::support::demo::Demo;
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// The service that is booked.
pub const GP_CLINIC: &str = "2000000011";
/// A service without free slots.
pub const NO_SLOTS: &str = "2000000014";
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uec"));
    command
        .env_remove("UEC_CONSUMER_CONFIG")
        .env_remove("UEC_CONSUMER_JOURNAL");
    command
}

/// The words of a command line; a word in single quotes may hold spaces.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split('\'').enumerate().flat_map(|(n, part)| {
        let plain = part.split_whitespace().filter(move |_| n % 2 == 0);
        let quoted = (n % 2 == 1).then_some(part);
        plain.chain(quoted)
    })
}

/// `uec assure plan …`.
fn plan(line: &str) -> Command {
    let mut command = program();
    command.args(["assure", "plan"]).args(words(line));
    command
}

/// Runs `uec assure plan …`: exit code, output, reason.
pub fn uec(line: &str) -> (i32, String, String) {
    let out = plan(line).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        out.status.code().unwrap_or(-1),
        text(&out.stdout),
        text(&out.stderr),
    )
}

/// One that succeeds.
#[track_caller]
pub fn text(line: &str) -> String {
    let (code, said, reason) = uec(line);
    assert_eq!(code, 0, "{line}: {said}{reason}");
    said
}

/// The same, as JSON.
#[track_caller]
pub fn json(line: &str) -> Value {
    serde_json::from_str(&text(line)).unwrap()
}

/// One that ends with this code, and says this.
#[track_caller]
pub fn fails(code: i32, line: &str, why: &[&str]) {
    let (found, said, reason) = uec(line);
    assert_eq!(found, code, "{line}: {said}{reason}");
    for why in why {
        assert!(reason.contains(why), "{line}: {why}: {reason}");
    }
}

impl Demo {
    /// The settings of its consumer.
    pub fn settings(&self) -> String {
        self.file("consumer.toml").display().to_string()
    }

    fn consumer(&self, journal: Option<&str>, arguments: &[&str]) -> String {
        let mut command = program();
        if let Some(journal) = journal {
            command.env("UEC_CONSUMER_JOURNAL", self.file(journal));
        }
        let out = command
            .args(["consumer", "--config", &self.settings()])
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{arguments:?}: {error}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// How many appointments stand that were booked from here.
    pub fn booked(&self) -> usize {
        let listed: Value =
            serde_json::from_str(&self.consumer(None, &["show", "--json"])).unwrap();
        listed["bookings"].as_array().unwrap().len()
    }

    /// Cancels an appointment so that our journal knows nothing of it, as the service itself does.
    pub fn cancel_elsewhere(&self, id: &str) {
        let said = self.consumer(
            Some("elsewhere.sqlite"),
            &["cancel", id, "--service", GP_CLINIC, "--yes"],
        );
        assert!(said.contains("cancelled"), "{said}");
    }
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
        let mut process = plan(line)
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
