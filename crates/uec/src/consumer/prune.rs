//! `uec consumer prune`: personal data leave the journal when they are due.

use super::session::Session;
use super::{Done, Stopped, ask, shown};
use crate::{output, print};
use clap::Args;
use consumer::journal::Forgotten;
use consumer::slots::{counted, day};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Take personal data that are due out of the journal; what reports count stays.
///
/// Due is what was over before the retention began: setting `retention_days`, or --days. Bookings that are still to come or
/// not certain stay whole.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  uec consumer prune --dry-run\n  uec consumer prune --days 90 --yes"
)]
pub struct Prune {
    /// Keep personal data for so many days, instead of the setting `retention_days`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_525))]
    pub days: Option<u32>,
    /// Say what would go, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before anything is taken out
    #[arg(long, short)]
    pub yes: bool,
}

impl Prune {
    pub(super) async fn run(self, session: &Session) -> Done {
        let days = self.days.unwrap_or(session.config.retention_days);
        let before = Timestamp::now()
            .checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
            .map_err(|e| Stopped::Usage(format!("--days: {e}")))?;
        let journal = session.journal();
        let due = journal.forget(before, true).await?;
        let nothing = due.encounters == 0;
        if !session.json || (!self.yes && !self.dry_run) {
            told(&due, days, before, session.json);
        }
        let done = match self.dry_run || nothing {
            true => false,
            false => {
                let question =
                    "Take these personal data out of the journal? They cannot be brought back.";
                if !ask::confirm(question, self.yes, "--yes")? {
                    return Err(Stopped::refused("Nothing was taken out."));
                }
                journal.forget(before, false).await?;
                true
            }
        };
        if session.json {
            shown::json(
                &json!({ "days": days, "before": before.to_string(), "due": due, "done": done }),
            );
        } else if done {
            print("Done. What reports count has stayed.\n");
        }
        Ok(())
    }
}

fn told(due: &Forgotten, days: u32, before: Timestamp, on_stderr: bool) {
    let mut text = match due.encounters {
        0 => format!(
            "No personal data are older than {days} days ({}).\n",
            day(before)
        ),
        _ => format!(
            "Older than {days} days (before {}): {}, in them {} with their patient and {}.\n",
            day(before),
            counted(due.encounters, "contact"),
            counted(due.bookings, "booking"),
            counted(due.requests, "request")
        ),
    };
    if due.kept > 0 {
        text.push_str(&format!(
            "Kept whole: {}, older, with a booking that is still to come or is not certain.\n",
            counted(due.kept, "contact")
        ));
    }
    match on_stderr {
        true => output::note(&text),
        false => print(&text),
    }
}
