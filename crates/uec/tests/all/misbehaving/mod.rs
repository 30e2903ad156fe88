//! The real `uec consumer` against `counterpart.py`, a provider that misbehaves as a test tells it, over the sandbox's
//! DoS, SDS and SSP.

use super::support::http::Call;
use super::support::nation::Nation;
use super::support::operations::{python, send, written};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
pub use testkit::Ended;
use testkit::{Arguments, Running, words};

/// The service that the sandbox's world has at the counterpart.
pub const SERVICE: &str = "2000000011";

/// A rule: the request is served, and its answer is a fault that names no place.
pub fn faulty(interaction: &str) -> Value {
    json!({ "on": interaction, "status": 500, "body": "", "headers": { "Location": null } })
}

/// A rule: a booking is not made, and refused with this status, and with an OperationOutcome of this code and these words.
pub fn refused(status: u16, code: &str, words: &str) -> Value {
    json!({ "on": "create", "times": 0, "store": false, "status": status, "headers": { "Location": null },
            "outcome": [code, words] })
}

/// Sends a signal to a command that runs.
#[track_caller]
pub fn signal(child: &Child, name: &str) {
    assert!(testkit::process::signal(child.id(), name));
}

/// The appointment that a command says it has booked.
#[track_caller]
pub fn booked(done: &Ended) -> &str {
    let id = done.json["booked"]["appointment"].as_str();
    id.unwrap_or_else(|| panic!("nothing was booked: {done}"))
}

/// Everything that a command of the Consumer talks to, and a folder that it works in.
pub struct World {
    _counterpart: Running,
    address: SocketAddr,
    nation: Nation,
    journals: std::cell::Cell<u32>,
    /// By which the counterpart misbehaves at present, for the messages of failed tests.
    rules: std::cell::RefCell<Value>,
}

impl World {
    pub fn start() -> World {
        let counterpart = Running::start(&mut python("misbehaving/counterpart.py"), "http");
        let address = counterpart.said().trim().to_owned();
        World {
            nation: Nation::of(&address),
            address: address["http://".len()..].parse().expect("an address"),
            _counterpart: counterpart,
            journals: std::cell::Cell::new(0),
            rules: std::cell::RefCell::new(Value::Null),
        }
    }

    /// Everything new: the counterpart and the journal.
    pub fn reset(&self) {
        self.journals.set(self.journals.get() + 1);
        self.control("/control/reset", &Value::Null);
        self.rules.replace(Value::Null);
    }

    pub fn journal(&self) -> PathBuf {
        let name = format!("journal-{}.sqlite", self.journals.get());
        self.nation.folder.path().join(name)
    }

    /// Sets the rules by which the counterpart misbehaves.
    pub fn rules(&self, rules: Value) {
        self.control("/control", &rules);
        self.rules.replace(rules);
    }

    pub fn state(&self) -> Value {
        self.control("/control/state", &Value::Null)
    }

    /// Ids of the live bookings that were made by the Consumer.
    pub fn live(&self) -> Vec<String> {
        let state = self.state();
        let live = state["live"].as_array().unwrap().iter();
        live.map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// How many requests of an interaction came.
    pub fn count(&self, interaction: &str) -> usize {
        let state = self.state();
        let seen = state["seen"].as_array().unwrap().iter();
        seen.filter(|s| s["interaction"] == interaction).count()
    }

    /// Tells or asks the counterpart.
    pub fn control(&self, path: &str, told: &Value) -> Value {
        let body = match told {
            Value::Null => String::new(),
            told => told.to_string(),
        };
        let call = Call::new(self.address, "POST", path).with("Connection", "close");
        let answer = send(self.address, &call.body(body).bytes());
        answer.expect("an answer").json()
    }

    fn command(&self, arguments: impl Arguments) -> Command {
        let mut command = self.nation.command(arguments);
        command.env("UEC_CONSUMER_JOURNAL", self.journal());
        command.stdin(Stdio::null());
        command
    }

    /// Puts a file into the folder.
    pub fn write(&self, name: &str, text: &str) {
        written(self.nation.folder.path(), name, text);
    }

    /// Runs a command at a terminal, where its questions are answered in this order.
    pub fn at_terminal(&self, arguments: impl Arguments, answers: &[(&str, &str)]) -> Ended {
        let words: Vec<&str> = answers.iter().flat_map(|(q, a)| [*q, *a]).collect();
        Ended::run(&mut self.through("terminal.py", &words, arguments))
    }

    /// A command that is started by a script beside this file.
    fn through(&self, script: &str, words: &[&str], arguments: impl Arguments) -> Command {
        let inner = self.command(arguments);
        let mut command = python(&format!("misbehaving/{script}"));
        command.args(words).arg("--").arg(inner.get_program());
        command.args(inner.get_args());
        let settings = inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        command
            .current_dir(self.nation.folder.path())
            .env_clear()
            .envs(settings);
        command.stdin(Stdio::null());
        command
    }

    /// Starts a command that goes on beside the test, with what a shell may leave it (`started.py`).
    pub fn start_as(&self, how: &[&str], arguments: impl Arguments) -> Child {
        self.through("started.py", how, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub fn run(&self, arguments: impl Arguments) -> Ended {
        Ended::run(&mut self.command(arguments))
    }

    /// The same with `--json`; the document is in `json`.
    pub fn json(&self, arguments: impl Arguments) -> Ended {
        self.run([arguments.words(), words("--json")].concat())
    }

    /// Kills a command, as `kill -9` does, when its request of this interaction is held before or after it is served.
    #[track_caller]
    pub fn kill_at(&self, command: &str, interaction: &str, hold: &str) {
        self.rules(json!([{ "on": interaction, "hold": hold }]));
        self.kill_when_held(command);
    }

    /// Fails unless this is the one live booking, and the one that the Consumer knows of.
    #[track_caller]
    pub fn stands_alone(&self, appointment: &str) {
        assert_eq!(self.live(), [appointment]);
        let listed = self.json("show");
        let known = listed.json["bookings"].as_array().unwrap().iter();
        let known: Vec<_> = known.map(|b| (&b["appointment"], &b["state"])).collect();
        assert_eq!(known, [(&json!(appointment), &json!("booked"))], "{listed}");
    }

    /// Runs a command with `--json` that has to end with this exit code and outcome.
    #[track_caller]
    pub fn ends(&self, arguments: impl Arguments, code: i32, outcome: &str) -> Ended {
        let done = self.json(arguments);
        let rules = self.rules.borrow();
        let found = (done.code, &done.json["outcome"]);
        assert_eq!(found, (code, &outcome.into()), "{done}\nunder {rules}");
        drop(rules);
        done
    }

    /// Starts a command that goes on beside the test.
    pub fn start_command(&self, arguments: impl Arguments) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits for its end.
    pub fn end(child: Child) -> Ended {
        Ended::wait("what was started", child)
    }

    /// Waits until the counterpart holds a request.
    #[track_caller]
    pub fn held(&self) {
        let held = self.control("/control/held", &Value::Null);
        assert_eq!(held["held"], true, "no request was ever held");
    }

    /// Starts a command, waits until the counterpart holds its request, and kills it as `kill -9` does.
    #[track_caller]
    pub fn kill_when_held(&self, arguments: impl Arguments) {
        let mut child = self.start_command(arguments);
        self.held();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn release(&self) {
        self.control("/control/release", &Value::Null);
    }

    /// Books for this patient, and returns the appointment's id.
    #[track_caller]
    pub fn booked(&self, patient: &str) -> String {
        let book = format!("book --service {SERVICE} --first --patient {patient}");
        booked(&self.json(book).with(0)).to_owned()
    }
}
