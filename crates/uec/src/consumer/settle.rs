//! `uec consumer settle`, and what every other command does first: finding out about bookings of which it is not certain
//! whether they were made, and finishing rebookings that were ended in between (D-53).

use super::session::{Known, Session, service_name};
use super::{Certainty, Done, Stopped, appointments, note, shown};
use crate::print;
use booking::foreign::Foreign;
use booking::ids::{ResourceId, ServiceId};
use clap::Args;
use consumer::journal::{KnownBooking, State, Which, Whose};
use consumer::journey::{CancelReport, Cancelled, Expected, Located, Lost, Proven, Status, Target};
use consumer::plan::BookingDetails;
use consumer::slots::{counted, day_and_time};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What a user can do about a booking that cannot be found out about.
const RING: &str = "Ring the service and ask whether it has the booking";

/// Find out about bookings of which it is not certain whether they were made.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  uec consumer settle\n  uec consumer settle last\n  \
    uec consumer settle 5f2c… --booked 0190…      (the service has it, under this id)\n  \
    uec consumer settle 5f2c… --not-booked        (the service was rung, and does not have it)"
)]
pub struct Settle {
    /// The booking: the id of its document, or `last` [default: all that are not certain]
    pub booking: Option<String>,
    /// The service said that it does not have the booking
    #[arg(long, conflicts_with = "booked")]
    pub not_booked: bool,
    /// The service said that it has the booking, under this appointment id or URL
    #[arg(long, value_name = "APPOINTMENT")]
    pub booked: Option<String>,
}

/// What was found out about one booking.
pub struct Found {
    /// The row as it was.
    pub row: KnownBooking,
    /// The service, if it could be asked.
    pub target: Option<Target>,
    /// What was found.
    pub lost: Lost,
}

/// Finds out about one booking. A service that cannot be asked leaves it open.
pub async fn row(session: &Session, row: &KnownBooking) -> Result<Found, Stopped> {
    if session.consultation.never_sent(row).await? {
        return Ok(Found {
            row: row.clone(),
            target: None,
            lost: Lost::NotSent,
        });
    }
    let target = match target(session, &row.service).await {
        Ok(target) => target,
        Err(why) => {
            return Ok(Found {
                row: row.clone(),
                target: None,
                lost: Lost::CannotTell(format!("The service could not be asked. {why}")),
            });
        }
    };
    let lost = match session.consultation.settle_row(&target, row).await {
        Ok(lost) => lost,
        Err(obstacle) => Lost::CannotTell(obstacle.to_string()),
    };
    Ok(Found {
        row: row.clone(),
        target: Some(target),
        lost,
    })
}

/// Where a service is booked, or why that is not known, in words.
async fn target(session: &Session, service: &str) -> Result<Target, String> {
    let id = ServiceId::parse(service).map_err(|e| e.to_string())?;
    match session.bookable(&id).await {
        Ok(bookable) => Ok(bookable.target()),
        Err(Stopped::Obstacle(obstacle)) => Err(obstacle.to_string()),
        Err(_) => Err("The directories do not say where it is.".to_owned()),
    }
}

/// A booking of the journal with the way to it; `None` when its service cannot be asked.
pub async fn known(session: &Session, row: &KnownBooking) -> Option<Known> {
    let bookable = session
        .bookable(&ServiceId::parse(&row.service).ok()?)
        .await
        .ok()?;
    let located = Located {
        target: bookable.target(),
        ..Located::of_known(row)?
    };
    Some(Known {
        located,
        bookable,
        booking: Some(row.clone()),
        settled: None,
    })
}

/// The service of a booking, by the name that the user was shown, else by its id.
pub fn told_service(row: &KnownBooking) -> String {
    let told = row.told.service.as_ref();
    told.map_or_else(|| format!("service {}", row.service), Foreign::to_string)
}

/// Finds out about all bookings of a patient that are not certain.
pub async fn of_patient(
    session: &Session,
    details: &BookingDetails,
) -> Result<Vec<Found>, Stopped> {
    let rows = session.consultation.bookings_of(Which::Unsettled, details);
    let rows = rows.await?;
    all(session, rows).await
}

/// Finds out about some.
pub async fn all(session: &Session, rows: Vec<KnownBooking>) -> Result<Vec<Found>, Stopped> {
    let mut found = Vec::with_capacity(rows.len());
    for one in rows {
        found.push(row(session, &one).await?);
    }
    Ok(found)
}

/// Says what was found out, beside what a command prints.
pub fn tell(session: &Session, found: &[Found]) {
    if !session.json {
        found.iter().for_each(|f| note(&f.plain()));
    }
}

impl Found {
    /// The booking by service, day and time.
    pub fn named(&self) -> String {
        let service = match &self.target {
            Some(target) => service_name(target, Some(&self.row)),
            None => told_service(&self.row),
        };
        format!("at {service} on {}", day_and_time(self.row.start))
    }

    /// The proof and its service, when it is booked.
    pub fn booked(&self) -> Option<(&Target, &Proven)> {
        match (&self.target, &self.lost) {
            (Some(target), Lost::Booked(_, proven)) => Some((target, proven)),
            _ => None,
        }
    }

    /// Whether it is still not certain.
    pub fn is_open(&self) -> bool {
        matches!(self.lost, Lost::CannotTell(_))
    }

    /// What was found, as a sentence.
    pub fn plain(&self) -> String {
        let named = self.named();
        match &self.lost {
            Lost::Booked(located, proven) => {
                let who = proven.appointment().patient.as_ref();
                let who = who.map_or("the patient".to_owned(), Foreign::to_string);
                format!(
                    "An earlier booking {named} had succeeded: {who} is booked (appointment {}).",
                    located.id.as_str()
                )
            }
            Lost::Cancelled => format!(
                "An earlier booking {named} was made, and the service says that it is cancelled."
            ),
            Lost::NotSent => format!(
                "An earlier booking {named} was interrupted before it was sent, so it was not made."
            ),
            Lost::Absent => format!("An earlier booking {named} was never made."),
            Lost::CannotTell(why) => format!(
                "It is not certain whether an earlier booking {named} was made. {why} {RING}, then say so: \
                 uec consumer settle {document} --booked APPOINTMENT, or --not-booked.",
                document = self.row.document
            ),
        }
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        let mut value = json!({
            "document": self.row.document, "service": self.row.service, "start": self.row.start.to_string(),
            "slot": self.row.slot, "message": self.plain(),
        });
        match &self.lost {
            Lost::Booked(located, proven) => {
                value["outcome"] = json!("booked");
                value["appointment"] = json!(located.id.as_str());
                value["url"] = json!(proven.appointment().url);
            }
            Lost::Cancelled => value["outcome"] = json!("cancelled"),
            Lost::Absent | Lost::NotSent => value["outcome"] = json!("not_booked"),
            Lost::CannotTell(_) => value["outcome"] = json!("uncertain"),
        }
        value
    }

    /// Why a command that needs the appointment stops.
    pub fn stops(&self) -> Option<Stopped> {
        match &self.lost {
            Lost::Booked(..) | Lost::Cancelled => None,
            Lost::Absent | Lost::NotSent => Some(Stopped::Refused(self.plain())),
            Lost::CannotTell(_) => Some(Stopped::Uncertain(self.plain())),
        }
    }
}

/// A rebooking that was ended between its two halves, and what was done about it.
pub struct Finished {
    /// The new booking.
    pub new: KnownBooking,
    /// What became of the old one; `None` when it was left alone.
    pub old: Option<CancelReport>,
    /// Both, in words.
    pub plain: String,
}

impl Finished {
    /// For scripts.
    pub fn json(&self) -> Value {
        json!({ "new": self.new, "old": self.old, "message": self.plain })
    }
}

/// Finishes the rebookings that were ended between their two halves, as far as they concern the command. Says what was
/// done.
pub async fn rebookings(
    session: &Session,
    concerns: impl Fn(&KnownBooking) -> bool,
) -> Result<Vec<Finished>, Stopped> {
    let mut told = Vec::new();
    for new in session.consultation.open_rebookings().await? {
        if !concerns(&new) {
            continue;
        }
        if new.state == State::Cancelled {
            session.consultation.rebook_closed(&new.document).await;
            continue;
        }
        // An open one may have been found just now; one that is still open is told of by its own line.
        if new.is_unsettled() {
            continue;
        }
        let finished = finish(session, new).await;
        if !session.json {
            note(&finished.plain);
        }
        told.push(finished);
    }
    Ok(told)
}

/// Finishes one: the new appointment stands, so the old one goes.
async fn finish(session: &Session, new: KnownBooking) -> Finished {
    let head = format!(
        "A rebooking was interrupted after the new appointment on {} had been booked.",
        day_and_time(new.start)
    );
    let (plain, old) = match old_of(session, &new).await {
        Ok((at, old)) => match session.consultation.finish_rebooking(&new, &at, &old).await {
            Ok(Some(report)) => {
                let told = appointments::told(&report, &service_name(&old.target, None), false);
                (format!("{head} Old appointment: {told}"), Some(report))
            }
            Ok(None) => (
                format!("{head} It does not stand any more, so the old one was left alone."),
                None,
            ),
            Err(obstacle) => (format!("{head} {obstacle}"), None),
        },
        Err(why) => (format!("{head} {why}"), None),
    };
    let still = match (&old, &new.old) {
        (Some(report), _) if report.is_cancelled() => String::new(),
        // Cancelling it would be stopped again.
        (Some(report), _) if matches!(report.outcome, Cancelled::NotBooked(_)) => String::new(),
        (_, Some((id, service))) => format!(
            " The old appointment may still stand: uec consumer cancel {id} --service {service}"
        ),
        (_, None) => String::new(),
    };
    Finished {
        plain: plain + &still,
        new,
        old,
    }
}

/// Where the two appointments of a rebooking are.
async fn old_of(session: &Session, new: &KnownBooking) -> Result<(Located, Located), String> {
    let unknown = || "The journal does not say which one was to be replaced.".to_owned();
    let (id, service) = new.old.as_ref().ok_or_else(unknown)?;
    let at = Located {
        target: target(session, &new.service).await?,
        ..Located::of_known(new).ok_or_else(unknown)?
    };
    let old = Located {
        target: target(session, service).await?,
        id: ResourceId::parse(id).map_err(|_| unknown())?,
    };
    Ok((at, old))
}

impl Settle {
    pub(super) async fn run(self, session: &Session) -> Done {
        let rows = match &self.booking {
            Some(text) => {
                let row = session.row(text, None).await?;
                let row = row.ok_or_else(|| {
                    Stopped::Usage(format!("no booking {text} was asked for from here"))
                })?;
                if !row.is_unsettled() {
                    return Err(Stopped::Refused(format!(
                        "It is certain what became of this booking: it is {}.",
                        word(row.state)
                    )));
                }
                vec![row]
            }
            None => {
                if self.not_booked || self.booked.is_some() {
                    return Err(Stopped::usage("name the booking that is meant"));
                }
                let (all, now) = (Whose::All, Timestamp::now());
                session
                    .journal()
                    .bookings(Which::Unsettled, all, now)
                    .await?
            }
        };
        match (&self.booked, rows.first()) {
            (Some(appointment), Some(row)) => return said_booked(session, row, appointment).await,
            (None, Some(row)) if self.not_booked => return said_not_booked(session, row).await,
            _ => {}
        }
        let found = all(session, rows).await?;
        let finished = rebookings(session, |_| true).await?;
        if session.json {
            let all: Vec<Value> = found.iter().map(Found::json).collect();
            let finished: Vec<Value> = finished.iter().map(Finished::json).collect();
            shown::json(&json!({ "settled": all, "finished": finished }));
        } else if found.is_empty() {
            print("It is certain of every booking what became of it.\n");
        } else {
            found
                .iter()
                .for_each(|f| print(&format!("{}\n", f.plain())));
        }
        match found.iter().filter(|f| f.is_open()).count() {
            0 => Ok(()),
            n => Err(Stopped::Told(
                format!("Of {} it is still not certain.", counted(n, "booking")),
                Certainty::Uncertain,
            )),
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Failed => "not booked",
        other => other.word(),
    }
}

/// The service was rung and has the booking: it is read, and kept if it is the one.
async fn said_booked(session: &Session, row: &KnownBooking, appointment: &str) -> Done {
    let target = target(session, &row.service)
        .await
        .map_err(Stopped::Refused)?;
    let located = Located::of_text(&target, appointment)
        .ok_or_else(|| Stopped::Usage(format!("{appointment} is no appointment id or URL")))?;
    let expected = Expected::unsettled(row);
    let read = session
        .consultation
        .read_expected(&located, &expected, Status::Booked)
        .await?;
    let proven = read.map_err(|unproven| {
        Stopped::Refused(format!(
            "This appointment is not the booking: {}.",
            unproven.plain()
        ))
    })?;
    let shown = proven.appointment();
    let settled = shown.settled(State::Booked);
    session.journal().settle(&row.document, settled).await?;
    if session.json {
        shown::json(&json!({ "outcome": "booked", "appointment": shown }));
    } else {
        print(&format!(
            "Booked: {}\n",
            shown.named(&service_name(&target, Some(row)))
        ));
    }
    Ok(())
}

/// The service was rung and does not have the booking.
async fn said_not_booked(session: &Session, known: &KnownBooking) -> Done {
    let row = known;
    let found = self::row(session, row).await?;
    if found.booked().is_some() {
        return Err(Stopped::Refused(found.plain()));
    }
    session.consultation.never_made(row).await?;
    let when = day_and_time(row.start);
    if session.json {
        shown::json(&json!({ "outcome": "not_booked", "document": row.document }));
    } else {
        print(&format!(
            "Noted: the booking at {} on {when} was not made.\n",
            told_service(row)
        ));
    }
    Ok(())
}
