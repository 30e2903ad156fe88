//! `uec consumer refer`: the clinical document, with its appointment or without one.

use super::patient::PatientArgs;
use super::ranked::{self, Named};
use super::session::{Known, Session};
use super::{Done, Stopped, appointments, settle, shown};
use crate::output::print_exactly;
use crate::print;
use booking::foreign::Foreign;
use booking::ids::ServiceId;
use clap::Args;
use consumer::discover::ServiceDetails;
use consumer::journal;
use consumer::journey::{
    AppointmentShown, PendingChange, ReferralDraft, ReferralPermit, not_booked, referred,
};
use consumer::plan;
use consumer::referral::{
    Appointment, AppointmentUrl, Endpoint, Message, Patient, Receipt, Referral, ReferralFailure,
    Retries, Sender,
};
use consumer::slots::day_and_time;
use serde_json::json;
use uuid::Uuid;

/// Send the clinical document that goes with an appointment, or one without an appointment.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  uec consumer refer 0190… --note \"Sore throat for three days\" --disposition Dx05\n  \
    uec consumer refer --service 2000000022 --patient ada.toml --note \"Advice wanted\""
)]
pub struct Refer {
    /// The appointment: its id, URL or document id, or `last`
    #[arg(required_unless_present = "service")]
    pub appointment: Option<String>,
    /// Number of a row of the list of services shown last, or the directory (DoS) id of the service
    #[arg(long, value_name = "NUMBER|ID")]
    pub service: Option<Named>,
    /// A paragraph of the report; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub note: Vec<String>,
    /// The service is known to take referrals without an appointment, although no list of services said so
    #[arg(long, requires = "service")]
    pub without_booking: bool,
    /// Print the document instead of sending it
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub patient: PatientArgs,
}

impl Refer {
    pub(super) async fn run(self, session: &Session) -> Done {
        let service = ranked::given(session, self.service.as_ref()).await?;
        match (&self.appointment, &service) {
            (Some(appointment), service) => {
                let known = session.located(appointment, service.as_ref()).await?;
                self.with_booking(session, &known).await
            }
            (None, Some(service)) => self.without(session, service).await,
            (None, None) => Err(Stopped::usage("name an appointment or a --service")),
        }
    }

    async fn with_booking(&self, session: &Session, known: &Known) -> Done {
        // The service that gets a document about one of two appointments must not expect the patient twice (D-53).
        if !self.dry_run {
            let id = known.located.id.as_str();
            settle::rebookings(session, |new| appointments::concerns(new, id)).await?;
        }
        // Nothing is written about an appointment that is not proven to be the one that is meant.
        let found = known.read(session, None).await?.into_appointment();
        appointments::heard(session, known, &found).await;
        if let Some(why) = not_booked(found.status.as_received()) {
            return Err(Stopped::Refused(format!(
                "Nothing was sent, since no referral goes with this appointment: {why} Book again, or refer without an \
                 appointment.",
            )));
        }
        let start = found
            .start
            .or_else(|| known.booking.as_ref().map(|b| b.start));
        let start = start.ok_or_else(|| {
            Stopped::refused("Nothing was sent: the service does not say when the appointment starts. Ring the service.")
        })?;
        let document = found
            .document
            .as_ref()
            .map(Foreign::as_received)
            .and_then(|d| Uuid::parse_str(d).ok())
            .ok_or_else(|| {
                Stopped::refused(
                    "The appointment names no clinical document, so none can be sent for it.",
                )
            })?;
        let document_id = document.to_string();
        if session.journal().is_referred(&document_id).await? {
            return Err(Stopped::refused(
                "The document of this appointment was sent already; it cannot be changed or replaced. Cancel, book \
                 again, and send the new one.",
            ));
        }
        let details = &known.bookable.details;
        let url = known
            .booking
            .as_ref()
            .and_then(|b| b.url.clone())
            .unwrap_or_else(|| found.url.clone());
        let url = AppointmentUrl::from_location(&url)
            .map_err(|e| Stopped::Refused(format!("The referral was not sent: {e}.")))?;
        let patient = match self.patient.is_empty() {
            true => of_appointment(&found)?,
            false => referred(&self.patient.details()?.patient),
        };
        let appointment = Appointment {
            url,
            start,
            service: known.service(),
        };
        // It is sent on as it came.
        let reason = found.description.as_ref();
        let reason = reason.map(|r| r.as_received().to_owned());
        let contact = contact_of(session, known).await?;
        let about = About {
            document,
            patient,
            appointment: Some(appointment),
            reason,
        };
        let referral = self.referral(session, &contact, details, about)?;
        self.send(session, details, &referral).await
    }

    async fn without(&self, session: &Session, service: &ServiceId) -> Done {
        let details = session.service(service).await?;
        let listed = session.listed_as_booking_only(service).await?;
        if listed.is_none() && !details.booking_required && !self.without_booking {
            return Err(Stopped::refused(
                "It is not known whether this service takes referrals without an appointment: the directory says so in \
                 lists. List the services first, or say --without-booking.",
            ));
        }
        let permit = session
            .consultation
            .may_refer(service, details.booking_required)
            .await?;
        if let ReferralPermit::Withheld(warning) = permit {
            return Err(Stopped::Refused(warning));
        }
        let who = self.patient.details()?;
        let about = About {
            document: Uuid::new_v4(),
            patient: referred(&who.patient),
            appointment: None,
            reason: Some(who.description.clone()),
        };
        let contact = session.consultation.encounter();
        let referral = self.referral(session, contact, &details, about)?;
        self.send(session, &details, &referral).await
    }

    fn referral(
        &self,
        session: &Session,
        contact: &journal::Encounter,
        details: &ServiceDetails,
        about: About,
    ) -> Result<Referral, Stopped> {
        let mut paragraphs: Vec<String> = about
            .reason
            .into_iter()
            .chain(self.note.iter().cloned())
            .collect();
        paragraphs.retain(|p| !p.trim().is_empty());
        let recipient = details.recipient();
        let draft = ReferralDraft {
            config: &session.config,
            author: session.consultation.encounter().user.clone(),
            contact,
            recipient: recipient.map_err(|e| Stopped::Refused(e.to_string()))?,
            document: about.document,
            patient: about.patient,
            appointment: about.appointment,
            outcome: "Outcome of the assessment",
            paragraphs,
        };
        Ok(draft.finish())
    }

    async fn send(&self, session: &Session, details: &ServiceDetails, referral: &Referral) -> Done {
        if self.dry_run {
            print_exactly(&format!("{}\n", consumer::referral::write_cda(referral)));
            return Ok(());
        }
        let sender = Sender::new(session.client.clone(), Retries::default());
        let (mut receipts, mut copies) = (Vec::new(), Vec::new());
        for (n, endpoint) in details.referral_endpoints()?.iter().enumerate() {
            let sent = deliver(
                session,
                &sender,
                referral,
                endpoint,
                details.booking_required,
            )
            .await;
            self.keep(session, details, referral, endpoint, &sent)
                .await?;
            if !matches!(&sent, Err(unsent) if unsent.uncertain) {
                session.consultation.journey().arrived(None);
            }
            match sent {
                Ok(receipt) => receipts.push((endpoint.copy, receipt)),
                // The first is the one that counts; copies are for information.
                Err(unsent) if n == 0 => return Err(unsent.into()),
                Err(unsent) => copies.push(unsent.to_string()),
            }
        }
        if session.json {
            let all: Vec<_> = receipts
                .iter()
                .map(|(copy, r)| {
                    json!({ "address": r.address, "tracking": r.tracking.to_string(), "tries": r.tries, "status": r.status, "copy": copy })
                })
                .collect();
            shown::json(&json!({
                "document": referral.document_id.to_string(), "sent": all, "copies_not_sent": copies,
            }));
            return Ok(());
        }
        let who = &referral.patient;
        let about = referral.appointment.as_ref().map_or_else(String::new, |a| {
            let when = day_and_time(a.start);
            format!(
                " for the appointment of {} {} at {} on {when}",
                who.given.join(" "),
                who.family,
                a.service
            )
        });
        print(&format!(
            "The service has the referral{about} (document {}).\n",
            referral.document_id
        ));
        for why in copies {
            print(&format!("A copy was not sent: {why}\n"));
        }
        Ok(())
    }

    /// Keeps the attempt (DAT-05).
    async fn keep(
        &self,
        session: &Session,
        details: &ServiceDetails,
        referral: &Referral,
        endpoint: &Endpoint,
        sent: &Result<Receipt, ReferralFailure>,
    ) -> Done {
        let document = referral.document_id.to_string();
        let (outcome, detail) = match sent {
            Ok(r) => (
                "acknowledged",
                json!({ "document": document, "address": r.address, "copy": endpoint.copy,
                        "tracking": r.tracking.to_string(), "tries": r.tries, "status": r.status }),
            ),
            Err(unsent) => (
                if unsent.uncertain {
                    "uncertain"
                } else {
                    "not sent"
                },
                json!({ "document": document, "address": endpoint.address, "copy": endpoint.copy,
                        "why": format!("{:?}", unsent.why), "shown": unsent.plain,
                        "log": unsent.log.iter().map(|(k, v)| json!({ *k: v })).collect::<Vec<_>>() }),
            ),
        };
        Ok(session
            .consultation
            .note("refer", Some(&details.id), outcome, detail)
            .await?)
    }
}

/// What a document is about.
struct About {
    document: Uuid,
    patient: Patient,
    appointment: Option<Appointment>,
    reason: Option<String>,
}

/// The contact that a document belongs to: that of the booking, with what is said now before what was said then (D-64).
async fn contact_of(session: &Session, known: &Known) -> Result<journal::Encounter, Stopped> {
    let now = session.consultation.encounter();
    let Some(booking) = &known.booking else {
        return Ok(now.clone());
    };
    let journal = session.journal();
    let then = journal.kept_encounter(&booking.encounter).await?;
    Ok(match then {
        Some(then) => journal::Encounter {
            case_ref: now.case_ref.clone().or(then.case_ref),
            disposition: now.disposition.clone().or(then.disposition),
            ..then
        },
        None => now.clone(),
    })
}

async fn deliver(
    session: &Session,
    sender: &Sender,
    referral: &Referral,
    endpoint: &Endpoint,
    booking_required: bool,
) -> Result<Receipt, ReferralFailure> {
    let message = Message::new(referral, endpoint, booking_required, Uuid::new_v4())?;
    let again = referral.appointment.is_some();
    session
        .consultation
        .journey()
        .leaves(PendingChange::Referral(again));
    sender.send(&message).await
}

/// The patient of an appointment as the service has it.
fn of_appointment(found: &AppointmentShown) -> Result<Patient, Stopped> {
    plan::BookingDetails::of_appointment(&found.resource)
        .map(|details| referred(&details.patient))
        .ok_or_else(|| {
            Stopped::usage("the appointment does not carry the patient's details: give them with --patient FILE")
        })
}
