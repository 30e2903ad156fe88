//! `uec consumer rebook`.

use super::book::{Choice, Earlier, confirmed, outcome_of, stopped, unrecorded};
use super::patient::PatientArgs;
use super::ranked::{self, Named};
use super::session::{Known, Session, service_name};
use super::settle::Finished;
use super::{Certainty, Done, Stopped, appointments, ask, own, shown};
use crate::print;
use booking::foreign::Foreign;
use booking::ids::ServiceId;
use clap::Args;
use consumer::journal::KnownBooking;
use consumer::journey::{
    AppointmentShown, Booking, CancelReport, Old, Rebooked, is_same_booking, not_booked, slot_of,
};
use consumer::plan::BookingDetails;
use consumer::slots::day_and_time;
use serde_json::json;

/// Book another slot, then cancel the old appointment.
#[derive(Args)]
#[command(after_help = "Example:\n  uec consumer rebook 0190… --slot 0191…\n\n\
    The patient is that of the old appointment, unless given. The new booking comes first: if it fails, the old appointment stands.")]
pub struct Rebook {
    /// The old appointment: its id, URL or document id, or `last`
    pub appointment: String,
    /// Service that has the old appointment, if it was not booked from here: as --service
    #[arg(long, value_name = "NUMBER|ID")]
    pub old_service: Option<Named>,
    /// Number of a row of the list of services shown last, or the directory (DoS) id of the service to
    /// book [default: that of the old appointment]
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Option<Named>,
    #[command(flatten)]
    pub choice: Choice,
    #[command(flatten)]
    pub patient: PatientArgs,
}

impl Rebook {
    pub(super) async fn run(self, session: &Session) -> Done {
        self.choice.can_choose(session)?;
        let service = ranked::given(session, self.service.as_ref()).await?;
        let old_service = ranked::given(session, self.old_service.as_ref()).await?;
        let old = session
            .located(&self.appointment, old_service.as_ref())
            .await?;
        // The patient that was given has to be the one who has the old appointment.
        let given = match self.patient.is_empty() {
            true => None,
            false => self.patient.details()?.patient.number(),
        };
        let nameless = old.booking.as_ref().is_some_and(|b| b.nhs_number.is_none());
        let given = given.as_ref().filter(|_| !nameless);
        let shown = old.read(session, given).await?.into_appointment();
        let named = shown.named(&old.service());
        let details = self.details(&shown)?;
        // A rebooking of this very appointment that was interrupted is finished, not made a second time.
        let earlier = Earlier::of(session, &details).await?;
        let of_this = |f: &&Finished| {
            let old = f.new.old.as_ref();
            old.is_some_and(|(old, _)| *old == shown.id) && f.old.is_some()
        };
        if let Some(finished) = earlier.finished.iter().find(of_this) {
            return taken_up(session, finished);
        }
        if let Some(row) = interrupted(session, &earlier, shown.id.as_str()).await? {
            return self.go_on(session, &old, row, &details, &earlier).await;
        }
        if let Some(why) = not_booked(shown.status.as_received()) {
            appointments::heard(session, &old, &shown).await;
            return Err(Stopped::Refused(format!(
                "Nothing was done, since the old appointment cannot be rebooked: {why} It is the appointment of {named}. \
                 If the patient needs another appointment, book a new one.",
            )));
        }
        earlier.confirm(session, &self.choice, Some(shown.id.as_str()))?;
        let bookable = match &service {
            Some(service) => Some(session.bookable(service).await?),
            None => None,
        };
        let bookable = bookable.as_ref().unwrap_or(&old.bookable);
        let slot = self.choice.slot(session, bookable, &details).await?;
        let cleared = self.choice.clear(session, &slot)?;
        let target = bookable.target();
        let question = format!(
            "Book {} on {} instead, and cancel the appointment of {named}?",
            service_name(&target, None),
            day_and_time(slot.start)
        );
        if !ask::confirm(&question, self.choice.yes, "--yes")? {
            return Err(Stopped::refused(
                "Nothing was booked, and the old appointment stands.",
            ));
        }
        let replaced = Old {
            located: &old.located,
            document: shown.document.as_ref().map(Foreign::as_received),
        };
        let rebooked = earlier
            .consultation(session, &self.choice)
            .rebook(replaced, &target, &slot, &details, &cleared)
            .await?;
        if let Some(stop) =
            own::instead(session, &target, &slot.id, &rebooked.new, &details).await?
        {
            return Err(stop);
        }
        both(session, rebooked, &details, &earlier, &old).await
    }

    /// The patient as given, else as in the old appointment.
    fn details(&self, shown: &AppointmentShown) -> Result<BookingDetails, Stopped> {
        if !self.patient.is_empty() {
            return self.patient.details();
        }
        let mut details = BookingDetails::of_appointment(&shown.resource).ok_or_else(|| {
            Stopped::usage("the old appointment does not carry the patient's details: give them with --patient FILE")
        })?;
        if let Some(reason) = &self.patient.reason {
            details.description.clone_from(reason);
        }
        Ok(details)
    }

    /// Goes on with a rebooking whose new booking is not certain, under its own request id.
    async fn go_on(
        &self,
        session: &Session,
        old: &Known,
        row: KnownBooking,
        details: &BookingDetails,
        earlier: &Earlier,
    ) -> Done {
        let service = ServiceId::parse(&row.service)
            .map_err(|e| Stopped::Refused(format!("the journal is damaged: {e}")))?;
        let same = is_same_booking(&row, details) && row.claim.is_some() && self.choice.is(&row);
        if !same {
            let day = day_and_time(row.start);
            return Err(Stopped::Uncertain(format!(
                "This appointment was being rebooked to {day} already, and it is not certain whether that was booked. \
                 Nothing more was done. Look again in a few minutes, or ring the service and say what it said: \
                 uec consumer settle {} --booked APPOINTMENT, or --not-booked.",
                row.document
            )));
        }
        let target = session.bookable(&service).await?.target();
        let slot = slot_of(&row);
        let cleared = self.choice.clear(session, &slot)?;
        let consultation = &session.consultation;
        let new = consultation
            .book_again(&target, &row, &slot, details, &cleared)
            .await;
        let rebooked = consultation.replace(new, &old.located, details).await;
        both(session, rebooked, details, earlier, old).await
    }
}

/// The rebooking that was asked for had been made but for its second half, which was done now.
fn taken_up(session: &Session, finished: &Finished) -> Done {
    let report = finished.old.as_ref();
    let complete = report.is_some_and(|r| r.is_cancelled());
    if session.json {
        shown::json(&json!({
            "outcome": "booked", "booked": finished.new, "old": report, "complete": complete,
            "old_message": finished.plain, "finished": [finished.json()],
        }));
    } else {
        print(&format!(
            "Booked: {} (appointment {})\n",
            day_and_time(finished.new.start),
            finished.new.appointment.as_deref().unwrap_or_default()
        ));
    }
    match report {
        _ if complete => Ok(()),
        Some(report) if report.is_uncertain() => {
            Err(Stopped::Told(finished.plain.clone(), Certainty::Uncertain))
        }
        _ => Err(Stopped::Told(finished.plain.clone(), Certainty::Certain)),
    }
}

/// A rebooking of this appointment of which it is not certain whether the new one was booked.
async fn interrupted(
    session: &Session,
    earlier: &Earlier,
    id: &str,
) -> Result<Option<KnownBooking>, Stopped> {
    let of_this = |k: &KnownBooking| k.old.as_ref().is_some_and(|(old, _)| old == id);
    let open = earlier.found.iter().filter(|f| f.is_open());
    if let Some(found) = open.map(|f| &f.row).find(|row| of_this(row)) {
        return Ok(Some(found.clone()));
    }
    let rows = session.consultation.open_rebookings().await?;
    Ok(rows.into_iter().find(|k| k.is_unsettled() && of_this(k)))
}

async fn both(
    session: &Session,
    rebooked: Rebooked,
    details: &BookingDetails,
    earlier: &Earlier,
    old: &Known,
) -> Done {
    let old_told = match &rebooked.old {
        None => "The old appointment stands.".to_owned(),
        Some(Ok(report)) => appointments::told(report, &old.service(), false),
        Some(Err(obstacle)) => format!("The old appointment stands. {obstacle}"),
    };
    let complete = rebooked.is_complete();
    let report = rebooked.old.as_ref().and_then(|o| o.as_ref().ok());
    if session.json {
        let mut value = outcome_of(session, &rebooked.new, details);
        value["old"] = match report {
            Some(report) => json!(report),
            None => json!({ "outcome": "not_cancelled", "cancelled": false, "message": old_told }),
        };
        value["old_message"] = json!(old_told);
        value["complete"] = json!(complete);
        earlier.add_to(&mut value);
        // The old appointment is not one that the patient still has.
        if report.is_some_and(CancelReport::is_cancelled)
            && let Some(has) = value["patient_has"].as_array_mut()
        {
            has.retain(|one| one["appointment"] != old.located.id.as_str());
        }
        shown::json(&value);
    }
    let booked = match &rebooked.new {
        Ok(Booking::Booked(booked)) => booked,
        _ => {
            if !session.json {
                print(&format!("{old_told}\n"));
            }
            return stopped(session, rebooked.new).await;
        }
    };
    if !session.json {
        confirmed(session, booked, details);
        print(&format!("Old appointment: {old_told}\n"));
    }
    unrecorded(booked);
    let reason = format!("The new appointment is booked. {old_told}");
    match (complete, report) {
        (true, _) => Ok(()),
        (false, Some(report)) if report.is_uncertain() => {
            Err(Stopped::Told(reason, Certainty::Uncertain))
        }
        (false, _) => Err(Stopped::Told(reason, Certainty::Certain)),
    }
}
