//! `uec validate FILE…`: check messages against STU3, CareConnect and the Standard's overrides.
//!
//! An Appointment that is to be booked is judged by the rules that a Provider has, in the words of its refusals. Beyond
//! that this command is strict where the wire is lenient: what FHIR does not define is an error, unless `--wire` is given.

use crate::{Failure, Outcome, print};
use booking::careconnect;
use booking::count::{counted, plural};
use booking::version::StandardVersion;
use clap::Args;
use fhir::{Element, Issue, IssueCode};
use jiff::Timestamp;
use std::io::Read;

/// Largest file that is read: a bundle of some thousand resources.
const FILE_BYTES: u64 = 32 << 20;

/// Check FHIR messages against STU3, the CareConnect profiles and the Standard.
///
/// An Appointment without version that is not cancelled is judged as a booking, by the rules of a Provider.
///
/// Exit code 0 when no file has an error, 1 when one has, 2 when a file cannot be opened.
#[derive(Args)]
pub struct Validate {
    /// Files with one resource each, JSON or XML; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Print one OperationOutcome per file, one line each
    #[arg(long)]
    pub json: bool,
    /// Leave out what is for information only
    #[arg(long)]
    pub quiet: bool,
    /// Judge as a Provider does: elements and codes that FHIR does not define are no errors
    #[arg(long)]
    pub wire: bool,
    /// Version of the API that the sender of a booking follows: 2.0.4 or 2.0.1-beta
    #[arg(long, value_name = "VERSION", default_value_t = StandardVersion::Current, value_parser = StandardVersion::parse)]
    pub standard: StandardVersion,
}

impl Validate {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let mut failed = 0;
        for file in &self.files {
            let bytes =
                open(file).map_err(|e| Failure::Usage(format!("cannot read {file}: {e}")))?;
            let mut issues = check(&bytes, self.standard, self.wire);
            if self.quiet {
                issues.retain(|i| i.severity != fhir::Severity::Information);
            }
            let errors = issues.iter().filter(|i| i.is_error()).count();
            failed += usize::from(errors > 0);
            if self.json {
                let outcome = outcome(&issues);
                print(&format!(
                    "{}\n",
                    String::from_utf8_lossy(&fhir::json::write(&outcome))
                ));
            } else {
                print_issues(file, &issues, errors);
            }
        }
        match failed {
            0 => Ok(()),
            n => Err(Failure::Refused(format!(
                "{n} of {} {} errors",
                counted(self.files.len(), "file", "files"),
                plural(n, "has", "have")
            ))),
        }
    }
}

fn print_issues(file: &str, issues: &[Issue], errors: usize) {
    for issue in issues {
        let place = match issue.pos.is_known() {
            true => format!("{file}:{}:{}", issue.pos.line, issue.pos.column),
            false => file.to_owned(),
        };
        let path = if issue.expression.is_empty() {
            ""
        } else {
            issue.expression.as_str()
        };
        let rule = if issue.rule.is_empty() {
            String::new()
        } else {
            format!(" [{}]", issue.rule)
        };
        print(&format!(
            "{place}: {}: {path}{}{}{rule}\n",
            issue.severity.code(),
            if path.is_empty() { "" } else { ": " },
            issue.message
        ));
    }
    print(&match errors {
        0 => format!("{file}: no errors\n"),
        n => format!("{file}: {}\n", counted(n, "error", "errors")),
    });
}

fn open(file: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match file {
        "-" => std::io::stdin()
            .lock()
            .take(FILE_BYTES + 1)
            .read_to_end(&mut bytes)?,
        path => std::fs::File::open(path)?
            .take(FILE_BYTES + 1)
            .read_to_end(&mut bytes)?,
    };
    match bytes.len() as u64 > FILE_BYTES {
        true => Err(std::io::Error::other(format!(
            "larger than {FILE_BYTES} bytes"
        ))),
        false => Ok(bytes),
    }
}

/// Every finding of one message. `wire`: with the leniency of a Provider.
pub fn check(bytes: &[u8], standard: StandardVersion, wire: bool) -> Vec<Issue> {
    let limits = fhir::Limits {
        max_bytes: FILE_BYTES as usize,
        ..fhir::Limits::default()
    };
    let xml = bytes
        .iter()
        .find(|b| !b.is_ascii_whitespace() && !matches!(b, 0xEF | 0xBB | 0xBF))
        == Some(&b'<');
    let parsed = if xml {
        fhir::xml::parse(bytes, &limits)
    } else {
        fhir::json::parse(bytes, &limits)
    };
    let parsed = match parsed {
        Err(issue) => return vec![issue],
        Ok(parsed) => parsed,
    };
    let rules = careconnect::conformance();
    let (root, mut codec) = (parsed.root, parsed.issues);
    if !wire {
        codec.iter_mut().filter(|i| is_undefined(i)).for_each(|i| {
            i.severity = fhir::Severity::Error;
        });
    }
    let mut issues = match is_booking(&root) {
        true => rules.check_booking(&root, codec, standard, Timestamp::now()),
        false => {
            codec.extend(rules.check_of(&root, standard));
            codec
        }
    };
    if !wire {
        issues.extend(rules.undefined_codes(&root));
    }
    issues.sort_by_key(|i| (i.pos, i.severity));
    issues
}

/// What the codec says of an element that FHIR does not define.
fn is_undefined(issue: &Issue) -> bool {
    issue.code == IssueCode::Extension && issue.severity == fhir::Severity::Information
}

/// An Appointment that a consumer posts: a Provider has given it no version yet, and it is not to be cancelled.
fn is_booking(root: &Element) -> bool {
    root.resource_type() == Some("Appointment")
        && root.at("meta.versionId").is_none()
        && !matches!(
            root.str_of("status"),
            Some("cancelled" | "entered-in-error")
        )
}

/// The findings as an OperationOutcome; "all is well" is one issue for information, since FHIR wants at least one.
fn outcome(issues: &[Issue]) -> Element {
    let mut root = Element::resource("OperationOutcome");
    for issue in issues {
        let mut element = Element::new("issue")
            .with(Element::text("severity", issue.severity.code()))
            .with(Element::text("code", issue.code.code()));
        let mut text = issue.message.clone();
        if issue.pos.is_known() {
            text.push_str(&format!(" ({})", issue.pos));
        }
        if !issue.rule.is_empty() {
            text.push_str(&format!(" [{}]", issue.rule));
        }
        element.push(Element::text("diagnostics", text));
        if !issue.expression.is_empty() {
            element.push(Element::text("expression", &issue.expression));
        }
        root.push(element);
    }
    if issues.is_empty() {
        root.push(
            Element::new("issue")
                .with(Element::text("severity", "information"))
                .with(Element::text("code", "informational"))
                .with(Element::text("diagnostics", "No findings.")),
        );
    }
    root
}
