//! `uec provider doctor`: everything that can be wrong with a Provider's set-up, looked at and told in plain sentences.
//! It reads and asks; it changes nothing, and may run beside a server.

mod certificates;
mod clock;
mod consumers;
mod database;
mod diary;
mod endpoint;
mod handshake;
mod rights;

use super::print_json;
use crate::serve::{read_settings, runtime};
use crate::{Failure, Outcome, print};
use booking::count::counted;
use booking::ids::OdsCode;
use clap::Args;
use jiff::Timestamp;
use provider::config::{Settings, check_base_url};
use provider::diary::declaration::warn::{Warning, warnings};
use provider::diary::export::export;
use provider::store::Store;
use serde::Serialize;
use std::path::PathBuf;

/// Check a Provider's set-up: database, clock, certificates, endpoint, diary, rights. Changes nothing.
///
/// Exit code 1 when a problem was found; warnings alone do not count.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec provider doctor --config /etc/uec/provider.toml --ntp ntp.example.nhs.uk --sds ldap://sds.example.nhs.uk"
)]
pub struct Doctor {
    /// Settings file of the server
    #[arg(long, env = "UEC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(long, env = "UEC_DATABASE", value_name = "URL")]
    database: Option<String>,
    /// Scheme, host and port that consumers use, without path
    #[arg(long, env = "UEC_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// Compare the clock with this time server
    #[arg(long, value_name = "HOST[:PORT]")]
    ntp: Option<String>,
    /// Compare the clock with the HTTP Date of this address, such as the SSP's; may be repeated
    #[arg(long, value_name = "URL")]
    clock: Vec<String>,
    /// Ask this SDS how the endpoint is registered
    #[arg(long, value_name = "LDAP URL")]
    sds: Option<String>,
    /// Do not read every page of the database, which takes about a second per gigabyte
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Will hurt, or hurts some.
    Warning,
    /// Hurts now.
    Problem,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "WARNING",
            Severity::Problem => "PROBLEM",
        }
    }
}

/// What was found, and what to do about it.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    area: &'static str,
    severity: Severity,
    /// A plain sentence.
    says: String,
    /// What to do; empty when there is nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

/// The findings of one area.
struct Findings<'f> {
    area: &'static str,
    all: &'f mut Vec<Finding>,
}

impl<'f> Findings<'f> {
    fn of(area: &'static str, all: &'f mut Vec<Finding>) -> Findings<'f> {
        Findings { area, all }
    }

    fn add(&mut self, severity: Severity, says: impl Into<String>, advice: impl Into<String>) {
        self.all.push(Finding {
            area: self.area,
            severity,
            says: says.into(),
            advice: advice.into(),
        });
    }

    fn ok(&mut self, says: impl Into<String>) {
        self.add(Severity::Ok, says, "");
    }

    fn note(&mut self, says: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Note, says, advice);
    }

    fn warn(&mut self, says: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Warning, says, advice);
    }

    fn problem(&mut self, says: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Problem, says, advice);
    }
}

/// What all checks look at.
struct Patient {
    settings: Settings,
    now: Timestamp,
    store: Option<Store>,
}

impl Patient {
    /// Providers of the database with their declared things.
    fn catalogues(&self) -> Result<Vec<Catalogued>, String> {
        let Some(store) = &self.store else {
            return Ok(Vec::new());
        };
        let tenants = store.tenants().map_err(|e| e.to_string())?;
        let read = tenants.into_iter().map(|row| {
            let (_, declared) = store
                .tenant(row.key)
                .declared()
                .map_err(|e| e.to_string())?;
            let catalogue = provider::diary::catalogue::Catalogue::build(&row, &declared);
            let declared = export(store, &row.ods, self.now).map_err(|e| e.to_string())?;
            let today = super::london_date(self.now);
            Ok(Catalogued {
                ods: row.ods,
                catalogue: catalogue.map_err(|e| e.to_string())?,
                warnings: declared.map_or(Vec::new(), |d| warnings(&d, today)),
            })
        });
        read.collect()
    }
}

/// A provider with its declared things.
struct Catalogued {
    ods: OdsCode,
    catalogue: provider::diary::catalogue::Catalogue,
    /// What is declared without effect.
    warnings: Vec<Warning>,
}

impl Catalogued {
    /// Tells what things of some kinds say without effect.
    fn tell(&self, kinds: &[&str], out: &mut Findings<'_>) {
        for warning in self.warnings.iter().filter(|w| kinds.contains(&w.kind)) {
            out.warn(
                format!("{warning} ({})", self.ods),
                "Correct the declaration and apply it, or take it out.",
            );
        }
    }
}

impl Doctor {
    /// Runs every check and prints what was found.
    pub fn run(self) -> Outcome {
        let settings = self.settings()?;
        let mut found = Vec::new();
        let database = settings.database.clone();
        let out = &mut found;
        let store = match &database {
            Some(url) => database::check(
                url,
                &settings,
                !self.quick,
                &mut Findings::of("database", out),
            ),
            None => {
                Findings::of("database", out).problem(
                    "No database is named.",
                    "Give --database, UEC_DATABASE, or --config with `database` in it.",
                );
                None
            }
        };
        let patient = Patient {
            settings,
            now: Timestamp::now(),
            store,
        };
        certificates::check(&patient, &mut Findings::of("certificates", out));
        rights::check(
            &patient,
            self.config.as_deref(),
            &mut Findings::of("rights", out),
        );
        let catalogues = match patient.catalogues() {
            Ok(catalogues) => catalogues,
            Err(error) => {
                Findings::of("diary", out).problem(
                    format!("The declared things cannot be read: {error}."),
                    "Restore the latest good backup, or run the release that wrote them.",
                );
                Vec::new()
            }
        };
        diary::check(&patient, &catalogues, &mut Findings::of("diary", out));
        consumers::check(
            &patient.settings.trust,
            &catalogues,
            &mut Findings::of("consumers", out),
        );
        runtime()?.block_on(async {
            let asked = (self.ntp.as_deref(), self.clock.as_slice());
            clock::check(&patient, asked, &mut Findings::of("clock", out)).await;
            let sds = self.sds.as_deref();
            endpoint::check(
                &patient,
                &catalogues,
                sds,
                &mut Findings::of("endpoint", out),
            )
            .await;
        });
        self.show(&found)
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.config {
            None => Settings::default(),
            Some(path) => read_settings(path)?,
        };
        if let Some(database) = &self.database {
            settings.database = Some(database.clone());
        }
        if let Some(url) = &self.base_url {
            check_base_url(url).map_err(Failure::Usage)?;
            settings.base_url = Some(url.clone());
        }
        Ok(settings)
    }

    fn show(&self, found: &[Finding]) -> Outcome {
        let count = |severity| found.iter().filter(|f| f.severity == severity).count();
        let (problems, warnings) = (count(Severity::Problem), count(Severity::Warning));
        if self.json {
            print_json(&serde_json::json!({
                "problems": problems, "warnings": warnings, "findings": found,
            }))?;
        } else {
            for finding in found {
                let mut line = format!(
                    "{:<8} {:<13} {}\n",
                    finding.severity.word(),
                    finding.area,
                    finding.says
                );
                if !finding.advice.is_empty() {
                    line.push_str(&format!("{:22} → {}\n", "", finding.advice));
                }
                print(&line);
            }
            print(&format!(
                "{}, {}\n",
                counted(problems, "problem", "problems"),
                counted(warnings, "warning", "warnings")
            ));
        }
        match problems {
            0 => Ok(()),
            n => Err(Failure::Refused(format!(
                "{} found",
                counted(n, "problem was", "problems were")
            ))),
        }
    }
}
