//! `uec assure report DIR…`: evidence of several runs as one report, and the table to attach to the SCAL.

use super::evidence::{failure, folder};
use super::usage;
use crate::{Failure, Outcome, print};
use assurance::evidence::{
    self, Mark, Record, Redaction, Run, Verdict, merge, standings, write_scal,
};
use booking::foreign::visible_text;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Merge evidence folders, redact them, and write the table to attach to the SCAL.
#[derive(Args)]
pub struct Report {
    /// Evidence folders
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Write the SCAL table here, as CSV and as a page: the name with the endings .csv and .html
    #[arg(long, value_name = "FILE")]
    pub scal: Option<PathBuf>,
    /// Write the merged evidence to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Delete the evidence that --out holds from before
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// Take tokens and patient data out
    #[arg(long)]
    pub redact: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

impl Report {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        if let Some(out) = &self.out {
            self.refuse_own_source(out)?;
        }
        let mut record = self.merged()?;
        if self.redact {
            record.runs = Redaction::On.apply(record.runs);
            record.redacted = true;
        }
        let mut files = Vec::new();
        if let Some(path) = &self.scal {
            files.extend(write_scal(&record, path).map_err(failure)?);
        }
        let summary = if self.json {
            as_json(&record)
        } else {
            as_text(&record)
        };
        if let Some(out) = self.out {
            let folder = folder(&out, self.replace)?;
            let Record {
                runs,
                replaced,
                redacted,
                ..
            } = record;
            let written = folder.finish_merged(runs, replaced, redacted);
            let written = written.map_err(failure)?;
            files.extend([written.report, written.result]);
        }
        print(&summary);
        if !self.json {
            for file in files {
                print(&format!("Written: {}\n", file.display()));
            }
        }
        Ok(())
    }

    /// Replacing a folder that is being read would leave nothing if the writing failed.
    fn refuse_own_source(&self, out: &std::path::Path) -> Result<(), Failure> {
        let Ok(out) = out.canonicalize() else {
            return Ok(());
        };
        let source = self
            .folders
            .iter()
            .any(|folder| folder.canonicalize().is_ok_and(|f| f == out));
        match source {
            true => Err(usage(
                "--out is one of the folders that are read: name another",
            )),
            false => Ok(()),
        }
    }

    fn merged(&self) -> Result<Record, Failure> {
        let mut runs = Vec::new();
        let mut earlier = Vec::new();
        // Redacted only if every part of it is.
        let mut redacted = true;
        let mut format = String::new();
        for folder in &self.folders {
            let record = evidence::read(folder).map_err(failure)?;
            runs.extend(record.runs);
            earlier.extend(record.replaced);
            redacted &= record.redacted;
            format = record.format;
        }
        let (runs, replaced) = merge(runs);
        earlier.extend(replaced);
        Ok(Record {
            format,
            redacted,
            runs,
            replaced: earlier,
        })
    }
}

fn failed(run: &Run) -> impl Iterator<Item = &evidence::Outcome> {
    run.outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Failed)
}

fn as_json(record: &Record) -> String {
    let runs: Vec<Value> = record
        .runs
        .iter()
        .map(|run| {
            json!({
                "kind": run.kind,
                "target": run.target,
                "about": run.about,
                "started": run.started.to_string(),
                "finished": run.finished.to_string(),
                "counts": run.counts(),
                "failed": failed(run).map(|outcome| &outcome.id).collect::<Vec<_>>(),
            })
        })
        .collect();
    let scal: Vec<Value> = standings(&record.runs)
        .iter()
        .map(|s| json!({"requirement": s.row.id, "level": s.row.level.word(), "verdict": s.mark}))
        .collect();
    let summary = json!({"redacted": record.redacted, "replaced": record.replaced.len(), "runs": runs, "scal": scal});
    format!("{summary}\n")
}

fn as_text(record: &Record) -> String {
    let mut out = String::new();
    for run in &record.runs {
        let product = run.about.name().map(|name| format!("{name}, "));
        let _ = writeln!(
            out,
            "{}{} {}: {}",
            visible_text(&product.unwrap_or_default()),
            run.kind.word(),
            visible_text(&run.target),
            run.headline()
        );
        for outcome in failed(run) {
            let _ = writeln!(
                out,
                "  failed: {}: {}",
                visible_text(&outcome.id),
                visible_text(&outcome.title)
            );
        }
    }
    let standings = standings(&record.runs);
    let words = [Mark::Passed, Mark::Failed, Mark::Declared, Mark::Untried].map(|mark| {
        let many = standings.iter().filter(|s| s.mark == mark).count();
        format!("{many} {}", mark.words().to_lowercase())
    });
    let _ = writeln!(out, "Requirements of the SCAL: {}", words.join(", "));
    if !record.replaced.is_empty() {
        let _ = writeln!(
            out,
            "Earlier results replaced by newer ones: {}",
            record.replaced.len()
        );
    }
    out
}
