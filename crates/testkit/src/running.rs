//! A program that runs beside a test.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use crate::process::signal;
use crate::{Ended, PATIENCE};

/// A program that runs beside a test. It is killed with this value, also when the test fails, and its standard input stays
/// open for as long.
pub struct Running {
    child: Child,
    lines: Mutex<Receiver<Line>>,
    stdout: String,
    stderr: String,
}

/// A line of standard output, or of standard error.
enum Line {
    Printed(String),
    Noted(String),
}

impl Running {
    /// Starts it, and waits until it has said these words on a line of standard output or standard error.
    #[track_caller]
    pub fn start(command: &mut Command, ready: &str) -> Running {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{command:?} does not start: {error}"),
        };
        let (to, lines) = channel();
        read(child.stdout.take(), to.clone(), Line::Printed);
        read(child.stderr.take(), to, Line::Noted);
        let mut running = Running {
            child,
            lines: Mutex::new(lines),
            stdout: String::new(),
            stderr: String::new(),
        };
        while !running.said().contains(ready) {
            let is_there = running.next();
            assert!(is_there, "{ready:?} was not said:\n{}", running.said());
        }
        running
    }

    /// Takes the next line that it says; false at its end.
    fn next(&mut self) -> bool {
        let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (text, line) = match lines.recv_timeout(PATIENCE) {
            Ok(Line::Printed(line)) => (&mut self.stdout, line),
            Ok(Line::Noted(line)) => (&mut self.stderr, line),
            Err(_) => return false,
        };
        text.push_str(&line);
        text.push('\n');
        true
    }

    /// What it had said when it was ready.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// What stands behind a name at the beginning of a line, such as `DoS  http://127.0.0.1:8003`.
    #[track_caller]
    pub fn told(&self, name: &str) -> String {
        let said = self.said();
        let mut values = said.lines().filter_map(|line| {
            let value = line.trim_start().strip_prefix(name)?;
            value
                .starts_with([' ', ':'])
                .then(|| value.trim_start_matches(':').trim())
        });
        let value = values.next();
        value
            .unwrap_or_else(|| panic!("no {name} in\n{said}"))
            .to_owned()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as a user or a service manager does, and waits until it has.
    pub fn stop(self) -> Ended {
        signal(self.id(), "TERM");
        self.end()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        while self.next() {}
        let code = match self.child.wait() {
            Ok(status) => status.code().unwrap_or(-1),
            Err(error) => panic!("its end is not known: {error}"),
        };
        let (stdout, stderr) = (
            std::mem::take(&mut self.stdout),
            std::mem::take(&mut self.stderr),
        );
        Ended::new("what ran beside", code, stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end, so that the program never waits for a reader.
fn read(stream: Option<impl Read + Send + 'static>, to: Sender<Line>, line_of: fn(String) -> Line) {
    let lines = stream.into_iter().flat_map(|s| BufReader::new(s).lines());
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // A test that has ended reads nothing more.
            let _ = to.send(line_of(line));
        }
    });
}
