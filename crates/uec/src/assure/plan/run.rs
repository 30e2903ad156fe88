//! `uec assure plan run|release`: going on with a run, item by item.

use super::automatic::{Machine, Settings};
use super::talk::Left;
use super::{failure, shown};
use crate::{Failure, Outcome, print};
use assurance::plan::automatic::{ClearedUp, Keep};
use assurance::plan::{Given, Outcome as Ended, PlanFolder, Role, Step, Task, standing, steps};
use clap::Args;
use std::path::PathBuf;

/// Go on with a run.
#[derive(Args)]
#[command(after_help = "Examples:\n  uec assure plan run fernhill-utc\n  \
    uec assure plan run fernhill-utc --config consumer.toml --service 2000000011 --service-empty 2000000014\n  \
    uec assure plan run fernhill-utc --config consumer.toml --auto\n\n\
    Appointments that automatic steps booked are cancelled at the end, except those that open steps need; these are named, \
    and `uec assure plan release` cancels them.")]
pub struct Run {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Who is at the keyboard: taken where a question asks who saw it
    #[arg(long, value_name = "NAME", value_parser = crate::assure::filled)]
    pub by: Option<String>,
    /// Do only the automatic steps, and ask nothing
    #[arg(long, requires = "config")]
    pub auto: bool,
    /// With --auto: leave the appointments that open steps need
    #[arg(long, requires = "auto")]
    pub leave_booked: bool,
    #[command(flatten)]
    pub settings: Settings,
}

/// Cancel what automatic steps left booked.
#[derive(Args)]
pub struct Release {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub settings: Settings,
}

/// What the questions work with.
pub struct Session {
    /// The run.
    pub folder: PlanFolder,
    /// The consumer.
    pub machine: Option<Machine>,
    /// Who saw things, as said last.
    pub by: Option<String>,
}

impl Run {
    pub(super) fn run(self) -> Outcome {
        let folder = PlanFolder::open(&self.folder).map_err(failure)?;
        let machine = self.settings.machine()?;
        if let Some(machine) = &machine {
            print(&format!(
                "Automatic steps are done by {} as {}.\n",
                machine.rig.system(),
                machine.rig.organisation()
            ));
        }
        let by = self.by.clone().or_else(|| {
            let actor = folder.plan.actors.get(&Role::ConsumerUser)?;
            actor.is_somebody().then(|| actor.name.clone())
        });
        let mut session = Session {
            folder,
            machine,
            by,
        };
        match self.auto {
            true => session.auto(self.leave_booked),
            false => session.guided(),
        }
    }
}

impl Release {
    pub(super) fn run(self) -> Outcome {
        let mut folder = PlanFolder::open(&self.folder).map_err(failure)?;
        let mut machine = self.settings.machine()?.ok_or_else(|| {
            Failure::Usage(
                "--config is missing: say with which settings the steps were done".to_owned(),
            )
        })?;
        let done = machine.clear_up(&mut folder, Keep::Nothing);
        folder.save().map_err(failure)?;
        if done.cancelled.is_empty() && done.left.is_empty() && done.absent.is_empty() {
            print("Nothing of this plan is booked.\n");
        }
        told(&done)
    }
}

impl Session {
    /// Item by item, what is open.
    fn guided(&mut self) -> Outcome {
        print(&format!(
            "{}\n{}\nAt every question: ? helps, skip leaves it open, quit ends. What is answered is kept at once.\n",
            self.folder.plan.title,
            shown::progress(&self.folder.plan)
        ));
        if let Err(Left::Failed(failure)) = self.ask_all() {
            return Err(failure);
        }
        let cleared = self.clear_up(Keep::Needed)?;
        self.farewell();
        told(&cleared)
    }

    /// Has the tool do a task, and keeps what it saw: whether it was as expected, `None` if it could not be tried.
    pub fn perform(&mut self, step: &Step, task: Task) -> Result<Option<bool>, Failure> {
        let Some(machine) = &mut self.machine else {
            return Ok(None);
        };
        let seen = match machine.perform(&mut self.folder, step, task) {
            Ok(seen) => seen,
            Err(why) => {
                print(&format!("  Not done by the tool: {why}\n"));
                return Ok(None);
            }
        };
        shown::lines(&seen.lines);
        if !matches!(task, Task::MakeReady(_)) {
            let plan = &mut self.folder.plan;
            plan.set_tool(&step.id, seen.passed, seen.lines);
            self.save()?;
        }
        for (name, bytes) in seen.files {
            print(&match self.folder.attach_bytes(step, &name, &bytes) {
                Ok(file) => format!("  Kept: attachments/{file}\n"),
                Err(error) => format!("  {name} was not kept: {error}\n"),
            });
        }
        self.save()?;
        Ok(Some(seen.passed))
    }

    /// Writes down how a step ended that needs nobody to look, or that the systems failed.
    pub fn by_tool(&mut self, step: &Step, result: Ended) -> Result<(), Failure> {
        let tool = self.folder.plan.answers.get(&step.id);
        let seen = match (result, tool.and_then(|answer| answer.tool.as_ref())) {
            (Ended::Failed, Some(tool)) => tool.seen.join(" "),
            _ => String::new(),
        };
        let by = self.by.clone();
        let given = Given {
            result,
            by: by.unwrap_or_else(|| format!("uec {}", env!("CARGO_PKG_VERSION"))),
            seen: seen.chars().take(MAX_SEEN).collect(),
            action: String::new(),
        };
        let recorded = self.folder.record(step, &given, &[]);
        recorded.map_err(failure)?;
        print(&format!("  {}.\n", result.shown()));
        Ok(())
    }

    fn clear_up(&mut self, keep: Keep) -> Result<ClearedUp, Failure> {
        let Some(machine) = &mut self.machine else {
            return Ok(ClearedUp::default());
        };
        let done = machine.clear_up(&mut self.folder, keep);
        self.save()?;
        Ok(done)
    }

    /// Puts what is written down on the disk.
    pub fn save(&mut self) -> Result<(), Failure> {
        self.folder.save().map_err(failure)
    }

    fn farewell(&self) {
        let standing = standing(&self.folder.plan);
        let path = self.folder.path().display();
        print(&format!(
            "\nEverything is kept. {}\n",
            shown::progress(&self.folder.plan)
        ));
        let open = standing.open();
        match open.first() {
            Some(first) => print(&format!(
                "Open: {first}{}. Go on with: uec assure plan run {path}\n",
                match open.len() {
                    1 => String::new(),
                    n => format!(" and {} more", n - 1),
                }
            )),
            None if !standing.unsigned.is_empty() => {
                let words: Vec<&str> = standing.unsigned.iter().map(|r| r.word()).collect();
                print(&format!(
                    "Everything is answered. To sign: {}. Each with: uec assure plan sign {path} --by NAME --role ROLE\n",
                    words.join(", ")
                ));
            }
            None => print(&format!("Next: uec assure plan report {path}\n")),
        }
    }

    /// Only what the tool can do, without a question.
    fn auto(&mut self, leave: bool) -> Outcome {
        self.prefill();
        self.save()?;
        let mut not_tried = 0;
        let mut failed = 0;
        let mut look = 0;
        for step in steps(self.folder.plan.plan) {
            // What waits for people in between cannot be done without them.
            let Some(task) = step.row.task.filter(|_| step.row.handover.is_none()) else {
                continue;
            };
            let answer = self.folder.plan.answers.get(&step.id);
            if answer.is_some_and(|a| a.result.is_some()) {
                continue;
            }
            print(&format!("\n{} {}\n", step.id, step.row.title));
            match self.perform(&step, task)? {
                None => not_tried += 1,
                Some(false) => {
                    self.by_tool(&step, Ended::Failed)?;
                    failed += 1;
                }
                Some(true) => match step.look() {
                    Some(question) => {
                        print(&format!("  Open for people: {question}\n"));
                        look += 1;
                    }
                    None => self.by_tool(&step, Ended::Passed)?,
                },
            }
        }
        let keep = if leave { Keep::Needed } else { Keep::Nothing };
        let cleared = self.clear_up(keep)?;
        self.farewell();
        print(&format!(
            "Automatic steps: {failed} failed, {not_tried} could not be tried, {look} wait for people to look.\n"
        ));
        told(&cleared)?;
        match failed + not_tried {
            0 => Ok(()),
            _ => Err(Failure::Refused(format!(
                "{failed} automatic steps failed, {not_tried} could not be tried"
            ))),
        }
    }

    /// What the settings already say.
    fn prefill(&mut self) {
        let known = self.machine.as_ref().map(Machine::known);
        for (key, value) in known.unwrap_or_default() {
            let plan = &mut self.folder.plan;
            if !plan.particulars.contains_key(key)
                && let Err(why) = plan.set_particular(key, &value)
            {
                print(&format!("{key}: {why}\n"));
            }
        }
    }
}

/// Characters of what the tool saw that become the note of a failure; all of it is in the tool's own part.
const MAX_SEEN: usize = 2_000;

/// Says what became of the appointments. What could not be cancelled is a failure.
fn told(done: &ClearedUp) -> Outcome {
    for line in &done.cancelled {
        print(&format!("Cancelled at the end: {line}\n"));
    }
    for line in &done.absent {
        print(&format!(
            "Asked for when the program was ended, and not booked at the service: {line}\n"
        ));
    }
    if !done.kept.is_empty() {
        print("Still booked, because open steps need it; `uec assure plan release` cancels it:\n");
        for line in &done.kept {
            print(&format!("  {line}\n"));
        }
    }
    match done.left.is_empty() {
        true => Ok(()),
        false => Err(Failure::Refused(format!(
            "may still be booked, see to it by hand:\n  {}",
            done.left.join("\n  ")
        ))),
    }
}
