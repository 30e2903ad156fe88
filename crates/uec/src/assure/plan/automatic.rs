//! The consumer that does steps: its settings, the test patient, and the order made of plan and flags.

use crate::Failure;
use crate::demo::PATIENT_FILE;
use assurance::plan::automatic::{ClearedUp, Keep, Order, Rig, Seen};
use assurance::plan::{Plan, PlanFolder, Step, Task, services};
use booking::ids::ServiceId;
use booking::named_file;
use clap::Args;
use consumer::config::ConsumerConfig;
use consumer::plan::BookingDetails;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Largest file of a patient; one has a few hundred bytes.
const MAX_FILE: u64 = 64 * 1024;
/// Start of the NHS numbers that are never issued.
const SYNTHETIC: &str = "999";

/// Flags of automatic steps.
#[derive(Args)]
#[command(next_help_heading = "Automatic steps")]
pub struct Settings {
    /// Settings of the consumer that does the automatic steps, as `uec consumer` takes them
    #[arg(long, env = "UEC_CONSUMER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory (DoS) id of the service to book [default: the first that the plan names]
    #[arg(long, value_name = "ID")]
    pub service: Option<ServiceId>,
    /// Directory (DoS) id of a service without free slots [default: the one that the plan names]
    #[arg(long, value_name = "ID")]
    pub service_empty: Option<ServiceId>,
    /// The test patient, TOML or JSON (see docs/consumer.md) [default: an invented one with a number of the 999 range]
    #[arg(long, value_name = "FILE")]
    pub patient: Option<PathBuf>,
    /// Which clinician approves slots after the time of the disposition
    #[arg(long, value_name = "NAME", value_parser = crate::assure::filled)]
    pub approved_by: Option<String>,
    /// Take patient data out of what is attached
    #[arg(long)]
    pub redact: bool,
}

/// A consumer, and what its steps are done with.
pub struct Machine {
    /// The consumer.
    pub rig: Rig,
    runtime: tokio::runtime::Runtime,
    details: BookingDetails,
    settings: Settings,
}

impl Settings {
    /// The consumer, if there are settings for one.
    pub fn machine(self) -> Result<Option<Machine>, Failure> {
        let Some(config) = &self.config else {
            return Ok(None);
        };
        let environment = |name: &str| std::env::var(name).ok();
        let config = ConsumerConfig::load(Some(config), &environment)
            .map_err(|e| Failure::Usage(e.to_string()))?;
        let details = match &self.patient {
            Some(path) => patient(path)?,
            None => BookingDetails {
                description: "Operational test: no real patient".to_owned(),
                ..toml::from_str(PATIENT_FILE).map_err(|e| e.to_string())?
            },
        };
        let runtime = crate::serve::runtime()?;
        // The client's and the journal's threads belong to the runtime.
        let rig = {
            let _inside = runtime.enter();
            Rig::open(config)?
        };
        Ok(Some(Machine {
            rig,
            runtime,
            details,
            settings: self,
        }))
    }
}

impl Machine {
    /// The particulars that are known before anybody is asked.
    pub fn known(&self) -> Vec<(&'static str, String)> {
        let named = |id: &Option<ServiceId>| id.as_ref().map(ToString::to_string);
        let all = [
            ("service", named(&self.settings.service)),
            ("service_empty", named(&self.settings.service_empty)),
            ("consumer_system", Some(self.rig.system())),
            ("consumer_organisation", Some(self.rig.organisation())),
        ];
        let known = all.into_iter();
        known
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }

    fn order(&self, plan: &Plan) -> Result<Order, String> {
        let named = |key: &str| -> Option<ServiceId> {
            let text = plan.particulars.get(key)?;
            services(text).ok()?.into_iter().next()
        };
        let settings = &self.settings;
        let service = settings.service.clone().or_else(|| named("service"));
        let service = service.ok_or(
            "No service is known: give its id as the particular `service`, or with --service ID.",
        )?;
        let number = self
            .details
            .patient
            .nhs_number
            .as_deref()
            .unwrap_or(SYNTHETIC);
        let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
        let agreed = plan.particulars.get("patient_kind").map(String::as_str) == Some("pds-test");
        if !digits.starts_with(SYNTHETIC) && !agreed {
            return Err(
                "The patient has an NHS number that may be a real person's. Only a synthetic patient (a number of the \
                 999 range, or none) is booked, or a PDS test patient when the plan says so (particular `patient_kind`)."
                    .to_owned(),
            );
        }
        Ok(Order {
            service,
            empty: settings
                .service_empty
                .clone()
                .or_else(|| named("service_empty")),
            branch: named("branch"),
            disposition: plan.particulars.get("disposition").cloned(),
            details: self.details.clone(),
            approved_by: settings.approved_by.clone(),
            redact: settings.redact,
        })
    }

    /// Does the task of a step.
    pub fn perform(
        &mut self,
        folder: &mut PlanFolder,
        step: &Step,
        task: Task,
    ) -> Result<Seen, String> {
        let order = self.order(&folder.plan)?;
        self.runtime
            .block_on(self.rig.perform(folder, step, task, &order))
    }

    /// Cancels what nobody needs any more.
    pub fn clear_up(&mut self, folder: &mut PlanFolder, keep: Keep) -> ClearedUp {
        if folder.plan.contacts.is_empty() {
            return ClearedUp::default();
        }
        match self.order(&folder.plan) {
            Ok(order) => self
                .runtime
                .block_on(self.rig.clear_up(folder, &order, keep)),
            Err(why) => ClearedUp {
                left: vec![why],
                ..ClearedUp::default()
            },
        }
    }
}

fn patient(path: &Path) -> Result<BookingDetails, Failure> {
    let shown = path.display();
    let wrong = |e: String| Failure::Usage(format!("--patient: {shown}: {e}"));
    let text = named_file::text(File::open(path), MAX_FILE).map_err(|e| wrong(e.to_string()))?;
    match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|e| wrong(e.to_string())),
        false => toml::from_str(&text).map_err(|e| wrong(e.to_string())),
    }
}
