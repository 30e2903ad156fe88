//! `uec provider slots`: see, hold back, release and remove slots. What changes many of them says so first, and asks.

use super::{Database, print_json, which_provider};
use crate::serve::runtime;
use crate::{Failure, Outcome, output, print};
use booking::count::{counted, plural};
use booking::ids::ServiceId;
use booking::slot::SlotStatus;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use provider::audit::operator;
use provider::diary::slot_counts::{self, DiaryCounts};
use provider::diary::slots::{self, Changed, Selection, SlotLine, Table};
use provider::store::SlotChange;
use std::io::{BufRead, IsTerminal};
use uuid::Uuid;

/// What can be done to slots.
#[derive(Subcommand)]
pub enum Slots {
    /// Print slots
    List(SlotList),
    /// Hold slots back from consumers; bookings stay
    ///
    /// Says first how many slots they are and when, and asks. Example:
    ///
    /// uec provider slots hold --provider FX101 --service 2000000011 --from 2026-12-01 --to 2026-12-05
    Hold(ChangeArgs),
    /// Release held slots; those of clinics that are declared `held` only where the clinic is named
    ///
    /// Says first how many slots they are and when, and asks. Example:
    ///
    /// uec provider slots release --provider FX101 --template flu-saturday
    Release(ChangeArgs),
    /// Take free slots out of the diary
    ///
    /// Says first how many slots they are and when, and asks. Example:
    ///
    /// uec provider slots remove --provider FX101 --slot 0193f1c2-7a10-7c55-8f6f-6f2f0a7c9d01
    Remove(ChangeArgs),
}

/// Which slots.
#[derive(Args)]
pub struct Selecting {
    #[command(flatten)]
    database: Database,
    /// ODS code of the provider; needed when the database holds several
    #[arg(long, value_name = "ODS")]
    provider: Option<String>,
    /// In the schedules of this service
    #[arg(long, value_name = "ID", value_parser = |s: &str| ServiceId::parse(s).map_err(|e| e.to_string()))]
    service: Option<ServiceId>,
    /// In this schedule; may be repeated
    #[arg(long, value_name = "ID")]
    schedule: Vec<String>,
    /// From this day on, YYYY-MM-DD in London [default: now]
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Up to and including this day
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// Made from this template or session
    #[arg(long, value_name = "ID")]
    template: Option<String>,
    /// In this state: free, busy, busy-unavailable, busy-tentative, entered-in-error
    #[arg(long, value_parser = |s: &str| SlotStatus::from_code(s).ok_or("not a slot status"))]
    status: Option<SlotStatus>,
    /// Held back (true) or not (false)
    #[arg(long)]
    held: Option<bool>,
    /// This slot; may be repeated
    #[arg(long, value_name = "UUID")]
    slot: Vec<Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Selecting {
    /// What is chosen; days in the wrong order are a slip of the command line.
    fn selection(&self) -> Result<Selection, Failure> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && to < from
        {
            return Err(Failure::Usage(format!(
                "the last day, --to {to}, is before the first, --from {from}"
            )));
        }
        Ok(Selection {
            schedules: self.schedule.clone(),
            service: self.service.clone(),
            from: self.from,
            to: self.to,
            template: self.template.clone(),
            status: self.status,
            held: self.held,
            slots: self.slot.clone(),
        })
    }
}

/// Arguments of `uec provider slots list`.
#[derive(Args)]
pub struct SlotList {
    #[command(flatten)]
    which: Selecting,
    /// Print the counts only
    #[arg(long)]
    count: bool,
}

/// Arguments of `uec provider slots hold|release|remove`.
#[derive(Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    which: Selecting,
    /// Count only, change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The whole diary: needed where no schedule, service, template, day or slot is named
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Slots {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Slots::List(list) => list.run(),
            Slots::Hold(change) => change.run(SlotChange::Hold),
            Slots::Release(change) => change.run(SlotChange::Release),
            Slots::Remove(change) => change.run(SlotChange::Remove),
        }
    }
}

impl SlotList {
    fn run(self) -> Outcome {
        let (selection, now) = (self.which.selection()?, Timestamp::now());
        let store = self.which.database.open(false)?;
        let ods = which_provider(&store, self.which.provider.as_deref())?;
        if self.count {
            let counts =
                slot_counts::count(&store, &ods, &selection, now).map_err(|e| e.to_string())?;
            if self.which.json {
                return print_json(&counts);
            }
            let DiaryCounts {
                free,
                closed,
                held,
                busy,
                other,
                total,
            } = counts;
            let on_closed_days = match closed {
                0 => String::new(),
                _ => format!("{closed} on closed days, "),
            };
            print(&format!(
                "{}: {free} free, {on_closed_days}{held} held back, {busy} booked, {other} unavailable\n",
                counted(total, "slot", "slots")
            ));
            return Ok(());
        }
        let pages = slots::pages(&store, &ods, &selection, now).map_err(|e| e.to_string())?;
        let (mut table, mut listed) = (Table::default(), 0);
        for page in pages {
            let lines = page.map_err(|e| e.to_string())?;
            match self.which.json {
                true => output::print_json(&json_lines(&lines, listed)?),
                false => print(&table.rows(&lines)),
            }
            listed += lines.len();
        }
        print(&match (self.which.json, listed) {
            (true, 0) => "[]\n".to_owned(),
            (true, _) => "\n]\n".to_owned(),
            (false, n) => format!("{}\n", counted(n, "slot", "slots")),
        });
        Ok(())
    }
}

/// The members of one JSON array, so that a list of any length is never held in memory.
fn json_lines(lines: &[SlotLine], before: usize) -> Result<String, Failure> {
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        text.push_str(if before + n == 0 { "[\n  " } else { ",\n  " });
        text.push_str(&serde_json::to_string(line).map_err(|e| e.to_string())?);
    }
    Ok(text)
}

impl ChangeArgs {
    fn run(self, change: SlotChange) -> Outcome {
        let selection = self.which.selection()?;
        if selection.is_everything() && !self.all {
            return Err(Failure::Usage(
                "say which slots, with --schedule, --service, --template, --from, --to or --slot; or --all for the whole \
                 diary. Nothing was changed"
                    .to_owned(),
            ));
        }
        if self.all && !selection.is_everything() {
            return Err(Failure::Usage(
                "--all is the whole diary; leave it out beside --schedule, --service, --template, --from, --to or --slot. \
                 Nothing was changed"
                    .to_owned(),
            ));
        }
        let store = self.which.database.open(false)?;
        let ods = which_provider(&store, self.which.provider.as_deref())?;
        let runtime = runtime()?;
        let run = |dry_run: bool| {
            let now = Timestamp::now();
            runtime
                .block_on(slots::change(
                    &store,
                    &ods,
                    &selection,
                    change,
                    dry_run,
                    &operator(),
                    now,
                ))
                .map_err(|e| e.to_string())
        };
        let would = run(true)?;
        let asked = !self.dry_run && would.changed > 0 && !self.yes;
        if asked && !is_confirmed(&format!("{}: {}", ods, sentence(&would)))? {
            return Err(Failure::Refused("nothing was changed".to_owned()));
        }
        let done = match self.dry_run {
            true => would,
            false => {
                let done = run(false)?;
                // What was found before is what the person was told.
                Changed {
                    first: would.first,
                    last: would.last,
                    ..done
                }
            }
        };
        if self.which.json {
            return print_json(&done);
        }
        print(&format!("{}\n", sentence(&done)));
        Ok(())
    }
}

/// What was done or would be, with number and span.
fn sentence(of: &Changed) -> String {
    let word = match (of.change, of.dry_run) {
        (SlotChange::Hold, false) => "held back",
        (SlotChange::Release, false) => "released",
        (SlotChange::Remove, false) => "removed",
        (SlotChange::Hold, true) => "would be held back",
        (SlotChange::Release, true) => "would be released",
        (SlotChange::Remove, true) => "would be removed",
    };
    let span = match (&of.first, &of.last) {
        (Some(first), Some(last)) if first == last => format!(", at {first}"),
        (Some(first), Some(last)) => format!(", from {first} to {last}"),
        _ => String::new(),
    };
    let mut text = format!(
        "{} {word}{span}; {} of the chosen slots {} booked or taken",
        counted(of.changed, "slot", "slots"),
        of.taken,
        plural(of.taken, "is", "are")
    );
    if !of.stay_held.is_empty() {
        text.push_str(&format!(
            "; the slots of {} stay held, as declared: name the clinic with --template to release them",
            of.stay_held.join(", ")
        ));
    }
    text
}

/// Asks at the terminal; where there is none, `--yes` has to say it.
fn is_confirmed(what: &str) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !(stdin.is_terminal() && output::notes_are_seen()) {
        return Err(Failure::Usage(format!(
            "{what}. Nothing was changed: there is no terminal to ask at, so say it with --yes"
        )));
    }
    output::note(&format!("{what}. Go on? [y/N] "));
    let mut line = String::new();
    stdin
        .lock()
        .read_line(&mut line)
        .map_err(|e| format!("the answer could not be read: {e}"))?;
    let said = line.trim().to_ascii_lowercase();
    Ok(matches!(said.as_str(), "y" | "yes"))
}
