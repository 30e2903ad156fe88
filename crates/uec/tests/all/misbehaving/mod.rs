//! The real `uec consumer` against `counterpart.py`, a provider that misbehaves as a test tells it, over the sandbox's
//! DoS, SDS and SSP.

use sandbox::{Listeners, Ports, Sandbox, Setup};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
pub use testkit::Ended;
use testkit::{Arguments, words};

/// The service that the sandbox's world has at the counterpart.
pub const SERVICE: &str = "2000000011";
/// NHS number of the patient in `ada.toml`.
pub const ADA: &str = "9990123454";

const PATIENT: &str = r#"
description = "Sore throat and fever"
[patient]
gender = "female"
birth_date = "1984-06-21"
name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "LS99 9ZZ" }
telecom = [{ value = "01632 960123", use = "home", rank = 1 }]
"#;

/// A rule: the request is served, and its answer is a fault that names no place.
pub fn faulty(interaction: &str) -> Value {
    json!({ "on": interaction, "status": 500, "body": "", "headers": { "Location": null } })
}

/// Sends a signal to a command that runs.
#[track_caller]
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid])
        .status();
    assert!(sent.unwrap().success());
}

/// The appointment that a command says it has booked.
#[track_caller]
pub fn booked(done: &Ended) -> &str {
    let id = done.json["booked"]["appointment"].as_str();
    id.unwrap_or_else(|| panic!("nothing was booked: {done}"))
}

/// Everything that a command of the Consumer talks to, and a folder that it works in.
pub struct World {
    counterpart: Child,
    address: String,
    sandbox: Sandbox,
    folder: tempfile::TempDir,
    journals: std::cell::Cell<u32>,
    /// By which the counterpart misbehaves at present, for the messages of failed tests.
    rules: std::cell::RefCell<Value>,
    _runtime: tokio::runtime::Runtime,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.counterpart.kill();
        let _ = self.counterpart.wait();
    }
}

impl World {
    pub fn start() -> World {
        let script =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/all/misbehaving/counterpart.py");
        let mut counterpart = Command::new("python3")
            .arg("-B")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("python3 is needed: {e}"));
        let mut address = String::new();
        BufReader::new(counterpart.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        let address = address.trim().to_owned();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sandbox = runtime.block_on(async {
            let listeners = Listeners::bind("127.0.0.1", &Ports::FREE).await.unwrap();
            let setup = Setup {
                provider: Some(address.clone()),
                ..Setup::default()
            };
            Sandbox::start(listeners, setup).await.unwrap()
        });
        let folder = tempfile::tempdir().unwrap();
        let numbered = PATIENT.replace("[patient]", &format!("[patient]\nnhs_number = \"{ADA}\""));
        std::fs::write(folder.path().join("ada.toml"), numbered).unwrap();
        std::fs::write(folder.path().join("nameless.toml"), PATIENT).unwrap();
        World {
            counterpart,
            address,
            sandbox,
            folder,
            journals: std::cell::Cell::new(0),
            rules: std::cell::RefCell::new(Value::Null),
            _runtime: runtime,
        }
    }

    /// Everything new: the counterpart and the journal.
    pub fn reset(&self) {
        self.journals.set(self.journals.get() + 1);
        self.control("/control/reset", &Value::Null);
        self.rules.replace(Value::Null);
    }

    pub fn journal(&self) -> PathBuf {
        self.folder
            .path()
            .join(format!("journal-{}.sqlite", self.journals.get()))
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
        let host = self.address.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    fn command(&self, arguments: impl Arguments) -> Command {
        let at = self.sandbox.addresses();
        let mut command = Command::new(env!("CARGO_BIN_EXE_uec"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("UEC_DOS_URL", &at.dos)
            .env("UEC_SDS_URL", &at.sds)
            .env("UEC_SSP_URL", &at.ssp)
            .env("UEC_CONSUMER_JOURNAL", self.journal())
            .arg("consumer")
            .args(arguments.words())
            .stdin(Stdio::null());
        command
    }

    /// Puts a file into the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Runs a command at a terminal, where its questions are answered in this order.
    pub fn at_terminal(&self, arguments: impl Arguments, answers: &[(&str, &str)]) -> Ended {
        let words: Vec<&str> = answers.iter().flat_map(|(q, a)| [*q, *a]).collect();
        Ended::run(&mut self.through("terminal.py", &words, arguments))
    }

    /// A command that is started by a script beside this file.
    fn through(&self, script: &str, words: &[&str], arguments: impl Arguments) -> Command {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/all/misbehaving");
        let inner = self.command(arguments);
        let mut command = Command::new("python3");
        command.arg("-B").arg(folder.join(script)).args(words);
        command
            .arg("--")
            .arg(inner.get_program())
            .args(inner.get_args());
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(
                inner
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null());
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

    /// Starts a command, waits until the counterpart holds its request, and kills it as `kill -9` does.
    pub fn kill_when_held(&self, arguments: impl Arguments) {
        let arguments = arguments.words();
        let mut child = self
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let held = self.control("/control/held", &Value::Null);
        assert_eq!(held["held"], true, "{arguments:?} was never held");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn release(&self) {
        self.control("/control/release", &Value::Null);
    }

    /// Books for Ada, and returns the appointment's id.
    pub fn booked(&self, patient: &str) -> String {
        let done = self.json(format!(
            "book --service {SERVICE} --first --patient {patient}"
        ));
        assert_eq!(done.code, 0, "{done:?}");
        done.json["booked"]["appointment"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}
