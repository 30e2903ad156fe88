//! `uec assure plan set`: particulars, actors and prerequisites without questions.

use super::failure;
use crate::assure::usage;
use crate::{Outcome, print};
use assurance::plan::{
    Actor, Outcome as Ended, Plan, PlanFolder, Role, fields, prerequisites, standing,
};
use booking::count::counted;
use booking::nearest::named;
use clap::Args;
use std::path::PathBuf;

/// Write down particulars, actors and prerequisites.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  uec assure plan set fernhill-utc date=2031-03-04 service=2000000011\n  \
    uec assure plan set fernhill-utc \"provider-lead=Grace Hazel; FX101; 01632 960123\" dos-lead=nobody\n  \
    uec assure plan set fernhill-utc slots=yes \"callback=no; signed off next week\""
)]
pub struct Set {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// KEY=VALUE; the value of an actor is NAME; ORGANISATION; CONTACT, that of a prerequisite is yes, no or na; NOTE
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub values: Vec<String>,
}

impl Set {
    /// Checks all of them before any is written down.
    pub(super) fn run(self) -> Outcome {
        let mut folder = PlanFolder::open(&self.folder).map_err(failure)?;
        for pair in &self.values {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| usage(format!("{pair:?}: write KEY=VALUE")))?;
            let key = key.trim();
            let kept = set(&mut folder.plan, key, value.trim());
            kept.map_err(|why| usage(format!("{key}: {why}")))?;
        }
        folder.save().map_err(failure)?;
        let open = standing(&folder.plan).open();
        print(&match open.first() {
            Some(first) => format!(
                "Kept. {} open, first {first}.\n",
                counted(open.len(), "thing is", "things are")
            ),
            None => "Kept. Everything is answered.\n".to_owned(),
        });
        Ok(())
    }
}

/// Writes down a particular, an actor or a prerequisite.
pub(super) fn set(plan: &mut Plan, key: &str, value: &str) -> Result<(), String> {
    if fields(plan.plan).any(|f| f.key == key) {
        return plan.set_particular(key, value);
    }
    if let Ok(role) = Role::from_word(key) {
        let mut parts = value.splitn(3, ';').map(|part| part.trim().to_owned());
        let mut next = || parts.next().unwrap_or_default();
        let actor = Actor {
            name: next(),
            organisation: next(),
            contact: next(),
        };
        return plan.set_actor(role, actor);
    }
    if prerequisites(plan.plan).any(|p| p.key == key) {
        let (result, note) = value.split_once(';').unwrap_or((value, ""));
        let ended =
            Ended::from_word(result).map_err(|_| format!("{result:?} is none of yes, no, na"))?;
        return plan.set_prerequisite(key, ended, note);
    }
    let particulars = fields(plan.plan).map(|f| f.key.as_str());
    let known = particulars
        .chain(Role::ALL.into_iter().map(Role::word))
        .chain(prerequisites(plan.plan).map(|p| p.key.as_str()));
    named("value of this plan", key, known, |key| key).map(|_| ())
}
