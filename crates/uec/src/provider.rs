//! `uec provider …`: serve, the diary, the audit trail, backup. One struct per command.

mod apply;
mod audit;
mod backup;
mod copy;
mod describe;
mod doctor;
mod export;
mod migrate;
mod referral;
mod slots;

use crate::serve::{Serve, read_settings};
use crate::{Failure, Outcome, output};
use booking::ids::OdsCode;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use provider::config::Settings;
use provider::store::{self, Options, Store, StoreError};
use std::path::PathBuf;

/// The Provider: serve the Booking API, keep the diary, check the audit trail.
#[derive(Subcommand)]
pub enum Provider {
    /// Serve the Booking API over a database
    Serve(Box<Serve>),
    /// Make the database say what a declaration file says; `--dry-run` shows the difference
    Apply(apply::Apply),
    /// Print a provider's declarations as a file that `apply` takes
    Export(export::Export),
    /// See, hold back, release or remove slots
    #[command(subcommand)]
    Slots(slots::Slots),
    /// The audit trail
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Referral documents: what belongs to which booking, the work list, the quarantine
    #[command(subcommand)]
    Referral(referral::Referral),
    /// Print the API's description for tools: OpenAPI, or a Postman collection
    Describe(describe::Describe),
    /// Check the set-up: database, clock, certificates, endpoint, diary, rights
    Doctor(doctor::Doctor),
    /// Bring a database's schema up to date, and nothing else
    Migrate(migrate::Migrate),
    /// Copy an SQLite database to a file while it is in use, and check the copy
    Backup(backup::Backup),
    /// Put a backup in the place of an SQLite database
    Restore(backup::Restore),
    /// Copy a whole database into an empty one, SQLite or PostgreSQL, and verify the copy
    ///
    /// Everything is copied: providers, declarations, slots, appointments with all versions and X-Request-IDs, referrals with
    /// their documents, the quarantine, the audit trails. The source is read as of one moment and never changed. The target
    /// is filled in one transaction, which is committed after its rows were read again and have the same number and digest,
    /// every audit trail verifies and ends in the same hash, and no slot has two live bookings. Whatever happens before,
    /// the target stays as it was, and the command can be given again.
    ///
    /// Nobody can write to the source meanwhile; while a provider is connected to it, nothing is copied. With
    /// --while-running the copy is a rehearsal: what is booked in the source after its moment is not in it.
    Copy(copy::Copy),
}

/// A database that is gone with the process.
const IN_MEMORY: &str = "sqlite::memory:";

/// The database that a command works on.
#[derive(Args)]
pub struct Database {
    /// Database: `sqlite:PATH` or `postgres://USER@HOST/DATABASE` [required, here, in UEC_DATABASE or in the settings file]
    #[arg(long, env = "UEC_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    /// Settings file of the Provider, TOML: its `database` is used where none is named
    #[arg(long, env = "UEC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Open an SQLite file although others than its owner may write it, or its folder
    #[arg(long)]
    allow_shared_files: bool,
}

impl Database {
    /// Its address: from the flag or the environment, else from the settings file.
    fn url(&self) -> Result<String, Failure> {
        self.named()?.ok_or_else(|| {
            Failure::Usage(
                "no database named: use --database sqlite:PATH or postgres://USER@HOST/DATABASE, UEC_DATABASE, or --config \
                 with a settings file that has `database` in it"
                    .to_owned(),
            )
        })
    }

    fn named(&self) -> Result<Option<String>, Failure> {
        // A settings file that is named is read, so that what is wrong in it is told also where it is not needed.
        let from_file = self.settings()?.database;
        Ok(self.database.clone().or(from_file))
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let settings = self.config.as_deref().map(read_settings).transpose()?;
        Ok(settings.unwrap_or_default())
    }

    fn options(&self, create: bool) -> Result<Options, Failure> {
        Ok(Options {
            create,
            allow_shared_files: self.allow_shared_files || self.settings()?.allow_shared_files,
            ..Options::default()
        })
    }

    fn open(&self, create: bool) -> Result<Store, Failure> {
        Store::open(&self.url()?, &self.options(create)?).map_err(crate::serve::not_opened)
    }

    /// The database as it would be before anything is declared, when there is none yet.
    fn open_or_empty(&self) -> Result<(Store, bool), Failure> {
        let empty =
            || Store::open(IN_MEMORY, &Options::default()).map_err(crate::serve::not_opened);
        let Some(url) = self.named()? else {
            return Ok((empty()?, true));
        };
        match Store::open(&url, &self.options(false)?) {
            Ok(store) => Ok((store, false)),
            Err(StoreError::Missing { .. } | StoreError::MissingDirectory { .. }) => {
                Ok((empty()?, true))
            }
            Err(error) => Err(crate::serve::not_opened(error)),
        }
    }

    /// Says what to use where a database is not a file that can be copied.
    fn must_be_a_file(&self) -> Outcome {
        match store::backed_up_elsewhere(&self.url()?) {
            Some(why) => Err(Failure::Usage(why.to_string())),
            None => Ok(()),
        }
    }
}

impl Provider {
    /// What the command has changed when it succeeds.
    pub fn done(&self) -> Option<&'static str> {
        match self {
            Provider::Apply(apply) if !apply.dry_run => Some("applied"),
            Provider::Slots(
                slots::Slots::Hold(c) | slots::Slots::Release(c) | slots::Slots::Remove(c),
            ) if !c.dry_run => Some("the slots are changed"),
            Provider::Migrate(_) => Some("migrated"),
            Provider::Backup(_) => Some("written"),
            Provider::Restore(_) => Some("restored"),
            Provider::Copy(_) => Some("copied"),
            Provider::Audit(audit) => audit.done(),
            _ => None,
        }
    }

    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Provider::Serve(serve) => serve.run(),
            Provider::Apply(apply) => apply.run(),
            Provider::Export(export) => export.run(),
            Provider::Slots(slots) => slots.run(),
            Provider::Audit(audit) => audit.run(),
            Provider::Referral(referral) => referral.run(),
            Provider::Describe(describe) => describe.run(),
            Provider::Doctor(doctor) => doctor.run(),
            Provider::Migrate(migrate) => migrate.run(),
            Provider::Backup(backup) => backup.run(),
            Provider::Restore(restore) => restore.run(),
            Provider::Copy(copy) => copy.run(),
        }
    }
}

/// The provider that is meant: the one named, or the only one there is.
fn which_provider(store: &Store, named: Option<&str>) -> Result<OdsCode, Failure> {
    let tenants = store.tenants().map_err(|e| e.to_string())?;
    let codes = || {
        tenants
            .iter()
            .map(|t| t.ods.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (named, tenants.as_slice()) {
        (Some(named), _) => tenants
            .iter()
            .find(|t| t.ods.as_str() == named)
            .map(|t| t.ods.clone())
            .ok_or_else(|| {
                Failure::Refused(format!(
                    "there is no provider {named} in this database; it has: {}",
                    codes()
                ))
            }),
        (None, [only]) => Ok(only.ods.clone()),
        (None, []) => Err(Failure::Refused(
            "there is no provider in this database: declare one with `uec provider apply`"
                .to_owned(),
        )),
        (None, _) => Err(Failure::Usage(format!(
            "say which provider with --provider: {}",
            codes()
        ))),
    }
}

fn london() -> TimeZone {
    TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC)
}

fn london_date(now: Timestamp) -> Date {
    now.to_zoned(london()).date()
}

fn print_json<T: serde::Serialize>(value: &T) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    output::print_json(&format!("{text}\n"));
    Ok(())
}
