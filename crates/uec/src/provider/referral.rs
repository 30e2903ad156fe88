//! `uec provider referral …`: what belongs together, the work list, the quarantine.
//!
//! Lists hold no patient data. A document leaves the database only with `show --original` or `--message`, which is
//! recorded in the audit trail first.

use super::{Database, print_json, which_provider};
use crate::serve::runtime;
use crate::{Failure, Outcome, output, print};
use booking::count::counted;
use booking::foreign::Foreign;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use provider::audit::{AuditEntry, operator};
use provider::referral::read;
use provider::store::{ReferralFilter, ReferralRow, Store, TenantKey};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Most referrals that one listing prints.
const MOST: usize = 10_000;
/// Longest reason for closing, characters.
const MAX_BECAUSE: usize = 500;

/// Referral documents.
#[derive(Subcommand)]
pub enum Referral {
    /// Print referrals and the bookings that they belong to
    List(List),
    /// Print one referral; write its document to a file
    Show(Show),
    /// Print what is in quarantine, or close an item of it
    Quarantine(Quarantine),
}

/// Whose referrals.
#[derive(Args)]
pub struct Whose {
    #[command(flatten)]
    database: Database,
    /// ODS code of the provider; needed when the database holds several
    #[arg(long, value_name = "ODS", conflicts_with = "unassigned")]
    provider: Option<String>,
    /// Messages that are addressed to no provider of this database
    #[arg(long)]
    unassigned: bool,
}

impl Whose {
    fn open(&self) -> Result<(Store, Option<TenantKey>), Failure> {
        let store = self.database.open(false)?;
        if self.unassigned {
            return Ok((store, None));
        }
        let ods = which_provider(&store, self.provider.as_deref())?;
        let key = store
            .tenants()
            .map_err(|e| e.to_string())?
            .into_iter()
            .find(|t| t.ods == ods)
            .map(|t| t.key);
        Ok((store, key))
    }
}

/// Arguments of `uec provider referral list`.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    whose: Whose,
    /// Only those without any booking: the work list
    #[arg(long, conflicts_with = "quarantined")]
    unmatched: bool,
    /// Only those in quarantine that nobody has dealt with
    #[arg(long)]
    quarantined: bool,
    /// Only those of this case, with their bookings: the number that the 111 service gave it
    #[arg(long, value_name = "NUMBER")]
    case: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `uec provider referral show`.
#[derive(Args)]
pub struct Show {
    /// Its id here, its document id or its tracking id
    id: String,
    #[command(flatten)]
    whose: Whose,
    /// Write the clinical document to this file, byte for byte as it was sent; one that is there is not overwritten.
    /// Further documents of the same message go beside it, to FILE.2, FILE.3 and so on
    #[arg(long, value_name = "FILE")]
    original: Option<PathBuf>,
    /// Write the whole message, with its envelope, to this file
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `uec provider referral quarantine`.
#[derive(Args)]
pub struct Quarantine {
    #[command(flatten)]
    whose: Whose,
    /// Take this item off the list; it is kept
    #[arg(long, value_name = "ID", requires = "because")]
    close: Option<String>,
    /// What was done about it
    #[arg(long, value_name = "TEXT", requires = "close")]
    because: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Referral {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Referral::List(list) => list.run(),
            Referral::Show(show) => show.run(),
            Referral::Quarantine(quarantine) => quarantine.run(),
        }
    }
}

impl List {
    fn run(self) -> Outcome {
        let filter = match (self.unmatched, self.quarantined) {
            (true, _) => ReferralFilter::Unmatched,
            (_, true) => ReferralFilter::Quarantined,
            _ => ReferralFilter::All,
        };
        print_list(&self.whose, filter, self.case.as_deref(), self.json)
    }
}

fn print_list(whose: &Whose, filter: ReferralFilter, case: Option<&str>, as_json: bool) -> Outcome {
    let (store, tenant) = whose.open()?;
    let mut rows = store
        .referrals(tenant, filter, MOST)
        .map_err(|e| e.to_string())?;
    if let Some(case) = case {
        rows = of_case(&store, rows, case)?;
    }
    if as_json {
        return print_json(&rows.iter().map(as_value).collect::<Vec<_>>());
    }
    print(&rows.iter().map(line).collect::<String>());
    let more = match rows.len() {
        MOST => " (there may be more)",
        _ => "",
    };
    print(&format!(
        "{}{more}\n",
        counted(rows.len(), "referral", "referrals")
    ));
    Ok(())
}

/// Those whose document carries this case number (D-64). The documents are read one after the other and nothing of them
/// is shown; what could not be looked at is told.
fn of_case(store: &Store, rows: Vec<ReferralRow>, case: &str) -> Result<Vec<ReferralRow>, Failure> {
    let wanted = case.trim();
    let (mut found, mut unread) = (Vec::new(), 0);
    if rows.len() == MOST {
        output::note(&format!("only the latest {MOST} referrals are searched\n"));
    }
    for row in rows {
        let message = store
            .referral_message(row.tenant, row.id)
            .map_err(|e| e.to_string())?;
        let document = message.map(|bytes| read(row.wire, &bytes).document);
        let Some(Ok(document)) = document else {
            unread += 1;
            continue;
        };
        let numbers = &document.facts.case_numbers;
        if numbers.iter().any(|n| n.eq_ignore_ascii_case(wanted)) {
            found.push(row);
        }
    }
    if unread > 0 {
        output::note(&format!(
            "{} not searched: uec provider referral quarantine\n",
            counted(
                unread,
                "message cannot be read and was",
                "messages cannot be read and were"
            )
        ));
    }
    Ok(found)
}

impl Show {
    fn run(self) -> Outcome {
        let (store, tenant) = self.whose.open()?;
        let row = store
            .referral(tenant, &self.id)
            .map_err(|e| e.to_string())?
            .ok_or_else(|| Failure::Refused(format!("there is no referral {} here", self.id)))?;
        if self.original.is_some() || self.message.is_some() {
            self.write_files(&store, &row)?;
        }
        store.close();
        if self.json {
            return print_json(&as_value(&row));
        }
        print(&details(&row));
        Ok(())
    }

    fn write_files(&self, store: &Store, row: &ReferralRow) -> Outcome {
        for file in [&self.original, &self.message].into_iter().flatten() {
            if file.exists() {
                return Err(Failure::Refused(format!(
                    "{} is there and is not overwritten",
                    file.display()
                )));
            }
        }
        record(store, row)?;
        let message = store
            .referral_message(row.tenant, row.id)
            .map_err(|e| e.to_string())?
            .ok_or_else(|| Failure::Refused("its message is gone".to_owned()))?;
        if let Some(file) = &self.message {
            write_new(file, &message)?;
        }
        if let Some(file) = &self.original {
            let document = read(row.wire, &message).document.map_err(|reason| {
                Failure::Refused(format!(
                    "the document cannot be taken out of its message ({reason}); --message writes the message"
                ))
            })?;
            write_new(file, &document.bytes)?;
            for (n, further) in (2..).zip(&document.further) {
                let mut beside = file.clone().into_os_string();
                beside.push(format!(".{n}"));
                let beside = PathBuf::from(beside);
                match &further.bytes {
                    Ok(bytes) => write_new(&beside, bytes)?,
                    Err(reason) => output::note(&format!(
                        "document {n} cannot be taken out of its message ({reason}); --message writes the message\n"
                    )),
                }
            }
        }
        Ok(())
    }
}

impl Quarantine {
    fn run(self) -> Outcome {
        let (Some(id), Some(because)) = (&self.close, &self.because) else {
            return print_list(&self.whose, ReferralFilter::Quarantined, None, self.json);
        };
        let because: String = because.trim().chars().take(MAX_BECAUSE).collect();
        if because.is_empty() {
            return Err(Failure::Usage(
                "--because must say what was done about it".to_owned(),
            ));
        }
        let (store, tenant) = self.whose.open()?;
        let row = store
            .referral(tenant, id)
            .map_err(|e| e.to_string())?
            .ok_or_else(|| Failure::Refused(format!("there is no referral {id} here")))?;
        let mut entry = AuditEntry::local(Timestamp::now(), "referral.close", &operator());
        let document = row.document.as_ref();
        entry.document = document.map(|d| d.as_received().to_owned());
        entry.detail = Some(format!("{}: {because}", row.id));
        let closed = runtime()?
            .block_on(store.close_referral(tenant, row.id, &because, entry))
            .map_err(|e| e.to_string())?;
        store.close();
        match closed {
            true => print(&format!("{} is off the list; it is kept\n", row.id)),
            false => {
                return Err(Failure::Refused(format!(
                    "{} is not in quarantine: it is {}",
                    row.id,
                    row.state.word()
                )));
            }
        }
        Ok(())
    }
}

/// The reading of a patient's document, in the audit trail before the document is read (AUD-01).
fn record(store: &Store, row: &ReferralRow) -> Outcome {
    let Some(tenant) = row.tenant else {
        return Ok(());
    };
    let mut entry = AuditEntry::local(Timestamp::now(), "referral.read", &operator());
    let document = row.document.as_ref();
    entry.document = document.map(|d| d.as_received().to_owned());
    entry.detail = Some(row.id.to_string());
    runtime()?
        .block_on(store.tenant(tenant).audit(&entry))
        .map_err(|e| Failure::Refused(e.to_string()))
}

/// Writes a file that only this user can read.
fn write_new(path: &Path, bytes: &[u8]) -> Outcome {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|e| Failure::Refused(format!("cannot write {}: {e}", path.display())))
}

fn shown(at: Timestamp) -> String {
    let zone = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Who sent it: the organisation that wrote the document, else the envelope's sender.
fn sender(row: &ReferralRow) -> Foreign {
    known(row.author.as_ref().or(row.sender.as_ref()))
}

fn known(text: Option<&Foreign>) -> Foreign {
    text.cloned().unwrap_or_else(|| "-".into())
}

fn line(row: &ReferralRow) -> String {
    let mut text = format!(
        "{}  {:<11}  {}  document {}  from {}",
        shown(row.received_at),
        row.state.word(),
        row.id,
        known(row.document.as_ref()),
        sender(row)
    );
    for booking in &row.bookings {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  Appointment/{} ({})",
            booking.id,
            booking.status.code()
        );
    }
    if let Some(reason) = &row.reason {
        let _ = write!(text, "\n    {reason}");
    }
    if let Some(note) = &row.note {
        let _ = write!(text, "\n    note: {note}");
    }
    text.push('\n');
    text
}

fn details(row: &ReferralRow) -> String {
    let mut out = String::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "{name:<14}{value}");
        }
    };
    field("referral", Some(row.id.to_string()));
    field("state", Some(row.state.word().to_owned()));
    field("received", Some(shown(row.received_at)));
    let text = |text: &Option<Foreign>| text.as_ref().map(Foreign::to_string);
    field("from", Some(sender(row).to_string()));
    field("document", text(&row.document));
    field("case", text(&row.case));
    field("version", row.version.map(|v| v.to_string()));
    field("replaces", text(&row.replaces));
    field("superseded by", text(&row.superseded_by));
    field("tracking", text(&row.tracking));
    field("service", text(&row.service));
    field("appointment", text(&row.appointment_url));
    field(
        "matched",
        row.matched
            .map(|(at, by)| format!("{} by {}", shown(at), by.word())),
    );
    field(
        "reason",
        row.reason
            .as_ref()
            .map(|r| format!("{r} (ITK {})", r.code.number())),
    );
    field("note", text(&row.note));
    field(
        "closed",
        row.closed
            .as_ref()
            .map(|(at, by, because)| format!("{} by {by}: {because}", shown(*at))),
    );
    field("bytes", Some(row.bytes.to_string()));
    for booking in &row.bookings {
        let ended = booking
            .ended_at
            .map(|at| format!(", no longer linked since {}", shown(at)))
            .unwrap_or_default();
        field(
            "booking",
            Some(format!(
                "Appointment/{} {}, service {}, {} (by {}){ended}",
                booking.id,
                booking.status.code(),
                booking.service,
                shown(booking.start),
                booking.ods
            )),
        );
    }
    out
}

fn as_value(row: &ReferralRow) -> Value {
    let bookings: Vec<Value> = row
        .bookings
        .iter()
        .map(|b| {
            json!({
                "appointment": b.id.as_str(), "status": b.status.code(), "service": b.service.as_str(),
                "start": b.start.to_string(), "organisation": b.ods.as_str(),
                "linked": b.linked_at.to_string(), "ended": b.ended_at.map(|at| at.to_string()),
            })
        })
        .collect();
    json!({
        "id": row.id.to_string(),
        "state": row.state.word(),
        "received": row.received_at.to_string(),
        "from": sender(row),
        "document": row.document,
        "case": row.case,
        "version": row.version,
        "replaces": row.replaces,
        "supersededBy": row.superseded_by,
        "tracking": row.tracking,
        "service": row.service,
        "appointmentUrl": row.appointment_url,
        "matched": row.matched.map(|(at, by)| json!({"at": at.to_string(), "by": by.word()})),
        "reason": row.reason.as_ref().map(|r| json!({"code": r.code.number(), "text": r.text})),
        "note": row.note,
        "closed": row.closed.as_ref().map(|(at, by, because)|
            json!({"at": at.to_string(), "by": by, "because": because})),
        "bytes": row.bytes,
        "bookings": bookings,
    })
}
