//! `uec consumer show|cancel`: appointments that exist.

use super::desk::Desk;
use super::{Done, Stopped, ask, shown};
use crate::print;
use booking::ids::{NhsNumber, ServiceId};
use clap::Args;
use consumer::journey::{AppointmentShown, Cancelled};
use consumer::slots::{Channel, NOT_SUPPLIED, day_and_time};
use serde_json::json;

/// Show an appointment, or list the ones booked from here that are still to come.
#[derive(Args)]
#[command(after_help = "Examples:\n  uec consumer show\n  uec consumer show 0190… --json")]
pub struct Show {
    /// The appointment: its id, URL or document id, or `last`
    pub appointment: Option<String>,
    /// Directory (DoS) id of its service, if it was not booked from here
    #[arg(long, value_name = "ID")]
    pub service: Option<ServiceId>,
    /// List only this patient's
    #[arg(long, value_name = "NUMBER", conflicts_with = "appointment")]
    pub nhs_number: Option<String>,
    /// Print the whole resource as FHIR JSON
    #[arg(long, requires = "appointment")]
    pub fhir: bool,
}

/// Cancel an appointment.
#[derive(Args)]
#[command(
    after_help = "Example:\n  uec consumer cancel 0190… --nhs-number 9990123454 --yes --patient-told"
)]
pub struct Cancel {
    /// The appointment: its id, URL or document id, or `last`
    pub appointment: String,
    /// Directory (DoS) id of its service, if it was not booked from here
    #[arg(long, value_name = "ID")]
    pub service: Option<ServiceId>,
    /// NHS number of the patient at hand: another patient's appointment is not cancelled
    #[arg(long, value_name = "NUMBER")]
    pub nhs_number: Option<String>,
    /// Do not ask before cancelling
    #[arg(long, short)]
    pub yes: bool,
    /// The patient was told
    #[arg(long)]
    pub patient_told: bool,
}

fn number(text: Option<&String>) -> Result<Option<NhsNumber>, Stopped> {
    let digits = |t: &String| t.split_whitespace().collect::<String>();
    text.map(|t| NhsNumber::parse(&digits(t)))
        .transpose()
        .map_err(|e| Stopped::Usage(format!("--nhs-number: {e}")))
}

impl Show {
    pub(super) async fn run(self, desk: &Desk) -> Done {
        let Some(appointment) = &self.appointment else {
            return self.list(desk).await;
        };
        let known = desk.located(appointment, self.service.as_ref()).await?;
        let mut found = desk.consultation.show(&known.located).await?;
        // The Provider's own URL is known from the booking only.
        if let Some(url) = known.booking.and_then(|b| b.url) {
            found.url = url;
        }
        if self.fhir {
            let bytes = fhir::json::write_pretty(&found.resource);
            print(&format!("{}\n", String::from_utf8_lossy(&bytes)));
        } else if desk.json {
            shown::json(&json!(found));
        } else {
            people(&found);
        }
        Ok(())
    }

    async fn list(&self, desk: &Desk) -> Done {
        let patient = number(self.nhs_number.as_ref())?;
        let known = desk.consultation.known_bookings(patient.as_ref()).await?;
        if desk.json {
            shown::json(&json!({ "bookings": known }));
            return Ok(());
        }
        if known.is_empty() {
            print("No appointment booked from here is still to come.\n");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = known
            .iter()
            .map(|k| {
                vec![
                    day_and_time(k.start),
                    k.service.clone(),
                    k.state.word().to_owned(),
                    k.appointment.clone().unwrap_or_default(),
                    k.document.clone(),
                ]
            })
            .collect();
        shown::table(
            &["START", "SERVICE", "STATE", "APPOINTMENT", "DOCUMENT"],
            &rows,
        );
        Ok(())
    }
}

fn people(found: &AppointmentShown) {
    let row = |head: &str, text: &str| print(&format!("{head:<12} {text}\n"));
    row("Appointment", &found.id);
    row("Status", &found.status);
    if let Some(start) = found.start {
        row("Start", &day_and_time(start));
    }
    row(
        "How",
        found
            .channel
            .as_ref()
            .map_or(NOT_SUPPLIED, Channel::display),
    );
    let texts = [
        ("Patient", &found.patient),
        ("Reason", &found.description),
        ("Document", &found.document),
        ("Version", &found.version),
    ];
    for (head, text) in texts {
        if let Some(text) = text {
            row(head, text);
        }
    }
    row("URL", &found.url);
}

impl Cancel {
    pub(super) async fn run(self, desk: &Desk) -> Done {
        let given = number(self.nhs_number.as_ref())?;
        let known = desk
            .located(&self.appointment, self.service.as_ref())
            .await?;
        if !self.yes {
            let found = desk.consultation.show(&known.located).await?;
            let start = found.start.map(day_and_time).unwrap_or_default();
            let question = format!("Cancel the appointment of {start}?");
            if !ask::confirm(&question, self.yes, "--yes")? {
                return Err(Stopped::Refused("Nothing was cancelled.".to_owned()));
            }
        }
        let of_journal = known.booking.as_ref().and_then(|b| b.nhs_number.clone());
        let patient = given.or(of_journal);
        let report = desk
            .consultation
            .cancel(&known.located, patient.as_ref())
            .await?;
        if report.is_cancelled() && self.patient_told {
            desk.consultation.patient_told(&known.located).await?;
        }
        if desk.json {
            shown::json(&json!(report));
        }
        match report.outcome {
            Cancelled::Yes | Cancelled::Already => {
                if !desk.json {
                    let told = match (&report.outcome, self.patient_told) {
                        (Cancelled::Yes, true) => {
                            "The appointment is cancelled, and the patient was told.".to_owned()
                        }
                        _ => report.plain(),
                    };
                    print(&format!("{told}\n"));
                }
                Ok(())
            }
            _ => Err(Stopped::Refused(report.plain())),
        }
    }
}
