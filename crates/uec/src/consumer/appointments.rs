//! `uec consumer show|cancel`: appointments that exist.

use super::ranked::{self, Named};
use super::session::{Known, Session};
use super::{Certainty, Done, Stopped, ask, note, settle, shown};
use crate::output::print_json;
use crate::print;
use booking::foreign::Foreign;
use booking::ids::NhsNumber;
use clap::Args;
use consumer::journal::{ELSEWHERE, KnownBooking, State, Which, Whose};
use consumer::journey::{AppointmentShown, CancelReport, Cancelled};
use consumer::slots::{NOT_SUPPLIED, day_and_time, span};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Display;

/// Most appointments of a list that are read for it.
const MAX_READ: usize = 50;
/// What is said of an appointment that is cancelled on the strength of its id alone.
const NOT_COMPARED: &str = "Note: this appointment was not booked from here, and without --nhs-number its patient was not compared with anybody.";

/// Show an appointment, or list the ones booked from here that are still to come.
#[derive(Args)]
#[command(after_help = "Examples:\n  uec consumer show\n  uec consumer show 0190… --json")]
pub struct Show {
    /// The appointment: its id, URL or document id, or `last`
    pub appointment: Option<String>,
    /// Its service, if it was not booked from here: number of a row of the list of services shown last, or directory (DoS) id
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Option<Named>,
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
    /// Its service, if it was not booked from here: number of a row of the list of services shown last, or directory (DoS) id
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Option<Named>,
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
    pub(super) async fn run(self, session: &Session) -> Done {
        let Some(appointment) = &self.appointment else {
            return self.list(session).await;
        };
        let service = ranked::given(session, self.service.as_ref()).await?;
        let known = session.located(appointment, service.as_ref()).await?;
        let id = known.located.id.as_str();
        settle::rebookings(session, |new| concerns(new, id)).await?;
        let mut found = known.read(session, None).await?.into_appointment();
        heard(session, &known, &found).await;
        let booking = known.booking.as_ref();
        // The service's own address of it, which an answer to a GET does not repeat.
        if let Some(url) = booking.and_then(|b| b.url.clone()) {
            found.url = url;
        }
        let said = booking.filter(|b| b.state == State::Booked || b.is_said_cancelled());
        let said = said.filter(|_| found.status == "cancelled");
        if self.fhir {
            let bytes = fhir::json::write_pretty(&found.resource);
            print_json(&format!("{}\n", String::from_utf8_lossy(&bytes)));
        } else if session.json {
            let mut value = json!(found);
            value["service"] = service_of(&known);
            value["said_cancelled"] = json!(said.is_some());
            if let Some(settled) = &known.settled {
                value["settled"] = json!([settled]);
            }
            shown::json(&value);
        } else {
            people(&found, &known);
            if let Some(booking) = said {
                shown::wrapped("", said_cancelled(booking), "  ");
            }
        }
        Ok(())
    }

    async fn list(&self, session: &Session) -> Done {
        let patient = number(self.nhs_number.as_ref())?;
        let known = session
            .consultation
            .known_bookings(patient.as_ref())
            .await?;
        let open = known.iter().filter(|k| k.is_unsettled()).cloned();
        let settled = settle::all(session, open.collect()).await?;
        settle::tell(session, &settled);
        let finished = settle::rebookings(session, |new| {
            patient.is_none() || new.nhs_number == patient
        })
        .await?;
        let (mut listed, mut gone) = (Vec::new(), Vec::new());
        let mut rows = session
            .consultation
            .known_bookings(patient.as_ref())
            .await?;
        let whose = patient.clone().map_or(Whose::All, Whose::Of);
        let journal = session.journal();
        let said = journal.bookings(Which::SaidCancelled, whose, Timestamp::now());
        rows.extend(said.await?);
        for mut known in rows {
            match read_for_list(session, &known, listed.len() + gone.len()).await {
                Some(read) => {
                    known.stands_after_all();
                    listed.push((known, read));
                }
                None => gone.push(known),
            }
        }
        if session.json {
            let settled: Vec<_> = settled.iter().map(settle::Found::json).collect();
            let finished: Vec<_> = finished.iter().map(settle::Finished::json).collect();
            let bookings: Vec<Value> = listed
                .iter()
                .map(|(known, read)| {
                    let mut one = json!(known);
                    one["patient"] = json!(read.patient);
                    one["doubt"] = json!(read.doubt);
                    one
                })
                .collect();
            shown::json(&json!({
                "bookings": bookings, "said_cancelled": gone, "settled": settled, "finished": finished,
            }));
            return Ok(());
        }
        if listed.is_empty() {
            print("No appointment booked from here is still to come.\n");
        }
        for (known, read) in &listed {
            lines(known, read);
        }
        for known in &gone {
            shown::wrapped("", said_cancelled(known), "  ");
        }
        Ok(())
    }
}

/// Before every line of an appointment of the list but its first.
const INDENT: &str = "     ";

/// Prints an appointment of the list, on lines that fit.
fn lines(known: &KnownBooking, read: &Read) {
    let state = match known.is_unsettled() {
        true => "not certain",
        false => known.state.word(),
    };
    let length = span((known.end.as_second() - known.start.as_second()) / 60);
    let head = [
        Some(day_and_time(known.start)),
        Some(length),
        read.patient.as_ref().map(Foreign::to_string),
        Some(state.to_owned()),
    ];
    let place = [
        Some(settle::told_service(known)),
        known.told.place.as_ref().map(Foreign::to_string),
        known.told.clinician.as_ref().map(Foreign::to_string),
    ];
    let joined = |parts: &[Option<String>], by: &str| {
        let there: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
        there.join(by)
    };
    shown::wrapped("", joined(&head, ", "), INDENT);
    shown::wrapped(INDENT, joined(&place, "; "), INDENT);
    if let Some(doubt) = read.doubt {
        shown::wrapped(INDENT, doubt, INDENT);
    }
    if let Some(id) = &known.appointment {
        shown::wrapped(INDENT, format!("appointment {id}"), INDENT);
    }
    shown::wrapped(INDENT, format!("document {}", known.document), INDENT);
}

/// What reading an appointment for the list gave.
#[derive(Default)]
struct Read {
    /// The patient's name, if the service gives it.
    patient: Option<Foreign>,
    /// Why what is listed may not be what stands.
    doubt: Option<&'static str>,
}

/// The service could not be asked.
const NOT_READ: &str = "as kept here: the service could not be asked";
/// Too many to ask about each.
const NOT_ASKED: &str = "as kept here: the service was not asked";
/// It was asked, and has something else.
const DIFFERS: &str = "the service has something else under this id: `show` with the id says what";

/// Reads an appointment for the list. `None` when its service says that it is cancelled. Beyond [`MAX_READ`] nothing is read.
async fn read_for_list(session: &Session, known: &KnownBooking, before: usize) -> Option<Read> {
    let doubt = |words| {
        let read = Read {
            doubt: Some(words),
            ..Read::default()
        };
        (!known.is_said_cancelled()).then_some(read)
    };
    if known.is_unsettled() {
        return Some(Read::default());
    }
    if before >= MAX_READ {
        return doubt(NOT_ASKED);
    }
    let Some(place) = settle::known(session, known).await else {
        return doubt(NOT_READ);
    };
    match place.read(session, None).await {
        Ok(proven) if proven.appointment().status == "cancelled" => {
            heard(session, &place, proven.appointment()).await;
            None
        }
        Ok(proven) => {
            heard(session, &place, proven.appointment()).await;
            Some(Read {
                patient: proven.appointment().patient.clone(),
                doubt: None,
            })
        }
        Err(Stopped::Refused(_)) => doubt(DIFFERS),
        Err(_) => doubt(NOT_READ),
    }
}

/// Whether a rebooking is about an appointment.
pub(super) fn concerns(new: &KnownBooking, id: &str) -> bool {
    let of_old = new.old.as_ref().is_some_and(|(old, _)| old == id);
    of_old || new.appointment.as_deref() == Some(id)
}

/// Keeps what a service says of an appointment that was booked from here: that it is cancelled, while it is not known to
/// have been cancelled from here; or that it stands, after it was said to be cancelled (D-78).
pub(super) async fn heard(session: &Session, known: &Known, found: &AppointmentShown) {
    let Some(booking) = &known.booking else {
        return;
    };
    let journal = session.journal();
    let asid = known.located.target.asid.as_str();
    let kept = match (booking.state, found.status.as_received()) {
        (State::Booked, "cancelled") => {
            let encounter = session.consultation.encounter();
            let now = Timestamp::now();
            let kept = journal.cancelled(&found.id, asid, ELSEWHERE, &encounter.id, now);
            kept.await
        }
        (State::Cancelled, "booked") if booking.is_said_cancelled() => {
            journal.stands_after_all(&found.id, asid).await
        }
        _ => return,
    };
    if let Err(error) = kept {
        note(&format!(
            "uec: what the service says of the appointment was not recorded. {error}"
        ));
    }
}

/// The service of a booking of the journal that stands, as far as is known; `None` when the service says that it is
/// cancelled. What it says is kept.
pub(super) async fn stands(session: &Session, row: &KnownBooking) -> Option<String> {
    let unread = |service: String| (!row.is_said_cancelled()).then_some(service);
    let Some(known) = settle::known(session, row).await else {
        return unread(settle::told_service(row));
    };
    let Ok(proven) = known.read(session, None).await else {
        return unread(known.service());
    };
    heard(session, &known, proven.appointment()).await;
    match proven.appointment().status.as_received() {
        "cancelled" => None,
        "booked" => Some(known.service()),
        _ => unread(known.service()),
    }
}

/// What the user is told of an appointment of which only its service says that it is cancelled.
pub(super) fn said_cancelled(row: &KnownBooking) -> String {
    format!(
        "The service says that the appointment at {} on {} ({}) is cancelled. It is not known to have been cancelled from \
         here: if the patient does not know of it, ring the service.",
        settle::told_service(row),
        day_and_time(row.start),
        row.appointment.as_deref().unwrap_or(&row.document)
    )
}

fn service_of(known: &Known) -> Value {
    let target = known.bookable.target();
    json!({ "id": target.service.as_str(), "name": target.name })
}

fn people(found: &AppointmentShown, known: &Known) {
    let row = |head: &str, text: &dyn Display| shown::row(head, 12, text);
    row("Appointment", &found.id);
    row("Status", &found.status);
    row("Service", &known.service());
    if let Some(start) = found.start {
        row("Start", &day_and_time(start));
        if let Some(end) = found.end {
            row("Length", &span((end.as_second() - start.as_second()) / 60));
        }
    }
    if let Some(booking) = &known.booking {
        let told = [
            ("Where", &booking.told.place),
            ("With", &booking.told.clinician),
        ];
        for (head, text) in told {
            if let Some(text) = text {
                row(head, text);
            }
        }
    }
    match &found.channel {
        Some(channel) => row("How", channel),
        None => row("How", &NOT_SUPPLIED),
    }
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
    pub(super) async fn run(self, session: &Session) -> Done {
        let given = number(self.nhs_number.as_ref())?;
        let service = ranked::given(session, self.service.as_ref()).await?;
        let known = session.located(&self.appointment, service.as_ref()).await?;
        let service = known.service();
        // One that was not booked from here has nothing to be compared with but the patient at hand.
        let unchecked = known.booking.is_none() && given.is_none();
        let mut patient = given;
        if !self.yes || unchecked {
            let found = known
                .read(session, patient.as_ref())
                .await?
                .into_appointment();
            // Anything but a booking is stopped by what reads it again, with its reason.
            if found.status == "booked" {
                let named = found.named(&service);
                let question = format!("Cancel the appointment of {named}?");
                if !ask::confirm(&question, self.yes, "--yes")? {
                    return Err(Stopped::refused("Nothing was cancelled."));
                }
                if self.yes {
                    note(&format!(
                        "{NOT_COMPARED} It is cancelled as that of {named}."
                    ));
                }
            }
            // What is cancelled is the appointment of the patient who was named.
            patient = patient.or_else(|| found.nhs_number());
        }
        let report = session
            .consultation
            .cancel(&known.located, patient.as_ref())
            .await?;
        let mut lines = vec![told(&report, &service, self.patient_told)];
        if report.is_cancelled() {
            if self.patient_told {
                session.consultation.patient_told(&known.located).await?;
            }
            lines.extend(rebooking_ended(session, known.located.id.as_str()).await?);
        }
        if session.json {
            let mut value = json!(report);
            value["service"] = service_of(&known);
            value["message"] = json!(lines.join(" "));
            value["patient_compared"] = json!(!unchecked);
            if let Some(settled) = &known.settled {
                value["settled"] = json!([settled]);
            }
            shown::json(&value);
        }
        match &report.outcome {
            Cancelled::Yes(_) | Cancelled::Already(_) => {
                if !session.json {
                    lines.iter().for_each(|line| print(&format!("{line}\n")));
                }
                Ok(())
            }
            Cancelled::Uncertain(_) => Err(Stopped::Told(lines.join(" "), Certainty::Uncertain)),
            _ => Err(Stopped::Told(lines.join(" "), Certainty::Certain)),
        }
    }
}

/// The result, with patient, service, day and time where they were read.
pub(super) fn told(report: &CancelReport, service: &str, patient_told: bool) -> String {
    let named = report.appointment.as_ref().map(|a| a.named(service));
    match (&report.outcome, named) {
        (Cancelled::Yes(_), Some(named)) if patient_told => {
            format!("The appointment is cancelled, and the patient was told: {named}.")
        }
        (Cancelled::Yes(_), Some(named)) => {
            format!("The appointment is cancelled: {named}. Tell the patient.")
        }
        (Cancelled::Already(_), Some(named)) => {
            format!("The service says that the appointment is cancelled already: {named}.")
        }
        (_, Some(named)) => format!("{} It is the appointment of {named}.", report.plain()),
        (_, None) => report.plain(),
    }
}

/// A rebooking that was interrupted ends when either of its appointments is cancelled: says what still stands.
async fn rebooking_ended(session: &Session, id: &str) -> Result<Option<String>, Stopped> {
    for new in session.consultation.open_rebookings().await? {
        if !concerns(&new, id) {
            continue;
        }
        session.consultation.rebook_closed(&new.document).await;
        let is_old = new.appointment.as_deref() != Some(id);
        let stands = match (is_old, &new.old) {
            (true, _) => new.appointment.clone().unwrap_or(new.document),
            (false, Some((old, _))) => old.clone(),
            (false, None) => return Ok(None),
        };
        return Ok(Some(format!(
            "A rebooking had been interrupted: the appointment {stands} stands."
        )));
    }
    Ok(None)
}
