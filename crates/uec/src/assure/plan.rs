//! `uec assure plan`: the published operational test plans as guided, recorded checklists.

mod automatic;
mod questions;
mod run;
mod set;
mod shown;
mod talk;

use super::evidence::print_list;
use super::usage;
use crate::{Failure, Outcome, output, print};
use assurance::plan::{
    self, Given, Outcome as Ended, PlanError, PlanFolder, PlanKind, Role, read, standing,
    write_report,
};
use clap::{Args, Subcommand};
use serde_json::json;
use set::Set;
use std::path::PathBuf;

/// The published operational test plans as guided, recorded checklists.
#[derive(Subcommand)]
pub enum Plan {
    /// List the plans, or the steps of one
    List(List),
    /// Make a folder for a run of a plan
    New(New),
    /// Show where a run stands
    Show(Show),
    /// Go on with a run: particulars, prerequisites, then step by step
    ///
    /// Asks on standard output and reads from standard input. At every question: `?` helps, `skip` leaves it open, `quit`
    /// ends; what is answered is kept at once, as `set` and `record` keep it. With --config the steps that a program can
    /// do are done, and people are asked only for what is on the other side's screen.
    Run(Box<run::Run>),
    /// Write down particulars, actors and prerequisites, without questions
    Set(Set),
    /// Write down how one step ended, without questions
    Record(Record),
    /// Sign as one of the actors; a change afterwards makes the signature void
    Sign(Sign),
    /// Write the report; exit code 0 when the plan is complete, 1 with the reasons when it is not
    Report(Report),
    /// Cancel what automatic steps left booked
    Release(Box<run::Release>),
}

impl Plan {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Plan::List(command) => command.run(),
            Plan::New(command) => command.run(),
            Plan::Show(command) => command.run(),
            Plan::Run(command) => command.run(),
            Plan::Set(command) => command.run(),
            Plan::Record(command) => command.run(),
            Plan::Sign(command) => command.run(),
            Plan::Report(command) => command.run(),
            Plan::Release(command) => command.run(),
        }
    }
}

/// List the plans, or the steps of one.
#[derive(Args)]
pub struct List {
    /// Whose steps: utc, gp-hub or registered-practice
    #[arg(value_parser = PlanKind::from_word)]
    pub plan: Option<PlanKind>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Make a folder for a run of a plan.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec assure plan new utc --out fernhill-utc --title \"111 to Fernhill UTC\""
)]
pub struct New {
    /// utc, gp-hub or registered-practice
    #[arg(value_parser = PlanKind::from_word)]
    pub plan: PlanKind,
    /// Folder to make; it may exist if it is empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Title of the report
    #[arg(long, value_name = "TEXT", value_parser = super::filled)]
    pub title: Option<String>,
}

/// Show where a run stands.
#[derive(Args)]
pub struct Show {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Write down how one step ended.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec assure plan record fernhill-utc OPS-C5 --result passed --by \"Ada Rowan\" --attach diary.png"
)]
pub struct Record {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Id of the step, such as OPS-C5 or OPS-C5/Dx06
    pub step: String,
    /// passed, failed or not-applicable
    #[arg(long, value_parser = Ended::from_word)]
    pub result: Ended,
    /// Who saw it
    #[arg(long, value_name = "NAME", value_parser = super::filled)]
    pub by: String,
    /// What was seen; needed unless the step passed
    #[arg(long, value_name = "TEXT")]
    pub seen: Option<String>,
    /// What will be done about a failure, and who does it
    #[arg(long, value_name = "TEXT")]
    pub action: Option<String>,
    /// Files that show it; may be repeated
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub attach: Vec<PathBuf>,
}

/// Sign as one of the actors.
#[derive(Args)]
pub struct Sign {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Who signs, as the plan names them
    #[arg(long, value_name = "NAME", value_parser = super::filled)]
    pub by: String,
    /// In which role, such as provider-lead
    #[arg(long, value_parser = Role::from_word)]
    pub role: Role,
    /// ODS code of their organisation [default: the organisation that the plan names]
    #[arg(long, value_name = "ODS", value_parser = super::filled)]
    pub organisation: Option<String>,
    /// What they say
    #[arg(long, value_name = "TEXT")]
    pub statement: Option<String>,
}

/// Write the report.
#[derive(Args)]
pub struct Report {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Write the page here, and the table beside it with the ending .csv [default: report.html and plan.csv in the folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Wrong names are wrong usage; what stands in the way on the disk is a refusal.
fn failure(error: PlanError) -> Failure {
    match error {
        PlanError::Wrong(_) | PlanError::None(_) | PlanError::NotEmpty(_) => usage(error),
        other => Failure::Refused(other.to_string()),
    }
}

impl List {
    fn run(self) -> Outcome {
        match (self.plan, self.json) {
            (None, as_json) => print_list(
                as_json,
                PlanKind::ALL,
                |k| json!({"plan": k.word(), "title": k.title(), "scope": k.scope(), "steps": plan::steps(*k).len()}),
                |k| {
                    let steps = plan::steps(*k).len();
                    let (word, title, scope) = (k.word(), k.title(), k.scope());
                    format!("{word:<20} {title}\n{:<20} {steps} steps. {scope}\n", "")
                },
            ),
            (Some(kind), false) => print(&shown::steps(kind)),
            (Some(kind), true) => output::print_value(&shown::steps_json(kind)),
        }
        Ok(())
    }
}

impl New {
    fn run(self) -> Outcome {
        let folder =
            PlanFolder::create(&self.out, self.plan, self.title.as_deref()).map_err(failure)?;
        print(&format!(
            "{}\nMade: {}\nGo on with: uec assure plan run {}\n",
            folder.plan.title,
            folder.path().join(plan::PLAN).display(),
            folder.path().display()
        ));
        Ok(())
    }
}

impl Show {
    fn run(self) -> Outcome {
        let plan = read(&self.folder).map_err(failure)?;
        let faults = plan::attachment_faults(&self.folder, &plan);
        match self.json {
            true => output::print_value(&shown::plan_json(&plan, &faults)),
            false => print(&shown::plan(&plan, &faults)),
        }
        Ok(())
    }
}

impl Record {
    fn run(self) -> Outcome {
        let mut folder = PlanFolder::open(&self.folder).map_err(failure)?;
        let steps = plan::steps(folder.plan.plan);
        let step = plan::find(&steps, &self.step).map_err(usage)?;
        let given = Given {
            result: self.result,
            by: self.by,
            seen: self.seen.unwrap_or_default(),
            action: self.action.unwrap_or_default(),
        };
        let recorded = folder.record(step, &given, &self.attach);
        recorded.map_err(failure)?;
        print(&format!(
            "{}: {}. {}\n",
            step.id,
            given.result.word(),
            shown::progress(&folder.plan)
        ));
        Ok(())
    }
}

impl Sign {
    fn run(self) -> Outcome {
        let mut folder = PlanFolder::open(&self.folder).map_err(failure)?;
        let (organisation, statement) = (self.organisation.as_deref(), self.statement.as_deref());
        folder
            .plan
            .sign(self.role, &self.by, organisation, statement)
            .map_err(Failure::Refused)?;
        folder.save().map_err(failure)?;
        let unsigned = standing(&folder.plan).unsigned;
        let rest = match unsigned.is_empty() {
            true => "Everybody has signed.".to_owned(),
            false => {
                let words: Vec<&str> = unsigned.iter().map(|r| r.word()).collect();
                format!("Still to sign: {}.", words.join(", "))
            }
        };
        print(&format!(
            "Signed by {} as {}. {rest}\n",
            self.by.trim(),
            self.role.title()
        ));
        Ok(())
    }
}

impl Report {
    fn run(self) -> Outcome {
        let plan = read(&self.folder).map_err(failure)?;
        let written = write_report(&self.folder, &plan, self.out.as_deref()).map_err(failure)?;
        if self.json {
            output::print_value(&json!({
                "page": written.page, "table": written.table, "complete": written.why_incomplete.is_empty(),
                "why": written.why_incomplete,
            }));
        } else {
            print(&format!(
                "Written: {}\nWritten: {}\n",
                written.page.display(),
                written.table.display()
            ));
        }
        match written.why_incomplete.is_empty() {
            true => Ok(()),
            false => Err(Failure::Refused(format!(
                "the plan is not complete. {}",
                written.why_incomplete.join(" ")
            ))),
        }
    }
}
