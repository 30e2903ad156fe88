//! The questions of a step, and the tool's part in it.

use super::run::{Move, Session};
use super::talk::Said;
use super::{failure, shown};
use crate::{Failure, print};
use assurance::plan::automatic::Seen;
use assurance::plan::{Answer, Outcome, Step, Task};
use std::path::Path;

const RESULT_HELP: &str = "pass: as expected.  fail: not as expected; what was seen is asked next.  na: does not apply; the reason is asked next.";
const AGAIN_HELP: &str = "again: the tool does its part once more.";

/// Questions of a step, in order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Result,
    Seen,
    Action,
    By,
    Attach,
    Done,
}

/// Where a step's questions lead.
enum Turn {
    To(Part),
    Away(Move),
}

impl Session {
    /// Asks about a step. Each answer is kept as soon as it is said; what was said before is not asked again, unless the
    /// step was whole and somebody came back to it.
    pub fn step(&mut self, step: &Step, number: &str) -> Result<Move, Failure> {
        print(&format!(
            "\n[{number}] {} {} ({}, {})\n  {}: {}\n  Expected: {}\n",
            step.id,
            step.row.title,
            step.row.side.word(),
            step.row.level.word(),
            step.row.who.title(),
            step.act(),
            step.expected()
        ));
        let before = self.answer(step);
        if before.result.is_some() {
            print(&format!(
                "  So far: {} {}\n",
                shown::word(Some(&before)),
                before.seen
            ));
        }
        if before.result.is_none()
            && let Some(away) = self.tool_part(step)?
        {
            return Ok(away);
        }
        let mut part = match (before.result, before.missing()) {
            (Some(Outcome::Failed | Outcome::NotApplicable), Some(_)) if before.seen.is_empty() => {
                Part::Seen
            }
            (Some(_), Some(_)) => Part::By,
            _ => Part::Result,
        };
        loop {
            let turn = match part {
                Part::Result => self.result(step)?,
                Part::Seen => self.seen(step)?,
                Part::Action => self.action(step)?,
                Part::By => self.by(step)?,
                Part::Attach => self.attach(step)?,
                Part::Done => return Ok(Move::On),
            };
            match turn {
                Turn::To(next) => part = next,
                Turn::Away(away) => return Ok(away),
            }
        }
    }

    fn answer(&self, step: &Step) -> Answer {
        let answer = self.folder.plan.answers.get(&step.id);
        answer.cloned().unwrap_or_default()
    }

    /// Keeps a change of the plan, or says why it is none.
    fn keep(&mut self, changed: Result<(), String>) -> Result<bool, Failure> {
        match changed {
            Ok(()) => self.save().map(|()| true),
            Err(why) => {
                print(&format!("  {why}\n"));
                Ok(false)
            }
        }
    }

    fn result(&mut self, step: &Step) -> Result<Turn, Failure> {
        let before = self.answer(step);
        let automatic = self.machine.is_some() && step.row.task.is_some();
        let help = match automatic {
            true => format!("{RESULT_HELP}  {AGAIN_HELP}"),
            false => RESULT_HELP.to_owned(),
        };
        let question = match (&before.tool, step.look()) {
            (Some(tool), Some(look)) if tool.passed => format!("{look}\npass, fail or na"),
            _ => "pass, fail or na".to_owned(),
        };
        let default = before.result.map(|r| r.word());
        match self.talk.ask(&question, default, &help) {
            Said::Text(text) if automatic && text.eq_ignore_ascii_case("again") => {
                match self.tool_part_again(step)? {
                    Some(away) => Ok(Turn::Away(away)),
                    None => Ok(Turn::To(Part::Result)),
                }
            }
            Said::Text(text) => match Outcome::from_word(&text) {
                Ok(result) => {
                    let changed = self.folder.plan.set_result(&step.id, result);
                    let kept = self.keep(changed)?;
                    Ok(Turn::To(if kept { Part::Seen } else { Part::Result }))
                }
                Err(why) => {
                    print(&format!("  {why}.\n"));
                    Ok(Turn::To(Part::Result))
                }
            },
            Said::Nothing if before.result.is_some() => Ok(Turn::To(Part::Seen)),
            Said::Nothing => {
                print("  Write pass, fail or na; `skip` leaves the step open.\n");
                Ok(Turn::To(Part::Result))
            }
            Said::Skip => Ok(Turn::Away(Move::On)),
            Said::Back => Ok(Turn::Away(Move::Back)),
            Said::Quit => Ok(Turn::Away(Move::Quit)),
        }
    }

    fn seen(&mut self, step: &Step) -> Result<Turn, Failure> {
        let answer = self.answer(step);
        let (question, needed) = match answer.result {
            Some(Outcome::Failed) => ("What was seen instead", true),
            Some(Outcome::NotApplicable) => ("Why does it not apply", true),
            _ => ("What was seen (Enter: as expected)", false),
        };
        let next = match answer.result {
            Some(Outcome::Failed) => Part::Action,
            _ => Part::By,
        };
        let known = Some(answer.seen.as_str()).filter(|s| !s.is_empty());
        match self.talk.ask(
            question,
            known,
            "One line, without names or numbers of real patients.",
        ) {
            Said::Text(text) => {
                let changed = self.folder.plan.set_seen(&step.id, &text);
                let kept = self.keep(changed)?;
                Ok(Turn::To(if kept { next } else { Part::Seen }))
            }
            Said::Nothing if needed && known.is_none() => {
                print("  It is needed.\n");
                Ok(Turn::To(Part::Seen))
            }
            Said::Nothing => Ok(Turn::To(next)),
            Said::Skip => Ok(Turn::Away(Move::On)),
            Said::Back => Ok(Turn::To(Part::Result)),
            Said::Quit => Ok(Turn::Away(Move::Quit)),
        }
    }

    fn action(&mut self, step: &Step) -> Result<Turn, Failure> {
        let answer = self.answer(step);
        let known = Some(answer.action.as_str()).filter(|a| !a.is_empty());
        let help = "What has to be changed, by whom and by when. Enter leaves it out; the report says that there is none.";
        match self
            .talk
            .ask("What will be done about it, and by whom", known, help)
        {
            Said::Text(text) => {
                let changed = self.folder.plan.set_action(&step.id, &text);
                let kept = self.keep(changed)?;
                Ok(Turn::To(if kept { Part::By } else { Part::Action }))
            }
            Said::Nothing => Ok(Turn::To(Part::By)),
            Said::Skip => Ok(Turn::To(Part::By)),
            Said::Back => Ok(Turn::To(Part::Seen)),
            Said::Quit => Ok(Turn::Away(Move::Quit)),
        }
    }

    fn by(&mut self, step: &Step) -> Result<Turn, Failure> {
        let answer = self.answer(step);
        let known = Some(answer.by.clone()).filter(|b| !b.is_empty());
        let default = known.or_else(|| self.by.clone());
        let name = match self.talk.ask(
            "Who saw it",
            default.as_deref(),
            "The name of the person who saw it.",
        ) {
            Said::Text(text) => text,
            Said::Nothing => match default {
                Some(default) => default,
                None => {
                    print("  It is needed.\n");
                    return Ok(Turn::To(Part::By));
                }
            },
            Said::Skip => return Ok(Turn::Away(Move::On)),
            Said::Back => return Ok(Turn::To(Part::Seen)),
            Said::Quit => return Ok(Turn::Away(Move::Quit)),
        };
        let changed = match answer.by == name {
            true => Ok(()),
            false => self.folder.plan.set_by(&step.id, &name),
        };
        if self.keep(changed)? {
            self.by = Some(name);
            return Ok(Turn::To(Part::Attach));
        }
        Ok(Turn::To(Part::By))
    }

    fn attach(&mut self, step: &Step) -> Result<Turn, Failure> {
        let help = "Path of a file that shows it, such as a screen shot; it is copied into the folder. Up to 50 MB. Enter: no more.";
        match self.talk.ask("Attach a file (Enter: none)", None, help) {
            Said::Text(path) => {
                match self.folder.attach(step, Path::new(&path)) {
                    Ok(file) => {
                        self.folder.plan.add_attachment(&step.id, file);
                        self.save()?;
                    }
                    Err(error) => print(&format!("  {error}\n")),
                }
                Ok(Turn::To(Part::Attach))
            }
            Said::Nothing | Said::Skip => Ok(Turn::To(Part::Done)),
            Said::Back => Ok(Turn::To(Part::By)),
            Said::Quit => Ok(Turn::Away(Move::Quit)),
        }
    }

    /// The tool's part before people answer. `Some`: the step is over, or was left.
    fn tool_part(&mut self, step: &Step) -> Result<Option<Move>, Failure> {
        if self.machine.is_none() {
            return Ok(None);
        }
        let answer = self.answer(step);
        if let Some(tool) = answer.tool.filter(|tool| tool.passed) {
            print("  The tool has done its part:\n");
            lines(&tool.seen);
            return Ok(None);
        }
        self.tool_part_again(step)
    }

    fn tool_part_again(&mut self, step: &Step) -> Result<Option<Move>, Failure> {
        if let Some(ready) = step.row.ready {
            let done = match &mut self.machine {
                Some(machine) => machine.make_ready(&mut self.folder, step, ready),
                None => return Ok(None),
            };
            match done {
                Ok(seen) => {
                    lines(&seen.lines);
                    if !seen.passed {
                        print("  It could not be made ready as expected.\n");
                    }
                    self.attach_all(step, seen)?;
                }
                Err(why) => print(&format!("  Not made ready by the tool: {why}\n")),
            }
        }
        let Some(task) = step.row.task else {
            return Ok(None);
        };
        if let Some(handover) = step.handover() {
            match self.talk.ask(
                &format!("{handover} Enter when it is done"),
                None,
                "The tool then looks what became of it.",
            ) {
                Said::Text(_) | Said::Nothing => {}
                Said::Skip => return Ok(Some(Move::On)),
                Said::Back => return Ok(Some(Move::Back)),
                Said::Quit => return Ok(Some(Move::Quit)),
            }
        }
        match self.do_task(step, task)? {
            Some(true) if step.row.look.is_none() => {
                self.passed_by_tool(step)?;
                Ok(Some(Move::On))
            }
            Some(false) => {
                print(
                    "  This is not as expected. `again` repeats it; otherwise say how the step ended.\n",
                );
                Ok(None)
            }
            Some(true) | None => Ok(None),
        }
    }

    /// Does the tool's task and keeps what it saw: whether it was as expected, `None` if it could not be tried.
    pub fn do_task(&mut self, step: &Step, task: Task) -> Result<Option<bool>, Failure> {
        let Some(machine) = &mut self.machine else {
            return Ok(None);
        };
        match machine.perform(&mut self.folder, step, task) {
            Ok(seen) => {
                lines(&seen.lines);
                let passed = seen.passed;
                self.folder
                    .plan
                    .set_tool(&step.id, passed, seen.lines.clone());
                self.save()?;
                self.attach_all(step, seen)?;
                Ok(Some(passed))
            }
            Err(why) => {
                print(&format!("  Not done by the tool: {why}\n"));
                Ok(None)
            }
        }
    }

    fn attach_all(&mut self, step: &Step, seen: Seen) -> Result<(), Failure> {
        for (name, bytes) in seen.files {
            match self.folder.attach_bytes(step, &name, &bytes) {
                Ok(file) => {
                    print(&format!("  Kept: attachments/{}\n", file.file));
                    self.folder.plan.add_attachment(&step.id, file);
                }
                Err(error) => print(&format!("  {name} was not kept: {error}\n")),
            }
        }
        self.folder.save().map_err(failure)
    }

    /// A step that needs nobody else.
    pub fn passed_by_tool(&mut self, step: &Step) -> Result<(), Failure> {
        self.by_tool(step, Outcome::Passed, "")?;
        print("  Passed.\n");
        Ok(())
    }

    /// A step in which the systems did not do as expected.
    pub fn failed_by_tool(&mut self, step: &Step) -> Result<(), Failure> {
        let seen = self.answer(step).tool.map(|t| t.seen.join(" "));
        self.by_tool(step, Outcome::Failed, &seen.unwrap_or_default())?;
        print("  Failed.\n");
        Ok(())
    }

    fn by_tool(&mut self, step: &Step, result: Outcome, seen: &str) -> Result<(), Failure> {
        let by = self.by.clone();
        let by = by.unwrap_or_else(|| format!("uec {}", env!("CARGO_PKG_VERSION")));
        let seen: String = seen.chars().take(MAX_SEEN).collect();
        let plan = &mut self.folder.plan;
        let mut changed = plan.set_result(&step.id, result);
        if changed.is_ok() && !seen.trim().is_empty() {
            changed = plan.set_seen(&step.id, &seen);
        }
        if changed.is_ok() {
            changed = plan.set_by(&step.id, &by);
        }
        self.keep(changed).map(|_| ())
    }
}

/// Characters of what the tool saw that become the note of a failure; all of it is in the tool's own part.
const MAX_SEEN: usize = 2_000;

fn lines(all: &[String]) {
    for line in all {
        print(&format!("  {line}\n"));
    }
}
