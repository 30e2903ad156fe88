//! `uec provider copy`: a whole database into an empty one, of either kind.
//!
//! Progress goes to standard error, what came of it to standard output.

use super::print_json;
use crate::serve::{read_settings, runtime, stop_signal};
use crate::{Failure, Outcome, output, print};
use booking::count::plural;
use clap::Args;
use provider::store::{self, CopyError, CopyOptions, CopyProgress, CopyReport, CopyStage};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Least time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(1);
/// How long a copy that is to stop may take to come to its end by itself. After that the program just ends: nothing was
/// committed, so the database takes everything back.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Characters of a digest that the table shows; JSON has all of them.
const DIGEST_SHOWN: usize = 16;

/// Arguments of `uec provider copy`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    uec provider copy --from sqlite:/var/lib/uec/provider.sqlite --to postgres://uec@db.example/uec\n  \
    uec provider copy --from postgres://uec@db.example/uec --to sqlite:/var/lib/uec/provider.sqlite\n\n\
    The way from stopping the providers to starting them again is in docs/moving.md.")]
pub struct Copy {
    /// Database to copy: `sqlite:PATH`, the path of a file, or `postgres://USER@HOST/DATABASE` [required, here or in the
    /// settings file]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Settings file of the Provider, TOML: its `database` is copied where --from is not given
    #[arg(long, env = "UEC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to: a file that is not there yet, or an empty database
    #[arg(long, value_name = "URL")]
    to: String,
    /// Copy although providers are at work in the source: for a rehearsal only
    #[arg(long)]
    while_running: bool,
    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Copy {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let options = CopyOptions {
            while_running: self.while_running,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (done, wait) = oneshot::channel();
        let settings = self.config.as_deref().map(read_settings).transpose()?;
        let from_file = settings.and_then(|settings| settings.database);
        let from = self.from.clone().or(from_file).ok_or_else(|| {
            Failure::Usage("say what to copy: --from URL, or --config with `database` in it".into())
        })?;
        let (to, told) = (self.to.clone(), stop.clone());
        let mut screen = Screen::new(self.quiet);
        let begun = Instant::now();
        let runtime = runtime()?;
        let outcome = runtime.block_on(async {
            let stopped = stop_signal();
            // A thread of its own: it waits for databases.
            let copying = std::thread::Builder::new().name("copy".to_owned());
            copying
                .spawn(move || {
                    let outcome = store::copy(&from, &to, &options, &mut |progress| {
                        screen.show(progress);
                        match told.load(Ordering::Relaxed) {
                            true => ControlFlow::Break(()),
                            false => ControlFlow::Continue(()),
                        }
                    });
                    // Nobody waits any more when it took too long to stop.
                    let _ = done.send(outcome);
                })
                .map_err(|e| Failure::Refused(format!("cannot start a thread: {e}")))?;
            ended(wait, stopped, &stop).await
        });
        match outcome? {
            Ok(report) => self.show(&report, begun.elapsed()),
            Err(error) if error.is_usage() => Err(Failure::Usage(error.to_string())),
            Err(error) => Err(Failure::Refused(error.to_string())),
        }
    }

    fn show(&self, report: &CopyReport, took: Duration) -> Outcome {
        if self.json {
            return print_json(&as_value(report, took));
        }
        print(&table(report));
        print(&advice(report, took));
        Ok(())
    }
}

/// What became of the copy, also when it is told to stop.
async fn ended(
    mut wait: oneshot::Receiver<Result<CopyReport, CopyError>>,
    stopped: impl Future<Output = ()>,
    stop: &AtomicBool,
) -> Result<Result<CopyReport, CopyError>, Failure> {
    let outcome = tokio::select! {
        outcome = &mut wait => Ok(outcome),
        () = stopped => {
            stop.store(true, Ordering::Relaxed);
            tokio::time::timeout(STOP_WITHIN, wait).await
        }
    };
    match outcome {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err(Failure::Refused(
            "the copy ended unexpectedly; nothing was copied".to_owned(),
        )),
        Err(_) => Ok(Err(CopyError::Stopped)),
    }
}

/// Says how far it is.
struct Screen {
    quiet: bool,
    /// When the present stage of the present table began.
    began: Instant,
    /// When a line was last written.
    said: Option<Instant>,
}

impl Screen {
    fn new(quiet: bool) -> Screen {
        Screen {
            quiet,
            began: Instant::now(),
            said: None,
        }
    }

    fn show(&mut self, progress: &CopyProgress) {
        let now = Instant::now();
        if progress.rows == 0 {
            self.began = now;
        }
        let is_due = self
            .said
            .is_none_or(|said| now.duration_since(said) >= LINE_EVERY);
        let is_told = progress.stage == CopyStage::Checking && progress.is_done;
        if self.quiet || is_told || !is_due {
            return;
        }
        self.said = Some(now);
        let line = line(progress, now.duration_since(self.began));
        output::note(&format!("{line}\n"));
    }
}

fn line(progress: &CopyProgress, took: Duration) -> String {
    let table = progress.table;
    let what = match progress.stage {
        CopyStage::Checking => return "checking the audit trails of the source".to_owned(),
        CopyStage::Copying => format!("copying {table}"),
        CopyStage::Verifying => format!("reading {table} again"),
    };
    if progress.rows == 0 {
        return what;
    }
    let rate = rate(progress.rows, took);
    format!(
        "{what}: {} rows, {} rows/s",
        grouped(progress.rows),
        grouped(rate)
    )
}

/// Rows a second.
fn rate(rows: u64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    rows.saturating_mul(1_000) / millis
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn table(report: &CopyReport) -> String {
    let mut out = format!("{:<20} {:>14}  digest, the same in both\n", "table", "rows");
    for table in &report.tables {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:<20} {:>14}  {}",
            table.name,
            grouped(table.rows),
            table.digest.get(..DIGEST_SHOWN).unwrap_or(&table.digest)
        );
    }
    for chain in &report.chains {
        let _ = writeln!(
            out,
            "audit trail of {}: {} {} verified in both, head {}",
            chain.provider,
            grouped(chain.rows),
            plural(chain.rows, "row", "rows"),
            chain.head
        );
    }
    let _ = writeln!(
        out,
        "live bookings: {}, each in a slot of its own; every row refers to rows that are there",
        grouped(report.live_bookings)
    );
    for table in &report.left_behind {
        let _ = writeln!(
            out,
            "not copied: the table {table}, which is not of this program"
        );
    }
    out
}

fn rows(report: &CopyReport) -> u64 {
    report.tables.iter().map(|table| table.rows).sum()
}

fn advice(report: &CopyReport, took: Duration) -> String {
    let CopyReport {
        from, to, as_of, ..
    } = report;
    let done = format!(
        "{} {} copied from {from} to {to} and verified in {:.1} s\n",
        grouped(rows(report)),
        plural(rows(report), "row", "rows"),
        took.as_secs_f64()
    );
    let next = match report.is_whole {
        true => "Next:\n  \
            1. Put the old database out of reach, so that nothing writes to it by mistake: rename it. It is as it was, and\n     \
               the way back until the first booking in the new one.\n  \
            2. Name the new one to every provider: --database, UEC_DATABASE, or `database` in the settings file.\n  \
            3. Start them.\n"
            .to_owned(),
        false => format!(
            "This is a rehearsal: what was booked or changed after {as_of:.0} is not in it. Do not put it into service.\n\
             For the move, stop all providers and copy into another empty database without --while-running.\n"
        ),
    };
    done + &next
}

fn as_value(report: &CopyReport, took: Duration) -> Value {
    let tables: Vec<Value> = report
        .tables
        .iter()
        .map(|t| json!({"table": t.name, "rows": t.rows, "sha256": t.digest}))
        .collect();
    let chains: Vec<Value> = report
        .chains
        .iter()
        .map(|c| json!({"provider": c.provider, "rows": c.rows, "head": c.head}))
        .collect();
    json!({
        "from": report.from,
        "to": report.to,
        "asOf": report.as_of.to_string(),
        "rehearsal": !report.is_whole,
        "verified": true,
        "rows": rows(report),
        "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "tables": tables,
        "auditTrails": chains,
        "liveBookings": report.live_bookings,
        "notCopied": report.left_behind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_rates_can_be_read() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(rate(500, Duration::ZERO), 500_000);
        let progress = CopyProgress {
            stage: CopyStage::Copying,
            table: "slot",
            rows: 20_480,
            is_done: false,
        };
        assert_eq!(
            line(&progress, Duration::from_secs(2)),
            "copying slot: 20,480 rows, 10,240 rows/s"
        );
    }
}
