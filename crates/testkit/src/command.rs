//! Running a program and looking at how it ended.
//!
//! A test names a command as it is typed: `"book --service 2000000011 --first"`. [`Ended`] remembers the command, so that a
//! failed assertion shows it together with exit code, standard output and standard error.

use serde_json::Value;
use std::process::{Child, Command, Output};

/// The arguments of a program: a line as it is typed ([`words`]), or its words, which may contain anything.
pub trait Arguments {
    /// One string for each argument.
    fn words(&self) -> Vec<String>;
}

impl Arguments for str {
    fn words(&self) -> Vec<String> {
        words(self)
    }
}

impl Arguments for String {
    fn words(&self) -> Vec<String> {
        words(self)
    }
}

impl<S: AsRef<str>> Arguments for [S] {
    fn words(&self) -> Vec<String> {
        self.iter().map(|word| word.as_ref().to_owned()).collect()
    }
}

impl<S: AsRef<str>, const N: usize> Arguments for [S; N] {
    fn words(&self) -> Vec<String> {
        self.as_slice().words()
    }
}

impl<S: AsRef<str>> Arguments for Vec<S> {
    fn words(&self) -> Vec<String> {
        self.as_slice().words()
    }
}

impl<T: Arguments + ?Sized> Arguments for &T {
    fn words(&self) -> Vec<String> {
        (**self).words()
    }
}

/// The words of a command line. `'…'` keeps spaces in a word, and writes one that is empty.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            letter if letter.is_whitespace() && !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    assert!(!quoted, "a quotation mark is open in: {line}");
    words.extend(word);
    words
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The command that was run.
    pub command: String,
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it noted besides.
    pub stderr: String,
    /// What it printed, where that is JSON; else null.
    pub json: Value,
}

impl Ended {
    /// Runs a command to its end.
    #[track_caller]
    pub fn run(command: &mut Command) -> Ended {
        match command.output() {
            Ok(output) => Ended::of(&shown(command), output),
            Err(error) => panic!("{command:?} does not start: {error}"),
        }
    }

    /// Waits for a program that was started before.
    #[track_caller]
    pub fn wait(command: &str, child: Child) -> Ended {
        match child.wait_with_output() {
            Ok(output) => Ended::of(command, output),
            Err(error) => panic!("{command} does not end: {error}"),
        }
    }

    fn of(command: &str, output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Ended::new(command, code, text(output.stdout), text(output.stderr))
    }

    pub(crate) fn new(command: &str, code: i32, stdout: String, stderr: String) -> Ended {
        Ended {
            command: command.to_owned(),
            code,
            json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr,
        }
    }

    /// Everything that was said.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails unless the program ended with this code.
    #[track_caller]
    pub fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Fails unless all of these words were said, on standard output or standard error.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Ended {
        for word in words {
            assert!(
                self.said().contains(word),
                "{word:?} was not said by {self}"
            );
        }
        self
    }

    /// Fails unless standard error has all of these words.
    #[track_caller]
    pub fn notes(&self, words: &[&str]) -> &Ended {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} was not noted by {self}"
            );
        }
        self
    }

    /// Fails unless the JSON that was printed has this value at this place, a JSON pointer.
    #[track_caller]
    pub fn has(&self, place: &str, value: impl Into<Value>) -> &Ended {
        let found = self.json.pointer(place).unwrap_or(&Value::Null);
        assert_eq!(found, &value.into(), "{place} of what was said by {self}");
        self
    }

    /// Fails if one of these words was said.
    #[track_caller]
    pub fn never_says(&self, words: &[&str]) -> &Ended {
        for word in words {
            assert!(!self.said().contains(word), "{word:?} was said by {self}");
        }
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, stdout, stderr) = (self.code, &self.stdout, &self.stderr);
        write!(f, "{}\nexit code {code}\n{stdout}\n{stderr}", self.command)
    }
}

/// A command's words on one line.
fn shown(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// Fails unless a text has all of these words; shows the text.
#[track_caller]
pub fn assert_contains(text: impl AsRef<str>, words: &[&str]) {
    let text = text.as_ref();
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in\n{text}");
    }
}

/// Fails if a text has one of these words; shows the text.
#[track_caller]
pub fn assert_lacks(text: impl AsRef<str>, words: &[&str]) {
    let text = text.as_ref();
    for word in words {
        assert!(!text.contains(word), "{word:?} stands in\n{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_spaces_outside_of_quotes() {
        let line = "services --postcode 'LS99 9AA'  --note ''\n --free";
        let expected = ["services", "--postcode", "LS99 9AA", "--note", "", "--free"];
        assert_eq!(words(line), expected);
    }
}
