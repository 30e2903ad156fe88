//! Standard output and standard error: the only place in the program that writes to them.
//!
//! No write here can panic, and none that fails goes unnoticed. A command that prints data and cannot write all of it
//! ends with exit code 1 and says why. A command that changed something ends with 3 and repeats on standard error what it
//! could not print, so that nobody takes a booking that stands for one that failed. A reader that went away (`| head`) is not
//! a fault: the rest is not written, and the exit code is that of the command. A server never stops for its output.

use booking::foreign::{json_text, visible_lines};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Most of the unwritten text that is repeated on standard error, bytes: the longest report of a change is far shorter.
const MOST_REPEATED: usize = 64 << 10;

/// What became of standard output so far.
#[derive(Default)]
struct Stdout {
    /// Something was written.
    written: bool,
    /// Why no more can be written.
    failed: Option<io::Error>,
    /// What could not be written, up to [`MOST_REPEATED`].
    unwritten: String,
}

static STDOUT: Mutex<Stdout> = Mutex::new(Stdout {
    written: false,
    failed: None,
    unwritten: String::new(),
});

/// Prints results to standard output. What of them came from outside cannot steer a terminal ([`booking::foreign`]).
pub fn print(text: &str) {
    print_exactly(&visible_lines(text));
}

/// Prints JSON to standard output: exactly what it says, in a spelling that cannot steer a terminal.
pub fn print_json(text: &str) {
    print_exactly(&json_text(text));
}

/// Prints a value as JSON that a person can read, too.
pub fn print_value(value: &serde_json::Value) {
    print_json(&format!("{value:#}\n"));
}

/// Prints data for a program to standard output, as it is. What fails is kept for [`unwritten`]; nothing is tried after
/// it, so that no line is missing in the middle.
pub fn print_exactly(text: &str) {
    let mut out = STDOUT.lock().unwrap_or_else(PoisonError::into_inner);
    if out.failed.is_none() {
        match write(io::stdout(), text) {
            Ok(()) => out.written |= !text.is_empty(),
            Err(error) => out.failed = Some(error),
        }
    }
    if out.failed.is_some() {
        let room = MOST_REPEATED.saturating_sub(out.unwritten.len());
        let end = text.floor_char_boundary(room.min(text.len()));
        out.unwritten.push_str(&text[..end]);
    }
}

/// Prints a line of a server to standard output. When that fails, the server goes on: its log says the same.
pub fn announce(text: &str) {
    let _ = write(io::stdout(), &visible_lines(text));
}

/// Prints progress, questions and reasons to standard error. When that fails there is nobody left to tell.
pub fn note(text: &str) {
    let _ = write(io::stderr(), &visible_lines(text));
}

/// Steers the terminal of standard error, or styles what is ours: nothing of it came from outside.
pub fn steer(text: &str) {
    let _ = write(io::stderr(), text);
}

/// True when a person at a terminal sees what [`note`] prints.
pub fn notes_are_seen() -> bool {
    io::stderr().is_terminal()
}

/// True when standard output is a terminal that may be given colours.
pub fn is_coloured(on_stdout: bool) -> bool {
    let terminal = match on_stdout {
        true => io::stdout().is_terminal(),
        false => io::stderr().is_terminal(),
    };
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// Why the output of a command is not complete.
pub struct Unwritten {
    /// What the operating system said.
    pub error: io::Error,
    /// The text that is missing, or its beginning.
    pub text: String,
    /// The reader went away. That is no fault.
    pub reader_left: bool,
    /// Nothing at all reached standard output.
    pub is_all: bool,
}

/// True when something was printed to standard output, or could not be.
pub fn has_written() -> bool {
    let out = STDOUT.lock().unwrap_or_else(PoisonError::into_inner);
    out.written || out.failed.is_some()
}

/// What could not be printed until now, if anything.
pub fn unwritten() -> Option<Unwritten> {
    let mut out = STDOUT.lock().unwrap_or_else(PoisonError::into_inner);
    let error = out.failed.take()?;
    Some(Unwritten {
        reader_left: error.kind() == ErrorKind::BrokenPipe,
        error,
        text: std::mem::take(&mut out.unwritten),
        is_all: !out.written,
    })
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
