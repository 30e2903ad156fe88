//! `uec provider backup` and `restore`: an SQLite database copied while it is in use, and put back.

use super::{Database, print_json};
use crate::serve::runtime;
use crate::{Failure, Outcome, print};
use booking::count::counted;
use clap::Args;
use jiff::Timestamp;
use provider::audit::{AuditEntry, operator};
use provider::store::{BackupReport, Store, StoreError};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `uec provider backup`.
#[derive(Args)]
pub struct Backup {
    #[command(flatten)]
    database: Database,
    /// File to make; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        self.database.must_be_a_file()?;
        let store = self.database.open(false)?;
        let report = store.backup(&self.to).map_err(|e| e.to_string())?;
        let entry = AuditEntry::local(Timestamp::now(), "backup", &operator());
        runtime()?.block_on(async {
            for tenant in store.tenants().map_err(|e| e.to_string())? {
                store
                    .tenant(tenant.key)
                    .audit(&entry)
                    .await
                    .map_err(|e| e.to_string())?;
            }
            Ok::<(), String>(())
        })?;
        store.close();
        show_report(
            &report,
            &format!("{} written and checked", self.to.display()),
            self.json,
        )
    }
}

/// Arguments of `uec provider restore`.
#[derive(Args)]
pub struct Restore {
    #[command(flatten)]
    database: Database,
    /// Backup to put in place
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Replace the database that is there; never one that a program has open
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        self.database.must_be_a_file()?;
        let url = self.database.url()?;
        let path = url
            .strip_prefix("sqlite:")
            .ok_or_else(|| Failure::Usage("--database must be sqlite:PATH".to_owned()))?;
        let target = PathBuf::from(path);
        let report = match Store::restore(&self.from, &target, self.replace) {
            Err(StoreError::Exists { path }) if path == target => {
                return Err(Failure::Refused(format!(
                    "{} is there already, and a restore would take its place: everything in it would be gone. Nothing was \
                     changed; say --replace if that is meant",
                    path.display()
                )));
            }
            outcome => outcome.map_err(|e| e.to_string())?,
        };
        show_report(&report, &format!("{path} restored and checked"), self.json)
    }
}

fn show_report(report: &BackupReport, what: &str, as_json: bool) -> Outcome {
    if as_json {
        return print_json(&json!({
            "schema": report.schema, "tenants": report.tenants, "slots": report.slots,
            "appointments": report.appointments, "versions": report.versions,
            "audit_rows": report.audit_rows, "bytes": report.bytes,
        }));
    }
    print(&format!(
        "{what}: {}, {}, {} in {}, {}, {}\n",
        counted(report.tenants, "provider", "providers"),
        counted(report.slots, "slot", "slots"),
        counted(report.appointments, "appointment", "appointments"),
        counted(report.versions, "version", "versions"),
        counted(report.audit_rows, "audit row", "audit rows"),
        counted(report.bytes, "byte", "bytes")
    ));
    Ok(())
}
