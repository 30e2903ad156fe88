//! What the commands that leave evidence share: their options, the folder, what is printed of a run.

use super::usage;
use crate::{Failure, output, print};
use assurance::evidence::{About, Finding, Folder, FolderError, Redaction, Run, Severity, causes};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest name that is taken of a product or a person.
const MAX_NAME: usize = 120;
/// Findings shown in the terminal at once; all of them are in the report.
pub const SHOWN: usize = 5;

/// What is said about the product, and where the evidence goes.
#[derive(Args)]
pub struct Evidence {
    /// Name of the product that is tried; it heads the report
    #[arg(long, value_name = "NAME", value_parser = name)]
    product: Option<String>,
    /// Version of the product that is tried
    #[arg(long, value_name = "VERSION", value_parser = name)]
    version: Option<String>,
    /// Who makes the product
    #[arg(long, value_name = "NAME", value_parser = name)]
    supplier: Option<String>,
    /// Who tries it
    #[arg(long, value_name = "NAME", value_parser = name)]
    tester: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Folder for the evidence [required, except with --list]
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Delete the evidence that --out holds from before
    #[arg(long)]
    pub replace: bool,
    /// Take tokens and patient data out of the evidence
    #[arg(long)]
    redact: bool,
}

impl Evidence {
    /// The folder that is named.
    pub fn out(&self) -> Result<&Path, Failure> {
        let out = self.out.as_deref();
        out.ok_or_else(|| usage("--out is missing"))
    }

    /// The folder for a run; earlier evidence in it goes, if that was asked for.
    pub fn folder(&self) -> Result<Folder, Failure> {
        let folder = folder(self.out()?, self.replace)?;
        Ok(match self.redact {
            true => folder.redacting(Redaction::On),
            false => folder,
        })
    }

    /// Writes the evidence of a run, and prints its result: as JSON with what `more` says, or `told` and a line.
    pub fn finish(
        &self,
        folder: Folder,
        mut run: Run,
        more: (&str, Value),
        told: &str,
    ) -> Result<(), Failure> {
        run.about = About {
            product: self.product.clone(),
            version: self.version.clone(),
            supplier: self.supplier.clone(),
            tester: self.tester.clone(),
        };
        let summary = self.json.then(|| as_json(&run, more));
        let headline = run.headline();
        let written = folder.finish(vec![run]).map_err(failure)?;
        match summary {
            Some(summary) => output::print_value(&summary),
            None => print(&format!(
                "{told}{headline}\nWritten: {}\n",
                written.report.display()
            )),
        }
        Ok(())
    }
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("it is empty".to_owned()),
        n if n > MAX_NAME => Err(format!("it has more than {MAX_NAME} characters")),
        _ if text.chars().any(char::is_control) => Err("it holds control characters".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A folder for evidence; what it holds from before goes, if that was asked for.
pub fn folder(out: &Path, replace: bool) -> Result<Folder, Failure> {
    let folder = match replace {
        true => Folder::replace(out),
        false => Folder::create(out),
    };
    folder.map_err(failure)
}

/// A folder that was named wrongly is wrong usage; all else is a refusal.
pub fn failure(error: FolderError) -> Failure {
    match error {
        FolderError::NotEmpty(_) => usage(format!("{error}, or say --replace")),
        FolderError::NotOurs { .. } => usage(error),
        other => Failure::Refused(other.to_string()),
    }
}

/// Prints a list: as JSON, or as text.
pub fn print_list<T>(
    as_json: bool,
    all: impl IntoIterator<Item = T>,
    json: impl Fn(&T) -> Value,
    text: impl Fn(&T) -> String,
) {
    let all = all.into_iter();
    match as_json {
        true => output::print_value(&all.map(|item| json(&item)).collect()),
        false => print(&all.map(|item| text(&item)).collect::<String>()),
    }
}

/// A finding in the terminal: what was seen and which requirements it breaks, and below it what would be right.
pub fn finding(indent: &str, finding: &Finding, again: &str) -> String {
    let ids = finding.requirement.join(", ");
    let word = finding.severity.word();
    let mut text = format!("{indent}{word}: {}{again} [{ids}]\n", finding.what);
    if !finding.right.is_empty() {
        text.push_str(&format!("{indent}  right: {}\n", finding.right));
    }
    text
}

/// What is more than a note.
pub fn serious(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|f| f.severity != Severity::Note)
}

fn as_json(run: &Run, (key, more): (&str, Value)) -> Value {
    let tests: Vec<Value> = run
        .outcomes
        .iter()
        .map(|o| {
            json!({
                "id": o.id, "title": o.title, "requirements": o.requirements,
                "verdict": o.verdict.word().to_lowercase(), "why": o.verdict.why(), "findings": o.findings,
            })
        })
        .collect();
    json!({
        "target": run.target, "about": run.about, "started": run.started, "finished": run.finished,
        "toolVersion": run.tool_version, "counts": run.counts(), key: more, "causes": causes_of(run),
        "tests": tests,
    })
}

/// What failed, each cause once.
fn causes_of(run: &Run) -> Vec<Value> {
    let runs = std::slice::from_ref(run);
    let all = causes(runs);
    all.iter()
        .map(|cause| {
            json!({
                "what": cause.finding.what, "where": cause.finding.where_, "right": cause.finding.right,
                "requirements": cause.finding.requirement, "tests": cause.names(runs),
            })
        })
        .collect()
}
