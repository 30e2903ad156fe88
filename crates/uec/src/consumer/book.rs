//! `uec consumer book|rebook`.

use super::desk::{Bookable, Desk, Known};
use super::find::When;
use super::patient::PatientArgs;
use super::{Done, Stopped, ask, rows, shown};
use crate::print;
use booking::ids::{NhsNumber, ServiceId};
use clap::Args;
use consumer::journey::timeframe::{self, Cleared, Confirmation, Demand, Judgement};
use consumer::journey::{Booked, Booking, Rebooked};
use consumer::obstacle::Obstacle;
use consumer::plan::BookingDetails;
use consumer::slots::{FreeSlot, SlotList, day_and_time, span};
use consumer::sms;
use serde_json::{Value, json};

/// Slots printed after one was taken.
const OFFERED: usize = 10;

/// Which slot, and what is answered about a late one.
#[derive(Args)]
pub struct Choice {
    /// Number of a row of the list shown last, or the id of a slot; #3 and id:3 say which of the two
    #[arg(long, value_name = "ID", required_unless_present = "first")]
    pub slot: Option<String>,
    /// Take the first free slot
    #[arg(long, conflicts_with = "slot")]
    pub first: bool,
    #[command(flatten)]
    pub when: When,
    /// Who approved a slot after the time in which the patient should be seen
    #[arg(long, value_name = "NAME")]
    pub approved_by: Option<String>,
    /// The patient knows that the slot is late, and agrees
    #[arg(long)]
    pub patient_agrees: bool,
    /// Answer every question with yes
    #[arg(long, short)]
    pub yes: bool,
}

/// Book a slot.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    uec consumer book --service 2000000011 --first --patient ada.toml\n  \
    uec consumer book --service 2000000011 --slot 0190… --nhs-number 9990123454 --family Testwell --given Ada \\\n      \
    --gender female --birth-date 1984-06-21 --postcode \"LS99 9ZZ\" --phone \"01632 960123\" --reason \"Sore throat\"\n  \
    uec consumer book --service 2000000011 --slot 0190… --patient ada.toml --disposition Dx05 --approved-by \"Dr I Larkspur\"")]
pub struct Book {
    /// Directory (DoS) id of the service
    #[arg(long, value_name = "ID")]
    pub service: ServiceId,
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub patient: PatientArgs,
}

/// Book another slot, then cancel the old appointment.
#[derive(Args)]
#[command(after_help = "Example:\n  uec consumer rebook 0190… --slot 0191…\n\n\
    The patient is that of the old appointment, unless given. The new booking comes first: if it fails, the old appointment stands.")]
pub struct Rebook {
    /// The old appointment: its id, URL or document id, or `last`
    pub appointment: String,
    /// Directory (DoS) id of the service that has the old appointment, if it was not booked from here
    #[arg(long, value_name = "ID")]
    pub old_service: Option<ServiceId>,
    /// Directory (DoS) id of the service to book [default: that of the old appointment]
    #[arg(long, value_name = "ID")]
    pub service: Option<ServiceId>,
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub patient: PatientArgs,
}

impl Book {
    pub(super) async fn run(self, desk: &Desk) -> Done {
        let details = self.patient.details()?;
        let bookable = desk.bookable(&self.service).await?;
        known_first(desk, details.patient.number().as_ref(), None).await?;
        let slot = self.choice.slot(desk, &bookable).await?;
        let cleared = self.choice.clear(desk, &slot)?;
        let target = bookable.target();
        let booking = desk
            .consultation
            .book(&target, &slot, &details, &cleared)
            .await?;
        ended(desk, booking, &details)
    }
}

impl Rebook {
    pub(super) async fn run(self, desk: &Desk) -> Done {
        let old = desk
            .located(&self.appointment, self.old_service.as_ref())
            .await?;
        let details = self.details(desk, &old).await?;
        let bookable = match &self.service {
            Some(service) => desk.bookable(service).await?,
            None => old.bookable,
        };
        let slot = self.choice.slot(desk, &bookable).await?;
        let cleared = self.choice.clear(desk, &slot)?;
        let document = old.booking.as_ref().map(|b| b.document.as_str());
        let consultation = &desk.consultation;
        let target = bookable.target();
        let rebooked = consultation
            .rebook(&old.located, document, &target, &slot, &details, &cleared)
            .await?;
        both(desk, rebooked, &details)
    }
}

impl Rebook {
    /// The patient as given, else as in the old appointment.
    async fn details(&self, desk: &Desk, old: &Known) -> Result<BookingDetails, Stopped> {
        if !self.patient.is_empty() {
            return self.patient.details();
        }
        let shown = desk.consultation.show(&old.located).await?;
        let mut details = BookingDetails::of_appointment(&shown.resource).ok_or_else(|| {
            Stopped::Usage("the old appointment does not carry the patient's details: give them with --patient FILE".to_owned())
        })?;
        if let Some(reason) = &self.patient.reason {
            details.description.clone_from(reason);
        }
        Ok(details)
    }
}

/// Tells of the bookings that the patient has already (CONS-REB-04).
async fn known_first(desk: &Desk, patient: Option<&NhsNumber>, except: Option<&str>) -> Done {
    let Some(patient) = patient.filter(|_| !desk.json) else {
        return Ok(());
    };
    let known = desk.consultation.known_bookings(Some(patient)).await?;
    for booking in known.iter().filter(|k| k.appointment.as_deref() != except) {
        let id = booking.appointment.as_deref().unwrap_or("state unknown");
        print(&format!(
            "Note: the patient has an appointment on {} already ({id}). Cancel it if it is no longer needed.\n",
            day_and_time(booking.start)
        ));
    }
    Ok(())
}

impl Choice {
    async fn slot(&self, desk: &Desk, bookable: &Bookable) -> Result<FreeSlot, Stopped> {
        let target = bookable.target();
        let wanted = match &self.slot {
            Some(text) => Some(rows::wanted(desk, &target.service, text).await?),
            None => None,
        };
        let search = rows::reaching(self.when.search()?, wanted.as_ref());
        let list = desk.consultation.slots(&target, search).await?;
        rows::chosen(desk, &target.service, list, wanted.as_ref()).await
    }

    /// Asks what has to be asked about a slot outside the timeframe (CONS-TF-01..05).
    fn clear(&self, desk: &Desk, slot: &FreeSlot) -> Result<Cleared, Stopped> {
        let encounter = desk.consultation.encounter();
        let mut confirmation = Confirmation {
            told: self.yes,
            approver: self.approved_by.clone(),
            patient_agreed: self.patient_agrees.then_some(true),
        };
        if let Judgement::Outside { minutes, demand } = timeframe::judge(encounter, slot.start) {
            let notice = timeframe::notice(minutes, demand);
            match demand {
                Demand::Nothing => {}
                Demand::Notify if !desk.json => {
                    confirmation.told =
                        ask::confirm(&format!("{notice} Go on?"), self.yes, "--yes")?;
                }
                Demand::Approval if confirmation.approver.is_none() && ask::somebody_is_there() => {
                    let name =
                        ask::answer(&format!("{notice}\nApproved by (empty: not approved):"))?;
                    confirmation.approver = Some(name).filter(|n| !n.is_empty());
                }
                Demand::Notify | Demand::Approval => {}
            }
        }
        timeframe::clear(encounter, slot, confirmation).map_err(|missing| {
            let flag = match missing.demand {
                Demand::Approval => "--approved-by NAME says who approved.",
                _ => "--yes confirms.",
            };
            Stopped::Refused(format!("{} {flag}", missing.notice))
        })
    }
}

fn ended(desk: &Desk, booking: Booking, details: &BookingDetails) -> Done {
    match booking {
        Booking::Booked(booked) => {
            match desk.json {
                true => shown::json(
                    &json!({ "booked": booked, "sms": text_message(desk, &booked, details) }),
                ),
                false => confirmed(desk, &booked, details),
            }
            Ok(())
        }
        Booking::SlotTaken { notice, refreshed } => {
            offer(desk, &notice, refreshed);
            Err(Stopped::Refused(notice.to_string()))
        }
        Booking::Unknown { notice, document } => {
            if desk.json {
                shown::json(&json!({ "unknown": shown::obstacle(&notice), "document": document }));
            }
            Err(Stopped::Refused(notice.to_string()))
        }
    }
}

fn both(desk: &Desk, rebooked: Rebooked, details: &BookingDetails) -> Done {
    let old = match &rebooked.old {
        None => "The old appointment stands.".to_owned(),
        Some(Ok(report)) => report.plain(),
        Some(Err(obstacle)) => format!("The old appointment stands. {obstacle}"),
    };
    let complete = rebooked.is_complete();
    let booking = match rebooked.new {
        Ok(booking) => booking,
        Err(obstacle) => {
            if !desk.json {
                print(&format!("{old}\n"));
            }
            return Err(obstacle.into());
        }
    };
    match (&booking, desk.json) {
        (Booking::Booked(booked), true) => {
            let report = rebooked.old.as_ref().and_then(|o| o.as_ref().ok());
            shown::json(
                &json!({ "booked": booked, "old": report, "old_message": old, "complete": complete }),
            );
        }
        (Booking::Booked(booked), false) => {
            confirmed(desk, booked, details);
            print(&format!("Old appointment: {old}\n"));
        }
        _ => {
            if !desk.json {
                print(&format!("{old}\n"));
            }
            return ended(desk, booking, details);
        }
    }
    match complete {
        true => Ok(()),
        false => Err(Stopped::Refused(format!(
            "The new appointment is booked. {old}"
        ))),
    }
}

fn confirmed(desk: &Desk, booked: &Booked, details: &BookingDetails) {
    let slot = &booked.slot;
    print(&format!(
        "Booked: {}, {} minutes\n",
        day_and_time(slot.start),
        slot.minutes()
    ));
    let row = |head: &str, text: &str| print(&format!("{head:<12} {text}\n"));
    row("How", slot.channel_shown());
    if let Some(name) = slot.service.as_ref().or(booked.target.name.as_ref()) {
        row("Service", name);
    }
    if let Some(place) = &slot.place {
        let parts: Vec<&str> = [&place.name, &place.address]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        row("Where", &parts.join(", "));
    }
    row("Appointment", &booked.appointment);
    row("URL", &booked.url);
    row("Document", &booked.document);
    if let Some(minutes) = booked.outside_timeframe_minutes {
        row("Late by", &span(minutes));
    }
    if booked.recovered {
        print(
            "The service's answer was lost on the way; the booking was found afterwards. There is only this one.\n",
        );
    }
    if let Some(sms) = text_message(desk, booked, details) {
        row("SMS to send", sms["text"].as_str().unwrap_or_default());
    }
}

/// The confirmation for a patient with a mobile number; whether they consented is the user's to ask (CONS-SMS-01).
fn text_message(desk: &Desk, booked: &Booked, details: &BookingDetails) -> Option<Value> {
    let to = details.patient.mobile()?;
    let text = sms::text(&sms::Confirmation {
        start: booked.slot.start,
        channel: booked.slot.channel.as_ref(),
        place: booked.slot.place.as_ref(),
        service: booked
            .slot
            .service
            .as_deref()
            .or(booked.target.name.as_deref()),
        sender: &desk.config.organisation.name,
        call: "111",
    });
    Some(json!({ "to": to, "text": text }))
}

/// The slots that are free now.
fn offer(desk: &Desk, notice: &Obstacle, refreshed: Result<SlotList, Obstacle>) {
    let list = match refreshed {
        Ok(list) => list,
        Err(obstacle) => {
            if desk.json {
                shown::json(
                    &json!({ "taken": shown::obstacle(notice), "refresh": shown::obstacle(&obstacle) }),
                );
            }
            return;
        }
    };
    let all = desk.consultation.shown(&list);
    if desk.json {
        shown::json(&json!({ "taken": shown::obstacle(notice), "slots": all }));
        return;
    }
    if all.is_empty() {
        print("There are no other free slots in this time.\n");
        return;
    }
    print("These are free now:\n");
    shown::slots(&all.iter().take(OFFERED).collect::<Vec<_>>(), false);
}
