//! `uec provider apply`: makes the database say what a declaration file says.

use super::{Database, london_date, print_json};
use crate::serve::runtime;
use crate::{Failure, Outcome, output, print};
use booking::count::{counted, plural};
use booking::named_file;
use clap::Args;
use jiff::Timestamp;
use provider::audit::operator;
use provider::diary::plan::Plan;
use provider::diary::{apply, declaration};
use std::fs::File;
use std::path::PathBuf;

/// Arguments of `uec provider apply`.
#[derive(Args)]
pub struct Apply {
    /// Declaration file, TOML
    pub file: PathBuf,
    #[command(flatten)]
    database: Database,
    /// Show the difference, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Go on although live bookings lose what they depend on: they and their slots stay, and are listed
    #[arg(long)]
    keep_bookings: bool,
    /// Print the difference as JSON
    #[arg(long)]
    json: bool,
}

impl Apply {
    pub fn run(self) -> Outcome {
        let shown = self.file.display().to_string();
        let text = named_file::text(File::open(&self.file), named_file::LARGE)
            .map_err(|e| Failure::Usage(format!("cannot read {shown}: {e}")))?;
        let now = Timestamp::now();
        let wanted = declaration::read::read(&text, &shown, london_date(now))
            .map_err(|e| Failure::Usage(format!("nothing was changed\n{e}")))?;
        if self.dry_run {
            let (store, is_new) = self.database.open_or_empty()?;
            if is_new {
                output::note("There is no database yet: all of this would be made.\n");
            }
            let plan = Plan::make(&store, &wanted, now).map_err(|e| e.to_string())?;
            let blocked = plan.newly_affected().count();
            self.show(&plan)?;
            return match blocked {
                n if n > 0 && !self.keep_bookings => Err(Failure::Refused(format!(
                    "{} on what would change: cancel or move {} first, or use --keep-bookings",
                    counted(n, "live booking depends", "live bookings depend"),
                    plural(n, "it", "them")
                ))),
                _ => Ok(()),
            };
        }
        let store = self.database.open(true)?;
        let options = apply::Options {
            keep_bookings: self.keep_bookings,
            actor: operator(),
        };
        let mut progress = |p: apply::Progress| {
            output::note(&format!(
                "\rslots: {} removed, {} added",
                p.removed, p.added
            ));
        };
        let applied =
            runtime()?.block_on(apply::apply(&store, &wanted, now, &options, &mut progress));
        let applied = match applied {
            Ok(applied) => applied,
            Err(error) => return Err(Failure::Refused(error.to_string())),
        };
        if applied.slots_added + applied.slots_removed > 0 {
            output::note("\n");
        }
        store.close();
        self.show(&applied.plan)
    }

    fn show(&self, plan: &Plan) -> Outcome {
        match self.json {
            true => print_json(&plan),
            false => {
                print(&plan.to_string());
                Ok(())
            }
        }
    }
}
