//! Questions on standard output, answers from standard input: a terminal or a pipe.

use crate::{Failure, print};
use std::io::{BufRead, Read};

/// Longest line read, bytes: more than any field takes.
const LINE: u64 = 64 * 1024;
/// What can be said at every question.
const ALWAYS: &str = "skip: leave it open.  quit: end; everything is kept.";

/// Why a question was not answered.
pub enum Left {
    /// It is left open.
    Skipped,
    /// The run ends.
    Quit,
    /// What was said before could not be kept.
    Failed(Failure),
}

impl From<Failure> for Left {
    fn from(failure: Failure) -> Left {
        Left::Failed(failure)
    }
}

/// Asks, and gives the answer: the default for Enter alone, or nothing. `?` shows the help and asks again; the end of the
/// input is `quit`.
pub fn ask(question: &str, default: Option<&str>, help: &str) -> Result<String, Left> {
    loop {
        match default {
            Some(default) => print(&format!("{question} [{default}]> ")),
            None => print(&format!("{question}> ")),
        }
        let Some(line) = line() else {
            print("\n");
            return Err(Left::Quit);
        };
        match line.trim() {
            "?" => print(&format!("  {help}\n  {ALWAYS}\n")),
            "" => return Ok(default.unwrap_or_default().to_owned()),
            "skip" => return Err(Left::Skipped),
            "quit" | "exit" => return Err(Left::Quit),
            text => return Ok(text.to_owned()),
        }
    }
}

/// The next line; none at the end of the input, which an unreadable one is too. Of a line that is too long the beginning.
fn line() -> Option<String> {
    let mut input = std::io::stdin().lock();
    let mut bytes = Vec::new();
    let mut read = || {
        bytes.clear();
        let read = input.by_ref().take(LINE).read_until(b'\n', &mut bytes).ok();
        read.filter(|n| *n > 0)
            .map(|n| (bytes.clone(), n as u64 == LINE && !bytes.ends_with(b"\n")))
    };
    let (first, mut goes_on) = read()?;
    while goes_on {
        goes_on = read().is_some_and(|(_, goes_on)| goes_on);
    }
    let text = String::from_utf8_lossy(&first);
    Some(text.chars().filter(|c| !c.is_control()).collect())
}
