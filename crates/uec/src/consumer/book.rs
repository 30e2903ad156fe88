//! `uec consumer book`: books a slot for a patient. [`Choice`], how the slot is chosen, also serves `rebook`; options of the
//! patient are in `patient`.

use super::find::When;
use super::patient::PatientArgs;
use super::ranked::Named;
use super::session::{Bookable, Session};
use super::{Certainty, Done, Stopped, appointments, ask, asked, note, own, rows, settle, shown};
use crate::print;
use booking::foreign::Foreign;
use booking::ids::ServiceId;
use clap::Args;
use consumer::journal::{KnownBooking, Which};
use consumer::journey::timeframe::{self, Cleared, Confirmation, Demand, Judgement};
use consumer::journey::{
    Booked, Booking, CancelReport, Consultation, Target, is_same_booking, is_theirs, slot_of,
};
use consumer::obstacle::Obstacle;
use consumer::plan::BookingDetails;
use consumer::slots::{FreeSlot, day_and_time, span};
use consumer::sms;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Display;

/// Which slot, and what is answered about a late one.
#[derive(Args)]
pub struct Choice {
    /// Number of a row of the list shown last, or the id of a slot; #3 and id:3 say which of the two
    #[arg(long, value_name = "NUMBER|ID")]
    pub slot: Option<String>,
    /// The slot that `slot` names, once that is known
    #[arg(skip)]
    wanted: Option<rows::Wanted>,
    /// Take the first free slot of the time that is asked for (--hours, --from)
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
    /// Book although it is not certain whether the patient has been booked before
    #[arg(long)]
    pub another: bool,
}

/// Book a slot.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    uec consumer book --service 2000000011 --first --patient ada.toml\n  \
    uec consumer book --service 2000000011 --slot 0190… --nhs-number 9990123454 --family Testwell --given Ada \\\n      \
    --gender female --birth-date 1984-06-21 --postcode \"LS99 9ZZ\" --phone \"01632 960123\" --reason \"Sore throat\"\n  \
    uec consumer book --service 2000000011 --slot 0190… --patient ada.toml --disposition Dx05 --approved-by \"Dr I Larkspur\"")]
pub struct Book {
    /// Number of a row of the list of services shown last, or the directory (DoS) id of the service
    /// (required; asked for at a terminal)
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Option<Named>,
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub patient: PatientArgs,
}

impl Book {
    pub(super) async fn run(mut self, session: &Session) -> Done {
        self.choice.can_choose(session)?;
        let service = asked::service(session, self.service.as_ref()).await?;
        asked::patient(&mut self.patient, session.json)?;
        // What a Provider would refuse is told before anybody is asked anything.
        let details = asked::checked(self.patient.details()?)?;
        self.choice.resolve(session, &service).await?;
        let mut earlier = Earlier::of(session, &details).await?;
        let bookable = session.bookable(&service).await?;
        let target = bookable.target();
        if let Some(booked) = earlier.same(&target, &self.choice) {
            let booking = Ok(Booking::Booked(Box::new(booked)));
            return ended(session, booking, &details, &earlier).await;
        }
        let open = earlier.open_wish(&target, &self.choice, &details);
        if let Some(row) = &open.cloned() {
            let slot = slot_of(row);
            let cleared = self.choice.clear(session, &slot)?;
            let booking = session
                .consultation
                .book_again(&target, row, &slot, &details, &cleared)
                .await;
            if matches!(booking, Ok(Booking::Booked(_))) {
                earlier.made(session, row).await?;
            }
            if let Some(stop) = own::instead(session, &target, &slot.id, &booking, &details).await?
            {
                return Err(stop);
            }
            return ended(session, booking, &details, &earlier).await;
        }
        earlier.confirm(session, &self.choice, None)?;
        let slot = self.choice.slot(session, &bookable, &details).await?;
        let cleared = self.choice.clear(session, &slot)?;
        let booking = earlier
            .consultation(session, &self.choice)
            .book(&target, &slot, &details, &cleared)
            .await;
        if let Some(stop) = own::instead(session, &target, &slot.id, &booking, &details).await? {
            return Err(stop);
        }
        ended(session, booking, &details, &earlier).await
    }
}

/// The bookings that a patient has already, or may have (CONS-REB-04).
pub(super) struct Earlier {
    /// Those of which it was not certain, with what was found out.
    pub found: Vec<settle::Found>,
    /// Those that stand, with the service's name.
    appointments: Vec<(KnownBooking, String)>,
    /// Those of which the service says that they are cancelled, while they were not cancelled from here (D-78).
    said_cancelled: Vec<KnownBooking>,
    /// The documents of all that were looked at.
    known: Vec<String>,
    /// Rebookings that were finished.
    pub finished: Vec<settle::Finished>,
}

impl Earlier {
    /// Finds out about all of them, and says what was found.
    pub async fn of(session: &Session, details: &BookingDetails) -> Result<Earlier, Stopped> {
        let found = settle::of_patient(session, details).await?;
        settle::tell(session, &found);
        let theirs = |k: &KnownBooking| is_theirs(k, details);
        let finished = settle::rebookings(session, theirs).await?;
        let (mut appointments, mut said_cancelled) = (Vec::new(), Vec::new());
        let mut known_documents: Vec<String> =
            found.iter().map(|f| f.row.document.clone()).collect();
        let mut rows = session
            .consultation
            .bookings_of(Which::Live, details)
            .await?;
        let gone = session
            .consultation
            .bookings_of(Which::SaidCancelled, details);
        rows.extend(gone.await?);
        for mut known in rows {
            // One that is not certain and was not found above has just been asked for by another command.
            if known.is_unsettled() {
                continue;
            }
            known_documents.push(known.document.clone());
            match appointments::stands(session, &known).await {
                Some(service) => {
                    known.stands_after_all();
                    appointments.push((known, service));
                }
                None => said_cancelled.push(known),
            }
        }
        if !session.json {
            let told = said_cancelled.iter().map(appointments::said_cancelled);
            told.for_each(|line| note(&line));
        }
        Ok(Earlier {
            found,
            appointments,
            said_cancelled,
            known: known_documents,
            finished,
        })
    }

    /// The contact in which a booking is made besides those that the user was told of; with `--another` besides any.
    pub fn consultation(&self, session: &Session, choice: &Choice) -> Consultation {
        match choice.another {
            true => session.consultation.clone(),
            false => session.consultation.knowing(self.known.clone()),
        }
    }

    /// An open booking has just been made up for: it is told as what was booked, not as open any more. Where it was the
    /// first half of a rebooking, the old appointment goes (D-53).
    async fn made(&mut self, session: &Session, new: &KnownBooking) -> Done {
        self.found.retain(|f| f.row.document != new.document);
        let finished = settle::rebookings(session, |k| k.document == new.document).await?;
        let gone = finished
            .iter()
            .any(|f| f.old.as_ref().is_some_and(CancelReport::is_cancelled));
        if gone {
            self.appointments
                .retain(|(known, _)| Some(&known.document) != new.replaces.as_ref());
        }
        self.finished.extend(finished);
        Ok(())
    }

    /// The booking that is wished for, when an earlier command had made it without seeing that.
    fn same(&self, target: &Target, choice: &Choice) -> Option<Booked> {
        self.found.iter().find_map(|found| {
            let (_, proven) = found.booked()?;
            let same = found.row.service == target.service.as_str() && choice.is(&found.row);
            same.then(|| Booked::found(&found.row, target, proven.clone()))
        })
    }

    /// The booking that is wished for, when it is not certain whether an earlier command made it.
    fn open_wish(
        &self,
        target: &Target,
        choice: &Choice,
        details: &BookingDetails,
    ) -> Option<&KnownBooking> {
        let open = self.found.iter().filter(|f| f.is_open()).map(|f| &f.row);
        let mut same = open.filter(|row| {
            row.service == target.service.as_str()
                && row.asid == target.asid.as_str()
                && row.claim.is_some()
                && choice.is(row)
                && is_same_booking(row, details)
        });
        same.next()
    }

    /// Asks whether a booking besides the others is wanted. Of those that are not certain, and of one that was found
    /// only now, `--yes` knows nothing: they need `--another`.
    pub fn confirm(&self, session: &Session, choice: &Choice, except: Option<&str>) -> Done {
        let open: Vec<&settle::Found> = self.found.iter().filter(|f| f.is_open()).collect();
        if !open.is_empty() && !choice.another {
            let lines: Vec<String> = open.iter().map(|f| f.plain()).collect();
            let reason = format!(
                "{} Nothing more was booked. --another books all the same.",
                lines.join(" ")
            );
            if session.json {
                let mut value = json!({ "outcome": "uncertain", "message": reason });
                self.add_to(&mut value);
                shown::json(&value);
            }
            return Err(Stopped::Told(reason, Certainty::Uncertain));
        }
        let others: Vec<String> = self
            .appointments
            .iter()
            .filter(|(k, _)| k.appointment.as_deref() != except)
            .map(|(k, service)| {
                format!(
                    "{service} on {} ({})",
                    day_and_time(k.start),
                    k.appointment.as_deref().unwrap_or(&k.document)
                )
            })
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let has = format!(
            "The patient has an appointment already: {}.",
            others.join("; ")
        );
        let found_now = self.found.iter().any(|f| f.booked().is_some());
        let (answered, flag) = match found_now {
            true => (choice.another, "--another"),
            false => (choice.another || choice.yes, "--yes"),
        };
        if answered {
            if !session.json {
                note(&format!("Note: {has} Cancel it if it is no longer needed."));
            }
            return Ok(());
        }
        let question = format!("{has} Book another besides?");
        let agreed = match ask::somebody_is_there() {
            true => ask::confirm(&question, false, flag)?,
            false => false,
        };
        if agreed {
            return Ok(());
        }
        let reason = format!(
            "{has} Nothing was booked. Confirm with the patient, then cancel it, or say {flag} to book another besides."
        );
        if session.json {
            let mut value = json!({ "outcome": "not_booked", "message": reason });
            self.add_to(&mut value);
            shown::json(&value);
        }
        Err(Stopped::Told(reason, Certainty::Certain))
    }

    /// Adds to what scripts are told.
    pub fn add_to(&self, value: &mut Value) {
        let has: Vec<Value> = self
            .appointments
            .iter()
            .map(|(known, service)| {
                let mut one = json!(known);
                one["service_name"] = json!(service);
                one
            })
            .chain(
                self.found
                    .iter()
                    .filter(|f| f.is_open())
                    .map(|f| json!(f.row)),
            )
            .collect();
        value["patient_has"] = json!(has);
        if !self.said_cancelled.is_empty() {
            value["said_cancelled"] = json!(self.said_cancelled);
        }
        if !self.found.is_empty() {
            let settled: Vec<Value> = self.found.iter().map(settle::Found::json).collect();
            value["settled"] = json!(settled);
        }
        if !self.finished.is_empty() {
            let finished: Vec<Value> = self.finished.iter().map(settle::Finished::json).collect();
            value["finished"] = json!(finished);
        }
    }
}

impl Choice {
    /// Whether the slot of an earlier booking is what is wished for.
    pub(super) fn is(&self, row: &KnownBooking) -> bool {
        match (&self.wanted, &self.slot) {
            (Some(wanted), _) => {
                let shown = wanted.start.map(Timestamp::as_millisecond);
                let same = shown.is_none_or(|at| at == row.start.as_millisecond());
                wanted.id == row.slot && same
            }
            (None, Some(slot)) => *slot == row.slot,
            (None, None) => true,
        }
    }

    /// Somebody has to say which slot: by a flag, or at the terminal.
    pub(super) fn can_choose(&self, session: &Session) -> Done {
        match self.slot.is_some() || self.first || asked::can_ask(session.json) {
            true => Ok(()),
            false => Err(Stopped::usage(
                "which slot? Name it with --slot, or take the first free one with --first",
            )),
        }
    }

    /// Finds out which slot of the service a number names.
    pub(super) async fn resolve(&mut self, session: &Session, service: &ServiceId) -> Done {
        if let Some(text) = &self.slot {
            self.wanted = Some(rows::wanted(session, service, text).await?);
        }
        Ok(())
    }

    pub(super) async fn slot(
        &self,
        session: &Session,
        bookable: &Bookable,
        details: &BookingDetails,
    ) -> Result<FreeSlot, Stopped> {
        let target = bookable.target();
        let wanted = match (&self.wanted, &self.slot) {
            (Some(wanted), _) => Some(wanted.clone()),
            (None, Some(text)) => Some(rows::wanted(session, &target.service, text).await?),
            (None, None) => None,
        };
        let search = rows::reaching(self.when.search()?, wanted.as_ref());
        let list = session.consultation.slots(&target, search).await?;
        if wanted.is_none() && !self.first && !list.slots.is_empty() {
            return rows::choose(session, &target.service, &list).await;
        }
        if let Some(wanted) = wanted.as_ref().filter(|w| list.lacks(&w.id))
            && let Some(stop) = own::holder(session, &target, &wanted.id, details).await?
        {
            return Err(stop);
        }
        rows::chosen(
            session,
            &target.service,
            list,
            wanted.as_ref(),
            search.window,
        )
        .await
    }

    /// Asks what has to be asked about a slot outside the timeframe (CONS-TF-01..05).
    pub(super) fn clear(&self, session: &Session, slot: &FreeSlot) -> Result<Cleared, Stopped> {
        let encounter = session.consultation.encounter();
        let mut confirmation = Confirmation {
            told: self.yes,
            approver: self.approved_by.clone(),
            patient_agreed: self.patient_agrees.then_some(true),
        };
        if let Judgement::Outside { minutes, demand } = timeframe::judge(encounter, slot.start) {
            let notice = timeframe::notice(minutes, demand);
            match demand {
                Demand::Nothing => {}
                Demand::Notify if !session.json => {
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

/// Says how a booking ended.
pub(super) async fn ended(
    session: &Session,
    booking: Result<Booking, Obstacle>,
    details: &BookingDetails,
    earlier: &Earlier,
) -> Done {
    let mut value = outcome_of(session, &booking, details);
    earlier.add_to(&mut value);
    if session.json {
        shown::json(&value);
    }
    match booking {
        Ok(Booking::Booked(booked)) => {
            if !session.json {
                confirmed(session, &booked, details);
            }
            unrecorded(&booked);
            Ok(())
        }
        other => stopped(session, other).await,
    }
}

/// The outcome for scripts.
pub(super) fn outcome_of(
    session: &Session,
    booking: &Result<Booking, Obstacle>,
    details: &BookingDetails,
) -> Value {
    match booking {
        Ok(Booking::Booked(booked)) => json!({
            "outcome": "booked", "booked": booked, "patient": details.patient.name.display(),
            "service": { "id": booked.target.service.as_str(), "name": booked.target.name },
            "sms": text_message(session, booked, details),
        }),
        Ok(Booking::SlotTaken { notice, refreshed }) => {
            let mut value = json!({ "outcome": "slot_taken", "taken": shown::obstacle(notice) });
            match refreshed {
                Ok(list) => value["slots"] = json!(session.consultation.shown(list)),
                Err(obstacle) => value["refresh"] = shown::obstacle(obstacle),
            }
            value
        }
        Ok(Booking::Unknown { notice, document }) => json!({
            "outcome": "uncertain", "unknown": shown::obstacle(notice), "document": document,
        }),
        Err(obstacle) => json!({ "outcome": "not_booked", "obstacle": shown::obstacle(obstacle) }),
    }
}

/// Why there is no booking; scripts have been told.
pub(super) async fn stopped(session: &Session, booking: Result<Booking, Obstacle>) -> Done {
    match booking {
        Ok(Booking::Booked(_)) => Ok(()),
        Ok(Booking::SlotTaken { notice, refreshed }) => {
            if let (false, Ok(list)) = (session.json, refreshed) {
                let service = notice.noted("service").map(ServiceId::parse);
                rows::offer(session, service.and_then(Result::ok).as_ref(), &list).await;
            }
            Err(Stopped::Told(notice.to_string(), Certainty::Certain))
        }
        Ok(Booking::Unknown { notice, document }) => Err(Stopped::Told(
            format!(
                "{notice} Then say what it said: uec consumer settle {document} --booked APPOINTMENT, or --not-booked."
            ),
            Certainty::Uncertain,
        )),
        Err(obstacle) => Err(Stopped::Told(obstacle.to_string(), Certainty::Certain)),
    }
}

/// A booking of which the journal knows nothing is the user's to note.
pub(super) fn unrecorded(booked: &Booked) {
    if !booked.recorded {
        note(&format!(
            "uec: the appointment is booked, but the record of it could not be written. Note its address: {}",
            booked.url
        ));
    }
}

/// Prints a booking.
pub(super) fn confirmed(session: &Session, booked: &Booked, details: &BookingDetails) {
    let slot = &booked.slot;
    print(&format!(
        "Booked: {}, {}\n",
        day_and_time(slot.start),
        span(slot.minutes())
    ));
    let row = |head: &str, text: &dyn Display| shown::row(head, 12, text);
    row("Patient", &details.patient.name.display());
    row("How", &slot.channel_shown());
    if let Some(name) = slot.service.as_ref().or(booked.target.name.as_ref()) {
        row("Service", name);
    }
    if let Some(place) = &slot.place {
        let parts = [&place.name, &place.address].into_iter().flatten();
        let parts: Vec<String> = parts.map(Foreign::to_string).collect();
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
    if let Some(sms) = text_message(session, booked, details) {
        row("SMS to send", &sms["text"].as_str().unwrap_or_default());
    }
}

/// The confirmation for a patient with a mobile number; whether they consented is the user's to ask (CONS-SMS-01).
fn text_message(session: &Session, booked: &Booked, details: &BookingDetails) -> Option<Value> {
    let to = details.patient.mobile()?;
    let text = sms::text(&sms::Confirmation {
        start: booked.slot.start,
        channel: booked.slot.channel.as_ref(),
        place: booked.slot.place.as_ref(),
        service: booked.slot.service.as_ref().or(booked.target.name.as_ref()),
        sender: &session.config.organisation.name,
        call: "111",
    });
    Some(json!({ "to": to, "text": text }))
}
