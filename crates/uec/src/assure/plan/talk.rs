//! Questions on standard output, answers from standard input: a terminal or a pipe.

use crate::print;
use std::io::{BufRead, Read};

/// Longest line read, bytes: more than any field takes.
const LINE: u64 = 64 * 1024;
/// What can be said at every question.
const ALWAYS: &str =
    "back: the question before.  skip: leave it open.  quit: end; everything is kept.";

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// An answer.
    Text(String),
    /// Enter alone.
    Nothing,
    /// Back to the question before.
    Back,
    /// Leave it open.
    Skip,
    /// End.
    Quit,
}

/// The person at the terminal.
pub struct Talk {
    input: Box<dyn BufRead>,
}

impl Talk {
    /// Standard input.
    pub fn new() -> Talk {
        Talk {
            input: Box::new(std::io::stdin().lock()),
        }
    }

    /// Asks. `?` shows the help and asks again; the end of the input is `quit`.
    pub fn ask(&mut self, question: &str, default: Option<&str>, help: &str) -> Said {
        loop {
            match default {
                Some(default) => print(&format!("{question} [{default}]> ")),
                None => print(&format!("{question}> ")),
            }
            let Some(line) = self.line() else {
                print("\n");
                return Said::Quit;
            };
            match line.trim() {
                "?" => print(&format!("  {help}\n  {ALWAYS}\n")),
                "" => return Said::Nothing,
                "back" => return Said::Back,
                "skip" => return Said::Skip,
                "quit" | "exit" => return Said::Quit,
                text => return Said::Text(text.to_owned()),
            }
        }
    }

    /// The next line; none at the end of the input, which an unreadable one is too.
    fn line(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let read = self
            .input
            .by_ref()
            .take(LINE)
            .read_until(b'\n', &mut bytes)
            .ok()?;
        if read as u64 == LINE && bytes.last() != Some(&b'\n') {
            // The rest of a line without end is thrown away in pieces.
            let mut rest = Vec::new();
            while self
                .input
                .by_ref()
                .take(LINE)
                .read_until(b'\n', &mut rest)
                .ok()?
                > 0
                && rest.last() != Some(&b'\n')
            {
                rest.clear();
            }
        }
        (read > 0).then(|| {
            let text = String::from_utf8_lossy(&bytes);
            text.chars().filter(|c| !c.is_control()).collect()
        })
    }
}
