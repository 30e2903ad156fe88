//! What the programs of a step print, passed on as it comes and read for what failed.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

/// One thing that failed, for the summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What it is: the name of a test, a scenario.
    pub name: String,
    /// File and line, as far as they were told.
    pub place: String,
    /// The first line of the reason.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.name, &self.place, &self.why];
        let told: Vec<&str> = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect();
        f.write_str(&told.join(": "))
    }
}

/// What a step found beside its success.
#[derive(Debug, Default)]
pub struct Report {
    /// Everything that failed.
    pub failures: Vec<Failure>,
    /// Everything that was left out, with its reason.
    pub skips: Vec<String>,
}

/// Takes one line of output.
pub type Reader = fn(&mut State, &mut Report, &str);

/// What a reader remembers between lines.
#[derive(Debug, Default)]
pub struct State {
    /// The test file or document under way.
    program: String,
    /// Failures that were known when it began.
    known: usize,
    /// Where the reason of this failure is looked for.
    open: Option<usize>,
    /// The next line that is not empty is the reason.
    is_next: bool,
}

/// Runs a command, passes on what it prints, both streams in their order, and reads each line. Nothing is read from the
/// terminal.
pub fn run(command: &mut Command, reader: Reader, report: &mut Report) -> Result<(), String> {
    let line: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let name = match line.get(1) {
        Some(verb) => format!("cargo {verb}"),
        None => line.join(" "),
    };
    let broken = |e: std::io::Error| format!("`{name}` does not start: {e}");
    let (read, write) = std::io::pipe().map_err(broken)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(write.try_clone().map_err(broken)?)
        .stderr(write)
        .spawn()
        .map_err(broken)?;
    // The command keeps its ends of the pipe: without this the reading would not end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (mut state, mut input, mut bytes) = (State::default(), BufReader::new(read), Vec::new());
    while input.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        // A terminal that is gone is no reason to stop testing.
        let _ = std::io::stdout().write_all(&bytes);
        reader(
            &mut state,
            report,
            String::from_utf8_lossy(&bytes).trim_end(),
        );
        bytes.clear();
    }
    let status = child.wait().map_err(|e| format!("`{name}`: {e}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{name}` ended with {status}")),
    }
}

/// `cargo fmt --check`: the places of differences.
pub fn format(_: &mut State, report: &mut Report, line: &str) {
    if let Some(place) = line.strip_prefix("Diff in ") {
        report.failures.push(Failure {
            place: place.trim_end_matches(':').to_owned(),
            why: "is not formatted".to_owned(),
            ..Failure::default()
        });
    }
}

/// The compiler and clippy: each error with its place.
pub fn compiler(state: &mut State, report: &mut Report, line: &str) {
    const SUMS: &[&str] = &[
        "could not compile",
        "test failed, to rerun",
        "doctest failed, to rerun",
        "aborting due to",
        "target failed",
        "targets failed",
    ];
    let error = line
        .strip_prefix("error")
        .filter(|rest| rest.starts_with(':') || rest.starts_with('['));
    if let Some(rest) = error {
        let why = rest.split_once(": ").map_or(rest, |(_, why)| why);
        state.open = None;
        if !SUMS.iter().any(|sum| why.contains(sum)) {
            state.open = Some(report.failures.len());
            report.failures.push(Failure {
                why: why.to_owned(),
                ..Failure::default()
            });
        }
    } else if let Some(place) = line.trim_start().strip_prefix("--> ")
        && let Some(failure) = state.open.take().and_then(|at| report.failures.get_mut(at))
    {
        failure.place = place.to_owned();
    }
}

/// `cargo test`: the failing tests, each with where and why, and programs that ended before their tests did.
pub fn tests(state: &mut State, report: &mut Report, line: &str) {
    let text = line.trim_start();
    let begins = ["Running ", "Doc-tests "]
        .iter()
        .find_map(|word| text.strip_prefix(word));
    if let Some(rest) = begins.filter(|_| line.starts_with(' ')) {
        let file = rest.split(" (").next().unwrap_or(rest);
        state.program = file.trim_start_matches("unittests ").to_owned();
        state.known = report.failures.len();
        state.open = None;
        return;
    }
    if let Some(name) = line
        .strip_prefix("test ")
        .and_then(|rest| rest.strip_suffix(" ... FAILED"))
    {
        report.failures.push(Failure {
            name: name.to_owned(),
            place: state.program.clone(),
            ..Failure::default()
        });
        return;
    }
    let block = line
        .strip_prefix("---- ")
        .and_then(|rest| rest.strip_suffix(" stdout ----"));
    if let Some(name) = block {
        let since = report.failures.iter().skip(state.known);
        let at = since.into_iter().position(|f| f.name == name);
        state.open = at.map(|at| at + state.known);
        state.is_next = false;
        return;
    }
    if text.starts_with("process didn't exit successfully") {
        // Known to have failed by itself when a test of it has.
        if report.failures.len() == state.known {
            let why = text.rsplit_once(" (").map_or(text, |(_, why)| why);
            report.failures.push(Failure {
                name: "the program ended before its tests did".to_owned(),
                place: state.program.clone(),
                why: why.trim_end_matches(')').to_owned(),
            });
        }
        return;
    }
    match state.open {
        Some(at) if state.open_is_test(report, at) => reason(state, report, at, line),
        _ => compiler(state, report, line),
    }
}

impl State {
    fn open_is_test(&self, report: &Report, at: usize) -> bool {
        report.failures.get(at).is_some_and(|f| !f.name.is_empty())
    }
}

/// The output of one failed test: the place of its panic, and the line after it.
fn reason(state: &mut State, report: &mut Report, at: usize, line: &str) {
    let Some(failure) = report.failures.get_mut(at) else {
        return;
    };
    if let Some((_, place)) = line
        .split_once(" panicked at ")
        .filter(|_| line.starts_with("thread '"))
    {
        // The first one is the cause: others are threads that fell with it.
        if failure.why.is_empty() {
            failure.place = place.trim_end_matches(':').to_owned();
            state.is_next = true;
        }
    } else if let Some(error) = line.strip_prefix("Error: ") {
        failure.why = error.to_owned();
    } else if state.is_next && !line.trim().is_empty() {
        failure.why = line.trim().to_owned();
        state.is_next = false;
    } else if line == "failures:" {
        state.open = None;
    }
}

/// The fuzz targets: each finding, and the line that says what it is.
pub fn fuzz(state: &mut State, report: &mut Report, line: &str) {
    if let Some(found) = line.strip_prefix("FOUND in ") {
        let (name, place) = found.split_once(", saved as ").unwrap_or((found, ""));
        state.open = Some(report.failures.len());
        report.failures.push(Failure {
            name: name.to_owned(),
            place: place.trim_end_matches(':').to_owned(),
            ..Failure::default()
        });
    } else if let Some(failure) = state.open.take().and_then(|at| report.failures.get_mut(at)) {
        failure.why = line.trim().to_owned();
    }
}

/// The fault runner: scenarios that were violated, failed or left out.
pub fn faults(state: &mut State, report: &mut Report, line: &str) {
    if let Some(why) = line.strip_prefix("nothing was tried on ") {
        report.skips.push(format!("faults on {why}"));
        return;
    }
    if let Some(why) = line.strip_prefix("faults: ") {
        report.failures.push(Failure {
            why: why.to_owned(),
            ..Failure::default()
        });
        return;
    }
    let violation = line
        .strip_prefix("    ")
        .filter(|rest| !rest.starts_with(' '));
    if let (Some(at), Some(violation)) = (state.open, violation) {
        state.open = None;
        if let Some(failure) = report.failures.get_mut(at) {
            failure.why = violation.to_owned();
        }
        return;
    }
    let mut words = line.split_whitespace();
    let (name, word) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    // After them: the seconds, and why.
    let why = || words.clone().skip(2).collect::<Vec<_>>().join(" ");
    match word {
        _ if line.starts_with(' ') => {}
        "skipped" => report.skips.push(format!("{name}: {}", why())),
        "FAILED" | "VIOLATED" => {
            state.open = (word == "VIOLATED").then_some(report.failures.len());
            report.failures.push(Failure {
                name: name.to_owned(),
                place: String::new(),
                why: why(),
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
