//! What is seen while the simulator runs: a line per request, and on a terminal the state of the scenarios below.

use crate::assure::evidence::{SHOWN, finding, serious};
use crate::output;
use assurance::consumer_suite::{Shown, Watching};
use booking::count::counted;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Scenarios named in the lines below.
const NAMED: usize = 8;

/// The terminal, or a file in place of it. On standard error, so that `--json` prints nothing but the result.
pub struct Screen {
    quiet: bool,
    live: bool,
    watching: OnceLock<Watching>,
    /// Lines of the table that stand below.
    below: Mutex<usize>,
}

impl Screen {
    /// A screen; with `--json` only what is wrong is shown.
    pub fn new(json: bool) -> Screen {
        Screen {
            quiet: json,
            live: output::notes_are_seen(),
            watching: OnceLock::new(),
            below: Mutex::new(0),
        }
    }

    /// Whose scenarios are shown.
    pub fn watch(&self, watching: Watching) {
        let _ = self.watching.set(watching);
    }

    /// Something was seen.
    pub fn seen(&self, seen: &Shown) {
        if !self.quiet || serious(&seen.findings).next().is_some() {
            self.say(&line(seen));
        }
    }

    /// Prints, above the table on a terminal.
    pub fn say(&self, text: &str) {
        let mut below = self.below.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        if *below > 0 {
            output::steer(&format!("\x1b[{below}A\x1b[J"));
        }
        out.push_str(text);
        *below = 0;
        if self.live && !self.quiet {
            let table = self.table();
            *below = table.lines().count();
            out.push_str(&table);
        }
        output::note(&out);
    }

    /// Leaves the table as it stands, or prints it once where there is no terminal.
    pub fn end(&self) {
        if !self.live && !self.quiet {
            output::note(&self.table());
        }
    }

    /// Done and to do.
    fn table(&self) -> String {
        let Some(progress) = self.watching.get().map(Watching::progress) else {
            return String::new();
        };
        let done = progress
            .scenarios
            .iter()
            .filter(|s| s.left.is_none())
            .count();
        let mut text = format!(
            "-- {done} of {} walked, {}, {}\n",
            counted(progress.scenarios.len(), "scenario", "scenarios"),
            counted(progress.requests, "request", "requests"),
            counted(progress.faults, "finding", "findings")
        );
        // Those under way first.
        let mut open: Vec<_> = progress
            .scenarios
            .iter()
            .filter_map(|s| s.left.map(|left| (s, left)))
            .collect();
        open.sort_by_key(|(s, _)| !s.begun);
        for (s, left) in open.iter().take(NAMED) {
            text.push_str(&format!(
                "   {} {}: {left}\n",
                s.scenario.id, s.scenario.name
            ));
        }
        if open.len() > NAMED {
            text.push_str(&format!("   and {} more\n", open.len() - NAMED));
        }
        text
    }
}

/// One request.
fn line(seen: &Shown) -> String {
    let number = if seen.number > 0 {
        format!("{:>4} ", seen.number)
    } else {
        "     ".to_owned()
    };
    let scenario = seen
        .scenario
        .map_or("-".to_owned(), |s| format!("{} {}", s.id, s.name));
    let status = match (seen.status, seen.number) {
        (Some(status), _) => status.to_string(),
        (None, 0) => "seen".to_owned(),
        (None, _) => "no answer".to_owned(),
    };
    let mut text = format!("{number}{:<14} {status:<9} {scenario}\n", seen.operation);
    let serious: Vec<_> = serious(&seen.findings).collect();
    for found in serious.iter().take(SHOWN) {
        text.push_str(&finding("     ", found, ""));
    }
    if serious.len() > SHOWN {
        text.push_str(&format!("     and {} more\n", serious.len() - SHOWN));
    }
    text
}
