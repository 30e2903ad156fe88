//! Changes of a plan: each checked, and each making the signatures before it void.

use super::actors::{Actor, Role};
use super::check::{MAX_CONTACTS, MAX_EARLIER, MAX_SIGNATURES, MAX_TEXT};
use super::model::{
    Answer, Attachment, Check, Contact, Earlier, Outcome, Plan, Signature, ToolSeen, Voided,
};
use super::progress::standing;
use super::published::{field_of, prerequisite_of};
use booking::count::counted;
use booking::ids::OdsCode;
use jiff::Timestamp;

/// Longest name of a person or an organisation, characters.
const MAX_NAME: usize = 200;

/// Most lines kept of what the tool saw; the files that it keeps have everything.
const MAX_LINES: usize = 100;

/// How a step ended, as somebody says it.
#[derive(Clone, Debug)]
pub struct Given {
    /// How it ended.
    pub result: Outcome,
    /// Who saw it.
    pub by: String,
    /// What was seen; needed unless the step passed.
    pub seen: String,
    /// What will be done about a failure, and who does it.
    pub action: String,
}

/// Checks a text: not empty, not too long.
pub(super) fn text(what: &str, value: &str) -> Result<String, String> {
    let value = value.trim();
    match value.chars().count() {
        0 => Err(format!("{what} is empty")),
        n if n > MAX_TEXT => Err(format!("{what} is longer than {MAX_TEXT} characters")),
        _ => Ok(value.to_owned()),
    }
}

fn name(what: &str, value: &str) -> Result<String, String> {
    let value = text(what, value)?;
    match value.chars().count() > MAX_NAME {
        true => Err(format!("{what} is longer than {MAX_NAME} characters")),
        false => Ok(value),
    }
}

impl Plan {
    /// Makes the signatures void that hold.
    fn changed(&mut self, what: String) {
        let at = Timestamp::now();
        for signature in self.signatures.iter_mut().filter(|s| s.voided.is_none()) {
            signature.voided = Some(Voided {
                at,
                change: what.clone(),
            });
        }
    }

    /// Writes a particular down.
    pub fn set_particular(&mut self, key: &str, value: &str) -> Result<(), String> {
        let field = field_of(self.plan, key)?;
        text(&field.label, value)?;
        let kept = field.kept(value)?;
        if self.particulars.get(key) == Some(&kept) {
            return Ok(());
        }
        self.particulars.insert(key.to_owned(), kept);
        self.changed(format!("{} was changed", field.label));
        Ok(())
    }

    /// Writes down who has a role.
    pub fn set_actor(&mut self, role: Role, actor: Actor) -> Result<(), String> {
        let actor = Actor {
            name: name("the name", &actor.name)?,
            organisation: optional("the organisation", &actor.organisation)?,
            contact: optional("the contact", &actor.contact)?,
        };
        if self.actors.get(&role) == Some(&actor) {
            return Ok(());
        }
        self.actors.insert(role, actor);
        self.changed(format!("{} was changed", role.title()));
        Ok(())
    }

    /// Writes down whether a prerequisite is there.
    pub fn set_prerequisite(
        &mut self,
        key: &str,
        result: Outcome,
        note: &str,
    ) -> Result<(), String> {
        prerequisite_of(self.plan, key)?;
        let note = optional("the note", note)?;
        let same = |c: &Check| c.result == result && c.note == note;
        if self.prerequisites.get(key).is_some_and(same) {
            return Ok(());
        }
        let check = Check {
            result,
            note,
            at: Timestamp::now(),
        };
        self.prerequisites.insert(key.to_owned(), check);
        self.changed(format!("the prerequisite {key} was changed"));
        Ok(())
    }

    fn answer(&mut self, step: &str) -> &mut Answer {
        self.answers.entry(step.to_owned()).or_default()
    }

    /// Writes down how a step ended. What was known of an earlier result stays in its history.
    pub fn record(&mut self, step: &str, given: &Given) -> Result<(), String> {
        let seen = optional("what was seen", &given.seen)?;
        let action = optional("the action", &given.action)?;
        let by = name("the name", &given.by)?;
        match given.result {
            Outcome::Failed if seen.is_empty() => Err(
                "what was seen (--seen) is missing: say what was seen instead of what was expected",
            ),
            Outcome::NotApplicable if seen.is_empty() => {
                Err("what was seen (--seen) is missing: say why the step does not apply")
            }
            _ => Ok(()),
        }?;
        let answer = self.answer(step);
        if let Some(before) = answer.result {
            if answer.earlier.len() >= MAX_EARLIER {
                return Err(format!(
                    "the step has had {MAX_EARLIER} results already: begin a new plan"
                ));
            }
            answer.earlier.push(Earlier {
                result: before,
                seen: std::mem::take(&mut answer.seen),
                by: std::mem::take(&mut answer.by),
                at: answer.at,
            });
        }
        answer.result = Some(given.result);
        answer.at = Some(Timestamp::now());
        (answer.seen, answer.action, answer.by) = (seen, action, by);
        self.changed(format!("{step} was answered"));
        Ok(())
    }

    /// Names a file of a step.
    pub fn add_attachment(&mut self, step: &str, attachment: Attachment) {
        let file = attachment.name.clone();
        self.answer(step).attachments.push(attachment);
        self.changed(format!("{step}: {file} was attached"));
    }

    /// Writes down what the tool saw; an earlier sight of the same step is replaced.
    pub fn set_tool(&mut self, step: &str, passed: bool, seen: Vec<String>) {
        let cut = |line: String| line.chars().take(MAX_TEXT).collect::<String>();
        let seen = seen.into_iter().take(MAX_LINES).map(cut).collect();
        self.answer(step).tool = Some(ToolSeen {
            passed,
            seen,
            at: Timestamp::now(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
        });
        self.changed(format!("{step} was done by the tool"));
    }

    /// Writes down a contact before anything is done in it. It is no part of what is signed.
    pub fn add_contact(&mut self, encounter: &str, part: &str) -> Result<(), String> {
        if self.contacts.len() >= MAX_CONTACTS {
            return Err(format!(
                "the plan has had {MAX_CONTACTS} contacts already: begin a new plan"
            ));
        }
        self.contacts.push(Contact {
            encounter: encounter.to_owned(),
            part: part.to_owned(),
            opened: Timestamp::now(),
            closed: false,
        });
        Ok(())
    }

    /// Signs. `organisation` is an ODS code.
    pub fn sign(
        &mut self,
        role: Role,
        by: &str,
        organisation: Option<&str>,
        statement: Option<&str>,
    ) -> Result<(), String> {
        let by = name("the name", by)?;
        let actor = self.actors.get(&role).filter(|a| a.is_somebody());
        let actor = actor.ok_or_else(|| {
            let named: Vec<&str> = self
                .actors
                .iter()
                .filter(|(_, a)| a.is_somebody())
                .map(|(role, _)| role.word())
                .collect();
            let named = match named.is_empty() {
                true => "nobody is named yet; `uec assure plan run` asks for the actors".to_owned(),
                false => format!("named are {}", named.join(", ")),
            };
            format!("the plan names nobody as {}: {named}", role.title())
        })?;
        if !actor.name.eq_ignore_ascii_case(&by) {
            return Err(format!(
                "the plan names {} as {}, not {by}: the person named signs, or the plan is put right first",
                actor.name,
                role.title()
            ));
        }
        let organisation = match organisation {
            Some(code) => OdsCode::parse(code)
                .map_err(|e| format!("the organisation: the {e}"))?
                .as_str()
                .to_owned(),
            None => actor.organisation.clone(),
        };
        let open = standing(self).open();
        if let Some(first) = open.first() {
            return Err(format!(
                "there is nothing whole to sign yet: {} still open, first {first}",
                counted(open.len(), "thing is", "things are")
            ));
        }
        let holds = |s: &Signature| s.role == role && self.void(s).is_none();
        if self.signatures.iter().any(holds) {
            return Err(format!(
                "{by} has signed already, and nothing was changed since"
            ));
        }
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(format!(
                "the plan has {MAX_SIGNATURES} signatures already: begin a new plan"
            ));
        }
        let signature = Signature {
            role,
            name: by,
            organisation,
            statement: optional("the statement", statement.unwrap_or_default())?,
            at: Timestamp::now(),
            seal: self.seal(),
            voided: None,
        };
        self.signatures.push(signature);
        Ok(())
    }
}

fn optional(what: &str, value: &str) -> Result<String, String> {
    match value.trim() {
        "" => Ok(String::new()),
        value => text(what, value),
    }
}
