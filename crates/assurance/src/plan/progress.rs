//! Where a plan stands: what is open, what failed, who has signed.

use super::actors::{Actor, Role};
use super::attachment;
use super::model::{Outcome, Plan, Signature};
use super::published::{fields, prerequisites};
use super::{Step, steps};
use crate::requirements::Level;
use booking::count::counted;
use std::path::Path;

/// Where a plan stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its steps.
    pub steps: Vec<Step>,
    /// Particulars that are asked for and not there, by their labels; those of before the run.
    pub particulars: Vec<&'static str>,
    /// Roles without a name, or with a name and no organisation.
    pub actors: Vec<&'static str>,
    /// Prerequisites without an answer.
    pub prerequisites: Vec<&'static str>,
    /// Steps without a whole answer: id and what is missing.
    pub unanswered: Vec<(String, &'static str)>,
    /// Result and actions, as far as they are missing.
    pub closing: Vec<&'static str>,
    /// Binding steps that failed.
    pub failed: Vec<String>,
    /// Optional steps that failed.
    pub failed_optional: Vec<String>,
    /// Prerequisites that were not there.
    pub not_ready: Vec<&'static str>,
    /// Roles whose signature is missing or void.
    pub unsigned: Vec<Role>,
    /// How many steps have passed, and how many do not apply.
    pub counts: (usize, usize),
}

/// Works out where a plan stands.
pub fn standing(plan: &Plan) -> Standing {
    let steps = steps(plan.plan);
    let missing = |after: bool| {
        fields(plan.plan)
            .filter(|f| f.required && f.after == after && !plan.particulars.contains_key(&f.key))
            .map(|f| f.label.as_str())
            .collect::<Vec<_>>()
    };
    let mut standing = Standing {
        particulars: missing(false),
        actors: Role::ALL
            .into_iter()
            .filter(|role| plan.actors.get(role).is_none_or(Actor::is_open))
            .map(Role::title)
            .collect(),
        prerequisites: prerequisites(plan.plan)
            .filter(|p| !plan.prerequisites.contains_key(&p.key))
            .map(|p| p.key.as_str())
            .collect(),
        not_ready: prerequisites(plan.plan)
            .filter(|p| {
                let check = plan.prerequisites.get(&p.key);
                check.is_some_and(|c| c.result == Outcome::Failed)
            })
            .map(|p| p.key.as_str())
            .collect(),
        unanswered: Vec::new(),
        closing: missing(true),
        failed: Vec::new(),
        failed_optional: Vec::new(),
        unsigned: unsigned(plan),
        counts: (0, 0),
        steps,
    };
    for step in &standing.steps {
        let answer = plan.answers.get(&step.id);
        if let Some(missing) = answer.map_or(Some("the result"), |a| a.missing()) {
            standing.unanswered.push((step.id.clone(), missing));
        }
        match answer.and_then(|a| a.result) {
            Some(Outcome::Passed) => standing.counts.0 += 1,
            Some(Outcome::NotApplicable) => standing.counts.1 += 1,
            Some(Outcome::Failed) if step.row.level == Level::Must => {
                standing.failed.push(step.id.clone());
            }
            Some(Outcome::Failed) => standing.failed_optional.push(step.id.clone()),
            None => {}
        }
    }
    standing
}

fn unsigned(plan: &Plan) -> Vec<Role> {
    let holds = |role: Role| {
        let of_role = |s: &&Signature| s.role == role && plan.void(s).is_none();
        plan.signatures.iter().any(|s| of_role(&s))
    };
    plan.actors
        .iter()
        .filter(|(role, actor)| actor.is_somebody() && !holds(**role))
        .map(|(role, _)| *role)
        .collect()
}

impl Standing {
    /// Everything that has to be answered before anybody can sign.
    pub fn open(&self) -> Vec<String> {
        let quoted = |what: &str, list: &[&str]| -> Vec<String> {
            list.iter().map(|item| format!("{what}{item}")).collect()
        };
        let mut open = quoted("the particular ", &self.particulars);
        open.extend(quoted("the actor: ", &self.actors));
        open.extend(quoted("the prerequisite ", &self.prerequisites));
        open.extend(
            self.unanswered
                .iter()
                .map(|(id, missing)| format!("{id} ({missing})")),
        );
        open.extend(quoted("the particular ", &self.closing));
        open
    }

    /// Why the plan is not complete, one sentence for each reason; empty when it is.
    pub fn why_incomplete(&self) -> Vec<String> {
        let mut why = Vec::new();
        let open = self.open();
        if let Some(first) = open.first() {
            let missing = counted(open.len(), "answer is", "answers are");
            why.push(match open.len() {
                1 => format!("{missing} missing: {first}."),
                _ => format!("{missing} missing, first {first}."),
            });
        }
        if !self.failed.is_empty() {
            why.push(format!("Failed: {}.", self.failed.join(", ")));
        }
        if !self.not_ready.is_empty() {
            why.push(format!(
                "Prerequisites that were not there: {}.",
                self.not_ready.join(", ")
            ));
        }
        if !self.unsigned.is_empty() {
            let roles: Vec<&str> = self.unsigned.iter().map(|r| r.title()).collect();
            why.push(format!(
                "Not signed, or signed before a change: {}.",
                roles.join("; ")
            ));
        }
        why
    }
}

/// Attachments that are missing or changed in the folder.
pub fn attachment_faults(folder: &Path, plan: &Plan) -> Vec<String> {
    plan.answers
        .values()
        .flat_map(|a| &a.attachments)
        .filter_map(|a| attachment::fault(folder, a))
        .collect()
}
