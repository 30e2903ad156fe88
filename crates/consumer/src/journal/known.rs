//! What is looked up: known bookings of a patient (CONS-REB-04), a booking by any of its ids, bookings outside the
//! timeframe (CONS-TF-05), an encounter.

use super::bookings::Told;
use super::rows::State;
use super::{Encounter, Journal, JournalError, KnownBooking, Others};
use booking::foreign::Foreign;
use booking::ids::NhsNumber;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// Most bookings of one report; a list for people ends long before.
const MOST: usize = 200;

pub(super) const COLUMNS: &str = "document, encounter, service, asid, root, start, end, state, appointment, url, etag, replaces, nhs_number, slot, slot_identifier, claim, request_id, requested_at, written_at, details_digest, open_question, old_appointment, old_service, rebook_open, service_name, place, clinician, cancelled_by, may_have_left";
/// How many columns [`COLUMNS`] has: what a query adds comes behind them.
const OWN: usize = 29;

/// What a look-up by id found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    None,
    /// One booking.
    One(Box<KnownBooking>),
    /// Several: two Providers may give the same id.
    Several(Vec<KnownBooking>),
}

/// Whose bookings are looked up.
#[derive(Clone, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those made without an NHS number.
    Nameless,
    /// One patient's.
    Of(NhsNumber),
}

/// Which bookings are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that were neither refused nor cancelled. Those of unknown state are among them: somebody has to find out.
    Live,
    /// Those of which nobody knows whether they were made.
    Unsettled,
    /// Those of which their service says that they are cancelled, while they were not cancelled from here (D-78).
    SaidCancelled,
}

impl Which {
    /// The condition, and the order: the next first, or what was asked for first.
    fn sql(self) -> (&'static str, &'static str) {
        match self {
            Which::Live => ("state NOT IN ('failed', 'cancelled')", "start"),
            Which::Unsettled => ("state IN ('requested', 'unknown')", "requested_at, rowid"),
            Which::SaidCancelled => (
                "state = 'cancelled' AND cancelled_by = 'elsewhere'",
                "start",
            ),
        }
    }
}

/// A booking that starts after the end of the timeframe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideTimeframe {
    /// The booking.
    pub booking: KnownBooking,
    /// By how many minutes.
    pub minutes: i64,
    /// Who booked.
    pub user: String,
    /// Who approved.
    pub approver: Option<String>,
    /// Whether the patient agreed.
    pub patient_agreed: Option<bool>,
}

pub(super) fn encounter(t: &Transaction<'_>, id: &str) -> Result<Option<Encounter>, JournalError> {
    let read = |r: &Row<'_>| {
        Ok(Encounter {
            id: r.get(0)?,
            opened_at: at(r.get(1)?),
            closed_at: r.get::<_, Option<i64>>(2)?.map(at),
            case_ref: r.get(3)?,
            user: r.get(4)?,
            clinical: r.get(5)?,
            disposition: r.get(6)?,
            within_minutes: r.get(7)?,
            practice: r.get(8)?,
        })
    };
    Ok(t.query_row(
        "SELECT id, opened_at, closed_at, case_ref, user, clinical, disposition, within_minutes, practice
         FROM encounter WHERE id = ?1",
        [id],
        read,
    )
    .optional()?)
}

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn booking(r: &Row<'_>) -> rusqlite::Result<KnownBooking> {
    let told =
        |column| Ok::<_, rusqlite::Error>(r.get::<_, Option<String>>(column)?.map(Foreign::from));
    Ok(KnownBooking {
        document: r.get(0)?,
        encounter: r.get(1)?,
        service: r.get(2)?,
        asid: r.get(3)?,
        root: r.get(4)?,
        start: at(r.get(5)?),
        end: at(r.get(6)?),
        state: State::from_word(&r.get::<_, String>(7)?),
        appointment: r.get(8)?,
        url: r.get(9)?,
        etag: r.get(10)?,
        replaces: r.get(11)?,
        nhs_number: r
            .get::<_, Option<String>>(12)?
            .and_then(|n| NhsNumber::parse(&n).ok()),
        slot: r.get(13)?,
        slot_identifier: r.get(14)?,
        claim: r
            .get::<_, Option<String>>(15)?
            .and_then(|c| serde_json::from_str(&c).ok()),
        request_id: r.get(16)?,
        requested_at: at(r.get(17)?),
        written_at: at(r.get::<_, Option<i64>>(18)?.unwrap_or(r.get(17)?)),
        details_digest: r.get(19)?,
        open_question: r.get(20)?,
        old: r
            .get::<_, Option<String>>(21)?
            .zip(r.get::<_, Option<String>>(22)?),
        rebook_open: r.get(23)?,
        told: Told {
            service: told(24)?,
            place: told(25)?,
            clinician: told(26)?,
        },
        cancelled_by: r.get(27)?,
        may_have_left: r.get::<_, Option<bool>>(28)?.unwrap_or(true),
    })
}

/// The newest booking still to come that a patient has, or may have, besides those that the user knows of.
pub(super) fn other(
    t: &Transaction<'_>,
    patient: Option<&NhsNumber>,
    from: Timestamp,
    others: &Others,
) -> Result<Option<KnownBooking>, JournalError> {
    let mut select = t.prepare(&format!(
        "SELECT {COLUMNS} FROM booking
         WHERE start >= ?1 AND state NOT IN ('failed', 'cancelled') AND nhs_number IS ?2
         ORDER BY requested_at DESC, rowid DESC"
    ))?;
    let number = patient.map(NhsNumber::as_str);
    let rows = select.query_map(params![from.as_millisecond(), number], booking)?;
    for row in rows {
        let row = row?;
        if !others.known.contains(&row.document) && (others.theirs)(&row) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

impl Journal {
    /// Bookings that start at `from` or after. All that there are: the journal is our own, and a list that was cut would
    /// be taken for the whole.
    pub async fn bookings(
        &self,
        which: Which,
        whose: Whose,
        from: Timestamp,
    ) -> Result<Vec<KnownBooking>, JournalError> {
        let (all, number) = match whose {
            Whose::All => (true, None),
            Whose::Nameless => (false, None),
            Whose::Of(number) => (false, Some(number.as_str().to_owned())),
        };
        let (condition, order) = which.sql();
        let sql = format!(
            "SELECT {COLUMNS} FROM booking
             WHERE start >= ?1 AND {condition} AND (?2 OR nhs_number IS ?3) ORDER BY {order}"
        );
        self.all(sql, (from.as_millisecond(), all, number), booking)
            .await
    }

    /// The booking of an appointment id, an appointment URL or a document id.
    pub async fn find(&self, key: &str) -> Result<Found, JournalError> {
        let key = key.trim().trim_end_matches('/').to_owned();
        let sql = format!(
            "SELECT {COLUMNS} FROM booking WHERE appointment = ?1 OR url = ?1 OR document = lower(?1)
             ORDER BY requested_at DESC"
        );
        let mut rows = self.all(sql, [key], booking).await?;
        Ok(match (rows.len(), rows.pop()) {
            (_, None) => Found::None,
            (1, Some(one)) => Found::One(Box::new(one)),
            (_, Some(last)) => {
                rows.push(last);
                Found::Several(rows)
            }
        })
    }

    /// Bookings outside their timeframe that were asked for in a time (CONS-TF-05), oldest first. More of them than a list
    /// holds is an error: a list that was cut would be taken for the whole.
    pub async fn outside(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<OutsideTimeframe>, JournalError> {
        let columns = COLUMNS.replace(", ", ", b.");
        let sql = format!(
            "SELECT b.{columns}, b.outside_minutes, e.user, b.approver, b.patient_agreed
             FROM booking b JOIN encounter e ON e.id = b.encounter
             WHERE b.outside_minutes IS NOT NULL AND b.requested_at BETWEEN ?1 AND ?2
             ORDER BY b.requested_at LIMIT {MOST} + 1"
        );
        let values = (from.as_millisecond(), until.as_millisecond());
        let rows = self.all(sql, values, |r| {
            Ok(OutsideTimeframe {
                booking: booking(r)?,
                minutes: r.get(OWN)?,
                user: r.get(OWN + 1)?,
                approver: r.get(OWN + 2)?,
                patient_agreed: r.get(OWN + 3)?,
            })
        });
        let rows = rows.await?;
        match rows.len() <= MOST {
            true => Ok(rows),
            false => Err(JournalError::Failed(format!(
                "more than {MOST} bookings outside their timeframe in that time: ask for a shorter one"
            ))),
        }
    }

    /// The booking that was tried last, whatever became of it.
    pub async fn last_tried(&self) -> Result<Option<KnownBooking>, JournalError> {
        let sql =
            format!("SELECT {COLUMNS} FROM booking ORDER BY requested_at DESC, rowid DESC LIMIT 1");
        self.first(sql, [], booking).await
    }

    /// Bookings still to come that were made in place of an appointment with which nothing was done yet: rebookings
    /// that were ended in between.
    pub async fn open_rebookings(
        &self,
        from: Timestamp,
    ) -> Result<Vec<KnownBooking>, JournalError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM booking WHERE start >= ?1 AND rebook_open = 1 AND state <> 'failed'
             ORDER BY requested_at, rowid"
        );
        self.all(sql, [from.as_millisecond()], booking).await
    }

    /// What the newest list of services that named it said: whether it takes referrals only with a booking. The
    /// directory says so in lists only (NAT-DOS-09). `None` when no recent list named it.
    pub async fn listed_as_booking_only(
        &self,
        service: &str,
    ) -> Result<Option<bool>, JournalError> {
        let sql = "SELECT json_extract(s.value, '$.booking_required')
             FROM (SELECT id, detail FROM step WHERE kind = 'services' ORDER BY id DESC LIMIT 200) AS l,
                  json_each(l.detail, '$.ranked') AS s
             WHERE json_extract(s.value, '$.service') = ?1 ORDER BY l.id DESC LIMIT 1";
        let found = self.first(sql, [service.to_owned()], |r| r.get(0)).await?;
        Ok(found.flatten())
    }

    /// Whether a clinical document was sent and acknowledged (REF-CON-05).
    pub async fn is_referred(&self, document: &str) -> Result<bool, JournalError> {
        let sql = "SELECT 1 FROM step WHERE kind = 'refer' AND outcome = 'acknowledged'
             AND json_extract(detail, '$.document') = ?1 LIMIT 1";
        let found = self
            .first(sql, [document.to_lowercase()], |_| Ok(()))
            .await?;
        Ok(found.is_some())
    }

    /// An encounter as it is kept; `None` when it is not known here.
    pub async fn kept_encounter(&self, id: &str) -> Result<Option<Encounter>, JournalError> {
        let id = id.to_owned();
        self.run(move |t| encounter(t, &id)).await
    }

    /// Whether an encounter has a booking of a service that holds (CONS-BO-01, CONS-BO-03).
    pub async fn is_booked(&self, encounter: &str, service: &str) -> Result<bool, JournalError> {
        let sql = "SELECT 1 FROM booking
             WHERE encounter = ?1 AND service = ?2 AND state = 'booked' LIMIT 1";
        let values = (encounter.to_owned(), service.to_owned());
        Ok(self.first(sql, values, |_| Ok(())).await?.is_some())
    }
}
