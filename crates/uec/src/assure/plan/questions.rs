//! The questions about particulars, actors and prerequisites, and the order of all.

use super::run::{Move, Session};
use super::talk::Said;
use crate::{Failure, print};
use assurance::plan::{
    Actor, Field, NOBODY, Outcome, Plan, PlanKind, Prerequisite, Role, Step, fields, prerequisites,
    steps,
};
use jiff::Timestamp;

/// Something that is asked for.
pub enum Item {
    /// A particular.
    Particular(&'static Field),
    /// Who has a role.
    Actor(Role),
    /// Whether something is there.
    Prerequisite(&'static Prerequisite),
    /// A step.
    Step(Box<Step>),
}

/// Everything that a plan asks for, in order.
pub fn items(kind: PlanKind) -> Vec<Item> {
    let before = fields(kind).filter(|f| !f.after).map(Item::Particular);
    let after = fields(kind).filter(|f| f.after).map(Item::Particular);
    before
        .chain(Role::ALL.into_iter().map(Item::Actor))
        .chain(prerequisites(kind).map(Item::Prerequisite))
        .chain(steps(kind).into_iter().map(|s| Item::Step(Box::new(s))))
        .chain(after)
        .collect()
}

impl Item {
    /// Whether it is to be asked.
    pub fn is_open(&self, plan: &Plan) -> bool {
        match self {
            // What may be left out is asked once, in its turn.
            Item::Particular(field) => {
                let asked_by_now = !plan.actors.is_empty() || !plan.answers.is_empty();
                !plan.particulars.contains_key(field.key) && (field.required || !asked_by_now)
            }
            Item::Actor(role) => plan.actors.get(role).is_none_or(Actor::is_open),
            Item::Prerequisite(asked) => !plan.prerequisites.contains_key(asked.key),
            Item::Step(step) => plan
                .answers
                .get(&step.id)
                .is_none_or(|a| a.missing().is_some()),
        }
    }
}

impl Session {
    /// Asks about an item.
    pub fn ask(&mut self, item: &Item, at: usize, all: &[Item]) -> Result<Move, Failure> {
        match item {
            Item::Particular(field) => self.particular(field),
            Item::Actor(role) => self.actor(*role),
            Item::Prerequisite(asked) => self.prerequisite(asked),
            Item::Step(step) => {
                let is_step = |i: &&Item| matches!(i, Item::Step(_));
                let number = all.iter().take(at + 1).filter(is_step).count();
                let of = all.iter().filter(is_step).count();
                self.step(step, &format!("{number}/{of}"))
            }
        }
    }

    /// What the program already knows.
    fn suggestion(&self, key: &str) -> Option<String> {
        let machine = self.machine.as_ref();
        match key {
            "date" => Some(
                Timestamp::now()
                    .in_tz("Europe/London")
                    .ok()?
                    .date()
                    .to_string(),
            ),
            "service" => machine?.service().map(ToString::to_string),
            "service_empty" => machine?.empty().map(ToString::to_string),
            "consumer_system" => machine.map(|m| m.system()),
            "consumer_organisation" => machine.map(|m| m.organisation()),
            _ => None,
        }
    }

    fn particular(&mut self, field: &Field) -> Result<Move, Failure> {
        let known = self.folder.plan.particulars.get(field.key).cloned();
        let default = known.or_else(|| self.suggestion(field.key));
        let label = match field.required {
            true => field.label.to_owned(),
            false => format!("{} (may be left out)", field.label),
        };
        loop {
            let said = self.talk.ask(&label, default.as_deref(), field.help);
            let value = match (said, &default) {
                (Said::Text(text), _) => text,
                (Said::Nothing, Some(default)) => default.clone(),
                (Said::Nothing, None) if field.required => {
                    print("  It is needed before the plan is complete; `skip` leaves it open.\n");
                    continue;
                }
                (Said::Nothing, None) | (Said::Skip, _) => return Ok(Move::On),
                (Said::Back, _) => return Ok(Move::Back),
                (Said::Quit, _) => return Ok(Move::Quit),
            };
            match self.folder.plan.set_particular(field.key, &value) {
                Ok(()) => {
                    self.save()?;
                    return Ok(Move::On);
                }
                Err(why) => print(&format!("  {why}\n")),
            }
        }
    }

    /// Name, organisation and contact; each is kept as soon as it is said.
    fn actor(&mut self, role: Role) -> Result<Move, Failure> {
        const HELP: [&str; 3] = [
            "The person who does this part and signs. `nobody` if the role is not filled; the report says so.",
            "The organisation that they act for, by name or ODS code.",
            "Telephone or mail address at work, at which they are reached during the run. Enter leaves it out.",
        ];
        let labels = ["", ": organisation", ": contact (may be left out)"];
        let mut part = 0;
        while part < labels.len() {
            let known = self.folder.plan.actors.get(&role).cloned();
            let mut actor = known.unwrap_or(Actor {
                name: String::new(),
                organisation: String::new(),
                contact: String::new(),
            });
            let value = match part {
                0 => &mut actor.name,
                1 => &mut actor.organisation,
                _ => &mut actor.contact,
            };
            let default = Some(value.clone()).filter(|v| !v.is_empty());
            let label = format!(
                "{}{}",
                role.title(),
                labels.get(part).copied().unwrap_or_default()
            );
            let help = HELP.get(part).copied().unwrap_or_default();
            match self.talk.ask(&label, default.as_deref(), help) {
                Said::Text(text) => *value = text,
                Said::Nothing if default.is_some() || part == 2 => {}
                Said::Nothing => {
                    print(&format!(
                        "  It is needed; `{NOBODY}` if the role is not filled, `skip` leaves it open.\n"
                    ));
                    continue;
                }
                Said::Skip => return Ok(Move::On),
                Said::Back if part > 0 => {
                    part -= 1;
                    continue;
                }
                Said::Back => return Ok(Move::Back),
                Said::Quit => return Ok(Move::Quit),
            }
            let somebody = actor.is_somebody();
            if let Err(why) = self.folder.plan.set_actor(role, actor) {
                print(&format!("  {why}\n"));
                continue;
            }
            self.save()?;
            if !somebody {
                return Ok(Move::On);
            }
            part += 1;
        }
        Ok(Move::On)
    }

    fn prerequisite(&mut self, asked: &Prerequisite) -> Result<Move, Failure> {
        const HELP: &str = "yes, no, or na if it does not apply. A `no` is followed by what is missing, and keeps the plan from being complete.";
        let known = self.folder.plan.prerequisites.get(asked.key).cloned();
        print(&format!("\nPrerequisite: {}\n", asked.text));
        let result = loop {
            let default = known.as_ref().map(|c| c.result.word());
            match self.talk.ask("yes, no or na", default, HELP) {
                Said::Text(text) => match Outcome::from_word(&text) {
                    Ok(result) => break result,
                    Err(_) => print("  Write yes, no or na.\n"),
                },
                Said::Nothing => match &known {
                    Some(known) => break known.result,
                    None => print("  Write yes, no or na; `skip` leaves it open.\n"),
                },
                Said::Skip => return Ok(Move::On),
                Said::Back => return Ok(Move::Back),
                Said::Quit => return Ok(Move::Quit),
            }
        };
        let note = known.map(|c| c.note).unwrap_or_default();
        self.ready(asked, result, &note)?;
        let help = "What is to be known about it: what is missing, who sees to it, where the document is. Enter leaves it out.";
        match self
            .talk
            .ask("Note", Some(note.as_str()).filter(|n| !n.is_empty()), help)
        {
            Said::Text(text) => self.ready(asked, result, &text)?,
            Said::Nothing | Said::Skip => {}
            // Back is the same question again: the note belongs to it.
            Said::Back => return self.prerequisite(asked),
            Said::Quit => return Ok(Move::Quit),
        }
        Ok(Move::On)
    }

    fn ready(&mut self, asked: &Prerequisite, result: Outcome, note: &str) -> Result<(), Failure> {
        match self.folder.plan.set_prerequisite(asked.key, result, note) {
            Ok(()) => self.save(),
            Err(why) => {
                print(&format!("  {why}\n"));
                Ok(())
            }
        }
    }
}
