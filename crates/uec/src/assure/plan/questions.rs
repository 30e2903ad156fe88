//! The questions of `uec assure plan run`: what is open, one after the other. An answer is kept as `uec assure plan set`
//! and `uec assure plan record` keep it.

use super::run::Session;
use super::set::set;
use super::talk::{Left, ask};
use super::{failure, shown};
use crate::print;
use assurance::plan::{
    Actor, Given, NOBODY, Outcome, Plan, PlanError, PlanKind, Role, Step, Task, fields,
    prerequisites, steps,
};
use jiff::Timestamp;
use std::path::PathBuf;

const RESULT_HELP: &str = "pass: as expected.  fail: not as expected; what was seen is asked next.  na: does not apply; the reason is asked next.";
const AGAIN_HELP: &str = "  again: the tool does its part once more.";

/// A particular, an actor or a prerequisite.
struct Value {
    key: &'static str,
    question: String,
    help: String,
    /// Whether it is to be asked.
    is_open: Box<dyn Fn(&Plan) -> bool>,
    required: bool,
}

/// The values that a plan asks for before the steps, or after them.
fn values(kind: PlanKind, after: bool) -> Vec<Value> {
    let fields = fields(kind).filter(|field| field.after == after);
    let particulars = fields.map(|field| Value {
        key: &field.key,
        question: match field.required {
            true => field.label.clone(),
            false => format!("{} (may be left out)", field.label),
        },
        help: field.help.clone(),
        // What may be left out is asked once, in its turn.
        is_open: Box::new(|plan| {
            let asked_by_now = !plan.actors.is_empty() || !plan.answers.is_empty();
            !plan.particulars.contains_key(&field.key) && (field.required || !asked_by_now)
        }),
        required: field.required,
    });
    if after {
        return particulars.collect();
    }
    let actors = Role::ALL.into_iter().map(|role| Value {
        key: role.word(),
        question: format!("{} (NAME; ORGANISATION; CONTACT)", role.title()),
        help: format!(
            "Who does this part and signs, the organisation that they act for, by name or ODS code, and where they are \
             reached at work during the run; the last may be left out. `{NOBODY}` if the role is not filled; the report says so."
        ),
        is_open: Box::new(move |plan| plan.actors.get(&role).is_none_or(Actor::is_open)),
        required: true,
    });
    let prerequisites = prerequisites(kind).map(|asked| Value {
        key: &asked.key,
        question: format!("\nPrerequisite: {}\nyes, no or na; NOTE", asked.text),
        help: "yes, no, or na if it does not apply. A `no` keeps the plan from being complete. A note may follow: what is \
               missing, who sees to it, where the document is."
            .to_owned(),
        is_open: Box::new(|plan| !plan.prerequisites.contains_key(&asked.key)),
        required: true,
    });
    particulars.chain(actors).chain(prerequisites).collect()
}

impl Session {
    /// Asks about everything that is open: values, steps, and what is known after the steps.
    pub fn ask_all(&mut self) -> Result<(), Left> {
        let kind = self.folder.plan.plan;
        self.ask_values(&values(kind, false))?;
        for step in steps(kind) {
            let answer = self.folder.plan.answers.get(&step.id);
            if answer.is_none_or(|a| a.missing().is_some()) {
                unless_skipped(self.step(&step))?;
            }
        }
        self.ask_values(&values(kind, true))
    }

    fn ask_values(&mut self, values: &[Value]) -> Result<(), Left> {
        for value in values {
            if (value.is_open)(&self.folder.plan) {
                unless_skipped(self.value(value))?;
            }
        }
        Ok(())
    }

    /// What the program already knows.
    fn suggestion(&self, key: &str) -> Option<String> {
        if key == "date" {
            let now = Timestamp::now().in_tz("Europe/London").ok()?;
            return Some(now.date().to_string());
        }
        let known = self.machine.as_ref()?.known();
        known
            .into_iter()
            .find_map(|(k, value)| (k == key).then_some(value))
    }

    fn value(&mut self, value: &Value) -> Result<(), Left> {
        let default = self.suggestion(value.key);
        loop {
            let text = ask(&value.question, default.as_deref(), &value.help)?;
            if text.is_empty() {
                if !value.required {
                    return Ok(());
                }
                print("  It is needed before the plan is complete; `skip` leaves it open.\n");
                continue;
            }
            match set(&mut self.folder.plan, value.key, &text) {
                Err(why) => print(&format!("  {why}\n")),
                Ok(()) => {
                    self.save()?;
                    if !(value.is_open)(&self.folder.plan) {
                        return Ok(());
                    }
                    print("  The organisation is missing.\n");
                }
            }
        }
    }

    /// The tool's part of a step, then how it ended.
    fn step(&mut self, step: &Step) -> Result<(), Left> {
        let all = steps(self.folder.plan.plan);
        let number = all.iter().position(|s| s.id == step.id).unwrap_or_default() + 1;
        print(&format!(
            "\n[{number}/{}] {} {} ({}, {})\n  {}: {}\n  Expected: {}\n",
            all.len(),
            step.id,
            step.row.title,
            step.row.side.word(),
            step.row.level.word(),
            step.row.who.title(),
            step.act(),
            step.expected()
        ));
        let answer = self.folder.plan.answers.get(&step.id);
        let tool = answer.and_then(|answer| answer.tool.as_ref());
        if let Some(tool) = tool.filter(|tool| tool.passed && self.machine.is_some()) {
            print("  The tool has done its part:\n");
            shown::lines(&tool.seen);
        } else if self.tool_part(step)? {
            return Ok(());
        }
        let mut said: Option<Given> = None;
        loop {
            let Some((given, files)) = self.answer(step, said.as_ref())? else {
                if self.tool_part(step)? {
                    return Ok(());
                }
                continue;
            };
            match self.folder.record(step, &given, &files) {
                Ok(()) => {
                    self.by = Some(given.by);
                    return Ok(());
                }
                Err(error @ PlanError::Changed { .. }) => return Err(failure(error).into()),
                Err(error) => {
                    print(&format!("  {error}\n"));
                    said = Some(given);
                }
            }
        }
    }

    /// How a step ended, with files that show it; none: the tool is to do its part once more. What was said and could not be
    /// kept is suggested.
    fn answer(
        &self,
        step: &Step,
        said: Option<&Given>,
    ) -> Result<Option<(Given, Vec<PathBuf>)>, Left> {
        let automatic = self.machine.is_some() && step.row.task.is_some();
        let help = format!("{RESULT_HELP}{}", if automatic { AGAIN_HELP } else { "" });
        let answer = self.folder.plan.answers.get(&step.id);
        let tool = answer.and_then(|answer| answer.tool.as_ref());
        let question = match (tool, step.look()) {
            (Some(tool), Some(look)) if tool.passed => format!("{look}\npass, fail or na"),
            _ => "pass, fail or na".to_owned(),
        };
        let result = loop {
            let text = ask(&question, said.map(|said| said.result.word()), &help)?;
            if automatic && text.eq_ignore_ascii_case("again") {
                return Ok(None);
            }
            match Outcome::from_word(&text) {
                Ok(result) => break result,
                Err(_) => print("  Write pass, fail or na; `skip` leaves the step open.\n"),
            }
        };
        let question = match result {
            Outcome::Passed => "What was seen (Enter: as expected)",
            Outcome::Failed => "What was seen instead",
            Outcome::NotApplicable => "Why does it not apply",
        };
        let known = said
            .map(|said| said.seen.as_str())
            .filter(|t| !t.is_empty());
        let seen = ask(question, known, SEEN_HELP)?;
        let action = match result {
            Outcome::Failed => {
                let known = said
                    .map(|said| said.action.as_str())
                    .filter(|t| !t.is_empty());
                ask(
                    "What will be done about it, and by whom",
                    known,
                    ACTION_HELP,
                )?
            }
            _ => String::new(),
        };
        let by = ask("Who saw it", self.by.as_deref(), BY_HELP)?;
        let mut files = Vec::new();
        loop {
            match ask("Attach a file (Enter: none)", None, ATTACH_HELP)? {
                path if path.is_empty() => break,
                path => files.push(PathBuf::from(path)),
            }
        }
        let given = Given {
            result,
            by,
            seen,
            action,
        };
        Ok(Some((given, files)))
    }

    /// Has the tool do its part of a step. True: the step is over.
    fn tool_part(&mut self, step: &Step) -> Result<bool, Left> {
        if self.machine.is_none() {
            return Ok(false);
        }
        if let Some(ready) = step.row.ready
            && self.perform(step, Task::MakeReady(ready))? == Some(false)
        {
            print("  It could not be made ready as expected.\n");
        }
        let Some(task) = step.row.task else {
            return Ok(false);
        };
        if let Some(handover) = step.handover() {
            let question = format!("{handover} Enter when it is done");
            ask(&question, None, "The tool then looks what became of it.")?;
        }
        match self.perform(step, task)? {
            Some(true) if step.row.look.is_none() => {
                self.by_tool(step, Outcome::Passed)?;
                Ok(true)
            }
            Some(false) => {
                print(
                    "  This is not as expected. `again` repeats it; otherwise say how the step ended.\n",
                );
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// What is skipped stays open, and the next is asked.
fn unless_skipped(asked: Result<(), Left>) -> Result<(), Left> {
    match asked {
        Err(Left::Skipped) => Ok(()),
        other => other,
    }
}

const SEEN_HELP: &str = "One line, without names or numbers of real patients.";
const ACTION_HELP: &str = "What has to be changed, by whom and by when. Enter leaves it out; the report says that there is none.";
const BY_HELP: &str = "The name of the person who saw it.";
const ATTACH_HELP: &str = "Path of a file that shows it, such as a screen shot; it is copied into the folder. Up to 50 MB. Enter: no more.";
