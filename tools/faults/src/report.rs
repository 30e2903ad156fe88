//! What a run found, as text and as JSON.

use crate::Setting;
use crate::scenario::{End, Figure};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Violations of one scenario that the text shows; the JSON has all of them.
const SHOWN: usize = 10;

/// One scenario.
pub struct Entry {
    /// Its name.
    pub scenario: &'static str,
    /// What is broken.
    pub what: &'static str,
    /// How it ended.
    pub outcome: Result<End, String>,
    /// How long it took.
    pub took: Duration,
}

impl Entry {
    /// True when nothing was violated and it could be played, or cannot be played here.
    pub fn holds(&self) -> bool {
        match &self.outcome {
            Ok(End::Proved(verdict, _)) => verdict.violations.is_empty(),
            Ok(End::Skipped(_)) => true,
            Err(_) => false,
        }
    }

    fn word(&self) -> &'static str {
        match &self.outcome {
            Ok(End::Proved(v, _)) if v.violations.is_empty() => "proved",
            Ok(End::Proved(..)) => "VIOLATED",
            Ok(End::Skipped(_)) => "skipped",
            Err(_) => "FAILED",
        }
    }

    /// The lines of one scenario.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{:14} {:8} {:6.1} s",
            self.scenario,
            self.word(),
            self.took.as_secs_f64()
        );
        match &self.outcome {
            Ok(End::Skipped(why)) => {
                let _ = writeln!(out, "  {why}");
            }
            Err(why) => {
                let _ = writeln!(out, "  {why}");
            }
            Ok(End::Proved(verdict, figures)) => {
                let figures: Vec<String> = figures
                    .iter()
                    .map(|f| format!("{} {}", f.name, f.value))
                    .collect();
                let _ = writeln!(out, "  {}", figures.join("; "));
                let facts = &verdict.facts;
                let statuses: Vec<String> = facts
                    .answers
                    .iter()
                    .map(|(s, n)| format!("{n} × {s}"))
                    .collect();
                let _ = writeln!(
                    out,
                    "{:34}changes answered {}; {} answers lost; {} bookings stored, {} live; {} audit rows; \
                     longest wait {:.1} s",
                    "",
                    if statuses.is_empty() {
                        "none".to_owned()
                    } else {
                        statuses.join(", ")
                    },
                    facts.lost,
                    verdict.bookings,
                    verdict.live,
                    verdict.audit_rows,
                    facts.longest as f64 / 1e6,
                );
                for violation in verdict.violations.iter().take(SHOWN) {
                    let _ = writeln!(out, "    {violation}");
                }
                let hidden = verdict.violations.len().saturating_sub(SHOWN);
                if hidden > 0 {
                    let _ = writeln!(out, "    and {hidden} more, in the JSON");
                }
            }
        }
        out
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "scenario": self.scenario,
            "what": self.what,
            "outcome": self.word(),
            "seconds": self.took.as_secs_f64(),
        });
        match &self.outcome {
            Ok(End::Skipped(why)) | Err(why) => value["why"] = json!(why),
            Ok(End::Proved(verdict, figures)) => {
                let named = |f: &Figure| (f.name.to_owned(), Value::from(f.value.clone()));
                let facts = &verdict.facts;
                let answers = facts
                    .answers
                    .iter()
                    .map(|(s, n)| (s.to_string(), Value::from(*n)));
                value["figures"] = Value::Object(figures.iter().map(named).collect());
                value["answers"] = Value::Object(answers.collect());
                value["answers_lost"] = json!(facts.lost);
                value["faults"] = json!(facts.faults);
                value["bookings"] = json!(verdict.bookings);
                value["live"] = json!(verdict.live);
                value["audit_rows"] = json!(verdict.audit_rows);
                value["longest_wait_seconds"] = json!(facts.longest as f64 / 1e6);
                let violations = verdict.violations.iter();
                value["violations"] = violations
                    .map(|v| json!({"kind": format!("{:?}", v.kind), "what": v.what}))
                    .collect();
            }
        }
        value
    }
}

/// The last line.
pub fn sum(setting: &Setting, entries: &[Entry]) -> String {
    let count = |word: &str| entries.iter().filter(|e| e.word() == word).count();
    let took: f64 = entries.iter().map(|e| e.took.as_secs_f64()).sum();
    format!(
        "{} on {}, seed {}: {} proved, {} skipped, {} violated or failed, {took:.0} s",
        entries.len(),
        setting.store.name(),
        setting.seed,
        count("proved"),
        count("skipped"),
        count("VIOLATED") + count("FAILED"),
    )
}

/// Writes `report.txt` and `report.json`.
pub fn write(setting: &Setting, entries: &[Entry], folder: &Path) -> Result<(), String> {
    let mut text: String = entries.iter().map(Entry::text).collect();
    let _ = writeln!(text, "{}", sum(setting, entries));
    let json = json!({
        "store": setting.store.name(),
        "seed": setting.seed,
        "quick": setting.quick,
        "rounds": setting.rounds,
        "attempts": setting.attempts,
        "scenarios": entries.iter().map(Entry::json).collect::<Vec<_>>(),
    });
    for (name, content) in [("report.txt", text), ("report.json", format!("{json:#}\n"))] {
        let path = folder.join(name);
        std::fs::write(&path, content)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(())
}
